"""Borough Exchange on a database of each test's own, with the agencies of the tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from tests.conftest import SettableClock
from tests.harness.exchange import furnish, opened
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.bootstrap import Exchange


@pytest.fixture
def exchange(
    postgres: EmbeddedPostgres, tmp_path: Path, clock: SettableClock
) -> Iterator[Exchange]:
    with opened(postgres, tmp_path, clock) as exchange:
        yield exchange


@pytest.fixture
def agencies(exchange: Exchange) -> dict[str, Agency]:
    return furnish(exchange)
