"""Events, their history and their evidence."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Annotated, Any

from flask import Response, current_app, request, stream_with_context
from pydantic import Field

from foundation.kernel.canonical import plain
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    current_actor,
    idempotent,
    requires,
    use,
)
from workloads.video_analytics.events.answers import file_answer
from workloads.video_analytics.events.model import (
    Change,
    EventFilter,
    EventState,
    Severity,
    Verdict,
)
from workloads.video_analytics.events.service import Events
from workloads.video_analytics.vision.model import RuleKind

api = ApiBlueprint("events", __name__, tag="Events")

_STREAM_SECONDS = 25.0
_PAUSE = 0.5
_STREAMS = 6
_MANY = 200
_streams = threading.BoundedSemaphore(_STREAMS)

Id = Annotated[str, Field(max_length=64)]
NoteText = Annotated[str, Field(max_length=2000)]


class NoteOut(Schema):
    """What somebody said, and when."""

    by: str
    name: str
    at: Instant
    text: str


class HoldOut(Schema):
    """A legal hold."""

    by: str
    name: str
    at: Instant
    reason: str


class EvidenceOut(Schema):
    """A file of an event; its address is ``/api/v1/events/{id}/evidence/{sha256}``."""

    sha256: str
    kind: str
    size: int


class DetectionOut(Schema):
    """An event."""

    id: str
    kind: RuleKind
    severity: Severity
    state: EventState
    camera_id: str
    camera: str
    path: str
    rule: str
    version: Annotated[int, Field(description="The version of the rule that produced it.")]
    rule_name: str
    key: str
    began: Instant
    at: Annotated[Instant, Field(description="The latest frame of it, by the camera's stream.")]
    ended_at: Instant | None
    received_at: Instant | None
    clock_offset_seconds: Annotated[
        float | None, Field(description="The camera's clock minus ours, when it was reported.")
    ]
    box: Annotated[list[float] | None, Field(description="x, y, width, height: 0 to 1.")]
    score: float | None
    track: str | None
    data: dict[str, Any]
    acknowledged: NoteOut | None
    verdict: Verdict | None
    judged: NoteOut | None
    hold: HoldOut | None
    erased_at: Annotated[Instant | None, Field(description="When its evidence was erased.")]
    evidence: list[EvidenceOut]


class EntryOut(Schema):
    """Something that happened to an event."""

    cursor: str
    event_id: str
    at: Instant
    change: Change
    by: str
    data: dict[str, Any]


class EntriesOut(Schema):
    """What happened, in order."""

    items: list[EntryOut]


class ChangesOut(Schema):
    """What happened to any event; ``next`` is the cursor to go on with."""

    items: list[EntryOut]
    next: str


class CheckedOut(Schema):
    """A file and whether its content is what its digest says."""

    sha256: str
    kind: str
    intact: bool


class ChecksOut(Schema):
    """The files of an event, read again."""

    items: list[CheckedOut]


class RateOut(Schema):
    """How often a version of a rule was wrong."""

    rule: str
    version: int
    rule_name: str
    kind: RuleKind
    events: int
    judged: int
    false_alarms: int
    rate: Annotated[float | None, Field(description="Of the judged ones; null: none was judged.")]


class RatesOut(Schema):
    """By rule and version, the worst first."""

    items: list[RateOut]


class EventsQuery(PageQuery):
    """Which events."""

    kind: list[RuleKind] = []  # noqa: RUF012 - pydantic copies it
    severity: list[Severity] = []  # noqa: RUF012 - pydantic copies it
    state: EventState | None = None
    camera: Id | None = None
    rule: Id | None = None
    verdict: Verdict | None = None
    acknowledged: bool | None = None
    since: Annotated[Instant | None, Field(description="That began then or later.")] = None
    until: Annotated[Instant | None, Field(description="That began before then.")] = None

    def wanted(self) -> EventFilter:
        """The service's filter."""
        return EventFilter(
            tuple(self.kind), tuple(self.severity), self.state, self.camera or "",
            self.rule or "", self.verdict, self.acknowledged, self.since, self.until,
        )  # fmt: skip


class ChangesQuery(Input):
    """Where to go on."""

    after: Annotated[str, Field(max_length=64)] = ""


class RatesQuery(Input):
    """Of how many days."""

    days: Annotated[int, Field(ge=1, le=366)] = 90


class Acknowledgement(Input):
    """That somebody has taken note."""

    note: NoteText = ""


class Judgement(Input):
    """Whether it was a true event or a false alarm."""

    verdict: Verdict
    note: NoteText = ""


class HoldRequest(Input):
    """Why it must be kept."""

    reason: Annotated[str, Field(min_length=1, max_length=2000)]


