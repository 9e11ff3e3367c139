"""``borough region``, ``borough blueprint`` and ``borough deployment``."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from control_plane.provisioning import content
from foundation.kernel.errors import Invalid
from foundation.surface import cli


def _engine(item: Mapping[str, Any]) -> str:
    return f"{item['engine']} (simulated)" if item["simulated"] else str(item["engine"])


def _held(item: Mapping[str, Any]) -> str:
    names = sorted({*item["capacity"], *item["held"]})
    held, capacity = item["held"], item["capacity"]
    return ", ".join(f"{n} {held.get(n, '0')}/{capacity.get(n, '∞')}" for n in names)


_REGION = (
    cli.Column("ID", "id"),
    cli.Column("NAME", "slug"),
    cli.Column("TITLE", "title"),
    cli.Column("KINDS", "kinds"),
    cli.Column("ENGINE", _engine),
    cli.Column("DATA", "data_classes"),
    cli.Column("STATE", "state"),
    cli.Column("HELD", _held, wide=True),
)
_CHECK = (
    cli.Column("KIND", "kind"),
    cli.Column("OK", "ok"),
    cli.Column("MESSAGE", "message"),
)
_BLUEPRINT = (
    cli.Column("NAME", "name"),
    cli.Column("VERSION", "latest_version"),
    cli.Column("TITLE", "title"),
    cli.Column("CATEGORY", "category"),
    cli.Column("OWNER", "owner", wide=True),
    cli.Column("DIGEST", "latest_digest", wide=True),
    cli.Column("PUBLISHED", "published_at"),
)
_REVISION = (
    cli.Column("NAME", "blueprint"),
    cli.Column("VERSION", "version"),
    cli.Column("DIGEST", "digest"),
    cli.Column("PUBLISHED", "published_at"),
    cli.Column("BY", "published_by", wide=True),
)
_DEPLOYMENT = (
    cli.Column("ID", "id"),
    cli.Column("NAME", "name"),
    cli.Column("BLUEPRINT", "blueprint"),
    cli.Column("STATE", "state"),
    cli.Column("PATH", "path"),
    cli.Column("REGION", "region_id", wide=True),
    cli.Column("TENANCY", "tenancy_id", wide=True),
    cli.Column("OWNER", "owner", wide=True),
    cli.Column("UPDATED", "updated_at"),
    cli.Column("ERROR", "error", wide=True),
)
_SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-"}


# Regions -----------------------------------------------------------------------------------------


@click.group()
def region() -> None:
    """Regions: where resources are made."""


@region.command("list")
@cli.console(api="GET /api/v1/regions", web="/regions")
def list_regions(console: cli.Console) -> None:
    """List regions; `-o wide` shows what is held of each resource."""
    console.rows(console.client.items("/regions"), _REGION, name="slug")


@region.command("show")
@click.argument("region_id", metavar="REGION", shell_complete=cli.complete("/regions", name="slug"))
@click.option("--check", is_flag=True, help="Also ask the region whether it answers.")
@cli.console(api="GET /api/v1/regions/{id}", web="/regions/{id}")
def show_region(console: cli.Console, region_id: str, check: bool) -> None:  # noqa: FBT001
    """Show a region. With --check, exit code 1 when it does not answer."""
    found = console.client.get(f"/regions/{region_id}")
    if not check:
        console.one(found, _REGION, name="slug")
        return
    answers = console.client.post(f"/regions/{region_id}/check")["items"]
    console.rows(answers, _CHECK, name="kind")
    if not all(answer["ok"] for answer in answers):
        raise cli.Failure(f"the region {found['slug']} does not answer")


@region.command("add")
@click.argument("file", metavar="FILE|-")
@cli.console(api="POST /api/v1/regions", web="/regions")
def add_region(console: cli.Console, file: str) -> None:
    """Add a region from a YAML or JSON file.

    The file holds slug, title (en, zh), kinds, engine (embedded or pulumi), config, credentials,
    capacity and data_classes. Credentials are sealed and never shown again.
    """
    document = cli.read(file)
    if not isinstance(document, dict):
        raise click.UsageError(f"{file}: must be an object")
    if isinstance(document.get("capacity"), dict):
        document["capacity"] = {k: str(v) for k, v in document["capacity"].items()}
    made = console.client.post("/regions", document)
    console.one(made, _REGION, name="slug")


# Blueprints --------------------------------------------------------------------------------------


@click.group()
def blueprint() -> None:
    """Blueprints: what can be deployed."""


@blueprint.command("list")
@click.argument("name", required=False, shell_complete=cli.complete("/blueprints", name="name"))
@cli.console(api="GET /api/v1/blueprints", web="/blueprints")
def list_blueprints(console: cli.Console, name: str | None) -> None:
    """List blueprints, or all revisions of one."""
    if name is None:
        console.rows(console.client.items("/blueprints"), _BLUEPRINT, name="name")
    else:
        found = console.client.items(f"/blueprints/{name}/revisions")
        console.rows(found, _REVISION, name="digest")


_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@blueprint.command("validate")
@click.argument("folder", type=_FOLDER)
@cli.console(api="POST /api/v1/blueprint-validations", web="/blueprints")
def validate_blueprint(console: cli.Console, folder: Path) -> None:
    """Check a folder as publishing would; exit code 1 when it could not be published."""
    found = console.client.post("/blueprint-validations", {"files": files_of(folder)})
    console.text("\n".join(verdict_lines(found, console.settings.language)), found)
    if not found["ok"]:
        raise cli.Failure("the blueprint cannot be published as it is")


@blueprint.command("publish")
@click.argument("folder", type=_FOLDER)
@cli.console(api="POST /api/v1/blueprints", web="/blueprints")
def publish_blueprint(console: cli.Console, folder: Path) -> None:
    """Publish a folder; the same content again changes nothing."""
    made = console.client.post("/blueprints", {"files": files_of(folder)})
    console.one(made, _REVISION, name="digest")


def files_of(folder: Path) -> dict[str, str]:
    """A folder's files as the API takes them."""
    try:
        files = content.read_folder(folder)
    except Invalid as error:
        raise click.UsageError(error.message) from None
    return {name: base64.b64encode(data).decode() for name, data in files.items()}


