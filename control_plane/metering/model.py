"""Usage events, meters and hourly records: values and their rules.

A usage event is a CloudEvent 1.0 (https://github.com/cloudevents/spec) of type
``dev.borough.usage.v1``. Its data say how much of a meter a resource used in ``[start, end)``::

    {"meter": "server.instance_hours", "resource": "res_…", "start": "…Z", "end": "…Z",
     "quantity": "1.5", "dimensions": {"flavor": "m"}}
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from foundation.kernel import canonical
from foundation.kernel.errors import Collector, Invalid, Problem
from foundation.kernel.text import Text
from foundation.kernel.time import Interval, parse_instant

EVENT_TYPE = "dev.borough.usage.v1"
SPEC_VERSION = "1.0"

#: Quantities keep this many decimals.
QUANTITY_STEP = Decimal("1e-9")
#: The largest quantity one event may carry; far above any real one, far below the column's limit.
MAX_QUANTITY = Decimal("1e15")
MAX_INTERVAL = timedelta(days=62)
#: What is summed or listed at once: a quarter and a bit; no question reads all that is kept.
MAX_WINDOW = timedelta(days=100)
_MAX_KEY = 512
#: Clocks differ a little; an end this far ahead is not yet "in the future".
CLOCK_SKEW = timedelta(minutes=5)


#: Source and id: how CloudEvents name an event.
EventKey = tuple[str, str]


class Aggregation(StrEnum):
    """How the parts of one hour become the hour's quantity."""

    SUM = "sum"
    MAX = "max"


class Outcome(StrEnum):
    """What became of one event at intake."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class Meter:
    """Something that is counted.

    Attributes:
        name: such as ``server.instance_hours``.
        unit: UCUM where it has one (``h``, ``GBy.h``), else a word.
        dimensions: the keys by which quantities are kept apart.
        billable: False for a meter that informs only; it needs no price.
    """

    name: str
    title: Text
    unit: str
    aggregation: Aggregation
    dimensions: tuple[str, ...] = ()
    billable: bool = True


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """One well-formed usage event.

    Attributes:
        payload: the event as it was sent.
        payload_hash: the digest of it; equal for the same event sent again, in whatever order its
            members came.
    """

    source: str
    id: str
    meter: str
    resource: str
    tenancy: str | None
    interval: Interval
    quantity: Decimal
    dimensions: Mapping[str, str]
    payload: Mapping[str, Any] = field(repr=False)
    payload_hash: str

    @property
    def key(self) -> EventKey:
        """The key of CloudEvents: source and id."""
        return self.source, self.id

    @property
    def end(self) -> datetime:
        """When the use ended; every event has an end."""
        return self.interval.end or self.interval.start


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """An event that was accepted: what it is known by, and the digest of what was sent.

    Attributes:
        tenancy_id: the tenancy of its resource.
        sender: the principal that sent it.
    """

    key: EventKey
    tenancy_id: str
    sender: str
    payload_hash: str


@dataclass(frozen=True, slots=True)
class IntakeResult:
    """What became of one event; ``reasons`` say why it waits in quarantine or conflicts."""

    source: str
    id: str
    outcome: Outcome
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """How much of a meter a resource used in one hour, from one event.

    Attributes:
        path: the path of the organisation that pays, at that time.
        hour: the start of the hour, UTC.
        event_number: the event's number, in the order of arrival.
    """

    tenancy_id: str
    path: str
    resource_id: str
    meter: str
    dimensions: Mapping[str, str]
    hour: datetime
    quantity: Decimal
    event_number: int
    event_source: str
    event_id: str


@dataclass(frozen=True, slots=True)
class QuarantinedEvent:
    """An event that was kept and not counted, and why."""

    id: str
    source: str
    event_id: str
    payload: Mapping[str, Any]
    reasons: tuple[str, ...]
    pushed_by: str
    received_at: datetime
    released_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ResourceRef:
    """A resource as metering knows it.

    Attributes:
        id: the platform's id.
        physical_id: the id in its region, which collectors know it by.
    """

    id: str
    physical_id: str | None
    tenancy_id: str
    path: str
    created_at: datetime
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What a collector saw: a resource that used ``per_hour`` of a meter throughout an interval."""

    resource: str
    meter: str
    dimensions: Mapping[str, str]
    per_hour: Decimal
    interval: Interval


