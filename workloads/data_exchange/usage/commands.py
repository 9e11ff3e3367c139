"""``borough-exchange usage``: what was counted."""

import click

from foundation.surface import cli

_LINE = (
    cli.Column("HOUR", "hour"),
    cli.Column("METER", "meter"),
    cli.Column("BY", "dimensions"),
    cli.Column("QUANTITY", "quantity", right=True),
    cli.Column("TOLD", "told", right=True),
)


@click.group()
def usage() -> None:
    """Calls, checks, licences and hours of data sets, as they are told to the platform."""


@usage.command("list")
@click.option("--start", metavar="TIME", help="From this hour on (RFC 3339); else 31 days ago.")
@click.option("--end", metavar="TIME", help="Before this time; else now.")
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True, help="At most.")
@cli.console(api="GET /api/v1/usage")
def list_(console: cli.Console, start: str | None, end: str | None, limit: int) -> None:
    """List what was counted by the hour, oldest first."""
    items = console.client.items("/usage", limit=limit, start=start, end=end)
    console.rows(items, _LINE, name="hour")
