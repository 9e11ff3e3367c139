"""What usage needs from outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from foundation.kernel.paging import Page, PageRequest
from workloads.video_analytics.usage.model import Counted, Line


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

    def keep(self, event_id: str, payload: Mapping[str, object], at: datetime) -> None:
        """Queue an event for the platform; one that is there stays as it is."""
        ...

    def waiting(self, limit: int) -> Sequence[Mapping[str, object]]:
        """The oldest events that the platform has not answered for."""
        ...

    def pushed(self, outcomes: Mapping[str, str], at: datetime) -> None:
        """What the platform answered, by event id."""
        ...


class Platform(Protocol):
    """The platform's intake of usage."""

    def push(self, events: Sequence[Mapping[str, object]]) -> Mapping[str, str]:
        """Send events; answers what became of each, by id.

        Raises:
            Unavailable: it does not answer, or refuses all of them.
        """
        ...


class Publisher(Protocol):
    """The outbox of the foundation."""

    def publish(self, topic: str, payload: dict[str, object]) -> str:
        """Write a message in the open transaction; answers its id."""
        ...
