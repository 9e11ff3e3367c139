"""Fixtures for all tests: a real PostgreSQL, one fresh database a test, and a clock that is set.

Rehearsals (``@pytest.mark.rehearsal``) are tests that say at length what others say shortly: a kill
at every step, a race twenty times, a film in real time. ``./dev test`` skips them and says so;
``./dev rehearse`` and ``.ci/run`` run them, and so does ``./dev test`` with their file's name.
"""

import os
import shutil
import sys
from collections import defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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


class Databases:
    """Fresh copies of databases that are templates, made and dropped beside the tests.

    Both wait for checkpoints of the server: one copy is always ready when it is asked for.
    """

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._admin = server.url("postgres").replace("postgresql+psycopg", "postgresql")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="databases")
        self._connection: psycopg.Connection | None = None
        self._ready: defaultdict[str, deque[Future[str]]] = defaultdict(deque)
        self._dropped: deque[Future[None]] = deque()

    def take(self, template: str = "borough") -> str:
        """The name of a copy that nobody else uses."""
        ready = self._ready[template]
        while len(ready) < 2:  # this one and the next
            ready.append(self._thread.submit(self._make, template))
        return ready.popleft().result()

    def give_back(self, name: str) -> None:
        """Drop one, whoever is connected to it."""
        self._dropped.append(self._thread.submit(self._drop, name))
        while self._dropped[0].done():
            self._dropped.popleft().result()
            if not self._dropped:
                return

    def close(self) -> None:
        """Wait for what is under way; what could not be done is raised here."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._connection is not None:
            self._connection.close()
        for one in self._dropped:
            if not one.cancelled():
                one.result()

    def _execute(self, statement: str) -> None:
        if self._connection is None:
            self._connection = psycopg.connect(self._admin, autocommit=True)
        self._connection.execute(statement.encode())

    def _make(self, template: str) -> str:
        name = ids.new("test")
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def _drop(self, name: str) -> None:
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def databases(postgres: EmbeddedPostgres) -> Iterator[Databases]:
    made = Databases(postgres)
    yield made
    made.close()


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """For a server of the test's own: pytest closes its folders to PostgreSQL's user again."""
    with Scratch("borough-pg-") as scratch:
        yield scratch.path / "postgres"


@pytest.fixture
def database_url(postgres: EmbeddedPostgres, databases: Databases) -> Iterator[str]:
    """The URL of a fresh, migrated database that nobody else uses."""
    name = databases.take()
    yield postgres.url(name)
    databases.give_back(name)


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


#: Said of each test that is left out.
_REHEARSED = "a rehearsal, which takes long: ./dev rehearse runs it, and .ci/run"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("BOROUGH_SHORT_TESTS"):
        for item in items:
            if item.get_closest_marker("rehearsal"):
                item.add_marker(pytest.mark.skip(reason=_REHEARSED))
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