def verdict_lines(found: Mapping[str, Any], language: str) -> Iterator[str]:
    """What publishing would say, in lines."""
    yield f"{found['name']} {found['version']}  {found['digest']}"
    for problem in found["problems"]:
        yield f"  wrong      {problem['field']}: {problem['message']}"
    for finding in found["findings"]:
        subject = f"{finding['subject']}: " if finding["subject"] else ""
        yield f"  {finding['severity']:<10} {subject}{finding['message'][language]}"
    for sample in found["samples"]:
        yield f"  tried      {sample['name']}: {sample['resources']} resources"
    yield "It can be published." if found["ok"] else "It cannot be published."


# Deployments -------------------------------------------------------------------------------------


@click.group()
def deployment() -> None:
    """Deployments: what was made from blueprints."""


_ID = click.argument(
    "deployment_id", metavar="DEPLOYMENT", shell_complete=cli.complete("/deployments")
)


@deployment.command("list")
@click.option("--tenancy", help="Only of this tenancy.")
@click.option("--region", "in_region", help="Only in this region (id).")
@click.option("--state", help="Only in this state.")
@click.option("--imported", is_flag=True, help="Only what was made by hand and taken in.")
@cli.console(api="GET /api/v1/deployments", web="/deployments")
def list_deployments(
    console: cli.Console,
    tenancy: str | None,
    in_region: str | None,
    state: str | None,
    imported: bool,  # noqa: FBT001
) -> None:
    """List deployments, newest first."""
    found = console.client.items(
        "/deployments", tenancy=tenancy, region=in_region, state=state,
        imported="true" if imported else None,
    )  # fmt: skip
    console.rows(found, _DEPLOYMENT)


@deployment.command("show")
@_ID
@click.option("--reveal", is_flag=True, help="Show secret outputs; the audit log notes it.")
@cli.console(api="GET /api/v1/deployments/{id}", web="/deployments/{id}")
def show_deployment(console: cli.Console, deployment_id: str, reveal: bool) -> None:  # noqa: FBT001
    """Show a deployment with its resources and outputs."""
    found = console.client.get(f"/deployments/{deployment_id}")
    if reveal:
        path = f"/deployments/{deployment_id}/outputs"
        found["outputs"] = console.client.post(path)["outputs"]
    found["resources"] = console.client.get(f"/deployments/{deployment_id}/resources")["items"]
    console.text("\n".join(_portrait(found)), found)


