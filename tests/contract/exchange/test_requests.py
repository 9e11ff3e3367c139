"""Requests on a real database: who may, what is wrong, clocks that run out, two at once."""

import contextlib
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from foundation.access import policy
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.errors import (
    BoroughError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
)
from foundation.kernel.outbox import outbox_table
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.fakes.catalogue import FakeCatalogue
from tests.harness.agreements import (
    ACTORS,
    ARBITER,
    DATASET,
    OFFICER,
    REVIEWER,
    SERVICE,
    STEWARD,
    acted,
    an_ask,
    approved,
    asked,
    someone,
)
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, TAX
from workloads.data_exchange.agreements.ask import Ask, AskedField, AskedRows
from workloads.data_exchange.agreements.requests.clocks import OVERDUE
from workloads.data_exchange.agreements.requests.model import (
    MACHINE,
    Act,
    Request,
    RequestState,
    Side,
)
from workloads.data_exchange.agreements.requests.ports import RequestQuery
from workloads.data_exchange.agreements.terms import Limits, Operator
from workloads.data_exchange.bootstrap import Exchange

pytestmark = pytest.mark.usefixtures("agencies")

#: How a request comes into each state.
WAY: dict[RequestState, tuple[tuple[Act, Side], ...]] = {
    RequestState.COMPLIANCE: (),
    RequestState.REVIEW: ((Act.PASS, Side.COMPLIANCE),),
    RequestState.CLARIFICATION: ((Act.PASS, Side.COMPLIANCE), (Act.INQUIRE, Side.PROVIDER)),
    RequestState.OFFERED: ((Act.PASS, Side.COMPLIANCE), (Act.OFFER, Side.PROVIDER)),
    RequestState.APPROVED: ((Act.PASS, Side.COMPLIANCE), (Act.APPROVE, Side.PROVIDER)),
    RequestState.REFUSED: ((Act.PASS, Side.COMPLIANCE), (Act.REFUSE, Side.PROVIDER)),
    RequestState.DISPUTED: (
        (Act.PASS, Side.COMPLIANCE), (Act.REFUSE, Side.PROVIDER), (Act.DISPUTE, Side.CONSUMER),
    ),
    RequestState.DISMISSED: (
        (Act.PASS, Side.COMPLIANCE), (Act.REFUSE, Side.PROVIDER), (Act.DISPUTE, Side.CONSUMER),
        (Act.UPHOLD, Side.ARBITER),
    ),
    RequestState.WITHDRAWN: ((Act.WITHDRAW, Side.CONSUMER),),
}  # fmt: skip
#: The action that each side needs.
_ACTION = {
    Side.CONSUMER: "request.create", Side.COMPLIANCE: "request.review",
    Side.PROVIDER: "request.decide", Side.ARBITER: "request.review",
}  # fmt: skip
_ROLES = ("administrator", "auditor", "officer", "reviewer", "steward")


def _path(request: Request, side: Side) -> str:
    paths = {Side.PROVIDER: request.provider, Side.ARBITER: request.arbiter}
    return paths.get(side, request.consumer)


@pytest.mark.parametrize("state", [*RequestState])
def test_each_state_with_each_act_and_each_role(exchange: Exchange, state: RequestState) -> None:
    """Who is let through is what roles.yaml says of the side whose turn it is, and nobody else."""
    request = acted(exchange, asked(exchange), *WAY[state])
    assert request.state is state
    for act in Act:
        for role in _ROLES:
            for path in ("/", "/city/", HOUSING, CIVIL, TAX):
                actor = someone(f"{act}-{role}{path}", role, path)
                side = MACHINE.get((state, act))
                may = side is not None and policy.allows(actor, _ACTION[side], _path(request, side))
                offer = replace(request.ask, fields=request.ask.fields[:1])
                outcome = tried(
                    exchange, actor, request.id, act, offer if act is Act.OFFER else None
                )
                where = f"{state} {act} {role} {path}"
                if path == TAX:
                    assert outcome == "not_found", where
                elif may:
                    assert outcome == "done", where
                else:
                    assert outcome in {"forbidden", "conflict"}, where
                    assert side is None or outcome == "forbidden", where
                shown = act in exchange.agreeing.requests.acts(actor, request)
                assert shown == may, where


class _UndoneError(Exception):
    """Takes back what was done."""


