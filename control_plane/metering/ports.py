"""What metering needs from outside of itself."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from control_plane.metering.model import (
    EventKey,
    KnownEvent,
    Meter,
    Observation,
    QuarantinedEvent,
    ResourceRef,
    Usage,
    UsageEvent,
    UsageRecord,
    Watermark,
)
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Interval


class Collector(Protocol):
    """Reads from a region what its resources used."""

    def observe(self, region_id: str, window: Interval) -> Iterable[Observation]:
        """What was used in the window, from the region's own times of creation, change and end.

        No minute between two windows is lost or counted twice: adjoining windows together give
        what one window over both gives. Resources are named by their physical ids.

        Raises:
            Unavailable: the region does not answer; nothing of the window is counted then.
        """
        ...


class MeteredRegions(Protocol):
    """The regions whose use is collected."""

    def regions(self) -> Sequence[tuple[str, datetime]]:
        """Each region's id and the instant from which on it is collected."""
        ...

    def collector(self, region_id: str) -> Collector:
        """What reads that region. Raises NotFound for a region that is not there."""
        ...


class ResourceDirectory(Protocol):
    """Knows which tenancy a resource belongs to."""

    def resolve(self, names: Iterable[str]) -> Mapping[str, ResourceRef]:
        """Resources by platform id or physical id; unknown names are left out."""
        ...


class MeteringStore(Protocol):
    """Where events and records are kept; every call joins the open transaction."""

    def put_meters(self, meters: Sequence[Meter]) -> None: ...

    def meters(self) -> Mapping[str, Meter]: ...

    def add_events(
        self, events: Sequence[tuple[UsageEvent, ResourceRef]], sender: str, received_at: datetime
    ) -> Mapping[EventKey, KnownEvent]:
        """Keep new events and their hourly records; answers those that are known of a tenancy."""
        ...

    def add_conflict(self, event: UsageEvent, pushed_by: str, received_at: datetime) -> None: ...

    def quarantine(
        self,
        payload: Any,  # noqa: ANN401 - kept as it was sent
        reasons: Sequence[str],
        pushed_by: str,
        received_at: datetime,
    ) -> str: ...

    def quarantined(self, request: PageRequest) -> Page[QuarantinedEvent]: ...

    def quarantined_event(self, quarantine_id: str) -> QuarantinedEvent | None: ...

    def mark_released(self, quarantine_id: str, at: datetime) -> None: ...

    def known(self, keys: Sequence[EventKey]) -> Mapping[EventKey, Sequence[KnownEvent]]:
        """The events with these keys, of any tenancy, in the order of their arrival."""
        ...

    def records(
        self,
        paths: Sequence[str],
        filters: Mapping[str, str],
        window: Interval,
        request: PageRequest,
    ) -> Page[UsageRecord]: ...

    def usage(
        self,
        paths: Sequence[str],
        filters: Mapping[str, str],
        window: Interval,
        request: PageRequest | None = None,
    ) -> Page[Usage]:
        """Sums by tenancy, resource, meter and dimensions; all of them without a request."""
        ...

    def watermark(self, region_id: str) -> Watermark: ...

    def watermarks(self) -> list[Watermark]: ...

    def lock_region(self, region_id: str) -> None: ...

    def set_watermark(self, watermark: Watermark) -> None: ...
