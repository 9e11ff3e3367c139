"""The processes of a demonstration: a web process and a worker of its own, on loopback."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import urllib3

from foundation.kernel.errors import Unavailable
from foundation.kernel.files import own_file, own_folder

_READY_SECONDS = 60.0
_END_SECONDS = 25.0


@contextlib.contextmanager
def running(
    name: str, environment: Mapping[str, str], logs: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """``borough NAME`` as a child process for the length of the block; its output goes to a log.

    Args:
        name: ``serve`` or ``worker``.
        environment: its settings, besides what programs of this machine need.
        logs: folder of the log files.
    """
    own_folder(logs)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("BOROUGH_")}
    with own_file(logs / f"{name}.log") as log:
        child = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "control_plane.entrypoints.cli.main", name],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**kept, **environment},
        )
        try:
            yield child
        finally:
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def wait_until_ready(url: str, child: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until the web process answers that it is ready.

    Raises:
        Unavailable: it ended, or did not answer within a minute; with the end of its log.
    """
    pool = urllib3.PoolManager(retries=False, timeout=2.0)
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if pool.request("GET", f"{url}/readyz").status == 200:  # noqa: PLR2004 - HTTP
                return
        time.sleep(0.1)
    tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
    raise Unavailable(f"the web process does not become ready\n{tail}")


def free_port(wanted: int) -> int:
    """The wanted port of loopback if it is free, else another one."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Unavailable("no port of this machine is free")
