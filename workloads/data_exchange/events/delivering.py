"""Tells web-hooks: one event after the other in each partition, by one gateway at a time.

A gateway claims partitions in the database, each for some seconds and with a fence; whoever claims
one later takes it over, and what the earlier one still notes counts no more. So the order of a key
holds with any number of gateways, and one that is killed loses nothing: the event is told again.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlsplit

from foundation.kernel.secretbox import SecretError
from foundation.kernel.time import Clock
from workloads.data_exchange.events.cloudevents import STRUCTURED
from workloads.data_exchange.events.model import (
    Cursor,
    Kept,
    Letter,
    Subscription,
    signature,
)
from workloads.data_exchange.events.subscribing import Subscriptions
from workloads.data_exchange.gateway.book import Ruling
from workloads.data_exchange.gateway.entrance import Entrance
from workloads.data_exchange.gateway.model import Provider, Refusal
from workloads.data_exchange.gateway.signed import Unwritten
from workloads.data_exchange.gateway.upstream import Failed, Upstream
from workloads.data_exchange.receipts.model import ReceiptKind, digest

_log = logging.getLogger("borough.exchange.events")
_LOOK_SECONDS = 0.3
_AT_A_TIME = 50
#: Partitions that one gateway serves at once.
_TASKS = 128
#: When nothing may be delivered at all: looked at again after so long.
_PUT_OFF = 5.0
_SECONDS = 8.0
_READ_BYTES = 65_536
_ROUTE = "/subscriptions/{subscription}/deliveries"


class Shape(Protocol):
    """Makes of events what an agreement allows."""

    def shape(self, ruling: Ruling, events: Sequence[Kept]) -> list[str]: ...

    def decisions(self, ruling: Ruling) -> Sequence[str]: ...


class Delivering:
    """Tells web-hooks.

    Args:
        entrance: the terms, and receipts.
        subscriptions: the use cases.
        shape: applies the terms to an event.
        upstream: asks addresses that may be asked.
        clock: the present.
    """

    def __init__(
        self, entrance: Entrance, subscriptions: Subscriptions, shape: Shape, upstream: Upstream,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._entrance = entrance
        self._subscriptions = subscriptions
        self._shape = shape
        self._upstream = upstream
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Claim and deliver until cancelled; what is being told then is told again elsewhere."""
        try:
            while True:
                try:
                    busy = len(self._tasks) >= _TASKS
                    claimed = [] if busy else await asyncio.to_thread(self._subscriptions.claim)
                except Exception as error:  # noqa: BLE001 - the database may be back the next time
                    _log.error("deliveries cannot be claimed: %s", type(error).__name__)
                    claimed = []
                for there, cursor in claimed:
                    task = asyncio.create_task(self._serve(there, cursor))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._upstream.close()

    async def _serve(self, there: Subscription, cursor: Cursor) -> None:
        try:
            await self._partition(there, cursor)
        except Refusal as refusal:
            await asyncio.to_thread(self._subscriptions.put_off, cursor, _PUT_OFF, refusal.code)
        except Unwritten:
            await asyncio.to_thread(self._subscriptions.put_off, cursor, _PUT_OFF, "receipt")
        except Exception as error:  # noqa: BLE001 - the lease ends, and somebody tries again
            _log.error("a delivery failed: %s", type(error).__name__)

    async def _partition(self, there: Subscription, cursor: Cursor) -> None:
        """Deliver what there is of one partition, until it fails or there is no more."""
        again, events = await asyncio.to_thread(self._subscriptions.next, there, cursor, _AT_A_TIME)
        attempts = cursor.attempts
        for letter in again:
            if not await self._again(there, cursor, letter):
                return
        for one in events:
            if not await self._event(there, cursor, one, attempts):
                return
            attempts = 0
        await asyncio.to_thread(self._subscriptions.release, cursor)

    async def _event(self, there: Subscription, cursor: Cursor, one: Kept, attempts: int) -> bool:
        """Deliver an event, or make it a dead letter; False: the next one has to wait."""
        if await asyncio.to_thread(self._subscriptions.blocked, cursor, one.key):
            cause, attempts = "an earlier event of its key is a dead letter", -1
        elif await asyncio.to_thread(self._subscriptions.hold, cursor):
            cause = await self._told(there, one)
        else:
            return False
        if not cause:
            return await asyncio.to_thread(self._subscriptions.delivered, cursor, one)
        return await asyncio.to_thread(self._subscriptions.failed, cursor, one, attempts + 1, cause)

    async def _again(self, there: Subscription, cursor: Cursor, letter: Letter) -> bool:
        """Deliver a letter again; False: the partition is somebody else's now."""
        if not await asyncio.to_thread(self._subscriptions.hold, cursor):
            return False
        one = await asyncio.to_thread(self._subscriptions.event, there, letter)
        cause = "it is no longer kept" if one is None else await self._told(there, one)
        return await asyncio.to_thread(self._subscriptions.redelivered, cursor, letter, cause)

    async def _told(self, there: Subscription, one: Kept) -> str:
        """Deliver one event with a receipt before and after; answers why it was not taken.

        Raises:
            Refusal: the terms do not allow it now.
            Unwritten: there is no receipt, so nothing was handed out.
        """
        visit = await self._entrance.delivery(there.agreement, there.purpose, there.id, _ROUTE)
        await self._entrance.let_through(visit, count=False)
        shaped = self._shape.shape(visit.ruling, [one])
        if not shaped:
            return ""
        # A call is counted, and rows, for what is handed out, and once for each attempt.
        await self._entrance.let_through(visit)
        await self._entrance.rows(visit, 1)
        visit.decisions += ["events", *self._shape.decisions(visit.ruling)]
        body = shaped[0].encode()
        visit.begun = await self._entrance.write(
            visit, ReceiptKind.BEGUN, 0, digest(body), len(body)
        )
        cause = await self._posted(there, one, body)
        if cause:
            visit.rows = 0
        await self._entrance.write(
            visit, ReceiptKind.ENDED, 0 if cause else 200, digest(body), len(body)
        )
        return cause

    async def _posted(self, there: Subscription, one: Kept, body: bytes) -> str:
        """Post it, signed as Standard Webhooks say; answers why it was not taken."""
        stamp = int(self._clock.now().timestamp())
        # The same for every attempt at one event, so that a receiver knows what it has.
        message = f"{there.id}.{one.partition}-{one.position}"
        try:
            secret = await asyncio.to_thread(self._subscriptions.secret, there)
        except SecretError:
            return "its secret does not open"
        headers = {
            "content-type": STRUCTURED, "user-agent": "borough-exchange", "webhook-id": message,
            "webhook-timestamp": str(stamp),
            "webhook-signature": signature(secret, message, stamp, body),
        }  # fmt: skip
        parts = urlsplit(there.url)
        origin = f"{parts.scheme}://{parts.netloc}"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        to = Provider(
            there.id, origin, methods=("POST",), connect_seconds=_SECONDS / 2,
            read_seconds=_SECONDS, repeatable=False,
        )  # fmt: skip
        try:
            async with asyncio.timeout(2 * _SECONDS - 2):
                async with self._upstream.ask(to, "POST", target, headers, body) as answer:
                    status = answer.status
                    await answer.read(_READ_BYTES)
        except (Failed, Refusal) as error:
            return f"it was not told: {error}"
        except TimeoutError:
            return "it did not answer in time"
        if 200 <= status < 300:  # noqa: PLR2004 - Successful (RFC 9110, 15.3)
            return ""
        return f"it answered {status}"
