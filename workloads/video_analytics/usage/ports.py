"""What usage needs from outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from foundation.kernel.paging import Page, PageRequest
from foundation.usage.model import Counted
from workloads.video_analytics.usage.model import Line


class UsageStore(Protocol):
    """What was counted; inside the open transaction."""

    def advance(self, camera_id: str, start: datetime, end: datetime) -> datetime:
        """From when on a camera's time up to ``end`` is not counted yet, and count it as such.

        The camera's row is locked until the transaction ends: nobody counts the same time.
        """
        ...

    def add_hours(self, tier: str, start: datetime, milliseconds: int) -> None:
        """Add what was counted from ``start`` on to its hour."""
        ...

    def add_alarm(self, event_id: str, at: datetime) -> bool:
        """Count an event of that time; False when it is counted already."""
        ...

    def untold(self, now: datetime) -> Sequence[Counted]:
        """What is not in the outbox yet; it is taken to be from now on."""
        ...

    def page(self, start: datetime, end: datetime, request: PageRequest) -> Page[Line]:
        """What was counted, oldest hour first."""
        ...
