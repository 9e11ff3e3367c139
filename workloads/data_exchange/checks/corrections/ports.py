"""What corrections need from outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from foundation.kernel.paging import Page, PageRequest
from workloads.data_exchange.checks.corrections.model import Correction
from workloads.data_exchange.checks.model import Check


class CorrectionStore(Protocol):
    """Keeps corrections; inside the open transaction."""

    def add(self, correction: Correction) -> None:
        """Keep a new one."""
        ...

    def find(self, correction: str, *, hold: bool = False) -> Correction | None:
        """By id; held, nobody else changes it until the transaction ends."""
        ...

    def update(self, correction: Correction) -> None:
        """Keep what may change of it."""
        ...

    def list(
        self, paths: Sequence[str], request: PageRequest, *, waiting: bool
    ) -> Page[Correction]:
        """Those that were asked for or are decided at or below the paths, newest first."""
        ...

    def of_check(self, check: str) -> Sequence[Correction]:
        """Those about one check, oldest first."""
        ...

    def waiting(self) -> Sequence[Correction]:
        """All that are open."""
        ...

    def late(self, now: datetime, limit: int) -> Sequence[str]:
        """Ids of open ones that are overdue and were not told."""
        ...


class Reopening(Protocol):
    """Asks a question of a check again."""

    def reopen(self, check: Check, name: str) -> None:
        """In the open transaction that holds the check."""
        ...


class Outbox(Protocol):
    """Messages that leave with the transaction."""

    def publish(self, topic: str, payload: dict[str, Any]) -> str: ...
