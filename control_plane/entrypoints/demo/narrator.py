"""Tells the story on a terminal, and holds every result against what it must be."""

import contextlib
import time
from collections.abc import Iterator
from decimal import Decimal

import click


class StoryFailedError(Exception):
    """A result of the story is not what it must be."""


class Narrator:
    """Prints one chapter after another: what is done, what came of it, how long it took."""

    def __init__(self) -> None:
        self._checks = 0
        self._began = time.monotonic()

    @property
    def checks(self) -> int:
        """How many results were held against an expectation."""
        return self._checks

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    @contextlib.contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        """One part of the story."""
        began = time.monotonic()
        click.secho(f"\n{title}", bold=True)
        yield
        click.secho(f"  {time.monotonic() - began:.1f} s", dim=True)

    def tell(self, text: str) -> None:
        """Say what happened."""
        click.echo(f"  {text}")

    def check(self, what: str, found: object, expected: object) -> None:
        """Hold a result against what it must be.

        Raises:
            StoryFailedError: it differs.
        """
        self._checks += 1
        if found != expected:
            raise StoryFailedError(f"{what}: expected {expected}, found {found}")
        click.echo(click.style("  ✓ ", fg="green") + f"{what}: {_text(found)}")

    def check_that(self, what: str, ok: object) -> None:
        """Hold a claim to be true.

        Raises:
            StoryFailedError: it is not.
        """
        self._checks += 1
        if not ok:
            raise StoryFailedError(f"{what}: it is not so")
        click.echo(click.style("  ✓ ", fg="green") + what)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{item} × {name}" for name, item in value.items())
    if isinstance(value, Decimal):
        return f"{value:,}"
    return str(value)
