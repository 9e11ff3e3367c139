"""Topics, subscriptions and dead letters over HTTP; events come and go by the gateway."""

from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    created,
    current_actor,
    idempotent,
    requires,
    use,
)
from workloads.data_exchange.events.model import (
    Cursor,
    Letter,
    Subscription,
    SubscriptionKind,
    SubscriptionState,
    Topic,
)
from workloads.data_exchange.events.service import Topics
from workloads.data_exchange.events.subscribing import Subscriptions

api = ApiBlueprint("events", __name__, tag="Events")

Identifier = Annotated[str, Field(min_length=1, max_length=100)]
_GIGABYTE = 1024**3


class EventTopicOut(Schema):
    """Where the events of a service are kept."""

    service: str
    dataset: str
    path: Annotated[str, Field(description="Of the provider.")]
    partitions: int
    retention_days: int
    bytes_max: Annotated[
        int, Field(description="Of events that are kept, all partitions together.")
    ]
    created_at: Instant


class EventTopicCreate(Input):
    """A topic of a published data set and a service of it."""

    dataset: Identifier
    service: Identifier
    partitions: Annotated[int, Field(description="Events of one key lie in one of them.")] = 8
    retention_days: int = 7
    bytes_max: Annotated[int, Field(ge=1, le=2**62)] = _GIGABYTE


class EventTopicRevise(Input):
    """For how long, and how much, is kept."""

    retention_days: int
    bytes_max: Annotated[int, Field(ge=1, le=2**62)]


class EventSubscriptionOut(Schema):
    """Who gets the events of a topic, under an agreement."""

    id: str
    agreement: str
    topic: str
    path: Annotated[str, Field(description="Of the consumer.")]
    provider: str
    purpose: str
    kind: SubscriptionKind
    url: str
    state: SubscriptionState
    lag: Annotated[int, Field(description="Events that it has not got yet.")]
    letters: Annotated[int, Field(description="Events that could not be delivered.")]
    missed: Annotated[int, Field(description="Events that went before it got them.")]
    created_at: Instant
    secret: Annotated[str, Field(description="Signs deliveries; when it is made, never again.")]


class EventSubscriptionQuery(PageQuery):
    """Which subscriptions."""

    topic: Annotated[str, Field(max_length=100)] = ""


class EventSubscriptionCreate(Input):
    """A subscription of the agreement's consumer to the events of its service."""

    kind: SubscriptionKind = SubscriptionKind.PULL
    purpose: Annotated[str, Field(max_length=100)]
    url: Annotated[str, Field(max_length=2000, description="Of the web-hook: https.")] = ""
    since: Annotated[
        Instant | None, Field(description="From which events on; those to come if left out.")
    ] = None


class EventSubscriptionChange(Input):
    """Whether it is served."""

    state: SubscriptionState


class EventSeek(Input):
    """To where a subscription is put: a time, or positions by partition."""

    since: Instant | None = None
    positions: Annotated[
        dict[str, Annotated[int, Field(ge=0, le=2**62)]] | None,
        Field(description="By partition, the last event that is taken to be there."),
    ] = None


class EventCursorOut(Schema):
    """How far a subscription is in a partition."""

    partition: int
    acked: Annotated[int, Field(description="The position of the last event that it has.")]
    attempts: int
    cause: Annotated[str, Field(description="Why the last attempt failed.")]


class EventCursorsOut(Schema):
    """How far a subscription is."""

    items: list[EventCursorOut]


class EventLetterOut(Schema):
    """An event that could not be delivered."""

    id: str
    partition: int
    position: int
    event: str
    key: str
    cause: str
    attempts: int
    at: Instant
    again: Annotated[bool, Field(description="Whether it is to be delivered again.")]


@api.get("/topics")
@requires("event.view")
@api.input(PageQuery, location="query")
@api.output(PageOut[EventTopicOut])
def list_event_topics(query_data: PageQuery) -> Answer:
    """The topics of your agencies, by service."""
    return use(Topics).topics(current_actor(), query_data.page()).map(_topic)


@api.post("/topics")
@requires("event.manage")
@idempotent
@api.input(EventTopicCreate)
@api.output(EventTopicOut, 201)
def create_event_topic(json_data: EventTopicCreate) -> ResponseReturnValue:
    """Make a topic; its events are published at the gateway."""
    made = use(Topics).create(current_actor(), **json_data.model_dump())
    return created(_topic(made), f"/api/v1/topics/{made.service}")


@api.get("/topics/<topic_id>")
@requires("event.view")
@api.output(EventTopicOut)
def get_event_topic(topic_id: str) -> Answer:
    """One topic, by its service."""
    return _topic(use(Topics).topic(current_actor(), topic_id))


@api.put("/topics/<topic_id>")
@requires("event.manage")
@api.input(EventTopicRevise)
@api.output(EventTopicOut)
def revise_event_topic(topic_id: str, json_data: EventTopicRevise) -> Answer:
    """Change for how long, and how much, is kept."""
    return _topic(use(Topics).revise(current_actor(), topic_id, **json_data.model_dump()))


