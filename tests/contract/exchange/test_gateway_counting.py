"""What several agreements use at once is counted for each, over one connection."""

import asyncio

import psycopg
import pytest

from tests.harness.loops import run as run_alone
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.gateway.store import PostgresCounter


@pytest.mark.usefixtures("agencies")
def test_agreements_are_counted_side_by_side(exchange: Exchange) -> None:
    opened = []
    url = exchange.base.database.url.replace("+psycopg", "")

    async def connect() -> psycopg.AsyncConnection:
        opened.append(await psycopg.AsyncConnection.connect(url))
        return opened[-1]

    async def story() -> list[int]:
        counter = PostgresCounter(connect)
        try:
            takes = (counter.take(f"agr_{n % 8}", "calls", 3, 10, "term") for n in range(32))
            return await asyncio.gather(*takes)
        finally:
            await counter.close()

    given = run_alone(story())
    # Each of eight has ten: three times three and one.
    assert sorted(given, reverse=True) == [3] * 24 + [1] * 8
    assert len(opened) == 1
