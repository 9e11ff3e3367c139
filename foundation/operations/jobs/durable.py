"""DBOS keeps what steps answered and runs operations in its threads.

DBOS decides neither who runs an operation nor when: the lease in our own table does. Both change
hands in one transaction (``adopt``), so that a worker that lost the lease can record nothing with
DBOS either. ``docs/decisions/0060`` says why, and which internals of DBOS this uses; they are all
in this file, and ``tests/contract/operations`` holds them.
"""

import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, Serializer, _sys_db
from dbos._core import execute_dequeued_workflow
from dbos._error import DBOSWorkflowCancelledError, DBOSWorkflowConflictIDError
from dbos._sys_db import SystemDatabase, WorkflowStatusInternal

from foundation.operations.jobs.outage import is_outage
from foundation.operations.model import Superseded

SCHEMA = "dbos"
_WORKFLOW = "borough.operation"
#: Pinned: recovery must find the work of an older release. Steps are known by name, and a handler
#: whose steps changed meanwhile fails with DBOS's own check of names.
_VERSION = "borough-1"
_FORGOTTEN_AT_ONCE = 500
_MIGRATION_LOCK = 7_261_003_552


class JsonSerializer(Serializer):
    """What DBOS keeps is JSON: readable, and nothing is executed when it is read."""

    def serialize(self, data: Any) -> str:  # noqa: ANN401
        return json.dumps(data, ensure_ascii=False)

    def deserialize(self, serialized_data: str) -> Any:  # noqa: ANN401
        return json.loads(serialized_data)

    def name(self) -> str:
        return "borough_json"


def migrate(engine: sa.Engine) -> None:
    """Bring DBOS's schema to its newest version; one process at a time does."""
    _quiet()
    # Autocommit: DBOS builds indexes concurrently, which waits for every open transaction.
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
        try:
            DBOS.migrate(engine.url.render_as_string(hide_password=False), schema=SCHEMA)
        finally:
            connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK})


