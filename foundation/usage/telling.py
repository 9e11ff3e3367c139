"""Tells a platform what was used, through the outbox."""

from collections.abc import Callable, Iterable

from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Unavailable
from foundation.kernel.outbox import Message
from foundation.kernel.time import Clock
from foundation.operations.jobs.context import Schedule
from foundation.usage.model import Counted, cloud_event
from foundation.usage.ports import Platform, Publisher, ToldStore

_BATCH = 500


class Telling:
    """What was counted, on its way to the platform that a service was ordered from.

    Args:
        store: the queue.
        db: the unit of work.
        clock: ours.
        outbox: what is told goes through it.
        program: of the product; the events' source begins with it.
        topic: of its messages in the outbox.
        resource: what the platform calls this service; empty: it was not ordered from one.
        platform: where it is told; None when it is told to nobody.
    """

    def __init__(
        self, store: ToldStore, db: UnitOfWork, clock: Clock, outbox: Publisher,
        *, program: str, topic: str, resource: str = "", platform: Platform | None = None,
    ) -> None:  # fmt: skip
        self._store = store
        self._db = db
        self._clock = clock
        self._outbox = outbox
        self._resource = resource
        self._platform = platform
        self._source = f"/{program}/{resource}"
        self.topic = topic

    def tell(self, untold: Callable[[], Iterable[Counted]]) -> int:
        """Put what was counted into the outbox; answers how many events.

        Args:
            untold: what is not told yet; called in the transaction, in which it marks it as told.
                Not called when there is nobody to tell.
        """
        if not self._resource:
            return 0
        told = 0
        with self._db.transaction():
            for counted in untold():
                self._outbox.publish(self.topic, cloud_event(counted, self._source, self._resource))
                told += 1
        return told

    def receive(self, message: Message) -> None:
        """Queue what the outbox hands on; a receiver of its relay."""
        if message.topic == self.topic:
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


def schedules(telling: Telling, tell: Callable[[], int], seconds: float) -> list[Schedule]:
    """What was counted goes to the outbox every so many seconds, and from there to the platform."""
    name = telling.topic
    return [
        Schedule(f"{name}.tell", seconds, tell),
        Schedule(f"{name}.push", max(1.0, min(30.0, seconds)), telling.push),
    ]
