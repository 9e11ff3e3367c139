from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from foundation.adapters.clock import SystemClock
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.database import Database
from foundation.operations.jobs.durable import migrate
from foundation.operations.model import Operation
from foundation.operations.service import Operations
from foundation.operations.store import PostgresOperations
from tests.contract.operations.sample import create_tables
from tests.fakes.audit import FakeAudit
from tests.harness.processes import WorkerProcess, workers

ENTRY = "tests.contract.operations.sample:jobs"
SYSTEM = Actor.system("test")


def person(role: str, path: str) -> Actor:
    return Actor(PrincipalId(f"per_{role}"), role, ActorKind.PERSON, (Grant(role, path),))


@pytest.fixture
def audit() -> FakeAudit:
    return FakeAudit()


@pytest.fixture
def operations(database: Database, audit: FakeAudit) -> Operations:
    return Operations(PostgresOperations(database), database, SystemClock(), audit)


@pytest.fixture
def world(database: Database) -> "Outcome":
    migrate(database.engine)
    create_tables(database)
    return Outcome(database)


@pytest.fixture
def start_worker(database_url: str, tmp_path: Path) -> Iterator[Callable[..., WorkerProcess]]:
    with workers(database_url, ENTRY, tmp_path) as start:
        yield start


class Outcome:
    """What the sample's steps have left outside."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def things(self) -> list[str]:
        with self._database.transaction():
            query = sa.text("SELECT key FROM sample_thing ORDER BY key")
            return list(self._database.execute(query).scalars())

    def calls(self, step: str) -> list[int | None]:
        """The attempts in which a step's effect was asked for, in order."""
        with self._database.transaction():
            query = sa.text("SELECT attempt FROM sample_call WHERE step = :s ORDER BY id")
            return list(self._database.execute(query, {"s": step}).scalars())


def begin(operations: Operations, kind: str, key: str | None = None, **inputs: object) -> Operation:
    return operations.start(
        kind, subject="thing_1", path="/city/health/", inputs=inputs, actor=SYSTEM, key=key
    )
