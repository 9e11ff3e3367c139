"""``borough config``: the settings of a platform started from this environment."""

import click

from control_plane.settings import PROGRAM, from_environment
from foundation.kernel import settings
from foundation.kernel.errors import Invalid
from foundation.surface import cli

_SETTINGS = (
    cli.Column("NAME", "name"),
    cli.Column("VALUE", "value"),
    cli.Column("MEANING", "meaning"),
)


@click.command()
@cli.console()
def config(console: cli.Console) -> None:
    """Show the settings of a platform started from this environment, and what they mean."""
    try:
        current = from_environment()
    except Invalid as error:
        wrong = "\n".join(f"  {problem.field}: {problem.message}" for problem in error.problems)
        raise cli.Failure(f"the environment is wrong:\n{wrong}", cli.USAGE) from None
    rows = [
        {"name": name, "value": value, "meaning": meaning}
        for name, value, meaning in settings.describe(current, PROGRAM)
    ]
    console.rows(rows, _SETTINGS, name="name")
