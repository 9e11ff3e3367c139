"""One of each kind of thing of Borough Exchange, for the test of authorisation.

A new feature adds its things to ``make``: the id under the noun of their addresses in ``ids``, into
``owned`` when only their agency may know of them, and to ``bodies`` what a request needs.
"""

from datetime import timedelta
from typing import Any

from foundation.kernel.actor import Actor
from foundation.kernel.text import Text
from tests.architecture.accounts import account_bodies, make_accounts
from tests.architecture.harness import Things
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.keys.model import POSSESSION
from workloads.data_exchange.lottery import statements
from workloads.data_exchange.lottery.model import Pool, Rules
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey

#: The agency that owns the things, and another one.
A, B = "/city/civil-affairs/", "/city/housing/"
#: Actions of features that are made elsewhere; each leaves this set with its endpoints.
ELSEWHERE: frozenset[str] = frozenset()
#: Endpoints for everybody.
PUBLIC = frozenset(
    {
        "GET /api/v1/jwks",
        "GET /api/v1/agencies/<agency_id>/jwks",
        "GET /api/v1/lotteries/<lottery_id>/record",
        "GET /api/v1/lotteries/<lottery_id>/bundle",
        "GET /api/v1/lotteries/<lottery_id>/proofs/<pseudonym>",
        "GET /draws/<lottery_id>",
    }
)

_SYSTEM = Actor.system("test")
_TEXT = {"en": "Test", "zh": "测试"}


def make(exchange: Exchange) -> Things:
    """Two agencies, and one of each kind of thing of agency A."""
    for parent, slug in (("/", "city"), ("/city/", "civil-affairs"), ("/city/", "housing")):
        exchange.agencies.create(_SYSTEM, parent=parent, slug=slug, name=Text(slug, slug))
    empty = exchange.agencies.create(_SYSTEM, parent=A, slug="empty", name=Text("e", "空"))
    key = exchange.keys.generate(_SYSTEM, A)
    lottery, pseudonym, commitment = _lottery(exchange, exchange.agencies.agency(_SYSTEM, A))
    accounts = make_accounts(exchange.people, exchange.base, "exchange_officer", A)
    ids = {"agencies": empty.id, "keys": key.kid, "lotteries": lottery, **accounts}
    ids["applications"] = pseudonym
    # Agencies and their keys are known to everybody who signs in.
    owned = frozenset(accounts.values())
    bodies = {**_bodies(accounts["service-accounts"]), **_lottery_bodies(pseudonym, commitment)}
    return Things(ids, owned, bodies, {}, {})


def _lottery_bodies(pseudonym: str, commitment: str) -> dict[str, Any]:
    rules = {
        "agency": A, "name": _TEXT, "pools": [{"name": "p", "places": 1}], "parties": [A, B],
        "closes_at": "2999-01-01T00:00:00Z",
    }  # fmt: skip
    one = "/api/v1/lotteries/<lottery_id>"
    judged = {"reason": "as checked", "pseudonym": pseudonym, "qualified": "yes"}
    return {
        "POST /api/v1/lotteries": rules,
        f"POST {one}/abort": {"reason": "test"},
        f"POST {one}/beacon": {"value": "ab" * 32},
        f"POST {one}/applications": {"person": "q", "pool": "p"},
        f"POST {one}/applications/<pseudonym>/judge": {"qualified": True, "reason": "r"},
        f"POST {one}/commitments": {"jws": commitment},
        f"POST {one}/reveals": {"jws": commitment},
        "POST /lotteries/<lottery_id>": {"step": "freeze"},
        "POST /lotteries/<lottery_id>/judge": judged,
    }


def _lottery(exchange: Exchange, agency: Agency) -> tuple[str, str, str]:
    """One that is open, a pseudonym in it, and the commitment of a party."""
    private, closes = PrivateKey.generate(), exchange.base.clock.now() + timedelta(days=1)
    proof = jws.sign({"agency": agency.id, "kid": private.kid}, private, POSSESSION)
    exchange.keys.register(_SYSTEM, agency.path, private.public.jwk(), proof)
    rules = Rules(agency.path, Text("t", "测"), "", (Pool("p", 1),), (agency.path, B), 1, closes)
    made = exchange.lotteries.create(_SYSTEM, rules)
    exchange.lotteries.open(_SYSTEM, made.id)
    applied, _ = exchange.lotteries.apply(_SYSTEM, made.id, person="p", pool="p", chances=1)
    told = statements.commitment(made.id, 1, made.digest, agency.path, "0" * 64)
    return made.id, applied.pseudonym, jws.sign(told, private, statements.COMMITMENT)


def _bodies(robot: str) -> dict[str, Any]:
    return {
        **account_bodies(robot, "exchange_officer", A),
        "POST /api/v1/agencies": {"parent": A, "slug": "test", "name": _TEXT},
        "PATCH /api/v1/agencies/<agency_id>": {"name": _TEXT},
        "POST /agencies": {"parent": A, "slug": "test", "name.en": "T", "name.zh": "测"},
        "POST /api/v1/keys": {"agency": A},
        "POST /api/v1/keys/<kid>/revoke": {"reason": "lost"},
    }
