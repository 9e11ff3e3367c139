"""One of each kind of thing of Borough Exchange, for the test of authorisation.

A new feature adds its things to ``make``: the id under the noun of their addresses in ``ids``, into
``owned`` when only their agency may know of them, and to ``bodies`` what a request needs.
"""

from dataclasses import replace
from typing import Any

from foundation.kernel.actor import Actor
from foundation.kernel.text import Text
from tests.architecture.accounts import account_bodies, make_accounts
from tests.architecture.harness import Things
from tests.harness.exchange_receipts import draft, written
from workloads.data_exchange.bootstrap import Exchange

#: The agency that owns the things, and another one.
A, B = "/city/civil-affairs/", "/city/housing/"
#: Actions of features that are made elsewhere; each leaves this set with its endpoints.
ELSEWHERE: frozenset[str] = frozenset()
#: Endpoints for everybody.
PUBLIC = frozenset({
    "GET /api/v1/jwks", "GET /api/v1/agencies/<agency_id>/jwks", "GET /api/v1/checkpoints",
    "GET /api/v1/checkpoints/export",
})  # fmt: skip

_EXPORT = {"GET /api/v1/receipts/export": {"agreement": "agr_1"}}
_SYSTEM = Actor.system("test")
_TEXT = {"en": "Test", "zh": "测试"}


def make(exchange: Exchange) -> Things:
    """Two agencies, and one of each kind of thing of agency A."""
    for parent, slug in (("/", "city"), ("/city/", "civil-affairs"), ("/city/", "housing")):
        exchange.agencies.create(_SYSTEM, parent=parent, slug=slug, name=Text(slug, slug))
    empty = exchange.agencies.create(_SYSTEM, parent=A, slug="empty", name=Text("e", "空"))
    key = exchange.keys.generate(_SYSTEM, A)
    day = f"{exchange.base.clock.now():%Y-%m-%d}"
    queries = {**_EXPORT, "GET /api/v1/receipts/archive": {"day": day}}
    told = replace(draft(exchange.base.clock.now()), consumer=A, provider=A)
    (receipt,) = written(exchange, [told])
    exchange.receipts.sign_checkpoint()
    accounts = make_accounts(exchange.people, exchange.base, "exchange_officer", A)
    ids = {"agencies": empty.id, "keys": key.kid, "receipts": receipt.id, **accounts}
    # Agencies and their keys are known to everybody who signs in.
    owned = frozenset({*accounts.values(), receipt.id})
    return Things(ids, owned, _bodies(accounts["service-accounts"]), queries, {})


def _bodies(robot: str) -> dict[str, Any]:
    return {
        **account_bodies(robot, "exchange_officer", A),
        "POST /api/v1/agencies": {"parent": A, "slug": "test", "name": _TEXT},
        "PATCH /api/v1/agencies/<agency_id>": {"name": _TEXT},
        "POST /agencies": {"parent": A, "slug": "test", "name.en": "T", "name.zh": "测"},
        "POST /api/v1/keys": {"agency": A},
        "POST /api/v1/keys/<kid>/revoke": {"reason": "lost"},
        "POST /receipts/verify": {"text": "no bundle"},
        "POST /api/v1/receipts/<receipt_id>/redact": {"reason": "names a person"},
    }
