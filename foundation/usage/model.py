"""A quantity of something used, and the CloudEvent that tells of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from foundation.kernel.time import format_instant

EVENT_TYPE = "dev.borough.usage.v1"


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
