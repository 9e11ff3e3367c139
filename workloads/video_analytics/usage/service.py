"""Counts camera hours and alarms, and hands them to the outbox."""

from datetime import datetime, timedelta

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock, hours_between
from foundation.usage.model import window
from foundation.usage.telling import Telling
from workloads.video_analytics.events.ports import Fence, Fences
from workloads.video_analytics.usage.model import SOLD, Line
from workloads.video_analytics.usage.ports import UsageStore
from workloads.video_analytics.vision.model import Tier

#: Of the messages in the outbox.
TOPIC = "video.usage"
_LONGEST = timedelta(hours=24)


class Usage:
    """What is counted.

    Args:
        store: the rows.
        db: the unit of work.
        clock: ours.
        fences: who may count for which shard.
        telling: tells the platform that this service was ordered from.
    """

    def __init__(
        self, store: UsageStore, db: UnitOfWork, clock: Clock, fences: Fences, telling: Telling
    ) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._fences = fences
        self.telling = telling

    def note_hours(
        self, fence: Fence, camera_id: str, tier: Tier, start: datetime, end: datetime
    ) -> None:
        """A camera was watched from ``start`` to ``end`` at a tier.

        Time that is counted already, by whichever worker, is not counted again: a camera's time is
        counted in one direction only. So what two workers note at a change of hands never overlaps,
        and what one notes again after a crash changes nothing.

        Raises:
            Fenced: another worker holds the shard now.
        """
        with self._db.transaction():
            self._fences.check(fence)
            # What was never noted for so long is a defect of a clock, not a day of pictures.
            start = max(start, end - _LONGEST)
            fresh = self._store.advance(camera_id, start, min(end, self._clock.now()))
            for part in hours_between(fresh, min(end, self._clock.now())):
                length = (part.end or part.start) - part.start
                milliseconds = round(length / timedelta(milliseconds=1))
                self._store.add_hours(SOLD[tier], part.start, milliseconds)

    def note_alarm(self, event_id: str, at: datetime) -> None:
        """An event began. Called in the transaction that made it; counted once however often."""
        with self._db.transaction():
            self._store.add_alarm(event_id, at)

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
