"""Imports over HTTP."""

from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from control_plane.provisioning.api.deployments import PlanOut
from control_plane.provisioning.imports.model import Project, Proposals
from control_plane.provisioning.imports.service import Imports, Wish
from foundation.operations.api import OperationOut
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Schema,
    TextBody,
    accepted,
    current_actor,
    idempotent,
    idempotent_outside,
    requires,
    use,
)

api = ApiBlueprint("imports", __name__, tag="Imports")

Reference = Annotated[str, Field(min_length=1, max_length=100)]


class FoundProjectOut(Schema):
    """A project of a region, and how much in it no deployment owns."""

    id: str
    name: str
    deployment: Annotated[str, Field(description="What owns it; empty for nothing.")]
    unowned: Annotated[dict[str, int], Field(description="Objects by kind.")]


class FoundProjectsOut(Schema):
    """All projects of a region, by name."""

    items: list[FoundProjectOut]


class FoundOut(Schema):
    """An object in a region that no deployment owns."""

    type: str
    id: str
    name: str
    project: str
    inputs: Annotated[dict[str, Any], Field(description="In the words of its Pulumi type.")]


class FoundObjectsOut(Schema):
    """What is in a project that no deployment owns."""

    items: list[FoundOut]


class ImportProposalOut(Schema):
    """How part of a project might become a deployment; a guess."""

    blueprint: str
    name: str
    inputs: dict[str, Any]
    ids: Annotated[dict[str, str], Field(description="Ids of objects by logical name.")]
    makes: Annotated[list[str], Field(description="What is not there and would be made.")]
    against: Annotated[list[TextBody], Field(description="Why it does not fit as it stands.")]


class ImportProposalsOut(Schema):
    """What might become of a project, in the order in which it has to be imported."""

    project: str
    items: list[ImportProposalOut]
    left: Annotated[list[FoundOut], Field(description="What no proposal takes.")]


class ImportInput(Input):
    """What is to be imported."""

    tenancy: Reference
    region: Reference
    blueprint: Reference
    name: Annotated[str, Field(max_length=40, description="Goes into names of resources.")] = ""
    inputs: Annotated[dict[str, Any], Field(description="As for an order.")]
    ids: Annotated[
        dict[str, Annotated[str, Field(min_length=1, max_length=300)]],
        Field(max_length=2000, description="Ids of objects by the logical name each is to have."),
    ]
    create_missing: Annotated[bool, Field(description="Whether what is not there may be made.")] = (
        False
    )


class ImportApplyInput(Input):
    """What was approved."""

    digest: Annotated[str, Field(min_length=1, max_length=100)]


class ImportAbandonInput(Input):
    """Why an import is given up."""

    reason: Annotated[str, Field(max_length=500)]


@api.get("/regions/<region_id>/projects")
@requires("deployment.import")
@api.output(FoundProjectsOut)
def list_found_projects(region_id: str) -> dict[str, list[Project]]:
    """The projects of a region, and how much in each no deployment owns; asks the region."""
    return {"items": use(Imports).discover(current_actor(), region_id)}


@api.get("/regions/<region_id>/projects/<project_id>")
@requires("deployment.import")
@api.output(FoundObjectsOut)
def list_found_objects(region_id: str, project_id: str) -> dict[str, Any]:
    """What is in a project that no deployment owns; asks the region."""
    return {"items": use(Imports).inside(current_actor(), region_id, project_id)}


@api.get("/regions/<region_id>/projects/<project_id>/proposals")
@requires("deployment.import")
@api.output(ImportProposalsOut)
def propose_imports(region_id: str, project_id: str) -> Proposals:
    """Which blueprints, inputs and ids describe what is in a project; a guess."""
    return use(Imports).propose(current_actor(), region_id, project_id)


@api.post("/imports")
@requires("deployment.import")
@idempotent_outside
@api.input(ImportInput)
@api.output(PlanOut)
def plan_import(json_data: ImportInput) -> Answer:
    """What an import would do, under a digest to approve; nothing is touched."""
    wish = Wish(
        tenancy=json_data.tenancy,
        region=json_data.region,
        blueprint=json_data.blueprint,
        inputs=json_data.inputs,
        ids=json_data.ids,
        name=json_data.name,
        creations=json_data.create_missing,
    )
    return use(Imports).plan(current_actor(), wish)


@api.post("/plans/<plan_id>/import")
@requires("deployment.import")
@idempotent
@api.input(ImportApplyInput)
@api.output(OperationOut, 202)
def apply_import(plan_id: str, json_data: ImportApplyInput) -> ResponseReturnValue:
    """Carry out a plan of an import, or of a later change of what was imported."""
    started = use(Imports).request_apply(current_actor(), plan_id, json_data.digest)
    return accepted(started, started.id)


@api.post("/deployments/<deployment_id>/abandon-import")
@requires("deployment.import")
@idempotent
@api.input(ImportAbandonInput)
@api.output(OperationOut, 202)
def abandon_import(deployment_id: str, json_data: ImportAbandonInput) -> ResponseReturnValue:
    """Give up an import that was not completed: what it took in is nobody's again."""
    started = use(Imports).request_abandon(current_actor(), deployment_id, reason=json_data.reason)
    return accepted(started, started.id)