def _portrait(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{found['id']}  {found['name']}  {found['blueprint']}  {found['state']}"
    if found["error"]:
        yield f"  {found['error']}"
    for title, values in (("Inputs", found["inputs"]), ("Outputs", found["outputs"])):
        yield f"{title}:"
        yield from (f"  {name} = {value}" for name, value in sorted(values.items()))
    yield "Resources:"
    for each in found["resources"]:
        yield f"  {each['state']:<8} {each['name']}  {each['type']}  {each['physical_id']}"
        if each["error"]:
            yield f"           {each['error']}"


@deployment.command("plan")
@_ID
@click.option("--input", "given", multiple=True, metavar="NAME=VALUE", help="Another value.")
@click.option("--destroy", is_flag=True, help="Plan its return instead.")
@cli.console(api="POST /api/v1/deployments/{id}/plan", web="/deployments/{id}")
def plan_deployment(
    console: cli.Console,
    deployment_id: str,
    given: tuple[str, ...],
    destroy: bool,  # noqa: FBT001
) -> None:
    """Show what would be done to a deployment now; nothing is."""
    body: dict[str, Any] = {"destroy": destroy}
    if given:
        present = console.client.get(f"/deployments/{deployment_id}")["inputs"]
        body["inputs"] = {**present, **cli.pairs(given)}
    plan = console.client.post(f"/deployments/{deployment_id}/plan", body)
    console.text("\n".join(_drawing(plan, console.settings.language)), plan)


def _drawing(plan: Mapping[str, Any], language: str) -> Iterator[str]:
    yield f"{plan['action']} {plan['blueprint']} {plan['version']}  {plan['digest']}"
    if plan["region"]["simulated"]:
        yield "The region is simulated: nothing in it is a real machine."
    staged = plan["preparation"]
    if staged:
        yield "First, the tenancy is prepared:"
        yield from change_lines(staged["changes"])
    yield from change_lines(plan["changes"])
    for name, amount in sorted(plan["quota"].items()):
        sign = "" if amount.startswith("-") else "+"
        yield f"  quota {name} {sign}{amount}"
    for finding in plan["findings"]:
        subject = f"{finding['subject']}: " if finding["subject"] else ""
        waiver = finding.get("waiver")
        passing = f" (waived until {waiver['ends_at']} by {waiver['id']})" if waiver else ""
        yield f"  {finding['severity']}: {subject}{finding['message'][language]}{passing}"
    counts = ", ".join(f"{count} {op}" for op, count in sorted(plan["counts"].items()))
    yield counts or "nothing to do"


def change_lines(changes: list[Mapping[str, Any]]) -> Iterator[str]:
    """Changes of resources, in lines."""
    for change in changes:
        if change["op"] not in _SIGNS:
            continue
        yield f"  {_SIGNS[change['op']]} {change['name']}  {change['type']}"
        if change["op"] == "create":
            continue
        for each in change["properties"]:
            forced = "  (replaces)" if each["forces_replacement"] else ""
            yield f"      {each['path']}: {each['before']} → {each['after']}{forced}"


@deployment.command("apply")
@_ID
@cli.console(api="POST /api/v1/deployments/{id}/apply", web="/deployments/{id}", waits=True)
def apply_deployment(console: cli.Console, deployment_id: str) -> None:
    """Apply a deployment's last plan again, such as after a failure."""
    console.follow(console.client.post(f"/deployments/{deployment_id}/apply"))
    console.one(console.client.get(f"/deployments/{deployment_id}"), _DEPLOYMENT)


@deployment.command("destroy")
@_ID
@click.option("--reason", default="", help="Why; needed with --force.")
@click.option("--force", is_flag=True, help="Also one that belongs to an ordered service.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@cli.console(api="POST /api/v1/deployments/{id}/destroy", web="/deployments/{id}", waits=True)
def destroy_deployment(
    console: cli.Console,
    deployment_id: str,
    reason: str,
    force: bool,  # noqa: FBT001
    yes: bool,  # noqa: FBT001
) -> None:
    """Return everything that a deployment has."""
    found = console.client.get(f"/deployments/{deployment_id}")
    console.confirm(f"Destroy {found['name']} ({found['blueprint']})?", yes=yes)
    body = {"reason": reason, "force": force}
    console.follow(console.client.post(f"/deployments/{deployment_id}/destroy", body))
    console.one(console.client.get(f"/deployments/{deployment_id}"), _DEPLOYMENT)


_STATES = click.Choice(("planned", "created", "failed", "unknown", "deleted"))
_RESOURCE = (
    cli.Column("ID", "id"),
    cli.Column("NAME", "name"),
    cli.Column("TYPE", "type"),
    cli.Column("STATE", "state"),
    cli.Column("DEPLOYMENT", "deployment_id"),
    cli.Column("PATH", "path"),
    cli.Column("ID IN THE REGION", "physical_id", wide=True),
    cli.Column("REGION", "region_id", wide=True),
    cli.Column("MADE", "created_at", wide=True),
)


@click.group()
def inventory() -> None:
    """The inventory: what the platform has made in the regions."""


@inventory.command("list")
@click.option("--deployment", "in_deployment", help="Only of this deployment.")
@click.option("--tenancy", help="Only of this tenancy (id).")
@click.option("--region", "in_region", help="Only in this region (id).")
@click.option("--type", "of_type", help="Only of this type.")
@click.option("--state", type=_STATES, help="Only in this state; else what is not deleted.")
@cli.console(api="GET /api/v1/inventory", web="/inventory")
def list_inventory(
    console: cli.Console,
    in_deployment: str | None,
    tenancy: str | None,
    in_region: str | None,
    of_type: str | None,
    state: str | None,
) -> None:
    """List resources, the newest first."""
    found = console.client.items(
        "/inventory", deployment=in_deployment, tenancy=tenancy, region=in_region, type=of_type,
        state=state,
    )  # fmt: skip
    console.rows(found, _RESOURCE)
