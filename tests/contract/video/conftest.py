"""A database of Borough Video for each test."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel import ids
from foundation.kernel.database import Database
from tests.conftest import SettableClock
from tests.fakes.video import EventWorld
from workloads.video_analytics.migrations import SCHEMA


@pytest.fixture(scope="session")
def video_template(postgres: EmbeddedPostgres) -> str:
    """A migrated database to copy."""
    admin = postgres.url("postgres").replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE DATABASE video")
    database = Database(postgres.url("video"))
    SCHEMA.upgrade(database)
    database.close()
    return "video"


@pytest.fixture
def database_url(postgres: EmbeddedPostgres, video_template: str) -> Iterator[str]:
    """The URL of a fresh, migrated database that nobody else uses."""
    name = ids.new("test")
    admin = postgres.url("postgres").replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {video_template} STRATEGY FILE_COPY")
    yield postgres.url(name)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def world(database: Database, clock: SettableClock, tmp_path: Path) -> EventWorld:
    return EventWorld(database, clock, tmp_path)
