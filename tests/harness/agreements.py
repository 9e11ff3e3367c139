"""Requests and agreements for tests: who has part in them, and the way to one in force."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM
from workloads.data_exchange.agreements.ask import Ask, AskedField, AskedRows
from workloads.data_exchange.agreements.contracts.model import Party, Version
from workloads.data_exchange.agreements.requests.model import Act, Request, Side
from workloads.data_exchange.agreements.terms import Limits, Operator
from workloads.data_exchange.bootstrap import Exchange

DATASET, SERVICE = "dst_households", "svc_households"
PURPOSE = "dpv:FraudPreventionAndDetection"


def someone(name: str, role: str, path: str) -> Actor:
    """A person of their own id with one role of Borough Exchange."""
    grant = Grant(f"exchange_{role}", path)
    return Actor(PrincipalId(f"per_{name}"), name, ActorKind.PERSON, (grant,))


OFFICER = someone("officer", "officer", HOUSING)
REVIEWER = someone("reviewer", "reviewer", HOUSING)
STEWARD = someone("steward", "steward", CIVIL)
ARBITER = someone("arbiter", "reviewer", "/city/")
#: Who signs for the consumer.
SIGNER = someone("signer", "steward", HOUSING)
ACTORS: Mapping[Side, Actor] = {
    Side.CONSUMER: OFFICER, Side.COMPLIANCE: REVIEWER, Side.PROVIDER: STEWARD,
    Side.ARBITER: ARBITER,
}  # fmt: skip


def an_ask(now: datetime, **more: Any) -> Ask:
    """An ask for the households of the fake catalogue, for a year."""
    return replace(
        Ask(
            frozenset({PURPOSE}),
            (AskedField("id"), AskedField("name", whole=True), AskedField("members", whole=True)),
            (AskedRows("district", Operator.ANY_OF, ("east", "west")),),
            Limits(calls=1000, calls_per_day=100, rows=5000, rows_per_call=50),
            now,
            now + timedelta(days=365),
        ),
        **more,
    )


def asked(exchange: Exchange, actor: Actor = OFFICER, **more: Any) -> Request:
    """A new request of the housing agency."""
    ask = more.pop("ask", None) or an_ask(exchange.base.clock.now())
    return exchange.agreeing.requests.create(
        actor,
        consumer=HOUSING,
        dataset=DATASET,
        service=SERVICE,
        ask=ask,
        legal_basis="Measures for housing benefits, article 12",
        justification="To check households that ask for a flat.",
        **more,
    )


def acted(exchange: Exchange, request: Request, *acts: tuple[Act, Side]) -> Request:
    """The request after some acts, each by the actor of its side."""
    for act, side in acts:
        offer = None
        if act is Act.OFFER:
            offer = replace(request.ask, fields=request.ask.fields[:1])
        request = exchange.agreeing.requests.act(
            ACTORS[side], request.id, act, text="because", offer=offer
        )
    return request


def approved(exchange: Exchange, **more: Any) -> Request:
    """A request that was approved as it was asked."""
    return acted(
        exchange, asked(exchange, **more), (Act.PASS, Side.COMPLIANCE),
        (Act.APPROVE, Side.PROVIDER),
    )  # fmt: skip


def in_force(exchange: Exchange, **more: Any) -> Version:
    """An agreement that both have signed with keys that are kept here."""
    request = approved(exchange, **more)
    return signed(exchange, request.agreement)


def signed(exchange: Exchange, agreement: str) -> Version:
    """Both sign the newest version."""
    contracts = exchange.agreeing.agreements
    for path in (CIVIL, HOUSING):
        if not any(
            key["kid"]
            for key in exchange.keys.jwks(path)["keys"]  # type: ignore[attr-defined]
        ):
            exchange.keys.generate(SYSTEM, path)
    newest = contracts.versions(SYSTEM, agreement)[0]
    contracts.sign(STEWARD, agreement, Party.PROVIDER, newest.digest)
    return contracts.sign(SIGNER, agreement, Party.CONSUMER, newest.digest)
