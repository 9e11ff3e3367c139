"""Migration of systems over HTTP."""

from datetime import date
from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from control_plane.tenancy.migration.model import Count, Journey, MigrationState, Progress, Step
from control_plane.tenancy.migration.service import Claim, Migration
from foundation.kernel.paging import Page
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    DecimalText,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    TextBody,
    created,
    current_actor,
    idempotent,
    requires,
    use,
)

api = ApiBlueprint("migration", __name__, tag="Migration of systems")

Organisation = Annotated[str, Field(max_length=400, description="An id or a path.")]


class WaveBody(Input):
    """Systems that move together."""

    title: TextBody
    start: Annotated[date, Field(strict=False, description="First day.")]
    due: Annotated[date, Field(strict=False, description="Last day.")]


class WaveOut(Schema):
    """Systems that move together."""

    slug: str
    title: TextBody
    start: date
    due: date


class WavesOut(Schema):
    """All waves, by their first day."""

    items: list[WaveOut]


class TargetBody(Input):
    """A share that must have arrived by the end of a day."""

    due: Annotated[date, Field(strict=False)]
    percent: Annotated[DecimalText, Field(description="Above 0, at most 100.")]


class TargetsBody(Input):
    """All targets of an organisation, in place of those that it had."""

    organisation: Organisation
    targets: Annotated[list[TargetBody], Field(max_length=20)]


class TargetOut(Schema):
    """A share that must have arrived by the end of a day."""

    path: str
    due: date
    percent: DecimalText


class TargetsOut(Schema):
    """The targets of one organisation itself, by day."""

    items: list[TargetOut]


class OrganisationQuery(Input):
    """Whose."""

    organisation: Annotated[
        str, Field(max_length=400, description="An id or a path; empty: the highest you may see.")
    ] = ""


class OneOrganisationQuery(Input):
    """Whose."""

    organisation: Organisation


class JourneyQuery(PageQuery):
    """Which systems."""

    state: Annotated[str, Field(max_length=20)] = ""
    wave: Annotated[str, Field(max_length=40)] = ""
    path: Annotated[str, Field(max_length=400, description="At or below.")] = ""


class JourneyOut(Schema):
    """A system on its way."""

    system_id: str
    slug: str
    name: TextBody
    path: str
    state: MigrationState
    wave: str
    due: date | None
    since: Instant | None


class MigrationStepOut(Schema):
    """One step of a system."""

    id: str
    number: int
    before: MigrationState
    after: MigrationState
    at: Annotated[Instant, Field(description="When it happened.")]
    recorded_at: Annotated[Instant, Field(description="When it was entered.")]
    by: str
    note: str
    evidence: list[str]


class JourneyDetailOut(JourneyOut):
    """A system on its way, with its steps, the oldest first."""

    steps: list[MigrationStepOut]


class PlanBody(Input):
    """When a system moves."""

    wave: Annotated[str, Field(max_length=40, description="Empty takes it out.")] = ""
    due: Annotated[
        date | None, Field(strict=False, description="Its last day; null takes the wave's.")
    ] = None


class StepBody(Input):
    """The next step of a system."""

    to: Annotated[str, Field(max_length=20, description="The state that is reached.")]
    note: Annotated[str, Field(max_length=4000, description="Why, or what was done.")]
    evidence: Annotated[
        list[Annotated[str, Field(max_length=1000)]],
        Field(max_length=50, description="Addresses (https://…) or ids of the platform."),
    ] = Field(default_factory=list)
    at: Annotated[Instant | None, Field(description="When it happened; null is now.")] = None


class VerificationBody(Input):
    """What shows that a system has arrived."""

    note: Annotated[str, Field(max_length=4000, description="What was looked at.")]
    evidence: Annotated[
        list[Annotated[str, Field(max_length=1000)]],
        Field(max_length=50, description="Addresses (https://…) or ids of the platform."),
    ]


class CountOut(Schema):
    """How many systems are in each state, and what share has arrived."""

    by_state: dict[str, int]
    total: Annotated[int, Field(description="Without those that are exempt.")]
    arrived: int
    percent: DecimalText


class NamedCountOut(CountOut):
    """The same of an organisation or a wave."""

    name: str


class PointOut(Schema):
    """How it stood at the end of a day."""

    day: date
    total: int
    arrived: int
    percent: DecimalText


class MigrationTargetStandingOut(Schema):
    """How a target stands."""

    due: date
    wanted: DecimalText
    state: str
    percent: Annotated[DecimalText, Field(description="Reached by its day, or until now.")]
    missing: Annotated[int, Field(description="Systems that still have to arrive for it.")]
    per_week: Annotated[DecimalText | None, Field(description="How many a week that are.")]


class ProgressOut(Schema):
    """The figures of an organisation with everything below it."""

    path: str
    at: Instant
    now: CountOut
    organisations: list[NamedCountOut]
    waves: list[NamedCountOut]
    series: list[PointOut]
    targets: list[MigrationTargetStandingOut]


@api.get("/migration/waves")
@requires("migration.view")
@api.output(WavesOut)
def list_waves() -> Answer:
    """All waves, by their first day."""
    return {"items": use(Migration).waves(current_actor())}


