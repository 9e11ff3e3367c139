"""What the worker does with a submitted order: plan, price, and put it up for approval."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from control_plane.provisioning.model import Plan as Provision
from control_plane.provisioning.model import Severity
from foundation.kernel import canonical, ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Conflict, Invalid, Problem
from foundation.kernel.money import Money
from foundation.kernel.text import Text
from marketplace.model import (
    Approval,
    Contract,
    Instance,
    InstanceState,
    Order,
    OrderKind,
    OrderPlan,
    OrderPlanId,
    OrderState,
    Required,
    begun_months,
    chain_from,
    forbidding,
    pending,
    price_document,
    price_from,
    quota_change,
    quota_limits,
)
from marketplace.service.core import SYSTEM
from marketplace.service.ordering import Ordering
from marketplace.service.wishes import encumbrance, nothing_under, remaining_end

_ACTIONS = {OrderKind.APPLY: "create", OrderKind.CHANGE: "change", OrderKind.DELETE: "delete"}
_ZERO = Decimal(0)


class Planning(Ordering):
    """Plans of orders, and what the last approval does."""

    def begin_planning(self, order_id: str, submission: int) -> dict[str, Any]:
        """Step 1 of ``order.plan``: the order is being planned.

        Raises:
            Conflict: the order was taken back or submitted anew meanwhile.
        """
        with self._db.transaction():
            order = self._current(order_id, submission)
            if order.state in {OrderState.SUBMITTED, OrderState.STUCK}:
                self._move(SYSTEM, order, OrderState.PLANNING, "the worker plans it")
            elif order.state is not OrderState.PLANNING:
                raise _overtaken(order)
            return {"kind": order.kind.value}

    def preview_order(self, order_id: str, submission: int) -> dict[str, Any]:
        """Step 2 of ``order.plan``: what would be made; asks the region, no transaction is open.

        Raises:
            Invalid, Conflict, Unavailable: it cannot be planned.
        """
        with self._db.transaction():
            order = self._current(order_id, submission)
        plan = self._plan_of(order, None)
        return {"plan": plan.id, "deployment": plan.deployment_id}

    def put_up(self, order_id: str, submission: int, provision: str) -> dict[str, Any]:
        """Step 3 of ``order.plan``: price it, digest it, and ask for approval.

        When every approval of the same digest was given before (a retry), nobody is asked again.

        Raises:
            Invalid: a policy forbids it, or something has no price.
            QuotaExceeded: it was approved before, and there is no room any more.
        """
        with self._db.transaction():
            order = self._current(order_id, submission)
            there = self._store.order_plan(order.plan_id) if order.plan_id else None
            if there is not None and there.round == submission:
                # A repeated step; people may have decided since, and another worker gone on.
                return {"digest": order.digest, "state": order.state.value}
            if order.state is not OrderState.PLANNING:
                raise _overtaken(order)
            plan = self._provisioning.plan_in_transaction(provision)
            made = self._compose(order, plan)
            check_findings(made.document)
            self._store.add_order_plan(made)
            chain = self._chain(made)
            given = self._store.approvals(order.id)
            moved = self._move(
                SYSTEM, order, OrderState.IN_APPROVAL, "planned and priced",
                details={"digest": made.digest}, plan_id=made.id, digest=made.digest,
                deployment_id=plan.deployment_id, deadline=self._deadline(made),
            )  # fmt: skip
            if given and not pending(chain, given, made.digest):
                moved = self._approved(SYSTEM, moved, made, "approved before, and nothing changed")
            return {"digest": made.digest, "state": moved.state.value}

    # Inside ----------------------------------------------------------------------------------

    def _current(self, order_id: str, submission: int) -> Order:
        """The order, locked, if this submission of it is still the one that counts."""
        order = self._order(order_id, lock=True)
        if order.round != submission:
            raise Conflict("the order was submitted anew meanwhile", round=order.round)
        return order

    def _plan_of(self, order: Order, like: Provision | None) -> Provision:
        """Provisioning's plan of an order as the world is now; no transaction is open."""
        action = _ACTIONS[order.kind]
        with self._db.transaction():
            owned = self._owned(order)
            offering = self._offering(order.wish.offering)
        if order.kind is OrderKind.DELETE:
            return self._provisioning.make_plan(
                tenancy=order.tenancy_id, action=action, deployment=owned.id if owned else None
            )
        return self._provisioning.make_plan(
            tenancy=order.tenancy_id,
            action=action,
            region="" if owned else order.wish.region,
            blueprint=offering.blueprint or "",
            inputs=order.wish.inputs,
            deployment=owned.id if owned else None,
            name=order.wish.name,
            owner=f"instance:{order.instance_id}",
            tags=_tags(order),
            like=like,
        )

    def _compose(self, order: Order, plan: Provision) -> OrderPlan:
        """The document of an order as the world is now, and its digest."""
        instance = self._store.instance(order.instance_id)
        contract = self._contract(order.contract_id)
        tenancy = self._tenancy.tenancy_in_transaction(order.tenancy_id)
        offering = self._offering(order.wish.offering)
        if order.kind is OrderKind.DELETE:
            price = nothing_under(contract)
        else:
            chosen = offering.plan(order.wish.plan)
            now, inputs = self._clock.now(), order.wish.inputs
            price = self._price(order.path, plan.hourly, chosen, now, inputs, instance)
        if price.unpriced:
            raise Invalid(_unpriced(price.unpriced))
        change = _held_change(plan, instance)
        levels = self._tenancy.quota_levels_in_transaction(tenancy.id)
        policy = self._policy()
        chain = policy.chain(price.month.amount, tenancy.data_class.value, contract.path)
        before = instance.monthly.amount if instance else _ZERO
        document = canonical.plain(
            {
                "format": 1,
                "order": order.id,
                "kind": order.kind,
                "instance": order.instance_id,
                "offering": order.wish.offering,
                "plan": order.wish.plan,
                "ends_at": order.wish.ends_at,
                "contract": {
                    "id": contract.id,
                    "number": contract.number,
                    "version": contract.version,
                },
                "tenancy": tenancy.id,
                "system": order.wish.system,
                "data_class": tenancy.data_class,
                "provisioning": plan.document(),
                "quota": {"change": change, "limits": quota_limits(levels, change)},
                "price": price_document(price, before),
                "findings": [
                    finding.document()
                    for finding in self._price_findings(
                        order.kind, tenancy, price, plan.deployment_id
                    )
                ],
                "policy": {"slug": policy.slug, "version": policy.version},
                "approvals": [
                    {"slug": step.slug, "role": step.role, "path": step.path} for step in chain
                ],
            }
        )
        return OrderPlan(
            OrderPlanId(ids.new("opl")), order.id, order.round, canonical.digest(document),
            plan.id, document, self._clock.now(),
        )  # fmt: skip

    def _chain(self, plan: OrderPlan) -> tuple[Required, ...]:
        """The approvals that a plan asks for, with the names that its policy gives them."""
        asked = plan.document["policy"]
        policy = self._store.policy(asked["slug"], asked["version"])
        names = {step.slug: step.name for step in policy.steps} if policy else {}
        known = {
            step["slug"]: names.get(step["slug"], Text(step["slug"], step["slug"]))
            for step in plan.document["approvals"]
        }
        return chain_from(plan.document, known)

    def _deadline(self, plan: OrderPlan) -> datetime | None:
        asked = plan.document["policy"]
        policy = self._store.policy(asked["slug"], asked["version"])
        return self._clock.now() + timedelta(days=policy.deadline_days) if policy else None

    def _amount(self, order: Order, plan: OrderPlan, contract: Contract) -> Money:
        """What approving a plan now holds of the contract."""
        price = price_from(plan.document)
        before = Money(Decimal(plan.document["price"]["before"]), price.currency)
        now = self._clock.now()
        months = begun_months(now, remaining_end(order, contract, now))
        return encumbrance(price, before, months)

    def _approved(self, actor: Actor, order: Order, plan: OrderPlan, why: str) -> Order:
        """The last approval: reserve money and quota, and start the work, all or nothing.

        Locks are taken in one order everywhere: the order, its contract, quotas, the audit log.

        Raises:
            QuotaExceeded: the contract or a quota has less left than is asked for.
            Conflict: the contract is not in force any more, or the name was taken meanwhile.
        """
        contract = self._contract(order.contract_id, lock=True)
        if order.kind is not OrderKind.DELETE and not contract.in_force(self._clock.now()):
            raise Conflict(f"the contract {contract.number} is not in force")
        self._encumber(order, contract, self._amount(order, plan, contract))
        self._tenancy.reserve(order.reservation_key, order.tenancy_id, quota_change(plan.document))
        self._claim_instance(order, plan)
        operation = self._operations.start(
            "order.fulfil",
            subject=order.id,
            path=order.path,
            inputs={"order": order.id, "round": order.round, "digest": plan.digest},
            actor=actor,
            key=f"{order.id}:{order.round}:{plan.id}:fulfil",
        )
        return self._move(
            actor, order, OrderState.APPROVED, why, details={"digest": plan.digest},
            operation_id=operation.id, approved_at=self._clock.now(), lapse=None,
        )  # fmt: skip

    def _claim_instance(self, order: Order, plan: OrderPlan) -> None:
        """Write the service down before anything is made for it."""
        there = self._store.instance(order.instance_id, lock=True)
        if there is not None:
            return
        price = price_from(plan.document)
        made = Instance(
            id=order.instance_id,
            order_id=order.id,
            latest_order_id=order.id,
            contract_id=order.contract_id,
            deployment_id=order.deployment_id,
            tenancy_id=order.tenancy_id,
            path=order.path,
            system_id=order.wish.system,
            region_id=order.wish.region,
            offering=order.wish.offering,
            plan=order.wish.plan,
            name=order.wish.name,
            inputs=plan.document["provisioning"]["inputs"],
            state=InstanceState.PENDING,
            held={},
            monthly=Money.zero(price.currency),
            created_at=self._clock.now(),
            ends_at=order.wish.ends_at,
        )
        if not self._store.add_instance(made):
            raise Conflict(f"the name {made.name} was taken in this tenancy and region")

    def _missing(self, order: Order, plan: OrderPlan) -> tuple[list[Required], list[Approval]]:
        given = self._store.approvals(order.id)
        return pending(self._chain(plan), given, plan.digest), given


