"""Pages of cameras: the wall, one camera, its form, imports, and how all of them do."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from flask import Response, request, send_from_directory, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.paging import MAX_LIMIT, Page, PageRequest, everything
from foundation.surface.auth import current_actor, public, requires
from foundation.surface.registry import use
from foundation.surface.runtime import Runtime
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, go, show
from workloads.video_analytics.cameras import bulk
from workloads.video_analytics.cameras.forms import camera_form, read_camera
from workloads.video_analytics.cameras.live import LivePictures
from workloads.video_analytics.cameras.looks import LOOKS, camera_detail, camera_state, word
from workloads.video_analytics.cameras.model import STALE, Camera, HealthState
from workloads.video_analytics.cameras.ports import CameraQuery
from workloads.video_analytics.cameras.service import Cameras
from workloads.video_analytics.departments.pages import all_departments

pages = Pages("cameras", __name__)
pages.navigation(N_("Wall"), "wall", action="camera.view", order=10)
pages.navigation(N_("Health"), "health", action="camera.view", order=30)
pages.subjects["cam"] = "cameras_pages.camera"
pages.notices["camera.created"] = N_("The camera was entered.")
pages.notices["camera.updated"] = N_("The camera was changed.")
pages.notices["camera.removed"] = N_("The camera was removed; what it saw stays.")
pages.notices["cameras.imported"] = N_("The cameras were entered.")

STATIC = Path(__file__).parent / "static"
_TILES = 24


@dataclass(frozen=True, slots=True)
class Tile:
    """A camera on the wall; ``taken`` is None without a picture."""

    camera: Camera
    state: HealthState | None
    taken: datetime | None
    late: bool


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {
        "camera_state": camera_state, "camera_state_word": word, "camera_detail": camera_detail,
    }  # fmt: skip


@pages.get("/video/<filename>")
@public
def static(filename: str) -> Response:
    """The style sheet and the script of this product's pages."""
    answer = send_from_directory(STATIC, filename, conditional=True)
    answer.headers["Cache-Control"] = "no-cache"  # asked each time whether it has changed
    return answer


@pages.get("/cameras")
@requires("camera.view")
def wall() -> ResponseReturnValue:
    """The wall: a picture of each camera, as it is filtered; renews itself."""
    filters = {name: request.args.get(name, "") for name in ("path", "group", "state", "text")}
    known = filters["state"] in {*map(str, HealthState), "unseen"}
    query = CameraQuery(
        filters["path"] or None, filters["group"] or None,
        filters["state"] if known else None, filters["text"][:100] or None,
    )  # fmt: skip
    page = use(Cameras).cameras(
        current_actor(), query, PageRequest(request.args.get("cursor"), _TILES)
    )
    return show(
        "cameras/wall.html",
        page=page.map(_tile),
        filters=filters,
        departments=all_departments(),
        groups=use(Cameras).groups(current_actor()),
        states=[(str(state or "unseen"), word(state)) for state in LOOKS],
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Wall"))],
    )


def _tile(camera: Camera) -> Tile:
    state = use(Cameras).state(camera)
    taken = use(LivePictures).taken(camera) if _seen_live(camera) else None
    late = taken is not None and use(Runtime).clock.now() - taken > STALE
    return Tile(camera, state, taken, late)


def _seen_live(camera: Camera) -> bool:
    """Whether the visitor may look at it now; a camera that is off shows nothing."""
    return camera.settings.enabled and use(Cameras).may_look(current_actor(), camera)


@pages.get("/cameras/<id>/live.jpg")
@requires("live.view")
def live(id: str) -> Response:  # noqa: A002 - the name in the address
    """The newest picture."""
    camera = use(Cameras).camera(current_actor(), id, action="live.view")
    return use(LivePictures).required(camera).response()


@pages.get("/cameras/<id>")
@requires("camera.view")
def camera(id: str) -> ResponseReturnValue:  # noqa: A002
    """One camera: its picture, how it does and did, and what it is watched for."""
    found = use(Cameras).camera(current_actor(), id)
    return show(
        "cameras/camera.html",
        camera=found,
        tile=_tile(found),
        history=use(Cameras).history(current_actor(), id),
        crumbs=_crumbs(Crumb(local(found.settings.name))),
    )


