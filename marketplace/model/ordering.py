"""Orders, their states and transitions, and the service instances that come of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NewType

from control_plane.provisioning.model import Deployment
from foundation.kernel.errors import Conflict
from foundation.kernel.money import Money
from foundation.kernel.text import Text
from marketplace.model.approval import Required
from marketplace.model.catalogue import LeadTime

OrderId = NewType("OrderId", str)
OrderPlanId = NewType("OrderPlanId", str)
InstanceId = NewType("InstanceId", str)


class OrderKind(StrEnum):
    """What an order asks for."""

    APPLY = "apply"
    CHANGE = "change"
    DELETE = "delete"


class OrderState(StrEnum):
    """Where an order is."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    PLANNING = "planning"
    IN_APPROVAL = "in_approval"
    APPROVED = "approved"
    PROVISIONING = "provisioning"
    ACTIVE = "active"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    FAILED = "failed"
    STUCK = "stuck"
    EXPIRED = "expired"

    @property
    def label(self) -> Text:
        """As people read it."""
        return _TITLES[self]


_TITLES = {
    OrderState.DRAFT: Text("Draft", "草稿"),
    OrderState.SUBMITTED: Text("Submitted", "已提交"),
    OrderState.PLANNING: Text("Being planned", "规划中"),
    OrderState.IN_APPROVAL: Text("In approval", "审批中"),
    OrderState.APPROVED: Text("Approved", "已批准"),
    OrderState.PROVISIONING: Text("Being provisioned", "开通中"),
    OrderState.ACTIVE: Text("Done", "已完成"),
    OrderState.REJECTED: Text("Rejected", "已驳回"),
    OrderState.WITHDRAWN: Text("Withdrawn", "已撤回"),
    OrderState.FAILED: Text("Failed", "失败"),
    OrderState.STUCK: Text("Stuck", "停滞"),
    OrderState.EXPIRED: Text("Expired", "已过期"),
}

_S = OrderState
#: What may follow what. A lapsed approval leads from provisioning back to approval.
TRANSITIONS: Mapping[OrderState, frozenset[OrderState]] = {
    _S.DRAFT: frozenset({_S.SUBMITTED, _S.WITHDRAWN}),
    _S.SUBMITTED: frozenset({_S.PLANNING, _S.WITHDRAWN, _S.FAILED, _S.STUCK}),
    _S.PLANNING: frozenset({_S.IN_APPROVAL, _S.WITHDRAWN, _S.FAILED, _S.STUCK}),
    _S.IN_APPROVAL: frozenset({_S.APPROVED, _S.REJECTED, _S.WITHDRAWN, _S.EXPIRED}),
    _S.APPROVED: frozenset({_S.PROVISIONING, _S.IN_APPROVAL, _S.FAILED, _S.STUCK}),
    _S.PROVISIONING: frozenset({_S.ACTIVE, _S.IN_APPROVAL, _S.FAILED, _S.STUCK}),
    _S.ACTIVE: frozenset(),
    _S.REJECTED: frozenset({_S.DRAFT}),
    _S.WITHDRAWN: frozenset({_S.DRAFT}),
    _S.EXPIRED: frozenset({_S.DRAFT}),
    _S.FAILED: frozenset({_S.SUBMITTED, _S.DRAFT, _S.WITHDRAWN}),
    _S.STUCK: frozenset({_S.SUBMITTED, _S.FAILED, _S.PROVISIONING, _S.PLANNING, _S.ACTIVE}),
}

