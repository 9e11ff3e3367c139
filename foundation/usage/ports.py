"""What telling needs from outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol


class ToldStore(Protocol):
    """The events on their way; inside the open transaction."""

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
    """The outbox."""

    def publish(self, topic: str, payload: dict[str, object]) -> str:
        """Write a message in the open transaction; answers its id."""
        ...
