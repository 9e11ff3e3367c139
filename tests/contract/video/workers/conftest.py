"""A database of Borough Video."""

from collections.abc import Iterator

import pytest

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.database import Database
from tests.harness.video import video_database


@pytest.fixture
def video_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    with video_database(postgres) as url:
        yield url


@pytest.fixture
def video(video_url: str) -> Iterator[Database]:
    database = Database(video_url, pool_size=5)
    yield database
    database.close()
