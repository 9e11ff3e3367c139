"""The body of a request that is too large to be held: read in parts, as slowly as it is taken."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

#: Held at most before the sender has to wait.
_AHEAD = 1_048_576


class BrokenOff(Exception):
    """The sender went away, or became too slow, before the end."""


class Body:
    """A request's body as it comes in.

    Args:
        hold: makes the sender wait (True) or go on (False).
    """

    def __init__(self, hold: Callable[[bool], None]) -> None:
        self._hold = hold
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._held = False
        self._waiter: asyncio.Future[None] | None = None
        self.ended = self.broken = False

    @property
    def over(self) -> bool:
        """Whether nothing of it is still to come."""
        return self.ended or self.broken

    def feed(self, part: bytes) -> None:
        """A part has come in."""
        self._parts.append(part)
        self._size += len(part)
        if self._size > _AHEAD and not self._held:
            self._held = True
            self._hold(True)
        self._wake()

    def end(self) -> None:
        """It is whole."""
        self.ended = True
        self._wake()

    def break_off(self) -> None:
        """No more comes of it."""
        if not self.ended:
            self.broken = True
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def parts(self) -> AsyncIterator[bytes]:
        """What has come, in parts of any size; all of it before it is said that more is missing.

        Raises:
            BrokenOff: the rest does not come.
        """
        while True:
            while self._parts:
                part = self._parts.popleft()
                self._size -= len(part)
                if self._held and self._size < _AHEAD // 2:
                    self._held = False
                    if not self.over:
                        self._hold(False)
                yield part
            if self.ended:
                return
            if self.broken:
                raise BrokenOff
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
