"""Regions, blueprints, plans, deployments and inventory over HTTP."""

import base64
import binascii
from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from control_plane.kernel.errors import Invalid, NotFound, Problem
from control_plane.kernel.paging import Page
from control_plane.operations.api import OperationOut
from control_plane.provisioning.model import (
    Blueprint,
    Deployment,
    DeploymentState,
    InventoryState,
    Plan,
    PlanAction,
    Region,
    Resource,
    Revision,
    Severity,
)
from control_plane.provisioning.service import Provisioning
from control_plane.surface.api import (
    Answer,
    ApiBlueprint,
    DecimalText,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    Slug,
    TextBody,
    accepted,
    created,
    current_actor,
    idempotent,
    idempotent_outside,
    requires,
    use,
)

regions = ApiBlueprint("regions", __name__, tag="Regions")
blueprints = ApiBlueprint("blueprints", __name__, tag="Blueprints")
deployments = ApiBlueprint("deployments", __name__, tag="Deployments")
apis = (regions, blueprints, deployments)

Reference = Annotated[str, Field(min_length=1, max_length=100)]
Filter = Annotated[str, Field(max_length=100)]
Json = dict[str, Any]


# Regions -----------------------------------------------------------------------------------------


class RegionCreate(Input):
    """A place where resources can be made."""

    slug: Slug
    title: TextBody
    kinds: Annotated[list[str], Field(description="openstack, kubernetes or both.", max_length=2)]
    engine: Annotated[str, Field(description="embedded (simulated) or pulumi.", max_length=20)]
    config: Annotated[
        Json, Field(description="Plain facts per kind: addresses, images, sizes.")
    ] = Field(default_factory=dict)
    credentials: Annotated[
        Json, Field(description="Secrets per kind; they are sealed and never shown again.")
    ] = Field(default_factory=dict)
    capacity: Annotated[
        dict[str, DecimalText], Field(description="By quota resource; left out is unbounded.")
    ] = Field(default_factory=dict)
    data_classes: Annotated[list[str], Field(max_length=3)] = Field(
        default_factory=lambda: ["public", "internal"]
    )


class RegionOut(Schema):
    """A place where resources can be made."""

    id: str
    slug: str
    title: TextBody
    kinds: list[str]
    engine: str
    simulated: Annotated[bool, Field(description="Nothing in it is a real machine.")]
    config: Json
    capacity: dict[str, DecimalText]
    held: Annotated[
        dict[str, DecimalText], Field(description="What deployments hold, by quota resource.")
    ]
    data_classes: list[str]
    has_credentials: Annotated[list[str], Field(description="Kinds with kept credentials.")]
    state: str
    created_at: Instant


class ReachabilityOut(Schema):
    """How one kind of a region answered."""

    kind: str
    ok: bool
    message: str
    details: Json


class RegionCheckOut(Schema):
    """How a region answered, kind by kind."""

    items: list[ReachabilityOut]


def _region(found: Region) -> dict[str, Any]:
    held = use(Provisioning).held(current_actor(), found.id)
    return {
        "id": found.id,
        "slug": found.slug,
        "title": found.title,
        "kinds": sorted(found.kinds),
        "engine": found.engine.value,
        "simulated": found.simulated,
        "config": found.config,
        "capacity": found.capacity,
        "held": held,
        "data_classes": sorted(found.data_classes),
        "has_credentials": sorted(found.has_credentials),
        "state": found.state.value,
        "created_at": found.created_at,
    }


@regions.get("/regions")
@requires("region.view")
@regions.input(PageQuery, location="query")
@regions.output(PageOut[RegionOut])
def list_regions(query_data: PageQuery) -> Page[dict[str, Any]]:
    """All regions with what there is and what is held."""
    return use(Provisioning).regions(current_actor(), query_data.page()).map(_region)


@regions.post("/regions")
@requires("region.add")
@idempotent
@regions.input(RegionCreate)
@regions.output(RegionOut, 201)
def add_region(json_data: RegionCreate) -> ResponseReturnValue:
    """Add a region; the same again answers the one that is there."""
    made = use(Provisioning).add_region(
        current_actor(),
        slug=json_data.slug,
        title=json_data.title.value(),
        kinds=json_data.kinds,
        engine=json_data.engine,
        config=json_data.config,
        credentials=json_data.credentials,
        capacity=json_data.capacity,
        data_classes=json_data.data_classes,
    )
    return created(_region(made), f"/api/v1/regions/{made.id}")


@regions.get("/regions/<region_id>")
@requires("region.view")
@regions.output(RegionOut)
def get_region(region_id: str) -> dict[str, Any]:
    """One region, by id or name."""
    return _region(use(Provisioning).region(current_actor(), region_id))


