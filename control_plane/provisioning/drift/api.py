"""Drift over HTTP: what differs, and what is decided about it."""

from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from control_plane.provisioning.drift.model import (
    Finding,
    FindingState,
    LookOutcome,
    RegionSummary,
)
from control_plane.provisioning.drift.service import Drift
from control_plane.provisioning.graph import DriftKind
from foundation.kernel.paging import Page
from foundation.operations.api import OperationOut
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    accepted,
    current_actor,
    idempotent,
    requires,
    use,
)

api = ApiBlueprint("drift", __name__, tag="Drift")

Filter = Annotated[str, Field(max_length=100)]
Reason = Annotated[str, Field(max_length=500)]


class DriftQuery(PageQuery):
    """Which findings."""

    region: Annotated[str, Field(max_length=100, description="Id of a region.")] | None = None
    tenancy: Filter | None = None
    deployment: Filter | None = None
    kind: DriftKind | None = None
    type: Filter | None = None
    state: (
        Annotated[
            FindingState,
            Field(description="Without it, those that stand: open, ignored, accepted."),
        ]
        | None
    ) = None


class TurnOut(Schema):
    """A change of a finding's state."""

    at: Instant
    state: FindingState
    by: str
    reason: str


class DriftFindingOut(Schema):
    """One property that differs from what was applied, a missing resource, or an added one."""

    id: str
    deployment_id: str
    region_id: str
    tenancy_id: str
    path: str
    urn: str
    type: str
    name: Annotated[str, Field(description="The resource's, in the blueprint.")]
    kind: DriftKind
    attribute: Annotated[
        str,
        Field(
            description="Which property; empty for a missing resource; the cloud's id of what was "
            "added."
        ),
    ]
    removable: Annotated[
        bool, Field(description="It was added, and a repair that names its id removes it.")
    ]
    wanted: Annotated[Any, Field(description="What was applied; secrets are masked.")]
    found: Annotated[Any, Field(description="What the region has; secrets are masked.")]
    state: FindingState
    deviation: Annotated[
        bool, Field(description="Accepted although no input of the blueprint says so.")
    ]
    input: Annotated[str, Field(description="The input that took it over.")]
    ignored_until: Instant | None
    reason: str
    by: str
    operation: str
    first_seen: Instant
    last_seen: Instant
    closed_at: Annotated[Instant | None, Field(description="Null while it stands.")]
    history: list[TurnOut]


class LookOut(Schema):
    """How a deployment stands with looks."""

    next_at: Instant
    checked_at: Annotated[Instant | None, Field(description="When it was last seen.")]
    attempted_at: Instant | None
    outcome: LookOutcome | None
    error: Annotated[str, Field(description="Why it could not be looked at.")]


class DeploymentDriftOut(Schema):
    """How a deployment stands with looks, and what stands of it."""

    look: LookOut | None
    items: list[DriftFindingOut]


class RegionSightOut(Schema):
    """Whether a region can be looked at."""

    failures: int
    unseen_since: Instant | None
    retry_at: Annotated[Instant | None, Field(description="Nobody asks it before then.")]
    error: str


class RegionDriftOut(Schema):
    """What is known of the drift in one region, as far as you may see."""

    region_id: str
    counts: Annotated[
        dict[str, dict[str, int]], Field(description="Standing findings by state, then by kind.")
    ]
    watched: int
    never: Annotated[int, Field(description="Deployments that no look has reached yet.")]
    unseen: Annotated[int, Field(description="Deployments whose last look failed.")]
    oldest: Annotated[Instant | None, Field(description="The oldest of the last looks.")]
    sight: RegionSightOut


class DriftSummaryOut(Schema):
    """All regions in which you may see something."""

    items: list[RegionDriftOut]


class DriftChecksInput(Input):
    """Where to look."""

    region: Annotated[str, Field(max_length=100, description="Id; null for all.")] | None = None


class DriftChecksOut(Schema):
    """How many deployments were moved up; they are looked at in small batches."""

    deployments: int


class RepairInput(Input):
    """What to repair, and why."""

    everything: Annotated[bool, Field(description="Also what is ignored or was accepted.")] = False
    remove: Annotated[
        list[Filter],
        Field(
            description="Of what was added, the cloud's ids of what is to go (a finding's "
            "`attribute`). Nothing that was added is removed without being named.",
            max_length=500,
        ),
    ] = Field(default_factory=list)
    reason: Reason = ""


