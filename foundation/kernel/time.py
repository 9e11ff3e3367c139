"""Time: UTC instants from a Clock, and half-open intervals of them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from foundation.kernel.errors import Invalid, Problem

_DECEMBER = 12


class Clock(Protocol):
    """Where the time comes from; nothing else asks the machine."""

    def now(self) -> datetime:
        """The present instant, aware and in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Interval:
    """The instants from ``start`` (included) to ``end`` (excluded); no end means "until revoked".

    Raises:
        Invalid: an end without a zone, or one that is not after the start.
    """

    start: datetime
    end: datetime | None = None

    def __post_init__(self) -> None:
        problems = []
        if self.start.tzinfo is None:
            problems.append(Problem("start", "must carry a time zone"))
        if self.end is not None and self.end.tzinfo is None:
            problems.append(Problem("end", "must carry a time zone"))
        if not problems and self.end is not None and self.end <= self.start:
            problems.append(Problem("end", "must be after start"))
        if problems:
            raise Invalid(problems)

    def contains(self, at: datetime) -> bool:
        """Whether the instant lies in the interval."""
        return self.start <= at and (self.end is None or at < self.end)

    def overlaps(self, other: "Interval") -> bool:
        """Whether the two share an instant."""
        return (self.end is None or other.start < self.end) and (
            other.end is None or self.start < other.end
        )

    def intersection(self, other: "Interval") -> "Interval | None":
        """What the two share, or None."""
        if not self.overlaps(other):
            return None
        ends = [end for end in (self.end, other.end) if end is not None]
        return Interval(max(self.start, other.start), min(ends) if ends else None)

    def duration(self) -> timedelta | None:
        """Its length, or None when it has no end."""
        return None if self.end is None else self.end - self.start


def parse_instant(text: str, field: str = "time") -> datetime:
    """An RFC 3339 date-time as an instant in UTC.

    Raises:
        Invalid: not a date-time, or one without an offset.
    """
    try:
        value = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise Invalid([Problem(field, "must be an RFC 3339 date-time")]) from None
    if value.tzinfo is None:
        raise Invalid([Problem(field, "must carry an offset such as Z")])
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise Invalid([Problem(field, "must be an RFC 3339 date-time")]) from None


def format_instant(at: datetime) -> str:
    """The instant as RFC 3339 in UTC, with as many decimals as it has."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def month(text: str, field: str = "period") -> Interval:
    """The calendar month ``YYYY-MM`` in UTC.

    Raises:
        Invalid: not such a month.
    """
    try:
        start = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
        if start.month == _DECEMBER:
            return Interval(start, start.replace(year=start.year + 1, month=1))
    except (TypeError, ValueError):
        raise Invalid([Problem(field, "must be a month such as 2026-11")]) from None
    return Interval(start, start.replace(month=start.month + 1))


def hours_between(start: datetime, end: datetime) -> list[Interval]:
    """The parts of ``[start, end)`` that fall into each clock hour, in order."""
    parts = []
    at = start
    while at < end:
        following = at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        parts.append(Interval(at, min(following, end)))
        at = following
    return parts
