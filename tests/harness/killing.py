"""kill -9 of a piece of work at one of its steps, which is chosen by name."""

import functools
import inspect
import os
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Fatal:
    """Kills this process at a step.

    Attributes:
        step: its name; empty: never.
        time: how often it has come when it kills.
    """

    step: str = ""
    time: int = 1
    _seen: Counter[str] = field(default_factory=Counter)

    def at(self, name: str) -> None:
        """A step has come."""
        self._seen[name] += 1
        if name == self.step and self._seen[name] == self.time:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, name: str) -> None:
        """Make two steps of a function of a class or a module: ``before NAME``, ``after NAME``."""
        plain = getattr(owner, name)
        label = label_of(owner, name)
        if inspect.iscoroutinefunction(plain):

            @functools.wraps(plain)
            async def stepped(*given: Any, **named: Any) -> Any:
                self.at(f"before {label}")
                found = await plain(*given, **named)
                self.at(f"after {label}")
                return found
        else:

            @functools.wraps(plain)
            def stepped(*given: Any, **named: Any) -> Any:
                self.at(f"before {label}")
                found = plain(*given, **named)
                self.at(f"after {label}")
                return found

        setattr(owner, name, stepped)


def label_of(owner: Any, name: str) -> str:
    """What a step's function is called."""
    return f"{owner.__name__}.{name}"


def killed(work: Callable[[Fatal], None], step: str = "", time: int = 1) -> bool:
    """Do work in a child of this process, which has no threads; answers whether it was killed.

    Args:
        work: is given what kills; what it changes is the child's alone.
        step: at which it is killed; empty: it must come to its end.
        time: at which time of this step.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        ended = 1
        try:
            work(Fatal(step, time))
            ended = 0
        except BaseException:  # noqa: BLE001 - the child says why, and ends as a child
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(ended)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, f"the work failed by itself ({step or 'to its end'})"
    return False
