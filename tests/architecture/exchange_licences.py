"""Licences for the test of authorisation."""

import json
from typing import Any

from foundation.kernel.actor import Actor
from tests.harness.exchange_licences import BASE, CLAIMS, licence_type
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.licences.samples import sample
from workloads.data_exchange.licences.service import Wish

_SYSTEM = Actor.system("test")
PUBLIC = frozenset({
    "GET /licence/wallet", "GET /licence/verifier", "GET /licence/sw.js",
    "GET /licence/static/<version>/<name>", "GET /vct/<type_id>", "GET /status-lists/<list_id>",
    "GET /.well-known/jwt-vc-issuer/issuers/<agency_id>", "GET /api/v1/licence-trust",
    "POST /api/v1/licence-offers/open", "POST /api/v1/licence-offers/claim",
})  # fmt: skip


def make_licences(exchange: Exchange, agency: str) -> dict[str, str]:
    """A type, a proposed licence of it and a request, by the noun of their addresses."""
    licensing = exchange.licensing
    made = licensing.types.create(_SYSTEM, licence_type(agency=agency, four_eyes=True), BASE)
    found = licensing.licences.propose(_SYSTEM, made.id, Wish("case-1", CLAIMS))
    asked = licensing.desk.ask(_SYSTEM, agency)
    return {
        "licence-types": made.id, "licences": found.licence.id, "licence-requests": asked.id,
        "vct": made.id, "status-lists": "lst_none", "issuers": "agy_none", "static": "0",
    }  # fmt: skip


def licence_bodies(agency: str, ids: dict[str, str]) -> dict[str, Any]:
    """What requests need."""
    api, page = "POST /api/v1/licences", "POST /licences/<licence_id>"
    wish = {"reference": "case-2", "claims": CLAIMS}
    return {
        "POST /api/v1/licence-types": {**sample(), "agency": agency},
        "POST /licence-types": {"agency": agency, "document": json.dumps(sample())},
        "POST /licence-types/<type_id>/issue": {
            "reference": "case-3",
            **{f"claims.{name}": value for name, value in CLAIMS.items()},
        },
        api: {**wish, "type": ids["licence-types"]},
        f"{api}/batch": {"type": ids["licence-types"], "items": [wish]},
        **{
            f"{api}/<licence_id>/{step}": {"reason": "ended"}
            for step in ("suspend", "reinstate", "revoke")
        },
        f"{page}/approve": {"decision": "refuse"},
        f"{page}/status": {"step": "revoke", "reason-revoke": "ended"},
        "POST /api/v1/licence-offers/open": {"token": "none", "pin": "1"},
        "POST /api/v1/licence-offers/claim": {"token": "none", "pin": "1", "proofs": ["x"]},
        "POST /api/v1/licence-requests": {"agency": agency},
        "POST /api/v1/licence-requests/<request_id>/presentation": {"presentation": "x"},
    }