class AdoptInput(Input):
    """What to adopt, and why."""

    findings: Annotated[
        list[Filter],
        Field(description="Ids; empty for all that are open or ignored.", max_length=500),
    ] = Field(default_factory=list)
    reason: Reason


class IgnoreInput(Input):
    """Until when nobody is to be bothered, and why."""

    until: Instant
    reason: Reason


@api.get("/drift")
@requires("drift.view")
@api.input(DriftQuery, location="query")
@api.output(PageOut[DriftFindingOut])
def list_drift(query_data: DriftQuery) -> Page[Finding]:
    """The findings that you may see, newest first; those that stand unless a state is named."""
    filters = {
        "region_id": query_data.region,
        "tenancy_id": query_data.tenancy,
        "deployment_id": query_data.deployment,
        "kind": query_data.kind,
        "type": query_data.type,
        "state": query_data.state,
    }
    given = {name: str(value) for name, value in filters.items() if value is not None}
    return use(Drift).findings(current_actor(), query_data.page(), given)


@api.get("/drift/summary")
@requires("drift.view")
@api.output(DriftSummaryOut)
def get_drift_summary() -> dict[str, list[RegionSummary]]:
    """By region: how much stands of which kind, and how old the looks are."""
    return {"items": use(Drift).summary(current_actor())}


@api.post("/drift/checks")
@requires("drift.check")
@idempotent
@api.input(DriftChecksInput)
@api.output(DriftChecksOut)
def start_drift_checks(json_data: DriftChecksInput) -> dict[str, int]:
    """Look at everything that you may check, in small batches, beginning now."""
    return {"deployments": use(Drift).request_checks(current_actor(), json_data.region)}


@api.get("/drift/<finding_id>")
@requires("drift.view")
@api.output(DriftFindingOut)
def get_drift_finding(finding_id: str) -> Finding:
    """One finding with its history."""
    return use(Drift).finding(current_actor(), finding_id)


@api.post("/drift/<finding_id>/ignore")
@requires("drift.ignore")
@idempotent
@api.input(IgnoreInput)
@api.output(DriftFindingOut)
def ignore_drift_finding(finding_id: str, json_data: IgnoreInput) -> Answer:
    """Let nobody be bothered with it until a date; then it is open again."""
    return use(Drift).ignore(
        current_actor(), finding_id, until=json_data.until, reason=json_data.reason
    )


@api.get("/deployments/<deployment_id>/drift")
@requires("drift.view")
@api.output(DeploymentDriftOut)
def get_deployment_drift(deployment_id: str) -> dict[str, Any]:
    """How a deployment stands with looks, and what stands of it."""
    look, found = use(Drift).of_deployment(current_actor(), deployment_id)
    return {"look": look, "items": found}


@api.post("/deployments/<deployment_id>/drift/check")
@requires("drift.check")
@idempotent
@api.output(OperationOut, 202)
def check_deployment_drift(deployment_id: str) -> ResponseReturnValue:
    """Look at a deployment now."""
    started = use(Drift).request_check(current_actor(), deployment_id)
    return accepted(started, started.id)


@api.post("/deployments/<deployment_id>/drift/repair")
@requires("drift.repair")
@idempotent
@api.input(RepairInput)
@api.output(OperationOut, 202)
def repair_deployment_drift(deployment_id: str, json_data: RepairInput) -> ResponseReturnValue:
    """Bring back what was applied last, and nothing else."""
    started = use(Drift).request_repair(
        current_actor(),
        deployment_id,
        everything=json_data.everything,
        remove=json_data.remove,
        reason=json_data.reason,
    )
    return accepted(started, started.id)


@api.post("/deployments/<deployment_id>/drift/adopt")
@requires("drift.adopt")
@idempotent
@api.input(AdoptInput)
@api.output(OperationOut, 202)
def adopt_deployment_drift(deployment_id: str, json_data: AdoptInput) -> ResponseReturnValue:
    """Want what is there: through the blueprint's inputs, or as an accepted deviation."""
    started = use(Drift).request_adopt(
        current_actor(), deployment_id, findings=json_data.findings, reason=json_data.reason
    )
    return accepted(started, started.id)
