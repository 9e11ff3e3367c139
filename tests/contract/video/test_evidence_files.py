"""The evidence store: content by its digest, whole or not at all, whoever writes at once."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest

from foundation.kernel.errors import NotFound
from workloads.video_analytics.events.files import FolderEvidence
from workloads.video_analytics.events.model import CLIP, JPEG


@pytest.fixture
def files(tmp_path: Path) -> FolderEvidence:
    return FolderEvidence(tmp_path / "evidence")


def test_content_is_found_by_its_digest(files: FolderEvidence, tmp_path: Path) -> None:
    ref = files.put(b"a picture", JPEG)
    assert (ref.sha256, ref.size, ref.kind) == (hashlib.sha256(b"a picture").hexdigest(), 9, JPEG)
    source = tmp_path / "clip.mp4"
    source.write_bytes(b"x" * 3_000_000)
    clip = files.put(source, CLIP)
    with files.open(clip.sha256) as file:
        assert file.read() == source.read_bytes()
    assert files.put(b"a picture", JPEG) == ref
    assert set(files.names()) == {ref.sha256, clip.sha256}


def test_only_this_user_reads_it(files: FolderEvidence, tmp_path: Path) -> None:
    ref = files.put(b"a picture", JPEG)
    path = tmp_path / "evidence" / ref.sha256[:2] / ref.sha256
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o066 == 0


def test_names_that_are_no_digests_lead_nowhere(files: FolderEvidence) -> None:
    files.put(b"a picture", JPEG)
    for name in ("", "..", "../../etc/passwd", "0" * 63, "0" * 64, "A" * 64, f"{'0' * 64}\n"):
        with pytest.raises(NotFound):
            files.open(name)
        assert not files.matches(name)
    with pytest.raises(ValueError, match="no kind"):
        files.put(b"x", "text/html")


def test_a_damaged_file_is_found_and_put_right(files: FolderEvidence, tmp_path: Path) -> None:
    ref = files.put(b"a picture", JPEG)
    path = tmp_path / "evidence" / ref.sha256[:2] / ref.sha256
    path.write_bytes(b"cut")
    assert not files.matches(ref.sha256)
    files.put(b"a picture", JPEG)
    assert files.matches(ref.sha256)


def test_what_somebody_just_put_is_left_alone(files: FolderEvidence, tmp_path: Path) -> None:
    ref = files.put(b"a picture", JPEG)
    assert not files.remove(ref.sha256, untouched_for=60)
    old = time.time() - 3600
    os.utime(tmp_path / "evidence" / ref.sha256[:2] / ref.sha256, (old, old))
    files.put(b"a picture", JPEG)  # again: the clock of the removal begins anew
    assert not files.remove(ref.sha256, untouched_for=60)
    assert files.remove(ref.sha256)
    assert not files.remove(ref.sha256)
    with pytest.raises(NotFound):
        files.open(ref.sha256)


def test_many_put_and_remove_the_same_content_at_once(files: FolderEvidence) -> None:
    content = [bytes([n]) * 50_000 for n in range(4)]

    def work(n: int) -> str:
        ref = files.put(content[n % 4], JPEG)
        if n % 3 == 0:
            files.remove(ref.sha256)
            ref = files.put(content[n % 4], JPEG)
        return ref.sha256

    with ThreadPool(8) as pool:
        pool.map(work, range(80))
    for name in files.names():
        assert files.matches(name)
    assert files.forget_drafts(0) == 0


def test_a_writer_killed_at_any_moment_leaves_whole_files_only(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    program = (
        "import sys, pathlib, itertools\n"
        "from workloads.video_analytics.events.files import FolderEvidence\n"
        "files = FolderEvidence(pathlib.Path(sys.argv[1]))\n"
        "print('ready', flush=True)\n"
        "for n in itertools.count():\n"
        "    files.put(n.to_bytes(8, 'big') * 60_000, 'image/jpeg')\n"
    )
    for n in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(0.05 + 0.07 * n)
            writer.send_signal(signal.SIGKILL)
    files = FolderEvidence(folder)
    names = list(files.names())
    assert names
    assert all(files.matches(name) for name in names)
    files.forget_drafts(0)
    assert not list((folder / "drafts").iterdir())
