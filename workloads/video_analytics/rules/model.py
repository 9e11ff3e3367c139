"""Rules: what a camera is watched for, in versions that are never changed; permits of sites."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NewType
from zoneinfo import ZoneInfo

import jsonschema

from foundation.kernel.errors import Collector
from foundation.kernel.text import Text, keepable
from foundation.kernel.time import Interval
from workloads.video_analytics.cameras.model import (
    NAME_MAX,
    POINTS_MAX,
    check_points,
    check_polygon,
)
from workloads.video_analytics.vision.model import Point, RuleKind, RuleSpec
from workloads.video_analytics.vision.parameters import PARAMETERS, with_defaults
from workloads.video_analytics.watchlists.model import ListKind

RuleId = NewType("RuleId", str)
PermitId = NewType("PermitId", str)

#: Weekdays as schedules name them, Monday first.
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS_MAX = 14
#: How long a permit may be, and how long one that is over is still told to the analysis: an event
#: of the night before may still be open.
PERMIT_DAYS = 366
#: As many pieces of permits as the parameter of the analysis takes; the soonest come first.
_PIECES_MAX = 1000
#: The parameter that is filled from permits, so that no rule is given it.
FILLED = "permits"
_OVER = timedelta(days=2)
NUMBER_MAX = 100
NOTE_MAX = 1000
RULES_PER_CAMERA = 50

_HOUR = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
#: A line shorter than this is a slip of the hand.
_SHORTEST_LINE = 0.005

#: What a kind cannot do without; the analysis says ``no model: …`` when it is not there.
MODELS: Mapping[RuleKind, str] = {
    RuleKind.OBJECT_CLASS: "classes",
    RuleKind.FACE: "faces",
    RuleKind.PLATE: "plates",
}

#: What watch lists a kind takes.
LISTS: Mapping[RuleKind, ListKind] = {
    RuleKind.FACE: ListKind.FACES,
    RuleKind.PLATE: ListKind.PLATES,
}


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of some days of the week, in the camera's time zone.

    Attributes:
        days: numbers, 0 for Monday.
        start, end: ``HH:MM``; an end at or before the start lies on the next day.
    """

    days: frozenset[int]
    start: str
    end: str

    def contains(self, local: datetime) -> bool:
        """Whether the local time lies in the hours."""
        clock = f"{local:%H:%M}"
        if self.start < self.end:
            return local.weekday() in self.days and self.start <= clock < self.end
        before = (local.weekday() - 1) % 7
        return (local.weekday() in self.days and clock >= self.start) or (
            before in self.days and clock < self.end
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """A version of a rule; the newest one is the rule.

    Attributes:
        path: of the department that owns the camera.
        points: fractions of the frame: a line, a polygon, or none.
        parameters: as they were given; ``with_defaults`` fills the rest.
        schedule: when it is in force; none is always.
        enabled: whether it is watched; of the rule, not of the version.
        at, by: when this version was made, and by whom (id).
        note: why, when it was not an edit: ``permit …``, ``copied from …``.
    """

    id: RuleId
    camera_id: str
    path: str
    version: int
    kind: RuleKind
    name: Text
    points: tuple[Point, ...]
    parameters: Mapping[str, Any]
    schedule: tuple[Hours, ...]
    enabled: bool
    at: datetime
    by: str
    note: str = ""

    @property
    def needs(self) -> str:
        """The model that it cannot do without, or empty."""
        return MODELS.get(self.kind, "")

    def in_force(self, at: datetime, timezone: str) -> bool:
        """Whether it is watched at an instant."""
        local = at.astimezone(ZoneInfo(timezone))
        return self.enabled and (
            not self.schedule or any(hours.contains(local) for hours in self.schedule)
        )

    def spec(self, permits: Sequence[Interval] = ()) -> RuleSpec:
        """As the analysis needs it."""
        parameters = with_defaults(self.kind, self.parameters)
        if self.kind is RuleKind.CONSTRUCTION:
            parameters[FILLED] = [
                {"from": one.start.isoformat(), "until": one.end.isoformat()}
                for one in permits[:_PIECES_MAX]
                if one.end is not None
            ]
        return RuleSpec(self.id, self.version, self.kind, self.points, parameters)


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to build at hours at which it is forbidden, for the site that a rule draws.

    Attributes:
        number: as the authority gave it.
        first, last: days, both included, in the camera's time zone.
        start, end: ``HH:MM`` of each day; an end at or before the start lies on the next day.
        revoked_at: from when on it counts no more.
    """

    id: PermitId
    rule_id: RuleId
    path: str
    number: str
    holder: str
    first: date
    last: date
    start: str
    end: str
    note: str
    created_at: datetime
    created_by: str
    revoked_at: datetime | None = None

    def intervals(self, timezone: str) -> Iterator[Interval]:
        """The instants that it covers, a piece a day (those that touch are joined)."""
        zone, pending = ZoneInfo(timezone), None
        for offset in range((self.last - self.first).days + 1):
            day = self.first + timedelta(days=offset)
            until = day if self.start < self.end else day + timedelta(days=1)
            begins, ends = _instant(day, self.start, zone), _instant(until, self.end, zone)
            if self.revoked_at is not None:
                ends = min(ends, self.revoked_at)
            if ends <= begins:
                continue
            if pending is not None and pending.end == begins:
                pending = Interval(pending.start, ends)
                continue
            if pending is not None:
                yield pending
            pending = Interval(begins, ends)
        if pending is not None:
            yield pending


def current(permits: Sequence[Permit], timezone: str, now: datetime) -> list[Interval]:
    """What permits allow from a little while ago on, in order."""
    found = [one for permit in permits for one in permit.intervals(timezone)]
    return sorted(
        (one for one in found if one.end is not None and one.end > now - _OVER),
        key=lambda one: (one.start, one.end),
    )


def _instant(day: date, clock: str, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)


# What may be said --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wish:
    """A rule as people give it."""

    kind: RuleKind
    name: Text
    points: tuple[Point, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    schedule: tuple[Hours, ...] = ()


def kinds() -> list[RuleKind]:
    """The kinds that can be watched for: those whose parameters are known."""
    return [kind for kind in RuleKind if kind in PARAMETERS]


def shape(kind: RuleKind, parameters: Mapping[str, Any]) -> str:
    """What is to be drawn: ``line``, ``field``, ``field?`` or nothing."""
    drawn = str(PARAMETERS[kind].get("x-points", ""))
    return (
        str(with_defaults(kind, parameters).get("of", "line")) if drawn == "line|field" else drawn
    )


def check(found: Collector, wish: Wish) -> None:
    """Note every wrong field of a rule."""
    for language in ("en", "zh"):
        text = wish.name.get(language)
        found.check(text.strip(), f"name.{language}", "is required", "required")
        found.check(
            len(text) <= NAME_MAX, f"name.{language}", f"must be at most {NAME_MAX} characters"
        )
    _check_schedule(found, wish.schedule)
    if not found.check(wish.kind in PARAMETERS, "kind", "is not a kind that can be watched for"):
        return
    _check_parameters(found, wish)
    _check_points(found, wish)


def _check_points(found: Collector, wish: Wish) -> None:
    drawn, points = shape(wish.kind, wish.parameters), wish.points
    if not drawn:
        found.check(not points, "points", "must be empty: the whole frame is watched")
    elif drawn == "line":
        enough = 2 <= len(points) <= POINTS_MAX  # noqa: PLR2004 - a line
        if found.check(enough, "points", f"must be a line of 2 to {POINTS_MAX} points"):
            check_points(found, "points", points)
            found.check(_length(points) >= _SHORTEST_LINE, "points", "is too short a line")
    elif points or drawn == "field":
        check_polygon(found, "points", points)


def _length(points: Sequence[Point]) -> float:
    return max((abs(a.x - b.x) + abs(a.y - b.y) for a in points for b in points), default=0.0)


def _check_schedule(found: Collector, schedule: Sequence[Hours]) -> None:
    found.check(len(schedule) <= HOURS_MAX, "schedule", f"must be at most {HOURS_MAX}")
    for at, hours in enumerate(schedule):
        named = hours.days and hours.days <= set(range(len(DAYS)))
        found.check(named, f"schedule.{at}.days", "must name days of the week")
        for name in ("start", "end"):
            check_hour(found, f"schedule.{at}.{name}", getattr(hours, name))


def check_hour(found: Collector, name: str, text: str) -> None:
    """Note a time of day that is none."""
    found.check(_HOUR.fullmatch(text), name, "must be a time of day such as 22:00")


def _check_parameters(found: Collector, wish: Wish) -> None:
    given_by_hand = FILLED in wish.parameters and wish.kind is RuleKind.CONSTRUCTION
    found.check(not given_by_hand, f"parameters.{FILLED}", "is filled from the permits")
    validator = jsonschema.Draft202012Validator(PARAMETERS[wish.kind])
    for error in validator.iter_errors(dict(wish.parameters)):
        path = [str(step) for step in error.absolute_path]
        if error.validator == "additionalProperties":
            known = error.schema.get("properties", {})
            for name in sorted(set(error.instance) - set(known)):
                found.check(False, ".".join(["parameters", *path, name]), "is not a parameter")
        elif error.validator == "required":
            for name in sorted(set(error.validator_value) - set(error.instance)):
                found.check(False, ".".join(["parameters", *path, name]), "is required", "required")
        else:
            found.check(False, ".".join(["parameters", *path]), _clause(error))
    low, high = "minimum_size_percent", "maximum_size_percent"
    given = with_defaults(wish.kind, wish.parameters)
    if all(isinstance(given.get(name), int | float) for name in (low, high)):
        found.check(
            given[low] < given[high], f"parameters.{high}", "must be above the smallest size"
        )
    texts = [text for text in given.values() if isinstance(text, str)]
    found.check(all(map(keepable, texts)), "parameters", "holds a character that cannot be kept")


_TYPES = {
    "number": "must be a number", "integer": "must be a whole number", "string": "must be a text",
    "boolean": "must be true or false", "array": "must be a list", "object": "must be an object",
}  # fmt: skip


def _clause(error: jsonschema.ValidationError) -> str:
    """What is wrong, as a clause that can stand beside the field."""
    value: Any = error.validator_value
    rule = str(error.validator)
    if rule == "type":
        return _TYPES.get(str(value), "is of another type")
    if rule == "enum":
        return f"must be one of {', '.join(map(str, value))}"
    if rule == "minimum":
        return f"must be at least {value}"
    if rule in {"maximum", "maxItems"}:
        return f"must be at most {value}"
    return "names something twice" if rule == "uniqueItems" else "is not what is taken here"


def check_permit(found: Collector, permit: Permit) -> None:
    """Note every wrong field of a permit."""
    found.check(permit.number.strip(), "number", "is required", "required")
    for name, longest in (("number", NUMBER_MAX), ("holder", NAME_MAX), ("note", NOTE_MAX)):
        text = getattr(permit, name)
        found.check(len(text) <= longest, name, f"must be at most {longest} characters")
        found.check(keepable(text), name, "holds a character that cannot be kept")
    if found.check(permit.first <= permit.last, "last", "must not be before the first day"):
        span = (permit.last - permit.first).days < PERMIT_DAYS
        found.check(span, "last", f"must be within {PERMIT_DAYS} days")
    for name in ("start", "end"):
        check_hour(found, name, getattr(permit, name))
