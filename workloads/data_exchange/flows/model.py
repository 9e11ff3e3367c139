"""Flows: what they are counted in, and what is asked of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from workloads.data_exchange.agencies.model import Level

#: Milliseconds at which the steps of latency end; what takes longer is in one more.
BOUNDS = (
    1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 1500, 2000, 3000,
    5000, 7000, 10_000, 15_000, 20_000, 30_000, 60_000,
)  # fmt: skip


class Outcome(StrEnum):
    """How a call ended."""

    ANSWERED = "answered"
    REFUSED = "refused"
    FAILED = "failed"


class Grain(StrEnum):
    """The spans of time in which flows are counted."""

    HOUR = "hour"
    DAY = "day"


class Sort(StrEnum):
    """What the first flows have most of."""

    CALLS = "calls"
    FAILED = "failed"
    REFUSED = "refused"
    P95 = "p95"
    BYTES = "bytes"
    CONSUMER = "consumer"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True)
class Counted:
    """Calls of one kind in one hour, as receipts tell of them.

    Attributes:
        hour: its start, UTC.
        consumer, provider: paths of the agencies.
        service: the id of the interface.
        status: of HTTP; 0 when an answer broke off.
        step: of latency: how many of ``BOUNDS`` they reached.
        size: bytes handed out by all of them.
    """

    hour: datetime
    consumer: str
    provider: str
    service: str
    status: int
    step: int
    calls: int
    rows: int
    size: int

    @property
    def outcome(self) -> Outcome:
        """How they ended."""
        if 200 <= self.status < 300:  # noqa: PLR2004
            return Outcome.ANSWERED
        return Outcome.REFUSED if 400 <= self.status < 500 else Outcome.FAILED  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class Query:
    """Which flows.

    Attributes:
        start, end: half-open; None for the last day until now.
        grain: counted by hours or days; None for hours of up to three days, else days.
        agency: a path: one side is there or below; empty for all.
        level: one side is an agency of this level.
        outcome: only calls that ended so.
        by_service: each interface for itself.
        sort: what the first ones have most of.
        limit: so many of them.
    """

    start: datetime | None = None
    end: datetime | None = None
    grain: Grain | None = None
    agency: str = ""
    level: Level | None = None
    outcome: Outcome | None = None
    by_service: bool = False
    sort: Sort = Sort.CALLS
    limit: int = 200


@dataclass(slots=True)
class Calls:
    """Calls put together.

    Attributes:
        outcomes: how many ended how.
        steps: how many of each outcome took how long, by step of latency.
        size: bytes handed out.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    steps: dict[Outcome, Counter[int]] = field(default_factory=dict)
    rows: int = 0
    size: int = 0

    def add(self, outcome: Outcome, step: int, calls: int, rows: int, size: int) -> None:
        """Put some more to them."""
        self.outcomes[outcome] += calls
        self.steps.setdefault(outcome, Counter())[step] += calls
        self.rows += rows
        self.size += size

    def merge(self, other: "Calls") -> None:
        """Put all of others to them."""
        self.outcomes += other.outcomes
        for outcome, steps in other.steps.items():
            self.steps.setdefault(outcome, Counter()).update(steps)
        self.rows += other.rows
        self.size += other.size

    @property
    def calls(self) -> int:
        """All of them."""
        return self.outcomes.total()

    @property
    def answered(self) -> int:
        """With data."""
        return self.outcomes[Outcome.ANSWERED]

    @property
    def refused(self) -> int:
        """By the agreement, or as there is nothing."""
        return self.outcomes[Outcome.REFUSED]

    @property
    def failed(self) -> int:
        """By the provider, or by the exchange."""
        return self.outcomes[Outcome.FAILED]

    @property
    def failing(self) -> float:
        """The part that failed, 0 to 1."""
        return self.failed / self.calls if self.calls else 0.0

    def percentile(self, share: float) -> float | None:
        """Milliseconds in which this part of the answered calls ended; None without any.

        Where none was answered, of those that failed or were refused.
        """
        for outcome in (Outcome.ANSWERED, Outcome.FAILED, Outcome.REFUSED):
            if self.steps.get(outcome):
                return percentile(self.steps[outcome], share)
        return None

    @property
    def p50(self) -> float | None:
        """Milliseconds; half of the calls took less."""
        return self.percentile(0.5)

    @property
    def p95(self) -> float | None:
        """Milliseconds; one of twenty took longer."""
        return self.percentile(0.95)


@dataclass(frozen=True, slots=True)
class Flow:
    """Calls from one agency to the data of another.

    Attributes:
        service: the interface, where each is for itself; else empty.
    """

    consumer: str
    provider: str
    service: str
    calls: Calls


@dataclass(frozen=True, slots=True)
class Step:
    """One hour or day of the flows that were asked for."""

    start: datetime
    calls: Calls


@dataclass(frozen=True, slots=True)
class Place:
    """An agency on the map.

    Attributes:
        name: in the languages.
        district: path of the district that it lies in; empty for what belongs to none.
    """

    path: str
    name: Mapping[str, str]
    level: Level
    district: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to see in a span of time.

    Attributes:
        start, end: whole hours or days.
        flows: as asked for, at most so many; ``more`` when there are others.
        total: of all flows, those that are not among them too.
        steps: hours or days in which something was called, in order.
    """

    start: datetime
    end: datetime
    grain: Grain
    flows: tuple[Flow, ...]
    more: bool
    total: Calls
    steps: tuple[Step, ...]


def percentile(steps: Mapping[int, int], share: float) -> float:
    """The value below which a part lies, spread evenly within its step.

    Args:
        steps: how many in each step of latency, one at least.
        share: 0 to 1.
    """
    wanted, before = share * sum(steps.values()), 0
    for step, count in sorted(steps.items()):
        if before + count >= wanted:
            low = BOUNDS[step - 1] if step else 0
            high = BOUNDS[step] if step < len(BOUNDS) else low
            return low + (high - low) * (wanted - before) / count
        before += count
    return float(BOUNDS[-1])
