"""The verbs with which every product's program runs and prepares its service.

They read the environment's settings, and load the service only when they are run: a console program
starts quickly.
"""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import click

from foundation.kernel import settings as kernel
from foundation.kernel.errors import BoroughError, Invalid
from foundation.kernel.settings import CommonSettings, Program
from foundation.serving import ending
from foundation.surface import cli
from foundation.surface.cli import USAGE, Failure

S = TypeVar("S", bound=CommonSettings)
R = TypeVar("R")

_SETTINGS = (
    cli.Column("NAME", "name"),
    cli.Column("VALUE", "value"),
    cli.Column("MEANING", "meaning"),
)


@dataclass(frozen=True, slots=True)
class Verbs(Generic[S]):
    """Makes the verbs of one product.

    Attributes:
        program: whose variables are read.
        settings: reads them.
        bootstrap: the module with ``upgrade_database(settings)``, ``database_is_current(settings)``
            and ``add_administrator(settings, login, name, password)``.
    """

    program: Program
    settings: Callable[[], S]
    bootstrap: str

    def run(self, process: Callable[[S], R]) -> R:
        """Run something with the settings of the environment; what is wrong becomes a message.

        Raises:
            Failure: a setting is wrong, or the service says why it cannot.
        """
        try:
            settings = self.settings()
        except Invalid as error:
            raise _wrong("the environment is wrong", error) from None
        try:
            return process(settings)
        except Invalid as error:
            raise _wrong("wrong", error) from None
        except BoroughError as error:
            raise Failure(error.message) from None

    def process(self, name: str, module: str, function: str, told: str) -> click.Command:
        """A verb that is a process: it runs until it is asked to end."""

        def verb() -> None:
            ending.listen()
            self.run(getattr(importlib.import_module(module), function))
            sys.exit(0)

        return click.command(name, help=told)(verb)

    def config(self) -> click.Command:
        """``config``."""

        @click.command()
        @cli.console()
        def config(console: cli.Console) -> None:
            """Show the settings of a service started from this environment, and what they mean."""
            found = self.run(lambda settings: kernel.describe(settings, self.program))
            rows = [
                {"name": name, "value": value, "meaning": meaning} for name, value, meaning in found
            ]
            console.rows(rows, _SETTINGS, name="name")

        return config

    def administrator(self) -> click.Command:
        """``administrator``."""

        @click.command()
        @click.argument("login")
        @click.option("--name", default="", help="As people read it; else the login.")
        @click.option(
            "--password-stdin", is_flag=True, help="Read the password from standard input."
        )
        def administrator(login: str, name: str, *, password_stdin: bool) -> None:
            """Add an administrator: the first one, or one when nobody gets in any more.

            It needs the service's settings, not an account: whoever has those has the database too.
            """
            if password_stdin:
                password = sys.stdin.readline().rstrip("\n")
            else:
                password = click.prompt(
                    "Password", hide_input=True, confirmation_prompt=True, err=True
                )
            add = self._loaded().add_administrator
            self.run(lambda settings: add(settings, login, name or login, password))
            click.echo(f"{login} may sign in.", err=True)

        return administrator

    def db(self) -> click.Group:
        """``db upgrade`` and ``db status``."""

        @click.group()
        def db() -> None:
            """The database's schema."""

        @db.command()
        def upgrade() -> None:
            """Bring the database to the newest schema; safe again and while the service runs."""
            click.echo(self.run(self._loaded().upgrade_database))

        @db.command()
        def status() -> None:
            """Say whether the database has the newest schema; exit code 1 if not."""
            if not self.run(self._loaded().database_is_current):
                raise Failure(f"the database needs `{self.program.name} db upgrade`")
            click.echo("The database has the newest schema.")

        return db

    def _loaded(self) -> Any:  # noqa: ANN401 - a module
        return importlib.import_module(self.bootstrap)


def _wrong(what: str, error: Invalid) -> Failure:
    lines = "\n".join(f"  {problem.field}: {problem.message}" for problem in error.problems)
    return Failure(f"{what}:\n{lines}", USAGE)
