"""Orders over HTTP."""

from typing import Annotated, Any

from flask.typing import ResponseReturnValue
from pydantic import Field

from foundation.operations.api import OperationOut
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    DecimalText,
    Input,
    Instant,
    MoneyBody,
    PageOut,
    PageQuery,
    Schema,
    TextBody,
    accepted,
    check_match,
    created,
    current_actor,
    etag,
    idempotent,
    idempotent_outside,
    requires,
    requires_match,
    use,
    with_etag,
)
from marketplace.api.catalogue import LeadTimeOut, PriceTagOut, price_body
from marketplace.model import Order, OrderKind, OrderState, Quote, Wish
from marketplace.service import Marketplace

api = ApiBlueprint("orders", __name__, tag="Orders")

_Reference = Annotated[str, Field(max_length=200)]


class OrderWish(Input):
    """What is wanted; a draft may lack most of it, a submission nothing."""

    kind: Annotated[OrderKind, Field(strict=False)] = OrderKind.APPLY
    offering: _Reference = ""
    plan: _Reference = ""
    tenancy: Annotated[_Reference, Field(description="Id or slug.")] = ""
    region: Annotated[_Reference, Field(description="Id or slug.")] = ""
    name: Annotated[_Reference, Field(description="Of the service, as in addresses.")] = ""
    inputs: dict[str, Any] = Field({}, description="By the offering's inputs_schema.")
    system: Annotated[_Reference, Field(description="Id or slug.")] | None = None
    contract: Annotated[_Reference | None, Field(description="Null takes the one in force.")] = None
    justification: Annotated[str, Field(max_length=2000)] = ""
    ends_at: Instant | None = None
    service: Annotated[
        _Reference | None, Field(description="The service that is changed or returned.")
    ] = None

    def value(self) -> Wish:
        """The feature's value."""
        return Wish(
            self.kind, self.offering, self.plan, self.tenancy, self.region, self.name,
            self.inputs, self.system, self.contract, self.justification, self.ends_at,
            self.service,
        )  # fmt: skip


class OrderOut(Schema):
    """An order."""

    id: str
    kind: OrderKind
    state: OrderState
    version: int
    round: int = Field(description="How often it was submitted, or its approval lapsed.")
    path: str
    tenancy_id: str
    offering: str
    plan: str
    region: str
    name: str
    inputs: dict[str, Any]
    system: str | None
    contract: str | None
    justification: str
    ends_at: Instant | None
    service: str = Field(description="The service that it makes, changes or returns.")
    requester_id: str
    requester_name: str
    digest: str | None = Field(description="What is to be approved; null before it is planned.")
    operation_id: str | None
    failure: dict[str, Any] | None = Field(description="A problem document.")
    difference: list[dict[str, Any]] | None = Field(
        description="What had changed when an approval lapsed."
    )
    deadline: Instant | None
    approved_at: Instant | None
    active_at: Instant | None
    created_at: Instant
    updated_at: Instant


class OrderQuery(PageQuery):
    """Which orders."""

    state: Annotated[OrderState, Field(strict=False)] | None = None
    kind: Annotated[OrderKind, Field(strict=False)] | None = None
    tenancy: _Reference | None = None
    offering: _Reference | None = None
    service: _Reference | None = None
    requester: _Reference | None = None

    def filters(self) -> dict[str, str]:
        """As the service takes them."""
        given = {
            "state": self.state.value if self.state else None,
            "kind": self.kind.value if self.kind else None,
            "tenancy_id": self.tenancy,
            "offering": self.offering,
            "instance_id": self.service,
            "requester_id": self.requester,
        }
        return {name: value for name, value in given.items() if value is not None}


class OrderReason(Input):
    """Why."""

    reason: Annotated[str, Field(max_length=2000)] = ""


class TransitionOut(Schema):
    """One step in the life of an order."""

    seq: int
    before: OrderState | None
    after: OrderState
    by_id: str
    by_name: str
    at: Instant
    why: str
    details: dict[str, Any]


class HistoryOut(Schema):
    """All transitions, in order."""

    items: list[TransitionOut]


class OrderPlanOut(Schema):
    """What an order would do, under one digest (SHA-256 of the document's canonical JSON)."""

    id: str
    order_id: str
    round: int
    digest: str
    provisioning_plan: str
    document: dict[str, Any]
    created_at: Instant


class QuotaLineOut(Schema):
    """One resource of quota at one level, and what the order would make of it."""

    level: str
    name: TextBody
    resource: str
    limit: DecimalText | None
    held: DecimalText
    change: DecimalText
    after: DecimalText
    fits: bool


class RequiredOut(Schema):
    """An approval that is needed."""

    slug: str
    name: TextBody
    role: str
    path: str


class QuoteOut(Schema):
    """What a wish would cost and take, before it is ordered."""

    price: PriceTagOut
    before: MoneyBody | None = Field(description="What the service costs a month now.")
    encumbrance: MoneyBody = Field(description="What approving would hold of the contract.")
    remaining: MoneyBody = Field(description="What the contract has left.")
    months: int
    contract_number: str
    contract_ends: Instant | None
    lead_time: LeadTimeOut
    quota: list[QuotaLineOut]
    approvals: list[RequiredOut]
    findings: list[dict[str, Any]]
    inputs: dict[str, Any]
    resources: list[list[str]] = Field(description="Type and name of what would be made.")


