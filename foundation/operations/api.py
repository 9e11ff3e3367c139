"""Operations over HTTP: follow long work, and stop it."""

import json
import re
import threading
import time
from collections.abc import Iterator
from typing import Annotated, Any

from flask import Response, current_app, request, stream_with_context
from pydantic import Field

from foundation.kernel.canonical import plain
from foundation.kernel.errors import Invalid, Problem
from foundation.operations.model import Event, OperationState, StepState
from foundation.operations.service import Operations
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    current_actor,
    requires,
    use,
)

api = ApiBlueprint("operations", __name__, tag="Operations")

_EVENTS = 200
#: A stream ends after so long and the client comes back with Last-Event-ID, so that no thread of
#: the web process is held for ever.
_STREAM_SECONDS = 30.0
_STREAM_PAUSE = 0.3
_ALIVE_SECONDS = 10.0
_STREAMS = 6
_streams = threading.BoundedSemaphore(_STREAMS)


class StepOut(Schema):
    """One step of an operation; ``runs`` counts how often it was begun."""

    name: str
    state: StepState
    started_at: Instant | None
    ended_at: Instant | None
    runs: int
    error: dict[str, Any] | None = Field(description="A problem document, when it failed.")


class OperationOut(Schema):
    """Long work on a subject."""

    id: str
    kind: str = Field(description="What is done, such as order.fulfil.")
    subject: str = Field(description="The id of the thing that it is done to.")
    path: str = Field(description="The organisation's.")
    state: OperationState
    steps: list[StepOut]
    progress: float = Field(ge=0, le=1)
    expected_seconds: float | None = Field(
        description="The median of the latest of its kind; null without history."
    )
    cancel_requested: bool
    attempt: int = Field(description="How often a worker has taken it up.")
    crashes: int = Field(description="How many workers have died while they ran it.")
    requested_by: str
    requested_name: str
    result: Any = None
    error: dict[str, Any] | None = Field(description="A problem document, when it failed.")
    created_at: Instant
    started_at: Instant | None
    ended_at: Instant | None


class OperationQuery(PageQuery):
    """Which operations."""

    state: OperationState | None = None
    kind: Annotated[str, Field(max_length=100)] | None = None
    subject: Annotated[str, Field(max_length=200)] | None = None


class EventOut(Schema):
    """Something that happened; ``seq`` counts from 1 without gaps."""

    seq: int
    at: Instant
    type: str
    data: dict[str, Any]


class EventQuery(Input):
    """From where on."""

    after: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


class EventsOut(Schema):
    """Events in order; ``more`` says that there are more of them already."""

    items: list[EventOut]
    state: OperationState
    more: bool


class WorkerOut(Schema):
    """A worker; one with ``stopped_at`` works no more."""

    id: str
    name: str
    started_at: Instant
    heartbeat_at: Instant
    stopped_at: Instant | None
    running: int


class WorkersOut(Schema):
    """The workers of the last day, the living first."""

    items: list[WorkerOut]


@api.get("/operations")
@requires("operation.view")
@api.input(OperationQuery, location="query")
@api.output(PageOut[OperationOut])
def list_operations(query_data: OperationQuery) -> Answer:
    """The operations that you may see, newest first."""
    return use(Operations).list(
        current_actor(),
        query_data.page(),
        state=query_data.state,
        kind=query_data.kind,
        subject=query_data.subject,
    )


@api.get("/operations/<id>")
@requires("operation.view")
@api.output(OperationOut)
def get_operation(id: str) -> Answer:  # noqa: A002 - the name in the address
    """One operation with its steps."""
    return use(Operations).get(current_actor(), id)


@api.get("/operations/<id>/events")
@requires("operation.view")
@api.input(EventQuery, location="query")
@api.output(EventsOut)
def list_operation_events(id: str, query_data: EventQuery) -> Answer:  # noqa: A002
    """Events after ``after``; as a stream of server-sent events when text/event-stream is asked."""
    actor, operations = current_actor(), use(Operations)
    # The state before the events: when it has ended, the events read after it are all there are.
    found = operations.get(actor, id)
    accepted = request.accept_mimetypes.best_match(["application/json", "text/event-stream"])
    after = _last_seen(query_data.after)
    if accepted == "text/event-stream" and _streams.acquire(blocking=False):
        return _stream(id, after)
    # More streams than there are threads to spare are answered as one page, to be asked again.
    items = operations.events(actor, id, after=query_data.after, limit=_EVENTS + 1)
    return {"items": items[:_EVENTS], "state": found.state, "more": len(items) > _EVENTS}


def _last_seen(after: int) -> int:
    text = request.headers.get("Last-Event-ID")
    if text is None:
        return after
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Invalid([Problem("Last-Event-ID", "must be the seq of an event")])
    return max(after, int(text))


def _stream(operation_id: str, after: int) -> Response:
    actor, operations = current_actor(), use(Operations)

    def events() -> Iterator[str]:
        seen, end, spoken = after, time.monotonic() + _STREAM_SECONDS, time.monotonic()
        yield "retry: 1000\n\n"
        while time.monotonic() < end:
            state = operations.get(actor, operation_id).state
            fresh = operations.events(actor, operation_id, after=seen, limit=_EVENTS)
            for event in fresh:
                seen, spoken = event.seq, time.monotonic()
                yield _message(event)
            if state.ended and not fresh:
                yield f"event: end\ndata: {json.dumps({'state': state})}\n\n"
                return
            if time.monotonic() - spoken > _ALIVE_SECONDS:
                spoken = time.monotonic()
                yield ": alive\n\n"
            time.sleep(_STREAM_PAUSE)

    response = current_app.response_class(
        stream_with_context(events()), mimetype="text/event-stream"
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(_streams.release)
    return response


def _message(event: Event) -> str:
    data = json.dumps(plain(event), ensure_ascii=False)
    return f"id: {event.seq}\nevent: {event.type}\ndata: {data}\n\n"


@api.post("/operations/<id>/cancel")
@requires("operation.cancel")
@api.output(OperationOut, 202)
def cancel_operation(id: str) -> Answer:  # noqa: A002
    """Ask for it to stop; it does after its present step. Asking again changes nothing."""
    return use(Operations).cancel(current_actor(), id), 202


@api.post("/operations/<id>/retry")
@requires("operation.cancel")
@api.output(OperationOut, 202)
def retry_operation(id: str) -> Answer:  # noqa: A002
    """Take a stuck operation up again, from the step at which it stopped."""
    return use(Operations).retry(current_actor(), id), 202


@api.get("/workers")
@requires("operation.cancel")
@api.output(WorkersOut)
def list_workers() -> Answer:
    """The workers and what they run; for those who may stop operations everywhere."""
    return {"items": use(Operations).workers(current_actor())}
