"""What notification needs from outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from foundation.kernel.paging import Page, PageRequest
from workloads.video_analytics.events.notification.model import (
    Delivery,
    DeliveryState,
    Receiver,
)


class Refused(Exception):
    """It was not taken; ``message`` says why in a sentence without any secret."""


class Sender(Protocol):
    """Sends one delivery; called outside of transactions."""

    def send(self, receiver: Receiver, delivery: Delivery, now: datetime) -> None:
        """Hand it over; afterwards it is the receiver's.

        Raises:
            Refused: it was not taken, or nobody can say whether it was.
        """
        ...


class ReceiverStore(Protocol):
    """Receivers and deliveries; inside the open transaction."""

    def put(self, receiver: Receiver) -> None:
        """Keep a new or changed one."""
        ...

    def get(self, receiver_id: str) -> Receiver | None:
        """One."""
        ...

    def remove(self, receiver_id: str) -> None:
        """Forget one with everything that was to be sent to it."""
        ...

    def below(self, paths: Sequence[str]) -> list[Receiver]:
        """Those of these departments and below, by name."""
        ...

    def above(self, path: str) -> list[Receiver]:
        """The enabled ones of a department and of those above it."""
        ...

    def queue(
        self, receiver_id: str, key: str, event_id: str, change: str, body: Mapping[str, Any],
        now: datetime,
    ) -> None:  # fmt: skip
        """Note something to be sent; the same key for the same receiver is one delivery."""
        ...

    def claim(self, now: datetime, until: datetime) -> Delivery | None:
        """Take the next that is due and has no older one of its event and receiver before it.

        Nobody else takes it before ``until``.
        """
        ...

    def settle(self, delivery: Delivery) -> None:
        """Write down how an attempt ended; it is nobody's any more."""
        ...

    def delivery(self, delivery_id: str) -> Delivery | None:
        """One."""
        ...

    def deliveries(
        self, receiver_ids: Sequence[str], state: DeliveryState | None, request: PageRequest
    ) -> Page[Delivery]:
        """Those of the receivers, the latest first."""
        ...