@regions.post("/regions/<region_id>/check")
@requires("region.add")
@idempotent_outside
@regions.output(RegionCheckOut)
def check_region(region_id: str) -> dict[str, Any]:
    """Ask a region whether it answers and accepts the platform's credentials."""
    return {"items": use(Provisioning).check_region(current_actor(), region_id)}


# Blueprints --------------------------------------------------------------------------------------


class BlueprintFiles(Input):
    """The files of a blueprint's folder."""

    files: Annotated[
        dict[str, str],
        Field(description="Bytes in base64 by relative path.", min_length=1, max_length=500),
    ]

    def content(self) -> dict[str, bytes]:
        """The bytes by path.

        Raises:
            Invalid: names every file that is not base64.
        """
        problems, content = [], {}
        for name, text in self.files.items():
            try:
                content[name] = base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                problems.append(Problem(f"files.{name}", "is not base64"))
        if problems:
            raise Invalid(problems)
        return content


class BlueprintOut(Schema):
    """A blueprint as its newest revision describes it."""

    name: str
    title: TextBody
    description: TextBody
    owner: str
    category: str
    latest_version: str
    latest_digest: str
    published_at: Instant


class RevisionOut(Schema):
    """One immutable content of a blueprint."""

    digest: str
    blueprint: str
    version: str
    title: TextBody
    document: Annotated[Json, Field(description="blueprint.yaml as JSON.")]
    published_at: Instant
    published_by: str


class ProblemOut(Schema):
    """Something that is wrong, and where."""

    field: str
    message: str
    code: str


class FindingOut(Schema):
    """What a policy says; a mandatory finding forbids publishing and approval."""

    policy: str
    severity: Severity
    subject: str
    message: TextBody


class SampleOut(Schema):
    """A sample that was tried."""

    name: str
    resources: int


class ValidationOut(Schema):
    """What publishing would say."""

    ok: bool
    digest: str
    name: str
    version: str
    problems: list[ProblemOut]
    findings: list[FindingOut]
    samples: list[SampleOut]


class EvaluateInput(Input):
    """Inputs, as far as they are filled in."""

    inputs: Json = Field(default_factory=dict)
    region: Reference
    version: Annotated[str, Field(max_length=40, description="Null takes the highest.")] | None = (
        None
    )
    data_class: Annotated[str, Field(max_length=20)] = ""


class MeterQuantityOut(Schema):
    """What a resource uses of a meter in an hour."""

    resource: str
    meter: str
    dimensions: dict[str, str]
    per_hour: DecimalText


class PlannedResourceOut(Schema):
    """A resource that would be made."""

    type: str
    name: str


class EstimateOut(Schema):
    """What inputs come to; no region was asked."""

    revision: str
    inputs: Json
    resources: list[PlannedResourceOut]
    quota: dict[str, DecimalText]
    hourly: list[MeterQuantityOut]
    findings: list[FindingOut]


@blueprints.get("/blueprints")
@requires("blueprint.view")
@blueprints.input(PageQuery, location="query")
@blueprints.output(PageOut[BlueprintOut])
def list_blueprints(query_data: PageQuery) -> Page[Blueprint]:
    """The newest version of each blueprint."""
    return use(Provisioning).blueprints(current_actor(), query_data.page())


@blueprints.post("/blueprints")
@requires("blueprint.publish")
@idempotent_outside
@blueprints.input(BlueprintFiles)
@blueprints.output(RevisionOut, 201)
def publish_blueprint(json_data: BlueprintFiles) -> ResponseReturnValue:
    """Publish a blueprint; the same content again answers the revision that is there."""
    made = use(Provisioning).publish(current_actor(), json_data.content())
    return created(made, f"/api/v1/blueprints/{made.blueprint}/revisions/{made.version}")


@blueprints.post("/blueprint-validations")
@requires("blueprint.validate")
@idempotent_outside
@blueprints.input(BlueprintFiles)
@blueprints.output(ValidationOut)
def validate_blueprint(json_data: BlueprintFiles) -> Answer:
    """Look at a blueprint's files and try its program; nothing is kept."""
    return use(Provisioning).validate_blueprint(current_actor(), json_data.content())


@blueprints.get("/blueprints/<name>")
@requires("blueprint.view")
@blueprints.output(RevisionOut)
def get_blueprint(name: str) -> Revision:
    """The newest revision of a blueprint."""
    return use(Provisioning).revision(current_actor(), name)


