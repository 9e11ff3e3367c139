"""Linkage rules, what they did, and incidents."""

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
from workloads.video_analytics.events.linkage.model import (
    Action,
    ActionKind,
    IncidentState,
    Linkage,
    Outcome,
)
from workloads.video_analytics.events.linkage.service import Linkages
from workloads.video_analytics.events.model import Severity
from workloads.video_analytics.events.notification.shown import matching_json

api = ApiBlueprint("linkages", __name__, tag="Linkage")


class ActionIn(Input):
    """One action: tell a receiver, turn a camera to a preset, or open an incident."""

    kind: ActionKind
    receiver: Id = ""
    camera: Id = ""
    preset: Annotated[str, Field(max_length=64)] = ""
    title: Annotated[str, Field(max_length=200)] = ""

    def value(self) -> Action:
        """The model's value."""
        return Action(self.kind, self.receiver, self.camera, self.preset, self.title)


class ActionOut(Schema):
    """One action."""

    kind: ActionKind
    receiver: str
    camera: str
    preset: str
    title: str


class LinkageChange(Input):
    """When such an event begins, do this; all of it, as it shall be."""

    name: Line
    when: MatchingIn = MatchingIn()
    then: Annotated[list[ActionIn], Field(min_length=1, max_length=10)]
    pause_seconds: Annotated[int, Field(ge=0, le=86400)] = 60


class LinkageCreate(LinkageChange):
    """When such an event begins, do this."""

    path: Path


class LinkageSwitch(Input):
    """On or off."""

    enabled: bool


class LinkageOut(Schema):
    """A linkage rule."""

    id: str
    path: str
    name: str
    when: Json
    then: list[ActionOut]
    pause_seconds: int
    enabled: bool
    version: int


class LinkagesOut(Schema):
    """All linkage rules that you may see."""

    items: list[LinkageOut]


class DeedOut(Schema):
    """An action that an event started, and how it ended."""

    id: str
    linkage_id: str
    linkage: str
    event_id: str
    action: ActionOut
    outcome: Outcome
    at: Instant
    detail: str
    attempts: int


class DeedsOut(Schema):
    """What an event started."""

    items: list[DeedOut]


class IncidentCreate(Input):
    """Open an incident for an event by hand."""

    event: Id
    title: Annotated[str, Field(max_length=200)] = ""


class IncidentStep(Input):
    """The next step: assigned (to somebody), acting, closed (with a report, the note)."""

    state: IncidentState
    assigned_to: Annotated[str, Field(max_length=200)] = ""
    note: Annotated[str, Field(max_length=4000)] = ""


class IncidentStepOut(Schema):
    """A step of an incident's way."""

    state: IncidentState
    at: Instant
    by: str
    note: str


class IncidentOut(Schema):
    """Something that people take care of."""

    id: str
    path: str
    title: str
    severity: Severity
    state: IncidentState
    opened_at: Instant
    event_id: str
    assigned_to: str
    report: str
    closed_at: Instant | None
    steps: list[IncidentStepOut]
    version: int


class IncidentsQuery(PageQuery):
    """Which incidents."""

    state: IncidentState | None = None
    event: Id | None = None


def _out(linkage: Linkage) -> Json:
    values = {name: getattr(linkage, name) for name in LinkageOut.model_fields}
    return {**values, "when": matching_json(linkage.when)}


@api.get("/linkages")
@requires("rule.view")
@api.output(LinkagesOut)
def list_linkages() -> Answer:
    """The linkage rules that you may see, by name."""
    return {"items": [_out(one) for one in use(Linkages).linkages(current_actor())]}


@api.post("/linkages")
@requires("rule.manage")
@idempotent
@api.input(LinkageCreate)
@api.output(LinkageOut, 201)
def create_linkage(json_data: LinkageCreate) -> Answer:
    """Add a linkage rule."""
    made = use(Linkages).add(
        current_actor(), json_data.path, json_data.name, json_data.when.value("when"),
        [a.value() for a in json_data.then], json_data.pause_seconds,
    )  # fmt: skip
    return created(_out(made), "/api/v1/linkages")


@api.get("/linkages/<id>")
@requires("rule.view")
@api.output(LinkageOut)
def get_linkage(id: str) -> Answer:  # noqa: A002 - in the address
    """One linkage rule."""
    found = use(Linkages).linkage(current_actor(), id)
    return with_etag(_out(found), etag(found.id, found.version))


@api.put("/linkages/<id>")
@requires("rule.manage")
@requires_match
@api.input(LinkageChange)
@api.output(LinkageOut)
def change_linkage(id: str, json_data: LinkageChange) -> Answer:  # noqa: A002
    """Let a linkage rule mean something else; its department stays."""
    linkages, actor = use(Linkages), current_actor()
    found = linkages.linkage(actor, id)
    check_match(etag(found.id, found.version))
    changed = linkages.change(
        actor, id, json_data.name, json_data.when.value("when"),
        [a.value() for a in json_data.then], json_data.pause_seconds, version=found.version,
    )  # fmt: skip
    return with_etag(_out(changed), etag(changed.id, changed.version))


@api.post("/linkages/<id>/switch")
@requires("rule.manage")
@idempotent
@api.input(LinkageSwitch)
@api.output(LinkageOut)
def switch_linkage(id: str, json_data: LinkageSwitch) -> Answer:  # noqa: A002 - in the address
    """Turn a linkage rule on or off."""
    return _out(use(Linkages).switch(current_actor(), id, enabled=json_data.enabled))


@api.delete("/linkages/<id>")
@requires("rule.manage")
@api.output({}, 204)
def remove_linkage(id: str) -> Answer:  # noqa: A002
    """Forget a linkage rule; what it did stays."""
    use(Linkages).remove(current_actor(), id)
    return "", 204


@api.get("/events/<id>/actions")
@requires("event.view")
@api.output(DeedsOut)
def list_event_actions(id: str) -> Answer:  # noqa: A002
    """What an event started, and how that ended."""
    return {"items": use(Linkages).deeds(current_actor(), id)}


@api.get("/incidents")
@requires("event.view")
@api.input(IncidentsQuery, location="query")
@api.output(PageOut[IncidentOut])
def list_incidents(query_data: IncidentsQuery) -> Answer:
    """The incidents that you may see, newest first."""
    return use(Linkages).incidents(
        current_actor(), query_data.page(), state=query_data.state, event_id=query_data.event or ""
    )


@api.post("/incidents")
@requires("event.acknowledge")
@idempotent
@api.input(IncidentCreate)
@api.output(IncidentOut, 201)
def create_incident(json_data: IncidentCreate) -> Answer:
    """Open an incident for an event."""
    made = use(Linkages).open(current_actor(), json_data.event, json_data.title)
    return created(made, f"/api/v1/incidents/{made.id}")


@api.get("/incidents/<id>")
@requires("event.view")
@api.output(IncidentOut)
def get_incident(id: str) -> Answer:  # noqa: A002
    """One incident with its way."""
    return use(Linkages).incident(current_actor(), id)


@api.post("/incidents/<id>/steps")
@requires("event.acknowledge")
@idempotent
@api.input(IncidentStep)
@api.output(IncidentOut)
def step_incident(id: str, json_data: IncidentStep) -> Answer:  # noqa: A002
    """Take an incident a step on its way."""
    return use(Linkages).step(
        current_actor(), id, json_data.state, assigned_to=json_data.assigned_to,
        note=json_data.note,
    )  # fmt: skip
