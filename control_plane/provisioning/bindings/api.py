"""Bindings over HTTP."""

from typing import Annotated, Any

from pydantic import Field

from control_plane.provisioning.bindings.model import (
    LONGEST_OVERLAP_HOURS,
    Binding,
    BindingState,
)
from control_plane.provisioning.bindings.service import DEFAULT_OVERLAP_HOURS, Bindings
from foundation.kernel.paging import Page
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    current_actor,
    idempotent,
    requires,
    use,
)

api = ApiBlueprint("bindings", __name__, tag="Bindings")

_Reference = Annotated[str, Field(max_length=100)]


class BindingOut(Schema):
    """A department's own credentials on a service."""

    id: str
    deployment_id: str
    tenancy_id: str
    path: str
    name: Annotated[str, Field(description="The user's, on the service.")]
    target: Annotated[str, Field(description="What it may use there, such as a database.")]
    access: str
    state: BindingState
    current: Annotated[int | None, Field(description="Number of the credential that works.")]
    valid: Annotated[list[int], Field(description="Numbers of all that work, the oldest first.")]
    revealable: Annotated[bool, Field(description="Its newest credential was not shown yet.")]
    overlap_until: Annotated[
        Instant | None, Field(description="When the older of two credentials stops to work.")
    ]
    operation: str
    error: str
    created_by: str
    created_at: Instant
    changed_at: Instant
    deleted_at: Instant | None


class BindingQuery(PageQuery):
    """Which bindings."""

    deployment: _Reference | None = None
    tenancy: _Reference | None = None
    state: (
        Annotated[
            BindingState, Field(strict=False, description="Without it, all that are not deleted.")
        ]
        | None
    ) = None


class BindingInput(Input):
    """A user of one's own."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    target: Annotated[str, Field(max_length=63, description="Empty for the first there is.")] = ""
    access: Annotated[str, Field(max_length=40, description="Empty for the widest.")] = ""


class RotationInput(Input):
    """For how long the old credential works on."""

    overlap_hours: Annotated[
        int, Field(ge=0, le=LONGEST_OVERLAP_HOURS, description="0 takes it away at once.")
    ] = DEFAULT_OVERLAP_HOURS


class CredentialOut(Schema):
    """What one signs in with; it is shown this once."""

    host: str
    port: int | None
    login: str
    password: str
    target: str
    ca_certificate: str | None


@api.get("/bindings")
@requires("binding.view")
@api.input(BindingQuery, location="query")
@api.output(PageOut[BindingOut])
def list_bindings(query_data: BindingQuery) -> Page[Binding]:
    """The bindings that you may see, newest first."""
    given = {
        "deployment_id": query_data.deployment,
        "tenancy_id": query_data.tenancy,
        "state": query_data.state.value if query_data.state else None,
    }
    filters = {name: value for name, value in given.items() if value is not None}
    return use(Bindings).bindings(current_actor(), query_data.page(), filters)


@api.get("/bindings/<binding_id>")
@requires("binding.view")
@api.output(BindingOut)
def get_binding(binding_id: str) -> Binding:
    """One binding."""
    return use(Bindings).binding(current_actor(), binding_id)


@api.post("/deployments/<deployment_id>/bindings")
@requires("binding.create")
@idempotent
@api.input(BindingInput)
@api.output(BindingOut, 202)
def create_binding(deployment_id: str, json_data: BindingInput) -> Answer:
    """Have a user of your own made on a service; its operation is in the answer."""
    return use(Bindings).create(
        current_actor(),
        deployment_id,
        name=json_data.name,
        target=json_data.target,
        access=json_data.access,
    )


@api.post("/bindings/<binding_id>/rotate")
@requires("binding.rotate")
@idempotent
@api.input(RotationInput)
@api.output(BindingOut, 202)
def rotate_binding(binding_id: str, json_data: RotationInput) -> Answer:
    """Have a new credential made; the old one works on for a while."""
    return use(Bindings).rotate(current_actor(), binding_id, overlap_hours=json_data.overlap_hours)


@api.post("/bindings/<binding_id>/retry")
@requires("binding.rotate")
@idempotent
@api.output(BindingOut, 202)
def retry_binding(binding_id: str) -> Answer:
    """Try again what failed."""
    return use(Bindings).retry(current_actor(), binding_id)


@api.delete("/bindings/<binding_id>")
@requires("binding.delete")
@idempotent
@api.output(BindingOut, 202)
def delete_binding(binding_id: str) -> Answer:
    """Have a user and its credentials taken away."""
    return use(Bindings).delete(current_actor(), binding_id)


@api.post("/bindings/<binding_id>/reveal")
@requires("binding.reveal")
@api.output(CredentialOut)
def reveal_binding(binding_id: str) -> dict[str, Any]:
    """Show the newest credential, this once; it is written into the audit log."""
    shown = use(Bindings).reveal(current_actor(), binding_id)
    return {**shown.facts, "password": shown.password}
