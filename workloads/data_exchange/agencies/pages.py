"""Pages of agencies: the tree, and a form that adds to it."""

from functools import partial

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import Collector, Conflict, Invalid, Problem
from foundation.kernel.paging import everything
from foundation.kernel.text import Text
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_, local
from foundation.surface.web.pages import Crumb, Pages, go, show
from workloads.data_exchange.agencies.model import Agency, Level
from workloads.data_exchange.agencies.service import Agencies

pages = Pages("agencies", __name__)
pages.navigation(N_("Agencies"), "agencies", action="agency.view", group="platform", order=20)
pages.notices["agency.created"] = N_("The agency was added.")


#: As people read them.
LEVELS = {
    Level.NATIONAL: N_("National"),
    Level.PROVINCIAL: N_("Provincial"),
    Level.MUNICIPAL: N_("Municipal"),
    Level.DISTRICT: N_("District"),
}


def all_agencies() -> list[Agency]:
    """All of them, those above before those below."""
    return list(everything(partial(use(Agencies).agencies, current_actor())))


def options() -> tuple[Option, ...]:
    """The agencies as choices of a form."""
    return tuple(Option(one.path, f"{local(one.name)} ({one.path})") for one in all_agencies())


@pages.get("/agencies")
@requires("agency.view")
def agencies() -> ResponseReturnValue:
    """The tree of agencies."""
    return _agencies(())


def _agencies(problems: tuple[Problem, ...], status: int = 200) -> ResponseReturnValue:
    sent = request.form
    fields = [
        Field("parent", gettext("Below"), "select", sent.get("parent", "/"),
              options=(Option("/", "/"), *options())),
        Field("slug", gettext("Name in paths"), value=sent.get("slug", ""), required=True,
              max_length=40),
        Field("level", gettext("Level"), "select", sent.get("level", Level.MUNICIPAL.value),
              options=tuple(Option(one.value, gettext(LEVELS[one])) for one in Level)),
        Field("code", gettext("Credit code"), value=sent.get("code", ""), max_length=18),
        Field("name.en", gettext("Name in English"), value=sent.get("name.en", ""),
              required=True, max_length=200),
        Field("name.zh", gettext("Name in Chinese"), value=sent.get("name.zh", ""),
              required=True, max_length=200),
    ]  # fmt: skip
    return show(
        "agencies/agencies.html",
        status,
        agencies=all_agencies(),
        levels=LEVELS,
        form=Form.of(fields, problems),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Agencies"))],
    )


@pages.post("/agencies")
@requires("agency.manage")
def create() -> ResponseReturnValue:
    """Add an agency, or say what is wrong."""
    found, sent = Collector(), request.form
    name = Text(sent.get("name.en", ""), sent.get("name.zh", ""))
    for language in ("en", "zh"):
        found.check(name.get(language).strip(), f"name.{language}", "is required", "required")
    level = sent.get("level", Level.MUNICIPAL.value)
    found.check(level in {*Level}, "level", "is not one of the choices")
    try:
        found.finish()
        use(Agencies).create(
            current_actor(), parent=sent.get("parent", "/"), slug=sent.get("slug", ""), name=name,
            level=Level(level), code=sent.get("code", ""),
        )  # fmt: skip
    except Invalid as error:
        return _agencies(error.problems, 422)
    except Conflict as error:
        return _agencies((Problem("slug", error.message),), 409)
    return go("agencies_pages.agencies", notice="agency.created")
