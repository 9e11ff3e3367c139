"""``borough-exchange gateway`` as a process: it answers, shares its port, and ends in order."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.processes import spawn
from tests.harness.exchange import exchange_database


def started(home: Path, url: str, workers: int) -> "tuple[subprocess.Popen[bytes], int]":
    given = {
        "BOROUGH_EXCHANGE_HOME": str(home), "BOROUGH_EXCHANGE_GATEWAY_WORKERS": str(workers),
        "BOROUGH_EXCHANGE_DATABASE_URL": url.replace("+psycopg", ""),
        "BOROUGH_EXCHANGE_GATEWAY_PORT": "0",
    }  # fmt: skip
    made = spawn(
        [sys.executable, "-m", "workloads.data_exchange.entrypoints.cli", "gateway"],
        environment={**os.environ, **given}, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert made.stdout is not None
    line = made.stdout.readline().decode()
    return made, int(line.strip().rpartition(":")[2])


def listening(pid: int, port: int) -> int:
    """How many processes of a family listen on a port."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(
        any(c.status == "LISTEN" and c.laddr.port == port for c in one.net_connections())
        for one in family
    )


def test_workers_share_the_port_and_end_together(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    with exchange_database(postgres) as url:
        gateway, port = started(tmp_path, url, 2)
        try:
            began = time.monotonic()
            while listening(gateway.pid, port) < 2:
                assert time.monotonic() - began < 60
                time.sleep(0.1)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
                assert answer.status == 200
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/services/x/y", timeout=10).close()
            assert refused.value.code == 401
            refused.value.close()
            family = psutil.Process(gateway.pid).children(recursive=True)
            gateway.send_signal(signal.SIGTERM)
            assert gateway.wait(40) == 0
            gone, left = psutil.wait_procs(family, timeout=10)
            assert gone
            assert left == []
        finally:
            gateway.kill()
            gateway.wait()
            gateway.stdout.close()  # type: ignore[union-attr]
