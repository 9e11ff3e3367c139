"""The gateway's HTTP/1.1 server: llhttp's parser on an event loop, with bounds on everything.

What is ambiguous is refused and ends the connection: a length beside a transfer coding, lengths
that differ, folded headers, anything after an error. Slow senders are bounded by time, and peers
by the number of their connections. Bodies of some addresses are streamed (``bodies.py``).
"""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import httptools

from workloads.data_exchange.gateway.bodies import Body
from workloads.data_exchange.gateway.documents import dump
from workloads.data_exchange.gateway.model import REQUEST_BYTES, Refusal


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is taken from strangers.

    Attributes:
        connections: of all peers; more are closed at once.
        per_peer: of one address; behind a balancer that is all of them, so it must not count.
        header_bytes, headers: of a request.
        body_bytes: of a request.
        head_seconds: from the first byte to the end of the headers.
        body_seconds: from there to the end of the body.
        idle_seconds: between requests.
        write_seconds: for how long a peer may take nothing of its answer.
    """

    connections: int = 2_000
    per_peer: int = 200
    header_bytes: int = 32_768
    headers: int = 64
    body_bytes: int = REQUEST_BYTES
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 60.0
    write_seconds: float = 30.0


@dataclass(slots=True)
class Request:
    """A request that has come in whole, or all but its streamed body.

    Attributes:
        target: as it stands in the request line.
        headers: names in lower case; each stands once.
        peer: the address it came from.
        stream: the body where it is streamed; ``body`` is empty then.
    """

    method: str
    target: bytes
    headers: dict[str, str]
    body: bytes
    peer: str
    keep: bool
    stream: Body | None = None


@dataclass(slots=True)
class Response:
    """An answer.

    Attributes:
        headers: without length and connection.
        stream: the body in parts, instead of ``body``.
        length: of the stream, when it is known; of HEAD, what GET would send.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    stream: AsyncIterator[bytes] | None = None
    length: int | None = None


Handler = Callable[[Request], Awaitable[Response]]
#: Whether the body of a request with this method and target is streamed.
Streams = Callable[[str, bytes], bool]

_PHRASES = {one.value: one.phrase for one in HTTPStatus}
#: Headers of which two would be two meanings.
_ONCE = frozenset({
    "authorization", "content-encoding", "content-length", "content-type", "dpop", "expect", "host",
    "prefer", "range", "transfer-encoding", "upload-checksum", "upload-length", "upload-offset",
})  # fmt: skip
#: Why a body that is compressed is refused.
ENCODING = "encoding"
_NO_BODY = {204, 304}
_PIPELINED = 8
_LINGER_SECONDS = 2.0


def problem(refusal: Refusal) -> Response:
    """A refusal as problem+json (RFC 9457)."""
    told = {
        "type": "about:blank", "title": _PHRASES.get(refusal.status, "Refused"),
        "status": refusal.status, "code": refusal.code, "detail": refusal.detail,
    }  # fmt: skip
    headers = {"content-type": "application/problem+json", "cache-control": "no-store"}
    if refusal.retry_after:
        headers["retry-after"] = str(refusal.retry_after)
    if refusal.code == ENCODING:
        headers["accept-encoding"] = "identity"  # what is taken (RFC 9110, 12.5.3)
    if refusal.challenge:
        headers["www-authenticate"] = f'DPoP error="{refusal.challenge}", algs="EdDSA"'
    return Response(refusal.status, headers, dump(told).encode())


class Server:
    """Answers connections.

    Args:
        handler: answers a request; what it raises becomes a bare 500.
        bounds: what is taken.
        failed: is told of what the handler raised.
        streams: which bodies are streamed; they have no bound here but of time between parts.
    """

    def __init__(
        self, handler: Handler, bounds: Bounds, failed: Callable[[Exception], None],
        streams: Streams = lambda _method, _target: False,
    ) -> None:  # fmt: skip
        self.streams = streams
        self.handler = handler
        self.bounds = bounds
        self.failed = failed
        self.peers: Counter[str] = Counter()
        self.open: set[_Connection] = set()
        self.ending = False
        self._empty = asyncio.Event()

    def left(self, one: "_Connection", peer: str) -> None:
        """A connection has ended."""
        self.open.discard(one)
        self.peers[peer] -= 1
        if not self.peers[peer]:
            del self.peers[peer]
        if not self.open:
            self._empty.set()

    def protocol(self) -> "_Connection":
        """For ``create_server``."""
        return _Connection(self)

    async def drain(self, seconds: float) -> None:
        """Take no more, let what is being answered end, and close."""
        self.ending = True
        if not self.open:
            return
        self._empty.clear()
        for one in list(self.open):
            one.close_if_idle()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        for one in list(self.open):
            one.abort()


