"""What privacy needs from outside."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from foundation.kernel.paging import Page, PageRequest
from workloads.video_analytics.events.privacy.model import Export, ExportState, Retention


class Users(Protocol):
    """Something that refers to files of the evidence store."""

    def used(self, sha256s: Collection[str]) -> set[str]:
        """Those of them that it refers to; in the open transaction."""
        ...


class Ageing(Protocol):
    """Something that forgets what is older than its camera's data class allows."""

    def forget(self, camera_ids: Collection[str], kind: str, before: datetime) -> int:
        """Forget some of ``kind`` (``tracks``, ``reads``) of these cameras; answers how many.

        In the open transaction; asked again as long as it forgets any.
        """
        ...

    def camera_ids(self) -> Sequence[str]:
        """The cameras of which anything is kept; those without a camera are ``""``."""
        ...


class PrivacyStore(Protocol):
    """Exports and periods of retention; inside the open transaction."""

    def put(self, export: Export) -> None:
        """Keep a new or changed one."""
        ...

    def get(self, export_id: str, *, lock: bool = False) -> Export | None:
        """One."""
        ...

    def exports(
        self, paths: Sequence[str], state: ExportState | None, request: PageRequest
    ) -> Page[Export]:
        """Those below one of the paths, newest first."""
        ...

    def in_state(self, state: ExportState, limit: int) -> list[Export]:
        """The oldest ones in a state."""
        ...

    def retention(self) -> dict[str, Retention]:
        """By data class, where it differs from the usual."""
        ...

    def put_retention(self, retention: Retention) -> None:
        """Keep it."""
        ...

    def overdue(self, camera_ids: Collection[str], before: datetime, limit: int) -> list[str]:
        """Events of these cameras with evidence from before then, without a hold."""
        ...

    def event_cameras(self) -> Sequence[str]:
        """The cameras with events that still have evidence."""
        ...

    def used(self, sha256s: Collection[str]) -> set[str]:
        """Those of them that are evidence or the archive of an export."""
        ...
