"""Camera hours and alarms."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from workloads.video_analytics.vision.model import Tier

HOURS = "video.camera_hours"
ALARMS = "video.alarms"
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


def hours(milliseconds: int) -> Decimal:
    """Milliseconds as hours, to nine decimals."""
    return (Decimal(milliseconds) / 1000 / _HOUR).quantize(_STEP, ROUND_HALF_EVEN)


def hour_of(at: datetime) -> datetime:
    """The start of its hour."""
    return at.replace(minute=0, second=0, microsecond=0)


def end_of(hour: datetime) -> datetime:
    """When an hour is over."""
    return hour + timedelta(hours=1)
