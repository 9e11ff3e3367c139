"""Which worker holds which operation: heartbeats, claims and the reaper.

A worker says in its row that it lives. It claims queued operations with ``FOR UPDATE SKIP LOCKED``,
which raises ``attempt``; worker and attempt together are its lease, and every write of a running
operation asks for them. The reaper, which is in every worker, declares a worker dead that has not
spoken for the length of a lease (or whose process on this machine is gone) and queues its
operations again. A dead one that wakes up finds that its leases are not valid any more.

All times here are the database's own: the platform's clock may be shifted.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from foundation.kernel.database import Database
from foundation.kernel.time import Clock
from foundation.operations.model import (
    CRASHED,
    MAX_CRASHES,
    Lease,
    Operation,
    OperationId,
    OperationState,
)
from foundation.operations.store import (
    PostgresOperations,
    operation_table,
    worker_table,
)

_log = logging.getLogger("borough.operations")
_NOW = sa.func.clock_timestamp()
_OP = operation_table.c
_WORKER = worker_table.c


@dataclass(frozen=True, slots=True)
class Process:
    """This process, as workers on the same machine can recognise it."""

    machine: str
    pid: int
    started: int

    @staticmethod
    def current() -> "Process":
        """Of the process that asks."""
        return Process(_machine(), os.getpid(), _started(os.getpid()) or 0)

    def gone(self, machine: str, pid: int, started: int) -> bool:
        """Whether a process of this machine certainly does not run any more."""
        return machine == self.machine and _started(pid) != started


def _machine() -> str:
    """This boot of this machine and its namespace of processes: where a pid means something."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"


