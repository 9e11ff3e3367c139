"""Pages of corrections, for those who asked and those who decide."""

from collections.abc import Sequence

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import Conflict, Invalid, Problem
from foundation.kernel.paging import PageRequest
from foundation.surface.auth import current_actor, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form
from foundation.surface.web.i18n import N_, say
from foundation.surface.web.pages import Crumb, Pages, go, show
from foundation.surface.web.show import now
from workloads.data_exchange.agreements.calendar.service import Calendar
from workloads.data_exchange.checks.corrections import looks
from workloads.data_exchange.checks.corrections.model import LONGEST_TEXT
from workloads.data_exchange.checks.corrections.service import Corrections

pages = Pages("corrections", __name__)
pages.navigation(N_("Corrections"), "corrections", action="correction.view", order=55)
pages.notices["correction.decided"] = N_("Whoever objected sees it.")
pages.subjects["cor"] = "corrections_pages.correction"


@pages.get("/corrections")
@requires("correction.view")
def corrections() -> ResponseReturnValue:
    """What waits for a decision, or all."""
    waiting = request.args.get("which", "open") == "open"
    page = use(Corrections).corrections(
        current_actor(), PageRequest(request.args.get("cursor")), waiting=waiting
    )
    calendar, at = use(Calendar).now(), now()
    return show(
        "corrections/corrections.html", page=page, waiting=waiting,
        clock=lambda one: looks.clock(one, calendar, at),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Corrections"))],
    )  # fmt: skip


@pages.get("/corrections/<id>")
@requires("correction.view")
def correction(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One in words, and for its provider the form to decide it."""
    return _correction(id)


def _correction(
    correction_id: str, problems: Sequence[Problem] = (), status: int = 200, wrong: str = ""
) -> ResponseReturnValue:
    actor, service = current_actor(), use(Corrections)
    told = service.correction(actor, correction_id)
    text = Field("text", gettext("What was done, or why the record stays"), "textarea",
                 request.form.get("text", "") if problems else "", required=True,
                 max_length=LONGEST_TEXT)  # fmt: skip
    return show(
        "corrections/correction.html", status, told=told, one=told.correction, wrong=wrong,
        clock=looks.clock(told.correction, use(Calendar).now(), now()),
        form=Form.of([text], problems) if service.decides(actor, told.correction) else None,
        crumbs=[
            Crumb(gettext("Home"), "/"),
            Crumb(gettext("Corrections"), url_for("corrections_pages.corrections")),
            Crumb(correction_id),
        ],
    )  # fmt: skip


@pages.post("/corrections/<id>")
@requires("correction.decide")
def decide(id: str) -> ResponseReturnValue:  # noqa: A002
    """Say that the record was corrected, or why it stays."""
    given = request.form
    if given.get("decision") not in {"corrected", "refused"}:
        return _correction(id, (), 422, gettext("Say whether the record was corrected."))
    try:
        use(Corrections).decide(
            current_actor(), id, corrected=given["decision"] == "corrected",
            text=given.get("text", ""),
        )  # fmt: skip
    except Invalid as error:
        return _correction(id, error.problems, 422)
    except Conflict as error:
        return _correction(id, (), 409, say(error.message))
    return go("corrections_pages.correction", id=id, notice="correction.decided")
