"""What the platform's processes have in common: logging, run files, children that die with them."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from foundation.kernel.files import own_file, own_folder
from foundation.kernel.processes import spawn
from foundation.kernel.settings import CommonSettings
from foundation.serving.logs import JsonFormatter

_log = logging.getLogger("borough.process")
_LONGEST_PAUSE = 30.0
_END_SECONDS = 30.0


def start_logging(settings: CommonSettings) -> None:
    """Log to standard error, one line of JSON for each record."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    # Waitress tells of every queued request; Alembic of every look at the schema.
    for noisy in ("waitress.queue", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


@contextlib.contextmanager
def run_file(path: Path, **facts: object) -> Iterator[None]:
    """A file that says where this process is, for as long as the block lasts."""
    own_folder(path.parent)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    text = json.dumps({"pid": os.getpid(), **facts})
    with own_file(draft) as file:
        file.write(text.encode())
    draft.replace(path)
    try:
        yield
    finally:
        # Another process may have written its own meanwhile.
        with contextlib.suppress(OSError):
            if path.read_text() == text:
                path.unlink()


class Companion:
    """A child of this process, started again when it dies.

    Args:
        arguments: of Python, such as ``-m PROGRAM worker``.
    """

    def __init__(self, *arguments: str) -> None:
        self._command = [sys.executable, *arguments]
        self._ending = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name="companion", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        child = self._child
        if child is not None and child.poll() is None:
            child.send_signal(signal.SIGTERM)
        self._thread.join(_END_SECONDS)
        if child is not None and child.poll() is None:
            child.kill()

    def _keep(self) -> None:
        pause = 1.0
        while not self._ending.is_set():
            began = time.monotonic()
            self._child = spawn(self._command)
            code = self._child.wait()
            if self._ending.is_set():
                return
            _log.error("the worker has ended with %d; starting another one", code)
            pause = 1.0 if time.monotonic() - began > _LONGEST_PAUSE else min(pause * 2, 30.0)
            self._ending.wait(pause)