@api.get("/events")
@requires("event.view")
@api.input(EventsQuery, location="query")
@api.output(PageOut[DetectionOut])
def list_events(query_data: EventsQuery) -> Answer:
    """The events that you may see, the latest first."""
    return use(Events).events(current_actor(), query_data.wanted(), query_data.page())


@api.get("/events/rates")
@requires("event.view")
@api.input(RatesQuery, location="query")
@api.output(RatesOut)
def list_event_rates(query_data: RatesQuery) -> Answer:
    """False alarms by rule and version, of the events of the last days."""
    return {"items": use(Events).rates(current_actor(), query_data.days)}


@api.get("/events/changes")
@requires("event.view")
@api.input(ChangesQuery, location="query")
@api.output(ChangesOut)
def list_event_changes(query_data: ChangesQuery) -> Answer:
    """What happened since ``after``; as server-sent events when text/event-stream is asked.

    Without ``after`` it begins with what comes next.
    """
    after = request.headers.get("Last-Event-ID") or query_data.after
    items, following = use(Events).changes(current_actor(), after, _MANY)
    accepted = request.accept_mimetypes.best_match(["application/json", "text/event-stream"])
    if accepted == "text/event-stream" and _streams.acquire(blocking=False):
        return _stream(after or following)
    # More streams than there are threads to spare are answered as one page, to be asked again.
    return {"items": items, "next": following}


def _stream(after: str) -> Response:
    actor, events = current_actor(), use(Events)

    def told() -> Iterator[str]:
        seen, end = after, time.monotonic() + _STREAM_SECONDS
        yield f"retry: 1000\nid: {seen}\n\n"
        while time.monotonic() < end:
            items, seen = events.changes(actor, seen, _MANY)
            for entry in items:
                data = json.dumps(plain(entry), ensure_ascii=False)
                yield f"id: {entry.cursor}\nevent: {entry.change}\ndata: {data}\n\n"
            if not items:
                yield ": alive\n\n"
                time.sleep(_PAUSE)

    response = current_app.response_class(stream_with_context(told()), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(_streams.release)
    return response


@api.get("/events/<id>")
@requires("event.view")
@api.output(DetectionOut)
def get_event(id: str) -> Answer:  # noqa: A002 - the name in the address
    """One event."""
    return use(Events).event(current_actor(), id)


@api.get("/events/<id>/history")
@requires("event.view")
@api.output(EntriesOut)
def list_event_history(id: str) -> Answer:  # noqa: A002
    """What happened to it, in order."""
    return {"items": use(Events).history(current_actor(), id)}


@api.post("/events/<id>/acknowledge")
@requires("event.acknowledge")
@idempotent
@api.input(Acknowledgement)
@api.output(DetectionOut)
def acknowledge_event(id: str, json_data: Acknowledgement) -> Answer:  # noqa: A002
    """Take note of it, so that others need not. Doing it again changes nothing."""
    return use(Events).acknowledge(current_actor(), id, json_data.note)


@api.post("/events/<id>/judge")
@requires("event.acknowledge")
@idempotent
@api.input(Judgement)
@api.output(DetectionOut)
def judge_event(id: str, json_data: Judgement) -> Answer:  # noqa: A002
    """Say whether it was true or a false alarm; the last word counts."""
    return use(Events).judge(current_actor(), id, json_data.verdict, json_data.note)


@api.post("/events/<id>/hold")
@requires("privacy.manage")
@idempotent
@api.input(HoldRequest)
@api.output(DetectionOut)
def hold_event(id: str, json_data: HoldRequest) -> Answer:  # noqa: A002
    """Keep it and its evidence beyond every period of retention."""
    return use(Events).hold(current_actor(), id, json_data.reason)


@api.post("/events/<id>/release")
@requires("privacy.manage")
@idempotent
@api.output(DetectionOut)
def release_event(id: str) -> Answer:  # noqa: A002
    """End a legal hold."""
    return use(Events).release(current_actor(), id)


@api.get("/events/<id>/verification")
@requires("evidence.view")
@api.output(ChecksOut)
def verify_event(id: str) -> Answer:  # noqa: A002
    """Read its evidence again and compare it with its digests."""
    found = use(Events).verify(current_actor(), id)
    return {"items": [{"sha256": e.sha256, "kind": e.kind, "intact": ok} for e, ok in found]}


@api.get("/events/<id>/evidence/<sha256>")
@requires("evidence.view")
def get_evidence(id: str, sha256: str) -> Response:  # noqa: A002
    """A picture or clip; parts on request. Each viewing is written into the audit log."""
    found, file = use(Events).view(current_actor(), id, sha256)
    return file_answer(file, found.kind, found.sha256)
