"""Use cases of metering: intake, quarantine, collection, and what was used."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from control_plane.metering.model import (
    CLOCK_SKEW,
    EventKey,
    IntakeResult,
    KnownEvent,
    Meter,
    Outcome,
    QuarantinedEvent,
    ResourceRef,
    Usage,
    UsageEvent,
    UsageRecord,
    Watermark,
    check_window,
    clip,
    event_of,
    in_life,
    parse_event,
)
from control_plane.metering.ports import Collector, MeteredRegions, MeteringStore, ResourceDirectory
from foundation.access import policy
from foundation.kernel.actor import Actor, ActorKind
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import BoroughError, Conflict, Invalid, NotFound
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock, Interval, month
from foundation.operations.model import Operation
from foundation.operations.service import Operations

#: A collection never reads more than this at once, so that each transaction stays small.
COLLECTION_STEP = timedelta(days=7)
ROOT = "/"
#: The kind of the operation that collects a region.
COLLECT = "metering.collect"
#: How the sources of the platform itself begin; nobody else may use them.
_OWN = "borough:"
_COLLECTOR = f"{_OWN}collector:"
_SYSTEM = "system:"
_COLLECTING = Actor.system("collector")


@dataclass(frozen=True, slots=True)
class _Context:
    """What one batch is checked against, read once; ``actor`` must hold, ``sender`` is noted."""

    actor: Actor
    sender: str
    now: datetime
    meters: Mapping[str, Meter]
    resources: Mapping[str, ResourceRef]

    def resource_of(self, event: UsageEvent) -> ResourceRef | None:
        """The event's resource; what the sender may not meter is unknown to it."""
        ref = self.resources.get(event.resource)
        return ref if ref is not None and _may_push(self.actor, ref) else None


class _Seen:
    """The events that are known, those of the batch at hand among them.

    An event is known by source and id within the tenancy of its resource: so nobody takes the
    place of a neighbour's event, or learns that there is one, and another account that sends the
    same for the same resource does not count it twice. To a sender its own source and id are known
    everywhere, as CloudEvents has it.
    """

    def __init__(self, known: Mapping[EventKey, Sequence[KnownEvent]]) -> None:
        self._known = {key: list(events) for key, events in known.items()}

    def before(self, event: UsageEvent, ref: ResourceRef | None, sender: str) -> KnownEvent | None:
        """The accepted event whose place this one would take; the tenancy's before the sender's."""
        there = self._known.get(event.key, ())
        same = (known for known in there if ref is not None and known.tenancy_id == ref.tenancy_id)
        mine = (known for known in there if known.sender == sender)
        return next(same, None) or next(mine, None)

    def add(self, event: UsageEvent, ref: ResourceRef, sender: str) -> None:
        """Note an event that is taken in."""
        known = KnownEvent(event.key, ref.tenancy_id, sender, event.payload_hash)
        self._known.setdefault(event.key, []).append(known)


