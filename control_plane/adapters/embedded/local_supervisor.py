"""Keeps the local processes of the simulated region running, in one worker of the platform."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import sqlalchemy as sa

from control_plane.adapters.embedded.local import PROGRAMS, LocalProcess, LocalProcesses
from foundation.kernel.database import Database
from foundation.kernel.files import own_file, own_folder
from foundation.kernel.processes import spawn

_log = logging.getLogger("borough.local")
_LOCK = 7_261_003_561
_LOOK_SECONDS = 1.0
_END_SECONDS = 10.0
_LONGEST_PAUSE = 60.0
#: What of the platform's own environment a workload needs to run at all.
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


@dataclass(slots=True)
class _Child:
    """One running process.

    Attributes:
        pause: how long to wait before it is started again when it ends, seconds.
        told: whether its running was written down.
    """

    wanted: LocalProcess
    process: "subprocess.Popen[bytes] | None" = None
    begun: float = 0.0
    pause: float = 1.0
    again_at: float = 0.0
    told: bool = False


class LocalSupervisor:
    """A thread that starts, restarts and ends them; only one in all workers does at a time.

    Its children die with this process, however it dies, and the next worker starts them anew.

    Args:
        database: whose advisory lock says which worker it is.
        processes: what shall run.
        home: the platform's; each deployment has a folder ``local/<id>`` in it.
        platform_url: where the platform answers now; empty while it does not.
    """

    def __init__(
        self,
        database: Database,
        processes: LocalProcesses,
        home: Path,
        platform_url: Callable[[], str],
    ) -> None:
        self._db = database
        self._processes = processes
        self._home = home / "local"
        self._platform_url = platform_url
        self._ending = threading.Event()
        self._children: dict[tuple[str, str, int], _Child] = {}
        self._thread = threading.Thread(target=self._run, name="local", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join(_END_SECONDS + 5)

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                with self._turn() as holds:
                    # Whoever has lost the connection has lost the lock with it.
                    while holds() and not self._ending.wait(_LOOK_SECONDS):
                        self._look()
            except Exception:  # noqa: BLE001 - the database may be away; it goes on
                _log.exception("the local processes are not looked after for a moment")
            finally:
                self._end_all()
            self._ending.wait(2 * _LOOK_SECONDS)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[Callable[[], bool]]:
        """Hold the lock of the one that looks after them, if nobody does; says whether we do.

        Raises:
            sqlalchemy.exc.DBAPIError: when asked, the connection is gone.
        """
        engine = self._db.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            asked = sa.text("SELECT pg_try_advisory_lock(:key)")
            mine = bool(connection.execute(asked, {"key": _LOCK}).scalar())
            still = sa.select(sa.literal(mine))
            try:
                yield lambda: bool(connection.execute(still).scalar())
            finally:
                if mine:
                    connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})

    def _look(self) -> None:
        wanted = {
            (each.deployment, each.urn, number): each
            for each in self._processes.wanted()
            for number in range(each.replicas)
        }
        for key, child in list(self._children.items()):
            if key not in wanted or wanted[key].digest != child.wanted.digest:
                self._end(child)
                del self._children[key]
        for key, each in wanted.items():
            self._keep(self._children.setdefault(key, _Child(each)))

    def _keep(self, child: _Child) -> None:
        now = time.monotonic()
        if child.process is not None:
            code = child.process.poll()
            if code is None:
                if now - child.begun > _LOOK_SECONDS and not child.told:
                    self._processes.note(child.wanted, "running", "")
                    child.told = True
                return
            lived = now - child.begun > _LONGEST_PAUSE
            child.pause = 1.0 if lived else min(child.pause * 2, _LONGEST_PAUSE)
            child.process, child.again_at = None, now + child.pause
            self._processes.note(child.wanted, "failed", f"it ended with status {code}")
            _log.error(
                "%s of %s ended with %d", child.wanted.program, child.wanted.deployment, code
            )
        if now >= child.again_at:
            child.process, child.begun, child.told = self._start(child.wanted), now, False

    def _start(self, wanted: LocalProcess) -> "subprocess.Popen[bytes]":
        program = PROGRAMS[wanted.program]
        folder = own_folder(self._home / wanted.deployment)
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environment |= wanted.environment
        environment |= {
            "HOME": str(folder),
            f"{program.prefix}HOME": str(folder / "home"),
            f"{program.prefix}HOST": "127.0.0.1",
        }
        variable = program.ports.get(wanted.arguments[0])
        port = self._processes.port(wanted) if variable else 0
        if port:
            environment[f"{program.prefix}{variable}"] = str(port)
        url = self._platform_url()
        if url:
            environment[f"{program.prefix}PLATFORM_URL"] = url
        name = wanted.urn.rpartition("::")[2]
        with own_file(folder / f"{name}.log", append=True) as log:
            return spawn(
                [sys.executable, "-m", program.module, *wanted.arguments],
                environment=environment, folder=folder, stdout=log, stderr=log,
            )  # fmt: skip

    def _end(self, child: _Child) -> None:
        if child.process is None or child.process.poll() is not None:
            return
        child.process.send_signal(signal.SIGTERM)
        try:
            child.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()

    def _end_all(self) -> None:
        for child in self._children.values():
            if child.process is not None and child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        for child in self._children.values():
            self._end(child)
        self._children.clear()


def url_in(run_file: Path) -> str:
    """The address in a run file of ``borough serve``; empty when nothing serves."""
    try:
        return str(json.loads(run_file.read_text())["url"])
    except (OSError, ValueError, KeyError):
        return ""