@blueprints.get("/blueprints/<name>/revisions")
@requires("blueprint.view")
@blueprints.input(PageQuery, location="query")
@blueprints.output(PageOut[RevisionOut])
def list_blueprint_revisions(name: str, query_data: PageQuery) -> Page[Revision]:
    """All versions of a blueprint, the highest first."""
    return use(Provisioning).revisions(current_actor(), name, query_data.page())


@blueprints.get("/blueprints/<name>/revisions/<version>")
@requires("blueprint.view")
@blueprints.output(RevisionOut)
def get_blueprint_revision(name: str, version: str) -> Revision:
    """One version of a blueprint."""
    return use(Provisioning).revision(current_actor(), name, version)


@blueprints.post("/blueprints/<name>/evaluate")
@requires("blueprint.view")
@idempotent_outside
@blueprints.input(EvaluateInput)
@blueprints.output(EstimateOut)
def evaluate_blueprint(name: str, json_data: EvaluateInput) -> dict[str, Any]:
    """What inputs come to: resources, quota, usage per hour and findings. Nothing is made."""
    found = use(Provisioning).evaluate(
        current_actor(),
        blueprint=name,
        inputs=json_data.inputs,
        region=json_data.region,
        version=json_data.version,
        data_class=json_data.data_class,
    )
    return {
        "revision": found.revision,
        "inputs": found.inputs,
        "resources": [{"type": kind, "name": name} for kind, name in found.resources],
        "quota": found.quota,
        "hourly": found.hourly,
        "findings": found.findings,
    }


# Deployments -------------------------------------------------------------------------------------


class DeploymentQuery(PageQuery):
    """Which deployments."""

    tenancy: Filter | None = None
    region: Filter | None = None
    blueprint: Filter | None = None
    state: DeploymentState | None = None
    owner: Filter | None = None


class DeploymentOut(Schema):
    """A blueprint's revision with inputs, in a region, for a tenancy."""

    id: str
    name: str
    tenancy_id: str
    path: str
    region_id: str
    blueprint: str
    revision: str
    inputs: Json
    state: DeploymentState
    outputs: Annotated[Json, Field(description="Secret ones are masked.")]
    secret_outputs: list[str]
    plan_id: str | None
    owner: Annotated[str, Field(description="What holds it; empty when it stands alone.")]
    operation: Annotated[str, Field(description="What works on it now; empty for nothing.")]
    error: Annotated[str, Field(description="Why the last operation did not succeed.")]
    footprint: Annotated[dict[str, DecimalText], Field(description="The quota that it holds.")]
    tags: dict[str, str]
    created_at: Instant
    updated_at: Instant


class OutputsOut(Schema):
    """A deployment's outputs, secrets in clear."""

    outputs: Json


class DestroyInput(Input):
    """Why a deployment is returned outside of an order."""

    reason: Annotated[str, Field(max_length=500)] = ""
    force: Annotated[
        bool, Field(description="Also one that belongs to an ordered service; needs a reason.")
    ] = False


class PlanInput(Input):
    """What to plan."""

    inputs: (
        Annotated[Json, Field(description="All of them; null takes the present ones.")] | None
    ) = None
    destroy: bool = False


class PropertyChangeOut(Schema):
    """One property that differs."""

    path: str
    before: Any
    after: Any
    forces_replacement: bool


class ChangeOut(Schema):
    """What would happen to one resource."""

    urn: str
    type: str
    name: str
    op: str
    properties: list[PropertyChangeOut]


class PreparationOut(Schema):
    """What is done to the tenancy first."""

    deployment_id: str
    revision: str
    inputs: Json
    changes: list[ChangeOut]


class PlanOut(Schema):
    """What would be done, under one digest."""

    id: str
    digest: str
    deployment_id: str
    tenancy_id: str
    path: str
    action: PlanAction
    region_id: str
    region: Json
    blueprint: str
    revision: str
    version: str
    inputs: Json
    counts: dict[str, int]
    preparation: PreparationOut | None
    changes: list[ChangeOut]
    outputs: Json
    quota: Annotated[dict[str, DecimalText], Field(description="What it takes or gives back.")]
    footprint: Annotated[dict[str, DecimalText], Field(description="What is held afterwards.")]
    capacity: Annotated[
        dict[str, DecimalText | None], Field(description="Room in the region; null is unbounded.")
    ]
    hourly: list[MeterQuantityOut]
    findings: list[FindingOut]
    created_at: Instant


class ResourceQuery(PageQuery):
    """Which resources."""

    deployment: Filter | None = None
    tenancy: Filter | None = None
    region: Filter | None = None
    type: Filter | None = None
    state: InventoryState | None = None


