"""Pages for the persons of checks: what is asked about them, yes or no, and objections.

The code is sent in bodies alone, never in an address: those stand in histories and logs.
"""

from collections.abc import Sequence

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.kernel.errors import Conflict, Invalid, NotFound, Problem
from foundation.surface.auth import public
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import language, local, say
from foundation.surface.web.pages import Crumb, Pages, show
from workloads.data_exchange.checks.consent import Consents
from workloads.data_exchange.checks.corrections.model import LONGEST_TEXT
from workloads.data_exchange.checks.corrections.service import Corrections
from workloads.data_exchange.checks.model import CheckState, QuestionState

pages = Pages("consent", __name__)


@pages.get("/consent")
@public
def start() -> ResponseReturnValue:
    """Asks for the code."""
    return _start()


def _start(problems: Sequence[Problem] = (), status: int = 200) -> ResponseReturnValue:
    field = Field("code", gettext("Code"), required=True, max_length=200, autocomplete="off",
                  help=gettext("From the office that asks for your consent."))  # fmt: skip
    return show(
        "checks/consent_start.html", status, form=Form.of([field], problems),
        crumbs=[Crumb(gettext("Consent"))],
    )  # fmt: skip


@pages.post("/consent")
@public
def look() -> ResponseReturnValue:
    """What the holder of a code is asked, in words."""
    return _look(_code())


def _code() -> str:
    return request.form.get("code", "").strip()


def _look(
    code: str, problems: Sequence[Problem] = (), status: int = 200, *, wrong: str = "",
    notice: str = "",
) -> ResponseReturnValue:  # fmt: skip
    try:
        asked = use(Consents).asked(code, language())
        told = use(Corrections).of_code(code)
    except NotFound as error:
        return _start([Problem("code", error.message)], 404)
    answered = tuple(
        Option(one.name, local(scenario.title))
        for one, scenario in zip(asked.check.questions, asked.scenario.questions, strict=True)
        if one.state is not QuestionState.WAITING
    )
    objects = answered and asked.check.state is not CheckState.STOPPED
    fields = [
        Field("question", gettext("Question"), "select", request.form.get("question", ""),
              required=True, options=answered),
        Field("text", gettext("What is wrong"), "textarea",
              request.form.get("text", "") if problems or wrong else "", required=True,
              max_length=LONGEST_TEXT,
              help=gettext("The agency that holds the record reads it.")),
    ]  # fmt: skip
    return show(
        "checks/consent.html", status, asked=asked, words=asked.statement, code=code, told=told,
        wrong=wrong, notice_=notice, form=Form.of(fields, problems) if objects else None,
        titles={one.name: one.title for one in asked.scenario.questions},
        reasons=[rule for rule in asked.scenario.rules if rule.id in asked.check.reasons],
        crumbs=[Crumb(gettext("Consent"))],
    )  # fmt: skip


@pages.post("/consent/decision")
@public
def decide() -> ResponseReturnValue:
    """Consent, refuse, or withdraw."""
    choice = request.form.get("agree", "")
    if choice not in {"yes", "no"}:
        return _look(_code(), (), 422, wrong=gettext("Say yes or no."))
    try:
        use(Consents).decide(_code(), agree=choice == "yes", language=language())
    except NotFound as error:
        return _start([Problem("code", error.message)], 404)
    except Conflict as error:
        return _look(_code(), (), 409, wrong=say(error.message))
    return _look(_code(), notice=gettext("It was written down."))


@pages.post("/consent/correction")
@public
def object_to() -> ResponseReturnValue:
    """Object to an answer about oneself."""
    given = request.form
    try:
        use(Corrections).ask_by_code(_code(), given.get("question", ""), given.get("text", ""))
    except NotFound as error:
        return _start([Problem("code", error.message)], 404)
    except Invalid as error:
        return _look(_code(), error.problems, 422)
    except Conflict as error:
        return _look(_code(), (), 409, wrong=say(error.message))
    told = gettext("The agency that holds the record was asked to correct it.")
    return _look(_code(), notice=told)
