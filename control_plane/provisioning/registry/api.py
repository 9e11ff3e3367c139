"""What revisions change, who runs them, and a blueprint's life, over HTTP."""

from typing import Annotated

from flask.typing import ResponseReturnValue
from pydantic import Field

from control_plane.provisioning.api.blueprints import BlueprintFiles, ValidationOut
from control_plane.provisioning.api.deployments import ChangeOut
from control_plane.provisioning.compatibility import Part
from control_plane.provisioning.registry.model import (
    Comparison,
    Impact,
    ImpactRow,
    Origin,
    ReferenceKind,
    SampleState,
    Source,
    SyncOutcome,
    User,
)
from control_plane.provisioning.registry.service import Registry
from control_plane.provisioning.service import Provisioning
from control_plane.provisioning.standing import Standing, StandingKind
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
    TextBody,
    accepted,
    created,
    current_actor,
    idempotent,
    idempotent_outside,
    requires,
    use,
)

registry = ApiBlueprint("registry", __name__, tag="Registry of blueprints")

Version = Annotated[str, Field(max_length=40)]
Name = Annotated[str, Field(max_length=60)]
Reason = Annotated[str, Field(description="In words for departments.")]


class CompareQuery(Input):
    """Which two versions."""

    new: Annotated[Version, Field(description="Empty takes the highest.")] = ""
    old: Annotated[Version, Field(description="Empty takes the one before.")] = ""


class SchemaChangeOut(Schema):
    """One thing that a newer revision declares otherwise."""

    part: Part
    name: str
    breaking: Annotated[bool, Field(description="What worked may not work any more.")]
    message: TextBody


class SampleDifferenceOut(Schema):
    """What a sample declares in one revision and not in the other."""

    name: str
    state: SampleState
    changes: list[ChangeOut]
    problem: str


class ComparisonOut(Schema):
    """Two revisions of a blueprint."""

    blueprint: str
    old: Annotated[str, Field(description="Digest; empty when there is no older one.")]
    old_version: str
    new: str
    new_version: str
    breaking: bool
    changes: list[SchemaChangeOut]
    samples: list[SampleDifferenceOut]


class RevisionReviewOut(Schema):
    """What publishing files would say and change."""

    validation: ValidationOut
    comparison: ComparisonOut | None


class BlueprintUserQuery(PageQuery):
    """Which deployments."""

    version: Version = ""


class BlueprintUserOut(Schema):
    """A deployment that a blueprint runs in."""

    deployment: str
    name: str
    path: str
    tenancy: str
    region: str
    state: str
    owner: str
    revision: str
    version: str


class ImpactOut(Schema):
    """What a revision would change of everything that runs another one."""

    id: Annotated[str, Field(description="Of the operation that worked it out.")]
    blueprint: str
    revision: str
    version: str
    made_at: Instant
    totals: Annotated[
        dict[str, int], Field(description="Deployments by outcome: problem, replace, change, same.")
    ]
    truncated: Annotated[bool, Field(description="There are more deployments than it looked at.")]


class ImpactRowOut(Schema):
    """What a revision would change of one deployment."""

    deployment: str
    name: str
    path: str
    region: str
    owner: str
    version: Annotated[str, Field(description="What it runs now.")]
    outcome: str
    counts: dict[str, int]
    changes: Annotated[list[ChangeOut], Field(description="The first 20.")]
    problem: Annotated[str, Field(description="Why it cannot take the revision.")]


class StandingOut(Schema):
    """Where a blueprint is in its life."""

    blueprint: str
    kind: StandingKind
    successor: str
    ends_at: Annotated[
        Instant | None, Field(description="From when on a deprecated one takes nothing new.")
    ]
    reason: str
    since: Instant | None
    by: str


class DeprecateInput(Input):
    """From when on a blueprint takes nothing new, and what to use instead."""

    ends_at: Instant
    successor: Name = ""
    reason: Reason = ""


class RetireInput(Input):
    """What to use instead."""

    successor: Annotated[Name, Field(description="Empty keeps the deprecation's.")] = ""
    reason: Reason = ""