def _started(pid: int) -> int | None:
    """When a process began, in ticks since the boot; None when it is gone or waits to be reaped."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # proc(5): the name in parentheses may hold anything; state is field 3, starttime field 22.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


Adopt = Callable[[sa.Connection, str, int], None]


class Leases:
    """The leases of one worker.

    Args:
        worker: the id of this run of the worker, used once.
        name: what people call it.
        lease_seconds: after so long without a heartbeat a worker counts as dead.
    """

    def __init__(
        self, database: Database, clock: Clock, *, worker: str, name: str, lease_seconds: float
    ) -> None:
        self._database = database
        self._store = PostgresOperations(database)
        self._clock = clock
        self._process = Process.current()
        self._lease_seconds = lease_seconds
        self.worker = worker
        self.name = name

    def register(self) -> None:
        """Appear among the workers; an earlier run of the same name is succeeded at once.

        Two workers that run at once must have different names: the one that came first would lose
        its work to the other.
        """
        process = self._process
        with self._database.transaction():
            earlier = self._database.execute(
                sa.select(_WORKER.id).where(_WORKER.name == self.name, _WORKER.stopped_at.is_(None))
            ).scalars()
            for worker in list(earlier):
                self._bury(worker, "another worker of its name has started")
            self._database.execute(
                worker_table.insert().values(
                    id=self.worker, name=self.name, machine=process.machine, pid=process.pid,
                    pid_started=process.started, started_at=_NOW, heartbeat_at=_NOW,
                )
            )  # fmt: skip

    def beat(self) -> bool:
        """Say that this worker lives; False when it had been declared dead meanwhile."""
        there = sa.select(_WORKER.id, _WORKER.stopped_at).where(_WORKER.id == self.worker)
        old = there.with_for_update().cte("old")
        # One statement: a process that is stopped holds no lock between two.
        with self._database.transaction():
            row = self._database.execute(
                worker_table.update()
                .where(_WORKER.id == old.c.id)
                .values(heartbeat_at=_NOW, stopped_at=None)
                .returning(old.c.stopped_at)
            ).first()
        if row is None:
            # The database was set back to a time before this worker, or lost its last commits.
            self.register()
            return False
        return row.stopped_at is None

    def held(self) -> dict[str, tuple[int, bool]]:
        """The operations that this worker holds: attempt, and whether they should stop."""
        with self._database.transaction():
            rows = self._database.execute(
                sa.select(_OP.id, _OP.attempt, _OP.cancel_requested_at).where(
                    _OP.worker == self.worker, _OP.state == OperationState.RUNNING
                )
            )
            return {row.id: (row.attempt, row.cancel_requested_at is not None) for row in rows}

    def claim(self, limit: int, adopt: Adopt) -> list[tuple[Lease, Operation]]:
        """Take up to ``limit`` queued operations, oldest first.

        Args:
            limit: how many at most.
            adopt: makes this attempt the owner of the workflow, in the same transaction.
        """
        if limit <= 0:
            return []
        with self._database.transaction():
            if not self._alive():
                return []
            queued = (
                sa.select(_OP.id)
                .where(_OP.state == OperationState.QUEUED)
                .order_by(_OP.id)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            ids = list(self._database.execute(queued).scalars())
            return [self._take(operation_id, adopt) for operation_id in ids]

    def _alive(self) -> bool:
        row = self._database.execute(
            sa.select(_WORKER.id)
            .where(_WORKER.id == self.worker, _WORKER.stopped_at.is_(None))
            .with_for_update(read=True)
        ).first()
        return row is not None

    def _take(self, operation_id: str, adopt: Adopt) -> tuple[Lease, Operation]:
        at = self._clock.now()
        attempt = self._database.execute(
            operation_table.update()
            .where(_OP.id == operation_id)
            .values(
                state=OperationState.RUNNING,
                worker=self.worker,
                attempt=_OP.attempt + 1,
                started_at=sa.func.coalesce(_OP.started_at, at),
                began_at=sa.func.coalesce(_OP.began_at, _NOW),
            )
            .returning(_OP.attempt)
        ).scalar_one()
        adopt(self._database.connection, operation_id, attempt)
        data = {"state": OperationState.RUNNING, "worker": self.name, "attempt": attempt}
        self._store.emit(operation_id, "state", data, at)
        operation = self._store.get(operation_id)
        if operation is None:
            raise LookupError(operation_id)
        return Lease(OperationId(operation_id), self.worker, attempt), operation

    def give_back(self, lease: Lease) -> None:
        """Queue an operation again that this worker could not begin."""
        with self._database.transaction():
            self._queue_again(
                sa.and_(_OP.id == lease.operation_id, _OP.attempt == lease.attempt),
                lease.worker, "given back",
            )  # fmt: skip

    def reap(self, *, by_silence: bool) -> list[str]:
        """Declare dead workers dead and queue what they held; answers their names.

        Args:
            by_silence: also those that only have not spoken for the length of a lease. A worker
                that has just been away itself must not judge others by that.
        """
        reaped = []
        for row in self._others():
            gone = self._process.gone(row.machine, row.pid, row.pid_started)
            if not gone and not (by_silence and row.silent):
                continue
            reason = "its process is gone" if gone else "it has not spoken for the lease"
            if self._bury_if_dead(row.id, certain=gone, reason=reason):
                _log.warning("worker %s is dead: %s", row.name, reason)
                reaped.append(str(row.name))
        return reaped

    def _others(self) -> list[Any]:
        with self._database.transaction():
            return list(
                self._database.execute(
                    sa.select(worker_table, self._silent().label("silent")).where(
                        _WORKER.stopped_at.is_(None), _WORKER.id != self.worker
                    )
                )
            )

    def _silent(self) -> sa.ColumnElement[bool]:
        allowed = sa.func.make_interval(0, 0, 0, 0, 0, 0, self._lease_seconds)
        return _WORKER.heartbeat_at < _NOW - allowed

    def _bury_if_dead(self, worker: str, *, certain: bool, reason: str) -> bool:
        with self._database.transaction():
            row = self._database.execute(
                sa.select(_WORKER.stopped_at, self._silent().label("silent"))
                .where(_WORKER.id == worker)
                .with_for_update(skip_locked=True)
            ).first()
            # Another reaper may have been faster, or the worker has spoken after all.
            if row is None or row.stopped_at is not None or not (certain or row.silent):
                return False
            self._bury(worker, reason)
            return True

    def _bury(self, worker: str, reason: str) -> None:
        self._database.execute(
            worker_table.update().where(_WORKER.id == worker).values(stopped_at=_NOW)
        )
        self._queue_again(sa.true(), worker, reason, crashed=True)

    def stop(self) -> None:
        """Leave in good order: what this worker still holds is queued again, at once."""
        with self._database.transaction():
            self._database.execute(
                worker_table.update().where(_WORKER.id == self.worker).values(stopped_at=_NOW)
            )
            self._queue_again(sa.true(), self.worker, "the worker was stopped")

    def _queue_again(
        self, condition: sa.ColumnElement[bool], worker: str, reason: str, *, crashed: bool = False
    ) -> None:
        held = sa.and_(condition, _OP.worker == worker, _OP.state == OperationState.RUNNING)
        rows = self._database.execute(
            sa.select(_OP.id, _OP.crashes).where(held).order_by(_OP.id).with_for_update()
        ).all()
        for row in rows:
            crashes = row.crashes + int(crashed)
            self._database.execute(
                operation_table.update().where(_OP.id == row.id).values(
                    crashes=crashes, state=OperationState.QUEUED, worker=None
                )
            )  # fmt: skip
            at = self._clock.now()
            if crashed and crashes >= MAX_CRASHES:
                self._stuck(row.id, crashes)
            else:
                data = {"state": OperationState.QUEUED, "message": reason}
                self._store.emit(row.id, "state", data, at)
        if rows:
            self._store.wake()

    def _stuck(self, operation_id: str, crashes: int) -> None:
        detail = f"{crashes} workers have died while they ran it; look into their logs, then retry"
        problem = {"code": CRASHED, "detail": detail}
        self._store.finish(operation_id, OperationState.STUCK, self._clock.now(), error=problem)
        _log.error("operation %s is stuck: %s", operation_id, detail)

    def forget_old(self, days: int = 7) -> None:
        """Remove the rows of workers that ended days ago and hold nothing."""
        with self._database.transaction():
            holds = sa.exists().where(_OP.worker == _WORKER.id)
            self._database.execute(
                worker_table.delete().where(
                    _WORKER.stopped_at < _NOW - sa.func.make_interval(0, 0, 0, days), ~holds
                )
            )
