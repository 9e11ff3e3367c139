"""Finds Ansible, or installs the pinned one into an environment of its own."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from foundation.kernel.errors import Unavailable
from foundation.kernel.files import own_folder

PROGRAM = "ansible-playbook"
#: Older ones know no texts that are never templates, on which all inputs rest.
_OLDEST = (2, 16)
_PINS = Path(__file__).with_name("requirements.txt")
_SECONDS = 300.0
_RETRY_SECONDS = 300.0
_VERSION = re.compile(r"\[core (\d+)\.(\d+)")


class Installation:
    """Where Ansible is; safe to use from many threads and processes.

    Args:
        home: folder into which it is installed when it is missing.
        search_path: folders that are searched first; ``PATH`` comes after.
        install: whether a missing one may be installed, from the package index that pip uses.
    """

    def __init__(self, home: Path, *, search_path: str = "", install: bool = True) -> None:
        self._home = home
        self._search_path = search_path
        self._install = install
        self._lock = threading.Lock()
        self._found: Path | None = None

    def find(self) -> Path:
        """The path of ``ansible-playbook``.

        Raises:
            Unavailable: there is none, and it may not or cannot be installed.
        """
        with self._lock:
            if self._found is None or not self._found.exists():
                self._found = self._look() or self._make()
            return self._found

    def _look(self) -> Path | None:
        own = str(self._home / "bin")
        paths = [p for p in (self._search_path, os.environ.get("PATH", ""), own) if p]
        for folder in os.pathsep.join(paths).split(os.pathsep):
            program = Path(folder) / PROGRAM
            if os.access(program, os.X_OK) and _version(program) >= _OLDEST:
                return program
        return None

    def _make(self) -> Path:
        if not self._install:
            raise Unavailable("Ansible is not on PATH, and may not be installed", _RETRY_SECONDS)
        own_folder(self._home.parent)
        # Processes that come together wait for each other. What a killed one left does not run,
        # is not found, and is filled again.
        with (self._home.parent / f".{self._home.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            program = self._home / "bin" / PROGRAM
            if _version(program) < _OLDEST:
                self._fill(self._home)
            if _version(program) < _OLDEST:
                raise Unavailable("Ansible was installed and does not run", _RETRY_SECONDS)
            return program

    def _fill(self, folder: Path) -> None:
        uv = shutil.which("uv")
        python = str(folder / "bin" / "python")
        pins = ["--require-hashes", "--no-deps", "-r", str(_PINS)]
        if uv:
            _run([uv, "venv", "-q", "--allow-existing", "--python", sys.executable, str(folder)])
            _run([uv, "pip", "install", "-q", "--python", python, *pins])
            return
        _run([sys.executable, "-m", "venv", str(folder)])
        quiet = ["-q", "--disable-pip-version-check", "--no-input", "--no-compile"]
        _run([python, "-m", "pip", "install", *quiet, *pins])


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - our own command
            command, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"Ansible could not be installed: {error}", _RETRY_SECONDS) from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-500:]
        raise Unavailable(f"Ansible could not be installed: {said}", _RETRY_SECONDS)


def _version(program: Path) -> tuple[int, int]:
    """Which Ansible a program is; (0, 0) for one that does not run."""
    try:
        done = subprocess.run(  # noqa: S603 - what PATH has
            [program, "--version"], capture_output=True, text=True, check=False, timeout=60,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return 0, 0
    match = _VERSION.search(done.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)
