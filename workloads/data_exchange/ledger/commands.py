"""``borough-exchange ledger``."""

import click

from foundation.surface import cli

_CODE = (cli.Column("CODE", "code"),)
_ENTRY = (
    cli.Column("AT", "at"),
    cli.Column("ASKER", "asker"),
    cli.Column("PURPOSE", "purpose"),
    cli.Column("SERVICE", "service"),
    cli.Column("BASIS", "basis"),
)


@click.group()
def ledger() -> None:
    """The citizen ledger: who asked what about whom."""


@ledger.command()
@click.option("--number", prompt=True, hide_input=True, help="Resident number; asked for.")
@cli.console(api="POST /api/v1/ledger/codes", web="/")
def code(console: cli.Console, number: str) -> None:
    """Make a one-time code for a citizen at the counter."""
    console.one(console.client.post("/ledger/codes", {"number": number}), _CODE)


@ledger.command("open")
@click.option("--code", "code_", prompt=True, hide_input=True, help="From the counter.")
@cli.console(api="POST /api/v1/ledger/open", web="/")
def open_(console: cli.Console, code_: str) -> None:
    """Show a citizen's own entries; the code is used up."""
    console.rows(console.client.post("/ledger/open", {"code": code_})["items"], _ENTRY)