@api.get("/subscriptions")
@requires("event.view")
@api.input(EventSubscriptionQuery, location="query")
@api.output(PageOut[EventSubscriptionOut])
def list_event_subscriptions(query_data: EventSubscriptionQuery) -> Answer:
    """The subscriptions of your agencies, as consumer or provider, newest first."""
    return use(Subscriptions).subscriptions(
        current_actor(), query_data.page(), topic=query_data.topic
    ).map(_out)  # fmt: skip


@api.post("/agreements/<agreement_id>/subscriptions")
@requires("event.subscribe")
@idempotent
@api.input(EventSubscriptionCreate)
@api.output(EventSubscriptionOut, 201)
def create_event_subscription(
    agreement_id: str, json_data: EventSubscriptionCreate
) -> ResponseReturnValue:
    """Subscribe; the secret of a web-hook is in this answer alone."""
    made = use(Subscriptions).create(
        current_actor(), agreement_id, kind=json_data.kind, purpose=json_data.purpose,
        url=json_data.url, since=json_data.since,
    )  # fmt: skip
    body = {**_out(made.subscription), "secret": made.secret}
    return created(body, f"/api/v1/subscriptions/{made.subscription.id}")


@api.get("/subscriptions/<subscription_id>")
@requires("event.view")
@api.output(EventSubscriptionOut)
def get_event_subscription(subscription_id: str) -> Answer:
    """One subscription."""
    return _out(use(Subscriptions).subscription(current_actor(), subscription_id))


@api.patch("/subscriptions/<subscription_id>")
@requires("event.subscribe")
@api.input(EventSubscriptionChange)
@api.output(EventSubscriptionOut)
def change_event_subscription(subscription_id: str, json_data: EventSubscriptionChange) -> Answer:
    """Pause it, let it go on, or end it for ever."""
    return _out(use(Subscriptions).change(current_actor(), subscription_id, json_data.state))


@api.get("/subscriptions/<subscription_id>/cursors")
@requires("event.view")
@api.output(EventCursorsOut)
def list_event_cursors(subscription_id: str) -> Answer:
    """How far a subscription is, by partition."""
    found = use(Subscriptions).cursors(current_actor(), subscription_id)
    return {"items": [_cursor(one) for one in found]}


@api.post("/subscriptions/<subscription_id>/seek")
@requires("event.subscribe")
@idempotent
@api.input(EventSeek)
@api.output(EventSubscriptionOut)
def seek_event_subscription(subscription_id: str, json_data: EventSeek) -> Answer:
    """Put it to a time or to positions: all from there on is handed out again."""
    positions = None
    if json_data.positions is not None:
        # What is no number of a partition is that of none, and said to be so.
        positions = {
            int(n) if n.isdecimal() and len(n) < 6 else -1: at  # noqa: PLR2004
            for n, at in json_data.positions.items()
        }
    return _out(
        use(Subscriptions).seek(
            current_actor(), subscription_id, since=json_data.since, positions=positions
        )
    )


@api.get("/subscriptions/<subscription_id>/letters")
@requires("event.view")
@api.input(PageQuery, location="query")
@api.output(PageOut[EventLetterOut])
def list_event_letters(subscription_id: str, query_data: PageQuery) -> Answer:
    """The events that could not be delivered, in their order."""
    return use(Subscriptions).letters(
        current_actor(), subscription_id, query_data.page()
    ).map(_letter)  # fmt: skip


@api.post("/subscriptions/<subscription_id>/letters/<letter_id>/replay")
@requires("event.subscribe")
@idempotent
@api.output(EventLetterOut)
def replay_event_letter(subscription_id: str, letter_id: str) -> Answer:
    """Have one delivered again; an earlier one of its key comes first."""
    return _letter(use(Subscriptions).replay(current_actor(), subscription_id, letter_id))


@api.delete("/subscriptions/<subscription_id>/letters/<letter_id>")
@requires("event.subscribe")
@api.output({}, 204)
def drop_event_letter(subscription_id: str, letter_id: str) -> ResponseReturnValue:
    """Give one up."""
    use(Subscriptions).drop(current_actor(), subscription_id, letter_id)
    return "", 204


def _topic(one: Topic) -> dict[str, Any]:
    return {
        "service": one.service, "dataset": one.dataset, "path": one.path,
        "partitions": one.partitions, "retention_days": one.retention_days,
        "bytes_max": one.bytes_max * one.partitions, "created_at": one.created_at,
    }  # fmt: skip


def _out(one: Subscription) -> dict[str, Any]:
    names = (
        "id", "agreement", "topic", "path", "provider", "purpose", "kind", "url", "state", "lag",
        "letters", "missed", "created_at",
    )  # fmt: skip
    return {**{name: getattr(one, name) for name in names}, "secret": ""}


def _cursor(one: Cursor) -> dict[str, Any]:
    return {name: getattr(one, name) for name in ("partition", "acked", "attempts", "cause")}


def _letter(one: Letter) -> dict[str, Any]:
    names = ("id", "partition", "position", "event", "key", "cause", "attempts", "at", "again")
    return {name: getattr(one, name) for name in names}
