"""The use cases of flows: count calls, and show who exchanges with whom."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Collector
from foundation.kernel.text import keepable
from foundation.kernel.time import Clock
from workloads.data_exchange.flows.model import (
    Calls,
    Counted,
    Flow,
    Grain,
    Place,
    Query,
    Seen,
    Sort,
)
from workloads.data_exchange.flows.ports import Filter, FlowStore

#: For so long rows are kept, and so much of them is looked at at once.
KEPT = {Grain.HOUR: timedelta(days=35), Grain.DAY: timedelta(days=1100)}
LONGEST = {Grain.HOUR: timedelta(days=35), Grain.DAY: timedelta(days=400)}
#: The busiest of which the first are chosen.
BUSIEST = 1000
_PATH = 500
_USUAL = timedelta(days=1)
_BY_HOURS = timedelta(days=3)

_KEYS: Mapping[Sort, Callable[[Flow], object]] = {
    Sort.CALLS: lambda one: -one.calls.calls,
    Sort.FAILED: lambda one: (-one.calls.failed, -one.calls.calls),
    Sort.REFUSED: lambda one: (-one.calls.refused, -one.calls.calls),
    Sort.P95: lambda one: -(one.calls.p95 or 0.0),
    Sort.BYTES: lambda one: -one.calls.size,
    Sort.CONSUMER: lambda one: (one.consumer, one.provider),
    Sort.PROVIDER: lambda one: (one.provider, one.consumer),
}


class Flows:
    """Who exchanges with whom.

    Args:
        store: the rows.
        db: the unit of work.
        clock: ours.
        zone: the city's, for its days.
    """

    def __init__(self, store: FlowStore, db: UnitOfWork, clock: Clock, zone: ZoneInfo) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._zone = zone

    def note(self, counted: Sequence[Counted]) -> None:
        """Count calls, in the transaction that takes their receipts in: each once."""
        if counted:
            with self._db.transaction():
                self._store.add([(one, self._day(one.hour)) for one in counted])

    def look(self, actor: Actor, query: Query) -> Seen:
        """The flows of the actor's agencies, as consumer or provider.

        Raises:
            Invalid: names every wrong field.
        """
        chosen = self._chosen(query)
        with self._db.transaction():
            paths = policy.visible_paths(actor, "flow.view")
            chosen = replace(chosen, paths=None if policy.ROOT in paths else tuple(paths))
            found = self._store.flows(chosen, BUSIEST + 1, by_service=query.by_service)
            steps, total = self._store.steps(chosen), Calls()
        for step in steps:
            total.merge(step.calls)
        flows = sorted(found[:BUSIEST], key=lambda one: (one.consumer, one.provider, one.service))
        flows.sort(key=_KEYS[query.sort])  # type: ignore[arg-type] # each key compares with itself
        return Seen(
            chosen.start, chosen.end, chosen.grain, tuple(flows[: query.limit]),
            len(found) > query.limit, total, tuple(steps),
        )  # fmt: skip

    def places(self, paths: Collection[str]) -> Mapping[str, Place]:
        """The agencies of paths that ``look`` answered; everybody may know who there is."""
        with self._db.transaction():
            return self._store.places(paths)

    def forget(self) -> None:
        """Forget what is too old to be kept."""
        now = self._clock.now()
        with self._db.transaction():
            for grain, kept in KEPT.items():
                self._store.forget(grain, now - kept)

    def _day(self, hour: datetime) -> datetime:
        local = hour.astimezone(self._zone)
        # The offset of midnight, not of the hour: clocks may be changed on that day.
        return datetime(local.year, local.month, local.day, tzinfo=self._zone).astimezone(UTC)

    def _chosen(self, query: Query) -> Filter:
        found = Collector()
        end = query.end or self._clock.now()
        start = query.start or end - _USUAL
        grain = query.grain or (Grain.HOUR if end - start <= _BY_HOURS else Grain.DAY)
        found.check(
            start < end <= start + LONGEST[grain],
            "end", f"must be after start, at most {LONGEST[grain].days} days later",
        )  # fmt: skip
        found.check(
            not query.agency
            or (query.agency[:1] == query.agency[-1:] == "/" and len(query.agency) <= _PATH
                and keepable(query.agency)),
            "agency", "must be a path such as /city/water/",
        )  # fmt: skip
        found.check(1 <= query.limit <= BUSIEST, "limit", f"must be 1 to {BUSIEST}")
        found.finish()
        begin = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        if grain is Grain.DAY:
            begin = self._day(begin)
        return Filter(
            grain, begin, end.astimezone(UTC), None, query.agency, query.level, query.outcome
        )
