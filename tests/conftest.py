"""Fixtures for all tests: a real PostgreSQL, one fresh database a test, and a clock that is set."""

import os
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from control_plane.migrations import SCHEMA
from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel import ids
from foundation.kernel.database import Database
from foundation.kernel.scratch import Scratch

#: Begun first: few files, each of them long. Left to the end, one of two processes would wait.
_LONG = ("functional", "contract/engine", "architecture", "contract")

#: A server of tests takes 100 to 300 MB.
_ROOM = 2 * 1024**3

START = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)


class SettableClock:
    """A clock that stands still until it is moved."""

    def __init__(self, at: datetime = START) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def set(self, at: datetime) -> None:
        self._at = at

    def advance(self, **delta: float) -> datetime:
        self._at += timedelta(**delta)
        return self._at


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


def memory() -> Path | None:
    """A folder in memory with room for the databases of tests; None for the usual one.

    Each test's database is a copy of 11 MB: on a disk that costs a test three times as long.
    """
    folder = Path("/dev/shm")  # noqa: S108 - what is made in it has a name of its own and mode 0700
    try:
        roomy = shutil.disk_usage(folder).free > _ROOM
    except OSError:
        return None
    return folder if roomy and os.access(folder, os.W_OK | os.X_OK) else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server of this test process, with a migrated database as a template."""
    with Scratch("borough-test-", memory()) as scratch:
        server = EmbeddedPostgres(scratch.path / "postgres", durable=False)
        with server:
            database = Database(server.url("borough"))
            SCHEMA.upgrade(database)
            database.close()
            yield server


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """For a server of the test's own: pytest closes its folders to PostgreSQL's user again."""
    with Scratch("borough-pg-") as scratch:
        yield scratch.path / "postgres"


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a fresh, migrated database that nobody else uses."""
    name = ids.new("test")
    admin = postgres.url("postgres").replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE borough STRATEGY FILE_COPY")
    yield postgres.url(name)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url, pool_size=5)
    yield database
    database.close()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them."""
    for name in list(os.environ):
        if name.startswith("BOROUGH_") and not name.startswith("BOROUGH_DEVCLOUD_"):
            monkeypatch.delenv(name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    root = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        name = item.path.relative_to(root).as_posix() if item.path.is_relative_to(root) else ""
        return next((n for n, part in enumerate(_LONG) if name.startswith(part)), len(_LONG))

    items.sort(key=rank)


def pytest_sessionfinish() -> None:
    """End the browser of this process."""
    harness = sys.modules.get("tests.harness.browser")
    if harness is not None:
        harness.end()
