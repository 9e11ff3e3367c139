"""Counts what is used, and hands it to the outbox."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock, hours_between
from foundation.usage.model import window
from foundation.usage.telling import Telling
from workloads.data_exchange.usage.model import Line
from workloads.data_exchange.usage.ports import UsageStore

#: Of the messages in the outbox.
TOPIC = "exchange.usage"
_HOUR = Decimal(3600)
_STEP = Decimal("1e-9")


class Usage:
    """What is counted.

    Args:
        store: the rows.
        db: the unit of work.
        clock: ours.
        telling: tells the platform that this service was ordered from.
    """

    def __init__(self, store: UsageStore, db: UnitOfWork, clock: Clock, telling: Telling) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self.telling = telling

    def note(self, meter: str, at: datetime, quantity: int = 1, **dimensions: str) -> None:
        """Something was used. Called in the transaction that made it so."""
        with self._db.transaction():
            self._store.add(meter, dimensions, at, Decimal(quantity))

    def note_standing(self, meter: str, count: Callable[[], int]) -> None:
        """So many of something stand now, and are taken to have stood since the last time.

        Args:
            meter: counts hours of one.
            count: how many; called in the transaction.
        """
        with self._db.transaction():
            now = self._clock.now()
            since, standing = self._store.advance(meter, now), count()
            for part in hours_between(since, now) if standing else ():
                seconds = Decimal(str(((part.end or part.start) - part.start).total_seconds()))
                hours = (standing * seconds / _HOUR).quantize(_STEP)
                self._store.add(meter, {}, part.start, hours)

    def tell(self) -> int:
        """Put what was counted since the last time into the outbox; answers how many events."""
        return self.telling.tell(lambda: self._store.untold(self._clock.now()))

    def lines(
        self, actor: Actor, start: datetime | None, end: datetime | None, page: PageRequest
    ) -> Page[Line]:
        """What was counted in a window of 100 days at most, oldest hour first.

        Raises:
            Forbidden: the actor may not see it.
            Invalid: no such window.
        """
        policy.require(actor, "usage.view", policy.ROOT)
        since, until = window(start, end, self._clock.now())
        with self._db.transaction():
            return self._store.page(since, until, page)
