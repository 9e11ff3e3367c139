"""Real worker processes for tests: started, killed at a point, paused, ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]


class WorkerProcess:
    """A worker of ``tests.harness.worker``; its log is in ``log``."""

    def __init__(self, url: str, entry: str, name: str, folder: Path, *options: str) -> None:
        self.log = folder / f"{name}.log"
        self.trace = folder / f"{name}.trace"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.harness.worker", url, entry, name,
                 "--trace", str(self.trace), *options],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "PYTHONWARNINGS": "default"},
            )  # fmt: skip

    def passed(self) -> list[str]:
        """The points that it has passed, in order."""
        return self.trace.read_text().split() if self.trace.exists() else []

    def wait_killed(self, timeout: float = 60) -> None:
        """Until it has got the SIGKILL that it was told to give itself."""
        code = self.process.wait(timeout)
        assert code == -signal.SIGKILL, (code, self.log.read_text()[-3000:])

    def wait_paused(self, timeout: float = 60) -> None:
        """Until it has stopped itself."""
        process = psutil.Process(self.process.pid)
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED, timeout)

    def wake(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """Ask it to end and wait for that."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


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
            if process.process.poll() is None:
                process.kill()


def wait_until(condition: Callable[[], object], timeout: float = 60) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
