"""One of each kind of thing of Borough Exchange, for the test of authorisation.

A new feature adds its things to ``make``: the id under the noun of their addresses in ``ids``, into
``owned`` when only their agency may know of them, and to ``bodies`` what a request needs.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from foundation.kernel.actor import Actor
from foundation.kernel.text import Text
from tests.architecture.accounts import account_bodies, make_accounts
from tests.architecture.exchange_dataspace import PUBLIC as PROTOCOL
from tests.architecture.exchange_dataspace import (
    dataspace_bodies,
    dataspace_queries,
    make_dataspace,
)
from tests.architecture.exchange_handed import handed_bodies, make_handed
from tests.architecture.exchange_licences import PUBLIC as LICENCES
from tests.architecture.exchange_licences import licence_bodies, make_licences
from tests.architecture.exchange_lottery import PUBLIC as DRAWS
from tests.architecture.exchange_lottery import lottery_bodies, make_lottery
from tests.architecture.harness import Things
from tests.harness.directory import dataset, service
from tests.harness.exchange_receipts import draft, written
from workloads.data_exchange.agreements.ask import Ask, AskedField
from workloads.data_exchange.agreements.calendar.model import PERIODS, sample
from workloads.data_exchange.agreements.contracts.model import Party, Version
from workloads.data_exchange.agreements.requests.model import Act, Request
from workloads.data_exchange.agreements.terms import Limits
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.checks.model import shipped
from workloads.data_exchange.directory.interface import Interface
from workloads.data_exchange.directory.model import Kind
from workloads.data_exchange.harvesting.model import SourceProtocol

#: The agency that owns the things, and another one.
A, B = "/city/civil-affairs/", "/city/housing/"
#: Who provides what A asks for.
C = "/city/tax/"
#: Actions that services ask for, not endpoints: who sees drafts besides their makers, and who
#: publishes at the gateway.
ELSEWHERE: frozenset[str] = frozenset({"dataset.audit", "event.publish"})
#: Endpoints for everybody.
PUBLIC = DRAWS | LICENCES | PROTOCOL | frozenset({
    "GET /api/v1/jwks", "GET /api/v1/agencies/<agency_id>/jwks", "GET /api/v1/checkpoints",
    "POST /api/v1/consents/look", "POST /api/v1/consents/decide",
    "POST /api/v1/consents/corrections", "POST /api/v1/ledger/open", "POST /api/v1/ledger/entries",
    "POST /api/v1/ledger/corrections", "POST /api/v1/ledger/close",
    "GET /consent", "POST /consent", "POST /consent/decision", "POST /consent/correction",
    "GET /ledger", "POST /ledger", "POST /ledger/corrections", "POST /ledger/export",
    "POST /ledger/close",
    "GET /api/v1/checkpoints/export", "POST /api/v1/agreements/<agreement_id>/grants/signed",
})  # fmt: skip

_EXPORT = {"GET /api/v1/receipts/export": {"agreement": "agr_1"}}
_SYSTEM = Actor.system("test")
_NOBODY = "00000019700101000X"
_TEXT = {"en": "Test", "zh": "测试"}
_BODY = {"title": _TEXT, "description": _TEXT}
_FORM = {
    "title.en": "Test", "title.zh": "测试", "description.en": "Test", "description.zh": "测试",
    "frequency": "DAILY", "access": "RESTRICTED",
}  # fmt: skip
#: Steps that need a reason, or may have one.
_NOTED = ("send-back", "approve", "withdraw", "archive")


def make(exchange: Exchange) -> Things:
    """Two agencies, and one of each kind of thing of agency A."""
    for parent, slug in (
        ("/", "city"),
        ("/city/", "civil-affairs"),
        ("/city/", "housing"),
        ("/city/", "tax"),
    ):
        exchange.agencies.create(_SYSTEM, parent=parent, slug=slug, name=Text(slug, slug))
    empty = exchange.agencies.create(_SYSTEM, parent=A, slug="empty", name=Text("e", "空"))
    key = exchange.keys.generate(_SYSTEM, A)
    exchange.keys.generate(_SYSTEM, C)
    request, agreement = _agreed(exchange)
    day = f"{exchange.base.clock.now():%Y-%m-%d}"
    queries = {**dataspace_queries(), **_EXPORT, "GET /api/v1/receipts/archive": {"day": day}}
    told = replace(draft(exchange.base.clock.now()), consumer=A, provider=A)
    (receipt,) = written(exchange, [told])
    exchange.receipts.sign_checkpoint()
    exchange.checks.ship()
    check, correction = _checked(exchange)
    lottery, pseudonym, commitment = make_lottery(exchange, exchange.agencies.agency(_SYSTEM, A))
    accounts = make_accounts(exchange.people, exchange.base, "exchange_officer", A)
    handed = make_handed(exchange, agreement.agreement)
    drafted, shown, destroyed = _entries(exchange)
    source = exchange.cataloguing.harvesting.mount(
        _SYSTEM, agency=A, protocol=SourceProtocol.DCAT, url="https://data.example/catalog.ttl",
        title=Text("Other", "其他"),
    )  # fmt: skip
    licences = make_licences(exchange, A)
    dataspace = make_dataspace(exchange)
    ids = {
        **licences, **dataspace,
        "agencies": empty.id, "keys": key.kid, "requests": request.id, "receipts": receipt.id,
        "agreements": agreement.agreement, "versions": "1", "sources": source.id,
        "catalog": shown, "entries": drafted, "directory": drafted, "certificates": destroyed,
        "lotteries": lottery, "applications": pseudonym, "checks": check, "corrections": correction,
        "consents": "0", **handed, **accounts,
    }  # fmt: skip
    # Agencies and their keys are known to everybody who signs in.
    owned = frozenset({
        *accounts.values(), request.id, agreement.agreement, receipt.id, drafted, source.id,
        check, correction, dataspace["processes"], licences["licences"],
        licences["licence-requests"],
        *(one for one in handed.values() if one.startswith(("bat_", "sub_"))),
    })  # fmt: skip
    bodies = _bodies(accounts["service-accounts"], agreement, key.kid)
    bodies["POST /api/v1/scenarios/connections"] = {
        "name": "tax/income", "service": _answering(exchange), "path": "/income",
    }  # fmt: skip
    bodies |= handed_bodies()
    bodies |= lottery_bodies(pseudonym, commitment)
    bodies |= licence_bodies(A, licences)
    bodies |= dataspace_bodies()
    return Things(ids, owned, bodies, queries, {})


def _checked(exchange: Exchange) -> tuple[str, str]:
    """A check of A that waits for consent, and a correction of another that A decides."""
    made = [
        exchange.checks.begin(
            _SYSTEM, agency=A, scenario="public-credit", persons=[_NOBODY], inputs={}
        )
        for _ in range(2)
    ]
    exchange.verifying.consents.decide(made[1].tokens[0], agree=True)
    exchange.checks.work()
    objected = exchange.verifying.corrections.ask(
        _SYSTEM, made[1].check.id, "records", 0, "it is wrong"
    )
    return made[0].check.id, objected.id


def _answering(exchange: Exchange) -> str:
    """A service that answers questions of checks."""
    directory = exchange.cataloguing.directory
    called = Interface("https://api.civil.example", methods=("POST",), paths=("/income",))
    held = directory.create(_SYSTEM, Kind.DATASET, agency=A, body=dataset()).id
    made = directory.create(
        _SYSTEM, Kind.SERVICE, agency=A, body=service(held, interface=called)
    ).id
    for one in (held, made):
        directory.submit(_SYSTEM, one)
        directory.approve(Actor.system("another"), one)
    return made


def _entries(exchange: Exchange) -> tuple[str, str, str]:
    """A draft, one that everybody finds, and one of which a certificate is left."""
    directory, other = exchange.cataloguing.directory, Actor.system("another")
    draft, shown, destroyed = (
        directory.create(_SYSTEM, Kind.DATASET, agency=A, body=dataset()).id for _ in range(3)
    )
    for one in (shown, destroyed):
        directory.submit(_SYSTEM, one)
        directory.approve(other, one)
    directory.archive(_SYSTEM, destroyed, "old")
    directory.destroy(other, destroyed, method="shredded")
    return draft, shown, destroyed


def _agreed(exchange: Exchange) -> tuple[Request, Version]:
    """A request of A to C that waits, and an agreement between them that both have signed."""
    made = []
    for _ in range(2):
        now = exchange.base.clock.now()
        ask = Ask(
            frozenset({"dpv:ServiceProvision"}), (AskedField("name"),), (), Limits(calls=10), now,
            now + timedelta(days=30),
        )  # fmt: skip
        made.append(
            exchange.agreeing.requests.create(
                Actor.system("asks"), consumer=A, dataset="dst_households",
                service="svc_households", ask=ask, legal_basis="law", justification="need",
            )
        )  # fmt: skip
    waiting, other = made
    exchange.agreeing.requests.act(Actor.system("reviews"), other.id, Act.PASS)
    done = exchange.agreeing.requests.act(Actor.system("decides"), other.id, Act.APPROVE)
    agreements = exchange.agreeing.agreements
    digest = agreements.version(_SYSTEM, done.agreement).digest
    agreements.sign(Actor.system("provider"), done.agreement, Party.PROVIDER, digest)
    return waiting, agreements.sign(
        Actor.system("consumer"), done.agreement, Party.CONSUMER, digest
    )


def _bodies(robot: str, agreement: Version, kid: str) -> dict[str, Any]:
    return {
        **_asking(agreement, kid),
        **account_bodies(robot, "exchange_officer", A),
        "POST /api/v1/checks": {
            "agency": A,
            "scenario": "public-credit",
            "persons": [_NOBODY],
            "inputs": {},
        },
        "POST /api/v1/scenarios": {"data": shipped()[0]},
        **_checking(),
        "POST /api/v1/agencies": {"parent": A, "slug": "test", "name": _TEXT},
        "PATCH /api/v1/agencies/<agency_id>": {"name": _TEXT},
        "POST /agencies": {"parent": A, "slug": "test", "name.en": "T", "name.zh": "测"},
        "POST /api/v1/keys": {"agency": A},
        "POST /api/v1/keys/<kid>/revoke": {"reason": "lost"},
        "POST /receipts/verify": {"text": "no bundle"},
        "POST /api/v1/receipts/<receipt_id>/redact": {"reason": "names a person"},
        "POST /api/v1/entries": {"kind": "dataset", "agency": A, "body": _BODY},
        "PUT /api/v1/entries/<entry_id>/draft": {"body": _BODY},
        **{f"POST /api/v1/entries/<entry_id>/{one}": {"note": "why"} for one in _NOTED},
        "POST /api/v1/entries/<entry_id>/destroy": {"method": "shredded"},
        "POST /api/v1/sources": {
            "agency": A,
            "protocol": "dcat",
            "url": "https://more.example/c",
            "title": _TEXT,
        },
        "PUT /api/v1/sources/<source_id>": {"hours": 1, "enabled": True},
        "POST /api/v1/sources/<source_id>/runs": {},
        "POST /directory/new": {"kind": "dataset", "agency": A, **_FORM},
        "POST /directory/<entry_id>/edit": _FORM,
        "POST /directory/<entry_id>/steward": {"action": "submit"},
        "POST /directory/<entry_id>/review": {"action": "approve"},
        "POST /directory/<entry_id>/destroy": {"method": "shredded"},
        "POST /directory/sources": {
            "url": "https://more.example/c",
            "protocol": "dcat",
            "agency": A,
            "level": "municipal",
            "title.en": "T",
            "title.zh": "题",
            "hours": "24",
        },
    }


def _checking() -> dict[str, Any]:
    """Bodies of checks, consent, corrections and ledgers."""
    new = {"agency": A, "scenario": "public-credit", "persons": _NOBODY}
    words, objection = {"text": "it is wrong"}, {"question": "records", "text": "it is wrong"}
    return {
        "POST /api/v1/checks/<check_id>/corrections": objection,
        "POST /api/v1/corrections/<correction_id>/decision": {"corrected": False, **words},
        "POST /api/v1/consents/look": {"token": "none"},
        "POST /api/v1/consents/decide": {"token": "none", "agree": True},
        "POST /api/v1/consents/corrections": {"token": "none", **objection},
        "POST /api/v1/ledger/codes": {"number": _NOBODY},
        "POST /api/v1/ledger/open": {"code": "none"},
        "POST /api/v1/ledger/entries": {"key": "none"},
        "POST /api/v1/ledger/close": {"key": "none"},
        "POST /api/v1/ledger/corrections": {"key": "none", "entry": "chk:x", **words},
        "POST /checks/new": new,
        "POST /checks/<id>/corrections": {**objection, "person": "0"},
        "POST /checks/<id>/codes": {"person": "0"},
        "POST /corrections/<id>": {"decision": "refused", **words},
        "POST /ledger/codes": {"number": _NOBODY},
        "POST /consent": {"code": "none"},
        "POST /consent/decision": {"code": "none", "agree": "yes"},
        "POST /consent/correction": {"code": "none", **objection},
        "POST /ledger": {"code": "none"},
        "POST /ledger/corrections": {"key": "none", "entry": "chk:x", **words},
        "POST /ledger/export": {"key": "none"},
        "POST /ledger/close": {"key": "none"},
    }  # fmt: skip


def _asking(agreement: Version, kid: str) -> dict[str, Any]:
    """Bodies of requests and agreements; those that do not fit the state are let in and refused."""
    ask = {
        "purposes": ["dpv:ServiceProvision"], "fields": [{"name": "name"}],
        "begins": "2020-01-01T00:00:00Z", "ends": "2099-01-01T00:00:00Z",
    }  # fmt: skip
    ends = datetime.now(UTC) + timedelta(days=9)  # noqa: TID251 - the products run now
    ask |= {"begins": (ends - timedelta(days=8)).isoformat(), "ends": ends.isoformat()}
    at, page = "POST /api/v1/requests/<request_id>", "POST /requests/<id>"
    signed = "POST /api/v1/agreements/<agreement_id>"
    form = {"dataset": "dst_households", "service": "svc_households", "consumer": A}
    return {
        "POST /api/v1/requests": {
            **form, "ask": ask, "legal_basis": "law", "justification": "need",
        },
        f"{at}/review": {"act": "pass"},
        f"{at}/decision": {"act": "refuse", "text": "no"},
        f"{at}/reply": {"act": "withdraw"},
        f"{at}/ruling": {"act": "uphold", "text": "so"},
        f"{signed}/signatures": {"party": "consumer", "digest": agreement.digest},
        f"{signed}/revoke": {"party": "consumer", "reason": "done"},
        f"{signed}/grants": {"kid": kid},
        f"{signed}/grants/signed": {"request": "a.b.c"},
        "PUT /api/v1/calendar": sample().as_json(),
        "POST /calendar": {
            "zone": "Asia/Shanghai", "weekend": "7", "version": "0",
            **{f"periods.{name}": "5" for name in PERIODS},
        },
        "POST /keys": {"agency": A},
        "POST /keys/revoke": {"kid": kid, "reason": "lost"},
        "POST /requests/new": {
            **form, "purpose.0": "dpv:ServiceProvision", "field.name": "masked",
            "begins": ends.date().isoformat(), "ends": ends.date().isoformat(),
            "legal_basis": "law", "justification": "need",
        },
        f"{page}/review": {"act": "pass"},
        f"{page}/decision": {"act": "refuse", "text-refuse": "no"},
        f"{page}/reply": {"act": "withdraw"},
        f"{page}/ruling": {"act": "uphold", "text-uphold": "so"},
        f"{page}/offer": {
            "text": "less", "begins": ends.date().isoformat(), "ends": ends.date().isoformat(),
        },
        "POST /agreements/<id>/signatures": {"party": "consumer", "digest": agreement.digest},
        "POST /agreements/<id>/revoke": {"party": "consumer", "reason": "done"},
    }  # fmt: skip
