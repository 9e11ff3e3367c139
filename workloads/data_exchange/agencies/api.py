"""Agencies over HTTP."""

from typing import Annotated

from flask.typing import ResponseReturnValue
from pydantic import Field

from foundation.kernel.paging import Page
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    PageOut,
    PageQuery,
    Schema,
    Slug,
    TextBody,
    check_match,
    created,
    current_actor,
    etag,
    idempotent,
    rehearsable,
    requires,
    requires_match,
    use,
    with_etag,
)
from workloads.data_exchange.agencies.model import Agency, Level
from workloads.data_exchange.agencies.service import Agencies

api = ApiBlueprint("agencies", __name__, tag="Agencies")

Code = Annotated[
    str,
    Field(max_length=18, description="Unified social credit code, 18 characters, or empty."),
]
External = Annotated[
    str, Field(max_length=200, description="Its id on the platform that sold this service.")
]


class AgencyCreate(Input):
    """A new agency."""

    parent: Annotated[
        str, Field(min_length=1, max_length=500, description="Id or path of the one above; / .")
    ] = "/"
    slug: Slug
    name: TextBody
    level: Level = Level.MUNICIPAL
    code: Code = ""
    external: External = ""


class AgencyChange(Input):
    """What may change of an agency; its path stays."""

    name: TextBody
    level: Level = Level.MUNICIPAL
    code: Code = ""
    external: External = ""


class AgencyOut(Schema):
    """An agency: data, people and their roles belong to one."""

    id: str
    path: Annotated[str, Field(description="From the root, such as /city/water/.")]
    name: TextBody
    level: Level
    code: str
    external: str


@api.get("/agencies")
@requires("agency.view")
@api.input(PageQuery, location="query")
@api.output(PageOut[AgencyOut])
def list_agencies(query_data: PageQuery) -> Page[Agency]:
    """The agencies, by path."""
    return use(Agencies).agencies(current_actor(), query_data.page())


@api.post("/agencies")
@requires("agency.manage")
@rehearsable
@idempotent
@api.input(AgencyCreate)
@api.output(AgencyOut, 201)
def create_agency(json_data: AgencyCreate) -> ResponseReturnValue:
    """Add an agency to the tree."""
    made = use(Agencies).create(
        current_actor(),
        parent=json_data.parent,
        slug=json_data.slug,
        name=json_data.name.value(),
        level=json_data.level,
        code=json_data.code,
        external=json_data.external,
    )
    return created(made, f"/api/v1/agencies/{made.id}", _tag(made))


@api.get("/agencies/<agency_id>")
@requires("agency.view")
@api.output(AgencyOut)
def get_agency(agency_id: str) -> Answer:
    """One agency."""
    found = use(Agencies).agency(current_actor(), agency_id)
    return with_etag(found, _tag(found))


@api.patch("/agencies/<agency_id>")
@requires("agency.manage")
@rehearsable
@requires_match
@api.input(AgencyChange)
@api.output(AgencyOut)
def change_agency(agency_id: str, json_data: AgencyChange) -> Answer:
    """Change an agency; its path stays."""
    agencies, actor = use(Agencies), current_actor()
    seen = agencies.agency(actor, agency_id)
    check_match(_tag(seen))
    changed = agencies.change(
        actor,
        seen.id,
        name=json_data.name.value(),
        level=json_data.level,
        code=json_data.code,
        external=json_data.external,
    )
    return with_etag(changed, _tag(changed))


@api.delete("/agencies/<agency_id>")
@requires("agency.manage")
@api.output({}, status_code=204)
def remove_agency(agency_id: str) -> ResponseReturnValue:
    """Remove an agency that has nothing below it and owns nothing."""
    use(Agencies).remove(current_actor(), agency_id)
    return "", 204


def _tag(one: Agency) -> str:
    return etag(one.id, one.name, one.level, one.code, one.external)
