"""Counts camera hours and alarms, and hands them to the outbox."""

from datetime import datetime, timedelta

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Invalid, Problem, Unavailable
from foundation.kernel.outbox import Message
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock, hours_between
from workloads.video_analytics.events.ports import Fence, Fences
from workloads.video_analytics.usage.model import SOLD, Line, cloud_event
from workloads.video_analytics.usage.ports import Platform, Publisher, UsageStore
from workloads.video_analytics.vision.model import Tier

TOPIC = "video.usage"
_BATCH = 500
_WINDOW = timedelta(days=100)
_LONGEST = timedelta(hours=24)


class Usage:
    """What is counted.

    Args:
        store: the rows.
        db: the unit of work.
        clock: ours.
        fences: who may count for which shard.
        outbox: what is told goes through it.
        resource: what the platform calls this service; empty: it was not ordered from one.
        platform: where it is told; None when it is told to nobody.
    """

    def __init__(
        self, store: UsageStore, db: UnitOfWork, clock: Clock, fences: Fences, outbox: Publisher,
        *, resource: str = "", platform: Platform | None = None,
    ) -> None:  # fmt: skip
        self._store = store
        self._db = db
        self._clock = clock
        self._fences = fences
        self._outbox = outbox
        self._resource = resource
        self._platform = platform

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
        if not self._resource:
            return 0
        source = f"/borough-video/{self._resource}"
        with self._db.transaction():
            found = self._store.untold(self._clock.now())
            for counted in found:
                event = cloud_event(counted, source, self._resource)
                self._outbox.publish(TOPIC, dict(event))
        return len(found)

    def receive(self, message: Message) -> None:
        """Queue what the outbox hands on; a receiver of its relay."""
        if message.topic == TOPIC:
            event_id = str(message.payload["id"])
            self._store.keep(event_id, message.payload, message.created_at)

    def push(self) -> int:
        """Send what waits to the platform; answers how many events it took.

        What is sent twice, by a process that was killed before it noted the answer, is counted once
        all the same: by source and id.

        Raises:
            Unavailable: the platform does not answer; all stays queued.
        """
        if self._platform is None:
            return 0
        sent = 0
        while True:
            with self._db.transaction():
                events = self._store.waiting(_BATCH)
            if not events:
                return sent
            outcomes = self._platform.push(events)
            answered = {str(one["id"]): outcomes.get(str(one["id"]), "") for one in events}
            if not any(answered.values()):
                raise Unavailable("the platform answered for none of the events")
            with self._db.transaction():
                done = {name: outcome for name, outcome in answered.items() if outcome}
                self._store.pushed(done, self._clock.now())
            sent += len(done)

    def lines(
        self, actor: Actor, start: datetime | None, end: datetime | None, page: PageRequest
    ) -> Page[Line]:
        """What was counted in a window of 100 days at most, oldest hour first.

        Raises:
            Forbidden: the actor may not see it.
            Invalid: no such window.
        """
        policy.require(actor, "usage.view", policy.ROOT)
        until = end or self._clock.now()
        since = start or until - timedelta(days=31)
        if not since < until <= since + _WINDOW:
            raise Invalid([Problem("end", f"must be after start, at most {_WINDOW.days} days")])
        with self._db.transaction():
            return self._store.page(since, until, page)
