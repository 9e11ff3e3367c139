"""Services as a file declares them: whatever order is needed to get there, and no second one.

A pipeline says what there shall be, again and again, and may be killed or run twice at once. What
was ordered already is found by the name of the service: its tenancy, region and name. A lock on
that name makes looking and writing one step.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from foundation.access import policy
from foundation.kernel import canonical
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Conflict, Invalid, NotFound, Problem
from marketplace.model import (
    OPEN,
    Instance,
    InstanceState,
    Offering,
    Order,
    OrderKind,
    OrderState,
    Plan,
    Wish,
)
from marketplace.service.instances import Instances
from marketplace.service.wishes import merged

_ATTEMPTS = 3
_REPLACED = "replaced by a newer declaration"
#: Nobody has approved it yet: whoever ordered may take it back and ask for something else.
_UNDECIDED = frozenset({OrderState.SUBMITTED, OrderState.PLANNING, OrderState.IN_APPROVAL})


class Standing(StrEnum):
    """How a declaration stands.

    ``unchanged``: the service is as declared; ``drafted``: an order is ready to be submitted;
    ``under_way``: an order for exactly this is on its way; ``failed``: it has failed and can be
    retried; ``rejected``: an approver has refused exactly this.
    """

    UNCHANGED = "unchanged"
    DRAFTED = "drafted"
    UNDER_WAY = "under_way"
    FAILED = "failed"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Change:
    """A field of a service that is not as declared; ``before`` is None for a new service."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Declared:
    """What became of a declaration.

    Attributes:
        order: the order for it; None when nothing is to be ordered, or it was only checked.
        instance: the service as it is; None while there is none.
        changes: what differs.
    """

    standing: Standing
    order: Order | None
    instance: Instance | None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class _Look:
    """How things stand before anything is written; ``wish`` is the order that is needed."""

    standing: Standing
    wish: Wish
    order: Order | None
    instance: Instance | None
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...] = ()


