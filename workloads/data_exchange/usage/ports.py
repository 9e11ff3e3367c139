"""What usage needs from outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from foundation.kernel.paging import Page, PageRequest
from foundation.usage.model import Counted
from workloads.data_exchange.usage.model import Line


class UsageStore(Protocol):
    """What was counted; inside the open transaction."""

    def add(
        self, meter: str, dimensions: Mapping[str, str], at: datetime, quantity: Decimal
    ) -> None:
        """Add to the hour of an instant."""
        ...

    def advance(self, meter: str, now: datetime) -> datetime:
        """From when on a standing meter is not counted yet, and count it up to now.

        Its row is locked until the transaction ends: nobody counts the same time.
        """
        ...

    def untold(self, now: datetime) -> Sequence[Counted]:
        """What is not in the outbox yet; it is taken to be from now on."""
        ...

    def page(self, start: datetime, end: datetime, request: PageRequest) -> Page[Line]:
        """What was counted, oldest hour first."""
        ...
