"""``borough-exchange dataset``, ``service`` and ``catalog``."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from foundation.surface import cli
from workloads.data_exchange.agencies.model import Level

_COLUMNS = (
    cli.Column("ID", "id"),
    cli.Column("KIND", "kind"),
    cli.Column("TITLE", "title"),
    cli.Column("AGENCY", "path"),
    cli.Column("LEVEL", "level", wide=True),
    cli.Column("STATE", "state"),
    cli.Column("WORK", "work"),
    cli.Column("VERSION", "version", right=True),
    cli.Column("FORMATS", "formats", wide=True),
)
_STEPS = (
    cli.Column("AT", "at"), cli.Column("ACTION", "action"), cli.Column("BY", "by_name"),
    cli.Column("VERSION", "version", right=True), cli.Column("NOTE", "note"),
)  # fmt: skip
_VERSIONS = (
    cli.Column("VERSION", "version"), cli.Column("TITLE", "body.title"),
    cli.Column("PUBLISHED", "published_at"), cli.Column("REPLACED", "replaced_at"),
)  # fmt: skip
_CATALOGS = (
    cli.Column("ID", "id"), cli.Column("TITLE", "title"), cli.Column("AGENCY", "path"),
    cli.Column("LEVEL", "level"), cli.Column("HOMEPAGE", "homepage", wide=True),
)  # fmt: skip
_FACETS = (
    cli.Column("FACET", "facet"), cli.Column("VALUE", "value"),
    cli.Column("COUNT", "count", right=True),
)  # fmt: skip
_ENTRY = click.argument("entry_id", metavar="ENTRY", shell_complete=cli.complete("/entries"))
_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_NOTE = click.option("--note", required=True, help="Why.")


@click.group()
def dataset() -> None:
    """Data sets, series and services: find, describe, review, publish."""


@click.group()
def service() -> None:
    """Services: how data are called."""


@click.group()
def catalog() -> None:
    """The directory as DCAT-AP, and catalogues of other platforms."""


@dataset.command()
@click.argument("words", nargs=-1)
@click.option("--kind", multiple=True, help="dataset, series or service.")
@click.option(
    "--level", multiple=True, type=click.Choice([one.value for one in Level]), help="Of government."
)
@click.option("--theme", multiple=True, help="Such as HEAL or city:water.")
@click.option("--agency", multiple=True, help="A path; those below count too.")
@click.option("--format", multiple=True, help="Such as CSV.")
@click.option("--access", multiple=True, help="PUBLIC, RESTRICTED or NON_PUBLIC.")
@click.option("--order", type=click.Choice(["relevance", "modified"]), default="relevance")
@click.option("--limit", type=click.IntRange(1, 1000), default=25, show_default=True)
@cli.console(api="GET /api/v1/directory", web="/directory")
def search(console: cli.Console, /, words: tuple[str, ...], limit: int, **given: Any) -> None:  # noqa: ANN401
    """Find data sets and services by words, Chinese or English, and by facets."""
    asked = {
        name: list(value) if isinstance(value, tuple) else value for name, value in given.items()
    }
    found = console.client.items("/directory", limit=limit, q=" ".join(words), **asked)
    console.rows(found, _COLUMNS)


@dataset.command()
@click.argument("words", nargs=-1)
@cli.console(api="GET /api/v1/directory/facets", web="/directory")
def facets(console: cli.Console, words: tuple[str, ...]) -> None:
    """How many fit, by facet."""
    told = console.client.get("/directory/facets", q=" ".join(words))
    rows = [{"facet": name, **value} for name, values in told["facets"].items() for value in values]
    console.rows(rows, _FACETS, name="value")
    if not told["exact"]:
        console.say(f"More than {told['total']} fit; the counts are of so many of them.")


def _shared(group: click.Group, kind: str, example: str) -> None:
    """The verbs that data sets and services have alike."""

    @group.command("list")
    @click.option("--state", help="Such as published.")
    @click.option("--work", help="none, draft or in_review.")
    @click.option("--agency", help="A path; those below too.")
    @cli.console(api="GET /api/v1/entries", web="/directory/mine")
    def list_(
        console: cli.Console, state: str | None, work: str | None, agency: str | None
    ) -> None:
        """List those that you make or review, in any state."""
        found = console.client.items("/entries", kind=kind, state=state, work=work, agency=agency)
        console.rows(found, _COLUMNS)

    @group.command(help=f"Begin one, as a draft, from a YAML or JSON file.\n\n{example}")
    @_FILE
    @click.option("--agency", required=True, help="Id or path of the one that publishes it.")
    @click.option("--secret-file", type=click.File(), help="With which its provider is asked.")
    @cli.console(api="POST /api/v1/entries", web="/directory/new")
    def create(console: cli.Console, file: Path, agency: str, secret_file: Any) -> None:  # noqa: ANN401
        body = {
            "kind": kind,
            "agency": agency,
            "body": cli.read(str(file)),
            "secret": _read(secret_file),
        }
        console.one(console.client.post("/entries", body), _COLUMNS)


def _read(file: Any) -> str:  # noqa: ANN401 - a text file or None
    return "" if file is None else str(file.read()).strip()


_shared(dataset, "dataset", "Fields: title, description, themes, elements, distributions …")
_shared(service, "service", "Fields: title, description, themes, serves, interface …")


@dataset.command()
@_ENTRY
@cli.console(api="GET /api/v1/entries/{id}", web="/directory/{id}")
def show(console: cli.Console, entry_id: str) -> None:
    """Show one entry."""
    console.one(console.client.get(f"/entries/{entry_id}"), _COLUMNS)


@dataset.command()
@_ENTRY
@_FILE
@click.option("--secret-file", type=click.File(), help="Another secret for its provider.")
@cli.console(api="PUT /api/v1/entries/{id}/draft", web="/directory/{id}/edit")
def change(console: cli.Console, entry_id: str, file: Path, secret_file: Any) -> None:  # noqa: ANN401
    """Write the next version from a file; what is shown stays until it is approved."""
    client = console.client
    there = client.request("GET", f"/entries/{entry_id}")
    body: dict[str, object] = {"body": cli.read(str(file))}
    if secret_file is not None:
        body["secret"] = _read(secret_file)
    console.one(client.change("PUT", f"/entries/{entry_id}/draft", body, there.etag), _COLUMNS)


@dataset.command()
@_ENTRY
@cli.console(api="DELETE /api/v1/entries/{id}/draft", web="/directory/{id}")
def discard(console: cli.Console, entry_id: str) -> None:
    """Drop the next version; what is shown stays."""
    console.client.delete(f"/entries/{entry_id}/draft")


def _verb(name: str, about: str, *, note: bool = False) -> None:
    """A step of the life of an entry."""

    def run(console: cli.Console, entry_id: str, note: str | None = None) -> None:
        body = None if note is None else {"note": note}
        console.one(console.client.post(f"/entries/{entry_id}/{name}", body), _COLUMNS)

    asked: Callable[..., Any] = cli.console(
        api=f"POST /api/v1/entries/{{id}}/{name}", web="/directory/{id}"
    )(run)
    asked = _ENTRY(_NOTE(asked) if note else asked)
    dataset.command(name, help=about)(asked)


_verb("submit", "Give the draft to review.")
_verb("send-back", "Give the draft back to its authors.", note=True)
_verb("withdraw", "Take it out of the directory at once.", note=True)
_verb("freeze", "Let it be used on and never revised again.")
_verb("archive", "Offer it no more.", note=True)


@dataset.command()
@_ENTRY
@click.option("--note", default="", help="What is to be said with it.")
@cli.console(api="POST /api/v1/entries/{id}/approve", web="/directory/reviews")
def approve(console: cli.Console, entry_id: str, note: str) -> None:
    """Publish what is under review; its authors cannot."""
    done = console.client.post(f"/entries/{entry_id}/approve", {"note": note})
    console.one(done, _COLUMNS)


@dataset.command()
@_ENTRY
@click.option("--method", required=True, help="How the data themselves were destroyed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@cli.console(api="POST /api/v1/entries/{id}/destroy", web="/directory/{id}")
def destroy(console: cli.Console, entry_id: str, method: str, *, yes: bool) -> None:
    """Erase what it said, and print the certificate; not by who archived it."""
    console.confirm(f"Erase all that {entry_id} said?", yes=yes)
    done = console.client.post(f"/entries/{entry_id}/destroy", {"method": method})
    console.text(done["jws"], done)


@dataset.command()
@_ENTRY
@cli.console(api="GET /api/v1/certificates/{id}", web="/directory/{id}")
def certificate(console: cli.Console, entry_id: str) -> None:
    """Print the certificate of what was destroyed."""
    told = console.client.get(f"/certificates/{entry_id}")
    console.text(told["jws"], told)


@dataset.command()
@_ENTRY
@cli.console(api="GET /api/v1/entries/{id}/versions", web="/directory/{id}")
def versions(console: cli.Console, entry_id: str) -> None:
    """The earlier published versions."""
    told = console.client.get(f"/entries/{entry_id}/versions")["items"]
    console.rows(told, _VERSIONS, name="version")


@dataset.command()
@_ENTRY
@cli.console(api="GET /api/v1/entries/{id}/steps", web="/directory/{id}")
def steps(console: cli.Console, entry_id: str) -> None:
    """What was done to it."""
    told = console.client.get(f"/entries/{entry_id}/steps")["items"]
    console.rows(told, _STEPS, name="action")


@catalog.command("list")
@cli.console(api="GET /api/v1/catalogs", web="/directory/sources")
def list_catalogs(console: cli.Console) -> None:
    """List the catalogues of other platforms that are mounted here."""
    console.rows(console.client.get("/catalogs")["items"], _CATALOGS)


@catalog.command("show")
@click.argument("entry_id", metavar="[ENTRY]", required=False, default="")
@click.option("--cursor", help="Of the part of the directory that is wanted.")
@cli.console(api="GET /api/v1/catalog", web="/directory")
def show_catalog(console: cli.Console, entry_id: str, cursor: str | None) -> None:
    """Print the directory, one part at a time, or one entry, as DCAT-AP in JSON-LD."""
    at = f"/catalog/{entry_id}" if entry_id else "/catalog"
    told = console.client.get(at, form="jsonld", cursor=cursor)
    console.text(json.dumps(told, ensure_ascii=False, indent=1))
