"""Pages of departments: the tree, and a form that adds to it."""

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
from workloads.video_analytics.departments.model import Department
from workloads.video_analytics.departments.service import Departments

pages = Pages("departments", __name__)
pages.navigation(
    N_("Departments"), "departments", action="department.manage", group="platform", order=20
)
pages.notices["department.created"] = N_("The department was added.")


def all_departments() -> list[Department]:
    """All that the visitor may see, those above before those below."""
    return list(everything(partial(use(Departments).departments, current_actor())))


def options() -> tuple[Option, ...]:
    """The departments as choices of a form."""
    return tuple(Option(one.path, f"{local(one.name)} ({one.path})") for one in all_departments())


@pages.get("/departments")
@requires("department.view")
def departments() -> ResponseReturnValue:
    """The tree of departments."""
    return _departments(())


def _departments(problems: tuple[Problem, ...], status: int = 200) -> ResponseReturnValue:
    sent = request.form
    fields = [
        Field("parent", gettext("Below"), "select", sent.get("parent", "/"),
              options=(Option("/", "/"), *options())),
        Field("slug", gettext("Name in paths"), value=sent.get("slug", ""), required=True,
              max_length=40),
        Field("name.en", gettext("Name in English"), value=sent.get("name.en", ""),
              required=True, max_length=200),
        Field("name.zh", gettext("Name in Chinese"), value=sent.get("name.zh", ""),
              required=True, max_length=200),
    ]  # fmt: skip
    return show(
        "departments/departments.html",
        status,
        departments=all_departments(),
        form=Form.of(fields, problems),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Departments"))],
    )


@pages.post("/departments")
@requires("department.manage")
def create() -> ResponseReturnValue:
    """Add a department, or say what is wrong."""
    found, sent = Collector(), request.form
    name = Text(sent.get("name.en", ""), sent.get("name.zh", ""))
    for language in ("en", "zh"):
        found.check(name.get(language).strip(), f"name.{language}", "is required", "required")
    try:
        found.finish()
        use(Departments).create(
            current_actor(), parent=sent.get("parent", "/"), slug=sent.get("slug", ""), name=name
        )
    except Invalid as error:
        return _departments(error.problems, 422)
    except Conflict as error:
        return _departments((Problem("slug", error.message),), 409)
    return go("departments_pages.departments", notice="department.created")
