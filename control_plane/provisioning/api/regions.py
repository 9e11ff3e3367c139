"""Regions over HTTP."""

from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from control_plane.provisioning.api.schemas import Json
from control_plane.provisioning.model import (
    Region,
)
from control_plane.provisioning.service import Provisioning
from foundation.kernel.paging import Page
from foundation.surface.api import (
    ApiBlueprint,
    DecimalText,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    Slug,
    TextBody,
    created,
    current_actor,
    idempotent,
    idempotent_outside,
    rehearsable,
    requires,
    use,
)

regions = ApiBlueprint("regions", __name__, tag="Regions")


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
@rehearsable
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