#: States in which an order lays claim to its instance: another of the same instance must wait.
OPEN = frozenset(
    {_S.SUBMITTED, _S.PLANNING, _S.IN_APPROVAL, _S.APPROVED, _S.PROVISIONING, _S.STUCK}
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants, as far as they have said: a draft may lack most of it.

    Attributes:
        offering, plan: slugs.
        tenancy: id or slug.
        region: id or slug.
        name: of the service; lower-case letters, digits and hyphens.
        inputs: of the blueprint, without what the plan presets.
        system: id of the system that it serves; None takes the tenancy's.
        contract: number; None takes the one that is in force for the tenancy and the category.
        ends_at: until when it is wanted; None is as long as the contract.
        instance: the service that is changed or returned.
    """

    kind: OrderKind = OrderKind.APPLY
    offering: str = ""
    plan: str = ""
    tenancy: str = ""
    region: str = ""
    name: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    system: str | None = None
    contract: str | None = None
    justification: str = ""
    ends_at: datetime | None = None
    instance: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One order.

    Attributes:
        wish: what was asked for; ids in place of names once it is submitted.
        path: of the tenancy's organisation.
        version: one more with every change; the ETag is made of it.
        round: one more with every submission; names the reservation of that submission.
        requester_id: who ordered, and so never approves.
        instance_id: the service it makes, changes or returns; written before anything is made.
        deployment_id: what provisioning realises it as; empty until it was planned.
        contract_id: the contract it draws on; empty until it was submitted.
        plan_id: the plan that is shown for approval; empty until there is one.
        digest: of that plan.
        operation_id: the newest operation on it; empty before the first.
        failure: a problem document when it failed or is stuck.
        lapse: what differed when an approval lapsed, as JSON; None otherwise.
        deadline: when it expires unless it is approved.
    """

    id: OrderId
    kind: OrderKind
    state: OrderState
    wish: Wish
    path: str
    tenancy_id: str
    version: int
    round: int
    requester_id: str
    requester_name: str
    instance_id: InstanceId
    created_at: datetime
    updated_at: datetime
    deployment_id: str = ""
    contract_id: str = ""
    plan_id: str = ""
    digest: str = ""
    operation_id: str = ""
    failure: Mapping[str, Any] | None = None
    lapse: tuple[Mapping[str, Any], ...] | None = None
    deadline: datetime | None = None
    approved_at: datetime | None = None
    active_at: datetime | None = None

    @property
    def reservation_key(self) -> str:
        """Names what this submission holds of quota and money."""
        return f"{self.id}:{self.round}"

    def check_move(self, to: OrderState) -> None:
        """Refuse a transition that there is not.

        Raises:
            Conflict: the order is in a state that does not allow it.
        """
        if to not in TRANSITIONS[self.state]:
            raise Conflict(
                f"the order is {self.state.label.en.lower()} and cannot become "
                f"{to.label.en.lower()}",
                state=self.state.value,
            )


@dataclass(frozen=True, slots=True)
class Transition:
    """One step in the life of an order: from what to what, by whom, when and why."""

    order_id: str
    seq: int
    before: OrderState | None
    after: OrderState
    by_id: str
    by_name: str
    at: datetime
    why: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One priced part of a plan, for a month of 730 hours.

    Attributes:
        subject: the resource or the plan's component.
        quantity: units per month; for one-time parts, units at the start.
        monthly: quantity × unit price, unrounded; for one-time parts, the amount due once.
    """

    subject: str
    kind: str
    meter: str
    dimensions: Mapping[str, str]
    quantity: Decimal
    price_id: str
    unit_price: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PriceTag:
    """What something costs under a contract.

    Attributes:
        unpriced: billable meters that the price book lacks: such a plan is not approved.
    """

    contract_id: str
    contract_version: int
    currency: str
    lines: tuple[PriceLine, ...]
    unpriced: tuple[str, ...] = ()

    @property
    def month(self) -> Money:
        """What comes to be paid in a month of 730 hours, unrounded."""
        return self._sum(once=False)

    @property
    def year(self) -> Money:
        """Twelve such months."""
        return self.month * 12

    @property
    def one_time(self) -> Money:
        """What is paid once."""
        return self._sum(once=True)

    def _sum(self, *, once: bool) -> Money:
        amounts = (line.amount for line in self.lines if (line.kind == "one_time") is once)
        return Money(sum(amounts, Decimal(0)), self.currency)


@dataclass(frozen=True, slots=True)
class QuotaLine:
    """One resource of quota at one level: what it is, and what the order would make of it.

    Attributes:
        held: used and reserved now.
        change: what the order takes, or gives back.
    """

    level: str
    name: Text
    resource: str
    limit: Decimal | None
    held: Decimal
    change: Decimal

    @property
    def after(self) -> Decimal:
        """Used and reserved with the order."""
        return self.held + self.change

    @property
    def fits(self) -> bool:
        """Whether the level has room for it."""
        return self.limit is None or self.change <= 0 or self.after <= self.limit


@dataclass(frozen=True, slots=True)
class Quote:
    """What a wish would cost and take, before it is ordered.

    Attributes:
        price: of the service as it would be.
        before: what the service costs a month as it is, for a change or a return.
        encumbrance: what the contract would be charged with until its end.
        remaining: what the contract has left now.
        months: begun months that the encumbrance counts.
        lead_time: as measured.
        approvals: who must approve.
        inputs: with defaults and presets.
        resources: (type, name) of what would be made.
    """

    price: PriceTag
    before: Money | None
    encumbrance: Money
    remaining: Money
    months: int
    contract_number: str
    contract_ends: datetime | None
    lead_time: LeadTime
    quota: tuple[QuotaLine, ...]
    approvals: tuple[Required, ...]
    findings: tuple[Mapping[str, Any], ...]
    inputs: Mapping[str, Any]
    resources: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class OrderPlan:
    """What an order would do, under one digest; it is stored once and never changed.

    Attributes:
        digest: SHA-256 of the canonical JSON of ``document``.
        document: see ``marketplace.model.plan``.
        provisioning_plan: id of provisioning's plan, which apply is held to.
    """

    id: OrderPlanId
    order_id: OrderId
    round: int
    digest: str
    provisioning_plan: str
    document: Mapping[str, Any]
    created_at: datetime


class InstanceState(StrEnum):
    """Where a service is in its life."""

    PENDING = "pending"
    ACTIVE = "active"
    CHANGING = "changing"
    DELETING = "deleting"
    DELETED = "deleted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What a department has without an order: it was made by hand and imported.

    Attributes:
        deployment: how it is realised; there is no service, plan or term.
        monthly: what its use costs in a month of 730 hours at today's prices; None without a
            contract.
    """

    deployment: Deployment
    monthly: Money | None


@dataclass(frozen=True, slots=True)
class Instance:
    """A service that a department has.

    Attributes:
        order_id: the order that made it.
        latest_order_id: the newest order that took effect on it.
        held: the quota that it holds, by resource.
        monthly: what it costs in a month of 730 hours, as last approved.
        outputs: plain; secret ones are masked.
    """

    id: InstanceId
    order_id: OrderId
    latest_order_id: OrderId
    contract_id: str
    deployment_id: str
    tenancy_id: str
    path: str
    system_id: str | None
    region_id: str
    offering: str
    plan: str
    name: str
    inputs: Mapping[str, Any]
    state: InstanceState
    held: Mapping[str, Decimal]
    monthly: Money
    created_at: datetime
    outputs: Mapping[str, Any] = field(default_factory=dict)
    ends_at: datetime | None = None
    active_at: datetime | None = None
    deleted_at: datetime | None = None
