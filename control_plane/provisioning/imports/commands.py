"""``borough import``: what was made by hand becomes deployments."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from foundation.surface import cli

_PROJECT = (
    cli.Column("ID", "id"),
    cli.Column("NAME", "name"),
    cli.Column("DEPLOYMENT", "deployment"),
    cli.Column(
        "UNOWNED",
        lambda item: ", ".join(f"{many} {kind}" for kind, many in item["unowned"].items()) or "—",
    ),
)
_OBJECT = (
    cli.Column("KIND", lambda item: item["type"].rpartition(":")[2]),
    cli.Column("ID", "id"),
    cli.Column("NAME", "name"),
    cli.Column("TYPE", "type", wide=True),
)
_PROPOSAL = (
    cli.Column("BLUEPRINT", "blueprint"),
    cli.Column("NAME", "name"),
    cli.Column("OBJECTS", lambda item: len(item["ids"]), right=True),
    cli.Column("MAKES", lambda item: ", ".join(item["makes"]) or "—"),
    cli.Column("AGAINST", lambda item: " ".join(text["en"] for text in item["against"])),
)
_CHANGE = (
    cli.Column("WHAT", "op"),
    cli.Column("RESOURCE", "name"),
    cli.Column("KIND", lambda item: item["type"].rpartition(":")[2]),
    cli.Column(
        "DIFFERS",
        lambda item: "; ".join(
            f"{p['path']}: {_short(p['before'])} → {_short(p['after'])}"
            for p in (item["properties"] if item["op"] != "create" else ())
        ),
    ),
)
_REGION = click.argument("region", shell_complete=cli.complete("/regions", name="slug"))


@click.group("import")
def import_() -> None:
    """What was made by hand in a region becomes deployments, without being made anew."""


@import_.command("discover")
@_REGION
@click.option("--project", help="List what is in this project (id).")
@cli.console(api="GET /api/v1/regions/{id}/projects", web="/regions/{id}/imports")
def discover(console: cli.Console, region: str, project: str | None) -> None:
    """List what is in a region that no deployment owns; the region is asked."""
    if project:
        found = console.client.get(f"/regions/{region}/projects/{project}")["items"]
        console.rows(found, _OBJECT)
    else:
        console.rows(console.client.get(f"/regions/{region}/projects")["items"], _PROJECT)


@import_.command("propose")
@_REGION
@click.argument("project")
@click.option("--tenancy", default="", help="The tenancy that it goes into, for the files.")
@click.option(
    "--write", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="Write each proposal into a file there, to be corrected and planned.",
)  # fmt: skip
@cli.console(
    api="GET /api/v1/regions/{id}/projects/{project}/proposals", web="/regions/{id}/imports"
)
def propose(
    console: cli.Console, region: str, project: str, tenancy: str, write: Path | None
) -> None:
    """Guess which blueprints, inputs and ids describe what is in a project."""
    found = console.client.get(f"/regions/{region}/projects/{project}/proposals")
    if write is not None:
        write.mkdir(parents=True, exist_ok=True)
        for number, item in enumerate(found["items"], start=1):
            file = write / f"{number}-{item['blueprint']}-{item['name']}.yaml"
            document = {
                "tenancy": tenancy, "region": region, "create_missing": False,
                **{name: item[name] for name in ("blueprint", "name", "inputs", "ids")},
            }  # fmt: skip
            file.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
            console.say(f"wrote {file}")
    if console.form in {"json", "yaml"}:
        console.text("", found)
        return
    console.rows(found["items"], _PROPOSAL, name="name")
    if found["left"]:
        console.say("Left as it is:")
        console.rows(found["left"], _OBJECT)


@import_.command("plan")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tenancy", help="Id or slug, instead of the file's.")
@click.option("--create-missing", is_flag=True, help="Let what is not there be made.")
@cli.console(api="POST /api/v1/imports", web="/regions/{id}/imports")
def plan(console: cli.Console, file: Path, tenancy: str | None, create_missing: bool) -> None:  # noqa: FBT001
    """Say what the import that a file describes would do; nothing is touched."""
    body = _read(file)
    if tenancy:
        body["tenancy"] = tenancy
    if create_missing:
        body["create_missing"] = True
    found = console.client.post("/imports", body)
    if console.form in {"json", "yaml"}:
        console.text("", found)
        return
    console.rows(found["changes"], _CHANGE, name="name")
    console.say(
        f"Plan {found['id']}: borough import apply {found['id']} --digest {found['digest']}"
    )


@import_.command("apply")
@click.argument("plan_id", metavar="PLAN")
@click.option("--digest", required=True, help="What was approved; the plan's own.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@cli.console(api="POST /api/v1/plans/{id}/import", web="/regions/{id}/imports", waits=True)
def apply(console: cli.Console, plan_id: str, digest: str, yes: bool) -> None:  # noqa: FBT001
    """Carry out a plan of an import, or of a later change of what was imported."""
    console.confirm(f"Carry out {plan_id}?", yes=yes)
    console.follow(console.client.post(f"/plans/{plan_id}/import", {"digest": digest}))


@import_.command("abandon")
@click.argument("deployment_id", metavar="DEPLOYMENT", shell_complete=cli.complete("/deployments"))
@click.option("--reason", required=True, help="For the record.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@cli.console(
    api="POST /api/v1/deployments/{id}/abandon-import", web="/deployments/{id}", waits=True
)
def abandon(console: cli.Console, deployment_id: str, reason: str, yes: bool) -> None:  # noqa: FBT001
    """Give up an import that was not completed; what it took in is nobody's again."""
    console.confirm(f"Give up the import of {deployment_id}?", yes=yes)
    body = {"reason": reason}
    console.follow(console.client.post(f"/deployments/{deployment_id}/abandon-import", body))


def _read(file: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file} is no YAML: {error}") from None
    if not isinstance(found, Mapping):
        raise click.UsageError(f"{file} must hold one object")
    return dict(found)


def _short(value: Any) -> str:  # noqa: ANN401 - JSON
    text = "—" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "…"  # noqa: PLR2004 - fits a line
