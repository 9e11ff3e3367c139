"""A participant, an offer and a negotiation of Borough Exchange, for the test of authorisation."""

from typing import Any

from foundation.kernel.actor import Actor
from tests.harness.dataspace import listed, offered
from workloads.data_exchange.bootstrap import Exchange

#: Whose negotiation it is, and as whom the other side takes part.
A, B = "/city/civil-affairs/", "/city/housing/"
PEER = "urn:test:peer"
_AT = "/dsp/2025-1"
_PARTS = {
    "negotiations": (
        "request", "offers", "events", "agreement", "agreement/verification", "termination",
    ),
    "transfers": ("start", "suspension", "completion", "termination"),
}  # fmt: skip
#: Endpoints for everybody: the protocol's, which know who asks by its own tokens.
PUBLIC = frozenset({
    "GET /.well-known/dspace-version", f"POST {_AT}/catalog/request",
    f"GET {_AT}/catalog/datasets/<path:dataset>", f"POST {_AT}/negotiations/offers",
    *(f"POST {_AT}/{kind}/request" for kind in _PARTS),
    *(f"GET {_AT}/{kind}/<pid>" for kind in _PARTS),
    *(f"POST {_AT}/{kind}/<pid>/{part}" for kind, parts in _PARTS.items() for part in parts),
})  # fmt: skip
_SYSTEM = Actor.system("test")


def make_dataspace(exchange: Exchange) -> dict[str, str]:
    """An offer, a negotiation of agency A that waits, and what the other side offers."""
    dataspacing = exchange.dataspacing
    dataspacing.participants.register(_SYSTEM, PEER, agency=B, address="https://peer.example/dsp")
    offer, theirs = offered(exchange), listed(exchange, PEER, "d", "o")
    process = dataspacing.dataspace.negotiate(
        _SYSTEM, agency=A, provider=PEER, dataset="d", offer="o"
    )
    return {
        "offers": offer.id, "processes": process.id, "dataspace": process.id,
        "datasets": theirs.id, "participants": exchange.agencies.agency(_SYSTEM, B).id,
    }  # fmt: skip


def dataspace_queries() -> dict[str, dict[str, str]]:
    """What questions need."""
    at = "GET /api/v1/dataspace/participants"
    return {
        f"{at}/catalogue": {"participant": PEER},
        f"{at}/dataset": {"participant": PEER, "dataset": "d"},
    }


def dataspace_bodies() -> dict[str, Any]:
    """What requests need."""
    at, ours = "/api/v1/dataspace", {"agency": A, "provider": PEER, "rules": []}
    told = {"providerId": PEER, "datasetId": "d", "offerId": "o", "agency": A}
    return {
        f"PUT {at}/participants": {
            "id": "urn:test:two", "agency": A, "address": "https://two.example",
        },
        f"POST {at}/participants/catalogue": {"participant": PEER, "filter": []},
        f"POST {at}/offers": {
            "dataset": "dst_households", "service": "svc_households", "days": 30,
            "purposes": ["dpv:ServiceProvision"], "fields": [{"name": "name"}], "rows": [],
            "legal_basis": "law",
        },
        f"POST {at}/offers/<offer_id>/withdraw": {},
        f"PUT {at}/rules": {
            "kind": "negotiation", "role": "consumer", "subject": "d", "agency": A,
            "plan": {"OFFERED": ["accept"]},
        },
        f"POST {at}/negotiations": {**ours, "dataset": "d", "offer": "o"},
        f"POST {at}/transfers": {"agency": A, "provider": PEER, "agreement": "a"},
        f"POST {at}/signals/negotiations": told,
        f"POST {at}/signals/transfers": {"providerId": PEER, "agreementId": "a", "agency": A},
        f"POST {at}/processes/<process_id>/acts": {"act": "terminate", "rules": []},
        "POST /dataspace/<id>/acts": {"act": "terminate"},
        "POST /dataspace/datasets/<dataset_id>/negotiations": {"offer": "o", "agency": A},
    }  # fmt: skip
