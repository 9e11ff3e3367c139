"""``borough serve``, ``worker`` and ``db``: these are the platform, not clients of it."""

import sys
from collections.abc import Callable
from typing import TypeVar

import click

from control_plane.settings import Settings, from_environment
from foundation.kernel.errors import BoroughError, Invalid
from foundation.surface.cli.exits import USAGE, Failure

R = TypeVar("R")


def _settings() -> Settings:
    try:
        return from_environment()
    except Invalid as error:
        wrong = "\n".join(f"  {problem.field}: {problem.message}" for problem in error.problems)
        raise Failure(f"the environment is wrong:\n{wrong}", USAGE) from None


def _run(process: Callable[[Settings], R]) -> R:
    settings = _settings()
    try:
        return process(settings)
    except Invalid as error:
        wrong = "\n".join(f"  {problem.field}: {problem.message}" for problem in error.problems)
        raise Failure(f"wrong:\n{wrong}", USAGE) from None
    except BoroughError as error:
        raise Failure(error.message) from None


@click.command()
@click.option("--with-worker", is_flag=True, help="Also keep a worker running, as a child process.")
def serve(*, with_worker: bool) -> None:
    """Run the web and API process, on BOROUGH_HOST and BOROUGH_PORT.

    SIGTERM lets running requests finish. `borough config` lists the settings.
    """
    from control_plane.entrypoints import serve as process  # noqa: PLC0415 - loads the platform

    _run(lambda settings: process.serve(settings, with_worker=with_worker))
    sys.exit(0)


@click.command()
def worker() -> None:
    """Run a worker: it plans, provisions, collects and rates. Run as many as you like.

    SIGTERM lets running steps finish and gives the rest to other workers.
    """
    from control_plane.entrypoints import worker as process  # noqa: PLC0415

    _run(process.work)


@click.command()
@click.argument("login")
@click.option("--name", default="", help="As people read it; else the login.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def administrator(login: str, name: str, *, password_stdin: bool) -> None:
    """Add a platform administrator: the first one, or one when nobody gets in any more.

    It needs the platform's settings, not an account: whoever has those has the database too.
    """
    from control_plane.bootstrap import add_administrator  # noqa: PLC0415 - loads the platform

    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    _run(lambda settings: add_administrator(settings, login, name or login, password))
    click.echo(f"{login} may sign in.", err=True)


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
def upgrade() -> None:
    """Bring the database to the newest schema; safe to run again and while the platform runs."""
    from control_plane.bootstrap import upgrade_database  # noqa: PLC0415

    click.echo(_run(upgrade_database))


@db.command()
def status() -> None:
    """Say whether the database has the newest schema; exit code 1 if not."""
    from control_plane.bootstrap import database_is_current  # noqa: PLC0415

    if not _run(database_is_current):
        raise Failure("the database needs `borough db upgrade`")
    click.echo("The database has the newest schema.")
