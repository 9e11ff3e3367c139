"""A lottery of Borough Exchange, for the test of authorisation."""

from datetime import timedelta
from typing import Any

from foundation.kernel.actor import Actor
from foundation.kernel.text import Text
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.keys.model import POSSESSION
from workloads.data_exchange.lottery import statements
from workloads.data_exchange.lottery.model import Pool, Rules
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey

#: The agencies that are its parties.
A, B = "/city/civil-affairs/", "/city/housing/"
#: Endpoints for everybody.
PUBLIC = frozenset({
    "GET /api/v1/lotteries/<lottery_id>/record",
    "GET /api/v1/lotteries/<lottery_id>/bundle",
    "GET /api/v1/lotteries/<lottery_id>/proofs/<pseudonym>",
    "GET /draws/<lottery_id>",
})  # fmt: skip
_SYSTEM = Actor.system("test")
_TEXT = {"en": "Test", "zh": "测试"}


def lottery_bodies(pseudonym: str, commitment: str) -> dict[str, Any]:
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
        "POST /lotteries/new": {
            "agency": A, "name.en": "T", "name.zh": "测", "pools": "p 1", "chances": "1",
            "parties": [B, "/city/tax/"], "reveal_hours": "1", "closes_at": "2998-01-01",
        },
        "POST /lotteries/<lottery_id>/applications": {"person": "q", "pool": "p", "chances": "1"},
        "POST /lotteries/<lottery_id>": {"step": "freeze"},
        "POST /lotteries/<lottery_id>/judge": judged,
    }  # fmt: skip


def make_lottery(exchange: Exchange, agency: Agency) -> tuple[str, str, str]:
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
