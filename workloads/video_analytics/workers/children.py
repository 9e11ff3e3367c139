"""Children of a worker: what they are given of the environment, and messages to and from them."""

import contextlib
import fcntl
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from queue import SimpleQueue
from typing import TypeAlias

from foundation.kernel.processes import spawn
from workloads.video_analytics.workers import wire
from workloads.video_analytics.workers.wire import Message

#: One thread each: the processes are as many as the cores already.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_SECRET = ("BOROUGH_",)
#: Of the C library (mallopt(3)): the arrays of a frame are made and freed for each frame, and from
#: 128 kB on each would be new pages from the kernel; that took half of the time of looking at one.
_ALLOCATION = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**25),
}
#: A few frames: with the usual 64 kB each would be written and read in halves, turn about.
_PIPE = 2**19

_Order: TypeAlias = "tuple[Mapping[str, object], tuple[bytes, ...]]"


def environment() -> dict[str, str]:
    """Ours without our own settings, which hold the database's password and keys.

    And without proxies: FFmpeg would ask them for what it may not reach itself.
    """
    found = {
        name: value for name, value in os.environ.items()
        if not name.startswith(_SECRET) and not name.lower().endswith("_proxy")
    }  # fmt: skip
    return {**found, **dict.fromkeys(_THREADS, "1"), **_ALLOCATION}


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
        with contextlib.suppress(OSError):  # the system may allow less
            fcntl.fcntl(stdout.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
        self.pid = self._process.pid
        self._orders: SimpleQueue[_Order | None] = SimpleQueue()
        threading.Thread(target=self._send, name=f"orders-{self.pid}", daemon=True).start()

    @property
    def handle(self) -> int:
        """Readable when there is a message, or the child has died."""
        return self._out.fileno()

    def tell(self, header: Mapping[str, object], *parts: bytes) -> None:
        """Send a message, in its turn; to one that is gone it is lost.

        It never waits: who gives orders also listens, and two that wait for each other to listen
        would wait for ever. There are only a few orders for each camera.
        """
        self._orders.put((header, parts))

    def _send(self) -> None:
        while (order := self._orders.get()) is not None:
            try:
                wire.write(self._in.fileno(), order[0], *order[1])
            except (OSError, ValueError):
                return

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

    def _reap(self) -> int:
        code = self._process.wait()
        self._orders.put(None)
        for pipe in (self._in, self._out):
            with contextlib.suppress(OSError):
                pipe.close()
        return code
