"""What the worker does with an approved order, step by step, and what undoes it.

Every step may run more than once: its effects have ids that were written down before, and its
database part looks at the order's state first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from control_plane.provisioning.model import DeploymentState, InventoryState
from control_plane.provisioning.ports import Cancellation, OnEvent
from foundation.kernel.errors import BoroughError, Conflict, NeedsApproval
from foundation.kernel.money import Money
from foundation.operations.model import OperationState
from marketplace.model import (
    TRANSITIONS,
    Instance,
    InstanceState,
    Order,
    OrderKind,
    OrderPlan,
    OrderState,
    differences,
    price_from,
    quota_change,
    whole_months,
)
from marketplace.service.core import SYSTEM
from marketplace.service.fees import Fees
from marketplace.service.wishes import remaining_end

_WORKING = {
    OrderKind.APPLY: InstanceState.PENDING,
    OrderKind.CHANGE: InstanceState.CHANGING,
    OrderKind.DELETE: InstanceState.DELETING,
}
_UNDER_WAY = frozenset({OrderState.APPROVED, OrderState.PROVISIONING, OrderState.STUCK})
_ZERO = Decimal(0)


class DeploymentFailed(BoroughError):
    """The region refused something; what is there is in the inventory, and it may be retried."""

    code = "deployment_failed"


class Fulfilment(Fees):
    """The steps of ``order.fulfil``."""

    def verify(self, order_id: str, submission: int, digest: str) -> dict[str, Any]:
        """Step 1: plan again; what was approved must still be what would happen.

        Raises:
            NeedsApproval: it is not: the approval has lapsed, money and quota are given back, and
                the order waits for approval of what it would be now, with the difference.
            Conflict: another submission or approval counts meanwhile.
        """
        with self._db.transaction():
            order = self._order(order_id, lock=True)
            again = order.round == submission + 1 and order.lapse is not None
            if again and order.state is OrderState.IN_APPROVAL:
                raise _lapsed(order, digest)  # a repeated step: it lapsed the first time
            order = self._begin(self._current(order_id, submission), digest)
            approved = self._current_plan(order)
            before = self._provisioning.plan_in_transaction(approved.provisioning_plan)
        fresh = self._plan_of(order, before)
        with self._db.transaction():
            order = self._current(order_id, submission)
            now = self._compose(order, fresh)
            if now.digest == approved.digest:
                return {"plan": fresh.id, "digest": fresh.digest}
            found = differences(approved.document, now.document)
            order = self._lapse(order, now, [d.document() for d in found])
        raise _lapsed(order, digest)

    def carry_out(
        self,
        plan: Mapping[str, str],
        operation: str,
        on_event: OnEvent | None = None,
        cancel: Cancellation | None = None,
    ) -> dict[str, Any]:
        """Step 2: make it so; asks the region, no transaction is open.

        Args:
            plan: what ``verify`` answered.
            operation: the id of the operation, which names the holder of the deployment.
            on_event: receives live progress.
            cancel: asked between steps.

        Raises:
            NeedsApproval: the engine would do something else by now; nothing was touched.
            DeploymentFailed: the region refused something.
        """
        made = self._provisioning.apply(
            plan["plan"], operation=operation, digest=plan["digest"], on_event=on_event,
            cancel=cancel,
        )  # fmt: skip
        if made.state not in {DeploymentState.ACTIVE, DeploymentState.DESTROYED}:
            raise DeploymentFailed(
                made.error or f"the deployment is {made.state.value}", deployment=made.id
            )
        return {"deployment": made.id, "state": made.state.value}

    def record(self, order_id: str, submission: int) -> dict[str, Any]:
        """Step 3: what was made belongs to the service: outputs, and how many resources."""
        with self._db.transaction():
            order = self._under_way(order_id, submission)
            instance = self._instance(order.instance_id, lock=True)
            deployment = self._provisioning.deployment_in_transaction(instance.deployment_id)
            resources = self._provisioning.resources(SYSTEM, deployment.id)
            inputs = self._current_plan(order).document["provisioning"]["inputs"]
            kept = instance.inputs if order.kind is OrderKind.DELETE else inputs
            self._store.save_instance(
                replace(instance, outputs=dict(deployment.outputs), inputs=kept)
            )
            made = [r for r in resources if r.state is InventoryState.CREATED]
            return {"resources": len(made)}

    def consume(self, order_id: str, submission: int) -> dict[str, Any]:
        """Step 4: what was reserved of quota and money is used and owed."""
        with self._db.transaction():
            order = self._under_way(order_id, submission)
            plan = self._current_plan(order)
            first = self._commit_money(order, self._given_back(order, plan))
            self._tenancy.consume(order.reservation_key)
            if first:
                instance = self._instance(order.instance_id, lock=True)
                self._store.save_instance(_settled(instance, order, plan))
            return {"reservation": order.reservation_key}

    def activate(self, order_id: str, submission: int) -> dict[str, Any]:
        """Step 5: the service is there (or gone), and the order is done."""
        with self._db.transaction():
            order = self._current(order_id, submission)
            if order.state is not OrderState.ACTIVE:
                self._check_under_way(order)
                now = self._clock.now()
                instance = self._instance(order.instance_id, lock=True)
                gone = order.kind is OrderKind.DELETE
                self._store.save_instance(
                    replace(
                        instance,
                        state=InstanceState.DELETED if gone else InstanceState.ACTIVE,
                        deleted_at=now if gone else None,
                        active_at=instance.active_at or (None if gone else now),
                    )
                )
                self._turn_fees(order, self._current_plan(order), now)
                why = "the service was returned" if gone else "the service is active"
                self._move(SYSTEM, order, OrderState.ACTIVE, why, active_at=now)
                self._note(
                    SYSTEM, "order.activate", order.id, order.path,
                    {"instance": order.instance_id, "digest": order.digest},
                )  # fmt: skip
            return {"instance": order.instance_id, "order": order.id}

    # What undoes it ----------------------------------------------------------------------------

    def lapse_again(
        self, order_id: str, submission: int, difference: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """The engine refused at the last moment: give all back and ask for approval of what is now.

        Raises:
            Invalid, Conflict, Unavailable: it cannot be planned: then the order fails instead.
        """
        with self._db.transaction():
            order = self._current(order_id, submission)
            if order.state not in _UNDER_WAY:
                return {"state": order.state.value}
        fresh = self._plan_of(order, None)
        with self._db.transaction():
            order = self._current(order_id, submission)
            if order.state not in _UNDER_WAY:
                return {"state": order.state.value}
            approved = self._current_plan(order)
            now = self._compose(order, fresh)
            found = [d.document() for d in differences(approved.document, now.document)]
            order = self._lapse(order, now, found or difference)
            return {"state": order.state.value}

    def fail(self, order_id: str, submission: int, problem: Mapping[str, Any]) -> dict[str, Any]:
        """The order cannot go on: what it held is given back, and it may be retried."""
        with self._db.transaction():
            order = self._order(order_id, lock=True)
            settled = OrderState.FAILED not in TRANSITIONS[order.state]
            if order.round != submission or settled:
                return {"state": order.state.value}
            self._give_back(order)
            why = str(problem.get("detail", "failed"))
            moved = self._move(
                SYSTEM, order, OrderState.FAILED, why, failure=dict(problem),
                details={"code": problem.get("code", "")},
            )  # fmt: skip
            self._note(SYSTEM, "order.fail", order.id, order.path, dict(problem))
            return {"state": moved.state.value}

    def settle(self) -> list[str]:
        """Bring orders in line with operations that ended without them; for the schedule.

        Answers the ids of the orders that were moved.
        """
        with self._db.transaction():
            waiting = self._store.at_work()
        return [order.id for order in waiting if self._settle(order)]

    def _settle(self, seen: Order) -> bool:
        operation = self._operations.get(SYSTEM, seen.operation_id)
        problem = operation.error or {"code": "internal", "detail": "the operation ended early"}
        if operation.state is OperationState.STUCK:
            return self._stick(seen.id, seen.round, problem)
        if operation.state in {OperationState.FAILED, OperationState.CANCELLED}:
            with self._db.transaction():
                now = self._order(seen.id)
            same = now.operation_id == seen.operation_id and now.state is seen.state
            return same and self.fail(seen.id, seen.round, problem)["state"] == "failed"
        return False

    def _stick(self, order_id: str, submission: int, problem: Mapping[str, Any]) -> bool:
        with self._db.transaction():
            order = self._order(order_id, lock=True)
            if order.round != submission or OrderState.STUCK not in TRANSITIONS[order.state]:
                return False
            why = "its operation is stuck: an operator has to look at it"
            self._move(SYSTEM, order, OrderState.STUCK, why, failure=dict(problem))
            self._note(SYSTEM, "order.stick", order.id, order.path, dict(problem))
            return True

    # Inside ----------------------------------------------------------------------------------

    def _begin(self, order: Order, digest: str) -> Order:
        """From approved to provisioning, once; later runs find it there."""
        self._check_under_way(order)
        if order.digest != digest:
            raise Conflict(
                "another digest was approved meanwhile", approved=digest, current=order.digest
            )
        if order.state is OrderState.PROVISIONING:
            return order
        instance = self._instance(order.instance_id, lock=True)
        self._store.save_instance(replace(instance, state=_WORKING[order.kind]))
        return self._move(SYSTEM, order, OrderState.PROVISIONING, "the worker carries it out")

    def _under_way(self, order_id: str, submission: int) -> Order:
        order = self._current(order_id, submission)
        if order.state is not OrderState.ACTIVE:  # a repeated step may find it done
            self._check_under_way(order)
        return order

    @staticmethod
    def _check_under_way(order: Order) -> None:
        if order.state not in _UNDER_WAY:
            label = order.state.label.en.lower()
            raise Conflict(f"the order is {label} meanwhile", state=order.state.value)

    def _lapse(
        self, order: Order, plan: OrderPlan, difference: Sequence[Mapping[str, Any]]
    ) -> Order:
        """The approval does not count any more: give all back and show what is now."""
        self._give_back(order)
        self._store.lapse_approvals(order.id, order.digest, self._clock.now())
        self._store.add_order_plan(plan)
        moved = self._move(
            SYSTEM, order, OrderState.IN_APPROVAL, "what was approved is not what would happen now",
            details={
                "approved": order.digest, "digest": plan.digest, "difference": list(difference),
            },
            plan_id=plan.id, digest=plan.digest, lapse=tuple(difference), round=order.round + 1,
            deadline=self._deadline(plan), approved_at=None,
        )  # fmt: skip
        details = {"approved": order.digest, "digest": plan.digest}
        self._note(SYSTEM, "approval.lapse", order.id, order.path, details)
        return moved

    def _give_back(self, order: Order) -> None:
        """Money and quota that an order holds, and its claim on the service."""
        reserved = order.state in _UNDER_WAY and order.approved_at is not None
        if not reserved or self._is_committed(order):
            return
        self._release_money(order)
        self._tenancy.release(order.reservation_key)
        instance = self._store.instance(order.instance_id, lock=True)
        if instance is None:
            return
        deployment = self._provisioning.deployment_in_transaction(instance.deployment_id)
        if order.kind is OrderKind.APPLY and deployment.state is DeploymentState.PENDING:
            self._store.drop_instance(instance.id)  # nothing was made: the name is free again
            return
        unharmed = order.kind is not OrderKind.APPLY and deployment.state is DeploymentState.ACTIVE
        state = InstanceState.ACTIVE if unharmed else InstanceState.FAILED
        self._store.save_instance(replace(instance, state=state))

    def _given_back(self, order: Order, plan: OrderPlan) -> Money:
        """What taking effect takes off the contract: the fall per month × whole months left."""
        price = price_from(plan.document)
        contract = self._contract(order.contract_id)
        now = self._clock.now()
        before = Money(Decimal(plan.document["price"]["before"]), price.currency)
        fall = before - price.month
        if fall.amount <= 0:
            return Money.zero(price.currency)
        return fall * whole_months(now, remaining_end(order, contract, now))


def _settled(instance: Instance, order: Order, plan: OrderPlan) -> Instance:
    change = quota_change(plan.document)
    held = {
        name: amount
        for name in sorted({*instance.held, *change})
        if (amount := instance.held.get(name, _ZERO) + change.get(name, _ZERO))
    }
    return replace(
        instance,
        latest_order_id=order.id,
        held=held,
        monthly=price_from(plan.document).month,
        plan=order.wish.plan,
        ends_at=order.wish.ends_at or instance.ends_at,
    )


def _lapsed(order: Order, approved: str) -> NeedsApproval:
    return NeedsApproval(
        "what was approved is not what would happen now: it waits for approval again",
        difference=list(order.lapse or ()),
        approved=approved,
        current=order.digest,
    )
