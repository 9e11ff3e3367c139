"""kill -9 under load: of a gateway, of the registry, of PostgreSQL, of the worker.

The consumer's own log of what was answered is held against the receipts: each answer has its
receipt, with the digest of what was handed out, and the chain is whole.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import psutil
import pytest

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.processes import spawn
from tests.contract.exchange.gateway_calls import read_answer
from tests.harness.dataspace import free_port
from tests.harness.exchange import SYSTEM, furnish
from tests.harness.exchange_gateway import (
    AGREEMENT,
    SERVICE,
    Told,
    grant,
    signed,
    terms,
    write_told,
)
from tests.harness.exchange_provider import FakeProvider
from tests.harness.loops import run as run_alone
from workloads.data_exchange.bootstrap import Exchange, open_exchange
from workloads.data_exchange.gateway.model import Provider
from workloads.data_exchange.proofs.keys import encoded
from workloads.data_exchange.receipts.model import place_of
from workloads.data_exchange.receipts.verify import verify
from workloads.data_exchange.settings import Settings

TARGET = f"/services/{SERVICE}/people?a=1"


@dataclass
class City:
    """A database that syncs, two gateways, a worker, and consumers that note their answers."""

    folder: Path
    postgres: EmbeddedPostgres
    exchange: Exchange
    port: int = 0
    gateways: list[subprocess.Popen[bytes]] = field(default_factory=list)
    worker: subprocess.Popen[bytes] | None = None
    registry: subprocess.Popen[bytes] | None = None
    answered: dict[str, tuple[str, str]] = field(default_factory=dict)
    refused: int = 0
    cut: int = 0

    def start_gateway(self) -> None:
        self.told.providers[SERVICE] = Provider(SERVICE, self.provider, paths=("/people",))
        write_told(self.folder, self.exchange.base.database.url, self.told, self.port)
        made = spawn(
            [sys.executable, "-m", "tests.harness.exchange_gateway", str(self.folder)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, folder=Path.cwd(),
        )  # fmt: skip
        assert made.stdout is not None
        self.port = int(made.stdout.readline())
        self.gateways.append(made)

    def _started(self, name: str, **settings: str) -> "subprocess.Popen[bytes]":
        given = {
            "BOROUGH_EXCHANGE_HOME": str(self.folder / "home"),
            "BOROUGH_EXCHANGE_DATABASE_URL": self.exchange.base.database.url.replace(
                "+psycopg", ""
            ),
            **settings,
        }
        return spawn(
            [sys.executable, "-m", "workloads.data_exchange.entrypoints.cli", name],
            environment={**os.environ, **given}, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, folder=Path.cwd(),
        )  # fmt: skip

    def start_worker(self) -> None:
        self.worker = self._started("worker")

    def start_registry(self) -> None:
        port = free_port()
        self.registry = self._started("serve", BOROUGH_EXCHANGE_PORT=str(port))
        self.registered = f"http://127.0.0.1:{port}"

    async def registry_answers(self) -> None:
        """Wait until it does; it has the same database."""
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(OSError):
                    found = await asyncio.to_thread(
                        urllib.request.urlopen, f"{self.registered}/readyz", None, 5
                    )
                    with found:
                        assert found.status == 200
                        return
                await asyncio.sleep(0.1)

    registered: str = ""

    @cached_property
    def again(self) -> EmbeddedPostgres:
        """The same server, for its second start."""
        return EmbeddedPostgres(self.folder / "postgres")

    told: Told = field(default_factory=lambda: Told({AGREEMENT: terms()}))
    provider: str = ""

    async def consume(self, ending: asyncio.Event) -> None:
        """Call again and again; an answer counts when all of it has come."""
        token = grant()
        while not ending.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                while not ending.is_set():
                    headers = signed(f"http://127.0.0.1:{self.port}", TARGET, token)
                    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                    host = f"Host: 127.0.0.1:{self.port}\r\n"
                    writer.write(f"GET {TARGET} HTTP/1.1\r\n{host}{lines}\r\n".encode())
                    answer = await asyncio.wait_for(read_answer(reader), 30)
                    if answer.status == 200:
                        told = hashlib.sha256(answer.body).hexdigest()
                        receipt = answer.headers["exchange-receipt"]
                        self.answered[receipt] = (answer.headers["exchange-receipt-hash"], told)
                    else:
                        self.refused += 1
                        await asyncio.sleep(0.05)
            except (OSError, asyncio.IncompleteReadError):
                self.cut += 1
                await asyncio.sleep(0.05)
            finally:
                with contextlib.suppress(UnboundLocalError):
                    writer.close()

    async def more(self, count: int) -> None:
        """Wait until so many more calls were answered."""
        wanted = len(self.answered) + count
        async with asyncio.timeout(60):
            while len(self.answered) < wanted:  # noqa: ASYNC110 - the consumers tell nobody
                await asyncio.sleep(0.05)

    def kill_postgres(self) -> None:
        data = self.folder / "postgres" / "data"
        master = psutil.Process(int((data / "postmaster.pid").read_text().splitlines()[0]))
        for one in [master, *master.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGKILL)
        psutil.wait_procs([master], timeout=10)

    def end(self) -> None:
        others = [one for one in (self.worker, self.registry) if one is not None]
        running = [*self.gateways, *others]
        for one in running:
            one.kill()
        for one in running:
            one.wait()
            if one.stdout is not None:
                one.stdout.close()


@pytest.fixture
def city(server_folder: Path, tmp_path: Path) -> Iterator[City]:
    folder = server_folder.parent
    with EmbeddedPostgres(server_folder) as postgres:
        given = Settings(home=tmp_path / "home", database_url=postgres.url())
        with open_exchange(given) as exchange:
            furnish(exchange)
            (folder / "home" / "keys").mkdir(parents=True)
            (folder / "home" / "keys" / "ring").write_bytes(
                (tmp_path / "home" / "keys" / "ring").read_bytes()
            )
            made = City(folder, postgres, exchange)
            try:
                yield made
            finally:
                made.end()
                made.again.stop()


async def _story(city: City, *, registry: bool) -> None:
    async with FakeProvider().running() as provider:
        city.provider = provider.url
        city.start_gateway()
        city.start_gateway()
        city.start_worker()
        ending = asyncio.Event()
        consumers = [asyncio.create_task(city.consume(ending)) for _ in range(8)]
        await city.more(60)
        for _ in range(2 if os.environ.get("THOROUGH") else 1):
            city.gateways[0].kill()
            city.gateways[0].wait()
            await city.more(30)
            city.gateways.pop(0).stdout.close()  # type: ignore[union-attr]
            await asyncio.to_thread(city.start_gateway)
            await city.more(30)
        if registry:
            await _registry(city)
        city.kill_postgres()
        before = len(city.answered)
        await asyncio.sleep(1)
        assert len(city.answered) - before <= 16  # those that were on their way to the consumer
        assert city.worker is not None
        city.worker.kill()
        city.worker.wait()
        await asyncio.to_thread(city.again.start)
        await asyncio.to_thread(city.start_worker)
        await city.more(60)
        if registry:
            await city.registry_answers()
        ending.set()
        await asyncio.gather(*consumers)


async def _registry(city: City) -> None:
    """Calls go on while the registry is away, and it comes back to what it was."""
    city.start_registry()
    await city.registry_answers()
    assert city.registry is not None
    city.registry.kill()
    city.registry.wait()
    before = city.refused
    await city.more(30)
    assert city.refused == before
    await asyncio.to_thread(city.start_registry)
    await city.registry_answers()


@pytest.mark.parametrize(
    "registry", [False, pytest.param(True, marks=pytest.mark.rehearsal)], ids=["", "and a registry"]
)
def test_no_answer_without_a_receipt_and_no_broken_chain(city: City, *, registry: bool) -> None:
    run_alone(_story(city, registry=registry))
    assert city.refused or city.cut
    exchange = city.exchange
    exchange.base.database.engine.dispose()
    for receipt_id, (hashed, told) in city.answered.items():
        found = exchange.receipts.receipt(SYSTEM, receipt_id)
        assert found.receipt.body
        assert json.loads(found.receipt.body)["answer"] == f"sha256:{told}"
        assert encoded(found.receipt.hash) == hashed
    while exchange.receipts.sign_checkpoint() is not None:
        pass
    report = verify(exchange.receipts.export(SYSTEM, AGREEMENT))
    assert report.problems == []
    assert report.proven == report.receipts >= len(city.answered)
    # Each gateway that was killed, or lost its database, left a log; none of them has a gap.
    assert len({place_of(one)[0] for one in city.answered}) >= 3
    assert verify(exchange.receipts.export_checkpoints(1, 0)).problems == []
