"""Operations in PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database, metadata, within
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.operations.model import (
    Event,
    Lease,
    Operation,
    OperationId,
    OperationState,
    Step,
    StepState,
    Superseded,
    WorkerInfo,
)

#: Workers listen on it; a start in any process wakes them when it commits.
CHANNEL = "borough_operations"
_HISTORY = 20

_INSTANT = sa.DateTime(timezone=True)

operation_table = sa.Table(
    "operations_operation",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("key", sa.Text, unique=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("inputs", postgresql.JSONB, nullable=False),
    sa.Column("requested_by", sa.Text, nullable=False),
    sa.Column("requested_name", sa.Text, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.Column("started_at", _INSTANT),
    sa.Column("ended_at", _INSTANT),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("crashes", sa.Integer, nullable=False, server_default="0"),
    sa.Column("worker", sa.Text),
    sa.Column("cancel_requested_at", _INSTANT),
    sa.Column("progress", sa.Float, nullable=False, server_default="0"),
    sa.Column("expected_seconds", sa.Float),
    # How long it ran by the database's clock, which nobody shifts.
    sa.Column("seconds", sa.Float),
    sa.Column("began_at", _INSTANT),
    sa.Column("result", postgresql.JSONB(none_as_null=True)),
    sa.Column("error", postgresql.JSONB(none_as_null=True)),
    sa.Column("last_seq", sa.Integer, nullable=False, server_default="0"),
    sa.CheckConstraint(
        "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'stuck')",
        name="state",
    ),
    sa.CheckConstraint("(worker IS NOT NULL) = (state = 'running')", name="worker"),
    sa.Index(
        "ix_operations_operation_open", "state", "id",
        postgresql_where=sa.text("state IN ('queued', 'running', 'stuck')"),
    ),
    sa.Index("ix_operations_operation_subject", "subject", "id"),
    sa.Index("ix_operations_operation_kind", "kind", "ended_at"),
    sa.Index("ix_operations_operation_path", "path", "id",
             postgresql_ops={"path": "text_pattern_ops"}),
)  # fmt: skip

step_table = sa.Table(
    "operations_step",
    metadata,
    sa.Column("operation_id", sa.Text, sa.ForeignKey("operations_operation.id"), primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("started_at", _INSTANT),
    sa.Column("ended_at", _INSTANT),
    sa.Column("runs", sa.Integer, nullable=False, server_default="0"),
    sa.Column("error", postgresql.JSONB(none_as_null=True)),
    sa.CheckConstraint(
        "state IN ('pending', 'running', 'succeeded', 'failed', 'skipped')", name="state"
    ),
)

event_table = sa.Table(
    "operations_event",
    metadata,
    sa.Column("operation_id", sa.Text, sa.ForeignKey("operations_operation.id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("at", _INSTANT, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("data", postgresql.JSONB, nullable=False),
)

worker_table = sa.Table(
    "operations_worker",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("machine", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("pid_started", sa.BigInteger, nullable=False),
    sa.Column("started_at", _INSTANT, nullable=False),
    sa.Column("heartbeat_at", _INSTANT, nullable=False),
    sa.Column("stopped_at", _INSTANT),
)

schedule_table = sa.Table(
    "operations_schedule",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("next_at", _INSTANT, nullable=False),
    sa.Column("started_at", _INSTANT),
    sa.Column("ended_at", _INSTANT),
    sa.Column("worker", sa.Text),
    sa.Column("error", sa.Text),
)

_OPEN = (OperationState.QUEUED, OperationState.RUNNING)
_OP = operation_table.c
_CURRENT = sa.func.clock_timestamp()


def held(lease: Lease) -> sa.ColumnElement[bool]:
    """The condition under which a lease is valid."""
    return sa.and_(
        _OP.id == lease.operation_id,
        _OP.worker == lease.worker,
        _OP.attempt == lease.attempt,
        _OP.state == OperationState.RUNNING,
    )


class PostgresOperations:
    """The store of operations."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, operation: Operation) -> bool:
        values = {
            "id": operation.id, "kind": operation.kind, "subject": operation.subject,
            "path": operation.path, "key": operation.key, "state": operation.state,
            "inputs": dict(operation.inputs), "requested_by": operation.requested_by,
            "requested_name": operation.requested_name, "created_at": operation.created_at,
            "expected_seconds": operation.expected_seconds,
        }  # fmt: skip
        insert = postgresql.insert(operation_table).values(values)
        done = self._database.execute(
            insert.on_conflict_do_nothing(index_elements=["key"]).returning(_OP.id)
        )
        if done.first() is None:
            return False
        self.wake()
        return True

    def wake(self) -> None:
        """Wake the workers when the transaction commits."""
        self._database.execute(sa.select(sa.func.pg_notify(CHANNEL, "")))

    def get(self, operation_id: str) -> Operation | None:
        return self._one(_OP.id == operation_id)

    def by_key(self, key: str) -> Operation | None:
        return self._one(_OP.key == key)

    def _one(self, condition: sa.ColumnElement[bool]) -> Operation | None:
        row = self._database.execute(sa.select(operation_table).where(condition)).first()
        return None if row is None else _operation(row, self._steps([row.id]).get(row.id, ()))

    def _steps(self, ids: Sequence[str]) -> dict[str, tuple[Step, ...]]:
        rows = self._database.execute(
            sa.select(step_table)
            .where(step_table.c.operation_id.in_(ids))
            .order_by(step_table.c.operation_id, step_table.c.position)
        )
        found: dict[str, list[Step]] = {}
        for row in rows:
            found.setdefault(row.operation_id, []).append(_step(row))
        return {key: tuple(steps) for key, steps in found.items()}

    def events(self, operation_id: str, after: int, limit: int) -> list[Event]:
        rows = self._database.execute(
            sa.select(event_table)
            .where(event_table.c.operation_id == operation_id, event_table.c.seq > after)
            .order_by(event_table.c.seq)
            .limit(limit)
        )
        return [Event(row.seq, row.at, row.type, row.data) for row in rows]

    def emit(
        self,
        operation_id: str,
        type: str,  # noqa: A002 - the field's name
        data: Mapping[str, Any],
        at: datetime,
        lease: Lease | None = None,
    ) -> Event:
        # The row's counter gives each event its place, and the row's lock keeps them in order.
        condition = _OP.id == operation_id if lease is None else held(lease)
        seq = self._database.execute(
            operation_table.update()
            .where(condition)
            .values(last_seq=_OP.last_seq + 1)
            .returning(_OP.last_seq)
        ).scalar()
        if seq is None:
            raise Superseded(operation_id)
        self._database.execute(
            event_table.insert().values(
                operation_id=operation_id, seq=seq, at=at, type=type, data=dict(data)
            )
        )
        return Event(seq, at, type, data)

    def expected_seconds(self, kind: str) -> float | None:
        latest = (
            sa.select(_OP.seconds)
            .where(_OP.kind == kind, _OP.state == OperationState.SUCCEEDED)
            .order_by(_OP.ended_at.desc())
            .limit(_HISTORY)
            .subquery()
        )
        median = sa.func.percentile_cont(0.5).within_group(latest.c.seconds)
        found = self._database.execute(sa.select(median)).scalar()
        return None if found is None else float(found)

    def request_cancel(self, operation_id: str, at: datetime) -> bool:
        done = self._database.execute(
            operation_table.update()
            .where(
                _OP.id == operation_id,
                _OP.state.in_(_OPEN),
                _OP.cancel_requested_at.is_(None),
            )
            .values(cancel_requested_at=at)
        )
        self.wake()
        return done.rowcount > 0

    def finish(
        self,
        operation_id: str,
        state: OperationState,
        at: datetime,
        *,
        result: Any = None,  # noqa: ANN401 - JSON
        error: Mapping[str, Any] | None = None,
        lease: Lease | None = None,
    ) -> None:
        values: dict[str, Any] = {
            "state": state, "ended_at": at, "worker": None, "result": result,
            "error": None if error is None else dict(error),
            "seconds": sa.extract("epoch", _CURRENT - _OP.began_at),
        }  # fmt: skip
        if state is OperationState.SUCCEEDED:
            values["progress"] = 1.0
        condition = _OP.id == operation_id if lease is None else held(lease)
        done = self._database.execute(operation_table.update().where(condition).values(values))
        if done.rowcount == 0:
            raise Superseded(operation_id)
        self._settle_steps(operation_id, at)
        data: dict[str, Any] = {"state": state}
        if error is not None:
            data["message"] = error.get("detail", "")
        self.emit(operation_id, "state", data, at)

    def _settle_steps(self, operation_id: str, at: datetime) -> None:
        steps = step_table.update().where(step_table.c.operation_id == operation_id)
        self._database.execute(
            steps.where(step_table.c.state == StepState.PENDING).values(state=StepState.SKIPPED)
        )
        self._database.execute(
            steps.where(step_table.c.state == StepState.RUNNING).values(
                state=StepState.FAILED, ended_at=at
            )
        )

    def requeue(self, operation_id: str) -> None:
        self._database.execute(
            operation_table.update()
            .where(_OP.id == operation_id)
            .values(
                state=OperationState.QUEUED, worker=None, crashes=0, error=None, ended_at=None,
                cancel_requested_at=None,
            )
        )  # fmt: skip
        self.wake()

    def lock(self, lease: Lease) -> Operation:
        row = self._database.execute(
            sa.select(operation_table).where(held(lease)).with_for_update()
        ).first()
        if row is None:
            raise Superseded(lease.operation_id)
        return _operation(row, ())

    def hurry(self) -> None:
        self._database.execute(sa.text("SET LOCAL synchronous_commit TO off"))

    def announce_steps(self, operation_id: str, names: Iterable[str]) -> None:
        rows = [
            {"operation_id": operation_id, "name": name, "position": place, "state": "pending"}
            for place, name in enumerate(names, 1)
        ]
        if rows:
            self._database.execute(
                postgresql.insert(step_table).values(rows).on_conflict_do_nothing()
            )

    def mark_step(
        self,
        lease: Lease,
        name: str,
        state: StepState,
        at: datetime,
        error: Mapping[str, Any] | None = None,
    ) -> Step:
        self.lock(lease)
        begun = state is StepState.RUNNING
        ended = state in {StepState.SUCCEEDED, StepState.FAILED}
        last = sa.func.coalesce(sa.func.max(step_table.c.position), 0)
        position = sa.select(last + 1).where(step_table.c.operation_id == lease.operation_id)
        insert = postgresql.insert(step_table).values(
            operation_id=lease.operation_id, name=name, state=state,
            position=position.scalar_subquery(), runs=int(begun),
            started_at=at if begun else None, ended_at=at if ended else None,
            error=None if error is None else dict(error),
        )  # fmt: skip
        changes: dict[str, Any] = {
            "state": insert.excluded.state,
            "error": insert.excluded.error,
            "ended_at": insert.excluded.ended_at,
        }
        if begun:
            changes["runs"] = step_table.c.runs + 1
            changes["started_at"] = sa.func.coalesce(step_table.c.started_at, at)
        row = self._database.execute(
            insert.on_conflict_do_update(
                index_elements=["operation_id", "name"], set_=changes
            ).returning(step_table)
        ).one()
        return _step(row)

    def set_progress(self, lease: Lease, progress: float) -> None:
        # It never goes back: a step that is done again after a crash was done before.
        done = self._database.execute(
            operation_table.update()
            .where(held(lease))
            .values(progress=sa.func.greatest(_OP.progress, progress))
        )
        if done.rowcount == 0:
            raise Superseded(lease.operation_id)

    def open_by_state(self) -> dict[str, int]:
        shown = (*_OPEN, OperationState.STUCK)
        number = sa.func.count().label("number")
        rows = self._database.execute(
            sa.select(_OP.state, number).where(_OP.state.in_(shown)).group_by(_OP.state)
        )
        return {state.value: 0 for state in shown} | {row.state: row.number for row in rows}

    def workers_alive(self, seconds: float) -> int:
        since = _CURRENT - sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)
        alive = sa.select(sa.func.count()).where(
            worker_table.c.heartbeat_at > since, worker_table.c.stopped_at.is_(None)
        )
        return int(self._database.execute(alive).scalar_one())

    def workers(self) -> list[WorkerInfo]:
        running = (
            sa.select(sa.func.count())
            .where(_OP.worker == worker_table.c.id)
            .scalar_subquery()
            .label("running")
        )
        rows = self._database.execute(
            sa.select(worker_table, running)
            .where(worker_table.c.heartbeat_at > _CURRENT - sa.text("interval '1 day'"))
            .order_by(worker_table.c.stopped_at.isnot(None), worker_table.c.heartbeat_at.desc())
        )
        return [
            WorkerInfo(
                row.id, row.name, row.machine, row.pid, row.started_at, row.heartbeat_at,
                row.stopped_at, row.running,
            )
            for row in rows
        ]  # fmt: skip

    def list(
        self,
        paths: Sequence[str],
        request: PageRequest,
        *,
        state: OperationState | None = None,
        kind: str | None = None,
        subject: str | None = None,
    ) -> Page[Operation]:
        query = sa.select(operation_table).where(within(_OP.path, paths))
        for column, value in ((_OP.state, state), (_OP.kind, kind), (_OP.subject, subject)):
            if value is not None:
                query = query.where(column == value)
        after = request.key(1)
        if after is not None:
            query = query.where(_OP.id < after[0])
        query = query.order_by(_OP.id.desc()).limit(request.limit + 1)
        rows = self._database.execute(query).all()
        steps = self._steps([row.id for row in rows])
        found = [_operation(row, steps.get(row.id, ())) for row in rows]
        return page_of(found, request, lambda operation: (operation.id,))


def _step(row: Any) -> Step:  # noqa: ANN401 - a row
    return Step(row.name, StepState(row.state), row.started_at, row.ended_at, row.runs, row.error)


def _operation(row: Any, steps: tuple[Step, ...]) -> Operation:  # noqa: ANN401 - a row
    return Operation(
        OperationId(row.id), row.kind, row.subject, row.path, OperationState(row.state),
        row.inputs, row.requested_by, row.requested_name, row.created_at, row.key,
        row.started_at, row.ended_at, row.attempt, row.crashes, row.worker,
        row.cancel_requested_at is not None, row.progress, row.expected_seconds, row.result,
        row.error, steps,
    )  # fmt: skip
