"""What migration needs from outside."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Protocol

from control_plane.tenancy.migration.model import Journey, Past, Step, Target, Wave
from foundation.kernel.paging import Page, PageRequest


class MigrationStore(Protocol):
    """Where waves, targets and steps are kept; every call joins the open transaction."""

    def put_wave(self, wave: Wave) -> None:
        """Keep a wave, new or changed."""
        ...

    def remove_wave(self, slug: str) -> bool:
        """Forget a wave; False when systems are in it."""
        ...

    def wave(self, slug: str) -> Wave | None: ...

    def waves(self) -> list[Wave]:
        """All, by start and slug."""
        ...

    def put_targets(self, path: str, targets: Sequence[Target]) -> None:
        """Keep the targets of a path in place of those that it had."""
        ...

    def targets(self, path: str) -> list[Target]:
        """Those of a path itself, by day."""
        ...

    def journey(self, system_id: str, *, lock: bool = False) -> Journey | None:
        """A system on its way; locked until the transaction ends if asked."""
        ...

    def journeys(
        self, paths: Sequence[str], filters: Mapping[str, str], request: PageRequest
    ) -> Page[Journey]:
        """Those at or below any of the paths, by path and slug.

        Args:
            paths: where the reader may look.
            filters: any of ``state``, ``wave``, ``path`` (at or below).
            request: which part of the list.
        """
        ...

    def plan(self, system_id: str, wave: str, due: date | None) -> None:
        """Put a system into a wave, or into none."""
        ...

    def add_step(self, step: Step) -> None: ...

    def steps(self, system_id: str) -> list[Step]:
        """The steps of a system, the oldest first."""
        ...

    def past(self, path: str) -> list[Past]:
        """Every system at or below a path with its dated states."""
        ...
