"""Real worker processes for tests: started, killed at a point, paused, ended.

They are forked from a server that has loaded everything already, so that one starts in a moment.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.harness import worker

_context = multiprocessing.get_context("forkserver")
_loaded = ["tests.harness.worker"]
_context.set_forkserver_preload(_loaded)


def preload(module: str) -> None:
    """Let workers start with a module loaded; for what comes before the first one starts."""
    _loaded.append(module)
    _context.set_forkserver_preload(_loaded)


class WorkerProcess:
    """A worker of ``tests.harness.worker``; its log is in ``log``."""

    def __init__(self, url: str, entry: str, name: str, folder: Path, *options: str) -> None:
        number = len(list(folder.glob(f"{name}-*.log")))
        self.log = folder / f"{name}-{number}.log"
        self.trace = folder / f"{name}-{number}.trace"
        self.log.touch()
        self._process = _context.Process(
            target=worker.main,
            args=(url, entry, name, "--trace", str(self.trace), *options),
            kwargs={"log": str(self.log)},
        )
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.is_alive()

    def passed(self) -> list[str]:
        """The points that it has passed, in order."""
        return self.trace.read_text().split() if self.trace.exists() else []

    def wait_killed(self, timeout: float = 60) -> None:
        """Until it has got the SIGKILL that it was told to give itself."""
        self._process.join(timeout)
        assert self._process.exitcode == -signal.SIGKILL, self._story()

    def wait_paused(self, timeout: float = 60) -> None:
        """Until it has stopped itself."""
        process = psutil.Process(self.pid)
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED, timeout)

    def wake(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def end(self) -> int:
        """Ask it to end and wait for that; answers its exit status.

        Before the first line of its program has run, no process can answer but by dying.
        """
        wait_until(lambda: self.trace.exists() or not self.running)
        if self._process.is_alive():
            self.wake()
            self._process.terminate()
        self._process.join(30)
        assert self._process.exitcode is not None, self._story()
        return self._process.exitcode

    def _story(self) -> str:
        return f"status {self._process.exitcode}\n{self.log.read_text()[-3000:]}"


@contextmanager
def workers(url: str, entry: str, folder: Path) -> Iterator[Callable[..., WorkerProcess]]:
    """A function that starts workers by name and options; all have ended afterwards."""
    started: list[WorkerProcess] = []

    def start(name: str, *options: str) -> WorkerProcess:
        made = WorkerProcess(url, entry, name, folder, *options)
        started.append(made)
        return made

    try:
        yield start
    finally:
        for process in started:
            if process.running:
                process.kill()


def wait_until(condition: Callable[[], object], timeout: float = 60) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
