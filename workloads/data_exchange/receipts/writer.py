"""Writes receipts: many calls share one commit, and none is answered before it.

While one batch is committed the next one gathers, so that a batch is as large as the database is
slow and no call waits for a timer. Whatever goes wrong while a batch is written, the calls of it
are not answered, and a new log begins: whether the batch was committed may not be known.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import psycopg

from foundation.kernel.time import Clock
from workloads.data_exchange.receipts.model import Chains, Draft, Receipt, day_of, new_log

_log = logging.getLogger("borough.exchange.receipts")
#: Receipts in one commit, and those that may wait: beyond it calls are turned away.
BATCH = 500
WAITING = 5_000
_TRIES = 5
#: A log with so many receipts is followed by a new one.
LONGEST_LOG = 1_000_000
_COPY = (
    "COPY exchange_receipt (day, log, number, agreement, sequence, at, consumer, provider, "
    "previous, body, proof, hash) FROM STDIN"
)
_SEEN = "COPY exchange_request_seen (request, until) FROM STDIN"

#: Opens a connection to the database.
Connect = Callable[[], Awaitable[psycopg.AsyncConnection]]


class NotWritten(Exception):
    """The receipt could not be written; nothing may be handed out."""


class Replayed(Exception):
    """The same signed request came before, perhaps to another gateway."""


@dataclass(frozen=True, slots=True)
class Request:
    """What makes a signed request that one: it is taken once, by all gateways together.

    Attributes:
        key: thumbprint of the key that signed it.
        nonce: its ``jti``.
        until: after that it is too old to be taken anyway.
        digest: of key and nonce, as it is kept.
    """

    key: str
    nonce: str
    until: datetime
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        made = hashlib.sha256(f"{self.key} {self.nonce}".encode()).digest()
        object.__setattr__(self, "digest", made)


@dataclass(slots=True)
class _Waiting:
    draft: Draft
    request: Request | None
    written: "asyncio.Future[Receipt]"


class Writer:
    """Writes the receipts of one process.

    Args:
        connect: opens a connection.
        clock: for the names of logs.
        patience: how long a batch may take.
    """

    def __init__(self, connect: Connect, clock: Clock, *, patience: float = 10.0) -> None:
        self._connect = connect
        self._clock = clock
        self._patience = patience
        self._connection: psycopg.AsyncConnection | None = None
        self._chains: Chains | None = None
        self._waiting: list[_Waiting] = []
        self._there = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    async def write(self, draft: Draft, request: Request | None = None) -> Receipt:
        """The receipt, once it is durable.

        Args:
            draft: what it says.
            request: to be taken once; None where that was done before.

        Raises:
            NotWritten: it could not be written, or too many wait.
            Replayed: the request came before.
        """
        if len(self._waiting) >= WAITING:
            raise NotWritten("too many receipts wait")
        one = _Waiting(draft, request, asyncio.get_running_loop().create_future())
        self._waiting.append(one)
        self._idle.clear()
        self._there.set()
        return await one.written

    async def run(self) -> None:
        """Write batches until cancelled."""
        try:
            while True:
                await self._there.wait()
                self._there.clear()
                while self._waiting:
                    batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                    await self._batch(batch)
                self._idle.set()
        finally:
            await self._disconnect()

    async def finish(self) -> None:
        """Wait until nothing waits, for an orderly end."""
        await self._idle.wait()

    async def _batch(self, batch: list[_Waiting]) -> None:
        try:
            async with asyncio.timeout(self._patience):
                written = await self._commit(batch)
        except (psycopg.Error, OSError, TimeoutError, NotWritten) as error:
            _log.error("receipts cannot be written: %s", type(error).__name__)
            self._chains = None
            await self._disconnect()
            _fail(batch, NotWritten("the receipt could not be written"))
            return
        except BaseException:
            self._chains = None
            _fail(batch, NotWritten("the gateway ends"))
            raise
        for one, receipt in written:
            if not one.written.done():
                one.written.set_result(receipt)

    async def _commit(self, batch: list[_Waiting]) -> "list[tuple[_Waiting, Receipt]]":
        connection = await self._connected()
        chains = await self._current(connection)
        fresh = _without_doubles(batch)
        for _ in range(_TRIES):
            try:
                receipts = await self._insert(connection, chains, fresh)
            except psycopg.errors.UniqueViolation:
                await connection.rollback()
                # A log that began with this batch went with it.
                self._chains = chains if chains.size else None
                chains = await self._current(connection)
                fresh = await self._without_known(connection, fresh)
            else:
                chains.keep(len(receipts))
                return list(zip(fresh, receipts, strict=True))
        raise NotWritten("requests come twice at once, again and again")

    async def _insert(
        self, connection: psycopg.AsyncConnection, chains: Chains, batch: list[_Waiting]
    ) -> list[Receipt]:
        requests = [one.request for one in batch if one.request is not None]
        receipts = chains.place([one.draft for one in batch])
        if not receipts:
            await connection.rollback()
            self._chains = chains if chains.size else None
            return []
        async with connection.cursor() as cursor:
            # One write each: a row at a time takes more of the processor than all else here.
            if requests:
                async with cursor.copy(_SEEN) as copy:
                    await copy.write(_seen_rows(requests))
            async with cursor.copy(_COPY) as copy:
                await copy.write(_receipt_rows(day_of(chains.log), batch, receipts))
        await connection.commit()
        return receipts

    async def _without_known(
        self, connection: psycopg.AsyncConnection, batch: list[_Waiting]
    ) -> list[_Waiting]:
        digests = [one.request.digest for one in batch if one.request is not None]
        cursor = await connection.execute(
            "SELECT request FROM exchange_request_seen WHERE request = ANY(%s)", [digests]
        )
        known = {bytes(row[0]) for row in await cursor.fetchall()}
        kept = []
        for one in batch:
            if one.request is not None and one.request.digest in known:
                _fail([one], Replayed)
            else:
                kept.append(one)
        return kept

    async def _connected(self) -> psycopg.AsyncConnection:
        if self._connection is None or self._connection.closed:
            self._connection = await self._connect()
        return self._connection

    async def _current(self, connection: psycopg.AsyncConnection) -> Chains:
        """The log of today; a new one after a fault, at midnight, and when it is long."""
        now = self._clock.now()
        found = self._chains
        if found is None or found.size >= LONGEST_LOG or day_of(found.log) != now.date():
            found = Chains(new_log(now))
            await connection.execute(
                "INSERT INTO exchange_receipt_log (log, opened_at) VALUES (%s, %s)",
                [found.log, now],
            )
            # With the first receipts, or not at all.
            self._chains = found
        return found

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                await connection.close()


def _seen_rows(requests: Sequence[Request]) -> str:
    """Rows of ``COPY`` in its text format, where a backslash begins what is escaped."""
    # Sorted: two gateways that hold the same requests wait for each other in one order.
    found = sorted((one.digest, one.until) for one in requests)
    return "".join(f"\\\\x{digest.hex()}\t{until.isoformat()}\n" for digest, until in found)


def _receipt_rows(day: date, batch: Sequence[_Waiting], receipts: Sequence[Receipt]) -> str:
    rows = []
    for one, receipt in zip(batch, receipts, strict=True):
        draft = one.draft
        texts = (draft.consumer, draft.provider, receipt.previous, receipt.body, receipt.proof)
        consumer, provider, previous, body, proof = map(_escaped, texts)
        rows.append(
            f"{day}\t{receipt.log}\t{receipt.number}\t{_escaped(draft.agreement)}\t"
            f"{receipt.sequence}\t{draft.at.isoformat()}\t{consumer}\t{provider}\t{previous}\t"
            f"{body}\t{proof}\t\\\\x{receipt.hash.hex()}\n"
        )
    return "".join(rows)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _without_doubles(batch: list[_Waiting]) -> list[_Waiting]:
    """Those whose request does not stand earlier in the same batch."""
    seen: set[bytes] = set()
    kept = []
    for one in batch:
        digest = one.request.digest if one.request is not None else None
        if digest is not None and digest in seen:
            _fail([one], Replayed)
            continue
        if digest is not None:
            seen.add(digest)
        kept.append(one)
    return kept


def _fail(batch: "list[_Waiting]", error: "Exception | type[Exception]") -> None:
    for one in batch:
        if not one.written.done():
            one.written.set_exception(error)
