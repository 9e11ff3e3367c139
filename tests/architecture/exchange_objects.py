"""One of each kind of thing of Borough Exchange, for the test of authorisation.

A new feature adds its things to ``make``: the id under the noun of their addresses in ``ids``, into
``owned`` when only their agency may know of them, and to ``bodies`` what a request needs.
"""

from typing import Any

from foundation.kernel.actor import Actor
from foundation.kernel.text import Text
from tests.architecture.accounts import account_bodies, make_accounts
from tests.architecture.harness import Things
from tests.harness.directory import dataset
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.directory.model import Kind
from workloads.data_exchange.harvesting.model import SourceProtocol

#: The agency that owns the things, and another one.
A, B = "/city/civil-affairs/", "/city/housing/"
#: Actions that services ask for rather than endpoints: who sees drafts besides their makers.
ELSEWHERE: frozenset[str] = frozenset({"dataset.audit"})
#: Endpoints for everybody.
PUBLIC = frozenset({"GET /api/v1/jwks", "GET /api/v1/agencies/<agency_id>/jwks"})

_SYSTEM = Actor.system("test")
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
    for parent, slug in (("/", "city"), ("/city/", "civil-affairs"), ("/city/", "housing")):
        exchange.agencies.create(_SYSTEM, parent=parent, slug=slug, name=Text(slug, slug))
    empty = exchange.agencies.create(_SYSTEM, parent=A, slug="empty", name=Text("e", "空"))
    key = exchange.keys.generate(_SYSTEM, A)
    accounts = make_accounts(exchange.people, exchange.base, "exchange_officer", A)
    draft, shown, destroyed = _entries(exchange)
    source = exchange.cataloguing.harvesting.mount(
        _SYSTEM, agency=A, protocol=SourceProtocol.DCAT, url="https://data.example/catalog.ttl",
        title=Text("Other", "其他"),
    )  # fmt: skip
    ids = {
        "agencies": empty.id, "keys": key.kid, "sources": source.id, "catalog": shown,
        "entries": draft, "directory": draft, "certificates": destroyed, **accounts,
    }  # fmt: skip
    # Agencies and their keys are known to everybody who signs in.
    owned = frozenset({*accounts.values(), draft, source.id})
    return Things(ids, owned, _bodies(accounts["service-accounts"]), {}, {})


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


def _bodies(robot: str) -> dict[str, Any]:
    return {
        **account_bodies(robot, "exchange_officer", A),
        "POST /api/v1/agencies": {"parent": A, "slug": "test", "name": _TEXT},
        "PATCH /api/v1/agencies/<agency_id>": {"name": _TEXT},
        "POST /agencies": {"parent": A, "slug": "test", "name.en": "T", "name.zh": "测"},
        "POST /api/v1/keys": {"agency": A},
        "POST /api/v1/keys/<kid>/revoke": {"reason": "lost"},
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