@api.put("/migration/waves/<slug>")
@requires("migration.plan")
@api.input(WaveBody)
@api.output(WaveOut)
def put_wave(slug: str, json_data: WaveBody) -> Answer:
    """Keep a wave of the whole city, new or changed."""
    return use(Migration).put_wave(
        current_actor(),
        slug,
        title=json_data.title.value(),
        start=json_data.start,
        due=json_data.due,
    )


@api.delete("/migration/waves/<slug>")
@requires("migration.plan")
@api.output({}, 204)
def remove_wave(slug: str) -> ResponseReturnValue:
    """Forget a wave that no system is in."""
    use(Migration).remove_wave(current_actor(), slug)
    return "", 204


@api.get("/migration/targets")
@requires("migration.view")
@api.input(OneOrganisationQuery, location="query")
@api.output(TargetsOut)
def list_targets(query_data: OneOrganisationQuery) -> Answer:
    """The targets of one organisation itself, by day."""
    return {"items": use(Migration).targets(current_actor(), query_data.organisation)}


@api.put("/migration/targets")
@requires("migration.plan")
@api.input(TargetsBody)
@api.output(TargetsOut)
def put_targets(json_data: TargetsBody) -> Answer:
    """Keep the targets of an organisation in place of those that it had."""
    wanted = [(target.due, target.percent) for target in json_data.targets]
    return {"items": use(Migration).put_targets(current_actor(), json_data.organisation, wanted)}


@api.get("/migration/systems")
@requires("migration.view")
@api.input(JourneyQuery, location="query")
@api.output(PageOut[JourneyOut])
def list_journeys(query_data: JourneyQuery) -> Page[Journey]:
    """The systems that you may see on their way, by path and name."""
    filters = {"state": query_data.state, "wave": query_data.wave, "path": query_data.path}
    return use(Migration).journeys(current_actor(), query_data.page(), filters)


@api.get("/systems/<system_id>/migration")
@requires("migration.view")
@api.output(JourneyDetailOut)
def get_journey(system_id: str) -> dict[str, Any]:
    """How far a system has come, and by which steps."""
    return _detail(*use(Migration).journey(current_actor(), system_id))


@api.put("/systems/<system_id>/migration")
@requires("migration.plan")
@api.input(PlanBody)
@api.output(JourneyOut)
def plan_journey(system_id: str, json_data: PlanBody) -> Answer:
    """Put a system into a wave, or into none, and agree on its day."""
    return use(Migration).plan(current_actor(), system_id, wave=json_data.wave, due=json_data.due)


@api.post("/systems/<system_id>/migration/steps")
@requires("migration.step")
@idempotent
@api.input(StepBody)
@api.output(JourneyDetailOut, 201)
def add_step(system_id: str, json_data: StepBody) -> ResponseReturnValue:
    """Enter the next step of a system."""
    claim = Claim(json_data.to, json_data.note, json_data.evidence, json_data.at)
    return _entered(system_id, claim)


@api.post("/systems/<system_id>/migration/verification")
@requires("migration.verify")
@idempotent
@api.input(VerificationBody)
@api.output(JourneyDetailOut, 201)
def verify_arrival(system_id: str, json_data: VerificationBody) -> ResponseReturnValue:
    """Verify that a system has arrived; not by whoever said so."""
    claim = Claim(MigrationState.VERIFIED, json_data.note, json_data.evidence)
    return _entered(system_id, claim)


@api.get("/migration/progress")
@requires("migration.view")
@api.input(OrganisationQuery, location="query")
@api.output(ProgressOut)
def get_progress(query_data: OrganisationQuery) -> dict[str, Any]:
    """The figures of an organisation with everything below it."""
    return _progress(use(Migration).progress(current_actor(), query_data.organisation))


def _entered(system_id: str, claim: Claim) -> ResponseReturnValue:
    service, actor = use(Migration), current_actor()
    service.step(actor, system_id, claim)
    body = _detail(*service.journey(actor, system_id))
    return created(body, f"/api/v1/systems/{system_id}/migration")


def _detail(journey: Journey, steps: list[Step]) -> dict[str, Any]:
    fields = ("system_id", "slug", "name", "path", "state", "wave", "due", "since")
    return {**{name: getattr(journey, name) for name in fields}, "steps": steps}


def _count(found: Count) -> dict[str, Any]:
    return {
        "by_state": {state.value: number for state, number in found.by_state.items()},
        "total": found.total,
        "arrived": found.arrived,
        "percent": found.percent,
    }


def _progress(found: Progress) -> dict[str, Any]:
    return {
        "path": found.path,
        "at": found.at,
        "now": _count(found.now),
        "organisations": [{"name": n, **_count(c)} for n, c in found.organisations.items()],
        "waves": [{"name": n, **_count(c)} for n, c in found.waves.items()],
        "series": [
            {"day": day, "total": c.total, "arrived": c.arrived, "percent": c.percent}
            for day, c in found.series
        ],
        "targets": [
            {
                "due": one.target.due,
                "wanted": one.target.percent,
                "state": one.state.value,
                "percent": one.percent,
                "missing": one.missing,
                "per_week": one.per_week,
            }
            for one in found.targets
        ],
    }