class ReinstateInput(Input):
    """Why it is published again."""

    reason: Reason = ""


@registry.get("/blueprints/<name>/comparison")
@requires("blueprint.view")
@registry.input(CompareQuery, location="query")
@registry.output(ComparisonOut)
def compare_blueprint_revisions(name: str, query_data: CompareQuery) -> Comparison:
    """Two published versions: what they take and give, and what their samples declare."""
    return use(Registry).compare(current_actor(), name, new=query_data.new, old=query_data.old)


@registry.post("/blueprint-reviews")
@requires("blueprint.validate")
@idempotent_outside
@registry.input(BlueprintFiles)
@registry.output(RevisionReviewOut)
def review_blueprint(json_data: BlueprintFiles) -> Answer:
    """Check files as publishing would, and compare them with the version before; keeps nothing."""
    validation, comparison = use(Registry).review(current_actor(), json_data.content())
    return {"validation": validation, "comparison": comparison}


@registry.get("/blueprints/<name>/deployments")
@requires("blueprint.view")
@registry.input(BlueprintUserQuery, location="query")
@registry.output(PageOut[BlueprintUserOut])
def list_blueprint_deployments(name: str, query_data: BlueprintUserQuery) -> Page[User]:
    """The living deployments of a blueprint that you may see, with the version that they run."""
    return use(Registry).users(current_actor(), name, query_data.page(), version=query_data.version)


@registry.post("/blueprints/<name>/revisions/<version>/impact")
@requires("blueprint.publish")
@idempotent
@registry.output(OperationOut, 202)
def request_blueprint_impact(name: str, version: str) -> ResponseReturnValue:
    """Work out what a version would change of everything that runs another one."""
    started = use(Registry).request_impact(current_actor(), name, version)
    return accepted(started, started.id)


@registry.get("/blueprints/<name>/revisions/<version>/impact")
@requires("blueprint.publish")
@registry.output(ImpactOut)
def get_blueprint_impact(name: str, version: str) -> Impact:
    """The newest report of what a version would change."""
    return use(Registry).impact(current_actor(), name, version)


@registry.get("/blueprints/<name>/revisions/<version>/impact/deployments")
@requires("blueprint.publish")
@registry.input(PageQuery, location="query")
@registry.output(PageOut[ImpactRowOut])
def list_blueprint_impact(name: str, version: str, query_data: PageQuery) -> Page[ImpactRow]:
    """The report by deployment, those that cannot take the version first."""
    return use(Registry).impact_rows(current_actor(), name, version, query_data.page())


@registry.get("/blueprints/<name>/standing")
@requires("blueprint.view")
@registry.output(StandingOut)
def get_blueprint_standing(name: str) -> Standing:
    """Where a blueprint is in its life."""
    return use(Provisioning).standing(current_actor(), name)


@registry.post("/blueprints/<name>/deprecate")
@requires("blueprint.retire")
@idempotent
@registry.input(DeprecateInput)
@registry.output(StandingOut)
def deprecate_blueprint(name: str, json_data: DeprecateInput) -> Answer:
    """Warn those who make something new from a blueprint, and refuse them from a date on."""
    return use(Provisioning).deprecate(
        current_actor(), name, ends_at=json_data.ends_at, successor=json_data.successor,
        reason=json_data.reason,
    )  # fmt: skip


@registry.post("/blueprints/<name>/retire")
@requires("blueprint.retire")
@idempotent
@registry.input(RetireInput)
@registry.output(StandingOut)
def retire_blueprint(name: str, json_data: RetireInput) -> Answer:
    """Refuse everything new from a blueprint; what was made from it stays."""
    return use(Provisioning).retire(
        current_actor(), name, successor=json_data.successor, reason=json_data.reason
    )


@registry.post("/blueprints/<name>/reinstate")
@requires("blueprint.retire")
@idempotent
@registry.input(ReinstateInput)
@registry.output(StandingOut)
def reinstate_blueprint(name: str, json_data: ReinstateInput) -> Answer:
    """Take a deprecation or retirement back."""
    return use(Provisioning).reinstate(current_actor(), name, reason=json_data.reason)


