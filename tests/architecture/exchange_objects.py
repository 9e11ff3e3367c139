"""One of each kind of thing of Borough Exchange, for the test of authorisation.

A new feature adds its things to ``make``: the id under the noun of their addresses in ``ids``, into
``owned`` when only their agency may know of them, and to ``bodies`` what a request needs.
"""

from typing import Any

from foundation.kernel.actor import Actor
from foundation.kernel.text import Text
from tests.architecture.accounts import account_bodies, make_accounts
from tests.architecture.harness import Things
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.checks.model import shipped

#: The agency that owns the things, and another one.
A, B = "/city/civil-affairs/", "/city/housing/"
#: Actions of features that are made elsewhere; each leaves this set with its endpoints.
ELSEWHERE: frozenset[str] = frozenset()
#: Endpoints for everybody.
PUBLIC = frozenset(
    {
        "GET /api/v1/jwks", "GET /api/v1/agencies/<agency_id>/jwks",
        "POST /api/v1/consents/look", "POST /api/v1/consents/decide",
        "POST /api/v1/ledger/open",
    }
)  # fmt: skip

_SYSTEM = Actor.system("test")
_NOBODY = "00000019700101000X"
_TEXT = {"en": "Test", "zh": "测试"}


def make(exchange: Exchange) -> Things:
    """Two agencies, and one of each kind of thing of agency A."""
    for parent, slug in (("/", "city"), ("/city/", "civil-affairs"), ("/city/", "housing")):
        exchange.agencies.create(_SYSTEM, parent=parent, slug=slug, name=Text(slug, slug))
    empty = exchange.agencies.create(_SYSTEM, parent=A, slug="empty", name=Text("e", "空"))
    key = exchange.keys.generate(_SYSTEM, A)
    exchange.checks.ship()
    check = exchange.checks.begin(
        _SYSTEM, agency=A, scenario="public-credit", persons=[_NOBODY], inputs={}
    ).check
    accounts = make_accounts(exchange.people, exchange.base, "exchange_officer", A)
    ids = {"agencies": empty.id, "keys": key.kid, "checks": check.id, **accounts}
    # Agencies and their keys are known to everybody who signs in.
    owned = frozenset({*accounts.values(), check.id})
    return Things(ids, owned, _bodies(accounts["service-accounts"]), {}, {})


def _bodies(robot: str) -> dict[str, Any]:
    return {
        **account_bodies(robot, "exchange_officer", A),
        "POST /api/v1/agencies": {"parent": A, "slug": "test", "name": _TEXT},
        "PATCH /api/v1/agencies/<agency_id>": {"name": _TEXT},
        "POST /api/v1/checks": {
            "agency": A,
            "scenario": "public-credit",
            "persons": [_NOBODY],
            "inputs": {},
        },
        "POST /api/v1/scenarios": {"data": shipped()[0]},
        "POST /api/v1/ledger/codes": {"number": _NOBODY},
        "POST /api/v1/ledger/open": {"code": "none"},
        "POST /api/v1/consents/look": {"token": "none"},
        "POST /api/v1/consents/decide": {"token": "none", "agree": True},
        "POST /agencies": {"parent": A, "slug": "test", "name.en": "T", "name.zh": "测"},
        "POST /api/v1/keys": {"agency": A},
        "POST /api/v1/keys/<kid>/revoke": {"reason": "lost"},
    }
