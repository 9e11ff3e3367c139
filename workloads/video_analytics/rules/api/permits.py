"""Permits over HTTP."""

from datetime import date
from typing import Annotated

from flask.typing import ResponseReturnValue
from pydantic import Field

from foundation.kernel.paging import Page
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    Line,
    PageOut,
    PageQuery,
    Schema,
    created,
    current_actor,
    idempotent,
    rehearsable,
    requires,
    use,
)
from workloads.video_analytics.rules.api.rules import Clock
from workloads.video_analytics.rules.model import Permit
from workloads.video_analytics.rules.ports import PermitQuery
from workloads.video_analytics.rules.service import PermitWish, Rules

api = ApiBlueprint("permits", __name__, tag="Permits")

Day = Annotated[date, Field(strict=False)]


class PermitCreate(Input):
    """Leave to build at hours at which it is forbidden."""

    rule: Annotated[str, Field(max_length=40, description="The rule that draws the site.")]
    number: Annotated[Line, Field(max_length=100, description="As the authority gave it.")]
    holder: Annotated[str, Field(max_length=200)] = ""
    first: Annotated[Day, Field(description="In the camera's time zone.")]
    last: Annotated[Day, Field(description="Included; at most 366 days.")]
    start: Clock = "00:00"
    end: Annotated[Clock, Field(description="At or before the start: of the next day.")] = "00:00"
    note: Annotated[str, Field(max_length=1000)] = ""


class PermitOut(Schema):
    """A permit for the site of a rule."""

    id: str
    rule_id: str
    path: str
    number: str
    holder: str
    first: date
    last: date
    start: str
    end: str
    note: str
    created_at: Instant
    created_by: str
    revoked_at: Instant | None


class PermitsQuery(PageQuery):
    """Which permits."""

    rule: Annotated[str, Field(max_length=40)] | None = None
    since: Annotated[Day, Field(description="That cover this day or a later one.")] | None = None
    until: Annotated[Day, Field(description="That cover this day or an earlier one.")] | None = None


@api.get("/permits")
@requires("permit.view")
@api.input(PermitsQuery, location="query")
@api.output(PageOut[PermitOut])
def list_permits(query_data: PermitsQuery) -> Page[Permit]:
    """The permits that you may see, the newest first."""
    query = PermitQuery(query_data.rule, query_data.since, query_data.until)
    return use(Rules).permits(current_actor(), query, query_data.page())


@api.post("/permits")
@requires("permit.manage")
@rehearsable
@idempotent
@api.input(PermitCreate)
@api.output(PermitOut, 201)
def create_permit(json_data: PermitCreate) -> ResponseReturnValue:
    """Enter a permit; the rule of its site gets a new version."""
    wish = PermitWish(
        json_data.number, json_data.first, json_data.last, json_data.holder, json_data.start,
        json_data.end, json_data.note,
    )  # fmt: skip
    made = use(Rules).grant_permit(current_actor(), json_data.rule, wish)
    return created(made, f"/api/v1/permits/{made.id}")


@api.get("/permits/<permit_id>")
@requires("permit.view")
@api.output(PermitOut)
def get_permit(permit_id: str) -> Answer:
    """One permit."""
    return use(Rules).permit(current_actor(), permit_id)


@api.post("/permits/<permit_id>/revoke")
@requires("permit.manage")
@idempotent
@api.output(PermitOut)
def revoke_permit(permit_id: str) -> Answer:
    """Let a permit count no more, from now on."""
    return use(Rules).revoke_permit(current_actor(), permit_id)
