"""What all use cases of the marketplace share."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from control_plane.tenancy.service import TenancyService
from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Forbidden
from foundation.kernel.time import Clock
from foundation.operations.service import Operations
from marketplace.model import Instance, Order, OrderState, Transition
from marketplace.ports import Audit, MarketplaceStore, Outbox, Pricing, Provisioner, UsageIntake

SYSTEM = Actor.system("marketplace")


@dataclass(frozen=True, slots=True)
class Needs:
    """What the marketplace works with."""

    store: MarketplaceStore
    db: UnitOfWork
    clock: Clock
    audit: Audit
    outbox: Outbox
    tenancy: TenancyService
    provisioning: Provisioner
    billing: Pricing
    metering: UsageIntake
    operations: Operations


class Core:
    """The base of the groups of use cases."""

    def __init__(self, needs: Needs) -> None:
        self._store = needs.store
        self._db = needs.db
        self._clock = needs.clock
        self._audit = needs.audit
        self._outbox = needs.outbox
        self._tenancy = needs.tenancy
        self._provisioning = needs.provisioning
        self._billing = needs.billing
        self._metering = needs.metering
        self._operations = needs.operations

    def _order(self, order_id: str, *, lock: bool = False) -> Order:
        found = self._store.order(order_id, lock=lock)
        if found is None:
            raise policy.unknown("order")
        return found

    def _visible_order(self, actor: Actor, order_id: str, *, lock: bool = False) -> Order:
        """An order that the actor may see; a draft is its writer's alone."""
        found = self._order(order_id, lock=lock)
        mine = found.requester_id == actor.id or found.state is not OrderState.DRAFT
        if not mine or not policy.allows(actor, "order.view", found.path):
            raise policy.unknown("order")
        return found

    def _instance(self, instance_id: str, *, lock: bool = False) -> Instance:
        found = self._store.instance(instance_id, lock=lock)
        if found is None:
            raise policy.unknown("service")
        return found

    def _move(
        self,
        actor: Actor,
        order: Order,
        to: OrderState,
        why: str,
        *,
        details: Mapping[str, Any] | None = None,
        **changes: Any,  # noqa: ANN401 - attributes of an order
    ) -> Order:
        """Take an order, which is locked, to another state, and write it down.

        The audit entry is the caller's, and its last act: the log has one head that all wait for.
        """
        order.check_move(to)
        now = self._clock.now()
        moved = replace(order, state=to, version=order.version + 1, updated_at=now, **changes)
        self._store.save_order(moved)
        self._write_transition(actor, moved, order.state, why, details or {})
        return moved

    def _write_transition(
        self,
        actor: Actor,
        order: Order,
        before: OrderState | None,
        why: str,
        details: Mapping[str, Any],
    ) -> None:
        self._store.add_transition(
            Transition(
                order.id, 0, before, order.state, actor.id, actor.name, self._clock.now(), why,
                details,
            )
        )  # fmt: skip
        self._outbox.publish(
            "order.state",
            {
                "order": order.id,
                "state": order.state.value,
                "path": order.path,
                "requester": order.requester_id,
                "why": why,
            },
        )

    def _note(
        self, actor: Actor, action: str, subject: str, path: str, details: Mapping[str, Any]
    ) -> None:
        self._audit.record(actor, action, subject=subject, path=path, details=details)

    def _require_for_city(self, actor: Actor, action: str) -> None:
        """Refuse unless the actor may do this for the whole city.

        Raises:
            Forbidden: what concerns all departments is known to all, so nothing is hidden.
        """
        root = self._root()
        if not policy.allows(actor, action, root):
            raise Forbidden(f"this needs the permission {action} on {root}", action=action)

    def _root(self) -> str:
        """The city's path: what concerns all departments is done there."""
        return self._tenancy.root_path_in_transaction()