@dataclass(frozen=True, slots=True)
class Watermark:
    """Up to when a region has been collected, and how the last try went."""

    region_id: str
    collected_until: datetime | None
    tried_at: datetime | None
    succeeded_at: datetime | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """A sum of records, for a page or an export."""

    tenancy_id: str
    resource_id: str
    meter: str
    dimensions: Mapping[str, str]
    quantity: Decimal


def parse_event(value: Any) -> UsageEvent:  # noqa: ANN401 - outside data
    """Read a CloudEvent in structured form.

    Raises:
        Invalid: names every attribute and member of the data that is wrong.
    """
    if not isinstance(value, dict):
        raise Invalid([Problem("", "must be a JSON object")])
    found = Collector()
    for name in ("source", "id"):
        text = value.get(name)
        found.check(
            isinstance(text, str) and 0 < len(text) <= _MAX_KEY,
            name,
            f"must be a text of 1 to {_MAX_KEY} characters",
        )
    found.check(value.get("specversion") == SPEC_VERSION, "specversion", "must be 1.0")
    found.check(value.get("type") == EVENT_TYPE, "type", f"must be {EVENT_TYPE}")
    data: dict[str, Any] = {}
    if found.check(isinstance(value.get("data"), dict), "data", "must be a JSON object"):
        data = value["data"]
    for name in ("meter", "resource"):
        text = data.get(name)
        found.check(
            isinstance(text, str) and 0 < len(text) <= _MAX_KEY, f"data.{name}", "is required"
        )
    interval = _interval(data, found)
    quantity = _quantity(data.get("quantity"), found)
    dimensions = data.get("dimensions", {})
    found.check(
        isinstance(dimensions, dict)
        and all(isinstance(k, str) and isinstance(v, str) for k, v in dimensions.items()),
        "data.dimensions",
        "must be an object of texts",
    )
    tenancy = data.get("tenancy")
    found.check(tenancy is None or isinstance(tenancy, str), "data.tenancy", "must be a text")
    found.finish()
    if interval is None or quantity is None:  # finish() has raised
        raise Invalid([Problem("data", "is incomplete")])
    return UsageEvent(
        value["source"], value["id"], data["meter"], data["resource"], tenancy,
        interval, quantity, dimensions, value, payload_digest(value),
    )  # fmt: skip


def check_window(window: Interval) -> None:
    """Refuse a window that is too long to be read at once.

    Raises:
        Invalid: it is longer than ``MAX_WINDOW``, or has no end.
    """
    length = window.duration()
    if length is None or length > MAX_WINDOW:
        message = f"must be at most {MAX_WINDOW.days} days after start: ask for a part at a time"
        raise Invalid([Problem("end", message, "too_long")])


