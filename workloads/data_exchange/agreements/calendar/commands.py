"""``borough-exchange calendar``."""

import json

import click

from foundation.surface import cli


@click.group()
def calendar() -> None:
    """Working days, and how many of them a request may wait."""


@calendar.command()
@cli.console(api="GET /api/v1/calendar", web="/calendar")
def show(console: cli.Console) -> None:
    """Show the calendar; what is printed can be edited and entered with `calendar set`."""
    found = console.client.get("/calendar")
    console.text(json.dumps(found, indent=2), found)


@calendar.command("set")
@click.argument("file")
@cli.console(api="PUT /api/v1/calendar", web="/calendar")
def set_(console: cli.Console, file: str) -> None:
    """Enter the calendar in FILE (YAML or JSON, - for standard input); due dates move with it."""
    body = cli.read(file)
    if isinstance(body, dict):
        body.pop("version", None)
    there = console.client.request("GET", "/calendar")
    made = console.client.change("PUT", "/calendar", body, there.headers.get("ETag", ""))
    console.text(f"version {made['version']}", made)
