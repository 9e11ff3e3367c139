"""Use cases of approvers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from control_plane.provisioning.model import Severity
from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Conflict, Forbidden, Invalid, NeedsApproval
from foundation.kernel.errors import Problem as FieldProblem
from foundation.kernel.money import Money
from foundation.kernel.paging import Page, PageRequest
from marketplace.model import (
    Approval,
    ApprovalId,
    Decision,
    Order,
    OrderPlan,
    OrderState,
    Policy,
    PriceTag,
    QuotaLine,
    Required,
    all_findings,
    check_approver,
    differences,
    forbidding,
    price_from,
    quota_change,
    quota_lines,
)
from marketplace.service.core import SYSTEM
from marketplace.service.planning import Planning, check_findings

#: Why nobody can approve, by whether waivers would change that.
_FORBIDDEN = {
    False: "a policy forbids it",
    True: "a policy forbids it: once a waiver holds, take the order back and submit it again",
}


@dataclass(frozen=True, slots=True)
class Review:
    """Everything an approver decides on.

    Attributes:
        missing: the approvals that are still to come, the next one first.
        given: all decisions, lapsed ones too.
        price: of the service as it would be.
        before: what it costs a month now.
        encumbrance: what the last approval would hold of the contract now.
        remaining: what the contract has left.
        quota: how the touched quotas would stand.
        may_decide: whether the actor could take the next decision.
        why_not: why they could not; empty if they can.
    """

    order: Order
    plan: OrderPlan
    missing: tuple[Required, ...]
    given: tuple[Approval, ...]
    price: PriceTag
    before: Money
    encumbrance: Money
    remaining: Money
    contract_number: str
    contract_ends: datetime | None
    quota: tuple[QuotaLine, ...]
    may_decide: bool
    why_not: str

    @property
    def findings(self) -> tuple[Mapping[str, Any], ...]:
        """What the policies say of the plan."""
        return all_findings(self.plan.document)


class Approving(Planning):
    """Policies and decisions."""

    def set_policy(self, actor: Actor, policy_: Policy) -> Policy:
        """Enter a version of an approval policy; the same again changes nothing.

        Orders keep the version that they were planned under until they are planned again.

        Raises:
            Invalid: names every problem, such as a policy that asks nobody.
            Conflict: the version is there and differs, or is not the next one.
        """
        with self._db.transaction():
            self._require_for_city(actor, "catalog.manage")
            policy_.check()
            there = self._store.policy(policy_.slug, policy_.version)
            if there is not None:
                if there != policy_:
                    raise Conflict(f"version {policy_.version} is there: enter the next one")
                return there
            newest = self._store.policy(policy_.slug)
            following = newest.version + 1 if newest else 1
            if policy_.version != following:
                raise Conflict(f"the next version is {following}")
            self._store.add_policy(policy_, actor.id, self._clock.now())
            details = {"slug": policy_.slug, "version": policy_.version}
            self._note(actor, "policy.set", policy_.slug, self._root(), details)
            return policy_

    def approval_policy(self, actor: Actor) -> Policy | None:
        """The policy that new plans are under; None before one is set."""
        policy.require(actor, "catalog.view", policy.ROOT)
        with self._db.transaction():
            return self._store.policy("standard")

    def approvals(self, actor: Actor, request: PageRequest, *, mine: bool = False) -> Page[Review]:
        """Orders that wait for approval, newest first.

        Args:
            actor: who asks.
            request: which part.
            mine: only those whose next decision the actor could take; a page may then hold fewer
                than it could.
        """
        paths = policy.visible_paths(actor, "approval.view")
        with self._db.transaction():
            waiting = {"state": OrderState.IN_APPROVAL.value}
            page = self._store.orders(paths, actor.id, waiting, request)
            reviews = [self._review(actor, order) for order in page.items]
        return Page(tuple(r for r in reviews if r.may_decide or not mine), page.next)

    def approval(self, actor: Actor, order_id: str) -> Review:
        """Everything to decide on about one order, also after the decision.

        Raises:
            NotFound: there is no such order, or it has no plan yet.
        """
        with self._db.transaction():
            order = self._visible_order(actor, order_id)
            policy.require(actor, "approval.view", order.path)
            return self._review(actor, order)

    def approve(self, actor: Actor, order_id: str, digest: str) -> Order:
        """Approve one digest of an order. The last approval reserves money and quota and starts it.

        Raises:
            NeedsApproval: the order's plan is not the one of that digest (any more);
                ``details["difference"]`` shows how they differ.
            QuotaExceeded: the contract or a quota has not enough left; nothing was decided.
            Forbidden: the actor ordered it, or lacks the role that the next approval needs.
            Conflict: the order does not wait for approval, or the actor has approved it already.
            Invalid: a policy forbids it: a waiver that it rested on has ended meanwhile.
        """
        with self._db.transaction():
            order, plan = self._decidable(actor, order_id, digest)
            check_findings(plan.document)
            missing, given = self._missing(order, plan)
            check_approver(actor, order.requester_id, missing[0], given, plan.digest)
            self._decide(actor, order, plan, missing[0], Decision.APPROVED, "")
            if len(missing) == 1:
                order = self._approved(actor, order, plan, f"approved by {actor.name}")
            details = {"decision": "approved", "digest": digest, "step": missing[0].slug}
            self._note(actor, "approval.decide", order.id, order.path, details)
            return order

    def reject(self, actor: Actor, order_id: str, digest: str, reason: str) -> Order:
        """Refuse one digest of an order.

        Raises:
            Invalid: no reason is given.
            NeedsApproval, Forbidden, Conflict: as for ``approve``.
        """
        if not reason.strip():
            raise Invalid([FieldProblem("reason", "is required", "required")])
        with self._db.transaction():
            order, plan = self._decidable(actor, order_id, digest)
            missing, given = self._missing(order, plan)
            check_approver(actor, order.requester_id, missing[0], given, plan.digest)
            self._decide(actor, order, plan, missing[0], Decision.REJECTED, reason)
            moved = self._move(
                actor, order, OrderState.REJECTED, reason, details={"digest": digest},
                deployment_id=self._let_go_quietly(order),
            )  # fmt: skip
            details = {"decision": "rejected", "digest": digest, "reason": reason}
            self._note(actor, "approval.decide", order.id, order.path, details)
            return moved

    def expire_overdue(self) -> list[str]:
        """Let orders lapse that nobody approved in time; for the schedule. Answers their ids."""
        with self._db.transaction():
            overdue = self._store.overdue(self._clock.now())
        return [order_id for order_id in overdue if self._expire(order_id)]

    def _expire(self, order_id: str) -> bool:
        with self._db.transaction():
            order = self._order(order_id, lock=True)
            late = order.deadline is not None and order.deadline <= self._clock.now()
            if order.state is not OrderState.IN_APPROVAL or not late:
                return False  # decided meanwhile
            why = "nobody approved it in time"
            left = self._let_go_quietly(order)
            self._move(SYSTEM, order, OrderState.EXPIRED, why, deployment_id=left)
            self._note(SYSTEM, "order.expire", order.id, order.path, {"deadline": order.deadline})
            return True

    def _decidable(self, actor: Actor, order_id: str, digest: str) -> tuple[Order, OrderPlan]:
        order = self._visible_order(actor, order_id, lock=True)
        if not policy.allows(actor, "approval.decide", order.path):
            raise Forbidden(
                f"this needs the permission approval.decide on {order.path}",
                action="approval.decide", path=order.path,
            )  # fmt: skip
        if order.state is not OrderState.IN_APPROVAL:
            label = order.state.label.en.lower()
            raise Conflict(
                f"the order is {label}: it does not wait for approval", state=order.state.value
            )
        found = Collector()
        found.check(digest, "digest", "is required", "required")
        found.finish()
        plan = self._current_plan(order)
        if digest != plan.digest:
            raise self._other_digest(order, plan, digest)
        if order.deadline is not None and order.deadline <= self._clock.now():
            raise Conflict("the time for approval is over", deadline=order.deadline)
        return order, plan

    def _other_digest(self, order: Order, plan: OrderPlan, digest: str) -> NeedsApproval:
        older = self._store.order_plan_of(order.id, digest)
        found = differences(older.document, plan.document) if older else ()
        return NeedsApproval(
            "the order is not what that digest says: look at it again",
            difference=[d.document() for d in found],
            approved=digest,
            current=plan.digest,
        )

    def _decide(
        self, actor: Actor, order: Order, plan: OrderPlan, step: Required, decision: Decision,
        reason: str,
    ) -> None:  # fmt: skip
        self._store.add_approval(
            Approval(
                ApprovalId(ids.new("apr")), order.id, plan.digest, step.slug, actor.id, actor.name,
                decision, reason, self._clock.now(),
            )
        )  # fmt: skip

    def _review(self, actor: Actor, order: Order) -> Review:
        plan = self._current_plan(order)
        missing, given = self._missing(order, plan)
        contract = self._contract(order.contract_id)
        price = price_from(plan.document)
        levels = self._tenancy.quota_levels_in_transaction(order.tenancy_id)
        why_not = self._why_not(actor, order, plan, missing, given)
        return Review(
            order=order,
            plan=plan,
            missing=tuple(missing),
            given=tuple(given),
            price=price,
            before=Money(Decimal(plan.document["price"]["before"]), price.currency),
            encumbrance=self._amount(order, plan, contract),
            remaining=self._store.balance(contract).remaining,
            contract_number=contract.number,
            contract_ends=contract.terms.term.end,
            quota=quota_lines(levels, quota_change(plan.document)),
            may_decide=not why_not,
            why_not=why_not,
        )

    def _why_not(
        self,
        actor: Actor,
        order: Order,
        plan: OrderPlan,
        missing: list[Required],
        given: list[Approval],
    ) -> str:
        if order.state is not OrderState.IN_APPROVAL or not missing:
            return f"the order is {order.state.label.en.lower()}"
        if not policy.allows(actor, "approval.decide", order.path):
            return "you may see it and not decide"
        forbidden = forbidding(plan.document)
        if forbidden:
            return _FORBIDDEN[all(f["severity"] == Severity.WAIVABLE for f in forbidden)]
        try:
            check_approver(actor, order.requester_id, missing[0], given, plan.digest)
        except (Forbidden, Conflict) as error:
            return error.message
        return ""
