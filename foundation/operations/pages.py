"""Pages of operations: the list, and one operation live."""

import json
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Response, current_app, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.paging import PageRequest
from foundation.operations.model import Event, Operation, OperationState
from foundation.operations.service import Operations
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.runtime import Runtime
from foundation.surface.web.i18n import N_
from foundation.surface.web.pages import Crumb, Pages, go, show

pages = Pages("operations", __name__)
pages.navigation(N_("Operations"), "operations", action="operation.view", order=60)
pages.notices["operation.cancel"] = N_("The operation was asked to stop.")
pages.notices["operation.retry"] = N_("The operation goes on.")
pages.subjects["op"] = "operations_pages.operation"

#: What kinds of operation are called; one that is not here shows its own name. A product with other
#: kinds says so in its application's configuration, ``OPERATION_KINDS``.
KINDS = {
    "order.plan": N_("Plan an order"),
    "order.fulfil": N_("Carry out an order"),
    "deployment.apply": N_("Apply a deployment"),
    "deployment.destroy": N_("Destroy a deployment"),
    "campaign.plan": N_("Plan a campaign"),
    "campaign.run": N_("Carry out a campaign"),
    "registry.sync": N_("Read a source of blueprints"),
    "blueprint.impact": N_("Work out what a blueprint's version would change"),
    "playbook.run": N_("Run a playbook"),
    "drift.check": N_("Look for drift"),
    "drift.repair": N_("Repair drift"),
    "drift.adopt": N_("Adopt drift"),
    "billing.rate": N_("Charge the usage of a month"),
    "metering.collect": N_("Collect the usage of a region"),
}
#: What steps are called.
STEPS = {
    "begin": N_("Take it up"),
    "preview": N_("Work out what would be made"),
    "price": N_("Price it and ask for approval"),
    "verify": N_("Verify that nothing has changed"),
    "apply": N_("Make the resources"),
    "record": N_("Record what was made"),
    "consume": N_("Take the reserved quota and money"),
    "activate": N_("Activate"),
    "lapse": N_("Ask for approval again"),
    "fail": N_("Release what was reserved"),
    "destroy": N_("Destroy the resources"),
    "list": N_("List what it is about"),
    "report": N_("Write the report"),
    "look": N_("Look at the region"),
    "resolve": N_("Find the inputs that describe it"),
    "reserve": N_("Hold the quota that it takes"),
    "release": N_("Give the held quota back"),
    "adopt": N_("Take it over"),
    "repair": N_("Bring back what was applied"),
    "confirm": N_("See that nothing differs any more"),
    "put-up": N_("Put it up for approval"),
    "sync": N_("Read it and publish what is new"),
    "rate": N_("Charge the usage"),
    "collect": N_("Collect the usage"),
    "prepare": N_("Look at the servers"),
    "read": N_("Read it"),
    "withdraw": N_("Withdraw what is gone"),
    "publish": N_("Publish it"),
    "end": N_("Write down how it ended"),
}

_STREAM_SECONDS = 25.0
_STREAM_PAUSE = 0.4
_STREAMS = 6
_SHOWN_EVENTS = 500
_streams = threading.BoundedSemaphore(_STREAMS)


@dataclass(slots=True)
class LiveResource:
    """A resource as the events of an operation tell of it."""

    name: str
    type: str
    op: str
    state: str
    began: datetime
    seen: datetime

    @property
    def seconds(self) -> float:
        """How long it took, or has taken as far as is known."""
        return (self.seen - self.began).total_seconds()


@dataclass(frozen=True, slots=True)
class Live:
    """What the page of a running operation shows.

    Attributes:
        after: the last event's number; the stream continues there.
        elapsed: seconds since a worker took it up; None before.
        resources: in the order in which they first appeared.
    """

    operation: Operation
    events: list[Event]
    after: int
    elapsed: float | None
    resources: list[LiveResource]


def kind_name(kind: str) -> str:
    """What a kind of operation is called, in the request's language."""
    found = _kinds()
    return str(gettext(found[kind])) if kind in found else kind


def _kinds() -> Mapping[str, str]:
    found: Mapping[str, str] = current_app.config.get("OPERATION_KINDS", KINDS)
    return found


def step_name(name: str) -> str:
    """What a step is called, in the request's language."""
    return str(gettext(STEPS[name])) if name in STEPS else name.replace("_", " ").replace(".", " ")


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {"kind_name": kind_name, "step_name": step_name}


@pages.get("/operations")
@requires("operation.view")
def operations() -> ResponseReturnValue:
    """All operations that the visitor may see, newest first."""
    state = _state(request.args.get("state", ""))
    found = use(Operations).list(
        current_actor(),
        PageRequest(request.args.get("cursor")),
        state=state,
        kind=request.args.get("kind") or None,
    )
    return show(
        "operations/operations.html",
        page=found,
        state=state,
        states=list(OperationState),
        kinds=_kinds(),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Operations"))],
    )


