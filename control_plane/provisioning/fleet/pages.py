"""What is done about a region from its page."""

from datetime import UTC, datetime

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from control_plane.provisioning.fleet.service import Fleet
from control_plane.provisioning.pages import show_region
from foundation.kernel.errors import Invalid, Problem
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_
from foundation.surface.web.pages import Pages, go

pages = Pages("fleet", __name__)
pages.notices["looked"] = N_("The region was looked at.")
pages.notices["closed"] = N_("The region is closed as you said.")
pages.notices["opened"] = N_("The region takes everything again.")

_NAMES = ("state", "reason", "until")


@pages.app_context_processor
def _forms() -> dict[str, object]:
    return {"closure_form": closure_form}


def closure_form(problems: tuple[Problem, ...] = ()) -> Form:
    """The form that closes a region, with what was sent and what is wrong with it."""
    sent = {name: request.form.get(name, "") for name in _NAMES}
    options = (
        Option("cordoned", gettext("take nothing new")),
        Option("maintenance", gettext("leave it alone: maintenance")),
    )
    fields = (
        Field(
            "state", gettext("What it shall do"), "radio", sent["state"] or "cordoned",
            required=True, options=options,
        ),
        Field("reason", gettext("Reason"), "textarea", sent["reason"], required=True,
              max_length=1000),
        Field("until", gettext("Until (UTC)"), value=sent["until"],
              help=gettext("Such as 2027-01-31 18:00; empty when nobody knows.")),
    )  # fmt: skip
    return Form.of(fields, problems)


@pages.post("/regions/<id>/look")
@requires("region.add")
def look(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """Ask the region now."""
    use(Fleet).look(current_actor(), id)
    return go("provisioning_pages.region", id=id, notice="looked")


@pages.post("/regions/<id>/close")
@requires("region.close")
def close(id: str) -> ResponseReturnValue:  # noqa: A002
    """Close the region, or say what is wrong."""
    try:
        use(Fleet).close(
            current_actor(),
            id,
            state=request.form.get("state", ""),
            reason=request.form.get("reason", ""),
            until=_until(request.form.get("until", "")),
        )
    except Invalid as error:
        return show_region(id, closure_form(tuple(error.problems)), 422)
    return go("provisioning_pages.region", id=id, notice="closed")


@pages.post("/regions/<id>/open")
@requires("region.close")
def open_(id: str) -> ResponseReturnValue:  # noqa: A002
    """Open the region."""
    use(Fleet).open(current_actor(), id)
    return go("provisioning_pages.region", id=id, notice="opened")


def _until(text: str) -> datetime | None:
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Invalid([Problem("until", "must be a day and a time")]) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
