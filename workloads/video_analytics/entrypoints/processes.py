"""``borough-video serve``, ``administrator`` and ``config``: these are the service itself."""

import sys
from collections.abc import Callable
from typing import TypeVar

import click

from foundation.kernel import settings as kernel
from foundation.kernel.errors import BoroughError, Invalid
from foundation.surface import cli
from foundation.surface.cli.exits import USAGE, Failure
from workloads.video_analytics.settings import PROGRAM, Settings, from_environment
from workloads.video_analytics.workers.commands import worker

R = TypeVar("R")

_SETTINGS = (
    cli.Column("NAME", "name"),
    cli.Column("VALUE", "value"),
    cli.Column("MEANING", "meaning"),
)


def run(process: Callable[[Settings], R]) -> R:
    """Run something with the settings of the environment; what is wrong becomes a message."""
    try:
        return process(from_environment())
    except Invalid as error:
        wrong = "\n".join(f"  {problem.field}: {problem.message}" for problem in error.problems)
        raise Failure(f"wrong:\n{wrong}", USAGE) from None
    except BoroughError as error:
        raise Failure(error.message) from None


@click.command()
def serve() -> None:
    """Run the web and API process, on BOROUGH_VIDEO_HOST and BOROUGH_VIDEO_PORT."""
    from workloads.video_analytics.entrypoints import serve as process  # noqa: PLC0415 - loads all

    run(process.serve)
    sys.exit(0)


@worker.command("run")
def run_worker() -> None:
    """Run a worker until it is asked to end; several share the cameras."""
    from workloads.video_analytics.entrypoints import worker as process  # noqa: PLC0415 - loads all

    run(process.work)
    sys.exit(0)


@click.command()
@click.argument("login")
@click.option("--name", default="", help="As people read it; else the login.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def administrator(login: str, name: str, *, password_stdin: bool) -> None:
    """Add an administrator: the first one, or one when nobody gets in any more."""
    from workloads.video_analytics.bootstrap import add_administrator  # noqa: PLC0415 - loads all

    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    run(lambda settings: add_administrator(settings, login, name or login, password))
    click.echo(f"{login} may sign in.", err=True)


@click.command()
@cli.console()
def config(console: cli.Console) -> None:
    """Show the settings of a service started from this environment, and what they mean."""
    found = run(lambda settings: kernel.describe(settings, PROGRAM))
    rows = [{"name": name, "value": value, "meaning": meaning} for name, value, meaning in found]
    console.rows(rows, _SETTINGS, name="name")


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
def upgrade() -> None:
    """Bring the database to the newest schema; safe to run again and while the service runs."""
    from workloads.video_analytics.bootstrap import upgrade_database  # noqa: PLC0415 - loads all

    click.echo(run(upgrade_database))
