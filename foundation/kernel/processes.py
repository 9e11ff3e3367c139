"""Children that die with the process that started them, however it dies.

Linux sends a signal of the child's choice when its parent dies (prctl(2), PR_SET_PDEATHSIG). Two
things are easily missed. The signal comes when the *thread* that forked ends, so children are
forked by one thread that lives as long as the process. And the parent may die before the child has
asked for it, so the child looks afterwards whether it still has the same parent.

The asking is done by a small program that then becomes the wanted one: code that runs between fork
and exec in a process with threads (``preexec_fn``) may hang for ever.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import IO, TypeAlias

Stream: TypeAlias = int | IO[bytes] | None

_LAUNCHER = """
import ctypes, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(1, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0):
    sys.exit("prctl: " + os.strerror(ctypes.get_errno()))
if os.getppid() != int(sys.argv[1]):
    os.kill(os.getpid(), signal.SIGKILL)
os.execvp(sys.argv[2], sys.argv[2:])
"""

_Request: TypeAlias = (
    "tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]"
)


class _Forker:
    """The thread that forks; made anew in a forked child, which has only its own thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._requests: SimpleQueue[_Request] = SimpleQueue()

    def run(self, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._owner != os.getpid():
                self._owner = os.getpid()
                self._requests = SimpleQueue()
                threading.Thread(
                    target=_serve, args=(self._requests,), name="forker", daemon=True
                ).start()
        answer: Future[subprocess.Popen[bytes]] = Future()
        self._requests.put((start, answer))
        return answer.result()


def _serve(requests: "SimpleQueue[_Request]") -> None:
    while True:
        start, answer = requests.get()
        try:
            answer.set_result(start())
        except Exception as error:  # noqa: BLE001 - the asker gets it
            answer.set_exception(error)


_forker = _Forker()


def spawn(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = None,
    stderr: Stream = None,
) -> subprocess.Popen[bytes]:
    """Start a program that is killed when this process dies.

    Args:
        command: the program and its arguments.
        environment: all its variables; None gives it ours.
        folder: where it runs; None is where we do.
        stdin: as in ``subprocess``; nothing to read by default.
        stdout: as in ``subprocess``; ours by default.
        stderr: as in ``subprocess``; ours by default.

    Raises:
        OSError: the interpreter that starts it is not there. A program that is not there ends with
            status 1 and says so.
    """
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - the caller's own program
            launcher, env=environment, cwd=folder, stdin=stdin, stdout=stdout, stderr=stderr
        )

    return _forker.run(start)
