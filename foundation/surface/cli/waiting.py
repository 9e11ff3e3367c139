"""Waiting for an operation: a progress display on a terminal, one line an event elsewhere."""

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import click

from foundation.surface.cli.client import Client
from foundation.surface.cli.exits import FAILED, WAIT_TIMED_OUT, Failure, exit_code, explain
from foundation.surface.cli.program import program_name

ENDED = frozenset({"succeeded", "failed", "cancelled", "stuck"})
_FIRST_PAUSE = 0.15
_LONGEST_PAUSE = 1.0


class Display(Protocol):
    """Shows how an operation gets on."""

    def update(self, operation: Mapping[str, Any], events: list[dict[str, Any]]) -> None:
        """Show the operation's present state and what happened since the last call."""
        ...


class Silent:
    """Shows nothing."""

    def update(self, operation: Mapping[str, Any], events: list[dict[str, Any]]) -> None:
        pass


class Lines:
    """One line for each event, for logs and pipes."""

    def update(self, operation: Mapping[str, Any], events: list[dict[str, Any]]) -> None:
        for event in events:
            click.echo(f"{operation['id']}  {describe(event)}", err=True)


class Bar:
    """A bar with the running step, for terminals."""

    def __init__(self) -> None:
        # Rich costs 0.12 s to load: only those who watch pay.
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            Progress,
            SpinnerColumn,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
        )

        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[expected]}", markup=False),
            console=Console(stderr=True),
        )
        self._task = self.progress.add_task("waiting", total=1.0, expected="")

    def update(self, operation: Mapping[str, Any], events: list[dict[str, Any]]) -> None:
        running = [step["name"] for step in operation["steps"] if step["state"] == "running"]
        expected = operation.get("expected_seconds")
        about = f"usually {expected:.0f} s" if expected else ""
        title = f"{operation['kind']} {operation['state']}"
        self.progress.update(
            self._task,
            description=f"{title}: {running[0]}" if running else title,
            completed=operation["progress"],
            expected=about,
        )
        for event in events:
            if event["type"] not in {"step.started", "step.succeeded", "state"}:
                self.progress.console.print(describe(event), markup=False, highlight=False)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Whether and how long a command waits.

    Attributes:
        wanted: False for ``--no-wait``.
        timeout: seconds; None waits for ever.
        quiet: no progress at all, because the output is for a program.
    """

    wanted: bool = True
    timeout: float | None = None
    quiet: bool = False

    def follow(self, client: Client, operation_id: str) -> dict[str, Any]:
        """Wait for an operation as wanted.

        Raises:
            Failure: it did not succeed, or not in time.
        """
        path = f"/operations/{operation_id}"
        if not self.wanted:
            found: dict[str, Any] = client.get(path)
            return found
        end = None if self.timeout is None else time.monotonic() + self.timeout
        with self._display() as display:
            operation = _watch(client, path, display, end)
        judge(operation)
        return operation

    @contextlib.contextmanager
    def _display(self) -> Iterator[Display]:
        if self.quiet:
            yield Silent()
        elif sys.stderr.isatty():
            bar = Bar()
            with bar.progress:
                yield bar
        else:
            yield Lines()


def _watch(client: Client, path: str, display: Display, end: float | None) -> dict[str, Any]:
    after = 0
    pause = _FIRST_PAUSE
    while True:
        # State before events: once it has ended, the events read after it are all there are.
        operation: dict[str, Any] = client.get(path)
        events = _news(client, path, after)
        display.update(operation, events)
        if operation["state"] in ENDED:
            return operation
        if events:
            after, pause = events[-1]["seq"], _FIRST_PAUSE
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            raise Failure(
                f"{operation['id']} is {operation['state']} and goes on: "
                f"{program_name()} operation watch {operation['id']}",
                WAIT_TIMED_OUT,
            )
        _sleep(pause if left is None else min(pause, left), operation)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _news(client: Client, path: str, after: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = client.get(f"{path}/events", after=found[-1]["seq"] if found else after)
        found += page["items"]
        if not page.get("more"):
            return found


def _sleep(seconds: float, operation: Mapping[str, Any]) -> None:
    try:
        time.sleep(seconds)
    except KeyboardInterrupt:
        raise Failure(
            f"stopped watching; {operation['id']} goes on: "
            f"{program_name()} operation watch {operation['id']}"
        ) from None


def judge(operation: Mapping[str, Any]) -> None:
    """Say nothing of an operation that succeeded.

    Raises:
        Failure: it ended otherwise.
    """
    if operation["state"] == "succeeded":
        return
    problem = operation.get("error") or {}
    reason = f": {explain(problem)}" if problem else ""
    message = f"{operation['kind']} {operation['id']} {_ENDINGS[operation['state']]}{reason}"
    raise Failure(
        message, exit_code(problem) if problem.get("code") == "needs_approval" else FAILED
    )


_ENDINGS = {"failed": "failed", "cancelled": "was cancelled", "stuck": "is stuck"}


def describe(event: Mapping[str, Any]) -> str:
    """An event as one line."""
    data = dict(event.get("data") or {})
    message = data.pop("message", "")
    if "name" in data:
        data.pop("urn", None)  # long, and the name says which
    rest = " ".join(f"{key}={value}" for key, value in data.items() if not isinstance(value, dict))
    return " ".join(part for part in (event["at"], event["type"], message, rest) if part)
