"""The worker: takes operations up, runs them, and looks after those of dead workers."""

import logging
import os
import select
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import sqlalchemy as sa

from foundation.kernel import canonical, ids
from foundation.kernel.database import Database
from foundation.kernel.time import Clock
from foundation.operations.jobs.context import Context, Job, Schedule, Signals, Tools
from foundation.operations.jobs.durable import Durable, migrate
from foundation.operations.jobs.leases import Leases
from foundation.operations.jobs.outage import Steadfast, is_outage
from foundation.operations.jobs.schedules import Schedules
from foundation.operations.model import (
    Cancelled,
    Lease,
    Operation,
    OperationId,
    OperationState,
    Superseded,
    problem_of,
)
from foundation.operations.store import CHANNEL, PostgresOperations

_log = logging.getLogger("borough.operations")
_POLL_SECONDS = 1.0
_STEADY_BEATS = 2
_FORGET_SECONDS = 3600.0
_KEPT = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How a worker works.

    Attributes:
        name: what people call it; the same after a restart if it is to take its work up at once.
        concurrency: operations at once.
        heartbeat_seconds: how often it says that it lives.
        lease_seconds: after so long without that it counts as dead.
        drain_seconds: how long running steps may go on after it was asked to end.
    """

    name: str
    concurrency: int = 4
    heartbeat_seconds: float = 3.0
    lease_seconds: float = 12.0
    drain_seconds: float = 20.0


@dataclass(slots=True)
class _Running:
    lease: Lease
    signals: Signals


class Worker:
    """One worker of this process.

    Args:
        database: the platform's.
        clock: for what is shown; leases use the database's time.
        jobs: what it can do, by kind.
        schedules: what is done again and again.
        options: see there.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        jobs: Mapping[str, Job],
        schedules: Iterable[Schedule],
        options: WorkerOptions,
    ) -> None:
        self.id = ids.new("wrk")
        self._database = database
        self._clock = clock
        self._jobs = dict(jobs)
        self._options = options
        self._store = PostgresOperations(database)
        self._leases = Leases(
            database, clock, worker=self.id, name=options.name, lease_seconds=options.lease_seconds
        )
        self._ending = threading.Event()
        self._gone = threading.Event()
        self._steady = Steadfast(threading.Event())
        self._running: dict[str, _Running] = {}
        self._lock = threading.Lock()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._durable: Durable | None = None
        own = Schedule("operations.forget", _FORGET_SECONDS, self._forget_old)
        self._schedules = Schedules(database, [*schedules, own], options.name)

    def run(self) -> None:
        """Work until ``end`` is called; then let running steps finish and give the rest back."""
        self._steady(lambda: migrate(self._database.engine))
        self._let_go_when_stopped()
        self._durable = Durable(
            self._database.url,
            self.id,
            self._run_operation,
            connections=self._options.concurrency + 2,
            idle_seconds=self._options.lease_seconds,
        )
        self._steady(self._leases.register)
        helpers = [
            threading.Thread(target=self._beat_for_ever, name="heartbeat", daemon=True),
            threading.Thread(
                target=self._schedules.run, args=(self._ending,), name="schedules", daemon=True
            ),
        ]
        for helper in helpers:
            helper.start()
        _log.info("worker %s (%s) is ready", self._options.name, self.id)
        self._dispatch_for_ever()
        self._drain()

    def _let_go_when_stopped(self) -> None:
        """Let PostgreSQL end our transactions that stand still for as long as a lease.

        A process that is stopped in the middle of one holds its locks, those on its own heartbeat
        and its operations among them: nobody could take over. No transaction of ours stays open
        across a call to the outside, so none stands still by itself.
        """
        limit = f"SET idle_in_transaction_session_timeout = '{self._options.lease_seconds}s'"

        def bound(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
            with connection.cursor() as cursor:
                cursor.execute(limit)
            connection.commit()

        sa.event.listen(self._database.engine, "connect", bound)
        self._database.engine.dispose()

    @property
    def name(self) -> str:
        """What people call it."""
        return self._options.name

    def end(self) -> None:
        """Ask it to end; safe in a signal handler."""
        self._ending.set()
        self._ring()

    # Taking operations up --------------------------------------------------------------------

    def _dispatch_for_ever(self) -> None:
        while not self._ending.is_set():
            try:
                with _listen(self._database.url) as connection:
                    while not self._ending.is_set():
                        self._dispatch()
                        self._wait(connection)
            except (psycopg.Error, sa.exc.SQLAlchemyError) as error:
                if not isinstance(error, psycopg.Error) and not is_outage(error):
                    _log.exception("dispatching failed")
                else:
                    _log.warning("the database is away: %s", str(error).partition("\n")[0])
                self._ending.wait(_POLL_SECONDS)

    def _wait(self, connection: "psycopg.Connection[Any]") -> None:
        """Until something is queued anywhere, something ended here, or a second has passed."""
        ready, _, _ = select.select([connection.fileno(), self._bell], [], [], _POLL_SECONDS)
        if self._bell in ready:
            os.eventfd_read(self._bell)
        if connection.fileno() in ready:
            for _ in connection.notifies(timeout=0):
                pass

    def _ring(self) -> None:
        os.eventfd_write(self._bell, 1)

    def _dispatch(self) -> None:
        self._look_after_running()
        durable = self._durable
        if durable is None:
            raise RuntimeError("the worker does not run")
        free = self._options.concurrency - len(self._running)
        for lease, operation in self._leases.claim(free, durable.adopt):
            self._begin(durable, lease, operation)

    def _begin(self, durable: Durable, lease: Lease, operation: Operation) -> None:
        with self._lock:
            self._running[operation.id] = _Running(lease, Signals())
        try:
            durable.execute(operation.id, lease.attempt)
        except Exception:  # noqa: BLE001 - whatever it was, another worker may fare better
            _log.exception("operation %s could not be begun", operation.id)
            self._forget(lease)
            self._leases.give_back(lease)

    def _look_after_running(self) -> None:
        """Tell running operations that they were cancelled or lost."""
        held = self._leases.held()
        with self._lock:
            running = list(self._running.items())
        for operation_id, entry in running:
            attempt, cancel = held.get(operation_id, (-1, False))
            if attempt != entry.lease.attempt:
                entry.signals.lost.set()
            elif cancel:
                entry.signals.cancelled.set()

    # Running them ----------------------------------------------------------------------------

    def _run_operation(self, operation_id: str, attempt: int) -> None:
        """Called in a thread of DBOS."""
        with self._lock:
            entry = self._running.get(operation_id)
        lease = Lease(OperationId(operation_id), self.id, attempt)
        if entry is None or entry.lease != lease:
            raise Superseded(operation_id)
        try:
            self._handle(lease, entry.signals)
        except Superseded:
            _log.warning("operation %s was taken over by another worker", operation_id)
            raise
        finally:
            self._forget(lease)
            self._ring()

    def _handle(self, lease: Lease, signals: Signals) -> None:
        durable = self._durable
        if durable is None:
            raise RuntimeError("the worker does not run")
        operation = self._load(lease)
        job = self._jobs.get(operation.kind)
        if job is None:
            problem = {"code": "internal", "detail": f"no worker knows {operation.kind}"}
            self._finish(lease, OperationState.FAILED, error=problem)
            return
        tools = Tools(self._store, self._database, self._clock, durable, self._steady, signals)
        ctx = Context(operation, lease, tools, job.steps)
        try:
            result = job.run(ctx)
        except Cancelled as error:
            self._finish(lease, OperationState.CANCELLED, error=problem_of(error))
        except Exception as error:
            if signals.lost.is_set():
                raise Superseded(lease.operation_id) from error
            self._failed(lease, operation, error)
        else:
            self._finish(lease, OperationState.SUCCEEDED, result=result)

    def _failed(self, lease: Lease, operation: Operation, error: Exception) -> None:
        if is_outage(error):
            # No failure of the work: it goes on from its last kept step.
            _log.warning("operation %s waits for the database", operation.id)
            self._steady(lambda: self._leases.give_back(lease))
            return
        problem = problem_of(error)
        if problem["code"] == "internal":
            _log.error("operation %s (%s) failed", operation.id, operation.kind, exc_info=error)
        self._finish(lease, OperationState.FAILED, error=problem)

    def _load(self, lease: Lease) -> Operation:
        found: list[Operation] = []

        def load() -> None:
            with self._database.transaction():
                found.append(self._store.lock(lease))
                self._store.announce_steps(lease.operation_id, self._steps(found[-1]))

        self._steady(load)
        return found[-1]

    def _steps(self, operation: Operation) -> tuple[str, ...]:
        job = self._jobs.get(operation.kind)
        return () if job is None else job.steps

    def _finish(
        self,
        lease: Lease,
        state: OperationState,
        *,
        result: Any = None,  # noqa: ANN401 - JSON
        error: Mapping[str, Any] | None = None,
    ) -> None:
        plain = canonical.plain(result)

        def finish() -> None:
            with self._database.transaction():
                self._store.finish(
                    lease.operation_id,
                    state,
                    self._clock.now(),
                    result=plain,
                    error=error,
                    lease=lease,
                )

        self._steady(finish)

    def _forget(self, lease: Lease) -> None:
        with self._lock:
            entry = self._running.get(lease.operation_id)
            if entry is not None and entry.lease == lease:
                del self._running[lease.operation_id]

    # Being alive -----------------------------------------------------------------------------

    def _beat_for_ever(self) -> None:
        options = self._options
        steady = 0
        last = time.monotonic()
        while not self._gone.wait(options.heartbeat_seconds):
            try:
                known = self._leases.beat()
                late = time.monotonic() - last > options.lease_seconds
                # Who was away (stopped, or without its database) may find everybody silent
                # only because nobody could speak: let the others speak first.
                steady = 0 if late or not known else steady + 1
                last = time.monotonic()
                self._leases.reap(by_silence=steady >= _STEADY_BEATS)
            except Exception as error:  # noqa: BLE001 - the heart beats on
                if is_outage(error):
                    _log.warning("no heartbeat: the database is away")
                else:
                    _log.exception("the heartbeat failed")

    def _forget_old(self) -> None:
        """Drop what nothing needs any more: kept answers of ended work, rows of old workers."""
        self._leases.forget_old()
        before = self._clock.now() - _KEPT
        while self._durable is not None:
            with self._database.engine.connect() as connection:
                if not self._durable.forget_ended(connection, before):
                    return

    def _drain(self) -> None:
        with self._lock:
            running = list(self._running.values())
        for entry in running:
            entry.signals.draining.set()
        end = time.monotonic() + self._options.drain_seconds
        while any(entry.signals.busy.is_set() for entry in running) and time.monotonic() < end:
            time.sleep(0.05)
        self._gone.set()
        try:
            self._leases.stop()
        except sa.exc.SQLAlchemyError as error:
            _log.warning("left without saying so: %s", str(error).partition("\n")[0])
        for entry in running:
            entry.signals.lost.set()
        if self._durable is not None:
            self._durable.close()


def _listen(url: str) -> "psycopg.Connection[Any]":
    plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
    connection = psycopg.connect(plain, autocommit=True)
    connection.execute(f"LISTEN {CHANNEL}")
    return connection