def _state(text: str) -> OperationState | None:
    if not text:
        return None
    try:
        return OperationState(text)
    except ValueError:
        raise Invalid([Problem("state", "is not a state of an operation")]) from None


@pages.get("/operations/<id>")
@requires("operation.view")
def operation(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One operation, live; with ``HX-Request`` only the part that changes."""
    live = _live(id)
    if request.args.get("part") == "live":
        return show("operations/live.html", live=live)
    name = kind_name(live.operation.kind)
    return show(
        "operations/operation.html",
        live=live,
        name=name,
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Operations"), url_for("operations_pages.operations")),
            Crumb(name),
        ],
    )


def _live(operation_id: str) -> Live:
    found = use(Operations).get(current_actor(), operation_id)
    events = _all_events(operation_id)
    end = found.ended_at or use(Runtime).clock.now()
    elapsed = (end - found.started_at).total_seconds() if found.started_at else None
    return Live(found, events, events[-1].seq if events else 0, elapsed, live_resources(events))


#: How the progress of a resource is shown while it is under way and when it is done, by what is
#: done to it.
UNDER_WAY = {
    "create": "creating",
    "update": "updating",
    "replace": "creating",
    "delete": "deleting",
}
DONE = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}


def live_resources(events: Iterable[Event]) -> list[LiveResource]:
    """What the events say of each resource."""
    found: dict[str, LiveResource] = {}
    for event in events:
        urn = str(event.data.get("urn", ""))
        progress = str(event.data.get("progress") or event.type.partition("resource.")[2])
        if not urn or not progress:
            continue
        op = str(event.data.get("op", ""))
        known = found.setdefault(urn, LiveResource("", "", op, "", event.at, event.at))
        known.name = str(event.data.get("resource") or event.data.get("name") or urn)
        known.type = str(event.data.get("resource_type") or event.data.get("type") or "")
        known.state, known.seen = _state_of(progress, op), event.at
    return list(found.values())


def _state_of(progress: str, op: str) -> str:
    if progress == "started":
        return UNDER_WAY.get(op, "running")
    if progress == "done":
        return DONE.get(op, "same")
    return progress


def _all_events(operation_id: str) -> list[Event]:
    events: list[Event] = []
    while len(events) < _SHOWN_EVENTS:
        after = events[-1].seq if events else 0
        more = use(Operations).events(current_actor(), operation_id, after=after)
        events += more
        if not more:
            break
    return events


@pages.get("/operations/<id>/stream")
@requires("operation.view")
def stream(id: str) -> ResponseReturnValue:  # noqa: A002
    """Server-sent events: ``changed`` whenever there is more to see, ``ended`` at the end.

    A stream ends after a while and the page comes back, so that no thread is held for ever. When
    too many are open the answer is 204, which stops the browser; the page then asks every few
    seconds by itself.
    """
    actor, service = current_actor(), use(Operations)
    service.get(actor, id)
    after = _after(request.headers.get("Last-Event-ID") or request.args.get("after", "0"))
    if not _streams.acquire(blocking=False):
        return Response(status=204)
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001 - Flask's own way

    def events() -> Iterator[str]:
        seen, end = after, time.monotonic() + _STREAM_SECONDS
        yield "retry: 1000\n\n"
        with app.app_context():
            while time.monotonic() < end:
                fresh = service.events(actor, id, after=seen)
                if fresh:
                    seen = fresh[-1].seq
                    yield _message("changed", seen)
                elif service.get(actor, id).state.ended:
                    yield _message("ended", seen)
                    return
                time.sleep(_STREAM_PAUSE)

    response = Response(events(), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(_streams.release)
    return response


def _message(name: str, seq: int) -> str:
    return f"id: {seq}\nevent: {name}\ndata: {json.dumps({'after': seq})}\n\n"


def _after(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Invalid([Problem("after", "must be a whole number")])
    return int(text)


@pages.post("/operations/<id>/cancel")
@requires("operation.cancel")
def cancel(id: str) -> ResponseReturnValue:  # noqa: A002
    """Ask an operation to stop."""
    use(Operations).cancel(current_actor(), id)
    return go("operations_pages.operation", id=id, notice="operation.cancel")


@pages.post("/operations/<id>/retry")
@requires("operation.cancel")
def retry(id: str) -> ResponseReturnValue:  # noqa: A002
    """Take a stuck operation up again."""
    use(Operations).retry(current_actor(), id)
    return go("operations_pages.operation", id=id, notice="operation.retry")
