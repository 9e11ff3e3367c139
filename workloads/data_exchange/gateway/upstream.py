"""Asks providers: few connections each, time-outs, no redirects, and no waiting for a dead one."""

import asyncio
import functools
import ipaddress
import math
import socket
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httptools

from foundation.kernel.addresses import Address, Network, permits, unwrapped
from workloads.data_exchange.gateway.model import ANSWER_BYTES, Provider, Refusal

#: Calls to one provider at a time, and those that wait for their turn.
AT_ONCE, WAITING = 64, 256
_HEADER_BYTES = 65_536
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_IDLE_SECONDS = 30.0
#: A provider that failed so often in a row is left alone for so long.
_FAILURES, _REST_SECONDS = 5, 10.0
#: Read ahead of a slow consumer: the memory of a stream.
_AHEAD = 1_048_576


class Failed(Exception):
    """A provider did not answer, or not as HTTP asks.

    Attributes:
        sent: whether the request may have reached it.
        slow: whether it took too long.
    """

    def __init__(self, why: str, *, sent: bool = True, slow: bool = False) -> None:
        super().__init__(why)
        self.sent, self.slow = sent, slow


@dataclass(slots=True)
class Answer:
    """The beginning of a provider's answer; its body is read once.

    Attributes:
        headers: names in lower case; of those that stand several times, the last.
    """

    status: int
    headers: dict[str, str]
    _connection: "_Connection" = field(repr=False)
    _idle: float

    async def read(self, most: int = ANSWER_BYTES) -> bytes:
        """The whole body, in the provider's time for all of it.

        Raises:
            Failed: it breaks off, is too slow, or too large.
        """
        whole = self._connection.whole()
        if whole is not None:
            if len(whole) > most:
                raise Failed("too large")
            return whole
        parts, size = [], 0
        # A limit for each wait is none for all: a byte now and then would hold a turn for ever.
        until = asyncio.get_running_loop().time() + self._idle
        async for part in self.stream(until):
            size += len(part)
            if size > most:
                raise Failed("too large")
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def stream(self, until: float = math.inf) -> AsyncIterator[bytes]:
        """The body in parts as they come; reading stops while nobody takes them.

        Args:
            until: of the loop's time; all of it must have come by then.

        Raises:
            Failed: it breaks off, or nothing comes for too long.
        """
        loop = asyncio.get_running_loop()
        while True:
            part = await self._connection.part(min(self._idle, until - loop.time()))
            if part is None:
                return
            yield part


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.idle_since = 0.0
        self.closed = False
        self._reset(body=True)

    def _reset(self, *, body: bool) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._has_body = body
        self.headers: dict[str, str] = {}
        self.status = 0
        self._header_bytes = 0
        self._began = False
        self._complete = False
        self._keep = True
        self._error = ""
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def reusable(self) -> bool:
        """Whether the next request may be sent on it."""
        return self._complete and self._keep and not self.closed and not self._error

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def send(self, request: bytes, *, body: bool) -> None:
        """Send a request; ``body``: whether its answer may have one (not for HEAD)."""
        self._reset(body=body)
        if self.transport is None or self.closed:
            raise Failed("the connection has ended", sent=False)
        self.transport.write(request)

    async def head(self, seconds: float) -> None:
        """Wait until status and headers are there.

        Raises:
            Failed: they do not come, or are wrong.
        """
        until = self._loop.time() + seconds
        try:
            while not self._began and not self._error:
                await self._wait(until)
        except TimeoutError:
            raise Failed("no answer in time", slow=True) from None
        if self._error:
            raise Failed(self._error)

    def whole(self) -> bytes | None:
        """The whole body, when all of it is there already; it is taken."""
        if not self._complete or self._error or self._paused:
            return None
        body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return body

    async def part(self, seconds: float) -> bytes | None:
        """The next part of the body; None at its end."""
        while not self._parts:
            if self._complete:
                return None
            if self._error:
                raise Failed(self._error)
            try:
                await self._wait(self._loop.time() + seconds)
            except TimeoutError:
                raise Failed("the answer stopped", slow=True) from None
        part = self._parts.popleft()
        self._size -= len(part)
        if self._paused and self._size < _AHEAD // 2 and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()
        return part

    async def _wait(self, until: float) -> None:
        """Wait for more; a timer of the loop costs a third of ``asyncio.timeout``."""
        waiter = self._waiter = self._loop.create_future()
        timer = self._loop.call_at(until, _late, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def close(self) -> None:
        """End it."""
        self.closed = True
        if self.transport is not None:
            self.transport.abort()

    # What asyncio and the parser call.

    def data_received(self, data: bytes) -> None:
        if self._over():
            self.close()  # what nobody asked for belongs to no answer
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail("not an answer of HTTP")
            return
        if self._over() and not self._keep:
            self.close()
        if self._size > _AHEAD and not self._paused and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def _over(self) -> bool:
        """Whether the answer has come to its end."""
        return self._complete

    def connection_lost(self, _error: Exception | None) -> None:
        self.closed = True
        if not self._complete:
            # A body without a length ends with the connection (RFC 9112, 6.3).
            unbounded = self._began and not {"content-length", "transfer-encoding"} & set(
                self.headers
            )
            if unbounded and _error is None:
                self._complete = True
            else:
                self._error = self._error or "the connection ended"
        self._wake()

    def _fail(self, why: str) -> None:
        self._error = why
        self.close()
        self._wake()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > _HEADER_BYTES:
            raise ValueError("headers too large")
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status < 200:  # noqa: PLR2004 - an interim answer (RFC 9110, 15.2)
            self.headers, self._header_bytes = {}, 0
            return
        self._began = True
        self._keep = self._parser.should_keep_alive()
        if not self._has_body:
            self._complete, self._keep = True, False

    def on_body(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)

    def on_message_complete(self) -> None:
        if self._began:
            self._complete = True


def _late(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


class _Origin:
    """One provider's server: its connections, its turn-taking, and how it fares."""

    def __init__(self) -> None:
        self.idle: deque[_Connection] = deque()
        self.turns = asyncio.Semaphore(AT_ONCE)
        self.waiting = 0
        self.failures = 0
        self.rests_until = 0.0
        #: Looks its name up now.
        self.looking: asyncio.Task[Sequence[Any]] | None = None

    def looked(self, done: "asyncio.Task[Sequence[Any]]") -> None:
        """A look-up has ended, whoever still waits for it."""
        self.looking = None
        if not done.cancelled():
            done.exception()


class Upstream:
    """Asks providers.

    Args:
        local: whether providers may lie on this machine (demonstrations and tests).
        monotonic: a clock that only goes on.
        context: of TLS; the system's authorities if left out.
        networks: in which providers may lie; none for all but this machine, link-local, multicast
            and reserved ones. This machine counts beside them when ``local``.
        permits: which addresses may be asked, if it is not providers that are.
    """

    def __init__(
        self,
        *,
        local: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        context: ssl.SSLContext | None = None,
        networks: tuple[Network, ...] = (),
        permits: Callable[[Address], bool] | None = None,
    ) -> None:
        self._permits = permits or self.permitted
        self._local = local
        self._networks = networks
        self._monotonic = monotonic
        self._context = context or ssl.create_default_context()
        self._origins: dict[tuple[bool, str, int], _Origin] = {}

    def ask(
        self, provider: Provider, method: str, rest: str, headers: Mapping[str, str], body: bytes
    ) -> "Asking":
        """Ask a provider; the block reads the answer.

        Args:
            provider: whom.
            method: of HTTP.
            rest: path below the endpoint, with the query.
            headers: of the consumer that are passed on; the credentials are added.
            body: as it came.
        """
        return Asking(self, provider, method, rest, headers, body)

    def origin(self, to: "_Place") -> "_Origin":
        """What is known of a provider's server."""
        found = self._origins.get(to.origin)
        if found is None:
            found = self._origins[to.origin] = _Origin()
        return found

    def leave(self, origin: "_Origin", connection: "_Connection") -> None:
        """Keep a connection whose answer was read to its end."""
        if connection.reusable and len(origin.idle) < AT_ONCE:
            connection.idle_since = self._monotonic()
            origin.idle.append(connection)
        else:
            connection.close()

    async def turn(self, origin: "_Origin") -> None:
        """Wait for one's turn with a provider; ``origin.turns`` is released after it."""
        if self._monotonic() < origin.rests_until:
            raise Refusal(503, "provider", "the provider does not answer now", retry_after=10)
        if origin.waiting >= WAITING:
            raise Refusal(503, "provider", "too many ask this provider", retry_after=2)
        origin.waiting += 1
        try:
            await origin.turns.acquire()
        finally:
            origin.waiting -= 1

    def failed(self, origin: "_Origin") -> None:
        """Note that a provider failed."""
        origin.failures += 1
        if origin.failures >= _FAILURES:
            # One call tries again after that; if it fails the rest begins anew.
            origin.rests_until = self._monotonic() + _REST_SECONDS
            origin.failures = _FAILURES - 1

    async def sent(
        self, origin: "_Origin", to: "_Place", provider: Provider, request: bytes, method: str
    ) -> "_Connection":
        """A connection on which the answer has begun.

        A kept connection may have ended meanwhile, so the request is sent again on another one: if
        it did not leave, or if the method (RFC 9110, 9.2.2) and the interface say that twice is as
        good as once; then once more on a new connection too.
        """
        safe, again = provider.repeatable and method in _IDEMPOTENT, True
        while True:
            kept = False
            try:
                connection, kept = await self._connection(origin, to, provider)
                await self._head(connection, request, provider, body=method != "HEAD")
            except Failed as error:
                if error.slow or not ((safe and (kept or again)) or (kept and not error.sent)):
                    self.failed(origin)
                    raise
                again = again and kept
                continue
            return connection

    async def _head(
        self, connection: "_Connection", request: bytes, provider: Provider, *, body: bool
    ) -> None:
        try:
            connection.send(request, body=body)
            await connection.head(provider.read_seconds)
        except BaseException:
            connection.close()
            raise

    async def _connection(
        self, origin: "_Origin", to: "_Place", provider: Provider
    ) -> "tuple[_Connection, bool]":
        while origin.idle:
            found = origin.idle.pop()
            if not found.closed and self._monotonic() - found.idle_since < _IDLE_SECONDS:
                return found, True
            found.close()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(provider.connect_seconds):
                address = await self._address(origin, to)
                _, made = await loop.create_connection(
                    _Connection, address, to.port, ssl=self._context if to.secure else None,
                    server_hostname=to.host if to.secure else None,
                )  # fmt: skip
        except TimeoutError:  # before OSError, which it is one of
            raise Failed("no connection in time", sent=False, slow=True) from None
        except (OSError, ssl.SSLError):
            raise Failed("no connection", sent=False) from None
        return made, False

    async def _address(self, origin: "_Origin", to: "_Place") -> str:
        """The address of a host; what a name may not stand for is not asked.

        It is looked up and judged once, and that address is used: a name that answers otherwise the
        second time changes nothing. All who wait for a name wait for one look-up, which goes on
        when they give up: the loop looks up few names at a time, and one whose server does not
        answer would hold all of them.
        """
        looking = origin.looking
        if looking is None:
            loop = asyncio.get_running_loop()
            looking = origin.looking = loop.create_task(
                loop.getaddrinfo(to.host, to.port, type=socket.SOCK_STREAM)
            )
            looking.add_done_callback(origin.looked)
        found = await asyncio.shield(looking)
        for _, _, _, _, address in found:
            one = ipaddress.ip_address(str(address[0]).partition("%")[0])
            if self._permits(one):
                return str(address[0])
        raise Failed("its address is not one of a provider", sent=False)

    def permitted(self, one: Address) -> bool:
        """Whether a provider may lie at an address."""
        here = self._local and unwrapped(one).is_loopback
        return here or permits(self._networks, one)

    def close(self) -> None:
        """End all connections that are not in use."""
        for origin in self._origins.values():
            while origin.idle:
                origin.idle.popleft().close()


class Asking:
    """A provider being asked: ``async with`` gives its answer.

    A class, not a generator: two of those, one in the other, took a twentieth of a call.

    Raises:
        Refusal: it failed too often of late, or too many wait for it.
        Failed: it did not answer, or not as HTTP asks.
    """

    __slots__ = (
        "_body", "_connection", "_headers", "_method", "_origin", "_provider", "_rest", "_upstream"
    )  # fmt: skip

    def __init__(
        self, upstream: Upstream, provider: Provider, method: str, rest: str,
        headers: Mapping[str, str], body: bytes,
    ) -> None:  # fmt: skip
        self._upstream = upstream
        self._provider = provider
        self._method = method
        self._rest = rest
        self._headers = headers
        self._body = body

    async def __aenter__(self) -> Answer:
        upstream, provider, method = self._upstream, self._provider, self._method
        to = _Place.of(provider)
        origin = self._origin = upstream.origin(to)
        await upstream.turn(origin)
        try:
            request = to.request(provider, method, self._rest, self._headers, self._body)
            found = self._connection = await upstream.sent(origin, to, provider, request, method)
        except BaseException:
            origin.turns.release()
            raise
        return Answer(found.status, found.headers, found, provider.read_seconds)

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None:
            self._origin.failures = 0
        elif isinstance(error, Failed):
            self._upstream.failed(self._origin)
        self._upstream.leave(self._origin, self._connection)
        self._origin.turns.release()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a provider's server is."""

    secure: bool
    host: str
    port: int
    authority: str
    path: str

    @property
    def origin(self) -> tuple[bool, str, int]:
        return self.secure, self.host, self.port

    @staticmethod
    @functools.lru_cache(4096)
    def at(endpoint: str) -> "_Place":
        parts = urlsplit(endpoint)
        secure = parts.scheme == "https"
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Failed("its endpoint is no address", sent=False)
        port = parts.port or (443 if secure else 80)
        authority = parts.netloc.rpartition("@")[2]
        return _Place(secure, parts.hostname, port, authority, parts.path.rstrip("/"))

    @staticmethod
    def of(provider: Provider) -> "_Place":
        return _Place.at(provider.endpoint)

    def request(
        self, provider: Provider, method: str, rest: str, headers: Mapping[str, str], body: bytes
    ) -> bytes:
        """The bytes of a request; no header holds the end of a line."""
        lines = [f"{method} {self.path}{rest} HTTP/1.1", f"host: {self.authority}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"{name}: {value}" for name, value in provider.headers.items()]
        if body or method in {"POST", "PUT", "PATCH"}:
            lines.append(f"content-length: {len(body)}")
        if any("\r" in line or "\n" in line for line in lines):
            raise Failed("a header with the end of a line", sent=False)
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
