"""Receivers of events and what was sent to them."""

from typing import Annotated

from pydantic import Field

from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    Line,
    PageOut,
    PageQuery,
    Schema,
    check_match,
    created,
    current_actor,
    etag,
    idempotent,
    requires,
    requires_match,
    use,
    with_etag,
)
from workloads.video_analytics.events.api.fields import Id, Json, MatchingIn, Path
from workloads.video_analytics.events.notification.model import (
    DeliveryState,
    Receiver,
    ReceiverKind,
)
from workloads.video_analytics.events.notification.service import Receivers
from workloads.video_analytics.events.notification.shown import matching_json

api = ApiBlueprint("receivers", __name__, tag="Notification")

Target = Annotated[
    str, Field(min_length=3, max_length=1000, description="An https address, or a mailbox.")
]


class ReceiverCreate(Input):
    """Somebody who is told of the events of a department and below."""

    path: Path
    name: Line
    kind: ReceiverKind
    target: Target
    wanted: MatchingIn = MatchingIn()


class ReceiverChange(Input):
    """What is given changes."""

    name: Line | None = None
    target: Target | None = None
    wanted: MatchingIn | None = None
    enabled: bool | None = None


class ReceiverOut(Schema):
    """A receiver."""

    id: str
    path: str
    name: str
    kind: ReceiverKind
    target: str
    wanted: Json
    enabled: bool
    created_at: Instant | None
    version: int


class ReceiverMade(ReceiverOut):
    """A new receiver with the secret of its web-hook, which is never shown again."""

    secret: str


class ReceiversOut(Schema):
    """All receivers that you may see."""

    items: list[ReceiverOut]


class SecretOut(Schema):
    """A new secret, shown once."""

    secret: str


class DeliveryOut(Schema):
    """Something sent, or to be sent."""

    id: str
    receiver_id: str
    event_id: str
    change: str
    state: DeliveryState
    attempts: int
    created_at: Instant
    next_at: Instant | None
    delivered_at: Instant | None
    error: str


class DeliveriesQuery(PageQuery):
    """Which deliveries."""

    receiver: Id | None = None
    state: DeliveryState | None = None


def _out(receiver: Receiver) -> Json:
    names = ReceiverOut.model_fields
    values = {name: getattr(receiver, name) for name in names}
    return {**values, "wanted": matching_json(receiver.wanted)}


@api.get("/receivers")
@requires("receiver.view")
@api.output(ReceiversOut)
def list_receivers() -> Answer:
    """The receivers that you may see, by name."""
    return {"items": [_out(r) for r in use(Receivers).receivers(current_actor())]}


@api.post("/receivers")
@requires("receiver.manage")
@idempotent
@api.input(ReceiverCreate)
@api.output(ReceiverMade, 201)
def create_receiver(json_data: ReceiverCreate) -> Answer:
    """Add a receiver. The answer holds the secret that signs what its web-hook gets, once."""
    made, secret = use(Receivers).add(
        current_actor(), json_data.path, json_data.name, json_data.kind, json_data.target,
        json_data.wanted.value("wanted"),
    )  # fmt: skip
    body = {**_out(made), "secret": secret}
    return created(body, f"/api/v1/receivers/{made.id}", etag(made.id, made.version))


@api.get("/receivers/<id>")
@requires("receiver.view")
@api.output(ReceiverOut)
def get_receiver(id: str) -> Answer:  # noqa: A002 - the name in the address
    """One receiver."""
    found = use(Receivers).receiver(current_actor(), id)
    return with_etag(_out(found), etag(found.id, found.version))


@api.patch("/receivers/<id>")
@requires("receiver.manage")
@requires_match
@api.input(ReceiverChange)
@api.output(ReceiverOut)
def change_receiver(id: str, json_data: ReceiverChange) -> Answer:  # noqa: A002
    """Change a receiver."""
    receivers, actor = use(Receivers), current_actor()
    found = receivers.receiver(actor, id)
    check_match(etag(found.id, found.version))
    wanted = None if json_data.wanted is None else json_data.wanted.value("wanted")
    changed = receivers.change(
        actor, id, name=json_data.name, target=json_data.target, wanted=wanted,
        enabled=json_data.enabled,
    )  # fmt: skip
    return with_etag(_out(changed), etag(changed.id, changed.version))


@api.delete("/receivers/<id>")
@requires("receiver.manage")
@api.output({}, 204)
def remove_receiver(id: str) -> Answer:  # noqa: A002
    """Forget a receiver with what was to be sent to it."""
    use(Receivers).remove(current_actor(), id)
    return "", 204


@api.post("/receivers/<id>/secret")
@requires("receiver.manage")
@api.output(SecretOut)
def renew_receiver_secret(id: str) -> Answer:  # noqa: A002
    """Give a web-hook another secret; it is shown once."""
    return {"secret": use(Receivers).new_secret(current_actor(), id)}


@api.get("/deliveries")
@requires("receiver.view")
@api.input(DeliveriesQuery, location="query")
@api.output(PageOut[DeliveryOut])
def list_deliveries(query_data: DeliveriesQuery) -> Answer:
    """What was sent and what could not be, the latest first; ``state=dead``: given up."""
    return use(Receivers).deliveries(
        current_actor(), query_data.page(), receiver_id=query_data.receiver or "",
        state=query_data.state,
    )  # fmt: skip


@api.post("/deliveries/<id>/retry")
@requires("receiver.manage")
@idempotent
@api.output(DeliveryOut)
def retry_delivery(id: str) -> Answer:  # noqa: A002
    """Try a dead delivery again from the beginning."""
    return use(Receivers).send_again(current_actor(), id)
