"""``borough-exchange correction``."""

from typing import IO

import click

from foundation.surface import cli

_COLUMNS = (
    cli.Column("ID", "id"),
    cli.Column("CHECK", "check"),
    cli.Column("QUESTION", "question"),
    cli.Column("PROVIDER", "provider"),
    cli.Column("STATE", "state"),
    cli.Column("DUE", "due_at"),
    cli.Column("ASKER", "asker", wide=True),
    cli.Column("RECEIPT", "receipt", wide=True),
    cli.Column("BY", "by", wide=True),
)
_TOLD = (
    *_COLUMNS,
    cli.Column("TEXT", "text"),
    cli.Column("ANSWER", "answer"),
    cli.Column("NUMBER", "number", wide=True),
)
_ID = click.argument("correction_id", shell_complete=cli.complete("/corrections"))


@click.group()
def correction() -> None:
    """Objections to what registries answered, and what their agencies say."""


@correction.command("list")
@click.option("--waiting", is_flag=True, help="Only those that nobody decided yet.")
@cli.console(api="GET /api/v1/corrections", web="/corrections")
def list_(console: cli.Console, *, waiting: bool) -> None:
    """List corrections, newest first."""
    wanted = "true" if waiting else None
    console.rows(console.client.items("/corrections", waiting=wanted), _COLUMNS)


@correction.command()
@_ID
@cli.console(api="GET /api/v1/corrections/{id}", web="/corrections/{id}")
def show(console: cli.Console, correction_id: str) -> None:
    """Show one in words."""
    console.one(console.client.get(f"/corrections/{correction_id}"), _TOLD)


@correction.command()
@click.argument("check_id", shell_complete=cli.complete("/checks"))
@click.argument("question")
@click.option("--person", type=click.IntRange(0), default=0, help="0 is the applicant.")
@click.option("--text", type=click.File(), required=True, help="File: what is wrong; - .")
@cli.console(api="POST /api/v1/checks/{id}/corrections", web="/checks/{id}")
def ask(console: cli.Console, check_id: str, question: str, person: int, text: IO[str]) -> None:
    """Object to what was answered to a QUESTION of a check.

    The text is read from a file: it names people, and arguments are seen by everybody on a machine.
    """
    body = {"question": question, "person": person, "text": text.read()}
    console.one(console.client.post(f"/checks/{check_id}/corrections", body), _COLUMNS)


@correction.command()
@_ID
@click.option("--corrected/--refused", required=True, help="Whether the record is another now.")
@click.option("--text", type=click.File(), required=True, help="File: what was done, or why not.")
@cli.console(api="POST /api/v1/corrections/{id}/decision", web="/corrections/{id}")
def decide(console: cli.Console, correction_id: str, *, corrected: bool, text: IO[str]) -> None:
    """Say for the agency that holds the record what became of it."""
    body = {"corrected": corrected, "text": text.read()}
    console.one(console.client.post(f"/corrections/{correction_id}/decision", body), _TOLD)
