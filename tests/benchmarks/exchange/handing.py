"""What batches and events cost: a file through the gateway beside a plain copy and a plain HTTP
server, and events published beside plain INSERTs, in one run.

    .venv/bin/python -m tests.benchmarks.exchange.handing [--mib 256] [--events 5000]

The gateway is a process of its own. It stores each 8 MiB with fsync and its digest, and hands out
with a receipt before and after; the peers do none of that.
"""

import argparse
import contextlib
import functools
import http.client
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from tests.harness.agreements import in_force
from tests.harness.exchange import furnish, opened
from tests.harness.exchange_gateway import SERVICE, Told, grant, signed, terms, write_told
from tests.harness.exchange_transfers import OFFSET, STEWARD, digest, encoded
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.events.cloudevents import BATCHED
from workloads.data_exchange.gateway.model import Provider

_MIB = 1024 * 1024
_TOPIC = "svc_households"


def _ask(
    port: int, method: str, target: str, headers: Mapping[str, str], body: object = None
) -> tuple[Mapping[str, str], int]:
    """Headers of an answer, and the bytes of its body, which is read and left."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    with contextlib.closing(connection):
        connection.request(method, target, body, dict(headers))  # type: ignore[arg-type]
        answer, size = connection.getresponse(), 0
        if answer.status >= 300:
            raise SystemExit(f"{method} {target}: {answer.status} {answer.read()!r}")
        while part := answer.read(_MIB):
            size += len(part)
        return answer.headers, size


@contextlib.contextmanager
def _gateway(folder: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "tests.harness.exchange_transfer_gateway", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@contextlib.contextmanager
def _plain(folder: Path) -> Iterator[int]:
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _timed(name: str, size: int, began: float) -> float:
    rate = size / _MIB / (time.perf_counter() - began)
    print(f"{name:34} {rate:8.0f} MiB/s")
    return rate


def _files(exchange: Exchange, folder: Path, agreement: str, port: int, size: int) -> None:
    data = os.urandom(size)
    there, copy = folder / "large.bin", folder / "copy.bin"
    there.write_bytes(data)
    began = time.perf_counter()
    with there.open("rb") as one, copy.open("wb") as two:
        shutil.copyfileobj(one, two, _MIB)
        two.flush()
        os.fsync(two.fileno())
    copied = _timed("plain copy, one fsync", size, began)
    batch = exchange.handing.batches.create(STEWARD, agreement, title="Large", days=1)
    tus = {"Tus-Resumable": "1.0.0", "Authorization": "Bearer steward"}
    meta = f"batch {encoded(batch.id)},filename {encoded('large.bin')}"
    made, _ = _ask(port, "POST", "/uploads", {**tus, "Upload-Length": str(size),
                                             "Upload-Metadata": meta})  # fmt: skip
    began = time.perf_counter()
    given = {**tus, "Upload-Offset": "0", "Content-Type": OFFSET, "Content-Length": str(size)}
    with there.open("rb") as file:
        _ask(port, "PATCH", made["Location"], given, file)
    sent = _timed("in by tus (segments, fsync each)", size, began)
    listed = [{"name": "large.bin", "size": size, "digest": digest(data)}]
    exchange.handing.batches.seal(STEWARD, batch.id, files=listed)
    checking = exchange.handing.checking
    began = time.perf_counter()
    found = {
        one: checking.digest(one, lambda: False, lambda _part: None)
        for one in checking.files(batch.id)
    }
    checking.publish(batch.id, found)
    _timed("read again and compared", size, began)
    (file_id,) = found
    target = f"/batches/{batch.id}/files/{file_id}"
    token = grant(agreement=agreement)
    began = time.perf_counter()
    _, got = _ask(port, "GET", target, signed(f"http://127.0.0.1:{port}", target, token))
    fetched = _timed("out by the gateway, with receipts", got, began)
    with _plain(folder) as plain:
        began = time.perf_counter()
        _, got = _ask(plain, "GET", "/large.bin", {})
        peer = _timed("out by a plain HTTP server", got, began)
    print(f"in / plain copy {sent / copied:.2f}; out / plain HTTP {fetched / peer:.2f}")


def _events(exchange: Exchange, port: int, count: int) -> None:
    exchange.handing.topics.create(
        STEWARD, dataset="dst_households", service=_TOPIC, partitions=8, retention_days=7,
        bytes_max=1024**3,
    )  # fmt: skip
    rates = {}
    for each in (1, 10, 100, 1_000):
        bodies = [
            json.dumps(
                [
                    {"specversion": "1.0", "id": f"{each}-{n}", "source": "/c", "type": "t",
                     "partitionkey": str(n % 50), "data": {"id": str(n), "name": "somebody"}}
                    for n in range(at, min(at + each, count))
                ]
            ).encode()
            for at in range(0, count if each > 1 else count // 10, each)
        ]  # fmt: skip
        headers = {"Authorization": "Bearer steward", "Content-Type": BATCHED}
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        with contextlib.closing(connection):
            began = time.perf_counter()
            for body in bodies:
                connection.request("POST", f"/topics/{_TOPIC}/events", body, headers)
                told = connection.getresponse().read()
                assert told.startswith(b'{"taken":'), told
            seconds = time.perf_counter() - began
        published = len(bodies) * each / seconds
        rates[each] = (published, _inserted(exchange, bodies))
    for each, (published, plain) in rates.items():
        print(
            f"published, {each:4} a request: {published:7.0f}/s; plain INSERT, {each:4} a commit: "
            f"{plain:7.0f}/s; ratio {published / plain:.2f}"
        )


def _inserted(exchange: Exchange, bodies: list[bytes]) -> float:
    url = exchange.base.database.url.replace("+psycopg", "")
    count = 0
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS plain (id bigserial PRIMARY KEY, body text)")
        connection.commit()
        began = time.perf_counter()
        for body in bodies:
            rows = [(json.dumps(one),) for one in json.loads(body)]
            connection.cursor().executemany("INSERT INTO plain (body) VALUES (%s)", rows)
            connection.commit()
            count += len(rows)
        return count / (time.perf_counter() - began)


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--mib", type=int, default=256)
    asked.add_argument("--events", type=int, default=5_000)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            EmbeddedPostgres(folder / "postgres") as postgres,
            opened(postgres, folder) as exchange,
        ):
            furnish(exchange)
            agreement = in_force(exchange).agreement
            told = Told()
            told.terms[agreement] = terms(agreement=agreement)
            told.providers[SERVICE] = Provider(SERVICE, "http://127.0.0.1:9")
            write_told(folder, exchange.base.database.url, told)
            (folder / "home.json").write_text(json.dumps({"home": str(folder)}))
            with _gateway(folder) as port:
                _files(exchange, folder, agreement, port, given.mib * _MIB)
                _events(exchange, port, given.events)


if __name__ == "__main__":
    main()
