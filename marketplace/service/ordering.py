"""Use cases of orders before they are approved: drafts, quotes, submission, withdrawal."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from control_plane.access import policy
from control_plane.kernel import ids
from control_plane.kernel.actor import Actor
from control_plane.kernel.errors import (
    Collector,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
)
from control_plane.kernel.money import Money
from control_plane.kernel.paging import Page, PageRequest
from control_plane.operations.model import Operation
from control_plane.provisioning.model import Deployment, DeploymentState, Estimate, Region
from control_plane.tenancy.model import DataClass, System, Tenancy, TenancyState, check_slug
from marketplace.model import (
    STANDARD,
    Contract,
    Instance,
    InstanceId,
    InstanceState,
    Offering,
    Order,
    OrderId,
    OrderKind,
    OrderPlan,
    OrderState,
    Plan,
    Policy,
    PriceTag,
    Quote,
    Transition,
    Wish,
    begun_months,
    quota_lines,
)
from marketplace.service.catalogue import Catalogue
from marketplace.service.core import SYSTEM
from marketplace.service.procurement import Procurement

_LONGEST_TEXT = 2000
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A wish with everything that its names stand for; what is None has a problem noted."""

    wish: Wish
    tenancy: Tenancy
    offering: Offering | None
    plan: Plan | None
    region: Region | None
    system: System | None
    contract: Contract | None
    instance: Instance | None
    inputs: Mapping[str, Any]


