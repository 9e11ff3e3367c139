"""Declared services over HTTP."""

from typing import Annotated, Any

from pydantic import Field

from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    Schema,
    current_actor,
    idempotent_outside,
    requires,
    use,
)
from marketplace.api.orders import OrderOut, order_body
from marketplace.model import Wish
from marketplace.service import Marketplace
from marketplace.service.declaring import Standing

api = ApiBlueprint("declarations", __name__, tag="Declared services")

_Reference = Annotated[str, Field(max_length=200)]


class ServiceDeclaration(Input):
    """A service as it shall be; it is found by its tenancy, region and name."""

    offering: _Reference = ""
    plan: _Reference = ""
    tenancy: Annotated[_Reference, Field(description="Id or slug.")] = ""
    region: Annotated[_Reference, Field(description="Id or slug.")] = ""
    name: Annotated[_Reference, Field(description="Of the service, as in addresses.")] = ""
    inputs: dict[str, Any] = Field({}, description="What is left out is as the plan has it.")
    system: Annotated[_Reference, Field(description="Id or slug.")] | None = None
    contract: Annotated[_Reference | None, Field(description="Null takes the one in force.")] = None
    justification: Annotated[str, Field(max_length=2000)] = ""
    ends_at: Instant | None = None
    present: Annotated[bool, Field(description="False: there shall be no such service.")] = True
    check: Annotated[bool, Field(description="Only say what is wrong; nothing is kept.")] = False

    def value(self) -> Wish:
        """The feature's value."""
        return Wish(
            offering=self.offering, plan=self.plan, tenancy=self.tenancy, region=self.region,
            name=self.name, inputs=self.inputs, system=self.system, contract=self.contract,
            justification=self.justification, ends_at=self.ends_at,
        )  # fmt: skip


class DeclaredChangeOut(Schema):
    """A field that is not as declared."""

    field: str
    before: Any = Field(description="Null for a new service.")
    after: Any


class DeclaredOut(Schema):
    """What became of a declaration."""

    standing: Standing = Field(
        description="unchanged: nothing to order; drafted: the order is to be submitted; "
        "under_way; failed: the order can be retried; rejected."
    )
    order: OrderOut | None = Field(description="The order for it; null when there is none.")
    service: str | None = Field(description="The service as it is; null while there is none.")
    changes: list[DeclaredChangeOut]


@api.post("/orders/declare")
@requires("order.create")
@idempotent_outside
@api.input(ServiceDeclaration)
@api.output(DeclaredOut)
def declare_service(json_data: ServiceDeclaration) -> Answer:
    """Draft what is needed for a service to be as declared; the same again finds the same order."""
    made = use(Marketplace).declare(
        current_actor(), json_data.value(), present=json_data.present, check=json_data.check
    )
    return {
        "standing": made.standing,
        "order": None if made.order is None else order_body(made.order),
        "service": None if made.instance is None else made.instance.id,
        "changes": made.changes,
    }
