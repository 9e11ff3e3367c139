"""The tables of what was used of agreements, and of answers that are fetched later."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg
import sqlalchemy as sa

from workloads.data_exchange.gateway.ports import CountingFailed
from workloads.data_exchange.tables import metadata

use_table = sa.Table(
    "exchange_use",
    metadata,
    sa.Column("agreement", sa.Text(collation="C"), primary_key=True),
    sa.Column("what", sa.Text, primary_key=True),
    sa.Column("period", sa.Text, primary_key=True),
    sa.Column("used", sa.BigInteger, nullable=False),
    sa.CheckConstraint("what IN ('calls', 'rows')", name="what"),
    sa.CheckConstraint("used >= 0", name="used"),
)
later_table = sa.Table(
    "exchange_later",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("agreement", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("due", sa.DateTime(timezone=True), nullable=False),
    sa.Column("until", sa.DateTime(timezone=True), nullable=False),
    sa.Column("answer", sa.Text),
    sa.Index("ix_exchange_later_until", "until"),
)
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('exchange-use:' || %s, 0))"
_USED = (
    "SELECT coalesce(sum(used), 0) FROM exchange_use "
    "WHERE agreement = %s AND what = %s AND period = ANY(%s)"
)
_ADD = (
    "INSERT INTO exchange_use (agreement, what, period, used) VALUES (%s, %s, %s, %s) "
    "ON CONFLICT (agreement, what, period) DO UPDATE SET used = exchange_use.used + %s"
)
_OVER = (
    "DELETE FROM exchange_use WHERE agreement = %s AND what = %s AND period LIKE 'slot:%%' "
    "AND period <> ALL(%s)"
)
_GIVE = (
    "UPDATE exchange_use SET used = greatest(used - %s, 0) "
    "WHERE agreement = %s AND what = %s AND period = %s"
)


class PostgresCounter:
    """Counts for all gateways together.

    Args:
        connect: opens a connection.
    """

    def __init__(self, connect: Callable[[], Awaitable[psycopg.AsyncConnection]]) -> None:
        self._connect = connect
        self._connection: psycopg.AsyncConnection | None = None
        # Transactions of several agreements at once would be nested in each other.
        self._turn = asyncio.Lock()

    async def take(self, agreement: str, what: str, want: int, limit: int, *periods: str) -> int:
        """Take up to ``want`` of what is left of a limit."""
        async with self._working() as connection, connection.transaction():
            await connection.execute(_LOCK, [agreement])
            cursor = await connection.execute(_USED, [agreement, what, list(periods)])
            row = await cursor.fetchone()
            given = max(0, min(want, limit - int(row[0] if row else 0)))
            if given:
                await connection.execute(_ADD, [agreement, what, periods[0], given, given])
                if len(periods) > 1:
                    await connection.execute(_OVER, [agreement, what, list(periods)])
            return given

    async def give_back(self, agreement: str, what: str, amount: int, period: str) -> None:
        """Give back what was not used."""
        async with self._working() as connection, connection.transaction():
            await connection.execute(_GIVE, [amount, agreement, what, period])

    @contextlib.asynccontextmanager
    async def _working(self) -> AsyncIterator[psycopg.AsyncConnection]:
        async with self._turn:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = await self._connect()
                yield self._connection
            except (psycopg.Error, OSError):
                broken, self._connection = self._connection, None
                if broken is not None:
                    with contextlib.suppress(psycopg.Error, OSError):
                        await broken.close()
                raise CountingFailed from None

    async def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            await self._connection.close()
