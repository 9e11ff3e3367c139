"""The migration of systems: states, steps with evidence, waves, targets, and the figures of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import NewType

from control_plane.tenancy.model import SystemId
from foundation.kernel.text import Text

StepId = NewType("StepId", str)


class MigrationState(StrEnum):
    """How far a system has come."""

    OPEN = "open"
    PLANNED = "planned"
    IN_PROGRESS = "in_progress"
    MOVED = "moved"
    VERIFIED = "verified"
    EXEMPT = "exempt"

    @property
    def has_arrived(self) -> bool:
        """Whether the system runs in the cloud."""
        return self in _ARRIVED


#: The last instant of a day is this much before the next one.
_TICK = timedelta(microseconds=1)

_ARRIVED = frozenset({MigrationState.MOVED, MigrationState.VERIFIED})

#: Where one may go from each state; what comes before the state itself is a way back.
STEPS: Mapping[MigrationState, tuple[MigrationState, ...]] = {
    MigrationState.OPEN: (MigrationState.PLANNED, MigrationState.EXEMPT),
    MigrationState.PLANNED: (MigrationState.IN_PROGRESS, MigrationState.EXEMPT),
    MigrationState.IN_PROGRESS: (MigrationState.MOVED, MigrationState.PLANNED),
    MigrationState.MOVED: (MigrationState.VERIFIED, MigrationState.IN_PROGRESS),
    MigrationState.VERIFIED: (MigrationState.MOVED,),
    MigrationState.EXEMPT: (MigrationState.PLANNED,),
}


@dataclass(frozen=True, slots=True)
class Wave:
    """Systems that move together.

    Attributes:
        start: first day.
        due: last day.
    """

    slug: str
    title: Text
    start: date
    due: date


@dataclass(frozen=True, slots=True)
class Target:
    """What share of the systems below a path must have arrived by the end of a day.

    Attributes:
        percent: above 0, at most 100.
    """

    path: str
    due: date
    percent: Decimal


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a system.

    Attributes:
        number: counts the system's steps from 1.
        at: when it happened.
        recorded_at: when it was entered.
        by: id of who entered it.
        note: why, or what was done.
        evidence: addresses (https://…) or ids of the platform (``ord_…``) that prove it.
    """

    id: StepId
    system_id: SystemId
    number: int
    before: MigrationState
    after: MigrationState
    at: datetime
    recorded_at: datetime
    by: str
    note: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Journey:
    """A system on its way.

    Attributes:
        path: of its organisation.
        wave: slug; empty for none.
        due: the last day that was agreed for it; None takes the wave's.
        since: of the state; None while it is open.
    """

    system_id: SystemId
    slug: str
    name: Text
    path: str
    state: MigrationState
    wave: str
    due: date | None
    since: datetime | None

    def is_late(self, today: date) -> bool:
        """Whether its day has passed before it arrived."""
        on_the_way = not self.state.has_arrived and self.state is not MigrationState.EXEMPT
        return on_the_way and self.due is not None and self.due < today


@dataclass(frozen=True, slots=True)
class Past:
    """What the figures are made of: one system with its dated states, the oldest first.

    Attributes:
        known: since when the system is in the register.
    """

    path: str
    wave: str
    known: datetime
    states: tuple[tuple[datetime, MigrationState], ...]

    def state(self, at: datetime) -> MigrationState | None:
        """Its state at that instant; None when it was not known yet."""
        passed = [state for when, state in self.states if when <= at]
        if passed:
            return passed[-1]
        return MigrationState.OPEN if self.known <= at else None


