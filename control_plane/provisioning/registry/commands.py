"""``borough blueprint``: what revisions change, who runs them, and a blueprint's life."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from control_plane.provisioning.commands import blueprint, change_lines, files_of, verdict_lines
from foundation.surface import cli

__all__ = ["blueprint"]

_USER = (
    cli.Column("DEPLOYMENT", "deployment"),
    cli.Column("NAME", "name"),
    cli.Column("VERSION", "version"),
    cli.Column("STATE", "state"),
    cli.Column("PATH", "path"),
    cli.Column("REGION", "region", wide=True),
    cli.Column("TENANCY", "tenancy", wide=True),
    cli.Column("OWNER", "owner", wide=True),
)
_STANDING = (
    cli.Column("NAME", "blueprint"),
    cli.Column("STANDING", "kind"),
    cli.Column("SUCCESSOR", "successor"),
    cli.Column("ENDS", "ends_at"),
    cli.Column("REASON", "reason"),
    cli.Column("SINCE", "since", wide=True),
    cli.Column("BY", "by", wide=True),
)


def _touched(row: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{count} {op}" for op, count in sorted(row["counts"].items()))
    return counts or ("-" if row["problem"] else "nothing")


_IMPACT = (
    cli.Column("DEPLOYMENT", "deployment"),
    cli.Column("NAME", "name"),
    cli.Column("VERSION", "version"),
    cli.Column("OUTCOME", "outcome"),
    cli.Column("CHANGES", _touched),
    cli.Column("PATH", "path"),
    cli.Column("PROBLEM", "problem"),
    cli.Column("OWNER", "owner", wide=True),
)
_NAME = click.argument("name", shell_complete=cli.complete("/blueprints", name="name"))


# What revisions change ---------------------------------------------------------------------------


@blueprint.command("diff")
@click.argument("what", metavar="NAME|FOLDER")
@click.option("--old", default="", help="Version to compare with; the one before without it.")
@click.option("--new", default="", help="Version to look at; the highest without it.")
@cli.console(api="GET /api/v1/blueprints/{name}/comparison", web="/blueprints/{name}/compare")
def diff(console: cli.Console, what: str, old: str, new: str) -> None:
    """Compare two versions of a blueprint, or a folder with the published version before it.

    Shows what it takes and gives otherwise (BREAKING where something that worked may not work any
    more) and which resources its samples declare otherwise. Of a folder, also what publishing
    would say; exit code 1 when it could not be published.
    """
    if not Path(what).is_dir():
        found = console.client.get(f"/blueprints/{what}/comparison", old=old, new=new)
        console.text("\n".join(_drawn(found, console.settings.language)), found)
        return
    if old or new:
        raise click.UsageError("a folder is compared with the published version before it")
    found = console.client.post("/blueprint-reviews", {"files": files_of(Path(what))})
    language = console.settings.language
    lines = list(verdict_lines(found["validation"], language))
    if found["comparison"] is not None:
        lines += ["", *_drawn(found["comparison"], language)]
    console.text("\n".join(lines), found)
    if not found["validation"]["ok"]:
        raise cli.Failure("the blueprint cannot be published as it is")


def _drawn(found: Mapping[str, Any], language: str) -> Iterator[str]:
    if not found["old"]:
        yield f"{found['blueprint']} {found['new_version']}: there is no version before it."
        return
    yield f"{found['blueprint']} {found['old_version']} → {found['new_version']}"
    if not found["changes"]:
        yield "  It takes and gives the same."
    for change in found["changes"]:
        mark = "BREAKING" if change["breaking"] else "        "
        yield f"  {mark} {change['part']}: {change['message'][language]}"
    for sample in found["samples"]:
        yield f"Sample {sample['name']}: {sample['state']}"
        if sample["problem"]:
            yield f"  {sample['problem']}"
        yield from change_lines(sample["changes"])


@blueprint.command("impact")
@_NAME
@click.option("--version", default="", help="The highest without it.")
@click.option("--last", is_flag=True, help="Show the last report; work out none.")
@cli.console(
    api="POST /api/v1/blueprints/{name}/revisions/{version}/impact",
    web="/blueprints/{name}/compare",
    waits=True,
)
def impact(console: cli.Console, name: str, version: str, last: bool) -> None:  # noqa: FBT001
    """Work out what a version would change of everything that runs another one.

    It is told from the programs alone and nothing is changed; -o wide says who owns a deployment.
    """
    chosen = version or console.client.get(f"/blueprints/{name}")["version"]
    address = f"/blueprints/{name}/revisions/{chosen}/impact"
    if not last:
        console.follow(console.client.post(address))
    report = console.client.get(address)
    if report["truncated"]:
        console.say("There are more deployments than the report looked at.")
    console.rows(console.client.items(f"{address}/deployments"), _IMPACT, name="deployment")


@blueprint.command("users")
@_NAME
@click.option("--version", default="", help="Only what runs this version.")
@cli.console(api="GET /api/v1/blueprints/{name}/deployments", web="/blueprints/{name}/deployments")
def users(console: cli.Console, name: str, version: str) -> None:
    """List the deployments of a blueprint, with the version that each runs."""
    found = console.client.items(f"/blueprints/{name}/deployments", version=version)
    console.rows(found, _USER, name="deployment")


# Its life ----------------------------------------------------------------------------------------

_SUCCESSOR = click.option("--successor", default="", help="Blueprint to use instead.")
_REASON = click.option("--reason", default="", help="Why, in words for departments.")


@blueprint.command("standing")
@_NAME
@cli.console(api="GET /api/v1/blueprints/{name}/standing", web="/blueprints/{name}")
def standing(console: cli.Console, name: str) -> None:
    """Show whether a blueprint is published, deprecated or retired."""
    found = console.client.get(f"/blueprints/{name}/standing")
    console.one(found, _STANDING, name="blueprint")


@blueprint.command("deprecate")
@_NAME
@click.option(
    "--until", required=True, type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD",
    help="From this day on (UTC) it takes nothing new.",
)  # fmt: skip
@_SUCCESSOR
@_REASON
@cli.console(api="POST /api/v1/blueprints/{name}/deprecate", web="/blueprints/{name}")
def deprecate(console: cli.Console, name: str, until: Any, successor: str, reason: str) -> None:  # noqa: ANN401 - click's date
    """Warn those who order something new from a blueprint, and refuse it from a day on."""
    body = {"ends_at": f"{until:%Y-%m-%d}T00:00:00Z", "successor": successor, "reason": reason}
    made = console.client.post(f"/blueprints/{name}/deprecate", body)
    console.one(made, _STANDING, name="blueprint")


@blueprint.command("retire")
@_NAME
@_SUCCESSOR
@_REASON
@click.option("--yes", is_flag=True, help="Do not ask.")
@cli.console(api="POST /api/v1/blueprints/{name}/retire", web="/blueprints/{name}")
def retire(
    console: cli.Console,
    name: str,
    successor: str,
    reason: str,
    yes: bool,  # noqa: FBT001
) -> None:
    """Refuse everything new from a blueprint; what was made from it stays."""
    console.confirm(f"Retire {name}, so that nothing new is made from it?", yes=yes)
    body = {"successor": successor, "reason": reason}
    made = console.client.post(f"/blueprints/{name}/retire", body)
    console.one(made, _STANDING, name="blueprint")


@blueprint.command("reinstate")
@_NAME
@_REASON
@cli.console(api="POST /api/v1/blueprints/{name}/reinstate", web="/blueprints/{name}")
def reinstate(console: cli.Console, name: str, reason: str) -> None:
    """Take a deprecation or retirement back."""
    made = console.client.post(f"/blueprints/{name}/reinstate", {"reason": reason})
    console.one(made, _STANDING, name="blueprint")


# Where blueprints come from -----------------------------------------------------------------------


def _reference(item: Mapping[str, Any]) -> str:
    short = item["reference"][:12] if item["kind"] == "commit" else item["reference"]
    return f"{item['kind']} {short}"


def _state(item: Mapping[str, Any]) -> str:
    last = item["last"]
    if last is None:
        return "not read yet"
    if last["error"]:
        return "failed"
    refused = sum(result["outcome"] == "refused" for result in last["results"])
    return f"{refused} refused" if refused else "ok"


_SOURCE = (
    cli.Column("ID", "id", wide=True),
    cli.Column("NAME", "slug"),
    cli.Column("URL", "url"),
    cli.Column("READS", _reference),
    cli.Column("FOLDER", "folder"),
    cli.Column("SIGNED", "signed"),
    cli.Column("EVERY MIN", "minutes", right=True),
    cli.Column("STATE", _state),
)
_SOURCE_NAME = click.argument(
    "source_id", metavar="SOURCE", shell_complete=cli.complete("/blueprint-sources", name="slug")
)


@blueprint.group("source")
def source() -> None:
    """Git repositories whose blueprints are published."""


@source.command("list")
@cli.console(api="GET /api/v1/blueprint-sources", web="/blueprint-sources")
def list_sources(console: cli.Console) -> None:
    """List sources, with how their last reading went."""
    console.rows(console.client.items("/blueprint-sources"), _SOURCE, name="slug")


@source.command("show")
@_SOURCE_NAME
@cli.console(api="GET /api/v1/blueprint-sources/{id}", web="/blueprint-sources/{id}")
def show_source(console: cli.Console, source_id: str) -> None:
    """Show a source and what its last reading found."""
    found = console.client.get(f"/blueprint-sources/{source_id}")
    console.text("\n".join(_read(found)), found)


def _read(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{found['slug']}  {found['url']}  {_reference(found)}"
    last = found["last"]
    if last is None:
        yield "  It was not read yet."
        return
    if last["error"]:
        yield f"  {last['at']}  {last['error']}"
        return
    signer = f"signed ({last['signed']}) by {last['signer']}" if last["signer"] else "not signed"
    yield f"  {last['at']}  commit {last['commit']}, {signer}"
    for result in last["results"]:
        what = f"{result['blueprint']} {result['version']}".strip()
        yield f"  {result['outcome']:<10} {result['folder']}  {what}"
        yield from (f"             {problem}" for problem in result["problems"])


@source.command("add")
@click.argument("slug", metavar="NAME")
@click.argument("url")
@click.option("--branch", help="Read this branch (main without any of the three).")
@click.option("--tag", help="Read this tag.")
@click.option("--commit", help="Read this commit and no other.")
@click.option("--folder", default="", help="Only what is there or below.")
@click.option("--user", default="", help="Of a repository that is not public.")
@click.option(
    "--password-file", type=click.File(), help="File with its password or token; - is stdin."
)
@click.option(
    "--allowed-signers", type=click.File(), help="File as of ssh-keygen: address, type and key."
)
@click.option("--signed", is_flag=True, help="Publish only what one of them signed.")
@click.option("--every", "minutes", default=0, metavar="MINUTES", help="Read it by itself.")
@cli.console(api="POST /api/v1/blueprint-sources", web="/blueprint-sources")
def add_source(  # noqa: PLR0913, PLR0917 - the options of a command
    console: cli.Console,
    slug: str,
    url: str,
    branch: str | None,
    tag: str | None,
    commit: str | None,
    folder: str,
    user: str,
    password_file: Any,  # noqa: ANN401 - click's file
    allowed_signers: Any,  # noqa: ANN401
    signed: bool,  # noqa: FBT001
    minutes: int,
) -> None:
    """Register a Git repository; nothing is read yet.

    A password or token is read from a file, never from an argument; it is sealed and never shown.
    """
    given = {"branch": branch, "tag": tag, "commit": commit}
    named = {kind: name for kind, name in given.items() if name is not None} or {"branch": "main"}
    if len(named) > 1:
        raise click.UsageError("give one of --branch, --tag and --commit")
    [(kind, reference)] = named.items()
    body = {
        "slug": slug, "url": url, "kind": kind, "reference": reference, "folder": folder,
        "user": user, "signed": signed, "minutes": minutes,
        "password": password_file.read().strip() if password_file else "",
        "allowed_signers": allowed_signers.read() if allowed_signers else "",
    }  # fmt: skip
    console.one(console.client.post("/blueprint-sources", body), _SOURCE, name="slug")


@source.command("sync")
@_SOURCE_NAME
@cli.console(
    api="POST /api/v1/blueprint-sources/{id}/sync", web="/blueprint-sources/{id}", waits=True
)
def sync_source(console: cli.Console, source_id: str) -> None:
    """Read a source now and publish what is new; exit code 1 when something was refused."""
    console.follow(console.client.post(f"/blueprint-sources/{source_id}/sync"))
    found = console.client.get(f"/blueprint-sources/{source_id}")
    console.text("\n".join(_read(found)), found)
    last = found["last"]
    if last and any(result["outcome"] == "refused" for result in last["results"]):
        raise cli.Failure("not everything could be published")


@source.command("remove")
@_SOURCE_NAME
@click.option("--yes", is_flag=True, help="Do not ask.")
@cli.console(api="DELETE /api/v1/blueprint-sources/{id}", web="/blueprint-sources/{id}")
def remove_source(console: cli.Console, source_id: str, yes: bool) -> None:  # noqa: FBT001
    """Forget a source and its password; what it published stays."""
    console.confirm(f"Remove the source {source_id}?", yes=yes)
    console.client.delete(f"/blueprint-sources/{source_id}")
    console.say(f"{source_id} is removed.")
