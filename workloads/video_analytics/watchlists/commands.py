"""``borough-video watchlist``: whose faces and which plates cameras may look for."""

import base64
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from foundation.surface import cli

_LIST = (
    cli.Column("ID", "id"),
    cli.Column("NAME", "name"),
    cli.Column("KIND", "kind"),
    cli.Column("STATE", "state"),
    cli.Column("ENTRIES", "entries", right=True),
    cli.Column("WAITING", "pending", right=True),
    cli.Column("ENDS", "ends_at"),
    cli.Column("PATH", "path"),
    cli.Column("LEGAL BASIS", "legal_basis", wide=True),
    cli.Column("BEGUN BY", "created_by_name", wide=True),
    cli.Column("APPROVED BY", "approved_by_name", wide=True),
)
_ENTRY = (
    cli.Column("ID", "id"),
    cli.Column("LABEL", "label"),
    cli.Column("PATTERN", "pattern"),
    cli.Column("COUNTS SINCE", "approved_at"),
    cli.Column("ADDED", "added_at", wide=True),
    cli.Column("ADDED BY", "added_by_name", wide=True),
)
_ID = click.argument(
    "watchlist_id", metavar="WATCHLIST", shell_complete=cli.complete("/watchlists")
)


@click.group()
def watchlist() -> None:
    """Watch lists: whose faces and which plates cameras may look for."""


@watchlist.command("list")
@click.option("--kind", type=click.Choice(["faces", "plates"]), help="Only of this kind.")
@cli.console(api="GET /api/v1/watchlists", web="/watchlists")
def list_lists(console: cli.Console, kind: str | None) -> None:
    """List watch lists, the newest first; that you looked is noted."""
    console.rows(console.client.items("/watchlists", kind=kind), _LIST)


@watchlist.command("show")
@_ID
@cli.console(api="GET /api/v1/watchlists/{id}", web="/watchlists/{id}")
def show(console: cli.Console, watchlist_id: str) -> None:
    """Show a watch list."""
    console.one(console.client.get(f"/watchlists/{watchlist_id}"), _LIST)


@watchlist.command("entries")
@_ID
@cli.console(api="GET /api/v1/watchlists/{id}/entries", web="/watchlists/{id}")
def entries(console: cli.Console, watchlist_id: str) -> None:
    """List what is on a watch list; that you looked is noted."""
    console.rows(console.client.items(f"/watchlists/{watchlist_id}/entries"), _ENTRY)


@watchlist.command("create")
@click.argument("name")
@click.option("--kind", type=click.Choice(["faces", "plates"]), required=True, help="Of what.")
@click.option("--path", required=True, help="The department that answers for it.")
@click.option("--legal-basis", required=True, help="On what ground it may be.")
@click.option("--until", required=True, metavar="DATE", help="Last day, or an instant.")
@cli.console(api="POST /api/v1/watchlists", web="/watchlists/new")
def create(console: cli.Console, /, name: str, until: str, **given: str) -> None:
    """Begin a watch list; one of faces is in force when a second person agreed."""
    body = {"name": name, "ends_at": _end(until), **given}
    console.one(console.client.post("/watchlists", body), _LIST)


def _end(text: str) -> str:
    """A day as the instant at which it is over, in UTC; an instant as it is."""
    try:
        after = date.fromisoformat(text) + timedelta(days=1)
    except (ValueError, OverflowError):
        return text
    return datetime.combine(after, datetime.min.time(), UTC).isoformat()


@watchlist.command("add-face")
@_ID
@click.argument("picture", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--label", required=True, help="As those call it who work with the list.")
@cli.console(api="POST /api/v1/watchlists/{id}/faces", web="/watchlists/{id}")
def add_face(console: cli.Console, watchlist_id: str, picture: Path, label: str) -> None:
    """Put the one face of a picture on a list; the picture is not kept."""
    content = base64.b64encode(picture.read_bytes()).decode()
    body = {"label": label, "picture": content}
    console.one(console.client.post(f"/watchlists/{watchlist_id}/faces", body), _ENTRY)


@watchlist.command("add-plate")
@_ID
@click.argument("pattern")
@click.option("--label", required=True, help="As those call it who work with the list.")
@cli.console(api="POST /api/v1/watchlists/{id}/plates", web="/watchlists/{id}")
def add_plate(console: cli.Console, watchlist_id: str, pattern: str, label: str) -> None:
    """Put plates on a list: ? stands for one character, * for any number."""
    body = {"label": label, "pattern": pattern}
    console.one(console.client.post(f"/watchlists/{watchlist_id}/plates", body), _ENTRY)


@watchlist.command("remove")
@_ID
@click.argument("entry_id", metavar="ENTRY")
@click.option("--yes", is_flag=True, help="Do not ask.")
@cli.console(api="DELETE /api/v1/watchlists/{id}/entries/{entry}", web="/watchlists/{id}")
def remove(console: cli.Console, watchlist_id: str, entry_id: str, yes: bool) -> None:  # noqa: FBT001
    """Destroy an entry."""
    console.confirm(f"Destroy the entry {entry_id}?", yes=yes)
    console.client.delete(f"/watchlists/{watchlist_id}/entries/{entry_id}")


@watchlist.command("approve")
@_ID
@click.option("--yes", is_flag=True, help="Do not ask.")
@cli.console(api="POST /api/v1/watchlists/{id}/approve", web="/watchlists/{id}")
def approve(console: cli.Console, watchlist_id: str, yes: bool) -> None:  # noqa: FBT001
    """Agree, as a second person, to a list of faces and to all that waits in it."""
    console.confirm(f"Agree that cameras look for the faces of {watchlist_id}?", yes=yes)
    console.one(console.client.post(f"/watchlists/{watchlist_id}/approve"), _LIST)


@watchlist.command("close")
@_ID
@click.option("--reason", required=True, help="Why it ends before its day.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@cli.console(api="POST /api/v1/watchlists/{id}/close", web="/watchlists/{id}")
def close(console: cli.Console, watchlist_id: str, reason: str, yes: bool) -> None:  # noqa: FBT001
    """End a watch list before its day and destroy its entries."""
    console.confirm(f"End {watchlist_id} and destroy its entries?", yes=yes)
    body = {"reason": reason}
    console.one(console.client.post(f"/watchlists/{watchlist_id}/close", body), _LIST)
