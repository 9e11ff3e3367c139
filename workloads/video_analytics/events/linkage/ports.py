"""What linkage needs from outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from foundation.kernel.paging import Page, PageRequest
from workloads.video_analytics.events.linkage.model import (
    Deed,
    Incident,
    IncidentState,
    Linkage,
)


class LinkageStore(Protocol):
    """Rules, what they did, and incidents; inside the open transaction."""

    def put(self, linkage: Linkage) -> None:
        """Keep a new or changed rule."""
        ...

    def get(self, linkage_id: str, *, locked: bool = False) -> Linkage | None:
        """One."""
        ...

    def remove(self, linkage_id: str) -> None:
        """Forget a rule; what it did stays."""
        ...

    def below(self, paths: Sequence[str]) -> list[Linkage]:
        """Those of these departments and below, by name."""
        ...

    def above(self, path: str) -> list[Linkage]:
        """The enabled ones of a department and of those above it."""
        ...

    def add_deed(self, deed: Deed, camera_id: str) -> bool:
        """Note an action to be done; False when the event has started it before."""
        ...

    def claim(self, now: datetime, until: datetime) -> Deed | None:
        """Take the next pending action; nobody else takes it before ``until``."""
        ...

    def settle(self, deed: Deed) -> bool:
        """Write down how it ended, or when it is tried again; False when it has ended already."""
        ...

    def acted_since(self, linkage_id: str, camera_id: str, since: datetime, but: str) -> bool:
        """Whether a rule acted on another event than ``but`` of a camera since then."""
        ...

    def turned_since(self, camera_id: str, since: datetime) -> bool:
        """Whether any rule has turned a camera since then."""
        ...

    def deeds(self, event_id: str) -> list[Deed]:
        """What an event started."""
        ...

    def put_incident(self, incident: Incident) -> None:
        """Keep a new or changed one."""
        ...

    def incident(self, incident_id: str, *, lock: bool = False) -> Incident | None:
        """One."""
        ...

    def incidents(
        self, paths: Sequence[str], state: IncidentState | None, event_id: str, request: PageRequest
    ) -> Page[Incident]:
        """Those below one of the paths, newest first."""
        ...
