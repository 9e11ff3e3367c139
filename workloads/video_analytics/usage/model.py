"""Camera hours and alarms, and the CloudEvents that tell of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from foundation.kernel.time import format_instant
from workloads.video_analytics.vision.model import Tier

HOURS = "video.camera_hours"
ALARMS = "video.alarms"
EVENT_TYPE = "dev.borough.usage.v1"
_STEP = Decimal("1e-9")
_HOUR = Decimal(3600)

#: What a tier is sold as.
SOLD = {
    Tier.ACCESS: "access",
    Tier.KEY_FRAMES: "basic",
    Tier.LOW_RATE: "basic",
    Tier.FULL: "advanced",
}


@dataclass(frozen=True, slots=True)
class Line:
    """What was counted of a meter in one hour.

    Attributes:
        meter: ``video.camera_hours`` or ``video.alarms``.
        tier: as it is sold; empty for alarms.
        hour: its start, UTC.
        quantity: all of it; ``told``: as much of it as is in the outbox.
    """

    meter: str
    tier: str
    hour: datetime
    quantity: Decimal
    told: Decimal


@dataclass(frozen=True, slots=True)
class Counted:
    """A part of an hour's quantity that is to be told."""

    id: str
    meter: str
    tier: str
    start: datetime
    end: datetime
    quantity: Decimal


def hours(milliseconds: int) -> Decimal:
    """Milliseconds as hours, to nine decimals."""
    return (Decimal(milliseconds) / 1000 / _HOUR).quantize(_STEP, ROUND_HALF_EVEN)


def hour_of(at: datetime) -> datetime:
    """The start of its hour."""
    return at.replace(minute=0, second=0, microsecond=0)


def end_of(hour: datetime) -> datetime:
    """When an hour is over."""
    return hour + timedelta(hours=1)


def cloud_event(counted: Counted, source: str, resource: str) -> Mapping[str, object]:
    """The event as the platform takes it (CloudEvents 1.0, structured JSON)."""
    dimensions = {"tier": counted.tier} if counted.tier else {}
    return {
        "specversion": "1.0", "type": EVENT_TYPE, "source": source, "id": counted.id,
        "time": format_instant(counted.end), "datacontenttype": "application/json",
        "data": {
            "meter": counted.meter, "resource": resource,
            "start": format_instant(counted.start), "end": format_instant(counted.end),
            "quantity": f"{counted.quantity:f}", "dimensions": dimensions,
        },
    }  # fmt: skip