class Durable:
    """DBOS in this process; there is one at a time.

    Args:
        url: SQLAlchemy URL of the platform's database.
        executor: the id of this run of this worker; never used again.
        body: runs an operation, called with its id and attempt in a thread of DBOS.
        connections: how many connections DBOS may keep.
        idle_seconds: after so long PostgreSQL ends a transaction of DBOS that stands still.
    """

    def __init__(
        self,
        url: str,
        executor: str,
        body: Callable[[str, int], None],
        *,
        connections: int = 5,
        idle_seconds: float = 60.0,
    ) -> None:
        _quiet()
        _wait_out_every_outage()
        config: DBOSConfig = {
            "name": "borough",
            "system_database_url": url,
            "sys_db_pool_size": connections,
            "sys_db_idle_transaction_timeout_sec": idle_seconds,
            "dbos_system_schema": SCHEMA,
            "executor_id": executor,
            "application_version": _VERSION,
            "serializer": JsonSerializer(),
            "run_migrations": False,
            "log_level": "WARNING",
        }
        self._executor = executor
        self._dbos = DBOS(config=config)

        def operation(operation_id: str, attempt: int) -> None:
            body(operation_id, attempt)

        DBOS.workflow(name=_WORKFLOW, max_recovery_attempts=None)(operation)
        DBOS.launch()

    @property
    def _system(self) -> SystemDatabase:
        return self._dbos._sys_db  # noqa: SLF001 - see the module

    def adopt(self, connection: sa.Connection, operation_id: str, attempt: int) -> None:
        """Make this worker's attempt the owner of the workflow, in the transaction of the lease."""
        status = self._status(operation_id, attempt)
        token = _token(operation_id, attempt)
        self._system.init_workflow_with_connection(status, connection, creator_xid=token)
        table = self._system.tables.workflow_status
        connection.execute(
            table.update()
            .where(table.c.workflow_uuid == operation_id)
            .values(
                status="PENDING", owner_xid=token, executor_id=self._executor,
                application_version=_VERSION, queue_name=None,
                recovery_attempts=table.c.recovery_attempts + 1,
            )
        )  # fmt: skip

    def execute(self, operation_id: str, attempt: int) -> None:
        """Run an adopted operation in a thread; its finished steps are not done again."""
        status = self._status(operation_id, attempt)
        execute_dequeued_workflow(self._dbos, status, _token(operation_id, attempt))

    def run(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The kept answer of a step of the operation of this thread, or that of ``work``, kept.

        Raises:
            Superseded: another attempt owns the workflow.
        """
        try:
            outcome: dict[str, Any] = DBOS.run_step({"name": name}, work)
        except (DBOSWorkflowConflictIDError, DBOSWorkflowCancelledError) as error:
            raise Superseded(str(error)) from None
        return outcome

    def forget_ended(self, connection: sa.Connection, before: datetime) -> int:
        """Drop what steps answered in operations that ended before that; answers how many."""
        found = connection.execute(
            sa.text(
                "SELECT o.id FROM operations_operation o"
                " JOIN dbos.workflow_status s ON s.workflow_uuid = o.id"
                " WHERE o.state IN ('succeeded', 'failed', 'cancelled') AND o.ended_at < :before"
                " LIMIT :most"
            ),
            {"before": before, "most": _FORGOTTEN_AT_ONCE},
        )
        ids = list(found.scalars())
        if ids:
            DBOS.delete_workflows(ids)
        return len(ids)

    def close(self) -> None:
        """End DBOS's threads; operations that run are left to the next worker."""
        DBOS.destroy(workflow_completion_timeout_sec=0, destroy_registry=True)

    def _status(self, operation_id: str, attempt: int) -> WorkflowStatusInternal:
        serializer = JsonSerializer()
        inputs = serializer.serialize({"args": [operation_id, attempt], "kwargs": {}})
        return {
            "workflow_uuid": operation_id,
            "status": "PENDING",
            "name": _WORKFLOW,
            "class_name": None,
            "config_name": None,
            "authenticated_user": None,
            "assumed_role": None,
            "authenticated_roles": None,
            "created_at": None,
            "updated_at": None,
            "queue_name": None,
            "executor_id": self._executor,
            "app_version": _VERSION,
            "app_id": None,
            "recovery_attempts": 1,
            "workflow_timeout_ms": None,
            "workflow_deadline_epoch_ms": None,
            "deduplication_id": None,
            "priority": 0,
            "inputs": inputs,
            "queue_partition_key": None,
            "forked_from": None,
            "parent_workflow_id": None,
            "started_at_epoch_ms": None,
            "serialization": serializer.name(),
            "delay_until_epoch_ms": None,
            "attributes": None,
            "schedule_name": None,
            "debounce_deadline_epoch_ms": None,
            "is_debounced": False,
            "application_name": "borough",
            "shard_key": None,
        }


def _token(operation_id: str, attempt: int) -> str:
    return f"{operation_id}:{attempt}"


_retriable: Callable[[Exception], bool] = vars(_sys_db)["retriable_postgres_exception"]


def _wait_out_every_outage() -> None:
    """Let DBOS repeat its own statements for every outage that we know.

    It tells by the driver's words, and does not know those for a socket that is away: a step whose
    effect is there would then fail for a checkpoint that could not be written.
    """
    setattr(_sys_db, "retriable_postgres_exception", _is_retriable)  # noqa: B010 - not exported


def _is_retriable(error: Exception) -> bool:
    return _retriable(error) or is_outage(error)


def _quiet() -> None:
    """Let DBOS log through our handlers; what it says of its own life is no news."""
    logger = logging.getLogger("dbos")
    logger.setLevel(logging.WARNING)
    if not logger.handlers:  # with one in place DBOS adds none of its own
        logger.addHandler(logging.NullHandler())
