"""Organisations, systems, tenancies and quotas over HTTP."""

from typing import Annotated

from flask.typing import ResponseReturnValue
from pydantic import Field

from control_plane.tenancy.model import (
    DataClass,
    Organisation,
    OrganisationKind,
    QuotaLevel,
    System,
    Tenancy,
)
from control_plane.tenancy.service import TenancyService
from foundation.kernel.paging import Page
from foundation.surface.api import (
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

api = ApiBlueprint("tenancy", __name__, tag="Organisations and quotas")

Reference = Annotated[str, Field(min_length=1, max_length=400, description="An id or a path.")]


class OrganisationCreate(Input):
    """A new part of the city's administration."""

    parent: Annotated[Reference | None, Field(description="Null for the city.")] = None
    slug: Slug
    name: TextBody
    kind: Annotated[OrganisationKind, Field(strict=False)]


class OrganisationChange(Input):
    """What may change of an organisation."""

    name: TextBody


class OrganisationOut(Schema):
    """A part of the city's administration."""

    id: str
    parent_id: str | None
    slug: str
    name: TextBody
    kind: OrganisationKind
    path: Annotated[str, Field(description="The slugs from the root, such as /city/health/.")]
    created_at: Instant


class SystemCreate(Input):
    """An information system for the register."""

    organisation: Reference
    slug: Slug
    name: TextBody
    data_class: Annotated[DataClass, Field(strict=False)]
    contact: Annotated[str, Field(max_length=200)] = ""


class SystemOut(Schema):
    """An information system of the register."""

    id: str
    organisation_id: str
    path: str
    slug: str
    name: TextBody
    data_class: DataClass
    contact: str
    created_at: Instant


class TenancyCreate(Input):
    """A new room in the cloud."""

    organisation: Reference
    slug: Slug
    name: TextBody
    data_class: Annotated[
        DataClass | None, Field(strict=False, description="Null takes the system's.")
    ] = None
    system: Annotated[str, Field(max_length=40, description="The system it serves.")] | None = None


class TenancyOut(Schema):
    """A room in the cloud: what is ordered runs in one."""

    id: str
    organisation_id: str
    system_id: str | None
    slug: str
    path: str
    name: TextBody
    data_class: DataClass
    state: str
    created_at: Instant


class TenancyQuery(PageQuery):
    """Which tenancies."""

    system: str | None = None


class QuotaOut(Schema):
    """How one resource stands at one level; a limit of null is none."""

    resource: str
    limit: DecimalText | None
    reserved: DecimalText
    used: DecimalText
    free: DecimalText | None


class QuotaLevelOut(Schema):
    """One level between the city and the scope."""

    scope_id: str
    kind: str
    slug: str
    name: TextBody
    path: str
    quotas: list[QuotaOut]


class QuotaOverview(Schema):
    """All levels, from the city to the scope; each of them may refuse."""

    levels: list[QuotaLevelOut]


class QuotaChange(Input):
    """New limits by resource; null lifts one, others stay."""

    limits: Annotated[dict[str, DecimalText | None], Field(max_length=50)]


@api.get("/organisations")
@requires("organisation.view")
@api.input(PageQuery, location="query")
@api.output(PageOut[OrganisationOut])
def list_organisations(query_data: PageQuery) -> Page[Organisation]:
    """The organisations that you may see, by path."""
    return use(TenancyService).organisations(current_actor(), query_data.page())


@api.post("/organisations")
@requires("organisation.create")
@rehearsable
@idempotent
@api.input(OrganisationCreate)
@api.output(OrganisationOut, 201)
def create_organisation(json_data: OrganisationCreate) -> ResponseReturnValue:
    """Add an organisation to the tree."""
    made = use(TenancyService).create_organisation(
        current_actor(),
        parent=json_data.parent,
        slug=json_data.slug,
        name=json_data.name.value(),
        kind=json_data.kind,
    )
    return created(made, f"/api/v1/organisations/{made.id}")


@api.get("/organisations/<organisation_id>")
@requires("organisation.view")
@api.output(OrganisationOut)
def get_organisation(organisation_id: str) -> Answer:
    """One organisation."""
    found = use(TenancyService).organisation(current_actor(), organisation_id)
    return with_etag(found, etag(found.id, found.name))


@api.patch("/organisations/<organisation_id>")
@requires("organisation.update")
@rehearsable
@requires_match
@api.input(OrganisationChange)
@api.output(OrganisationOut)
def rename_organisation(organisation_id: str, json_data: OrganisationChange) -> Answer:
    """Give an organisation another name; its path stays."""
    tenancies, actor = use(TenancyService), current_actor()
    seen = tenancies.organisation(actor, organisation_id)
    check_match(etag(seen.id, seen.name))
    changed = tenancies.rename_organisation(actor, seen.id, json_data.name.value())
    return with_etag(changed, etag(changed.id, changed.name))


@api.get("/organisations/<organisation_id>/quota")
@requires("quota.view")
@api.output(QuotaOverview)
def get_organisation_quota(organisation_id: str) -> dict[str, tuple[QuotaLevel, ...]]:
    """Limits, reservations and use from the city to the organisation."""
    return {"levels": use(TenancyService).quota_view(current_actor(), organisation_id)}


@api.patch("/organisations/<organisation_id>/quota")
@requires("quota.set")
@rehearsable
@api.input(QuotaChange)
@api.output(QuotaOverview)
def set_organisation_quota(
    organisation_id: str, json_data: QuotaChange
) -> dict[str, tuple[QuotaLevel, ...]]:
    """Set limits of an organisation; this is granted from above it."""
    levels = use(TenancyService).set_quota(
        current_actor(), scope=organisation_id, limits=json_data.limits
    )
    return {"levels": levels}


@api.get("/systems")
@requires("system.view")
@api.input(PageQuery, location="query")
@api.output(PageOut[SystemOut])
def list_systems(query_data: PageQuery) -> Page[System]:
    """The systems that you may see."""
    return use(TenancyService).systems(current_actor(), query_data.page())


@api.post("/systems")
@requires("system.create")
@idempotent
@api.input(SystemCreate)
@api.output(SystemOut, 201)
def create_system(json_data: SystemCreate) -> ResponseReturnValue:
    """Enter a system into the register."""
    made = use(TenancyService).register_system(
        current_actor(),
        organisation=json_data.organisation,
        slug=json_data.slug,
        name=json_data.name.value(),
        data_class=json_data.data_class,
        contact=json_data.contact,
    )
    return created(made, f"/api/v1/systems/{made.id}")


@api.get("/systems/<system_id>")
@requires("system.view")
@api.output(SystemOut)
def get_system(system_id: str) -> System:
    """One system of the register."""
    return use(TenancyService).system(current_actor(), system_id)


@api.get("/tenancies")
@requires("tenancy.view")
@api.input(TenancyQuery, location="query")
@api.output(PageOut[TenancyOut])
def list_tenancies(query_data: TenancyQuery) -> Page[Tenancy]:
    """The tenancies that you may see."""
    return use(TenancyService).tenancies(
        current_actor(), query_data.page(), system=query_data.system
    )


@api.post("/tenancies")
@requires("tenancy.create")
@idempotent
@api.input(TenancyCreate)
@api.output(TenancyOut, 201)
def create_tenancy(json_data: TenancyCreate) -> ResponseReturnValue:
    """Open a tenancy."""
    made = use(TenancyService).create_tenancy(
        current_actor(),
        organisation=json_data.organisation,
        slug=json_data.slug,
        name=json_data.name.value(),
        data_class=json_data.data_class,
        system=json_data.system,
    )
    return created(made, f"/api/v1/tenancies/{made.id}")


@api.get("/tenancies/<tenancy_id>")
@requires("tenancy.view")
@api.output(TenancyOut)
def get_tenancy(tenancy_id: str) -> Tenancy:
    """One tenancy, by id or slug."""
    return use(TenancyService).tenancy(current_actor(), tenancy_id)


@api.post("/tenancies/<tenancy_id>/close")
@requires("tenancy.close")
@idempotent
@api.output(TenancyOut)
def close_tenancy(tenancy_id: str) -> Answer:
    """Let nothing new into a tenancy that is empty."""
    return use(TenancyService).close_tenancy(current_actor(), tenancy_id)


@api.get("/tenancies/<tenancy_id>/quota")
@requires("quota.view")
@api.output(QuotaOverview)
def get_tenancy_quota(tenancy_id: str) -> dict[str, tuple[QuotaLevel, ...]]:
    """Limits, reservations and use from the city to the tenancy."""
    return {"levels": use(TenancyService).quota_view(current_actor(), tenancy_id)}


@api.patch("/tenancies/<tenancy_id>/quota")
@requires("quota.set")
@rehearsable
@api.input(QuotaChange)
@api.output(QuotaOverview)
def set_tenancy_quota(tenancy_id: str, json_data: QuotaChange) -> dict[str, tuple[QuotaLevel, ...]]:
    """Set limits of a tenancy."""
    levels = use(TenancyService).set_quota(
        current_actor(), scope=tenancy_id, limits=json_data.limits
    )
    return {"levels": levels}
