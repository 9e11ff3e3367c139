"""A database of Borough Video for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.database import Database
from tests.conftest import SettableClock
from tests.fakes.video import EventWorld
from tests.harness.video import video_database


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The URL of a fresh, migrated database that nobody else uses."""
    with video_database(postgres) as url:
        yield url


@pytest.fixture
def world(database: Database, clock: SettableClock, tmp_path: Path) -> EventWorld:
    return EventWorld(database, clock, tmp_path)
