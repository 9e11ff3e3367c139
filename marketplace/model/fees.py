"""Fees: what a plan costs besides the use of its resources, and the usage events that state it.

A fee *by the month* counts the part of each calendar month (UTC) in which the service was active,
exactly: the half-open interval from the activation, or the change, to the next change or the
return, by the length of that month. A fee *once* counts its quantity in the first second.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from control_plane.metering.model import EVENT_TYPE, SPEC_VERSION, months
from foundation.kernel import canonical
from foundation.kernel.time import Interval
from marketplace.model.catalogue import ComponentKind
from marketplace.model.ordering import InstanceId, Order, OrderId, PriceLine

#: Where fees come from, as usage events name it.
SOURCE = "borough:fees"
#: One transaction charges no more than this of a fee, however long nothing was charged.
LONGEST = timedelta(days=31)
_ONCE = timedelta(seconds=1)
_DAY = timedelta(days=1)

#: What a fee is for: a meter and its dimensions.
FeeKey = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Fee:
    """One fixed or one-time part of what an order made effective.

    Attributes:
        order_id, component: together its key; an order takes effect once.
        quantity: units per month, or units once.
        charged_until: up to when usage events were made of it.
        ends: when it stopped, by a change or the return; None while it runs.
    """

    order_id: OrderId
    component: str
    instance_id: InstanceId
    kind: ComponentKind
    meter: str
    dimensions: Mapping[str, str]
    quantity: Decimal
    starts: datetime
    charged_until: datetime
    ends: datetime | None = None

    @property
    def key(self) -> FeeKey:
        """What it is for."""
        return fee_key(self.meter, self.dimensions)


def fee_key(meter: str, dimensions: Mapping[str, str]) -> FeeKey:
    """What a fee of this meter and these dimensions is for."""
    return meter, tuple(sorted(dimensions.items()))


def fees_of(order: Order, lines: Iterable[PriceLine], at: datetime) -> list[Fee]:
    """The fees that begin when an order takes effect: of what was approved, no more."""
    return [
        Fee(
            order.id, line.subject, order.instance_id, ComponentKind(line.kind), line.meter,
            line.dimensions, line.quantity, at, at,
            at + _ONCE if line.kind == ComponentKind.ONE_TIME else None,
        )
        for line in lines
        if line.kind != ComponentKind.PER_USE and line.quantity > 0
    ]  # fmt: skip


def still_due(
    wanted: Sequence[tuple[FeeKey, Decimal]], paid: Mapping[FeeKey, Decimal]
) -> list[Decimal]:
    """How much of each one-time part is due, when some was charged before: only what is new."""
    left, due = dict(paid), []
    for key, quantity in wanted:
        covered = min(quantity, left.get(key, Decimal(0)))
        left[key] = left.get(key, Decimal(0)) - covered
        due.append(quantity - covered)
    return due


def charge(fee: Fee, until: datetime) -> tuple[Fee, list[dict[str, Any]]]:
    """The fee charged up to an instant, and the usage events for what was not charged before.

    An event never crosses midnight (UTC), so that it has one month and few hours.
    """
    spans = list(_spans(fee.charged_until, until))
    if not spans:
        return fee, []
    return replace(fee, charged_until=until), [_event(fee, span) for span in spans]


def _spans(since: datetime, until: datetime) -> Iterator[Interval]:
    at = since
    while at < until:
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
        yield Interval(at, min(midnight, until))
        at = midnight


def _event(fee: Fee, span: Interval) -> dict[str, Any]:
    data = {
        "meter": fee.meter,
        "resource": fee.instance_id,
        "dimensions": dict(fee.dimensions),
        "start": span.start,
        "end": span.end,
        "quantity": _quantity(fee, span),
    }
    plain: dict[str, Any] = canonical.plain(data)
    return {
        "specversion": SPEC_VERSION,
        "type": EVENT_TYPE,
        "source": SOURCE,
        # What is charged of a fee begins at an instant once.
        "id": f"{fee.order_id}:{fee.component}:{plain['start']}",
        "time": plain["end"],
        "data": plain,
    }


def _quantity(fee: Fee, span: Interval) -> Decimal:
    return fee.quantity if fee.kind is ComponentKind.ONE_TIME else months(span, fee.quantity)
