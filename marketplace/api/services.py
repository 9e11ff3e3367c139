"""Service instances over HTTP."""

from typing import Annotated, Any

from pydantic import Field

from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    DecimalText,
    Instant,
    MoneyBody,
    PageOut,
    PageQuery,
    Schema,
    current_actor,
    requires,
    use,
)
from marketplace.model import InstanceState
from marketplace.service import Marketplace

api = ApiBlueprint("services", __name__, tag="Services")

_Reference = Annotated[str, Field(max_length=200)]


class ServiceOut(Schema):
    """A service that a department has."""

    id: str
    name: str
    state: InstanceState
    offering: str
    plan: str
    path: str
    tenancy_id: str
    system_id: str | None
    region_id: str
    contract_id: str
    deployment_id: str
    order_id: str = Field(description="The order that made it.")
    latest_order_id: str = Field(description="The newest order that took effect on it.")
    inputs: dict[str, Any]
    outputs: dict[str, Any] = Field(description="Secret ones are masked.")
    held: dict[str, DecimalText] = Field(description="The quota that it holds, by resource.")
    monthly: MoneyBody
    created_at: Instant
    active_at: Instant | None
    ends_at: Instant | None
    deleted_at: Instant | None


class ServiceResourceOut(Schema):
    """A resource in the region."""

    id: str
    type: str
    name: str
    physical_id: str
    state: str
    error: str
    created_at: Instant
    deleted_at: Instant | None


class ServiceDetailOut(ServiceOut):
    """A service with what it consists of."""

    resources: list[ServiceResourceOut]


class ServiceQuery(PageQuery):
    """Which services."""

    state: Annotated[InstanceState, Field(strict=False)] | None = None
    offering: _Reference | None = None
    tenancy: _Reference | None = None
    system: _Reference | None = None
    region: _Reference | None = None

    def filters(self) -> dict[str, str]:
        """As the service takes them."""
        given = {
            "state": self.state.value if self.state else None,
            "offering": self.offering,
            "tenancy_id": self.tenancy,
            "system_id": self.system,
            "region_id": self.region,
        }
        return {name: value for name, value in given.items() if value is not None}


@api.get("/services")
@requires("instance.view")
@api.input(ServiceQuery, location="query")
@api.output(PageOut[ServiceOut])
def list_services(query_data: ServiceQuery) -> Answer:
    """The services that you may see, newest first."""
    return use(Marketplace).instances(current_actor(), query_data.page(), query_data.filters())


@api.get("/services/<id>")
@requires("instance.view")
@api.output(ServiceDetailOut)
def get_service(id: str) -> Answer:  # noqa: A002 - the name in the address
    """One service with its resources."""
    market, actor = use(Marketplace), current_actor()
    found = market.instance(actor, id)
    _, resources = market.instance_deployment(actor, id)
    own = {name: getattr(found, name) for name in ServiceOut.model_fields}
    return {**own, "resources": list(resources)}