def tried(exchange: Exchange, actor: Actor, request: str, act: Act, offer: Ask | None) -> str:
    """How it would come out; nothing of it stays."""
    with contextlib.suppress(_UndoneError), exchange.base.database.transaction():
        try:
            exchange.agreeing.requests.act(actor, request, act, text="because", offer=offer)
        except BoroughError as error:
            return error.code
        raise _UndoneError
    return "done"


def test_four_eyes(exchange: Exchange) -> None:
    everything = tuple(
        Grant(f"exchange_{role}", "/") for role in ("officer", "reviewer", "steward")
    )
    one = Actor(PrincipalId("per_one"), "one", ActorKind.PERSON, everything)
    two = Actor(PrincipalId("per_two"), "two", ActorKind.PERSON, everything)
    requests = exchange.agreeing.requests
    request = asked(exchange, one)
    assert requests.acts(one, request) == [Act.WITHDRAW]
    with pytest.raises(Forbidden, match="acted for the consumer"):
        requests.act(one, request.id, Act.PASS)
    requests.act(two, request.id, Act.PASS)
    for actor in (one, two):
        with pytest.raises(Forbidden):
            requests.act(actor, request.id, Act.APPROVE)
    requests.act(STEWARD, request.id, Act.REFUSE, text="no")
    requests.act(one, request.id, Act.DISPUTE, text="but")
    for actor in (one, two):
        with pytest.raises(Forbidden):
            requests.act(actor, request.id, Act.OVERRULE, text="so")
    assert requests.act(ARBITER, request.id, Act.OVERRULE, text="so").agreement


def test_every_wrong_field_is_named(exchange: Exchange) -> None:
    now = exchange.base.clock.now()
    ask = an_ask(
        now,
        purposes=frozenset({"dpv:Curiosity"}),
        fields=(AskedField("name"), AskedField("name"), AskedField("shoe"), AskedField("income")),
        rows=(
            AskedRows("hat", Operator.EQ, ("a",)),
            AskedRows("members", Operator.GT, (1, 2)),
            AskedRows("members", Operator.EQ, ("3",)),
            AskedRows("registered", Operator.LT, (True,)),
            AskedRows("income", Operator.EQ, (float("nan"),)),
            AskedRows("district", Operator.ANY_OF, ("a", "a")),
        ),
        limits=Limits(calls=0, rows=-1),
        begins=now, ends=now,
    )  # fmt: skip
    with pytest.raises(Invalid) as error:
        exchange.agreeing.requests.create(
            OFFICER, consumer=HOUSING, dataset=DATASET, service=SERVICE, ask=ask, legal_basis=" ",
            justification="x" * 3000,
        )  # fmt: skip
    assert {one.field for one in error.value.problems} == {
        "legal_basis", "justification", "purposes.0", "fields.1.name", "fields.2.name",
        "fields.3.whole", "rows.0.name", "rows.1.values", "rows.2.values.0", "rows.3.operator",
        "rows.4.values.0", "rows.5.values", "limits.calls", "limits.rows", "ends",
    }  # fmt: skip


def test_what_cannot_be_asked_for(exchange: Exchange) -> None:
    requests, ask = exchange.agreeing.requests, an_ask(exchange.base.clock.now())
    more = {"ask": ask, "legal_basis": "b", "justification": "j"}

    def wrong(actor: Actor, **given: str) -> set[str]:
        values = {"consumer": HOUSING, "dataset": DATASET, "service": SERVICE, **given}
        with pytest.raises(Invalid) as error:
            requests.create(actor, **values, **more)  # type: ignore[arg-type]
        return {one.field for one in error.value.problems}

    assert wrong(OFFICER, service="svc_other") == {"service"}
    assert wrong(OFFICER, amends="agr_other") == {"amends"}
    assert wrong(someone("own", "officer", CIVIL), consumer=CIVIL) == {"consumer"}
    for consumer in (TAX, "/nowhere/"):
        with pytest.raises(NotFound):
            requests.create(
                OFFICER, consumer=consumer, dataset=DATASET, service=SERVICE, ask=ask,
                legal_basis="b", justification="j",
            )  # fmt: skip


