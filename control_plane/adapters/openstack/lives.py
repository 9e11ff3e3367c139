"""When a resource counted, and as what: from its times and OpenStack's account of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from control_plane.provisioning.model import MeterQuantity, Resource
from foundation.kernel.time import Interval

Hourly = tuple[MeterQuantity, ...]

_SHELVING = {"shelve", "shelveOffload"}
_OFFLOADED = "compute_shelve_offload_instance"
_FAILED = "Error"


def instant(text: str | None) -> datetime | None:
    """A time as OpenStack writes it: UTC, with or without saying so."""
    if not text:
        return None
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Life:
    """When something counted.

    Attributes:
        start: from when.
        end: until when; None while it lives.
        gaps: when it did not.
        resizes: when it became another size, in order.
        size: what it uses by its size now, when OpenStack says so.
    """

    start: datetime
    end: datetime | None = None
    gaps: tuple[Interval, ...] = ()
    resizes: tuple[datetime, ...] = ()
    size: Hourly | None = None

    def parts(self, resource: Resource, window: Interval) -> Iterator[tuple[Interval, Hourly]]:
        """The parts of a window in which it counted, each with what it used."""
        for begin, until, hourly in self._sizes(resource):
            for free in self._without_gaps(begin, until):
                inside = free.intersection(window)
                if inside is not None and hourly:
                    yield inside, hourly

    def _sizes(self, resource: Resource) -> Iterator[tuple[datetime, datetime | None, Hourly]]:
        sizes, changes = sizes_of(resource, self.size)
        # OpenStack's own times are exact; ours tell of changes that it keeps no account of.
        if len(self.resizes) >= len(changes):
            changes = list(self.resizes[len(self.resizes) - len(changes) :])
        begins = [self.start, *changes]
        ends: list[datetime | None] = [*changes, self.end]
        for begin, end, hourly in zip(begins, ends, sizes, strict=True):
            stop = end if self.end is None or (end is not None and end < self.end) else self.end
            late = max(begin, self.start)
            if stop is None or stop > late:
                yield late, stop, hourly

    def _without_gaps(self, begin: datetime, end: datetime | None) -> Iterator[Interval]:
        at = begin
        for gap in self.gaps:
            if gap.start > at and (end is None or at < end):
                stop = gap.start if end is None else min(gap.start, end)
                yield Interval(at, stop)
            if gap.end is None:
                return
            at = max(at, gap.end)
        if end is None or at < end:
            yield Interval(at, end)


def sizes_of(resource: Resource, now: Hourly | None) -> tuple[list[Hourly], list[datetime]]:
    """What a resource used, one after the other, and when one followed another.

    Args:
        resource: with its history.
        now: what OpenStack says that it uses at present; it may be ahead of the inventory.
    """
    sizes: list[Hourly] = []
    changes: list[datetime] = []
    for past in resource.history:
        sizes.append(past.hourly)
        changes.append(past.until)
    sizes.append(resource.hourly)
    if now is not None and not alike(now, resource.hourly):
        # It was resized and the operation has not written it down yet, or somebody else did it.
        sizes.append(now)
        changes.append(datetime.max.replace(tzinfo=UTC))
    return sizes, changes


def alike(one: Hourly, other: Hourly) -> bool:
    """Whether two say the same, whatever their order."""

    def values(hourly: Hourly) -> list[tuple[str, Any, Any]]:
        return sorted((m.meter, sorted(m.dimensions.items()), m.per_hour) for m in hourly)

    return values(one) == values(other)


def server_life(
    record: Mapping[str, Any],
    actions: Sequence[Mapping[str, Any]],
    events: Mapping[str, Sequence[Mapping[str, Any]]],
    size: Hourly | None,
) -> Life | None:
    """When a server counted; None when it never ran.

    Args:
        record: the server as the compute API shows it.
        actions: what was done to it; empty when nothing was since it was last looked at.
        events: of the shelving actions, by request.
        size: what it uses by its flavor now.
    """
    launched = instant(record.get("OS-SRV-USG:launched_at"))
    if launched is None:
        return None
    ordered = sorted(actions, key=lambda a: str(a["start_time"]))
    created = [a for a in ordered if a["action"] == "create" and a.get("message") != _FAILED]
    # launched_at moves with every resize and unshelving; the create action does not.
    start = _ended(created[0]) if created else launched
    end = instant(record.get("OS-SRV-USG:terminated_at"))
    resizes = _resizes(ordered)
    if record.get("status") == "RESIZE" and resizes:
        resizes.pop()  # it goes on; its action has no end yet
    return Life(start, end, tuple(_gaps(record, ordered, events)), tuple(resizes), size)


def _ended(action: Mapping[str, Any]) -> datetime:
    found = instant(action.get("updated_at")) or instant(action["start_time"])
    if found is None:
        raise ValueError("an action has no time")
    return found


def _resizes(actions: Iterable[Mapping[str, Any]]) -> list[datetime]:
    found: list[datetime] = []
    for action in actions:
        if action.get("message") == _FAILED:
            continue
        if action["action"] == "resize":
            found.append(_ended(action))
        elif action["action"] == "revertResize" and found:
            found.pop()
    return found


def _gaps(
    record: Mapping[str, Any],
    actions: Sequence[Mapping[str, Any]],
    events: Mapping[str, Sequence[Mapping[str, Any]]],
) -> Iterator[Interval]:
    if not actions:
        if record.get("status") == "SHELVED_OFFLOADED":
            yield Interval(datetime.min.replace(tzinfo=UTC))
        return
    since: datetime | None = None
    for action in actions:
        if action["action"] in _SHELVING:
            since = since or _offloaded(events.get(str(action["request_id"]), ()))
        elif action["action"] == "unshelve" and action.get("message") != _FAILED:
            if since is not None:
                yield Interval(since, _ended(action))
            since = None
    if since is not None:
        yield Interval(since)


def _offloaded(events: Iterable[Mapping[str, Any]]) -> datetime | None:
    for event in events:
        if event["event"] == _OFFLOADED and event.get("result") == "Success":
            return instant(event.get("finish_time"))
    return None
