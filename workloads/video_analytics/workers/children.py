"""Children of a worker: what they are given of the environment, and messages to and from them."""

import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence

from foundation.kernel.processes import spawn
from workloads.video_analytics.workers import wire
from workloads.video_analytics.workers.wire import Message

#: One thread each: the processes are as many as the cores already.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_SECRET = ("BOROUGH_",)


def environment() -> dict[str, str]:
    """Ours without our own settings, which hold the database's password and keys."""
    found = {name: value for name, value in os.environ.items() if not name.startswith(_SECRET)}
    return {**found, **dict.fromkeys(_THREADS, "1"), "MALLOC_ARENA_MAX": "2"}


class Child:
    """A process that speaks messages on its standard input and output.

    Args:
        command: the program and its arguments.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = spawn(
            command, environment=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise OSError("the child has no pipes")
        self._in, self._out = stdin, stdout
        self.pid = self._process.pid

    @property
    def handle(self) -> int:
        """Readable when there is a message, or the child has died."""
        return self._out.fileno()

    def tell(self, header: Mapping[str, object], *parts: bytes | memoryview) -> bool:
        """Send a message; False when the child is gone."""
        try:
            wire.write(self._in.fileno(), header, *parts)
        except (OSError, ValueError):
            return False
        return True

    def hear(self) -> Message | None:
        """The next message; None when the child is gone or speaks nonsense."""
        try:
            return wire.read(self._out.fileno())
        except (wire.Garbled, OSError, ValueError):
            return None

    def kill(self) -> int:
        """End it at once; answers how it ended (negative: by that signal)."""
        with contextlib.suppress(OSError):
            self._process.kill()
        return self._reap()

    def reap(self, seconds: float) -> int:
        """Wait for its end, then end it; answers how it ended."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return self.kill()
        return self._reap()

    def close_input(self) -> None:
        """There will be no more commands: it ends by itself."""
        with contextlib.suppress(OSError):
            self._in.close()

    def _reap(self) -> int:
        code = self._process.wait()
        for pipe in (self._in, self._out):
            with contextlib.suppress(OSError):
                pipe.close()
        return code