class Declaring(Instances):
    """Declared services."""

    def declare(
        self, actor: Actor, wish: Wish, *, present: bool = True, check: bool = False
    ) -> Declared:
        """Order what is needed for a service to be as declared, unless it was ordered already.

        No transaction may be open.

        Args:
            actor: who declares it.
            wish: all of it; its kind and instance are found by its tenancy, region and name.
                Inputs that it does not name are as the plan and the blueprint have them.
            present: False declares that there shall be no such service.
            check: only say what is wrong and what would be; keep nothing.

        Raises:
            Invalid: names everything that is wrong or missing.
            NotFound: the tenancy is none that the actor may know of.
            Forbidden: the actor may not order for it.
            Conflict: another order of the service is under way that the actor cannot replace.
        """
        for _ in range(_ATTEMPTS):
            with self._db.transaction():
                seen = self._look(actor, wish, present=present)
            if seen.standing is Standing.DRAFTED:
                self._check_declaration(actor, seen)
            if check:
                return Declared(seen.standing, None, seen.instance, seen.changes)
            with self._db.transaction():
                tenancy = self._tenancy.tenancy(actor, wish.tenancy)
                self._store.lock_name(tenancy.id, seen.wish.region, seen.wish.name)
                found = self._look(actor, wish, present=present)
                if canonical.plain(found.wish) == canonical.plain(seen.wish):
                    order = self._write(actor, found)
                    return Declared(found.standing, order, found.instance, found.changes)
        raise Conflict("the service changes all the time: declare it again later")

    def _check_declaration(self, actor: Actor, seen: _Look) -> None:
        found = Collector()
        found.problems += seen.problems
        try:
            self._worked_out(actor, seen.wish, submitting=True)
        except Invalid as error:
            found.include(error)
        found.finish()

    # Looking ---------------------------------------------------------------------------------

    def _look(self, actor: Actor, wish: Wish, *, present: bool) -> _Look:
        found = Collector()
        found.check(wish.tenancy, "tenancy", "is required", "required")
        found.finish()
        tenancy = self._tenancy.tenancy(actor, wish.tenancy)
        policy.require(actor, "order.create", tenancy.path)
        ignored = Collector()  # what is wrong is named by the check of the whole wish
        region = self._named_region(actor, wish, tenancy, ignored)
        system = self._named_system(wish, tenancy, ignored) if wish.system else None
        named = replace(
            wish,
            kind=OrderKind.APPLY,
            instance=None,
            tenancy=tenancy.id,
            region=region.id if region else wish.region,
            system=system.id if system else wish.system,
        )
        instance = self._store.instance_named(tenancy.id, named.region, named.name)
        offering, plan = self._named_plan(named, ignored)
        if not present:
            return self._look_for_return(actor, named, instance)
        needed, problems = named, list[Problem]()
        if instance is not None and self._order(instance.order_id).state is not OrderState.ACTIVE:
            return self._stand(actor, needed, None, plan, [], half_made=True)
        if instance is not None:
            full = self._declared_inputs(named, instance, offering, plan)
            needed = replace(named, kind=OrderKind.CHANGE, instance=instance.id, inputs=full)
            if offering is not None and offering.slug != instance.offering:
                message = f"is {instance.offering}: what a service is does not change"
                problems.append(Problem("offering", message))
        return self._stand(actor, needed, instance, plan, problems)

    def _declared_inputs(
        self, wish: Wish, instance: Instance, offering: Offering | None, plan: Plan | None
    ) -> Mapping[str, Any]:
        """All that is declared: what is not named is as the plan and the blueprint have it."""
        defaults: dict[str, Any] = {}
        if offering is not None and offering.blueprint:
            try:
                properties = self._provisioning.find_revision(offering.blueprint).inputs[
                    "properties"
                ]
            except NotFound:
                properties = {}
            defaults = {
                name: properties[name]["default"]
                for name in instance.inputs
                if "default" in properties.get(name, {})
            }
        return {**defaults, **(plan.inputs if plan else {}), **wish.inputs}

    def _look_for_return(self, actor: Actor, named: Wish, instance: Instance | None) -> _Look:
        if instance is not None:
            needed = Wish(
                kind=OrderKind.DELETE, instance=instance.id, tenancy=named.tenancy,
                region=named.region, name=named.name, offering=instance.offering,
                plan=instance.plan, justification=named.justification,
            )  # fmt: skip
            return self._stand(actor, needed, instance, None, [])
        for order in self._candidates(actor, named, None):
            if order.state is not OrderState.DRAFT and order.state in OPEN:
                raise Conflict(f"the order {order.id} of this service is under way", order=order.id)
        return _Look(Standing.UNCHANGED, named, None, None, ())

    def _stand(
        self,
        actor: Actor,
        needed: Wish,
        instance: Instance | None,
        plan: Plan | None,
        problems: list[Problem],
        *,
        half_made: bool = False,
    ) -> _Look:
        changes = _changes(needed, instance)
        standing, latest = Standing.DRAFTED, None
        for order in self._candidates(actor, needed, instance):
            same = _same(order, needed, instance, plan)
            if latest is None and (same or order.state in {OrderState.DRAFT, *OPEN}):
                latest = order
                standing = _STANDINGS.get(order.state, Standing.DRAFTED) if same else standing
            elif latest is None and order.state is OrderState.FAILED and instance is None:
                latest = order
        if standing is Standing.DRAFTED and latest is not None:
            _check_replaceable(actor, latest, half_made=half_made)
        as_declared = instance is not None and not changes and needed.kind is OrderKind.CHANGE
        if as_declared and instance is not None and instance.state is InstanceState.ACTIVE:
            standing = Standing.UNCHANGED
        return _Look(standing, needed, latest, instance, changes, tuple(problems))

    def _candidates(self, actor: Actor, wish: Wish, instance: Instance | None) -> list[Order]:
        """Orders of the service by its name that did not take effect yet, newest first."""
        found = self._store.orders_named(wish.tenancy, wish.region, wish.name)
        return [
            order
            for order in found
            if (order.state is not OrderState.DRAFT or order.requester_id == actor.id)
            and (
                order.kind is OrderKind.APPLY
                if instance is None
                else order.instance_id == instance.id
            )
        ]

    # Writing ---------------------------------------------------------------------------------

    def _write(self, actor: Actor, look: _Look) -> Order | None:
        """Write what is missing; the name is locked. Answers the order for the declaration."""
        order = look.order
        if look.standing not in {Standing.UNCHANGED, Standing.DRAFTED}:
            return order
        if order is not None and order.state is not OrderState.DRAFT and order.state in OPEN:
            order = self._take_back(actor, order)
        if look.standing is Standing.UNCHANGED:
            return None
        return self._draft(actor, look.wish, order)

    def _draft(self, actor: Actor, wish: Wish, order: Order | None) -> Order:
        """A draft of exactly this: an order that asked for something else is used again."""
        own = order is not None and order.requester_id == actor.id
        if order is None or order.kind is not wish.kind or not own:
            return self.create_order(actor, wish)
        if order.state is not OrderState.DRAFT:
            order = self.reopen(actor, order.id)
        if canonical.plain(_content(order.wish)) == canonical.plain(_content(wish)):
            return order
        return self.update_order(actor, order.id, wish, version=order.version)

    def _take_back(self, actor: Actor, order: Order) -> Order:
        """Withdraw an order that asks for something else.

        Raises:
            Conflict: it is somebody else's, or it is approved already.
        """
        _check_replaceable(actor, order, half_made=False)
        return self.withdraw(actor, order.id, _REPLACED)


