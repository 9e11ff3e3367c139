"""The registry of cameras over HTTP."""

from enum import StrEnum
from typing import Annotated, Any

from apiflask.schemas import FileSchema
from flask import Response
from flask.typing import ResponseReturnValue
from pydantic import Field

from foundation.kernel.errors import Collector
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    check_match,
    created,
    current_actor,
    etag,
    idempotent,
    rehearsable,
    requires,
    requires_match,
    use,
    with_etag,
)
from workloads.video_analytics.cameras import bulk
from workloads.video_analytics.cameras.api.fields import (
    CameraChange,
    CameraCreate,
    CameraOut,
    SourceBody,
    camera_out,
)
from workloads.video_analytics.cameras.live import LivePictures
from workloads.video_analytics.cameras.model import Camera, HealthState
from workloads.video_analytics.cameras.ports import CameraQuery
from workloads.video_analytics.cameras.service import Cameras, SourceWish

api = ApiBlueprint("cameras", __name__, tag="Cameras")

#: States for a filter; ``unseen`` are those that were never watched.
SHOWN = (*(state.value for state in HealthState), "unseen")
ShownState = Annotated[str, Field(json_schema_extra={"enum": list(SHOWN)})]


class CamerasQuery(PageQuery):
    """Which cameras."""

    path: Annotated[str, Field(max_length=500, description="A department and below.")] | None = None
    group: Annotated[str, Field(max_length=63)] | None = None
    state: ShownState | None = None
    text: Annotated[str, Field(max_length=100, description="In name, code, vendor, place.")] = ""


class HealthChangeOut(Schema):
    """A camera passed into a state."""

    state: HealthState
    since: Instant
    detail: str


class HealthHistory(Schema):
    """The newest first, 200 at most."""

    items: list[HealthChangeOut]


class StateCount(Schema):
    """How many cameras are in a state."""

    state: Annotated[HealthState | None, Field(description="Null: never watched.")]
    cameras: int


class CameraOverview(Schema):
    """How the cameras do that you may see."""

    total: int
    states: list[StateCount]


class GroupOut(Schema):
    """A group of cameras."""

    name: str
    cameras: int


class GroupsOut(Schema):
    """All groups, by name."""

    items: list[GroupOut]


class ImportForm(StrEnum):
    """How a list of cameras is written."""

    CSV = "csv"
    YAML = "yaml"


class CameraImport(Input):
    """Many cameras from a file."""

    form: Annotated[ImportForm, Field(strict=False)]
    content: Annotated[
        str, Field(max_length=bulk.CONTENT_MAX, description="The columns are those of the manual.")
    ]


class CameraImported(Schema):
    """What an import did: all of it, or nothing."""

    created: list[str]
    known: Annotated[list[str], Field(description="Ids of cameras that were there by their code.")]


@api.get("/cameras")
@requires("camera.view")
@api.input(CamerasQuery, location="query")
@api.output(PageOut[CameraOut])
def list_cameras(query_data: CamerasQuery) -> Answer:
    """The cameras that you may see."""
    found = Collector()
    known = query_data.state is None or query_data.state in SHOWN
    found.check(known, "state", "is not a state of cameras")
    found.finish()
    query = CameraQuery(
        query_data.path, query_data.group, query_data.state, query_data.text or None
    )
    return use(Cameras).cameras(current_actor(), query, query_data.page()).map(_out)


@api.post("/cameras")
@requires("camera.manage")
@rehearsable
@idempotent
@api.input(CameraCreate)
@api.output(CameraOut, 201)
def create_camera(json_data: CameraCreate) -> ResponseReturnValue:
    """Enter a camera into the registry."""
    made = use(Cameras).create(current_actor(), json_data.settings(), _wish(json_data.source))
    return created(_out(made), f"/api/v1/cameras/{made.id}", _tag(made))


@api.post("/cameras/import")
@requires("camera.manage")
@rehearsable
@idempotent
@api.input(CameraImport)
@api.output(CameraImported)
def import_cameras(json_data: CameraImport) -> Answer:
    """Enter many cameras, all or none; a row whose code is known changes that camera."""
    rows = bulk.read(json_data.form, json_data.content)
    new, known = use(Cameras).import_all(current_actor(), rows)
    return {"created": [one.id for one in new], "known": [one.id for one in known]}


@api.get("/cameras/<camera_id>")
@requires("camera.view")
@api.output(CameraOut)
def get_camera(camera_id: str) -> Answer:
    """One camera."""
    found = use(Cameras).camera(current_actor(), camera_id)
    return with_etag(_out(found), _tag(found))


@api.put("/cameras/<camera_id>")
@requires("camera.manage")
@rehearsable
@requires_match
@api.input(CameraChange)
@api.output(CameraOut)
def change_camera(camera_id: str, json_data: CameraChange) -> Answer:
    """Change a camera to what is sent."""
    cameras, actor = use(Cameras), current_actor()
    seen = cameras.camera(actor, camera_id)
    check_match(_tag(seen))
    source = None if json_data.source is None else _wish(json_data.source)
    changed = cameras.change(actor, camera_id, json_data.settings(), source, version=seen.version)
    return with_etag(_out(changed), _tag(changed))


@api.delete("/cameras/<camera_id>")
@requires("camera.manage")
@api.output({}, status_code=204)
def remove_camera(camera_id: str) -> ResponseReturnValue:
    """Take a camera out of the registry; what it saw stays."""
    use(Cameras).remove(current_actor(), camera_id)
    return "", 204


@api.get("/cameras/<camera_id>/health")
@requires("camera.view")
@api.output(HealthHistory)
def get_camera_health(camera_id: str) -> Answer:
    """Into which states a camera passed."""
    return {"items": use(Cameras).history(current_actor(), camera_id)}


@api.get("/cameras/<camera_id>/picture")
@requires("live.view")
@api.output(
    FileSchema(type="string", format="binary"),
    content_type="image/jpeg",
    description="The newest picture; Last-Modified says when it was taken.",
)
def get_camera_picture(camera_id: str) -> Response:
    """The newest picture of a camera; the first request asks its worker to begin."""
    camera = use(Cameras).camera(current_actor(), camera_id, action="live.view")
    return use(LivePictures).required(camera).response()


@api.get("/camera-overview")
@requires("camera.view")
@api.output(CameraOverview)
def get_camera_overview() -> Answer:
    """How many cameras are in which state."""
    found = use(Cameras).overview(current_actor())
    states: list[dict[str, Any]] = [
        {"state": state, "cameras": count} for state, count in sorted(found.states.items())
    ]
    if found.unseen:
        states.append({"state": None, "cameras": found.unseen})
    return {"total": found.total, "states": states}


@api.get("/camera-groups")
@requires("camera.view")
@api.output(GroupsOut)
def list_camera_groups() -> Answer:
    """The groups of the cameras that you may see."""
    return {"items": [one._asdict() for one in use(Cameras).groups(current_actor())]}


def _wish(source: SourceBody) -> SourceWish:
    return SourceWish(source.kind, source.url, source.username, source.password)


def _out(one: Camera) -> dict[str, Any]:
    return camera_out(one, use(Cameras).state(one))


def _tag(one: Camera) -> str:
    return etag(one.id, one.version)
