"""A real worker process for tests, which can be told to kill itself at any point of a step.

The product knows nothing of it: the points are put around its step runner here, from outside.

    python -m tests.harness.worker URL ENTRY NAME [--kill STEP:POINT] [--trace FILE] …

ENTRY is ``package.module:function`` or ``package.module:function:argument``; the function gets the
database, the clock (and the argument) and answers the jobs by kind and the schedules.

Each point that is passed is written to the trace; at ``--kill`` the
process gets SIGKILL. ``--pause STEP:POINT`` stops it there with SIGSTOP.
"""

# ruff: noqa: SLF001 - the points are put around the step runner from outside, on purpose

import argparse
import importlib
import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from foundation.adapters.clock import SystemClock
from foundation.kernel.database import Database
from foundation.operations.jobs import context, durable, worker
from foundation.serving import ending

#: The points of one step, in order.
POINTS = (
    "begun",  # nothing of the step has happened yet
    "before-effect",  # it is written down that the step runs
    "after-effect",  # its effect is there, nothing knows it
    "before-checkpoint",  # our own row knows it, DBOS does not
    "after-checkpoint",
)
#: The points of an operation outside of its steps.
OUTSIDE = ("operation:claimed", "operation:before-finish", "operation:finished")


class Points:
    """What happens at the points."""

    def __init__(self, kill: str, pause: str, trace: Path | None) -> None:
        self._kill = kill
        self._pause = pause
        self._trace = trace
        self._times: Counter[str] = Counter()

    def reach(self, step: str, point: str) -> None:
        name = f"{step}:{point}"
        # The second time, and later ones, can be named too: ``operation:claimed@2``.
        self._times[name] += 1
        names = {name if self._times[name] == 1 else "", f"{name}@{self._times[name]}"}
        if self._trace:
            with self._trace.open("a") as file:
                file.write(f"{name}\n")
        if self._kill in names - {""}:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._pause in names - {""}:
            os.kill(os.getpid(), signal.SIGSTOP)


def install(points: Points) -> None:
    """Put the points around the step runner."""
    run, patiently = durable.Durable.run, context.Context._patiently
    execute, finish = durable.Durable.execute, worker.Worker._finish
    current: list[str] = []

    def run_with_points(self: Any, name: str, work: Callable[[], Any]) -> Any:
        def inner() -> Any:
            current[:] = [name]
            points.reach(name, "begun")
            outcome = work()
            points.reach(name, "before-checkpoint")
            return outcome

        outcome = run(self, name, inner)
        points.reach(name, "after-checkpoint")
        return outcome

    def patiently_with_points(self: Any, work: Callable[[], Any], patience: float) -> Any:
        def inner() -> Any:
            points.reach(current[0], "before-effect")
            value = work()
            points.reach(current[0], "after-effect")
            return value

        return patiently(self, inner, patience)

    def execute_with_points(self: Any, operation_id: str, attempt: int) -> None:
        points.reach("operation", "claimed")
        execute(self, operation_id, attempt)

    def finish_with_points(self: Any, *args: Any, **kwargs: Any) -> None:
        points.reach("operation", "before-finish")
        finish(self, *args, **kwargs)
        points.reach("operation", "finished")

    durable.Durable.run = run_with_points  # type: ignore[method-assign]
    context.Context._patiently = patiently_with_points  # type: ignore[method-assign]
    durable.Durable.execute = execute_with_points  # type: ignore[method-assign]
    worker.Worker._finish = finish_with_points  # type: ignore[method-assign]


def main(*arguments: str, log: str = "") -> None:
    """Be a worker until asked to end."""
    ending.listen()
    if log:
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("entry")
    parser.add_argument("name")
    parser.add_argument("--kill", default="")
    parser.add_argument("--pause", default="")
    parser.add_argument("--trace", type=Path)
    parser.add_argument("--heartbeat", type=float, default=0.2)
    parser.add_argument("--lease", type=float, default=1.0)
    parser.add_argument("--concurrency", type=int, default=4)
    chosen = parser.parse_args(arguments or None)
    if chosen.trace:
        chosen.trace.touch()  # says that it can be asked to end
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, force=True)
    install(Points(chosen.kill, chosen.pause, chosen.trace))
    database = Database(chosen.url)
    module, function, *argument = chosen.entry.split(":", 2)
    build = getattr(importlib.import_module(module), function)
    jobs, schedules = build(database, SystemClock(), *argument)
    options = worker.WorkerOptions(
        chosen.name,
        concurrency=chosen.concurrency,
        heartbeat_seconds=chosen.heartbeat,
        lease_seconds=chosen.lease,
        drain_seconds=5,
    )
    made = worker.Worker(database, SystemClock(), jobs, schedules, options)
    ending.at_end(made.end)
    made.run()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
