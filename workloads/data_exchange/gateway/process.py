"""``borough-exchange gateway``: answers calls until it is asked to end."""

import asyncio
import contextlib
import json
import logging
import signal
import socket
import time
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import psycopg
import uvloop
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from foundation.kernel.addresses import Network
from foundation.kernel.time import Clock
from workloads.data_exchange.gateway.book import Book
from workloads.data_exchange.gateway.calls import Calls
from workloads.data_exchange.gateway.counts import Allowance
from workloads.data_exchange.gateway.credentials import Grants
from workloads.data_exchange.gateway.entrance import Entrance
from workloads.data_exchange.gateway.later import Later, Vault
from workloads.data_exchange.gateway.model import Refusal
from workloads.data_exchange.gateway.ports import Front, Source
from workloads.data_exchange.gateway.server import Bounds, Request, Response, Server, problem
from workloads.data_exchange.gateway.store import PostgresCounter
from workloads.data_exchange.gateway.upstream import Upstream
from workloads.data_exchange.receipts.writer import Connect, Writer

_log = logging.getLogger("borough.exchange.gateway")
#: The database's notices of changed agreements.
CHANNEL = "exchange_terms"
_DRAIN_SECONDS = 20.0
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)


@dataclass(frozen=True, slots=True)
class Options:
    """How a gateway runs.

    Attributes:
        host, port: where it listens; port 0 takes a free one.
        url: its own address as consumers write it; empty: as each request says.
        database: libpq's URL of the database.
        zone: the city's time zone, for its midnight.
        bounds: what is taken of strangers.
        local: whether providers may lie on this machine.
        networks: in which providers may lie; none for all that are not forbidden anyway.
        shared: whether other processes listen on the same port.
    """

    host: str
    port: int
    url: str
    database: str
    zone: ZoneInfo
    bounds: Bounds = field(default_factory=Bounds)
    local: bool = False
    shared: bool = False
    networks: tuple[Network, ...] = ()


def run(
    options: Options, source: Source, secret: Callable[[str], bytes], clock: Clock, vault: Vault,
    ready: Callable[[int], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,  # type: ignore[assignment]
    more: "Sequence[Callable[[Hall], Front]]" = (),
) -> None:  # fmt: skip
    """Answer calls until SIGTERM or SIGINT.

    Args:
        options: how.
        source: of terms, interfaces and keys.
        secret: gives the key of an agreement's pseudonyms.
        clock: the present.
        vault: seals answers that are fetched later.
        ready: is entered with the port when it listens.
        more: makes what answers further addresses.

    Raises:
        OSError: the address cannot be listened on.
    """

    async def main() -> None:
        ending = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ending.set)
        async with serving(options, source, secret, clock, vault, more) as port:
            with ready(port):
                await ending.wait()

    uvloop.run(main())


@dataclass(frozen=True, slots=True)
class Hall:
    """What further fronts of a gateway work with.

    Attributes:
        entrance: who may come in, and what is written about it.
        upstream: asks outside addresses.
        secret: gives the key of an agreement's pseudonyms.
        url: the gateway's own address; empty: as each request says.
    """

    entrance: Entrance
    upstream: Upstream
    secret: Callable[[str], bytes]
    clock: Clock
    url: str


