"""Pages of migration: the figures of the city, the systems, and the way of each of them."""

from collections.abc import Mapping

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from control_plane.tenancy.migration.model import STEPS, Journey, MigrationState, Wave
from control_plane.tenancy.migration.service import Claim, Migration
from control_plane.tenancy.service import TenancyService
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Problem
from foundation.kernel.paging import PageRequest
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.runtime import Runtime
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, go, show
from foundation.surface.web.states import word

pages = Pages("migration", __name__)
pages.navigation(N_("Migration"), "overview", action="migration.view", group="platform", order=25)
pages.notices["step"] = N_("The step was entered.")

#: The states in the order of the way, as the charts stack them.
_SHOWN = (
    MigrationState.VERIFIED, MigrationState.MOVED, MigrationState.IN_PROGRESS,
    MigrationState.PLANNED, MigrationState.OPEN,
)  # fmt: skip
_LAST_MONTHS = 24


@pages.get("/migration")
@requires("migration.view")
def overview() -> ResponseReturnValue:
    """How many systems have arrived: by month, target, organisation and wave."""
    actor, service = current_actor(), use(Migration)
    found = service.progress(actor, request.args.get("organisation", ""))
    series = found.series[-_LAST_MONTHS:]
    return show(
        "migration/overview.html",
        found=found,
        shown=_SHOWN,
        names={path: organisation_name(path) for path in found.organisations},
        waves={wave.slug: wave for wave in service.waves(actor)},
        headings=[(word(state), "bo-number") for state in _SHOWN],
        labels=[f"{point:%Y-%m}" for point, _ in series],
        days=[point for point, _ in series],
        values=[[c.arrived, c.total - c.arrived] for _, c in series],
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Migration"))],
    )


def organisation_name(path: str) -> str:
    """The organisation that a path stands for, or the path."""
    try:
        return local(use(TenancyService).organisation(current_actor(), path).name)
    except NotFound:
        return path


@pages.get("/migration/systems")
@requires("migration.view")
def systems() -> ResponseReturnValue:
    """The systems that the visitor may see, with the state that each has reached."""
    actor, service = current_actor(), use(Migration)
    names = ("state", "wave", "path")
    filters = {name: request.args.get(name, "") for name in names}
    page = service.journeys(actor, PageRequest(request.args.get("cursor")), filters)
    return show(
        "migration/systems.html",
        page=page,
        filters=filters,
        states=list(MigrationState),
        waves={wave.slug: wave for wave in service.waves(actor)},
        today=use(Runtime).clock.now().date(),
        crumbs=_crumbs(),
    )


@pages.get("/migration/systems/<id>")
@requires("migration.view")
def system(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """The way of one system, and the form of its next step."""
    return _system(id)


def _system(
    system_id: str, values: Mapping[str, str] | None = None, problems: tuple[Problem, ...] = (),
    status: int = 200,
) -> ResponseReturnValue:  # fmt: skip
    journey, steps = use(Migration).journey(current_actor(), system_id)
    waves: dict[str, Wave] = {w.slug: w for w in use(Migration).waves(current_actor())}
    return show(
        "migration/system.html",
        status,
        journey=journey,
        steps=steps,
        wave=waves.get(journey.wave),
        late=journey.is_late(use(Runtime).clock.now().date()),
        form=Form.of(_fields(journey, values or {}), problems),
        crumbs=[*_crumbs(link=True), Crumb(local(journey.name))],
    )


def _crumbs(*, link: bool = False) -> list[Crumb]:
    address = url_for("migration_pages.systems") if link else ""
    return [
        Crumb(gettext("Home"), "/"),
        Crumb(gettext("Migration"), url_for("migration_pages.overview")),
        Crumb(gettext("Systems"), address),
    ]


def _fields(journey: Journey, values: Mapping[str, str]) -> list[Field]:
    ways = STEPS[journey.state]
    return [
        Field(
            "to", gettext("Next state"), "radio", values.get("to", ways[0].value), required=True,
            options=tuple(Option(state.value, word(state)) for state in ways),
        ),
        Field("note", gettext("What was done, or why"), "textarea", values.get("note", ""),
              required=True, max_length=2000),
        Field(
            "evidence", gettext("Evidence"), "lines", values.get("evidence", ""),
            help=gettext("An https address or an id of the platform on each line."),
        ),
    ]  # fmt: skip


@pages.post("/migration/systems/<id>")
@requires("migration.view")
def enter_step(id: str) -> ResponseReturnValue:  # noqa: A002
    """Enter the next step; the service decides who may."""
    values = {name: request.form.get(name, "") for name in ("to", "note", "evidence")}
    evidence = [line.strip() for line in values["evidence"].splitlines() if line.strip()]
    try:
        use(Migration).step(current_actor(), id, Claim(values["to"], values["note"], evidence))
    except Invalid as error:
        return _system(id, values, tuple(error.problems), 422)
    except (Conflict, Forbidden) as error:
        status = 409 if isinstance(error, Conflict) else 403
        return _system(id, values, (Problem("to", error.message),), status)
    return go("migration_pages.system", id=id, notice="step")
