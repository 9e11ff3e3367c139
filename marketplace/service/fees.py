"""Fixed and one-time parts of plans become usage, so that they are charged as all usage is."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from control_plane.metering.model import ResourceRef
from marketplace.model import Fee, Order, OrderKind, OrderPlan, charge, fees_of, price_from
from marketplace.model.fees import LONGEST
from marketplace.service.approving import Approving
from marketplace.service.core import SYSTEM

_BATCH = 100


class Fees(Approving):
    """When fees begin and end, and what has come to be due of them."""

    def charge_fees(self) -> int:
        """Let the days that have passed be usage; answers how many events that were.

        For billing, before it rates. Charged again, or by two at once, nothing is counted twice:
        a fee remembers up to when it was charged in the transaction of its events.
        """
        midnight = _midnight(self._clock.now())
        made = 0
        while True:
            with self._db.transaction():
                due = self._store.fees_due(midnight, _BATCH)
                if not due:
                    return made
                ends = [min(midnight, _midnight(fee.charged_until + LONGEST)) for fee in due]
                charged, events = self._charge(zip(due, ends, strict=True))
                self._store.save_fees(charged)
                made += events

    def metered(self, names: Iterable[str]) -> Mapping[str, ResourceRef]:
        """Services as metering knows resources; unknown names are left out.

        Args:
            names: ids of services, or of their deployments: a workload knows its deployment alone.
        """
        wanted = list(names)
        with self._db.transaction():
            found = self._store.instances_named(wanted)
        refs = [
            ResourceRef(
                one.id, one.deployment_id or None, one.tenancy_id, one.path,
                one.active_at or one.created_at, one.deleted_at,
            )
            for one in found
        ]  # fmt: skip
        known = {ref.id: ref for ref in refs}
        known |= {ref.physical_id: ref for ref in refs if ref.physical_id}
        return {name: known[name] for name in wanted if name in known}

    def _turn_fees(self, order: Order, plan: OrderPlan, at: datetime) -> None:
        """An order takes effect: what ran until now ends, and what it asked for begins."""
        running = self._store.running_fees(order.instance_id)
        ended = [replace(fee, ends=max(at, fee.charged_until)) for fee in running]
        self._store.save_fees(self._charge((fee, at) for fee in ended)[0])
        if order.kind is OrderKind.DELETE:
            return
        begun = fees_of(order, price_from(plan.document).lines, at)
        self._store.add_fees(self._charge((fee, fee.ends or at) for fee in begun)[0])

    def _charge(self, due: Iterable[tuple[Fee, datetime]]) -> tuple[list[Fee], int]:
        """Make usage of fees, each up to an instant; answers them as they are then."""
        charged, events = [], []
        for fee, until in due:
            after, made = charge(fee, until)
            charged.append(after)
            events += made
        if events:
            self._metering.ingest(SYSTEM, events)
        return charged, len(events)


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)