def _overtaken(order: Order) -> Conflict:
    label = order.state.label.en.lower()
    return Conflict(f"the order is {label} meanwhile", state=order.state.value)


def _tags(order: Order) -> dict[str, str]:
    tags = {"order": order.id, "instance": order.instance_id, "offering": order.wish.offering}
    return tags | ({"system": order.wish.system} if order.wish.system else {})


def _held_change(plan: Provision, instance: Instance | None) -> Mapping[str, Decimal]:
    """What the order takes of quota beyond what its service holds already."""
    held = instance.held if instance else {}
    return {
        name: change
        for name in sorted({*plan.footprint, *held})
        if (change := plan.footprint.get(name, _ZERO) - held.get(name, _ZERO))
    }


def check_findings(document: Mapping[str, Any]) -> None:
    """Refuse what a policy forbids. Raises Invalid with every such finding."""
    found = Collector()
    for finding in forbidding(document):
        subject = f"{finding['subject']}: " if finding["subject"] else ""
        # A code says which of them a waiver would let pass.
        code = "policy" if finding["severity"] == Severity.MANDATORY else "waivable"
        field = f"findings.{finding['policy']}"
        found.check(False, field, f"{subject}{finding['message']['en']}", code)
    found.finish()


def _unpriced(meters: tuple[str, ...]) -> list[Problem]:
    found = Collector()
    for meter in meters:
        found.check(False, f"price.{meter}", "has no price in the contract's book", "unpriced")
    return found.problems
