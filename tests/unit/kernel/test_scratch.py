"""Folders that outlive nobody: what a killed process leaves, the next one removes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foundation.kernel.scratch import Scratch

HOLD = """
import os, sys, time
from pathlib import Path
from foundation.kernel.scratch import Scratch
made = Scratch("thing-", Path(sys.argv[1]))
(made.path / "kept").write_text("secret")
if sys.argv[2] == "fork" and os.fork():
    os.write(1, f"{made.path}\\n".encode())
    time.sleep(600)
os.write(1, f"{made.path}\\n".encode())
sys.stdin.readline()
"""


def holder(place: Path, how: str = "alone") -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(place), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    paths = {process.stdout.readline() for _ in range(2 if how == "fork" else 1)}
    (path,) = paths
    return process, Path(path.strip())


def grow_old(path: Path) -> None:
    before = time.time() - 3600
    os.utime(path, (before, before))


def test_it_is_gone_after_its_block(tmp_path: Path) -> None:
    with Scratch("thing-", tmp_path) as scratch:
        assert scratch.path.parent == tmp_path
        assert scratch.path.stat().st_mode & 0o777 == 0o700
        (scratch.path / "deep").mkdir()
    assert list(tmp_path.iterdir()) == []
    scratch.close()


def test_what_a_killed_process_left_goes_with_the_next_one(tmp_path: Path) -> None:
    process, left = holder(tmp_path)
    other = tmp_path / "thing-that-holds-no-lock"
    other.mkdir()
    for path in (left, other):
        grow_old(path)
    with process, Scratch("thing-", tmp_path):
        assert (left / "kept").exists(), "it is held"
        process.kill()
        process.wait()
    assert left.exists()
    with Scratch("thing-", tmp_path):
        assert not left.exists()
        assert other.exists(), "of another maker"


def test_a_forked_child_holds_it_too(tmp_path: Path) -> None:
    process, path = holder(tmp_path, "fork")
    grow_old(path)
    with process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with Scratch("thing-", tmp_path):
            assert path.exists(), "the child still works in it"
        process.communicate("\n")  # lets the child end
    with Scratch("thing-", tmp_path):
        assert not path.exists()


def test_one_that_is_just_being_made_is_left_alone(tmp_path: Path) -> None:
    young = tmp_path / "thing-held-young"
    young.mkdir()
    with Scratch("thing-", tmp_path):
        assert young.exists()
    grow_old(young)
    with Scratch("thing-", tmp_path):
        assert not young.exists()


def test_a_link_and_somebody_elses_are_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (tmp_path / "thing-held-link").symlink_to(target)
    grow_old(target)
    foreign = tmp_path / "thing-held-foreign"
    foreign.mkdir()
    if os.geteuid() == 0:
        os.chown(foreign, 65534, 65534)
        grow_old(foreign)
    with Scratch("thing-", tmp_path):
        assert target.exists()
        assert foreign.exists()


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Scratch("thing-", tmp_path / "nowhere")
