"""Signed calls with durable receipts through the gateway, beside nginx and the provider itself.

    .venv/bin/python -m tests.benchmarks.exchange.gateway [--calls 20000] [--bulk 10]

All in one run on one machine: the provider asked directly; nginx (Debian's package) as a plain
reverse proxy before it; the gateway with one worker and with two, on a PostgreSQL that syncs. A
shared machine makes wall time say little, so the seconds of CPU that each process took for a call
stand beside it, and of the database. Proofs are signed before the clock starts.
"""

import argparse
import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import uvloop

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.database import Database
from tests.benchmarks.exchange.users import Found, drive
from tests.harness.exchange_gateway import (
    AGREEMENT,
    SERVICE,
    Told,
    grant,
    signed,
    terms,
    write_told,
)
from workloads.data_exchange.gateway.model import Provider
from workloads.data_exchange.migrations import SCHEMA

_NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log {folder}/access.log; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream behind {{ server 127.0.0.1:{behind}; keepalive 64; }}
  server {{ listen 127.0.0.1:{port}; keepalive_requests 1000000;
    location / {{
      proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection "";
    }} }}
}}
"""
_AT_ONCE, _FEW = 64, 16
#: Calls before those that are measured.
_WARM = 1000


def _cpu(pids: "list[int]") -> float:
    total = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(psutil.Process(pid).cpu_times()[:2])
    return total


def _started(command: "list[str]") -> "tuple[subprocess.Popen[str], int]":
    made = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert made.stdout is not None
    line = made.stdout.readline()
    return made, int(line)


def _show(name: str, found: Found, cpu: float, database: float = 0.0) -> None:
    calls = len(found.seconds)
    behind = f"  database {database / calls * 1e6:4.0f} us" if database else ""
    print(
        f"{name:34} {found.rate:8.0f}/s  p50 {found.percentile(0.5):6.1f} ms  "
        f"p99 {found.percentile(0.99):6.1f} ms  CPU {cpu / calls * 1e6:6.0f} us a call = "
        f"{calls / cpu if cpu else 0:6.0f}/s a core{behind}"
        f"{f'  NOT ANSWERED {found.bad}' if found.bad else ''}",
        flush=True,
    )


def _database_pids(folder: Path) -> "list[int]":
    """The server's processes; those that end are counted by their parent."""
    first = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
    return [first, *(child.pid for child in psutil.Process(first).children())]


def _plain(target: str, calls: int) -> "list[bytes]":
    return [f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()] * calls


def _signed(port: int, calls: int) -> "list[bytes]":
    token, target = grant(), f"/services/{SERVICE}/people?a=1"
    made = []
    for _ in range(calls):
        headers = signed(f"http://127.0.0.1:{port}", target, token, at=datetime.now(UTC))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        made.append(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{lines}\r\n".encode())
    return made


@contextlib.contextmanager
def _nginx(folder: Path, behind: int) -> "Iterator[tuple[int, list[int]] | None]":
    program = os.environ.get("NGINX_PROGRAM") or shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        yield None
        return
    port = behind + 1 if behind < 60000 else behind - 1
    conf = folder / "nginx.conf"
    conf.write_text(_NGINX.format(folder=folder, behind=behind, port=port))
    made = subprocess.Popen([program, "-c", str(conf), "-p", str(folder)])
    time.sleep(1)
    try:
        children = [child.pid for child in psutil.Process(made.pid).children()]
        yield port, [made.pid, *children]
    finally:
        made.terminate()
        made.wait()


@contextlib.contextmanager
def _gateways(folder: Path, database: str, behind: int, workers: int, *, raw: bool = False
              ) -> "Iterator[tuple[int, list[int]]]":  # fmt: skip
    told = Told(
        {AGREEMENT: terms()},
        {SERVICE: Provider(SERVICE, f"http://127.0.0.1:{behind}",
                           paths=("/people", "/big/{size}"), raw=raw)},
    )  # fmt: skip
    port, running = 0, []
    try:
        for _ in range(workers):
            write_told(folder, database, told, port)
            made, port = _started(
                [sys.executable, "-m", "tests.harness.exchange_gateway", str(folder)]
            )
            running.append(made)
        yield port, [one.pid for one in running]
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait()
            one.stdout.close()  # type: ignore[union-attr]


async def _bulk(port: int, gigabytes: float, pid: int) -> None:
    size = int(gigabytes * 1e9)
    target = f"/services/{SERVICE}/big/{size}"
    headers = signed(f"http://127.0.0.1:{port}", target, grant())
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{lines}\r\n".encode())
    process, peak, got, began = psutil.Process(pid), 0, 0, time.perf_counter()
    await reader.readuntil(b"\r\n\r\n")
    first, look = process.memory_info().rss, 0
    before = _cpu([pid])
    while got < size and (part := await reader.read(1 << 20)):
        got += len(part)
        if got >= look:
            peak, look = max(peak, process.memory_info().rss), look + 100_000_000
    wall = time.perf_counter() - began
    writer.close()
    print(
        f"bulk: {got / 1e9:.1f} of {size / 1e9:.1f} GB in {wall:.0f} s "
        f"({got / wall / 1e6:.0f} MB/s); "
        f"gateway's memory {first / 1e6:.0f} MB at the first byte, {peak / 1e6:.0f} MB at most; "
        f"CPU {(_cpu([pid]) - before) / (got / 1e9):.2f} s a GB"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--bulk", type=float, default=0.0, help="gigabytes through the gateway")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL's own user passes through
        postgres = stack.enter_context(EmbeddedPostgres(folder / "postgres"))
        database = Database(postgres.url())
        stack.callback(database.close)
        SCHEMA.upgrade(database)
        behind, port = _started([sys.executable, "-m", "tests.benchmarks.exchange.provider"])
        stack.callback(behind.wait)
        stack.callback(behind.terminate)
        if given.calls:
            _calls(given.calls, folder, postgres.url(), port, behind.pid)
        if given.bulk:
            with _gateways(folder, postgres.url(), port, 1, raw=True) as (gate, pids):
                uvloop.run(_bulk(gate, given.bulk, pids[0]))


def _calls(calls: int, folder: Path, database: str, behind: int, provider: int) -> None:
    def plain(port: int) -> Found:
        return uvloop.run(drive([port], iter(_plain("/people?a=1", calls)), _AT_ONCE))

    before = _cpu([provider])
    _show("provider itself", plain(behind), _cpu([provider]) - before)
    with _nginx(folder, behind) as proxy:
        if proxy is None:
            print("nginx is not installed: its line is missing")
        else:
            before = _cpu(proxy[1])
            _show("nginx, nothing signed or written", plain(proxy[0]), _cpu(proxy[1]) - before)
    for workers in (1, 2):
        with _gateways(folder, database, behind, workers) as (port, pids):
            uvloop.run(drive([port], iter(_signed(port, _WARM)), _AT_ONCE))
            for users in (_AT_ONCE, _FEW):
                requests = _signed(port, calls)
                servers = _database_pids(folder / "postgres")
                before, kept = _cpu(pids), _cpu(servers)
                found = uvloop.run(drive([port], iter(requests), users))
                name = f"gateway, {workers} worker(s), {users} at once"
                _show(name, found, _cpu(pids) - before, _cpu(servers) - kept)


if __name__ == "__main__":
    main()