@contextlib.asynccontextmanager
async def serving(
    options: Options, source: Source, secret: Callable[[str], bytes], clock: Clock, vault: Vault,
    more: Sequence[Callable[[Hall], Front]] = (),
) -> AsyncIterator[int]:  # fmt: skip
    """A gateway that listens, until the end of the block; gives its port."""

    async def connect() -> psycopg.AsyncConnection:
        return await psycopg.AsyncConnection.connect(options.database, connect_timeout=5)

    grants, figures = Grants(), _Figures()
    book = Book(source, grants, secret)
    writer, counter = Writer(connect, clock), PostgresCounter(connect)
    later = Later(connect, vault)
    allowance = Allowance(counter, options.zone)
    upstream = Upstream(local=options.local, networks=options.networks)
    calls = Calls(
        book, grants, upstream, writer, allowance, clock, later, options.url, figures.count
    )
    entrance = Entrance(book, grants, writer, allowance, clock, options.url)
    hall = Hall(entrance, upstream, secret, clock, options.url)
    fronts = [make(hall) for make in more]
    server = Server(
        _Front(calls, book, figures, fronts).handle, options.bounds, _tell,
        lambda method, target: any(one.streams(method, target) for one in fronts),
    )  # fmt: skip
    loop = asyncio.get_running_loop()
    await book.read()
    writing = [loop.create_task(one) for one in (writer.run(), book.run(), _listen(connect, book))]
    running = [loop.create_task(one.run()) for one in fronts]
    listening = _bound(options)
    serving = await loop.create_server(server.protocol, sock=listening, backlog=1024)
    try:
        yield listening.getsockname()[1]
    finally:
        serving.close()
        await server.drain(_DRAIN_SECONDS)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await later.finish()
        await writer.finish()
        with contextlib.suppress(Exception):
            await allowance.give_back()
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)
        await counter.close()
        upstream.close()


def _bound(options: Options) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if options.shared:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((options.host, options.port))
    made.setblocking(False)
    return made


async def _listen(connect: Connect, book: Book) -> None:
    """Have terms read at once when they change; without it they are read each second anyway."""
    while True:
        try:
            connection = await connect()
            async with connection:
                await connection.set_autocommit(True)
                await connection.execute(f"LISTEN {CHANNEL}")
                book.poke()
                async for _ in connection.notifies():
                    book.poke()
        except (psycopg.Error, OSError):
            pass
        await asyncio.sleep(1.0)


def _tell(error: Exception) -> None:
    # Where, not what: a message may hold what was asked or answered.
    steps = traceback.extract_tb(error.__traceback__)
    where = f"{steps[-1].filename}:{steps[-1].lineno}" if steps else "?"
    _log.error("a call failed: %s at %s", type(error).__name__, where)


class _Front:
    """The gateway's own addresses, beside those of services."""

    def __init__(
        self, calls: Calls, book: Book, figures: "_Figures", fronts: Sequence[Front]
    ) -> None:
        self._calls = calls
        self._book = book
        self._figures = figures
        self._fronts = [(prefix, one) for one in fronts for prefix in one.prefixes]

    async def handle(self, request: Request) -> Response:
        if request.target.startswith((b"/services/", b"/calls/")):
            return await self._calls.handle(request)
        for prefix, front in self._fronts:
            if request.target.startswith(prefix):
                began = time.perf_counter()
                response = await _answered(front, request)
                self._figures.count(response.status, time.perf_counter() - began)
                return response
        if request.target == b"/healthz" or (request.target == b"/readyz" and self._book.fresh):
            return _told({"status": "ok"})
        if request.target == b"/readyz":
            return problem(Refusal(503, "terms", "what was agreed cannot be read now"))
        if request.target == b"/metrics":
            return Response(200, {"content-type": CONTENT_TYPE_LATEST}, self._figures.text())
        return problem(Refusal(404, "address", "the address is not one of a service's"))


async def _answered(front: Front, request: Request) -> Response:
    try:
        return await front.handle(request)
    except Refusal as refusal:
        return problem(refusal)


def _told(value: object) -> Response:
    return Response(200, {"content-type": "application/json"}, json.dumps(value).encode())


class _Figures:
    """Calls by status, and how long they took."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        calls = Counter("borough_exchange_calls", "Calls answered.", ["status"],
                        registry=self._registry)  # fmt: skip
        self._seconds = Histogram(
            "borough_exchange_call_duration_seconds", "From request to answer.",
            buckets=_BUCKETS, registry=self._registry,
        )  # fmt: skip
        self._by_status: dict[int, Counter] = {}
        self._calls = calls

    def count(self, status: int, seconds: float) -> None:
        """Note a call."""
        found = self._by_status.get(status)
        if found is None:
            found = self._by_status[status] = self._calls.labels(str(status))
        found.inc()
        self._seconds.observe(seconds)

    def text(self) -> bytes:
        """For Prometheus."""
        return generate_latest(self._registry)
