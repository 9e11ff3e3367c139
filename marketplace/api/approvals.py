"""Approvals over HTTP."""

from typing import Annotated, Any

from pydantic import Field

from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    MoneyBody,
    PageOut,
    PageQuery,
    Schema,
    current_actor,
    idempotent,
    requires,
    use,
)
from marketplace.api.catalogue import PriceTagOut, price_body
from marketplace.api.orders import OrderOut, QuotaLineOut, RequiredOut, order_body
from marketplace.model import Decision
from marketplace.service import Marketplace, Review

api = ApiBlueprint("approvals", __name__, tag="Approvals")

_Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class ApprovalQuery(PageQuery):
    """Which of the orders that wait for approval."""

    mine: Annotated[bool, Field(description="Only those that you could decide now.")] = False


class DecisionOut(Schema):
    """What one person decided about one digest."""

    id: str
    digest: str
    step: str
    approver_id: str
    approver_name: str
    decision: Decision
    reason: str
    at: Instant
    lapsed_at: Instant | None = Field(description="When it ceased to count.")


class ReviewOut(Schema):
    """Everything an approver decides on."""

    order: OrderOut
    digest: str
    price: PriceTagOut
    before: MoneyBody = Field(description="What the service costs a month now.")
    encumbrance: MoneyBody = Field(description="What the last approval would hold now.")
    remaining: MoneyBody = Field(description="What the contract has left.")
    contract_number: str
    contract_ends: Instant | None
    quota: list[QuotaLineOut]
    findings: list[dict[str, Any]]
    changes: list[dict[str, Any]] = Field(description="What happens to each resource.")
    preparation: dict[str, Any] | None = Field(description="What is done to the tenancy first.")
    missing: list[RequiredOut]
    given: list[DecisionOut]
    may_decide: bool
    why_not: str


class ApproveBody(Input):
    """What is approved: the digest of the plan that was looked at."""

    digest: _Digest


class RejectBody(ApproveBody):
    """What is refused, and why."""

    reason: Annotated[str, Field(min_length=1, max_length=2000)]


def _body(review: Review) -> dict[str, Any]:
    plan = review.plan.document["provisioning"]
    own = {name: getattr(review, name, None) for name in ReviewOut.model_fields}
    return {
        **own,
        "order": order_body(review.order),
        "digest": review.plan.digest,
        "price": price_body(review.price),
        "changes": plan["changes"],
        "preparation": plan["preparation"],
    }


@api.get("/approvals")
@requires("approval.view")
@api.input(ApprovalQuery, location="query")
@api.output(PageOut[ReviewOut])
def list_approvals(query_data: ApprovalQuery) -> Answer:
    """The orders that wait for approval, newest first."""
    page = use(Marketplace).approvals(current_actor(), query_data.page(), mine=query_data.mine)
    return page.map(_body)


@api.get("/approvals/<order_id>")
@requires("approval.view")
@api.output(ReviewOut)
def get_approval(order_id: str) -> Answer:
    """Everything to decide on about one order."""
    return _body(use(Marketplace).approval(current_actor(), order_id))


@api.post("/approvals/<order_id>/approve")
@requires("approval.decide")
@idempotent
@api.input(ApproveBody)
@api.output(OrderOut)
def approve_order(order_id: str, json_data: ApproveBody) -> Answer:
    """Approve one digest; the last approval reserves money and quota and starts the work."""
    order = use(Marketplace).approve(current_actor(), order_id, json_data.digest)
    return order_body(order)


@api.post("/approvals/<order_id>/reject")
@requires("approval.decide")
@idempotent
@api.input(RejectBody)
@api.output(OrderOut)
def reject_order(order_id: str, json_data: RejectBody) -> Answer:
    """Refuse one digest of an order, with the reason that the requester reads."""
    order = use(Marketplace).reject(current_actor(), order_id, json_data.digest, json_data.reason)
    return order_body(order)
