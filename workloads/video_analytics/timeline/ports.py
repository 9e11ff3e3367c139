"""What the timeline needs from outside; fences, cameras and files are the ports of ``events``."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from foundation.kernel.paging import Page, PageRequest
from workloads.video_analytics.timeline.model import (
    DailyCover,
    Found,
    Kept,
    Read,
    ReadKind,
    Search,
    Track,
)


class Departments(Protocol):
    """Which departments there are."""

    def exists(self, path: str) -> bool:
        """Whether a department has this path; called in the open transaction."""
        ...


@dataclass(frozen=True, slots=True)
class ReadFilter:
    """Which reads are wanted; empty fields filter nothing.

    Attributes:
        digest: of a whole subject; ``begins``: how it begins, for plates and tags only.
    """

    since: datetime
    until: datetime
    kinds: tuple[ReadKind, ...] = ()
    digest: str = ""
    begins: str = ""
    source: str = ""
    camera_id: str = ""


class TimelineStore(Protocol):
    """Tracks, reads and daily values; inside the open transaction."""

    def keep(self, camera_id: str, path: str, pieces: Sequence[Kept]) -> None:
        """Keep pieces; one of the same track and beginning is replaced when it reaches further."""
        ...

    def search(
        self, paths: Sequence[str], cameras: Collection[str] | None, wanted: Search,
        cursor: str | None, limit: int,
    ) -> Found:  # fmt: skip
        """The latest pieces that fit, of cameras below the paths (and among ``cameras``)."""
        ...

    def track(self, paths: Sequence[str], track_id: str) -> Track | None:
        """One piece, when it is below one of the paths."""
        ...

    def appeared(
        self, paths: Sequence[str], windows: Mapping[str, tuple[datetime, datetime]], limit: int
    ) -> list[Track]:
        """The pieces that began at a camera within its window."""
        ...

    def add_reads(self, reads: Sequence[Read]) -> list[bool]:
        """Keep reads; for each whether it is new."""
        ...

    def reads(self, paths: Sequence[str], wanted: ReadFilter, request: PageRequest) -> Page[Read]:
        """Those below one of the paths, the latest first."""
        ...

    def put_cover(self, cover: DailyCover, path: str) -> None:
        """Keep a day's value; a later word on the same day replaces it."""
        ...

    def covers(self, paths: Sequence[str], rule: str, since: date, until: date) -> list[DailyCover]:
        """The days of a rule in order; of all rules when ``rule`` is empty."""
        ...

    def thumbnail_owner(self, sha256: str) -> str | None:
        """The department's path whose track a thumbnail shows; None when it shows none."""
        ...