def test_what_is_offered_is_less_than_what_was_asked(exchange: Exchange) -> None:
    requests = exchange.agreeing.requests
    request = acted(exchange, asked(exchange), *WAY[RequestState.REVIEW])
    ask = request.ask
    for change, field in (
        ({"purposes": ask.purposes | {"dpv:Marketing"}}, "purposes.1"),
        ({"fields": (AskedField("id", whole=True),)}, "fields.0.whole"),
        ({"fields": (AskedField("birth"),)}, "fields.0.name"),
        ({"rows": ()}, "rows"),
        ({"rows": (AskedRows("district", Operator.ANY_OF, ("east", "north")),)}, "rows"),
        ({"limits": replace(ask.limits, calls=None)}, "limits.calls"),
        ({"limits": replace(ask.limits, rows=5001)}, "limits.rows"),
        ({"begins": ask.begins - timedelta(days=1)}, "begins"),
        ({"ends": ask.ends + timedelta(seconds=1)}, "ends"),
        ({}, "offer"),
    ):
        with pytest.raises(Invalid) as error:
            requests.act(STEWARD, request.id, Act.OFFER, text="less",
                         offer=replace(ask, **change))  # type: ignore[arg-type]  # fmt: skip
        assert [one.field for one in error.value.problems] == [field]
    offer = replace(
        ask, rows=(AskedRows("district", Operator.EQ, ("east",)),),
        limits=replace(ask.limits, calls_per_minute=2),
    )  # fmt: skip
    offered = requests.act(STEWARD, request.id, Act.OFFER, text="one district", offer=offer)
    assert offered.state is RequestState.OFFERED
    done = requests.act(OFFICER, request.id, Act.ACCEPT)
    version = exchange.agreeing.agreements.version(SYSTEM, done.agreement)
    terms = exchange.agreeing.agreements.terms(version)
    assert terms.limits.calls_per_minute == 2
    assert [row.values for row in terms.rows] == [("east",)]


def test_texts_are_needed(exchange: Exchange) -> None:
    request = asked(exchange)
    with pytest.raises(Invalid):
        exchange.agreeing.requests.act(REVIEWER, request.id, Act.REFUSE)
    with pytest.raises(Invalid):
        exchange.agreeing.requests.act(REVIEWER, request.id, Act.PASS, offer=request.ask)


def test_what_was_withdrawn_meanwhile_is_not_approved(exchange: Exchange) -> None:
    request = acted(exchange, asked(exchange), *WAY[RequestState.REVIEW])
    catalogue = exchange.agreeing.catalogue
    assert isinstance(catalogue, FakeCatalogue)
    offered = catalogue.all[DATASET, SERVICE]
    catalogue.withdraw(DATASET, SERVICE)
    with pytest.raises(Conflict):
        exchange.agreeing.requests.act(STEWARD, request.id, Act.APPROVE)
    catalogue.put(replace(offered, elements=offered.elements[1:]))
    with pytest.raises(Invalid) as error:
        exchange.agreeing.requests.act(STEWARD, request.id, Act.APPROVE)
    assert [one.field for one in error.value.problems] == ["fields.0.name"]
    # Nothing of it stayed.
    assert exchange.agreeing.requests.request(STEWARD, request.id).state is RequestState.REVIEW
    assert not exchange.agreeing.agreements.agreements(SYSTEM, PageRequest()).items


def test_two_decide_at_once_and_one_of_them_does(exchange: Exchange) -> None:
    request = acted(exchange, asked(exchange), *WAY[RequestState.REVIEW])
    outcomes: list[str] = []
    ready = threading.Barrier(4)

    def decide(n: int) -> None:
        actor = someone(f"steward-{n}", "steward", CIVIL)
        act = Act.APPROVE if n % 2 else Act.REFUSE
        ready.wait()
        try:
            exchange.agreeing.requests.act(actor, request.id, act, text="so")
            outcomes.append("done")
        except BoroughError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=decide, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["conflict", "conflict", "conflict", "done"]
    steps = exchange.agreeing.requests.steps(SYSTEM, request.id)
    assert [step.number for step in steps] == [1, 2, 3]
    found = exchange.agreeing.agreements.agreements(SYSTEM, PageRequest()).items
    assert len(found) == (steps[-1].act is Act.APPROVE)


def test_who_looked_before_it_changed_is_told(exchange: Exchange) -> None:
    request = asked(exchange)
    exchange.agreeing.requests.act(REVIEWER, request.id, Act.PASS, version=1)
    with pytest.raises(PreconditionFailed):
        exchange.agreeing.requests.act(STEWARD, request.id, Act.APPROVE, version=1)


