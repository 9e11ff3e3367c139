"""A batch, a topic and a subscription, for the test of authorisation."""

from dataclasses import replace
from typing import Any

from foundation.kernel.actor import Actor
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.events.cloudevents import STRUCTURED
from workloads.data_exchange.events.model import EVENT_BYTES, SubscriptionKind
from workloads.data_exchange.receipts.model import digest

_SYSTEM = Actor.system("test")
_EVENT = (
    b'{"specversion":"1.0","id":"1","source":"/c","type":"t","partitionkey":"k",'
    b'"data":{"name":"x"}}'
)


def make_handed(exchange: Exchange, agreement: str) -> dict[str, str]:
    """One of each, by the nouns of their addresses; the subscription has a dead letter."""
    handing = exchange.handing
    batch = handing.batches.create(_SYSTEM, agreement, title="Test", days=1)
    handing.uploads.create(_SYSTEM, batch.id, name="empty", size=0, meta="")
    topic = handing.topics.create(
        _SYSTEM, dataset="dst_households", service="svc_households", partitions=1,
        retention_days=1, bytes_max=EVENT_BYTES,
    )  # fmt: skip
    contracts = exchange.agreeing.agreements
    purpose = min(contracts.terms(contracts.version(_SYSTEM, agreement)).purposes)
    made = handing.subscriptions.create(
        _SYSTEM, agreement, kind=SubscriptionKind.PUSH, purpose=purpose, url="https://hook.example/"
    ).subscription
    handing.topics.publish(_SYSTEM, topic.service, {"content-type": STRUCTURED}, _EVENT)
    ((there, cursor),) = handing.subscriptions.claim()
    (event,) = handing.subscriptions.next(there, cursor, 1)[1]
    handing.subscriptions.failed(replace(cursor), event, 99, "it answered 500")
    return {
        "batches": batch.id, "transfers": batch.id, "topics": topic.service,
        "subscriptions": made.id, "events": made.id, "letters": "0-1",
    }  # fmt: skip


def handed_bodies() -> dict[str, Any]:
    """What requests about them need."""
    return {
        "POST /api/v1/agreements/<agreement_id>/batches": {"title": "Test", "days": 1},
        "POST /api/v1/batches/<batch_id>/manifest": {
            "files": [{"name": "empty", "size": 0, "digest": digest(b"")}]
        },
        "POST /api/v1/topics": {"dataset": "dst_households", "service": "svc_households"},
        "PUT /api/v1/topics/<topic_id>": {"retention_days": 1, "bytes_max": EVENT_BYTES},
        "POST /api/v1/agreements/<agreement_id>/subscriptions": {
            "kind": "pull", "purpose": "dpv:ServiceProvision",
        },
        "PATCH /api/v1/subscriptions/<subscription_id>": {"state": "paused"},
        "POST /api/v1/subscriptions/<subscription_id>/seek": {"since": "2026-01-01T00:00:00Z"},
        "POST /events/<id>/state": {"state": "paused"},
        "POST /events/<id>/letters/<letter_id>": {"action": "drop"},
    }  # fmt: skip
