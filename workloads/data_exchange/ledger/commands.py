"""``borough-exchange ledger``."""

from typing import IO

import click

from foundation.surface import cli

_CODE = (cli.Column("CODE", "code"),)
_ENTRY = (
    cli.Column("KEY", "key", wide=True),
    cli.Column("AT", "at"),
    cli.Column("ASKER", "asker"),
    cli.Column("PURPOSE", "purpose"),
    cli.Column("SERVICE", "service"),
    cli.Column("BASIS", "basis"),
)

_STANDING = (
    cli.Column("ID", "id"),
    cli.Column("PROVIDER", "provider"),
    cli.Column("STATE", "state"),
    cli.Column("DUE", "due_at"),
)


@click.group()
def ledger() -> None:
    """The citizen ledger: who asked what about whom."""


@ledger.command()
@click.option("--number", prompt=True, hide_input=True, help="Resident number; asked for.")
@cli.console(api="POST /api/v1/ledger/codes", web="/ledger/codes")
def code(console: cli.Console, number: str) -> None:
    """Make a one-time code for a citizen at the counter."""
    console.one(console.client.post("/ledger/codes", {"number": number}), _CODE)


@ledger.command("open")
@click.option("--code", "code_", prompt=True, hide_input=True, help="From the counter.")
@cli.console(api="POST /api/v1/ledger/open", web="/ledger")
def open_(console: cli.Console, code_: str) -> None:
    """Show a citizen's own entries; the code is used up (-o json: with a key to look again)."""
    found = console.client.post("/ledger/open", {"code": code_})
    if console.form not in {"json", "yaml"}:
        console.rows(found["items"], _ENTRY, name="key")
    else:
        console.one(found, _ENTRY)


@ledger.command("object")
@click.argument("entry")
@click.option("--key", prompt=True, hide_input=True, help="That `ledger open -o json` gave.")
@click.option("--text", type=click.File(), required=True, help="File: what is wrong.")
@cli.console(api="POST /api/v1/ledger/corrections", web="/ledger")
def object_(console: cli.Console, entry: str, key: str, text: IO[str]) -> None:
    """Object to what was answered to the question of an ENTRY of one's own ledger."""
    body = {"key": key, "entry": entry, "text": text.read()}
    console.one(console.client.post("/ledger/corrections", body), _STANDING)
