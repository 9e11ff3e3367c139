"""Pages of checks for clerks: scenarios, a form, and one check while it is asked and after."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from foundation.access import policy
from foundation.kernel.errors import BoroughError, Conflict, Invalid, NotFound, Problem
from foundation.kernel.paging import PageRequest
from foundation.surface.auth import current_actor, may, requires
from foundation.surface.registry import use
from foundation.surface.web.forms import Field, Form, Option
from foundation.surface.web.i18n import N_, local, say
from foundation.surface.web.pages import Crumb, Pages, go, show
from workloads.data_exchange.agencies.pages import options
from workloads.data_exchange.checks import looks
from workloads.data_exchange.checks.connections import Connections
from workloads.data_exchange.checks.consent import Consents
from workloads.data_exchange.checks.corrections.looks import state as correction_state
from workloads.data_exchange.checks.corrections.model import LONGEST_TEXT
from workloads.data_exchange.checks.corrections.service import Corrections
from workloads.data_exchange.checks.model import Check, CheckState, QuestionState, Scenario
from workloads.data_exchange.checks.service import Checks

pages = Pages("checks", __name__)
pages.navigation(N_("Checks"), "checks", action="check.view", order=50)
pages.notices["check.objected"] = N_("The agency that holds the record was asked to correct it.")
pages.subjects["chk"] = "checks_pages.check"
_DIGITS = 2


def _way(*more: Crumb) -> list[Crumb]:
    there = Crumb(gettext("Checks"), url_for("checks_pages.checks"))
    return [Crumb(gettext("Home"), "/"), there, *more]


@pages.app_context_processor
def _names() -> dict[str, object]:
    return {"check_look": looks, "correction_state": correction_state}


@pages.get("/scenarios")
@requires("scenario.view")
def scenarios() -> ResponseReturnValue:
    """What may be checked, and who answers each question."""
    actor = current_actor()
    known = {one.name: one for one in use(Connections).connections(actor)}
    return show(
        "checks/scenarios.html", scenarios=use(Checks).scenarios(actor), connections=known,
        crumbs=_way(Crumb(gettext("Scenarios"))),
    )  # fmt: skip


@pages.get("/checks")
@requires("check.view")
def checks() -> ResponseReturnValue:
    """The checks of the visitor's agencies, newest first."""
    page = use(Checks).checks(current_actor(), PageRequest(request.args.get("cursor")))
    return show(
        "checks/checks.html", page=page, titles=use(Checks).titles(),
        crumbs=[Crumb(gettext("Home"), "/"), Crumb(gettext("Checks"))],
    )  # fmt: skip


@pages.get("/checks/new")
@requires("check.create")
def new() -> ResponseReturnValue:
    """The form of a check: which scenario, then who and what."""
    return _new(request.args.get("scenario", ""), {})


@pages.post("/checks/new")
@requires("check.create")
def create() -> ResponseReturnValue:
    """Begin a check and show the codes of consent, once; or say what is wrong."""
    given = request.form
    name = given.get("scenario", "")
    try:
        scenario = use(Checks).scenario(current_actor(), name)
        made = use(Checks).begin(
            current_actor(), agency=given.get("agency", ""), scenario=name,
            persons=given.get("persons", "").split(), inputs=_inputs(scenario, given),
        )  # fmt: skip
    except Invalid as error:
        return _new(name, given, error.problems, 422)
    except NotFound as error:
        field = "agency" if use(Checks).titles().get(name) else "scenario"
        return _new(name, given, [Problem(field, error.message)], 422)
    return show(
        "checks/codes.html", 201, check=made.check, tokens=made.tokens,
        crumbs=_way(Crumb(gettext("Codes of consent"))),
    )  # fmt: skip


