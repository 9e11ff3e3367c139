"""``git`` as a child that may not take more than it is given.

Its own session, so that all of it ends together; limits of memory, CPU time, file size and number
of files; an environment of nothing but what it needs. It dies with this process.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from control_plane.provisioning.registry.ports import SourceError
from foundation.kernel.errors import Unavailable
from foundation.kernel.processes import spawn
from foundation.kernel.scratch import Scratch

_LIMITS = """
import os, resource, sys
cpu, memory, size = map(int, sys.argv[1:4])
os.setsid()
for what, limit in ((resource.RLIMIT_CPU, cpu), (resource.RLIMIT_AS, memory),
                    (resource.RLIMIT_FSIZE, size), (resource.RLIMIT_NOFILE, 256),
                    (resource.RLIMIT_CORE, 0)):
    resource.setrlimit(what, (limit, limit))
os.execvpe(sys.argv[4], sys.argv[4:], os.environ)
"""
_ASKPASS = """#!/bin/sh
case "$1" in
  Username*) printf '%s\\n' "$BOROUGH_GIT_USER" ;;
  *) printf '%s\\n' "$BOROUGH_GIT_PASSWORD" ;;
esac
"""
_CONFIG = """
[core]
    hooksPath = /dev/null
    fsmonitor = false
    symlinks = false
    bigFileThreshold = 1m
    askPass =
[gc]
    auto = 0
[maintenance]
    auto = false
[credential]
    helper =
[fetch]
    fsckObjects = true
    recurseSubmodules = false
    unpackLimit = 1
    writeCommitGraph = false
[submodule]
    recurse = false
[http]
    followRedirects = false
    lowSpeedLimit = 1000
    lowSpeedTime = 20
[pack]
    threads = 1
[gpg]
    format = ssh
[gpg "openpgp"]
    program = /bin/false
[gpg "x509"]
    program = /bin/false
[gpg "ssh"]
    program = ssh-keygen
"""
_POLL_SECONDS = 0.02
_SAID = 500
_MISSING = 127


@dataclass(frozen=True, slots=True)
class Bounds:
    """What reading a repository may take.

    Attributes:
        seconds: of each call of git, by the clock.
        cpu: seconds of its CPU.
        memory: bytes.
        file: bytes of the largest file that it writes; what is fetched is one file.
    """

    seconds: float = 120.0
    cpu: int = 60
    memory: int = 1 << 30
    file: int = 64 << 20


class Git:
    """Git in a folder of its own that nobody else may read."""

    def __init__(
        self, home: Path, bounds: Bounds, protocol: str, credentials: Mapping[str, str]
    ) -> None:
        self._home = home
        self._bounds = bounds
        self._environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "TMPDIR": str(home),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(home / "config"),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": protocol,
            "GIT_PROTOCOL_FROM_USER": "0",
            "GIT_ASKPASS": str(home / "askpass"),
            "GIT_OPTIONAL_LOCKS": "0",
            # Read by the askpass script alone: neither an argument nor a file holds them.
            "BOROUGH_GIT_USER": credentials.get("user", ""),
            "BOROUGH_GIT_PASSWORD": credentials.get("password", ""),
        }

    def run(self, *arguments: str, stdin: bytes = b"", patient: bool = False) -> bytes:
        """What git writes.

        Args:
            arguments: of git, in the bare repository of this folder.
            stdin: what it reads.
            patient: whether it speaks with the outside: then a failure may pass.

        Raises:
            SourceError: it failed; with the end of what it said.
            Unavailable: it did not end in time.
        """
        status, out, said = self.attempt(*arguments, stdin=stdin)
        if status == 0:
            return out
        if status == _MISSING or "prctl" in said:
            raise Unavailable("git is not installed on this machine", 60.0)
        if patient and _may_pass(said):
            raise Unavailable(f"the repository does not answer: {said}")
        raise SourceError(_why(status, said))

    def attempt(self, *arguments: str, stdin: bytes = b"") -> tuple[int, bytes, str]:
        """The status, what git writes, and the end of what it said.

        Raises:
            Unavailable: it did not end in time.
        """
        b = self._bounds
        limits = [sys.executable, "-I", "-S", "-c", _LIMITS, str(b.cpu), str(b.memory), str(b.file)]
        command = [*limits, "git", "--git-dir", str(self._home / "repository"), *arguments]
        with (
            tempfile.TemporaryFile(dir=self._home) as into,
            tempfile.TemporaryFile(dir=self._home) as out,
            tempfile.TemporaryFile(dir=self._home) as err,
        ):
            into.write(stdin)
            into.seek(0)
            child = spawn(
                command, environment=self._environment, folder=self._home,
                stdin=into, stdout=out, stderr=err,
            )  # fmt: skip
            status = self._wait(child)
            out.seek(0)
            err.seek(0)
            return status, out.read(b.file), _tail(err.read(1 << 20))

    def _wait(self, child: "subprocess.Popen[bytes]") -> int:
        end = time.monotonic() + self._bounds.seconds
        try:
            while child.poll() is None:
                if time.monotonic() > end:
                    raise Unavailable(f"git did not end within {self._bounds.seconds:g} s", 60.0)
                time.sleep(_POLL_SECONDS)
        finally:
            _end(child)
        return child.wait()


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End the child and what it started; its session has its own number."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.kill()
    child.wait()


def _tail(data: bytes) -> str:
    """The end of what git said, as one line that a terminal can bear."""
    lines = [line.strip() for line in data.decode(errors="replace").splitlines()]
    text = "; ".join(line for line in lines if line)
    return "".join(c if c.isprintable() else "?" for c in text)[-_SAID:]


def _why(status: int, said: str) -> str:
    if "File too large" in said or status == -signal.SIGXFSZ:
        return "the repository is larger than may be fetched"
    if status in {-signal.SIGXCPU, -signal.SIGKILL}:
        return "reading the repository takes too long"
    return f"git cannot read the repository: {said or status}"


def _may_pass(said: str) -> bool:
    """Whether what git said is of a connection rather than of the repository."""
    words = ("Could not resolve", "Failed to connect", "timed out", "Connection reset",
             "HTTP 502", "HTTP 503", "HTTP 504", "early EOF", "unexpected disconnect")  # fmt: skip
    return any(word in said for word in words)


@contextmanager
def workspace(
    bounds: Bounds, protocol: str, credentials: Mapping[str, str], allowed_signers: str
) -> Iterator[Git]:
    """Git in a fresh folder that is gone afterwards."""
    with Scratch("borough-git-") as scratch:
        home = scratch.path
        (home / "config").write_text(_CONFIG + f"    allowedSignersFile = {home / 'signers'}\n")
        (home / "signers").write_text(allowed_signers)
        (home / "askpass").write_text(_ASKPASS)
        (home / "askpass").chmod(0o700)
        git = Git(home, bounds, protocol, credentials)
        _make_repository(home / "repository")
        yield git


def _make_repository(folder: Path) -> None:
    """An empty repository, as ``git init --bare`` makes one."""
    (folder / "objects").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")
