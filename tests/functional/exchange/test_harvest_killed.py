"""A real worker is killed while it reads another platform; the next one goes on where it was."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.paging import PageRequest
from foundation.kernel.text import Text
from tests.fakes.catalogues import Answer, platform
from tests.harness.exchange import CIVIL, SYSTEM, exchange_database, furnish
from workloads.data_exchange.bootstrap import Exchange, open_exchange
from workloads.data_exchange.directory.searching import Query
from workloads.data_exchange.harvesting.model import SourceProtocol, SourceRunState
from workloads.data_exchange.settings import Settings

ROOT = Path(__file__).parents[3]
_PAGES, _EACH = 6, 20
_ENTRY = """<https://p.example/{n}> a <http://www.w3.org/ns/dcat#Dataset> ;
  <http://purl.org/dc/terms/title> "Set {n}"@en, "数据集{n}"@zh .
"""


@pytest.fixture
def exchange(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[Exchange]:
    with exchange_database(postgres) as url:
        given = Settings(
            home=tmp_path, database_url=url.replace("postgresql+psycopg", "postgresql"),
            provider_networks="127.0.0.0/8",
        )  # fmt: skip
        with open_exchange(given, upgrade=False) as exchange:
            furnish(exchange)
            yield exchange


def worker(exchange: Exchange, name: str) -> subprocess.Popen[bytes]:
    settings = exchange.settings
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "BOROUGH_EXCHANGE_HOME": str(settings.home),
        "BOROUGH_EXCHANGE_DATABASE_URL": settings.database_url,
        "BOROUGH_EXCHANGE_PROVIDER_NETWORKS": "127.0.0.0/8", "BOROUGH_EXCHANGE_WORKER_ID": name,
        "BOROUGH_EXCHANGE_HEARTBEAT_SECONDS": "1", "BOROUGH_EXCHANGE_LEASE_SECONDS": "4",
    }  # fmt: skip
    command = [sys.executable, "-m", "workloads.data_exchange.entrypoints.cli", "worker"]
    with (settings.home / f"{name}.log").open("ab") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)


def wait(condition: Callable[[], object], seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def test_nothing_is_lost_or_twice_when_a_worker_is_killed(exchange: Exchange) -> None:
    harvesting = exchange.cataloguing.harvesting
    gate = threading.Event()
    with platform() as there:
        for page in range(_PAGES):
            text = "".join(_ENTRY.format(n=page * _EACH + n) for n in range(_EACH))
            more = {"Link": f'<{there.url}/{page + 1}>; rel="next"'} if page < _PAGES - 1 else {}
            there.answers[f"/{page}"] = Answer(text.encode(), headers=more)
        there.answers["/3"].gate = gate
        source = _mount(exchange, f"{there.url}/0")
        first = worker(exchange, "first")
        try:
            wait(lambda: any(path == "/3" for path, _ in there.asked))
            first.send_signal(signal.SIGKILL)
            first.wait(10)
            there.answers["/3"].gate = None
            second = worker(exchange, "second")
            try:
                wait(lambda: _state(exchange, source) is not SourceRunState.RUNNING)
            finally:
                second.terminate()
                second.wait(20)
        finally:
            gate.set()
            if first.poll() is None:
                first.kill()
                first.wait(10)
        asked = [path for path, _ in there.asked]
    [run] = harvesting.runs(SYSTEM, source, PageRequest()).items
    assert (run.state, run.found, run.changed) == (SourceRunState.SUCCEEDED, 120, 120)
    assert exchange.cataloguing.search.count(SYSTEM, Query()).total == _PAGES * _EACH
    # What was read before is not read again; the page that it died at is.
    assert asked == ["/0", "/1", "/2", "/3", "/3", "/4", "/5"]


def _mount(exchange: Exchange, url: str) -> str:
    return exchange.cataloguing.harvesting.mount(
        SYSTEM,
        agency=CIVIL,
        protocol=SourceProtocol.DCAT,
        url=url,
        title=Text("Province", "省"),
        hours=0,
    ).id


def _state(exchange: Exchange, source: str) -> SourceRunState | None:
    runs = exchange.cataloguing.harvesting.runs(SYSTEM, source, PageRequest()).items
    return runs[0].state if runs else None
