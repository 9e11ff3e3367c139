"""Deployments, plans and inventory over HTTP."""

from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from control_plane.provisioning.api.schemas import Filter, FindingOut, Json, MeterQuantityOut
from control_plane.provisioning.model import (
    Deployment,
    DeploymentState,
    InventoryState,
    Plan,
    PlanAction,
    Resource,
)
from control_plane.provisioning.service import Provisioning
from foundation.kernel.errors import NotFound
from foundation.kernel.paging import Page
from foundation.operations.api import OperationOut
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    DecimalText,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    accepted,
    current_actor,
    idempotent,
    idempotent_outside,
    requires,
    use,
)

deployments = ApiBlueprint("deployments", __name__, tag="Deployments")


class DeploymentQuery(PageQuery):
    """Which deployments."""

    tenancy: Filter | None = None
    region: Filter | None = None
    blueprint: Filter | None = None
    state: DeploymentState | None = None
    owner: Filter | None = None
    imported: Annotated[
        bool,
        Field(
            strict=False, description="Only what was made by hand and taken in; no order has it."
        ),
    ] = False


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
    if query_data.imported:
        given["imported"] = "true"
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