@dataclass(frozen=True, slots=True)
class Count:
    """How many systems are in each state."""

    by_state: Mapping[MigrationState, int]

    @property
    def total(self) -> int:
        """All that are to arrive: without those that are exempt."""
        return sum(n for state, n in self.by_state.items() if state is not MigrationState.EXEMPT)

    @property
    def arrived(self) -> int:
        """Those that run in the cloud."""
        return sum(n for state, n in self.by_state.items() if state.has_arrived)

    @property
    def percent(self) -> Decimal:
        """Arrived by total in per cent to a tenth, never rounded up to a target; 0 of none."""
        if not self.total:
            return Decimal(0)
        return Decimal(self.arrived * 1000 // self.total) / 10


class TargetState(StrEnum):
    """Whether a target was reached."""

    MET = "met"
    MISSED = "missed"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a target stands.

    Attributes:
        percent: reached by its day, or until now.
        missing: systems that still have to arrive for it.
        per_week: how many a week that are from now on; None once its day has passed.
    """

    target: Target
    state: TargetState
    percent: Decimal
    missing: int
    per_week: Decimal | None


@dataclass(frozen=True, slots=True)
class Progress:
    """The figures of everything at and below a path.

    Attributes:
        path: of whom.
        now: how many are in each state.
        organisations: the same by the organisations just below the path, and the path's own.
        waves: the same by wave; those in none are under the empty name.
        series: at the end of each month since the first step, and now: day and counts.
    """

    path: str
    at: datetime
    now: Count
    organisations: Mapping[str, Count]
    waves: Mapping[str, Count]
    series: tuple[tuple[date, Count], ...]
    targets: tuple[Standing, ...]


def count(past: Iterable[Past], at: datetime) -> Count:
    """How many systems were in each state at an instant."""
    found = dict.fromkeys(MigrationState, 0)
    for one in past:
        state = one.state(at)
        if state is not None:
            found[state] += 1
    return Count(found)


def progress(path: str, past: Sequence[Past], targets: Iterable[Target], at: datetime) -> Progress:
    """The figures of the systems at and below a path, as they are at an instant."""
    groups: dict[str, list[Past]] = {}
    waves: dict[str, list[Past]] = {}
    for one in past:
        groups.setdefault(_group(path, one.path), []).append(one)
        waves.setdefault(one.wave, []).append(one)
    standings = tuple(_standing(t, past, at) for t in sorted(targets, key=lambda t: t.due))
    return Progress(
        path,
        at,
        count(past, at),
        {name: count(group, at) for name, group in sorted(groups.items())},
        {name: count(group, at) for name, group in sorted(waves.items())},
        tuple((day, count(past, moment)) for day, moment in _moments(past, at)),
        standings,
    )


def _group(path: str, below: str) -> str:
    rest = below[len(path) :].split("/", 1)[0]
    return f"{path}{rest}/" if rest else path


def _moments(past: Sequence[Past], at: datetime) -> list[tuple[date, datetime]]:
    """The end of each month from that of the first step on, and now."""
    first = min((one.states[0][0] for one in past if one.states), default=at)
    moments: list[tuple[date, datetime]] = []
    year, month = first.year, first.month
    while True:
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)  # noqa: PLR2004 - December
        end = at.replace(year=year, month=month, day=1, hour=0, minute=0, second=0, microsecond=0)
        if end >= at:
            return [*moments, (at.date(), at)]
        last = end - _TICK
        moments.append((last.date(), last))


def _standing(target: Target, past: Sequence[Past], at: datetime) -> Standing:
    end = at.replace(
        year=target.due.year, month=target.due.month, day=target.due.day,
        hour=0, minute=0, second=0, microsecond=0,
    ) + timedelta(days=1)  # fmt: skip
    reached = count(past, min(at, end - _TICK))
    # Whole systems: the smallest number that is at least the share.
    wanted = (reached.total * target.percent / 100).to_integral_value(ROUND_CEILING)
    missing = max(0, int(wanted) - reached.arrived)
    if not missing and reached.total:
        state = TargetState.MET
    else:
        state = TargetState.MISSED if end <= at else TargetState.OPEN
    per_week = None
    if end > at:
        weeks = max(Decimal((end - at).days + 1) / 7, Decimal(1) / 7)
        per_week = (Decimal(missing) / weeks).quantize(Decimal("0.1"))
    return Standing(target, state, reached.percent, missing, per_week)
