"""How regions do, over HTTP."""

from typing import Annotated, Any

from pydantic import Field

from control_plane.provisioning.fleet.model import Condition, Placement
from control_plane.provisioning.fleet.service import Fleet
from foundation.surface.api import (
    ApiBlueprint,
    DecimalText,
    Input,
    Instant,
    Schema,
    TextBody,
    current_actor,
    idempotent,
    idempotent_outside,
    requires,
    use,
)

api = ApiBlueprint("fleet", __name__, tag="Conditions of regions")


class SightOut(Schema):
    """How one kind of a region answered when it was looked at last."""

    kind: str
    ok: bool
    message: str
    details: dict[str, Any]
    at: Instant
    since: Annotated[Instant, Field(description="Since when it has been as it is.")]


class RoomOut(Schema):
    """What a region's machines have of one quota resource."""

    resource: str
    measured: Annotated[DecimalText, Field(description="As its machines say.")]
    overcommit: DecimalText
    total: Annotated[DecimalText, Field(description="What may be given out.")]
    used: Annotated[DecimalText, Field(description="In use, by whomever.")]
    free: DecimalText
    at: Instant


class ClosureOut(Schema):
    """Why a region takes nothing."""

    state: str
    reason: str
    until: Instant | None
    by: str
    at: Instant


class ConditionOut(Schema):
    """How a region does."""

    region: str
    state: str
    answers: Annotated[bool | None, Field(description="Null: it was never looked at.")]
    closure: ClosureOut | None
    sights: list[SightOut]
    rooms: list[RoomOut]


class ClosureBody(Input):
    """Why a region takes nothing."""

    state: Annotated[str, Field(max_length=20, description="cordoned or maintenance.")]
    reason: Annotated[str, Field(max_length=2000)]
    until: Annotated[Instant | None, Field(description="Then a maintenance ends by itself.")] = None


class PlacementBody(Input):
    """What is to be placed."""

    blueprint: Annotated[str, Field(min_length=1, max_length=100)]
    tenancy: Annotated[str, Field(min_length=1, max_length=100)]
    inputs: Annotated[dict[str, Any], Field(description="As far as they are filled in.")] = Field(
        default_factory=dict
    )


class PlacementOut(Schema):
    """What placement says of one region."""

    region: str
    region_id: str
    fits: bool
    against: Annotated[list[TextBody], Field(description="Why it does not suit.")]
    left: Annotated[
        DecimalText | None, Field(description="The smallest share that would be left, 0 to 1.")
    ]
    is_home: Annotated[bool, Field(description="The tenancy has something there already.")]


class PlacementsOut(Schema):
    """All regions, the best first."""

    items: list[PlacementOut]


@api.get("/regions/<region_id>/condition")
@requires("region.view")
@api.output(ConditionOut)
def get_condition(region_id: str) -> dict[str, Any]:
    """How a region does, as it was seen last."""
    return _condition(use(Fleet).condition(current_actor(), region_id))


@api.post("/regions/<region_id>/look")
@requires("region.add")
@idempotent_outside
@api.output(ConditionOut)
def look_at_region(region_id: str) -> dict[str, Any]:
    """Ask a region now whether it answers and what room it has."""
    return _condition(use(Fleet).look(current_actor(), region_id))


@api.post("/regions/<region_id>/close")
@requires("region.close")
@idempotent
@api.input(ClosureBody)
@api.output(ConditionOut)
def close_region(region_id: str, json_data: ClosureBody) -> dict[str, Any]:
    """Let a region take nothing new, or leave it alone for a maintenance."""
    condition = use(Fleet).close(
        current_actor(),
        region_id,
        state=json_data.state,
        reason=json_data.reason,
        until=json_data.until,
    )
    return _condition(condition)


@api.post("/regions/<region_id>/open")
@requires("region.close")
@idempotent
@api.output(ConditionOut)
def open_region(region_id: str) -> dict[str, Any]:
    """Let a region take everything again."""
    return _condition(use(Fleet).open(current_actor(), region_id))


@api.post("/placements")
@requires("deployment.plan")
@idempotent_outside
@api.input(PlacementBody)
@api.output(PlacementsOut)
def find_placements(json_data: PlacementBody) -> dict[str, Any]:
    """Say of each region whether it suits, the best first."""
    found = use(Fleet).placements(
        current_actor(),
        blueprint=json_data.blueprint,
        inputs=json_data.inputs,
        tenancy=json_data.tenancy,
    )
    return {"items": [_placement(one) for one in found]}


def _condition(found: Condition) -> dict[str, Any]:
    return {
        "region": found.region.slug,
        "state": found.region.state.value,
        "answers": found.answers,
        "closure": found.closure,
        "sights": found.sights,
        "rooms": [
            {
                "resource": room.resource,
                "measured": room.measured.total,
                "overcommit": room.overcommit,
                "total": room.total,
                "used": room.measured.used,
                "free": room.free,
                "at": room.at,
            }
            for room in found.rooms
        ],
    }


def _placement(found: Placement) -> dict[str, Any]:
    return {
        "region": found.region.slug,
        "region_id": found.region.id,
        "fits": found.fits,
        "against": found.against,
        "left": None if found.left is None else round(found.left, 4),
        "is_home": found.is_home,
    }