class ResourceOut(Schema):
    """A thing in a region."""

    id: str
    deployment_id: str
    region_id: str
    tenancy_id: str
    path: str
    urn: str
    type: str
    name: str
    physical_id: str
    state: InventoryState
    error: str
    hourly: list[MeterQuantityOut]
    created_at: Instant
    deleted_at: Instant | None


class ResourceListOut(Schema):
    """All resources of a deployment."""

    items: list[ResourceOut]


@deployments.get("/deployments")
@requires("deployment.view")
@deployments.input(DeploymentQuery, location="query")
@deployments.output(PageOut[DeploymentOut])
def list_deployments(query_data: DeploymentQuery) -> Page[Deployment]:
    """The deployments that you may see, newest first."""
    filters = {
        "tenancy_id": query_data.tenancy,
        "region_id": query_data.region,
        "blueprint": query_data.blueprint,
        "state": query_data.state,
        "owner": query_data.owner,
    }
    given = {name: str(value) for name, value in filters.items() if value is not None}
    return use(Provisioning).deployments(current_actor(), query_data.page(), given)


@deployments.get("/deployments/<deployment_id>")
@requires("deployment.view")
@deployments.output(DeploymentOut)
def get_deployment(deployment_id: str) -> Deployment:
    """One deployment; its secret outputs are masked."""
    return use(Provisioning).deployment(current_actor(), deployment_id)


@deployments.get("/deployments/<deployment_id>/resources")
@requires("deployment.view")
@deployments.output(ResourceListOut)
def list_deployment_resources(deployment_id: str) -> dict[str, list[Resource]]:
    """What a deployment has in its region."""
    return {"items": use(Provisioning).resources(current_actor(), deployment_id)}


@deployments.get("/deployments/<deployment_id>/plan")
@requires("deployment.view")
@deployments.output(PlanOut)
def get_deployment_plan(deployment_id: str) -> Plan:
    """The plan that was applied last, or is being applied."""
    there = use(Provisioning).deployment(current_actor(), deployment_id)
    if there.plan_id is None:
        raise NotFound("the deployment has no plan that was applied")
    return use(Provisioning).plan(current_actor(), there.plan_id)


@deployments.post("/deployments/<deployment_id>/plan")
@requires("deployment.plan")
@idempotent_outside
@deployments.input(PlanInput)
@deployments.output(PlanOut)
def plan_deployment(deployment_id: str, json_data: PlanInput) -> Answer:
    """What would be done to a deployment now; nothing is."""
    return use(Provisioning).plan_deployment(
        current_actor(), deployment_id, inputs=json_data.inputs, destroy=json_data.destroy
    )


@deployments.post("/deployments/<deployment_id>/apply")
@requires("deployment.apply")
@idempotent
@deployments.output(OperationOut, 202)
def apply_deployment(deployment_id: str) -> ResponseReturnValue:
    """Apply a deployment's last plan again, such as after a failure."""
    started = use(Provisioning).request_apply(current_actor(), deployment_id)
    return accepted(started, started.id)


@deployments.post("/deployments/<deployment_id>/destroy")
@requires("deployment.destroy")
@idempotent
@deployments.input(DestroyInput)
@deployments.output(OperationOut, 202)
def destroy_deployment(deployment_id: str, json_data: DestroyInput) -> ResponseReturnValue:
    """Return everything that a deployment has."""
    started = use(Provisioning).request_destroy(
        current_actor(), deployment_id, reason=json_data.reason, force=json_data.force
    )
    return accepted(started, started.id)


@deployments.post("/deployments/<deployment_id>/outputs")
@requires("deployment.reveal")
@idempotent
@deployments.output(OutputsOut)
def reveal_deployment_outputs(deployment_id: str) -> dict[str, Any]:
    """A deployment's outputs with its secrets; it is written into the audit log."""
    return {"outputs": use(Provisioning).reveal_outputs(current_actor(), deployment_id)}


@deployments.get("/plans/<plan_id>")
@requires("deployment.view")
@deployments.output(PlanOut)
def get_plan(plan_id: str) -> Plan:
    """A plan, by id or digest."""
    return use(Provisioning).plan(current_actor(), plan_id)


@deployments.get("/inventory")
@requires("resource.view")
@deployments.input(ResourceQuery, location="query")
@deployments.output(PageOut[ResourceOut])
def list_inventory(query_data: ResourceQuery) -> Page[Resource]:
    """All resources that you may see, newest first; deleted ones with ``state=deleted``."""
    filters = {
        "deployment_id": query_data.deployment,
        "tenancy_id": query_data.tenancy,
        "region_id": query_data.region,
        "type": query_data.type,
        "state": query_data.state,
    }
    given = {name: str(value) for name, value in filters.items() if value is not None}
    return use(Provisioning).inventory(current_actor(), query_data.page(), given)