@pages.get("/cameras/new")
@requires("camera.manage")
def new() -> ResponseReturnValue:
    """The form of a new camera."""
    return _form(None)


@pages.post("/cameras")
@requires("camera.manage")
def create() -> ResponseReturnValue:
    """Enter a camera, or say what is wrong."""
    try:
        settings, source = read_camera(request.form, None)
        made = use(Cameras).create(current_actor(), settings, source)
    except Invalid as error:
        return _form(None, error.problems)
    return go("cameras_pages.camera", id=made.id, notice="camera.created")


@pages.get("/cameras/<id>/edit")
@requires("camera.manage")
def edit(id: str) -> ResponseReturnValue:  # noqa: A002
    """The form of a camera."""
    return _form(use(Cameras).camera(current_actor(), id, action="camera.manage"))


@pages.post("/cameras/<id>/edit")
@requires("camera.manage")
def change(id: str) -> ResponseReturnValue:  # noqa: A002
    """Change a camera, or say what is wrong."""
    there = use(Cameras).camera(current_actor(), id, action="camera.manage")
    try:
        settings, source = read_camera(request.form, there)
        use(Cameras).change(
            current_actor(), id, settings, source if source.url else None,
            version=int(request.form["version"]) if request.form.get("version") else None,
        )  # fmt: skip
    except Invalid as error:
        return _form(there, error.problems)
    return go("cameras_pages.camera", id=id, notice="camera.updated")


def _form(there: Camera | None, problems: tuple[Problem, ...] = ()) -> ResponseReturnValue:
    last = Crumb(local(there.settings.name) if there else gettext("New camera"))
    return show(
        "cameras/form.html",
        422 if problems else 200,
        camera=there,
        form=camera_form(there, request.form, problems),
        crumbs=_crumbs(last),
    )


@pages.post("/cameras/<id>/remove")
@requires("camera.manage")
def remove(id: str) -> ResponseReturnValue:  # noqa: A002
    """Take a camera out of the registry."""
    use(Cameras).remove(current_actor(), id)
    return go("cameras_pages.wall", notice="camera.removed")


@pages.get("/cameras/import")
@requires("camera.manage")
def import_form() -> ResponseReturnValue:
    """The form that takes many cameras."""
    return _import(())


@pages.post("/cameras/import")
@requires("camera.manage")
def import_cameras() -> ResponseReturnValue:
    """Enter many cameras, or say what is wrong with which row."""
    try:
        rows = bulk.read(request.form.get("form", "csv"), request.form.get("content", ""))
        use(Cameras).import_all(current_actor(), rows)
    except Invalid as error:
        return _import(error.problems)
    return go("cameras_pages.wall", notice="cameras.imported")


def _import(problems: tuple[Problem, ...]) -> ResponseReturnValue:
    return show(
        "cameras/import.html",
        422 if problems else 200,
        problems=problems,
        columns=bulk.COLUMNS,
        crumbs=_crumbs(Crumb(gettext("Import"))),
    )


@pages.get("/camera-health")
@requires("camera.view")
def health() -> ResponseReturnValue:
    """How many cameras are in which state, and those that need somebody."""
    actor, cameras = current_actor(), use(Cameras)
    wrong = [
        (state, page)
        for state in HealthState
        if state not in {HealthState.ONLINE, HealthState.OFF} and (page := _in_state(state)).items
    ]
    return show(
        "cameras/health.html",
        overview=cameras.overview(actor),
        wrong=wrong,
        states=list(HealthState),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Health"))],
    )


def _in_state(state: HealthState) -> Page[Camera]:
    return use(Cameras).cameras(
        current_actor(), CameraQuery(state=state), PageRequest(limit=MAX_LIMIT)
    )


def all_cameras() -> list[Camera]:
    """All that the visitor may see."""
    return list(everything(partial(use(Cameras).cameras, current_actor(), CameraQuery())))


def _crumbs(last: Crumb) -> list[Crumb]:
    return [
        Crumb(gettext("Home"), "/"),
        Crumb(gettext("Wall"), url_for("cameras_pages.wall")),
        last,
    ]
