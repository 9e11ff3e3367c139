"""When a process is asked to end, by SIGTERM or SIGINT: heard from its first moment on.

A process takes seconds to start: it loads the product, starts or reaches the database, looks at
the schema. Python's own answer to SIGTERM in that time is to die at once, with status -15 and with
whatever it had begun left behind (an embedded database that nobody stops, files in /tmp).
"""

import atexit
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

_NUMBERS = (signal.SIGTERM, signal.SIGINT)


class _Ending:
    def __init__(self) -> None:
        self.asked = False
        self.end: Callable[[], None] | None = None

    def hear(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            os._exit(1)
        self.asked = True
        if self.end is None:
            # Unwinds what has been begun. Where that is swallowed (a callback of Python's own),
            # it is remembered, and ``at_end`` finds it.
            raise SystemExit(0)
        self.end()


_ending = _Ending()


def listen() -> None:
    """From now on a request to end leaves by ``SystemExit(0)``, until ``at_end`` names the way.

    For the first line of a process that goes on until it is asked to end; main thread only.
    """
    for number in _NUMBERS:
        signal.signal(number, _ending.hear)


def at_end(end: Callable[[], None]) -> None:
    """From now on a request to end is told to ``end``; the second one ends the process at once.

    Args:
        end: called in a signal handler; at once if it was asked already.
    """
    listen()
    _ending.end = end
    if _ending.asked:
        end()


def leave() -> NoReturn:
    """End the process now, whatever threads of it still run; what is owed at exit is done first.

    Libraries owe it there: the Kubernetes client removes the files in which it keeps keys.
    """
    atexit._run_exitfuncs()  # noqa: SLF001 - the one way to them that waits for no thread
    sys.stdout.flush()
    os._exit(0)
