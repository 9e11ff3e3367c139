"""Use cases of orders before they are approved: drafts, quotes, submission, withdrawal."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from control_plane.provisioning.model import Deployment, DeploymentState
from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import (
    Conflict,
    Forbidden,
    NotFound,
    PreconditionFailed,
)
from foundation.kernel.paging import Page, PageRequest
from foundation.operations.model import Operation
from marketplace.model import (
    InstanceId,
    Order,
    OrderId,
    OrderKind,
    OrderPlan,
    OrderState,
    Transition,
    Wish,
)
from marketplace.service.core import SYSTEM
from marketplace.service.wishes import Wishes

_LONGEST_TEXT = 2000
_ZERO = Decimal(0)


class Ordering(Wishes):
    """Orders until they are submitted."""

    def create_order(self, actor: Actor, wish: Wish) -> Order:
        """Save a draft; it may lack everything but where it belongs.

        Raises:
            Invalid: no tenancy or service is named, or the offering or plan is unknown.
            NotFound: the tenancy or service is none that the actor may know of.
            Forbidden: the actor may not order for it.
        """
        with self._db.transaction():
            named, tenancy = self._place(actor, wish)
            policy.require(actor, "order.create", tenancy.path)
            self._check_draft(named)
            now = self._clock.now()
            fresh = InstanceId(ids.new("ins"))
            order = Order(
                id=OrderId(ids.new("ord")),
                kind=named.kind,
                state=OrderState.DRAFT,
                wish=named,
                path=tenancy.path,
                tenancy_id=tenancy.id,
                version=1,
                round=0,
                requester_id=actor.id,
                requester_name=actor.name,
                instance_id=InstanceId(named.instance) if named.instance else fresh,
                created_at=now,
                updated_at=now,
            )
            self._store.add_order(order)
            self._write_transition(actor, order, None, "drafted", {})
            self._note(actor, "order.create", order.id, order.path, {"kind": order.kind.value})
            return order

    def update_order(self, actor: Actor, order_id: str, wish: Wish, *, version: int) -> Order:
        """Replace what a draft asks for.

        Args:
            actor: who wrote it.
            order_id: which.
            wish: all of it; its kind and service do not change.
            version: the one that the actor has seen.

        Raises:
            PreconditionFailed: the draft has changed since.
            Conflict: it is no draft any more.
            Invalid: the offering or plan is unknown.
        """
        with self._db.transaction():
            order = self._own_order(actor, order_id)
            if order.state is not OrderState.DRAFT:
                raise Conflict("only a draft is changed", state=order.state.value)
            if order.version != version:
                raise PreconditionFailed("the draft has changed since you looked")
            kept = replace(wish, kind=order.kind, instance=order.wish.instance)
            named, tenancy = self._place(actor, kept)
            policy.require(actor, "order.create", tenancy.path)
            self._check_draft(named)
            changed = replace(
                order, wish=named, path=tenancy.path, tenancy_id=tenancy.id,
                version=order.version + 1, updated_at=self._clock.now(),
            )  # fmt: skip
            self._store.save_order(changed)
            return changed

    def order(self, actor: Actor, order_id: str) -> Order:
        """One order.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._visible_order(actor, order_id)

    def orders(
        self, actor: Actor, request: PageRequest, filters: Mapping[str, str] | None = None
    ) -> Page[Order]:
        """The orders that the actor may see, newest first; of drafts only their own.

        Args:
            actor: who asks.
            request: which part.
            filters: any of ``state``, ``kind``, ``tenancy_id``, ``offering``, ``instance_id``,
                ``requester_id``.
        """
        paths = policy.visible_paths(actor, "order.view")
        with self._db.transaction():
            return self._store.orders(paths, actor.id, filters or {}, request)

    def history(self, actor: Actor, order_id: str) -> list[Transition]:
        """All transitions of an order: who, when and why.

        Raises:
            NotFound: there is no such order, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._store.transitions(self._visible_order(actor, order_id).id)

    def order_plan(self, actor: Actor, order_id: str) -> OrderPlan:
        """The plan that is shown for approval.

        Raises:
            NotFound: there is no such order, or it has no plan yet.
        """
        with self._db.transaction():
            return self._current_plan(self._visible_order(actor, order_id))

    def submit(self, actor: Actor, order_id: str) -> Operation:
        """Ask for the plan and then the approval of a draft; no transaction may be open.

        Raises:
            Invalid: names everything that is wrong or missing, at once.
            Conflict: it is no draft any more, or another order of the service is under way.
        """
        with self._db.transaction():
            seen = self._own_order(actor, order_id)
            policy.require(actor, "order.submit", seen.path)
        if seen.state is not OrderState.DRAFT:
            return self._again(actor, seen)
        resolved, _ = self._worked_out(actor, seen.wish, submitting=True)
        with self._db.transaction():
            order = self._own_order(actor, order_id)
            if order.version != seen.version:
                raise PreconditionFailed("the draft has changed meanwhile")
            self._refuse_second(order)
            contract = resolved.contract
            final = replace(resolved.wish, contract=contract.number if contract else None)
            changed = replace(order, wish=final, contract_id=contract.id if contract else "")
            return self._start_planning(actor, changed, "submitted")

    def retry(self, actor: Actor, order_id: str) -> Operation:
        """Plan a failed order anew; approvals of the same digest still count.

        Raises:
            Conflict: it has not failed.
        """
        with self._db.transaction():
            order = self._own_order(actor, order_id, administrators=True)
            policy.require(actor, "order.submit", order.path)
            if order.state is not OrderState.FAILED:
                raise Conflict("only a failed order is retried", state=order.state.value)
            self._refuse_second(order)
            return self._start_planning(actor, order, "retried")

    def withdraw(self, actor: Actor, order_id: str, reason: str = "") -> Order:
        """Take an order back before it is approved.

        Raises:
            Conflict: it is approved already, or it has failed with resources left behind: then
                order the return of the service.
            Forbidden: it is somebody else's, and the actor is no administrator of the department.
        """
        with self._db.transaction():
            order = self._own_order(actor, order_id, administrators=True)
            policy.require(actor, "order.withdraw", order.path)
            order.check_move(OrderState.WITHDRAWN)
            deployment = self._let_go(order)
            moved = self._move(
                actor, order, OrderState.WITHDRAWN, reason or "withdrawn", deployment_id=deployment
            )
            self._note(actor, "order.withdraw", order.id, order.path, {"reason": reason})
            return moved

    def reopen(self, actor: Actor, order_id: str) -> Order:
        """Make a rejected, withdrawn, expired or failed order a draft again.

        Raises:
            Conflict: it is in another state, or something was made for it already.
        """
        with self._db.transaction():
            order = self._own_order(actor, order_id)
            policy.require(actor, "order.create", order.path)
            order.check_move(OrderState.DRAFT)
            deployment = self._let_go(order)
            if order.digest:
                self._store.lapse_approvals(order.id, order.digest, self._clock.now())
            moved = self._move(
                actor, order, OrderState.DRAFT, "reopened", deployment_id=deployment, plan_id="",
                digest="", failure=None, lapse=None, deadline=None, contract_id="",
            )  # fmt: skip
            self._note(actor, "order.reopen", order.id, order.path, {})
            return moved

    # Inside ----------------------------------------------------------------------------------

    def _own_order(self, actor: Actor, order_id: str, *, administrators: bool = False) -> Order:
        """An order that the actor may change, locked: its writer's, or of their department."""
        order = self._visible_order(actor, order_id, lock=True)
        administers = administrators and any(
            g.role in {"department_administrator", "platform_administrator"}
            and g.covers(order.path)
            for g in actor.grants
        )
        if order.requester_id != actor.id and not administers:
            raise Forbidden("the order is somebody else's", requester=order.requester_name)
        return order

    def _refuse_second(self, order: Order) -> None:
        other = self._store.open_order(order.instance_id)
        if other is not None and other.id != order.id:
            raise Conflict(f"the order {other.id} of this service is under way", order=other.id)

    def _start_planning(self, actor: Actor, order: Order, why: str) -> Operation:
        """Hand a locked order to the worker, which plans it."""
        order.check_move(OrderState.SUBMITTED)
        submission = order.round + 1
        operation = self._operations.start(
            "order.plan",
            subject=order.id,
            path=order.path,
            inputs={"order": order.id, "round": submission},
            actor=actor,
            key=f"{order.id}:{submission}:plan",
        )
        self._move(
            actor, order, OrderState.SUBMITTED, why, round=submission, failure=None, lapse=None,
            operation_id=operation.id,
        )  # fmt: skip
        self._note(actor, "order.submit", order.id, order.path, {"round": submission})
        return operation

    def _again(self, actor: Actor, order: Order) -> Operation:
        """What a repeated submission answers: the operation that it started."""
        if order.state not in {OrderState.SUBMITTED, OrderState.PLANNING, OrderState.IN_APPROVAL}:
            raise Conflict("only a draft is submitted", state=order.state.value)
        return self._operations.get(actor, order.operation_id)

    def _let_go(self, order: Order) -> str:
        """Forget the deployment of an order for which nothing was made; answers what is left."""
        if order.kind is not OrderKind.APPLY:
            return order.deployment_id
        if self._store.instance(order.instance_id) is not None:
            raise Conflict(
                "something was made for this order: retry it, or order the return of the service",
                instance=order.instance_id,
            )
        owned = self._owned(order)
        if owned is not None:
            self._provisioning.discard(owned.id)
        return ""

    def _let_go_quietly(self, order: Order) -> str:
        try:
            return self._let_go(order)
        except Conflict:  # something is there from an earlier round; its return is ordered
            return order.deployment_id

    def _owned(self, order: Order) -> Deployment | None:
        """The living deployment that was written down for an order's service."""
        page = self._provisioning.deployments(
            SYSTEM, PageRequest(), {"owner": f"instance:{order.instance_id}"}
        )
        living = (d for d in page.items if d.state is not DeploymentState.DESTROYED)
        return next(living, None)

    def _current_plan(self, order: Order) -> OrderPlan:
        found = self._store.order_plan(order.plan_id) if order.plan_id else None
        if found is None:
            raise NotFound("the order has no plan yet")
        return found
