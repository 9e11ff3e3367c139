"""Users of an HTTP/1.1 server that cost little: requests are written before the clock starts."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"


@dataclass(slots=True)
class Found:
    """What users saw.

    Attributes:
        wall: seconds from the first request to the last answer.
        seconds: of each answer, sorted.
        bad: answers other than 200.
    """

    wall: float = 0.0
    seconds: list[float] = field(default_factory=list)
    bad: int = 0

    @property
    def rate(self) -> float:
        """Answers a second by the clock."""
        return len(self.seconds) / self.wall

    def percentile(self, share: float) -> float:
        """Milliseconds."""
        last = len(self.seconds) - 1
        return self.seconds[min(last, int(len(self.seconds) * share))] * 1000


class _User(asyncio.Protocol):
    """One connection: a request, its answer, a pause, the next."""

    def __init__(self, waiting: Iterator[bytes], found: Found, until: float, pause: float) -> None:
        self._waiting = waiting
        self._found = found
        self._until = until
        self._pause = pause
        self._loop = asyncio.get_running_loop()
        self._data = b""
        self._began = 0.0
        self.done = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the server ended the connection"))

    def _next(self) -> None:
        request = next(self._waiting, None) if time.perf_counter() < self._until else None
        if request is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._began = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._data = data = self._data + data if self._data else data
        end = data.find(_END)
        if end < 0:
            return
        head = data[:end].lower()
        at = head.find(_LENGTH) + len(_LENGTH)
        line = head.find(b"\r", at)
        length = int(head[at:] if line < 0 else head[at:line])
        if len(data) < end + len(_END) + length:
            return
        found = self._found
        found.seconds.append(time.perf_counter() - self._began)
        found.bad += not data.startswith(b"HTTP/1.1 200")
        self._data = b""
        if self._pause:
            self._loop.call_later(self._pause, self._next)
        else:
            self._next()


async def drive(
    ports: Sequence[int], requests: Iterator[bytes], users: int, *, seconds: float = 1e9,
    pause: float = 0.0,
) -> Found:  # fmt: skip
    """Have users send requests until there are none, or so many seconds are over.

    Args:
        ports: of the same service; users are spread over them.
        requests: whole ones, each sent once; a server must know its users apart by itself.
        users: connections at once.
        seconds: no request begins later.
        pause: for how long each user thinks after an answer.
    """
    found, loop = Found(), asyncio.get_running_loop()
    began = time.perf_counter()
    made = []
    for n in range(users):
        made.append(
            await loop.create_connection(
                lambda: _User(requests, found, began + seconds, pause),
                "127.0.0.1", ports[n % len(ports)],
            )
        )  # fmt: skip
        # People who think do not all begin at the same moment.
        await asyncio.sleep(pause / users)
    await asyncio.gather(*(user.done for _, user in made))
    found.wall = time.perf_counter() - began
    found.seconds.sort()
    return found
