"""The page of the calendar."""

from collections.abc import Sequence
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import Invalid, PreconditionFailed, Problem
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_
from foundation.surface.web.pages import Crumb, Pages, go, show
from workloads.data_exchange.agreements.calendar.model import LONGEST_PERIOD
from workloads.data_exchange.agreements.calendar.service import Calendar

pages = Pages("calendar", __name__)
pages.navigation(N_("Working days"), "calendar", action="calendar.view", group="platform", order=30)
pages.notices["calendar.changed"] = N_("The calendar was entered; due dates moved with it.")

WEEKDAYS = (
    N_("Monday"), N_("Tuesday"), N_("Wednesday"), N_("Thursday"), N_("Friday"), N_("Saturday"),
    N_("Sunday"),
)  # fmt: skip
PERIODS = {
    "compliance": N_("Compliance review"),
    "review": N_("Answer of the provider"),
    "clarification": N_("Answer to a question"),
    "offered": N_("Accepting what is offered"),
    "refused": N_("Disputing a refusal"),
    "disputed": N_("Decision of a dispute"),
}


@pages.get("/calendar")
@requires("calendar.view")
def calendar() -> ResponseReturnValue:
    """Which days count, and how many of them a request may wait."""
    return _page()


def _page(problems: Sequence[Problem] = (), status: int = 200) -> ResponseReturnValue:
    found, version = use(Calendar).calendar(current_actor())
    data, sent = found.as_json(), request.form
    days = tuple(Option(str(n), gettext(name)) for n, name in enumerate(WEEKDAYS, 1))
    weekend = sent.getlist("weekend") if sent else [str(n) for n in data["weekend"]]
    fields = [
        Field("zone", gettext("Time zone"), value=sent.get("zone", data["zone"]), required=True,
              max_length=64),
        Field("weekend", gettext("Weekend"), "checkboxes", weekend, options=days),
        Field("holidays", gettext("Days off"), "lines",
              sent.get("holidays", "\n".join(data["holidays"])),
              help=gettext("One day a line, such as 2026-10-01.")),
        Field("workdays", gettext("Days of weekends on which one works"), "lines",
              sent.get("workdays", "\n".join(data["workdays"]))),
        *(
            Field(f"periods.{name}", gettext(label), "number",
                  sent.get(f"periods.{name}", str(data["periods"][name])), required=True,
                  minimum=1, maximum=LONGEST_PERIOD, step=1, unit=gettext("working days"))
            for name, label in PERIODS.items()
        ),
    ]  # fmt: skip
    return show(
        "calendar/calendar.html", status, data=data, version=version, periods=PERIODS,
        form=Form.of(fields, problems),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Working days"))],
    )  # fmt: skip


@pages.post("/calendar")
@requires("calendar.manage")
def change() -> ResponseReturnValue:
    """Enter a calendar, or say what is wrong."""
    sent = request.form
    data: dict[str, Any] = {
        "zone": sent.get("zone", ""),
        "weekend": [int(one) for one in sent.getlist("weekend") if one in set("1234567")],
        "holidays": sent.get("holidays", "").split(),
        "workdays": sent.get("workdays", "").split(),
        "periods": {name: _number(sent.get(f"periods.{name}", "")) for name in PERIODS},
    }
    version = _number(sent.get("version", ""))
    try:
        use(Calendar).replace(current_actor(), data, -1 if version is None else version)
    except Invalid as error:
        return _page(error.problems, 422)
    except PreconditionFailed as error:
        return _page([Problem("", error.message)], 412)
    return go("calendar_pages.calendar", notice="calendar.changed")


def _number(text: str) -> int | None:
    good = text.isascii() and text.isdigit() and len(text) <= 9  # noqa: PLR2004 - digits
    return int(text) if good else None