class Ordering(Catalogue, Procurement):
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

    def quote(self, actor: Actor, wish: Wish) -> Quote:
        """What a wish would cost and take; for forms. No transaction may be open.

        Raises:
            Invalid: names everything that is wrong or missing, but for the justification.
            NotFound: the tenancy or service is none that the actor may know of.
        """
        resolved, estimate = self._worked_out(actor, wish, submitting=False)
        with self._db.transaction():
            return self._quote(resolved, estimate)

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

    def _place(self, actor: Actor, wish: Wish) -> tuple[Wish, Tenancy]:
        """Where a wish belongs; names in it become ids as far as they are known."""
        if wish.kind is not OrderKind.APPLY:
            found = Collector()
            found.check(wish.instance, "instance", "is required", "required")
            found.finish()
            instance = self._visible_instance(actor, wish.instance or "")
            tenancy = self._tenancy.tenancy_in_transaction(instance.tenancy_id)
            named = replace(
                wish, offering=instance.offering, plan=wish.plan or instance.plan,
                tenancy=instance.tenancy_id, region=instance.region_id, name=instance.name,
                system=wish.system or instance.system_id, instance=instance.id,
            )  # fmt: skip
            return named, tenancy
        found = Collector()
        found.check(wish.tenancy, "tenancy", "is required", "required")
        found.check(not wish.instance, "instance", "is only named to change or return a service")
        found.finish()
        tenancy = self._tenancy.tenancy(actor, wish.tenancy)
        return replace(wish, tenancy=tenancy.id, instance=None), tenancy

    def _visible_instance(self, actor: Actor, instance_id: str) -> Instance:
        found = self._instance(instance_id)
        if not policy.allows(actor, "instance.view", found.path):
            raise NotFound("there is no such service")
        return found

    def _check_draft(self, wish: Wish) -> None:
        found = Collector()
        self._named_plan(wish, found)
        found.check(
            len(wish.justification) <= _LONGEST_TEXT, "justification",
            f"must have {_LONGEST_TEXT} characters or fewer",
        )  # fmt: skip
        found.finish()

    def _named_plan(self, wish: Wish, found: Collector) -> tuple[Offering | None, Plan | None]:
        offering = self._store.offering(wish.offering) if wish.offering else None
        found.check(offering or not wish.offering, "offering", "is not in the catalogue", "unknown")
        plan = offering.plan(wish.plan) if offering and wish.plan else None
        found.check(plan or not (offering and wish.plan), "plan", "is not a plan of it", "unknown")
        return offering, plan

    def _worked_out(
        self, actor: Actor, wish: Wish, *, submitting: bool
    ) -> tuple[Resolved, Estimate | None]:
        """A wish that is right in every part, and what it comes to.

        Raises:
            Invalid: names everything that is wrong with it.
        """
        found = Collector()
        with self._db.transaction():
            named, tenancy = self._place(actor, wish)
            policy.require(actor, "order.create", tenancy.path)
            resolved = self._resolve(actor, named, tenancy, found)
            if submitting:
                self._check_submission(named, found)
        estimate = None
        offering, region = resolved.offering, resolved.region
        if named.kind is not OrderKind.DELETE and offering and offering.blueprint and region:
            try:
                estimate = self._provisioning.evaluate(
                    actor,
                    blueprint=offering.blueprint,
                    inputs=resolved.inputs,
                    region=region.id,
                    data_class=tenancy.data_class.value,
                )
            except Invalid as error:
                found.include(error)
        found.finish()
        return resolved, estimate

    def _resolve(self, actor: Actor, wish: Wish, tenancy: Tenancy, found: Collector) -> Resolved:
        for field in ("offering", "plan", "region"):
            found.check(getattr(wish, field), field, "is required", "required")
        offering, plan = self._named_plan(wish, found)
        region = self._named_region(actor, wish, tenancy, found)
        system = self._named_system(wish, tenancy, found)
        instance = self._instance(wish.instance) if wish.instance else None
        contract = None
        if offering is not None:
            self._check_offering(wish, offering, tenancy, found)
            contract = self._drawn_on(wish, tenancy, offering, instance, found)
        self._check_term(wish, contract, found)
        inputs = _merged(plan, instance, wish)
        if plan is not None and wish.kind is not OrderKind.DELETE:
            plan.check_inputs(inputs, found)
        if wish.kind is OrderKind.APPLY:
            self._check_name(wish, tenancy, region, found)
        if instance is not None:
            self._check_instance(instance, found)
        named = replace(
            wish,
            region=region.id if region else wish.region,
            system=system.id if system else None,
            inputs=inputs,
        )
        return Resolved(named, tenancy, offering, plan, region, system, contract, instance, inputs)

    def _drawn_on(
        self,
        wish: Wish,
        tenancy: Tenancy,
        offering: Offering,
        instance: Instance | None,
        found: Collector,
    ) -> Contract | None:
        if wish.kind is OrderKind.DELETE and instance is not None:
            return self._contract(instance.contract_id)  # a return needs none that is in force
        return self._contract_for(tenancy.path, wish.contract, offering, found)

    def _named_region(
        self, actor: Actor, wish: Wish, tenancy: Tenancy, found: Collector
    ) -> Region | None:
        if not wish.region:
            return None
        try:
            region = self._provisioning.region(actor, wish.region)
        except NotFound:
            found.check(False, "region", "is not a region", "unknown")
            return None
        fits = tenancy.data_class.value in region.data_classes
        found.check(fits, "region", f"may not keep {tenancy.data_class.value} data", "data_class")
        return region

    def _named_system(self, wish: Wish, tenancy: Tenancy, found: Collector) -> System | None:
        reference = wish.system or tenancy.system_id
        if reference is None:
            return None
        try:
            system = self._tenancy.system_in_transaction(reference)
        except NotFound:
            system = None
        # A department's system may live in a tenancy of an office below it, or above.
        related = system is not None and (
            system.path.startswith(tenancy.path) or tenancy.path.startswith(system.path)
        )
        if not found.check(related, "system", "is not a system of this department", "unknown"):
            return None
        if system is not None:
            found.check(
                tenancy.data_class.rank >= system.data_class.rank,
                "system",
                f"holds {system.data_class.value} data, the tenancy is for "
                f"{tenancy.data_class.value} data",
                "data_class",
            )
        return system

    def _check_offering(
        self, wish: Wish, offering: Offering, tenancy: Tenancy, found: Collector
    ) -> None:
        if wish.kind is OrderKind.APPLY:
            found.check(
                offering.orderable, "offering",
                f"cannot be ordered: {offering.availability_note.en}", "not_orderable",
            )  # fmt: skip
            found.check(tenancy.state is TenancyState.ACTIVE, "tenancy", "is closed", "closed")
        if wish.kind is not OrderKind.DELETE:
            kept = [DataClass(name) for name in offering.data_classes]
            found.check(
                tenancy.data_class in kept, "tenancy",
                f"holds {tenancy.data_class.value} data, which the offering may not", "data_class",
            )  # fmt: skip

    def _check_name(
        self, wish: Wish, tenancy: Tenancy, region: Region | None, found: Collector
    ) -> None:
        if not found.check(wish.name, "name", "is required", "required"):
            return
        check_slug(found, wish.name, "name")
        if region is not None:
            there = self._store.instance_named(tenancy.id, region.id, wish.name)
            found.check(there is None, "name", "is taken in this tenancy and region", "taken")

    def _check_instance(self, instance: Instance, found: Collector) -> None:
        living = instance.state in {InstanceState.ACTIVE, InstanceState.FAILED}
        found.check(living, "instance", f"is {instance.state.value}", "state")

    def _check_term(self, wish: Wish, contract: Contract | None, found: Collector) -> None:
        if wish.ends_at is None:
            return
        found.check(wish.ends_at > self._clock.now(), "ends_at", "must be in the future")
        end = contract.terms.term.end if contract else None
        found.check(
            end is None or wish.ends_at <= end, "ends_at", "must not be after the contract's end"
        )

    def _check_submission(self, wish: Wish, found: Collector) -> None:
        found.check(wish.justification.strip(), "justification", "is required", "required")

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

    def _policy(self) -> Policy:
        found = self._store.policy(STANDARD)
        if found is None:
            raise Conflict("no approval policy is set: an administrator has to define one")
        return found

    def _quote(self, resolved: Resolved, estimate: Estimate | None) -> Quote:
        now = self._clock.now()
        contract, offering = resolved.contract, resolved.offering
        if contract is None or offering is None:  # _worked_out has raised
            raise NotFound("there is no contract")
        path, instance = resolved.tenancy.path, resolved.instance
        if estimate is None:
            price = nothing_under(contract)
        else:
            price = self._price(path, estimate.hourly, resolved.plan, now, resolved.inputs)
        monthly = instance.monthly if instance else Money.zero(price.currency)
        end = resolved.wish.ends_at or contract.terms.term.end or now
        months = begun_months(now, end)
        change = _quota_change(estimate.quota if estimate else {}, instance)
        levels = self._tenancy.quota_levels_in_transaction(resolved.tenancy.id)
        return Quote(
            price=price,
            before=monthly if instance else None,
            encumbrance=encumbrance(price, monthly, months),
            remaining=self._store.balance(contract).remaining,
            months=months,
            contract_number=contract.number,
            contract_ends=contract.terms.term.end,
            lead_time=self._store.lead_time(offering.slug),
            quota=quota_lines(levels, change),
            approvals=self._policy().chain(
                price.month.amount, resolved.tenancy.data_class.value, contract.path
            ),
            findings=tuple(f.document() for f in estimate.findings) if estimate else (),
            inputs=estimate.inputs if estimate else {},
            resources=estimate.resources if estimate else (),
        )


