"""What is done again and again, by one worker at a time.

A row says when a schedule is due; a session's advisory lock makes sure that one worker does it. The
work runs without a transaction. When the database is restarted meanwhile the lock is lost with the
session, which is why the work must be idempotent.
"""

import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database
from foundation.operations.jobs.context import Schedule
from foundation.operations.jobs.outage import is_outage
from foundation.operations.store import schedule_table

_log = logging.getLogger("borough.operations")
_LOOK_SECONDS = 1.0
_NOW = sa.func.clock_timestamp()
_AT = schedule_table.c


class Schedules:
    """The schedules of one worker.

    Args:
        database: the platform's.
        schedules: all that this worker knows.
        worker: its name, noted beside what it did.
    """

    def __init__(self, database: Database, schedules: Iterable[Schedule], worker: str) -> None:
        self._database = database
        self._schedules = {schedule.name: schedule for schedule in schedules}
        self._worker = worker
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    def run(self, ending: threading.Event) -> None:
        """Do what is due, each in its own thread, until ``ending`` is set."""
        while not ending.wait(_LOOK_SECONDS):
            try:
                for name in self._due():
                    self._begin(name)
            except sa.exc.SQLAlchemyError as error:
                if not is_outage(error):
                    _log.exception("looking for what is due failed")

    def _due(self) -> list[str]:
        if not self._schedules:
            return []
        with self._database.transaction():
            rows = [{"name": name, "next_at": _NOW} for name in sorted(self._schedules)]
            self._database.execute(
                postgresql.insert(schedule_table).values(rows).on_conflict_do_nothing()
            )
            due = sa.select(_AT.name).where(
                _AT.name.in_(sorted(self._schedules)), _AT.next_at <= _NOW
            )
            return list(self._database.execute(due).scalars())

    def _begin(self, name: str) -> None:
        with self._lock:
            if name in self._busy:
                return
            self._busy.add(name)
        threading.Thread(
            target=self._do, args=(self._schedules[name],), name=f"schedule-{name}", daemon=True
        ).start()

    def _do(self, schedule: Schedule) -> None:
        try:
            with self._alone(schedule.name) as mine:
                if mine and self._take(schedule):
                    self._work(schedule)
        except Exception as error:  # noqa: BLE001 - a thread's end: logged
            if not is_outage(error):
                _log.exception("schedule %s", schedule.name)
        finally:
            with self._lock:
                self._busy.discard(schedule.name)

    @contextlib.contextmanager
    def _alone(self, name: str) -> Iterator[bool]:
        key = sa.func.hashtextextended(f"schedule:{name}", 0)
        with self._database.engine.connect() as connection:
            session = connection.execution_options(isolation_level="AUTOCOMMIT")
            mine = bool(session.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar())
            try:
                yield mine
            finally:
                if mine and not session.closed and not session.invalidated:
                    session.execute(sa.select(sa.func.pg_advisory_unlock(key)))

    def _take(self, schedule: Schedule) -> bool:
        """Note that it is being done; False when another worker has just done it."""
        interval = sa.func.make_interval(0, 0, 0, 0, 0, 0, schedule.seconds)
        with self._database.transaction():
            done = self._database.execute(
                schedule_table.update()
                .where(_AT.name == schedule.name, _AT.next_at <= _NOW)
                .values(next_at=_NOW + interval, started_at=_NOW, worker=self._worker)
            )
            return done.rowcount > 0

    def _work(self, schedule: Schedule) -> None:
        problem = None
        try:
            schedule.work()
        except Exception as error:  # noqa: BLE001 - kept beside the schedule
            _log.exception("schedule %s failed", schedule.name)
            problem = f"{type(error).__name__}: {error}"[:500]
        with self._database.transaction():
            self._database.execute(
                schedule_table.update()
                .where(_AT.name == schedule.name)
                .values(ended_at=_NOW, error=problem)
            )