def _inputs(scenario: Scenario, given: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, about in scenario.data.get("inputs", {}).items():
        text = given.get(f"inputs.{name}", "").strip()
        found[name] = _number(text) if about.get("kind") == "number" else text
    return found


def _number(text: str) -> int | float | str:
    """A number; what is none stays text, which the service refuses in the words of the API."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _new(
    name: str, given: Mapping[str, str], problems: Sequence[Problem] = (), status: int = 200
) -> ResponseReturnValue:
    actor = current_actor()
    known = {one.name: one for one in use(Checks).scenarios(actor)}
    scenario = known.get(name)
    if scenario is None:
        choices = tuple(Option(one.name, local(one.title)) for one in known.values())
        field = Field("scenario", gettext("Scenario"), "select", options=choices, required=True)
        wrong = [Problem("scenario", "there is no such scenario")] if name else []
        return show(
            "checks/new.html", 422 if wrong else status, scenario=None,
            form=Form.of([field], wrong), crumbs=_way(Crumb(gettext("New check"))),
        )  # fmt: skip
    mine = tuple(one for one in options() if policy.allows(actor, "check.create", one.value))
    fields = [
        Field("agency", gettext("Agency that asks"), "select", given.get("agency", ""),
              required=True, options=mine),
        Field("persons", gettext("Resident numbers"), "lines", given.get("persons", ""),
              required=True, help=gettext("One a line; the applicant first.")),
    ]  # fmt: skip
    for key, about in scenario.data.get("inputs", {}).items():
        title = about.get("title", {})
        fields.append(
            Field(f"inputs.{key}", local(title) or key, value=given.get(f"inputs.{key}", ""),
                  required=True, max_length=200)
        )  # fmt: skip
    missing = [
        local(one.title) for one in scenario.questions
        if not use(Connections).provider(one.service)
    ]  # fmt: skip
    return show(
        "checks/new.html", status, scenario=scenario, missing=", ".join(missing),
        form=Form.of(fields, problems), crumbs=_way(Crumb(gettext("New check"))),
    )  # fmt: skip


@pages.get("/checks/<id>")
@requires("check.view")
def check(id: str) -> ResponseReturnValue:  # noqa: A002 - the name in the address
    """One check: how far each question is, the verdict with reasons and receipts."""
    return _check(id)


def _check(
    check_id: str, problems: Sequence[Problem] = (), status: int = 200, wrong: str = ""
) -> ResponseReturnValue:
    actor, service = current_actor(), use(Checks)
    found = service.check(actor, check_id)
    scenario = service.scenario_of(found)
    mine = policy.allows(actor, "check.create", found.path)
    return show(
        "checks/check.html", status, check=found, scenario=scenario, wrong=wrong, mine=mine,
        reasons=[rule for rule in scenario.rules if rule.id in found.reasons],
        titles={one.name: one.title for one in scenario.questions},
        going=found.state in {CheckState.CONSENT, CheckState.ASKING},
        consents=use(Consents).given(actor, check_id), receipts=may("receipt.view"),
        corrections=use(Corrections).of_check(actor, check_id),
        form=_objection(found, scenario, problems) if mine else None,
        crumbs=_way(Crumb(local(scenario.title))),
    )  # fmt: skip


def _objection(check: Check, scenario: Scenario, problems: Sequence[Problem]) -> Form | None:
    """The form in which a clerk objects; None while nothing was answered."""
    answered = {one.name for one in check.questions if one.state is not QuestionState.WAITING}
    if not answered or check.state is CheckState.STOPPED:
        return None
    given = request.form
    asked = tuple(Option(one.name, local(one.title)) for one in scenario.questions
                  if one.name in answered)  # fmt: skip
    people = tuple(
        Option(str(n), gettext("Applicant") if n == 0 else gettext("Person %(n)s", n=n + 1))
        for n in range(len(check.consents))
    )
    fields = [
        Field("question", gettext("Question"), "select", given.get("question", ""), required=True,
              options=asked),
        Field("person", gettext("About whom"), "select", given.get("person", "0"), required=True,
              options=people),
        Field("text", gettext("What is wrong"), "textarea", given.get("text", ""), required=True,
              max_length=LONGEST_TEXT,
              help=gettext("The agency that holds the record reads it.")),
    ]  # fmt: skip
    return Form.of(fields, problems)


@pages.post("/checks/<id>/corrections")
@requires("check.create")
def object_to(id: str) -> ResponseReturnValue:  # noqa: A002
    """Object to an answer, or say what is wrong."""
    given = request.form
    person = given.get("person", "")
    try:
        use(Corrections).ask(
            current_actor(), id, given.get("question", ""),
            _place(person), given.get("text", ""),
        )  # fmt: skip
    except Invalid as error:
        return _check(id, error.problems, 422)
    except Conflict as error:
        return _check(id, (), 409, say(error.message))
    return go("checks_pages.check", id=id, notice="check.objected")


@pages.post("/checks/<id>/codes")
@requires("check.create")
def renew(id: str) -> ResponseReturnValue:  # noqa: A002
    """Another code for somebody who lost theirs, shown once."""
    person = request.form.get("person", "")
    try:
        token = use(Consents).renew(current_actor(), id, _place(person))
    except BoroughError as error:
        use(Checks).check(current_actor(), id)
        return _check(id, (), 409, say(error.message))
    found = use(Checks).check(current_actor(), id)
    return show(
        "checks/codes.html", 201, check=found, tokens=(token,),
        crumbs=_way(Crumb(gettext("Codes of consent"))),
    )  # fmt: skip


def _place(text: str) -> int:
    """A person's place as a form sent it; one that nobody has when it is no number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else -1