class _Connection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self._server = server
        self._bounds = server.bounds
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._peer = ""
        self._counted = False
        self._requests: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        # Moved only when something has to end sooner: making one for each deadline costs more.
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._due: float | None = None
        self._then: Callable[[], None] = self._late
        self._timed = (0, False)
        self._messages = 0
        self._parser = httptools.HttpRequestParser(self)
        self._writable = asyncio.Event()
        self._writable.set()
        self._broken: Refusal | None = None
        self._reading = True
        self._begin()

    def _begin(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._header_bytes = self._lines = 0
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._stream: Body | None = None
        self._in_message = self._headed = False
        self._messages += 1

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        name = transport.get_extra_info("peername")
        self._peer = str(name[0]) if isinstance(name, tuple) else "local"
        server = self._server
        crowded = (
            len(server.open) >= self._bounds.connections
            or server.peers[self._peer] >= self._bounds.per_peer
        )
        if crowded or server.ending:
            transport.abort()  # type: ignore[attr-defined]
            return
        self._counted = True
        server.open.add(self)
        server.peers[self._peer] += 1
        self._wait(self._bounds.idle_seconds)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._counted:
            self._server.left(self, self._peer)
        self._cancel_timer()
        self._writable.set()
        self._transport = None
        if self._stream is not None and not self._stream.over:
            # What came is still worth keeping: whoever reads it learns that no more comes.
            self._stream.break_off()
        elif self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        if self._broken is not None or self._transport is None:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._break(Refusal(400, "request", "no other protocol is spoken here"))
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._break(
                cause
                if isinstance(cause, Refusal)
                else Refusal(400, "request", "not a request of HTTP/1.1")
            )
        else:
            self._wait_for_rest()

    def _wait_for_rest(self) -> None:
        """A request of which a part is missing has its time; from its beginning, not from now."""
        here = (self._messages, self._headed)
        if here == self._timed or self._stream is not None:
            # The parts of a stream have their own.
            return
        if self._in_message and self._headed:
            self._wait(self._bounds.body_seconds)
        elif not self._requests and self._task is None:
            self._wait(self._bounds.head_seconds)
        else:
            return
        self._timed = here

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._begin()
        self._in_message = True

    def on_url(self, part: bytes) -> None:
        self._target += part
        self._count(len(part))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1").strip()
        self._lines += 1
        twice = not self._headed and key in self._headers and key in _ONCE
        if self._lines > self._bounds.headers or twice:
            raise Refusal(400, "request", "a header stands twice, or there are too many")
        if self._headed:
            # A trailer (RFC 9110, 6.5.1): what a request is was decided before its body, and
            # whoever stands in front of us has looked at the headers alone.
            return
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > self._bounds.header_bytes:
            raise Refusal(431, "request", "the headers are too large")

    def on_headers_complete(self) -> None:
        headers = self._headers
        if self._parser.get_http_version() != "1.1" or "host" not in headers:
            raise Refusal(400, "request", "HTTP/1.1 with a host is spoken here")
        if "upgrade" in headers or self._parser.get_method() == b"CONNECT":
            raise Refusal(400, "request", "no other protocol is spoken here")
        if "transfer-encoding" in headers and "content-length" in headers:
            raise Refusal(400, "request", "a length beside a transfer coding")
        if headers.get("transfer-encoding", "chunked").lower() != "chunked":
            raise Refusal(501, "request", "only the transfer coding chunked is taken")
        if headers.get("content-encoding", "identity").lower() != "identity":
            # Unpacked, a little may be without end; and digests are over what is sent.
            raise Refusal(415, ENCODING, "nothing compressed is taken")
        self._expect(headers.get("content-length", "0"))
        if headers.get("expect", "").lower() == "100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._headed = True
        if self._stream is not None:
            self._wait(self._bounds.body_seconds)
            self._enqueue(self._stream)

    def _expect(self, length: str) -> None:
        if not (length.isascii() and length.isdigit()) or len(length) > 18:  # noqa: PLR2004
            raise Refusal(400, "request", "a length that is none")
        method = self._parser.get_method().decode("ascii")
        if self._server.streams(method, self._target):
            self._stream = Body(self._hold)
        elif int(length) > self._bounds.body_bytes:
            raise Refusal(413, "request", "the body is too large")

    def _hold(self, wait: bool) -> None:  # noqa: FBT001 - a callback
        if self._transport is None:
            return
        if wait:
            self._cancel_timer()
            self._transport.pause_reading()
        else:
            self._wait(self._bounds.body_seconds)
            self._transport.resume_reading()

    def on_body(self, part: bytes) -> None:
        if self._stream is not None:
            self._wait(self._bounds.body_seconds)
            self._stream.feed(part)
            return
        self._body_bytes += len(part)
        if self._body_bytes > self._bounds.body_bytes:
            raise Refusal(413, "request", "the body is too large")
        self._body.append(part)

    def on_message_complete(self) -> None:
        self._due = None
        self._in_message = False
        if self._stream is not None:
            self._stream.end()
        else:
            self._enqueue(None)

    def _enqueue(self, stream: Body | None) -> None:
        self._requests.append(
            Request(
                self._parser.get_method().decode("ascii"), self._target, self._headers,
                b"".join(self._body), self._peer, self._parser.should_keep_alive(), stream,
            )
        )  # fmt: skip
        if len(self._requests) > _PIPELINED:
            raise Refusal(400, "request", "too many requests before their answers")
        if self._task is None:
            self._task = self._loop.create_task(self._answer())
        elif self._reading and self._transport is not None:
            # The next one is there already: the rest waits until it is its turn.
            self._reading = False
            self._transport.pause_reading()

    # Answers.

    async def _answer(self) -> None:
        try:
            while self._requests:
                request = self._requests.popleft()
                try:
                    response = await self._server.handler(request)
                except Exception as error:  # noqa: BLE001 - said to the log, not to the caller
                    self._server.failed(error)
                    response = problem(Refusal(500, "failure", "the gateway has failed"))
                keep = self._keeps(request)
                if not await self._write(request, response, keep=keep or bool(self._requests)):
                    return
                if not self._reading and self._transport is not None:
                    self._reading = True
                    self._transport.resume_reading()
                if not keep and not self._requests:
                    self._leave(request)
                    return
        finally:
            self._task = None
        if self._transport is None:
            return
        if self._in_message:
            self._wait_for_rest()
        else:
            self._wait(self._bounds.idle_seconds)

    def _keeps(self, request: Request) -> bool:
        if request.stream is not None and not request.stream.over:
            # Refused before all of it came: the rest is neither read nor waited for.
            self._broken = Refusal(400, "request", "not taken")
            self._requests.clear()
        return request.keep and not self._server.ending and self._broken is None

    async def _write(self, request: Request, response: Response, *, keep: bool) -> bool:
        """Send an answer; False when the connection is over."""
        stream, transport = response.stream, self._transport
        if transport is None:
            await _closed(stream)
            return False
        lines = [f"HTTP/1.1 {response.status} {_PHRASES.get(response.status, '')}"]
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        chunked = stream is not None and response.length is None
        if chunked:
            lines.append("transfer-encoding: chunked")
        elif response.status not in _NO_BODY:
            size = len(response.body) if response.length is None else response.length
            lines.append(f"content-length: {size}")
        if not keep:
            lines.append("connection: close")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        body = b"" if request.method == "HEAD" else response.body
        transport.write(head + body)
        if stream is None:
            return True
        return await self._pour(stream, chunked=chunked)

    async def _pour(self, stream: AsyncIterator[bytes], *, chunked: bool) -> bool:
        """Send a body as it comes; a body that breaks off ends the connection in its middle."""
        try:
            async for part in stream:
                if not part:
                    continue
                if not self._writable.is_set():
                    async with asyncio.timeout(self._bounds.write_seconds):
                        await self._writable.wait()
                transport = self._transport
                if transport is None:
                    return False
                if chunked:
                    transport.writelines([b"%x\r\n" % len(part), part, b"\r\n"])
                else:
                    transport.write(part)
            if chunked and self._transport is not None:
                self._transport.write(b"0\r\n\r\n")
        except Exception as error:  # noqa: BLE001 - the peer sees a body that is not whole
            self._server.failed(error)
            self.abort()
            return False
        finally:
            await _closed(stream)
        return self._transport is not None

    def _break(self, refusal: Refusal) -> None:
        """Say what was wrong, when nothing is being answered, and end the connection."""
        self._broken = refusal
        if self._task is None and self._transport is not None:
            response = problem(refusal)
            head = f"HTTP/1.1 {response.status} {_PHRASES.get(response.status, '')}\r\n"
            rest = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
            size = f"content-length: {len(response.body)}\r\nconnection: close\r\n\r\n"
            self._transport.write((head + rest + size).encode("latin-1") + response.body)
            self._finish()

    def _leave(self, request: Request) -> None:
        """Close; who still sends may read the answer first, which a close would take away."""
        if request.stream is None or request.stream.over:
            self._finish()
        elif self._transport is not None:
            self._transport.resume_reading()
            self._wait(_LINGER_SECONDS, self._finish)

    # Time and end.

    def _wait(self, seconds: float, late: Callable[[], None] | None = None) -> None:
        self._then = late or self._late
        due = self._due = self._loop.time() + seconds
        if self._timer is not None:
            if self._timer_at <= due:
                return
            self._timer.cancel()
        self._timer, self._timer_at = self._loop.call_at(due, self._look), due

    def _look(self) -> None:
        self._timer, due = None, self._due
        if due is None:
            return
        if self._loop.time() < due:
            self._timer, self._timer_at = self._loop.call_at(due, self._look), due
        else:
            self._then()

    def _cancel_timer(self) -> None:
        self._due = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        if self._in_message or (self._header_bytes and self._task is None and not self._requests):
            self._break(Refusal(408, "request", "the request did not come in time"))
        self._finish()

    def _finish(self) -> None:
        self._cancel_timer()
        if self._transport is not None:
            self._transport.close()
            # Who takes nothing of what is left is not waited for.
            self._timer = self._loop.call_later(self._bounds.write_seconds, self.abort)

    def abort(self) -> None:
        """End it now."""
        if self._transport is not None:
            self._transport.abort()

    def close_if_idle(self) -> None:
        """End it if nothing is being answered on it."""
        if self._task is None:
            self._finish()


async def _closed(stream: AsyncIterator[bytes] | None) -> None:
    close = getattr(stream, "aclose", None)
    if close is not None:
        await close()
