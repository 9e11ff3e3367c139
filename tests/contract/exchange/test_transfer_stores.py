"""Where segments lie: a folder, and what speaks S3. ``S3_SERVER`` names a program of Versity's
S3 gateway (``go install github.com/versity/versitygw/cmd/versitygw``), which is then asked too.
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.adapters.clock import SystemClock
from tests.fakes.object_store import ACCESS, BUCKET, SECRET, FakeObjectStore
from workloads.data_exchange.transfers.folder import FolderStore
from workloads.data_exchange.transfers.model import SEGMENT_BYTES
from workloads.data_exchange.transfers.ports import Missing, Store, StoreFailed
from workloads.data_exchange.transfers.s3 import Bucket, S3Store

SERVER = os.environ.get("S3_SERVER", "")
KINDS = ["folder", "fake", *(["s3"] if SERVER else [])]


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "folder":
        yield FolderStore(tmp_path / "transfers")
    elif request.param == "fake":
        with FakeObjectStore().running() as fake:
            yield S3Store(Bucket(fake.url, BUCKET, ACCESS, SECRET, prefix="exchange/"))
    else:
        yield from _real(tmp_path)


def _real(folder: Path) -> Iterator[Store]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "objects" / BUCKET).mkdir(parents=True)
    command = [SERVER, "--access", ACCESS, "--secret", SECRET, "--port", f"127.0.0.1:{port}",
               "posix", "--nometa", str(folder / "objects")]  # fmt: skip
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as it,
    ):
        try:
            for _ in range(200):
                with socket.socket() as asked:
                    if asked.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            made = Bucket(f"http://127.0.0.1:{port}", BUCKET, ACCESS, SECRET, prefix="exchange/")
            yield S3Store(made)
        finally:
            it.terminate()


def test_what_is_kept_is_there_until_it_is_removed(store: Store) -> None:
    data = os.urandom(SEGMENT_BYTES)
    store.put("segments/ab/seg_1", data)
    assert store.get("segments/ab/seg_1") == data
    store.put("segments/ab/seg_1", b"")
    assert store.get("segments/ab/seg_1") == b""
    store.delete("segments/ab/seg_1")
    store.delete("segments/ab/seg_1")
    with pytest.raises(Missing):
        store.get("segments/ab/seg_1")


def test_all_of_it_is_listed(store: Store) -> None:
    names = {f"segments/{n % 3}x/seg_{n}" for n in range(8)}
    for name in names:
        store.put(name, b"x")
    listed = dict(store.kept())
    assert set(listed) == names
    assert all(at <= SystemClock().now() for at in listed.values())
    assert store.free() is None or (store.free() or 0) > 0


def test_a_folder_takes_no_keys_that_lead_elsewhere(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "transfers")
    (tmp_path / "secret").write_text("secret")
    store.put("a/b", b"x")
    (tmp_path / "transfers" / "a" / "link").symlink_to(tmp_path / "secret")
    for key in (
        "../secret",
        "a/../../secret",
        "/etc/passwd",
        "a\x00b",
        "",
        "a//b",
        "a/.",
        "é",
        "a.b",
    ):
        for ask in (store.get, store.delete):
            with pytest.raises(StoreFailed):
                ask(key)
        with pytest.raises(StoreFailed):
            store.put(key, b"")
    with pytest.raises(StoreFailed):
        store.get("a/link")
    # Others may pass through at most; they list and read nothing.
    assert (tmp_path / "transfers").stat().st_mode & 0o066 == 0
    assert (tmp_path / "transfers" / "a" / "b").stat().st_mode & 0o077 == 0


def test_what_the_store_refuses_is_told_without_its_words() -> None:
    with FakeObjectStore().running() as fake:
        wrong = S3Store(Bucket(fake.url, BUCKET, ACCESS, "another"))
        with pytest.raises(StoreFailed) as caught:
            wrong.put("a", b"x")
        assert "another" not in str(caught.value)
        assert fake.url not in str(caught.value)
        assert SECRET not in repr(Bucket(fake.url, BUCKET, ACCESS, SECRET))
        store = S3Store(Bucket(fake.url, BUCKET, ACCESS, SECRET), seconds=2)
        fake.failing = 403
        for work in (
            lambda: store.put("a", b""),
            lambda: store.get("a"),
            lambda: list(store.kept()),
        ):
            with pytest.raises(StoreFailed):
                work()