def _check_replaceable(actor: Actor, order: Order, *, half_made: bool) -> None:
    """Refuse to let something else take the place of an order that must be left alone.

    Raises:
        Conflict: it is somebody else's, it is approved already, or it failed with something made.
    """
    own = order.requester_id == actor.id
    if order.state in OPEN and not (own and order.state in _UNDECIDED):
        raise Conflict(
            f"the order {order.id} of this service is under way", order=order.id,
            state=order.state.value,
        )  # fmt: skip
    if order.state is OrderState.FAILED and half_made:
        raise Conflict(
            "something was made for this order: retry it, or order the return of the service",
            order=order.id,
        )


#: How a declaration stands by the state of the order for exactly this.
_STANDINGS = {
    **dict.fromkeys(OPEN, Standing.UNDER_WAY),
    OrderState.FAILED: Standing.FAILED,
    OrderState.REJECTED: Standing.REJECTED,
}


def _content(wish: Wish) -> Wish:
    """A wish as far as a draft keeps it: those for a service have its names from there."""
    if wish.kind is OrderKind.DELETE:
        return replace(wish, inputs={}, system=None)
    return wish


def _same(order: Order, needed: Wish, instance: Instance | None, plan: Plan | None) -> bool:
    """Whether an order asks for exactly this; why and by whom does not matter."""
    asked = order.wish
    if order.kind is not needed.kind:
        return False
    if needed.kind is OrderKind.DELETE:
        return True
    named = all(
        wanted is None or wanted == getattr(asked, name)
        for name, wanted in (("system", needed.system), ("contract", needed.contract))
    )
    return (
        named
        and (asked.offering, asked.plan) == (needed.offering, needed.plan)
        and asked.ends_at == needed.ends_at
        and _inputs(asked, instance, plan) == _inputs(needed, instance, plan)
    )


def _inputs(wish: Wish, instance: Instance | None, plan: Plan | None) -> Any:  # noqa: ANN401
    return canonical.plain(merged(plan, instance, wish))


def _changes(needed: Wish, instance: Instance | None) -> tuple[Change, ...]:
    """What a service has otherwise than declared; all of it when there is none yet."""
    if needed.kind is OrderKind.DELETE:
        return (Change("state", "present", "absent"),)
    before = dict(canonical.plain(instance.inputs)) if instance else {}
    after = canonical.plain(dict(needed.inputs))
    pairs: list[tuple[str, Any, Any]]
    pairs = [("offering", instance.offering if instance else None, needed.offering)]
    pairs.append(("plan", instance.plan if instance else None, needed.plan))
    if needed.ends_at is not None:
        pairs.append(("ends_at", instance.ends_at if instance else None, needed.ends_at))
    if needed.system is not None:
        pairs.append(("system", instance.system_id if instance else None, needed.system))
    pairs += [(f"inputs.{name}", before.get(name), after[name]) for name in sorted(after)]
    return tuple(Change(field, old, new) for field, old, new in pairs if old != new)
