"""Meters, sizes of answers, and what was counted in an hour."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

CALLS = "exchange.calls"
CHECKS = "exchange.checks"
DATASET_HOURS = "exchange.dataset_hours"
#: By ``act``: issued to a holder, or verified by this service for a department.
LICENCES = "exchange.licences"

#: Kinds of interfaces as they are sold: a call for an answer, a file or batch, an event.
QUERY, BATCH, EVENT = "query", "batch", "event"
#: The size of an answer as it is sold: up to so many bytes.
_SIZES = (("small", 10_000), ("medium", 1_000_000), ("large", 100_000_000))
#: The same as bounds that are reached by what is larger, and the names of what lies between them.
SIZE_BOUNDS = tuple(most + 1 for _, most in _SIZES)
SIZE_NAMES = (*(name for name, _ in _SIZES), "huge")


@dataclass(frozen=True, slots=True)
class Line:
    """What was counted of a meter in one hour.

    Attributes:
        dimensions: by which it is sold, such as ``{"interface": "query", "size": "small"}``.
        hour: its start, UTC.
        quantity: all of it; ``told``: as much of it as is in the outbox.
    """

    meter: str
    dimensions: Mapping[str, str]
    hour: datetime
    quantity: Decimal
    told: Decimal


def size_of(count: int) -> str:
    """As what an answer of so many bytes is sold: small, medium, large or huge."""
    return next((name for name, most in _SIZES if count <= most), "huge")


def hour_of(at: datetime) -> datetime:
    """The start of its hour."""
    return at.replace(minute=0, second=0, microsecond=0)


def end_of(hour: datetime) -> datetime:
    """When an hour is over."""
    return hour + timedelta(hours=1)