def topics(exchange: Exchange) -> list[str]:
    with exchange.base.database.transaction():
        rows = exchange.base.database.execute(
            sa.select(outbox_table.c.topic).order_by(outbox_table.c.position)
        )
        return list(rows.scalars())


def test_who_is_late_is_told_once(exchange: Exchange, clock: SettableClock) -> None:
    requests = exchange.agreeing.requests
    request = asked(exchange)
    exchange.agreeing.clocks.escalate()
    assert OVERDUE not in topics(exchange)
    assert request.due_at is not None
    clock.set(request.due_at)
    late = RequestQuery(overdue_at=clock.now())
    assert [one.id for one in requests.requests(SYSTEM, late, PageRequest()).items] == [request.id]
    exchange.agreeing.clocks.escalate()
    exchange.agreeing.clocks.escalate()
    assert topics(exchange).count(OVERDUE) == 1
    assert requests.request(SYSTEM, request.id).escalated_at == clock.now()
    # Late, and done all the same; the next clock starts anew.
    after = requests.act(REVIEWER, request.id, Act.PASS)
    assert after.escalated_at is None
    assert [step.late for step in requests.steps(SYSTEM, request.id)] == [False, True]


def test_due_dates_follow_the_calendar(exchange: Exchange) -> None:
    requests, calendar = exchange.agreeing.requests, exchange.agreeing.calendar
    request = asked(exchange)
    data = calendar.now().as_json()
    assert request.due_at is not None
    last = calendar.now().day(request.due_at - timedelta(hours=1))
    data["holidays"] = [*data["holidays"], last.isoformat()]
    with pytest.raises(Forbidden):
        calendar.replace(OFFICER, data, 0)
    calendar.replace(SYSTEM, data, 0)
    moved = requests.request(SYSTEM, request.id)
    assert moved.due_at is not None
    assert moved.due_at > request.due_at
    with pytest.raises(PreconditionFailed):
        calendar.replace(SYSTEM, data, 0)
    assert calendar.replace(SYSTEM, data, 1)[1] == 2


def test_the_inbox_holds_what_waits_for_one(exchange: Exchange) -> None:
    requests = exchange.agreeing.requests
    made = {state: acted(exchange, asked(exchange), *WAY[state]).id for state in RequestState}

    def inbox(actor: Actor) -> set[str]:
        first = requests.requests(actor, RequestQuery(), PageRequest(limit=2), mine=True)
        found, page = list(first.items), first
        while page.next:
            page = requests.requests(actor, RequestQuery(), PageRequest(page.next, 2), mine=True)
            found += page.items
        assert len({one.id for one in found}) == len(found)
        return {one.id for one in found}

    assert inbox(REVIEWER) == {made[RequestState.COMPLIANCE]}
    assert inbox(STEWARD) == {made[RequestState.REVIEW]}
    assert inbox(ARBITER) == {made[RequestState.COMPLIANCE], made[RequestState.DISPUTED]}
    assert inbox(OFFICER) == {
        made[RequestState.CLARIFICATION], made[RequestState.OFFERED], made[RequestState.REFUSED],
    }  # fmt: skip
    assert inbox(someone("other", "steward", TAX)) == set()
    everything = requests.requests(STEWARD, RequestQuery(), PageRequest()).items
    assert {one.id for one in everything} == set(made.values())
    assert not requests.requests(someone("x", "steward", TAX), RequestQuery(), PageRequest()).items


def test_steps_stay_as_they_are(exchange: Exchange) -> None:
    request = approved(exchange)
    for statement in (
        "UPDATE exchange_request_step SET text = 'x'", "DELETE FROM exchange_request_step",
        "TRUNCATE exchange_request_step",
    ):  # fmt: skip
        with pytest.raises(sa.exc.DBAPIError), exchange.base.database.transaction():
            exchange.base.database.execute(sa.text(statement))
    steps = exchange.agreeing.requests.steps(SYSTEM, request.id)
    assert [step.side for step in steps] == [Side.CONSUMER, Side.COMPLIANCE, Side.PROVIDER]
    assert [step.actor for step in steps] == [
        ACTORS[side].id for side in (Side.CONSUMER, Side.COMPLIANCE, Side.PROVIDER)
    ]