def nothing_under(contract: Contract) -> PriceTag:
    """The price of what is returned."""
    return PriceTag(contract.id, contract.version, contract.terms.ceiling.currency, ())


def encumbrance(price: PriceTag, before: Money, months: int) -> Money:
    """What approving holds of the contract: the rise per month × begun months, and one-time parts.

    A fall is given back when it takes effect; it does not pay for anything beforehand.
    """
    rise = price.month - before
    due = rise * months if rise.amount > 0 else Money.zero(price.currency)
    return due + price.one_time


def _quota_change(
    footprint: Mapping[str, Decimal], instance: Instance | None
) -> dict[str, Decimal]:
    held = instance.held if instance else {}
    return {
        name: change
        for name in sorted({*footprint, *held})
        if (change := footprint.get(name, _ZERO) - held.get(name, _ZERO))
    }


def _merged(plan: Plan | None, instance: Instance | None, wish: Wish) -> dict[str, Any]:
    """What was asked for over what the service has, over what the plan begins with."""
    presets = dict(plan.inputs) if plan else {}
    if instance is None:
        return {**presets, **wish.inputs}
    if plan is not None and plan.slug == instance.plan:
        return {**presets, **instance.inputs, **wish.inputs}
    return {**instance.inputs, **presets, **wish.inputs}


def remaining_end(order: Order, contract: Contract, now: datetime) -> datetime:
    """Until when an order draws on its contract."""
    return order.wish.ends_at or contract.terms.term.end or now
