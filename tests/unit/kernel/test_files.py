"""What is in the platform's home is read by nobody else, whatever the umask."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from control_plane.entrypoints.demo.processes import running
from foundation.kernel.files import own_file, own_folder
from foundation.kernel.secretbox import load_ring
from foundation.serving.processes import run_file


@pytest.fixture(autouse=True)
def _careless() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def others(path: Path) -> list[str]:
    """The files and folders that others could read or write."""
    return [str(each) for each in (path, *path.rglob("*")) if mode(each) & 0o066]


def test_folders_are_made_with_those_above_them(tmp_path: Path) -> None:
    made = own_folder(tmp_path / "home" / "deep" / "run")
    assert mode(made) == 0o700
    assert others(tmp_path / "home") == []


def test_a_folder_that_was_open_is_closed_but_for_passing_through(tmp_path: Path) -> None:
    for before, after in ((0o755, 0o711), (0o777, 0o711), (0o700, 0o700), (0o711, 0o711)):
        folder = tmp_path / oct(before)
        folder.mkdir(mode=before)
        assert mode(own_folder(folder)) == after


def test_a_file_that_could_be_read_no_longer_can(tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    log.write_text("before\n")
    assert mode(log) == 0o666
    with own_file(log, append=True) as file:
        file.write(b"after\n")
    assert (mode(log), log.read_text()) == (0o600, "before\nafter\n")
    with own_file(tmp_path / "new"):
        assert mode(tmp_path / "new") == 0o600


def test_logs_and_run_files_and_keys_are_ones_own(tmp_path: Path) -> None:
    home = tmp_path / "home"
    load_ring(home / "keys" / "ring")
    with (
        run_file(home / "run" / "serve.json", url="http://127.0.0.1:1"),
        running("no-such-command", {"BOROUGH_HOME": str(home)}, home / "logs") as child,
    ):
        child.wait(30)
        assert (home / "logs" / "no-such-command.log").stat().st_size
        assert (home / "run" / "serve.json").stat().st_size
        assert others(home) == []