def order_body(order: Order) -> dict[str, Any]:
    """What is answered of an order."""
    wish = order.wish
    wished = ("offering", "plan", "region", "name", "inputs", "system", "contract",
              "justification", "ends_at")  # fmt: skip
    own = {name: getattr(order, name, None) for name in OrderOut.model_fields}
    return {
        **own,
        **{name: getattr(wish, name) for name in wished},
        "service": order.instance_id,
        "digest": order.digest or None,
        "operation_id": order.operation_id or None,
        "difference": None if order.lapse is None else list(order.lapse),
    }


def _quote_body(quote: Quote) -> dict[str, Any]:
    own = {name: getattr(quote, name) for name in QuoteOut.model_fields}
    return {
        **own,
        "price": price_body(quote.price),
        "resources": [list(pair) for pair in quote.resources],
    }


def _tag(order: Order) -> str:
    return etag(order.id, order.version)


def _answer(order: Order) -> Answer:
    return with_etag(order_body(order), _tag(order))


@api.get("/orders")
@requires("order.view")
@api.input(OrderQuery, location="query")
@api.output(PageOut[OrderOut])
def list_orders(query_data: OrderQuery) -> Answer:
    """The orders that you may see, newest first; of drafts only your own."""
    page = use(Marketplace).orders(current_actor(), query_data.page(), query_data.filters())
    return page.map(order_body)


@api.post("/orders")
@requires("order.create")
@idempotent
@api.input(OrderWish)
@api.output(OrderOut, 201)
def create_order(json_data: OrderWish) -> ResponseReturnValue:
    """Save a draft; it may lack everything but the tenancy or service that it is for."""
    order = use(Marketplace).create_order(current_actor(), json_data.value())
    return created(order_body(order), f"/api/v1/orders/{order.id}", _tag(order))


@api.post("/orders/quote")
@requires("order.create")
@api.input(OrderWish)
@api.output(QuoteOut)
def quote_order(json_data: OrderWish) -> Answer:
    """What a wish would cost and take; nothing is kept."""
    return _quote_body(use(Marketplace).quote(current_actor(), json_data.value()))


@api.get("/orders/<id>")
@requires("order.view")
@api.output(OrderOut)
def get_order(id: str) -> Answer:  # noqa: A002 - the name in the address
    """One order."""
    return _answer(use(Marketplace).order(current_actor(), id))


@api.put("/orders/<id>")
@requires("order.create")
@requires_match
@api.input(OrderWish)
@api.output(OrderOut)
def update_order(id: str, json_data: OrderWish) -> Answer:  # noqa: A002
    """Replace what a draft asks for; its kind and service stay."""
    market, actor = use(Marketplace), current_actor()
    seen = market.order(actor, id)
    check_match(_tag(seen))
    return _answer(market.update_order(actor, id, json_data.value(), version=seen.version))


@api.post("/orders/<id>/submit")
@requires("order.submit")
@idempotent_outside
@api.output(OperationOut, 202)
def submit_order(id: str) -> ResponseReturnValue:  # noqa: A002
    """Ask for the plan and then the approval of a draft."""
    operation = use(Marketplace).submit(current_actor(), id)
    return accepted(operation, operation.id)


@api.post("/orders/<id>/retry")
@requires("order.submit")
@idempotent
@api.output(OperationOut, 202)
def retry_order(id: str) -> ResponseReturnValue:  # noqa: A002
    """Plan a failed order anew; approvals of the same digest still count."""
    operation = use(Marketplace).retry(current_actor(), id)
    return accepted(operation, operation.id)


@api.post("/orders/<id>/withdraw")
@requires("order.withdraw")
@idempotent
@api.input(OrderReason)
@api.output(OrderOut)
def withdraw_order(id: str, json_data: OrderReason) -> Answer:  # noqa: A002
    """Take an order back before it is approved."""
    return _answer(use(Marketplace).withdraw(current_actor(), id, json_data.reason))


@api.post("/orders/<id>/reopen")
@requires("order.create")
@idempotent
@api.output(OrderOut)
def reopen_order(id: str) -> Answer:  # noqa: A002
    """Make a rejected, withdrawn, expired or failed order a draft again."""
    return _answer(use(Marketplace).reopen(current_actor(), id))


@api.get("/orders/<id>/history")
@requires("order.view")
@api.output(HistoryOut)
def get_order_history(id: str) -> Answer:  # noqa: A002
    """All transitions of an order: who, when and why."""
    return {"items": use(Marketplace).history(current_actor(), id)}


@api.get("/orders/<id>/plan")
@requires("order.view")
@api.output(OrderPlanOut)
def get_order_plan(id: str) -> Answer:  # noqa: A002
    """The plan that is shown for approval."""
    return use(Marketplace).order_plan(current_actor(), id)
