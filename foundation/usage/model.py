"""A quantity of something used, and the CloudEvent that tells of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.time import format_instant

EVENT_TYPE = "dev.borough.usage.v1"
_LONGEST = timedelta(days=100)
_USUAL = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Counted:
    """What was used of a meter in a span of time and is to be told.

    Attributes:
        id: of the event; the platform counts each once.
        quantity: in the meter's unit.
        dimensions: by which it is priced, such as ``{"tier": "basic"}``.
    """

    id: str
    meter: str
    start: datetime
    end: datetime
    quantity: Decimal
    dimensions: Mapping[str, str] = field(default_factory=dict)


def cloud_event(counted: Counted, source: str, resource: str) -> dict[str, object]:
    """The event as the platform takes it (CloudEvents 1.0, structured JSON)."""
    return {
        "specversion": "1.0", "type": EVENT_TYPE, "source": source, "id": counted.id,
        "time": format_instant(counted.end), "datacontenttype": "application/json",
        "data": {
            "meter": counted.meter, "resource": resource,
            "start": format_instant(counted.start), "end": format_instant(counted.end),
            "quantity": f"{counted.quantity:f}", "dimensions": dict(counted.dimensions),
        },
    }  # fmt: skip


def window(
    start: datetime | None, end: datetime | None, now: datetime
) -> tuple[datetime, datetime]:
    """Which hours are looked at: up to now, and the last 31 days, when nothing else is said.

    Raises:
        Invalid: it ends before it begins, or is longer than 100 days.
    """
    until = end or now
    since = start or until - _USUAL
    if not since < until <= since + _LONGEST:
        raise Invalid([Problem("end", f"must be after start, at most {_LONGEST.days} days")])
    return since, until