class Metering:
    """Takes in usage, keeps it for ever, and answers what was used.

    Args:
        late_days: how many days after its end an event is accepted.
    """

    def __init__(
        self,
        *,
        db: UnitOfWork,
        clock: Clock,
        store: MeteringStore,
        directory: ResourceDirectory,
        regions: MeteredRegions,
        operations: Operations,
        late_days: int = 45,
    ) -> None:
        self._db = db
        self._clock = clock
        self._store = store
        self._directory = directory
        self._regions = regions
        self._operations = operations
        self._late = timedelta(days=late_days)

    # --- intake ---------------------------------------------------------------------------------

    def ingest(self, actor: Actor, events: Sequence[Any]) -> list[IntakeResult]:
        """Take in CloudEvents; answers what became of each, in their order.

        The same event again changes nothing. The same key with another payload, of the same
        tenancy or sender, is a conflict: both are kept and the first counts. What is malformed,
        unknown, in the future or too late waits in quarantine with its reasons.

        Raises:
            Forbidden: the actor may not push usage anywhere.
        """
        if not policy.visible_paths(actor, "usage.push") and actor.kind is not ActorKind.SYSTEM:
            policy.require(actor, "usage.push", ROOT)
        with self._db.transaction():
            return self._take_in(actor, events)

    def _take_in(
        self, actor: Actor, events: Sequence[Any], *, sender: str = ""
    ) -> list[IntakeResult]:
        now = self._clock.now()
        sender = sender or actor.id
        parsed = [self._parse(sender, value, now) for value in events]
        good = [item for item in parsed if isinstance(item, UsageEvent)]
        resources = self._directory.resolve({event.resource for event in good})
        context = _Context(actor, sender, now, self._store.meters(), resources)
        seen = _Seen(self._store.known([event.key for event in good]))
        results = {}
        fresh: list[tuple[int, UsageEvent, ResourceRef]] = []
        for index, event in enumerate(parsed):
            if isinstance(event, IntakeResult):
                results[index] = event
                continue
            ref = context.resource_of(event)
            # A replay is a replay, however late it comes.
            before = seen.before(event, ref, sender)
            if before is not None:
                results[index] = self._again(event, before, context)
            elif reasons := self._doubts(event, ref, context):
                self._store.quarantine(event.payload, reasons, sender, now)
                results[index] = IntakeResult(*event.key, Outcome.QUARANTINED, reasons)
            elif ref is not None:
                seen.add(event, ref, sender)
                fresh.append((index, event, ref))
        # Another batch may have brought the same key meanwhile; then that one was first.
        lost = self._store.add_events([(event, ref) for _, event, ref in fresh], sender, now)
        for index, event, _ in fresh:
            if event.key in lost:
                results[index] = self._again(event, lost[event.key], context)
            else:
                results[index] = IntakeResult(*event.key, Outcome.ACCEPTED)
        return [results[index] for index in range(len(parsed))]

    def _parse(self, sender: str, value: Any, now: datetime) -> UsageEvent | IntakeResult:  # noqa: ANN401
        try:
            return parse_event(value)
        except Invalid as error:
            reasons = tuple(f"{p.field}: {p.message}" for p in error.problems)
            self._store.quarantine(value, reasons, sender, now)
            return IntakeResult(*_key_of(value), Outcome.QUARANTINED, reasons)

    def _again(self, event: UsageEvent, kept: KnownEvent, context: _Context) -> IntakeResult:
        if kept.payload_hash == event.payload_hash:
            return IntakeResult(*event.key, Outcome.DUPLICATE)
        self._store.add_conflict(event, context.sender, context.now)
        reason = "an event with this source and id was accepted with another payload"
        return IntakeResult(*event.key, Outcome.CONFLICT, (reason,))

    def _doubts(
        self, event: UsageEvent, ref: ResourceRef | None, context: _Context
    ) -> tuple[str, ...]:
        reasons = []
        if event.source.startswith(_OWN) and not context.sender.startswith(_SYSTEM):
            reasons.append(f"source: {_OWN}… is the platform's own")
        meter = context.meters.get(event.meter)
        if meter is None:
            reasons.append(f"data.meter: {event.meter} is not a meter")
        else:
            reasons.extend(
                f"data.dimensions.{name}: the meter has no such dimension"
                for name in sorted(set(event.dimensions) - set(meter.dimensions))
            )
            reasons.extend(
                f"data.dimensions.{name}: is required"
                for name in meter.dimensions
                if name not in event.dimensions
            )
        reasons.extend(self._resource_doubts(event, ref))
        end = event.end
        if end > context.now + CLOCK_SKEW:
            reasons.append("data.end: is in the future")
        # A collector that fills a gap is never too late: the region's own log is its source.
        late = end < context.now - self._late
        if late and context.actor.kind is not ActorKind.SYSTEM:
            reasons.append(f"data.end: is more than {self._late.days} days ago")
        return tuple(reasons)

    @staticmethod
    def _resource_doubts(event: UsageEvent, ref: ResourceRef | None) -> list[str]:
        if ref is None:
            return [f"data.resource: {event.resource} is not a known resource"]
        reasons = []
        if event.tenancy is not None and event.tenancy != ref.tenancy_id:
            reasons.append("data.tenancy: is not the tenancy of the resource")
        end = event.end
        if event.interval.start < ref.created_at - CLOCK_SKEW:
            reasons.append("data.start: is before the resource was created")
        if ref.deleted_at is not None and end > ref.deleted_at + CLOCK_SKEW:
            reasons.append("data.end: is after the resource was deleted")
        return reasons

    # --- quarantine -----------------------------------------------------------------------------

    def quarantine(self, actor: Actor, request: PageRequest) -> Page[QuarantinedEvent]:
        """Events that wait, oldest first. Raises Forbidden."""
        policy.require(actor, "usage.release", ROOT)
        with self._db.transaction():
            return self._store.quarantined(request)

    def release(self, actor: Actor, quarantine_id: str) -> IntakeResult:
        """Try an event again, now that its meter or resource may be known.

        Raises:
            NotFound: no such event waits.
            Conflict: it was released before.
            Invalid: it is still wrong; it stays in quarantine.
        """
        policy.require(actor, "usage.release", ROOT)
        with self._db.transaction():
            kept = self._store.quarantined_event(quarantine_id)
            if kept is None:
                raise NotFound(f"no event {quarantine_id} is in quarantine")
            if kept.released_at is not None:
                raise Conflict(f"{quarantine_id} was released already")
            # Still as its sender's: one that stays waits as the same entry.
            (result,) = self._take_in(actor, [kept.payload], sender=kept.pushed_by)
            if result.outcome is not Outcome.QUARANTINED:
                self._store.mark_released(quarantine_id, self._clock.now())
            return result

    # --- meters ---------------------------------------------------------------------------------

    def define_meters(self, actor: Actor, meters: Sequence[Meter]) -> None:
        """Add meters, or change title, unit and dimensions of known ones; not their aggregation."""
        policy.require(actor, "meter.manage", ROOT)
        with self._db.transaction():
            self._store.put_meters(meters)

    def meters(self, actor: Actor) -> list[Meter]:
        """All meters, by name; they are no secret."""
        del actor
        with self._db.transaction():
            return list(self._store.meters().values())

    # --- collection -----------------------------------------------------------------------------

    def request_collection(self, actor: Actor, region_id: str) -> Operation:
        """Have a region collected now. Raises Forbidden, NotFound."""
        policy.require(actor, "usage.collect", ROOT)
        with self._db.transaction():
            if region_id not in dict(self._regions.regions()):
                raise NotFound(f"there is no region {region_id}")
            return self._operations.start(
                COLLECT, subject=region_id, path=ROOT, inputs={}, actor=actor
            )

    def collect_region(self, region_id: str) -> int:
        """Collect a region from its watermark to now; answers how many events were new. For jobs.

        Raises:
            NotFound: there is no such region.
            Unavailable: the region does not answer.
        """
        with self._db.transaction():
            since = dict(self._regions.regions()).get(region_id)
        if since is None:
            raise NotFound(f"there is no region {region_id}")
        return self.collect(region_id, self._regions.collector(region_id), since=since)

    def collect_all(self) -> None:
        """Collect every region; one that fails is noted at its watermark and stops no other."""
        with self._db.transaction():
            regions = self._regions.regions()
        for region_id, _ in regions:
            with contextlib.suppress(BoroughError):
                self.collect_region(region_id)

    def collect(self, region_id: str, collector: Collector, *, since: datetime) -> int:
        """Collect a region from its watermark to now; answers how many events were new.

        The events and the watermark move in one transaction: a crash repeats the window and counts
        nothing twice. A region that does not answer keeps its watermark, so that the gap stays
        visible and is filled by the next success.

        Args:
            since: where to begin when the region was never collected.
        """
        made = 0
        while True:
            with self._db.transaction():
                mark = self._store.watermark(region_id)
            start = mark.collected_until or since
            now = self._clock.now()
            until = min(now, start + COLLECTION_STEP)
            if until <= start:
                return made
            window = Interval(start, until)
            try:
                self._db.assert_no_transaction()
                seen = clip(list(collector.observe(region_id, window)), window)
            except BoroughError as error:
                self._note_failure(region_id, str(error), now)
                raise
            made += self._keep(region_id, mark, window, seen)
            if until >= now:
                return made

    def _keep(self, region_id: str, mark: Watermark, window: Interval, seen: Sequence[Any]) -> int:
        source = f"{_COLLECTOR}{region_id}"
        actor = _COLLECTING
        with self._db.transaction():
            self._store.lock_region(region_id)
            if self._store.watermark(region_id).collected_until != mark.collected_until:
                return 0  # another collector was faster; its window holds
            known = self._directory.resolve({each.resource for each in seen})
            lived = [each for one in seen if (each := in_life(one, known.get(one.resource)))]
            results = self._take_in(actor, [event_of(each, source) for each in lived])
            now = self._clock.now()
            self._store.set_watermark(Watermark(region_id, window.end, now, now))
        return sum(result.outcome is Outcome.ACCEPTED for result in results)

    def _note_failure(self, region_id: str, error: str, now: datetime) -> None:
        with self._db.transaction():
            self._store.lock_region(region_id)
            mark = self._store.watermark(region_id)
            self._store.set_watermark(
                Watermark(region_id, mark.collected_until, now, mark.succeeded_at, error)
            )

    def watermarks(self, actor: Actor) -> list[Watermark]:
        """How far each region is collected. Raises Forbidden."""
        policy.require(actor, "region.view", ROOT)
        with self._db.transaction():
            return self._store.watermarks()

    # --- what was used --------------------------------------------------------------------------

    def records(
        self,
        actor: Actor,
        window: Interval,
        request: PageRequest,
        filters: Mapping[str, str] | None = None,
    ) -> Page[UsageRecord]:
        """Records that the actor may see, by hour.

        Args:
            filters: any of ``tenancy_id``, ``resource_id``, ``meter``.

        Raises:
            Invalid: the window is too long.
        """
        check_window(window)
        paths = policy.visible_paths(actor, "usage.view")
        with self._db.transaction():
            return self._store.records(paths, filters or {}, window, request)

    def usage(
        self, actor: Actor, window: Interval, filters: Mapping[str, str] | None = None
    ) -> list[Usage]:
        """Sums by resource and meter over the window, of what the actor may see; for features.

        Raises:
            Invalid: the window is too long.
        """
        check_window(window)
        paths = policy.visible_paths(actor, "usage.view")
        with self._db.transaction():
            return list(self._store.usage(paths, filters or {}, window).items)

    def usage_page(
        self,
        actor: Actor,
        window: Interval,
        request: PageRequest,
        filters: Mapping[str, str] | None = None,
    ) -> Page[Usage]:
        """A part of those sums, by tenancy, resource and meter.

        Raises:
            Invalid: the window is too long.
        """
        check_window(window)
        paths = policy.visible_paths(actor, "usage.view")
        with self._db.transaction():
            return self._store.usage(paths, filters or {}, window, request)

    def this_month(self) -> Interval:
        """The calendar month of now."""
        return month(f"{self._clock.now():%Y-%m}")


def _may_push(actor: Actor, ref: ResourceRef) -> bool:
    if actor.kind is ActorKind.WORKLOAD and ref.physical_id != actor.id:
        return False  # it meters itself and nothing else
    return actor.kind is ActorKind.SYSTEM or policy.allows(actor, "usage.push", ref.path)


def _key_of(value: Any) -> tuple[str, str]:  # noqa: ANN401 - outside data
    if not isinstance(value, dict):
        return "", ""
    return str(value.get("source", ""))[:512], str(value.get("id", ""))[:512]
