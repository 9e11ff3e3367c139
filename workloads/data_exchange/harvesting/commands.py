"""``borough-exchange source``."""

from typing import Any

import click

from foundation.surface import cli
from workloads.data_exchange.agencies.model import Level

_COLUMNS = (
    cli.Column("ID", "id"), cli.Column("PROTOCOL", "protocol"), cli.Column("URL", "url"),
    cli.Column("AGENCY", "path"), cli.Column("HOURS", "hours", right=True),
    cli.Column("ENABLED", "enabled"), cli.Column("NEXT", "next_at"),
)  # fmt: skip
_RUNS = (
    cli.Column("ID", "id"), cli.Column("STATE", "state"), cli.Column("STARTED", "started_at"),
    *(
        cli.Column(name.upper(), name, right=True)
        for name in ("pages", "found", "changed", "refused", "withdrawn")
    ),
    cli.Column("MESSAGE", "message"),
)  # fmt: skip
_SOURCE = click.argument("source_id", metavar="SOURCE", shell_complete=cli.complete("/sources"))


@click.group()
def source() -> None:
    """Other platforms' catalogues that are read and shown here."""


@source.command("list")
@cli.console(api="GET /api/v1/sources", web="/directory/sources")
def list_(console: cli.Console) -> None:
    """List the sources."""
    console.rows(console.client.get("/sources")["items"], _COLUMNS)


@source.command()
@click.argument("url")
@click.option("--agency", required=True, help="Id or path of the one below which it is shown.")
@click.option("--protocol", type=click.Choice(["dcat", "ckan"]), default="dcat", show_default=True)
@click.option("--title", required=True, help="Of the catalogue, in English.")
@click.option("--title-zh", help="The same in Chinese; the English one if left out.")
@click.option(
    "--level",
    type=click.Choice([one.value for one in Level]),
    help="Of its entries; the agency's if left out.",
)
@click.option(
    "--hours", type=int, default=24, show_default=True, help="Between runs; 0: on demand."
)
@click.option("--token-file", type=click.File(), help="With which it is asked.")
@cli.console(api="POST /api/v1/sources", web="/directory/sources")
def mount(console: cli.Console, /, url: str, **given: Any) -> None:  # noqa: ANN401
    """Show another platform's catalogue below an agency, and read it again and again."""
    token = given["token_file"]
    body = {
        "url": url, "agency": given["agency"], "protocol": given["protocol"],
        "title": {"en": given["title"], "zh": given["title_zh"] or given["title"]},
        "level": given["level"], "hours": given["hours"],
        "token": "" if token is None else token.read().strip(),
    }  # fmt: skip
    console.one(console.client.post("/sources", body), _COLUMNS)


@source.command()
@_SOURCE
@click.option("--accept-loss", is_flag=True, help="Believe it when most entries are gone.")
@cli.console(api="POST /api/v1/sources/{id}/runs", web="/directory/sources/{id}")
def read(console: cli.Console, source_id: str, *, accept_loss: bool) -> None:
    """Read it now; the worker does."""
    run = console.client.post(f"/sources/{source_id}/runs", {"accepts_loss": accept_loss})
    console.one(run, _RUNS)


@source.command()
@_SOURCE
@cli.console(api="GET /api/v1/sources/{id}/runs", web="/directory/sources/{id}")
def runs(console: cli.Console, source_id: str) -> None:
    """List its runs, the newest first."""
    console.rows(console.client.items(f"/sources/{source_id}/runs", limit=25), _RUNS)


@source.command()
@_SOURCE
@click.option("--hours", type=int, required=True, help="Between runs; 0: on demand.")
@click.option("--enabled/--disabled", default=True, help="Whether it is read at all.")
@cli.console(api="PUT /api/v1/sources/{id}", web="/directory/sources/{id}")
def change(console: cli.Console, source_id: str, hours: int, *, enabled: bool) -> None:
    """Change how often it is read, and whether at all."""
    there = console.client.request("GET", f"/sources/{source_id}")
    body = {"hours": hours, "enabled": enabled}
    console.one(console.client.change("PUT", f"/sources/{source_id}", body, there.etag), _COLUMNS)


@source.command()
@_SOURCE
@click.option("--yes", is_flag=True, help="Do not ask.")
@cli.console(api="DELETE /api/v1/sources/{id}", web="/directory/sources/{id}")
def unmount(console: cli.Console, source_id: str, *, yes: bool) -> None:
    """Read it no more, and take its entries out of the directory."""
    console.confirm(f"Take all entries of {source_id} out of the directory?", yes=yes)
    console.client.delete(f"/sources/{source_id}")
