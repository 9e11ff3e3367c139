"""Answers that are fetched later (``Prefer: respond-async``, RFC 7240): kept for an hour, sealed.

A call that began has its receipt before it is accepted. Its answer is kept when the receipt of its
end is durable, under the id of the first one; it is given to the same agreement and key alone.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import psycopg

from workloads.data_exchange.gateway.model import Refusal
from workloads.data_exchange.gateway.server import Response

_KEPT = timedelta(hours=1)
#: Of all, and of one agreement: whose provider is slow takes nothing from others.
_AT_ONCE, _EACH = 256, 32


class Vault(Protocol):
    """Seals what is kept at rest."""

    def seal(self, plaintext: bytes, context: str) -> str: ...

    def open(self, sealed: str, context: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Whose:
    """Whom an answer is for.

    Attributes:
        id: of the receipt of the beginning.
        agreement: its id.
        key: thumbprint of the key that signed the call.
    """

    id: str
    agreement: str
    key: str


class Later:
    """Keeps answers.

    Args:
        connect: opens a connection to the database.
        vault: seals answers.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[psycopg.AsyncConnection]], vault: Vault
    ) -> None:
        self._connect = connect
        self._vault = vault
        self._tasks: set[asyncio.Task[None]] = set()
        #: How many go on, by agreement.
        self._going: Counter[str] = Counter()

    async def begin(
        self, whose: Whose, due: datetime, now: datetime, work: Callable[[], Awaitable[Response]]
    ) -> None:
        """Accept a call; its work goes on by itself.

        Args:
            whose: whom the answer is for.
            due: when the work has ended, or this process has.
            now: the present.
            work: answers; what it refuses is an answer too.

        Raises:
            Refusal: too many go on already, or it cannot be kept.
        """
        if self._going.total() >= _AT_ONCE or self._going[whose.agreement] >= _EACH:
            raise Refusal(503, "busy", "too many requests at once", retry_after=5)
        # Counted before anything is waited for: those that come meanwhile must see it.
        self._going[whose.agreement] += 1
        try:
            async with self._working() as connection:
                await connection.execute("DELETE FROM exchange_later WHERE until < %s", [now])
                await connection.execute(
                    "INSERT INTO exchange_later (id, agreement, key, due, until) "
                    "VALUES (%s, %s, %s, %s, %s)",
                    [whose.id, whose.agreement, whose.key, due, now + _KEPT],
                )
        except BaseException:
            self._gone(whose.agreement)
            raise
        task = asyncio.get_running_loop().create_task(self._work(whose, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self._gone(whose.agreement))

    def _gone(self, agreement: str) -> None:
        self._going[agreement] -= 1
        if not self._going[agreement]:
            del self._going[agreement]

    async def _work(self, whose: Whose, work: Callable[[], Awaitable[Response]]) -> None:
        response = await work()
        told = {
            "status": response.status, "headers": response.headers, "body": response.body.decode(),
        }  # fmt: skip
        sealed = self._vault.seal(json.dumps(told).encode(), _context(whose.id))
        # Not kept: the call then counts as lost, and its receipts tell what became of it.
        with contextlib.suppress(Refusal):
            async with self._working() as connection:
                await connection.execute(
                    "UPDATE exchange_later SET answer = %s WHERE id = %s", [sealed, whose.id]
                )

    async def find(self, whose: Whose, now: datetime) -> Response:
        """The answer, or that it is not there yet.

        Raises:
            Refusal: there is none for them, or what became of it is not known.
        """
        async with self._working() as connection:
            cursor = await connection.execute(
                "SELECT answer, due FROM exchange_later "
                "WHERE id = %s AND agreement = %s AND key = %s AND until > %s",
                [whose.id, whose.agreement, whose.key, now],
            )
            row = await cursor.fetchone()
        if row is None:
            raise Refusal(404, "call", "there is no such call, or its answer is kept no more")
        if row[0] is None and now > row[1]:
            raise Refusal(500, "lost", "what became of the call is not known; its receipt stands")
        if row[0] is None:
            return accepted(whose.id)
        told = json.loads(self._vault.open(row[0], _context(whose.id)))
        return Response(told["status"], told["headers"], told["body"].encode())

    async def finish(self) -> None:
        """Wait for what goes on, for an orderly end."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def _working(self) -> AsyncIterator[psycopg.AsyncConnection]:
        try:
            async with await self._connect() as connection:
                yield connection
        except (psycopg.Error, OSError):
            raise Refusal(
                503, "later", "answers cannot be kept now: ask without waiting", retry_after=5
            ) from None


def accepted(call: str) -> Response:
    """That a call goes on, and where its answer will be."""
    headers = {
        "location": f"/calls/{call}", "retry-after": "1", "content-type": "application/json",
        "cache-control": "no-store",
    }  # fmt: skip
    return Response(202, headers, json.dumps({"call": call, "state": "running"}).encode())


def _context(call: str) -> str:
    return f"exchange_later:{call}"