def payload_digest(payload: object) -> str:
    """A digest that is equal for equal JSON: whatever the order of members, and 1.0 is 1.

    Not RFC 8785, which has no numbers above 2**53: what others send must have a digest, too.
    """
    text = json.dumps(_whole(payload), sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _whole(value: object) -> object:
    """The value with whole floats as integers."""
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _interval(data: Mapping[str, Any], found: Collector) -> Interval | None:
    ends = []
    for name in ("start", "end"):
        try:
            ends.append(parse_instant(data.get(name, ""), f"data.{name}"))
        except Invalid as error:
            found.include(error)
    if len(ends) != len(("start", "end")):
        return None
    start, end = ends
    if not found.check(end > start, "data.end", "must be after start"):
        return None
    days = MAX_INTERVAL.days
    if not found.check(end - start <= MAX_INTERVAL, "data.end", f"is over {days} days after start"):
        return None
    return Interval(start, end)


def _quantity(value: Any, found: Collector) -> Decimal | None:  # noqa: ANN401 - outside data
    number = isinstance(value, str | int | float) and not isinstance(value, bool)
    try:
        quantity = Decimal(str(value) if number else "NaN")
    except InvalidOperation:
        quantity = Decimal("NaN")
    if not found.check(quantity.is_finite(), "data.quantity", "must be a number"):
        return None
    if not found.check(quantity >= 0, "data.quantity", "must not be negative"):
        return None
    if not found.check(
        quantity <= MAX_QUANTITY, "data.quantity", f"must be at most {MAX_QUANTITY}"
    ):
        return None
    exact = quantity == quantity.quantize(QUANTITY_STEP)
    if not found.check(exact, "data.quantity", "has more than 9 decimals"):
        return None
    return quantity


def quantity_of(per_hour: Decimal, interval: Interval) -> Decimal:
    """What a constant rate comes to over an interval, in the meter's unit."""
    length = interval.duration()
    if length is None:
        raise Invalid([Problem("interval", "must have an end")])
    hour = _micros(timedelta(hours=1))
    return (per_hour * _micros(length) / hour).quantize(QUANTITY_STEP, ROUND_HALF_EVEN)


def months(interval: Interval, per_month: Decimal = Decimal(1)) -> Decimal:
    """What so many units a month come to over an interval, each month by its own length.

    A whole month is ``per_month``, and adjoining intervals add up to what one over both is,
    exactly: each is the difference of two rounded positions in the calendar.

    Raises:
        Invalid: the interval has no end.
    """
    if interval.end is None:
        raise Invalid([Problem("interval", "must have an end")])
    return _position(interval.end, per_month) - _position(interval.start, per_month)


def _position(at: datetime, per_month: Decimal) -> Decimal:
    """Units since the year 0, with those of the part of the month that has passed."""
    start = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    length = (start + timedelta(days=31)).replace(day=1) - start
    part = per_month * _micros(at - start) / _micros(length)
    return (at.year * 12 + at.month) * per_month + part.quantize(QUANTITY_STEP, ROUND_HALF_EVEN)


def event_of(observation: Observation, source: str) -> dict[str, Any]:
    """The CloudEvent for an observation; its id is a digest of it: a repeat is the same event.

    Raises:
        Invalid: the observation has no end.
    """
    end = observation.interval.end
    if end is None:
        raise Invalid([Problem("interval", "must have an end")])
    data = {
        "meter": observation.meter,
        "resource": observation.resource,
        "dimensions": dict(observation.dimensions),
        "start": observation.interval.start,
        "end": end,
    }
    quantity = quantity_of(observation.per_hour, observation.interval)
    plain = canonical.plain({**data, "quantity": quantity})
    identity = canonical.digest(data).removeprefix("sha256:")[:32]
    return {
        "specversion": SPEC_VERSION,
        "type": EVENT_TYPE,
        "source": source,
        "id": identity,
        "time": plain["end"],
        "data": plain,
    }


def clip(observations: Sequence[Observation], window: Interval) -> list[Observation]:
    """The parts of the observations that lie in the window."""
    parts = []
    for seen in observations:
        inside = seen.interval.intersection(window)
        if inside is not None:
            parts.append(
                Observation(seen.resource, seen.meter, seen.dimensions, seen.per_hour, inside)
            )
    return parts


def in_life(seen: Observation, resource: ResourceRef | None) -> Observation | None:
    """The part of an observation in which its resource was the platform's; None when none was.

    A region goes on telling of what it had before somebody imported it, and after an import was
    given up: that is nobody's use. Where clocks only differ a little it is left as it was told.
    """
    if resource is None:
        return seen
    start, end = seen.interval.start, seen.interval.end
    if start < resource.created_at - CLOCK_SKEW:
        start = resource.created_at
    gone = resource.deleted_at
    if gone is not None and (end is None or end > gone + CLOCK_SKEW):
        end = gone
    if end is not None and end <= start:
        return None
    return replace(seen, interval=Interval(start, end))


def _micros(length: timedelta) -> int:
    return length // timedelta(microseconds=1)
