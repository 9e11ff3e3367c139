"""Large files through a gateway that is killed: nothing is lost, and memory stays as it was.

``TRANSFER_BYTES`` says how large, 2 GiB without it.
"""

import contextlib
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from tests.harness.agreements import in_force
from tests.harness.exchange import SYSTEM, furnish, opened
from tests.harness.exchange_gateway import SERVICE, Told, grant, signed, terms, write_told
from tests.harness.exchange_transfers import STEWARD, encoded
from workloads.data_exchange.gateway.model import Provider
from workloads.data_exchange.transfers.model import BatchState

SIZE = int(os.environ.get("TRANSFER_BYTES", str(2 * 1024**3)))
_BLOCK = 1024 * 1024
_SEED = hashlib.shake_256(b"transfers").digest(_BLOCK + 8191)
#: What a gateway may grow by while gigabytes pass.
_GROWTH = 160 * 1024**2
pytestmark = pytest.mark.rehearsal


def block(number: int) -> bytes:
    """A block of the file; neighbours differ."""
    at = number % 8191
    return _SEED[at : at + _BLOCK]


def parts(start: int) -> Iterator[bytes]:
    at = start
    while at < SIZE:
        number, inside = divmod(at, _BLOCK)
        part = block(number)[inside : inside + SIZE - at]
        yield part
        at += len(part)


class Gateway:
    """A gateway as a process."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.harness.exchange_transfer_gateway", str(folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.seen = psutil.Process(self.process.pid)

    def memory(self) -> int:
        return int(self.seen.memory_info().rss)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextlib.contextmanager
def ask(
    port: int, method: str, target: str, headers: dict[str, str]
) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    with contextlib.closing(connection):
        connection.request(method, target, headers=headers)
        with connection.getresponse() as answer:
            yield answer


TUS = {"Tus-Resumable": "1.0.0", "Authorization": "Bearer steward"}


def offset(port: int, where: str) -> int:
    with ask(port, "HEAD", where, TUS) as answer:
        return int(answer.headers["Upload-Offset"])


def test_gigabytes_come_and_go_through_gateways_that_are_killed(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    with opened(postgres, tmp_path) as exchange:
        furnish(exchange)
        agreement = in_force(exchange).agreement
        told = Told()
        told.terms[agreement] = terms(agreement=agreement)
        told.providers[SERVICE] = Provider(SERVICE, "http://127.0.0.1:9")
        write_told(tmp_path, exchange.base.database.url, told)
        (tmp_path / "home.json").write_text(json.dumps({"home": str(tmp_path)}))
        batch = exchange.handing.batches.create(STEWARD, agreement, title="Large", days=1)
        gateways: list[Gateway] = []
        try:
            digest = _sent(tmp_path, batch.id, gateways)
            listed = [{"name": "large.bin", "size": SIZE, "digest": f"sha256:{digest}"}]
            exchange.handing.batches.seal(STEWARD, batch.id, files=listed)
            checking = exchange.handing.checking
            (file,) = checking.files(batch.id)
            found = checking.digest(file, lambda: False, lambda _part: None)
            assert found == {"digest": f"sha256:{digest}"}
            checking.publish(batch.id, {file: found})
            assert exchange.handing.batches.batch(SYSTEM, batch.id).state is BatchState.PUBLISHED
            _fetched(tmp_path, f"/batches/{batch.id}/files/{file}", agreement, digest, gateways)
        finally:
            for one in gateways:
                if one.process.poll() is None:
                    one.kill()


def _sent(folder: Path, batch: str, gateways: list[Gateway]) -> str:
    """Send it; the gateway is killed at a third and at two thirds. Answers its digest."""
    gateways.append(Gateway(folder))
    meta = f"batch {encoded(batch)},filename {encoded('large.bin')}"
    given = {**TUS, "Upload-Length": str(SIZE), "Upload-Metadata": meta}
    with ask(gateways[-1].port, "POST", "/uploads", given) as made:
        where, at, said = made.headers["Location"], 0, 0
    for kill_at in (SIZE // 3, SIZE * 2 // 3, SIZE + 1):
        here = gateways[-1]
        at, sent = offset(here.port, where), at
        # What the gateway said that it has is there after the kill; what was on its way may not be.
        assert said <= at <= sent
        before = 0
        connection = http.client.HTTPConnection("127.0.0.1", here.port, timeout=120)
        connection.putrequest("PATCH", where)
        for name, value in TUS.items():
            connection.putheader(name, value)
        connection.putheader("Content-Type", "application/offset+octet-stream")
        connection.putheader("Upload-Offset", str(at))
        connection.putheader("Content-Length", str(SIZE - at))
        connection.endheaders()
        first = at
        for part in parts(at):
            connection.send(part)
            at += len(part)
            if not before and at - first >= min(128 * _BLOCK, SIZE // 8):
                before = here.memory()
            if at >= kill_at:
                break
        grown = here.memory() - before
        print(f"sent up to {at}: rss {here.memory() >> 20} MiB, grown {grown >> 20} MiB")
        assert grown < _GROWTH
        if at >= kill_at:
            said = offset(here.port, where)
            assert said > first
            here.kill()
            gateways.append(Gateway(folder))
        else:
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Upload-Offset"]) == (204, str(SIZE))
        connection.close()
    hashed = hashlib.sha256()
    for part in parts(0):
        hashed.update(part)
    return hashed.hexdigest()


def _fetched(
    folder: Path, target: str, agreement: str, digest: str, gateways: list[Gateway]
) -> None:
    """Fetch it; the gateway is killed in the middle, and it goes on there."""
    token, hashed, at = grant(agreement=agreement), hashlib.sha256(), 0
    for kill_at in (SIZE // 2, SIZE + 1):
        here, before = gateways[-1], 0
        headers = signed(f"http://127.0.0.1:{here.port}", target, token)
        if at:
            headers |= {"Range": f"bytes={at}-", "If-Range": f'"sha256:{digest}"'}
        first = at
        with (
            contextlib.suppress(http.client.IncompleteRead, ConnectionError),
            ask(here.port, "GET", target, headers) as answer,
        ):
            assert answer.status == (206 if at else 200), answer.read()
            while at < kill_at and (part := answer.read(_BLOCK)):
                hashed.update(part)
                at += len(part)
                if not before and at - first >= min(128 * _BLOCK, SIZE // 8):
                    before = here.memory()
        grown = here.memory() - before
        print(f"fetched up to {at}: rss {here.memory() >> 20} MiB, grown {grown >> 20} MiB")
        assert grown < _GROWTH
        if at >= kill_at:
            here.kill()
            gateways.append(Gateway(folder))
    assert at == SIZE
    assert hashed.hexdigest() == digest
