"""The clocks of requests: who is late is told, and due dates follow the calendar."""

from dataclasses import replace

from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.time import Clock, format_instant
from workloads.data_exchange.agreements.calendar.model import WorkingCalendar
from workloads.data_exchange.agreements.calendar.service import Calendar
from workloads.data_exchange.agreements.ports import Audit, Outbox
from workloads.data_exchange.agreements.requests.model import WAITS_FOR, RequestState
from workloads.data_exchange.agreements.requests.ports import RequestStore

#: The topic under which the outbox tells that a due date has passed.
OVERDUE = "exchange.request.overdue"
_BATCH = 100


class Clocks:
    """Watches the due dates of requests."""

    def __init__(
        self,
        store: RequestStore,
        db: UnitOfWork,
        clock: Clock,
        audit: Audit,
        outbox: Outbox,
        calendar: Calendar,
    ) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._audit = audit
        self._outbox = outbox
        calendar.tell(self._move)

    def escalate(self) -> None:
        """Tell of every due date that has passed, each once."""
        while True:
            with self._db.transaction():
                late = self._store.late(self._clock.now(), _BATCH)
            for one in late:
                self._escalate(one)
            if len(late) < _BATCH:
                return

    def _escalate(self, request: str) -> None:
        with self._db.transaction():
            now, there = self._clock.now(), self._store.find(request, hold=True)
            if there is None or there.due_at is None or not there.overdue(now):
                return
            if there.escalated_at is not None:
                return
            self._store.update(replace(there, escalated_at=now))
            if there.state is RequestState.REFUSED:
                return  # nobody is late: the time for a dispute has run out
            side = WAITS_FOR[there.state]
            details = {"due_at": format_instant(there.due_at), "waits_for": side.value}
            self._audit.record(
                Actor.system("clocks"), "request.overdue", subject=there.id,
                path=there.path(side), details=details,
            )  # fmt: skip
            self._outbox.publish(OVERDUE, {**there.told(), **details})

    def _move(self, calendar: WorkingCalendar) -> None:
        """The calendar has changed, in the open transaction."""
        for one in self._store.waiting():
            due = calendar.due(one.since, one.days)
            if due != one.due_at:
                told = one.escalated_at if due <= self._clock.now() else None
                self._store.update(replace(one, due_at=due, escalated_at=told))
