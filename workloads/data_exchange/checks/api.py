"""Checks, scenarios and consent over HTTP."""

from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from foundation.kernel.paging import Page
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    created,
    current_actor,
    idempotent,
    requires,
    use,
)
from workloads.data_exchange.checks.connections import Connections
from workloads.data_exchange.checks.model import (
    Check,
    CheckState,
    Connection,
    ConsentState,
    Question,
    QuestionState,
    Scenario,
    Verdict,
)
from workloads.data_exchange.checks.service import Checks, receipts_of, seen

api = ApiBlueprint("checks", __name__, tag="Checks")


class ScenarioRevise(Input):
    """A scenario as data; it becomes the next version of its name."""

    data: Annotated[
        dict[str, Any],
        Field(description="name, title, consent, questions, rules, inputs, limits."),
    ]


class ScenarioOut(Schema):
    """A scenario in its newest version."""

    name: str
    version: int
    title: dict[str, str]
    consent: dict[str, str]
    data: dict[str, Any]


class ScenariosOut(Schema):
    """All scenarios."""

    items: list[ScenarioOut]


class ConnectionBody(Input):
    """Which service of the directory answers what."""

    name: Annotated[str, Field(max_length=200, description="As scenarios call it.")]
    service: Annotated[str, Field(max_length=100, description="Id in the directory.")]
    path: Annotated[str, Field(max_length=500, description="Of its interface; asked by POST.")]


class ConnectionOut(Schema):
    """Which service of the directory answers what."""

    name: str
    service: str
    path: str


class ConnectionsOut(Schema):
    """All of them."""

    items: list[ConnectionOut]


class CheckCreate(Input):
    """A check of somebody under a scenario."""

    agency: Annotated[str, Field(min_length=1, max_length=500, description="Id or path.")]
    scenario: Annotated[str, Field(min_length=1, max_length=40)]
    persons: Annotated[
        list[Annotated[str, Field(max_length=18)]],
        Field(max_length=20, description="Resident numbers, the applicant first."),
    ]
    inputs: Annotated[dict[str, str | int | float], Field(default_factory=dict)]


class CheckQuestionOut(Schema):
    """How far a question is; ``findings``: yes, no or unknown (null) for each."""

    name: str
    state: QuestionState
    findings: dict[str, bool | None]
    receipt: str
    attempts: int
    answered_at: Instant | None
    provider: Annotated[str, Field(description="Path of the agency that is asked.")]
    round: Annotated[int, Field(description="Which time it is asked: again after a correction.")]
    why: Annotated[str, Field(description="What the last ask failed of, while it waits.")]


class CheckOut(Schema):
    """A check: what it says and why, never what anybody answered."""

    id: str
    path: str
    scenario: str
    version: int
    state: CheckState
    verdict: Verdict
    reasons: Annotated[list[str], Field(description="Ids of rules of the scenario.")]
    questions: list[CheckQuestionOut]
    consents: list[ConsentState]
    receipts: list[str]
    created_at: Instant
    limit_at: Instant
    tokens: Annotated[
        list[str], Field(description="One-time codes of consent; when it is created, never again.")
    ]


@api.get("/scenarios")
@requires("scenario.view")
@api.output(ScenariosOut)
def list_scenarios() -> Answer:
    """The scenarios in their newest versions, by name."""
    return {"items": [_scenario(one) for one in use(Checks).scenarios(current_actor())]}


@api.post("/scenarios")
@requires("scenario.manage")
@idempotent
@api.input(ScenarioRevise)
@api.output(ScenarioOut, 201)
def revise_scenario(json_data: ScenarioRevise) -> ResponseReturnValue:
    """Keep a scenario as its next version; checks that run go on under theirs."""
    made: Scenario = use(Checks).revise(current_actor(), json_data.data)
    return created(_scenario(made), "/api/v1/scenarios")


@api.get("/scenarios/connections")
@requires("scenario.view")
@api.output(ConnectionsOut)
def list_connections() -> Answer:
    """Which service of the directory answers what, by name."""
    return {"items": [_connection(one) for one in use(Connections).connections(current_actor())]}


@api.post("/scenarios/connections")
@requires("scenario.manage")
@api.input(ConnectionBody)
@api.output(ConnectionOut)
def connect_question(json_data: ConnectionBody) -> Answer:
    """Say which service answers a question from now on."""
    wanted = Connection(json_data.name, json_data.service, json_data.path)
    return _connection(use(Connections).connect(current_actor(), wanted))


@api.get("/checks")
@requires("check.view")
@api.input(PageQuery, location="query")
@api.output(PageOut[CheckOut])
def list_checks(query_data: PageQuery) -> Page[dict[str, Any]]:
    """The checks that you may see, newest first."""
    return use(Checks).checks(current_actor(), query_data.page()).map(_out)


@api.post("/checks")
@requires("check.create")
@idempotent
@api.input(CheckCreate)
@api.output(CheckOut, 201)
def create_check(json_data: CheckCreate) -> ResponseReturnValue:
    """Begin a check; nobody is asked before all persons have consented by their codes."""
    made = use(Checks).begin(
        current_actor(), agency=json_data.agency, scenario=json_data.scenario,
        persons=json_data.persons, inputs=json_data.inputs,
    )  # fmt: skip
    body = {**_out(made.check), "tokens": list(made.tokens)}
    return created(body, f"/api/v1/checks/{made.check.id}")


@api.get("/checks/<check_id>")
@requires("check.view")
@api.output(CheckOut)
def get_check(check_id: str) -> Answer:
    """One check."""
    return _out(use(Checks).check(current_actor(), check_id))


def _scenario(one: Scenario) -> dict[str, Any]:
    return {
        "name": one.name, "version": one.version, "title": one.title.as_json(),
        "consent": one.consent.as_json(), "data": dict(one.data),
    }  # fmt: skip


def _connection(one: Connection) -> dict[str, Any]:
    return {"name": one.name, "service": one.service, "path": one.path}


def _question(one: Question) -> dict[str, Any]:
    return {
        "name": one.name, "state": one.state, "findings": dict(one.findings),
        "receipt": one.receipt, "attempts": one.attempts, "answered_at": one.answered_at,
        "provider": one.provider, "round": one.round, "why": one.why,
    }  # fmt: skip


def _out(check: Check) -> dict[str, Any]:
    return {
        "id": check.id, "path": check.path, "scenario": check.scenario, "version": check.version,
        "state": check.state, "verdict": seen(check), "reasons": list(check.reasons),
        "questions": [_question(one) for one in check.questions], "consents": list(check.consents),
        "receipts": list(receipts_of(check)), "created_at": check.created_at,
        "limit_at": check.limit_at, "tokens": [],
    }  # fmt: skip