sources = ApiBlueprint("blueprint_sources", __name__, tag="Blueprint sources")


class SourceCreate(Input):
    """A Git repository whose blueprints are published."""

    slug: Annotated[str, Field(description="Its name here.")]
    url: Annotated[
        str, Field(description="https://…; http:// and file:/// where the settings allow them.")
    ]
    kind: Annotated[str, Field(description="What is read: branch, tag or commit.")] = "branch"
    reference: Annotated[
        str, Field(description="Name of the branch or tag, or a commit's 40 digits.")
    ] = "main"
    folder: Annotated[str, Field(description="Only what is there or below.")] = ""
    user: str = ""
    password: Annotated[
        str, Field(description="Or a token; sealed and never shown again.", repr=False)
    ] = ""
    allowed_signers: Annotated[
        str, Field(description="Lines of ssh-keygen's allowed_signers: address, type, key.")
    ] = ""
    signed: Annotated[bool, Field(description="Publish only what one of them signed.")] = False
    minutes: Annotated[int, Field(description="How often to read it by itself; 0 for never.")] = 0


class SyncResultOut(Schema):
    """One blueprint of a source as the last reading found it."""

    folder: str
    blueprint: str
    version: str
    digest: str
    outcome: SyncOutcome
    problems: list[str]


class ReadingOut(Schema):
    """The last reading of a source."""

    at: Instant
    commit: str
    committed_at: Instant | None
    signer: Annotated[str, Field(description="Empty when nobody known signed it.")]
    signed: Annotated[str, Field(description="Whose signature: commit or tag.")]
    error: str
    results: list[SyncResultOut]


class SourceOut(Schema):
    """A Git repository whose blueprints are published; its password is never shown."""

    id: str
    slug: str
    url: str
    kind: ReferenceKind
    reference: str
    folder: str
    user: str
    has_password: bool
    allowed_signers: str
    signed: bool
    minutes: int
    created_at: Instant
    created_by: str
    last: ReadingOut | None


class RevisionOriginOut(Schema):
    """Where a revision came from."""

    revision: str
    source: str
    url: str
    commit: str
    signer: str
    signed: str
    at: Instant


@sources.get("/blueprint-sources")
@requires("source.view")
@sources.input(PageQuery, location="query")
@sources.output(PageOut[SourceOut])
def list_blueprint_sources(query_data: PageQuery) -> Page[Source]:
    """All sources, with how their last reading went."""
    return use(Registry).sources(current_actor(), query_data.page())


@sources.post("/blueprint-sources")
@requires("source.manage")
@idempotent
@sources.input(SourceCreate)
@sources.output(SourceOut, 201)
def add_blueprint_source(json_data: SourceCreate) -> ResponseReturnValue:
    """Register a repository; nothing is read yet."""
    made = use(Registry).add_source(current_actor(), **json_data.model_dump())
    return created(made, f"/api/v1/blueprint-sources/{made.id}")


@sources.get("/blueprint-sources/<source_id>")
@requires("source.view")
@sources.output(SourceOut)
def get_blueprint_source(source_id: str) -> Source:
    """One source, by id or name."""
    return use(Registry).source(current_actor(), source_id)


@sources.delete("/blueprint-sources/<source_id>")
@requires("source.manage")
@sources.output({}, 204)
def remove_blueprint_source(source_id: str) -> Answer:
    """Forget a source and its password; what it published stays."""
    use(Registry).remove_source(current_actor(), source_id)
    return ""


@sources.post("/blueprint-sources/<source_id>/sync")
@requires("source.sync")
@idempotent
@sources.output(OperationOut, 202)
def sync_blueprint_source(source_id: str) -> ResponseReturnValue:
    """Read a source now and publish what is new in it."""
    started = use(Registry).request_sync(current_actor(), source_id)
    return accepted(started, started.id)


@sources.get("/blueprints/<name>/revisions/<version>/origin")
@requires("blueprint.view")
@sources.output(RevisionOriginOut)
def get_blueprint_origin(name: str, version: str) -> Origin:
    """The source, commit and signer that a revision came from."""
    return use(Registry).origin(current_actor(), name, version)


apis = (registry, sources)
