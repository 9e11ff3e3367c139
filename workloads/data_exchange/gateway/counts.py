"""Counts what is used of an agreement: in blocks, so that few calls ask the database.

A gateway takes a hundredth of a limit at a time, at least one. What it took and did not use when it
is killed is lost to the consumer, never given twice; an orderly end gives it back.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from workloads.data_exchange.agreements.terms import Limits
from workloads.data_exchange.gateway.model import Refusal
from workloads.data_exchange.gateway.ports import Counter, CountingFailed

_HUNDREDTH = 100
_MOST = 10_000
#: A minute is counted in slots of ten seconds: any minute lies in seven of them.
_SLOT, _SLOTS = 10, 7


class Allowance:
    """What the calls of this process may still use.

    Args:
        counter: counts for all gateways.
        zone: of the city, for its midnight.
    """

    def __init__(self, counter: Counter, zone: ZoneInfo) -> None:
        self._counter = counter
        self._zone = zone
        self._left: dict[tuple[str, str, str], int] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    async def call(self, agreement: str, limits: Limits, now: datetime) -> None:
        """Use one call.

        Raises:
            Refusal: the agreement has none left, or it cannot be counted.
        """
        if limits.calls_per_minute is not None:
            slot = int(now.timestamp()) // _SLOT
            slots = [f"slot:{slot - n}" for n in range(_SLOTS)]
            await self._use(agreement, "calls", 1, limits.calls_per_minute, *slots)
        if limits.calls_per_day is not None:
            day = f"day:{now.astimezone(self._zone):%Y-%m-%d}"
            await self._use(agreement, "calls", 1, limits.calls_per_day, day)
        if limits.calls is not None:
            await self._use(agreement, "calls", 1, limits.calls, "term")

    async def rows(self, agreement: str, limits: Limits, rows: int) -> None:
        """Use some rows, all or none.

        Raises:
            Refusal: the agreement has not so many left, or it cannot be counted.
        """
        if limits.rows is not None and rows:
            await self._use(agreement, "rows", rows, limits.rows, "term")

    async def _use(self, agreement: str, what: str, amount: int, limit: int, *periods: str) -> None:
        key = (agreement, periods[0], what)
        if self._left.get(key, 0) >= amount:
            self._left[key] -= amount
            return
        lock = self._locks.setdefault((agreement, what), asyncio.Lock())
        async with lock:
            left = self._left.get(key, 0)
            if left < amount:
                block = max(1, min(limit // _HUNDREDTH, _MOST), amount - left)
                try:
                    left += await self._counter.take(agreement, what, block, limit, *periods)
                except CountingFailed:
                    raise Refusal(
                        503, "counting", "what is used cannot be counted now", retry_after=5
                    ) from None
                self._forget(key)
            self._left[key] = left
            if left < amount:
                raise _used_up(periods[0], what)
            self._left[key] = left - amount

    def _forget(self, key: tuple[str, str, str]) -> None:
        """Blocks of slots and days that are over."""
        agreement, period, what = key
        kind = period.partition(":")[0]
        over: Callable[[tuple[str, str, str]], bool] = lambda other: (  # noqa: E731
            other[0] == agreement and other[2] == what and other[1] != period
            and other[1].partition(":")[0] == kind
        )  # fmt: skip
        for other in [one for one in self._left if over(one)]:
            del self._left[other]

    async def give_back(self) -> None:
        """Give back what was not used, at an orderly end."""
        for (agreement, period, what), left in self._left.items():
            if left:
                await self._counter.give_back(agreement, what, left, period)
        self._left.clear()


def _used_up(period: str, what: str) -> Refusal:
    if period.startswith("slot:"):
        return Refusal(
            429, "rate", "as many calls as agreed came in this minute", retry_after=_SLOT
        )
    if period.startswith("day:"):
        return Refusal(429, "count", "as many calls as agreed came today", retry_after=3600)
    return Refusal(403, "count", f"as many {what} as agreed were handed out")
