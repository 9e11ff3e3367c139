"""``borough blueprint``: what revisions change, who runs them, and a blueprint's life."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from control_plane.provisioning.commands import blueprint, change_lines, files_of, verdict_lines
from control_plane.surface import cli

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
