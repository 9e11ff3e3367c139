"""``borough policy``: policies, packs and waivers."""

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from control_plane.provisioning import content
from foundation.kernel.errors import Invalid
from foundation.surface import cli


def _weights(item: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{use['pack']} {use['severity']}{'' if use['enabled'] else ' (off)'}"
        for use in item["packs"]
    )


def _scope(item: Mapping[str, Any]) -> str:
    return ", ".join([*item["paths"], *item["data_classes"]]) or "everywhere"


def _about(item: Mapping[str, Any]) -> str:
    count = len(item["document"].get("policies", {})), len(item["document"].get("rules", []))
    return f"{count[0]} policies, {count[1]} rules"


_POLICY = (
    cli.Column("ID", "id"),
    cli.Column("TITLE", "title"),
    cli.Column("PACKS", _weights),
    cli.Column("MEANING", "meaning", wide=True),
)
_PACK = (
    cli.Column("NAME", "name"),
    cli.Column("VERSION", "version", right=True),
    cli.Column("TITLE", "title"),
    cli.Column("ON", "enabled"),
    cli.Column("BUNDLED", "bundled"),
    cli.Column("FOR", _scope),
    cli.Column("HOLDS", _about, wide=True),
    cli.Column("PUBLISHED", "published_at", wide=True),
)
_WAIVER = (
    cli.Column("ID", "id"),
    cli.Column("POLICY", "policy"),
    cli.Column("FOR", "subject"),
    cli.Column("RESOURCE", "resource"),
    cli.Column("OWNER", "owner_name"),
    cli.Column("STATE", "state"),
    cli.Column("ENDS", "ends_at"),
    cli.Column("REASON", "reason", wide=True),
    cli.Column("GRANTED BY", "granted_by_name", wide=True),
    cli.Column("PATH", "path", wide=True),
)
_STATES = ("active", "expired", "revoked", "all")


@click.group()
def policy() -> None:
    """Policies: what deployments are held to, packs of them, and waivers."""


# Policies and packs ------------------------------------------------------------------------------


@policy.command("list")
@cli.console(api="GET /api/v1/policies", web="/policies")
def list_policies(console: cli.Console) -> None:
    """List all policies with how the packs weigh them."""
    console.rows(console.client.get("/policies")["items"], _POLICY)


@policy.command("show")
@click.argument("policy_id", metavar="POLICY", shell_complete=cli.complete("/policies"))
@cli.console(api="GET /api/v1/policies/{id}", web="/policies")
def show_policy(console: cli.Console, policy_id: str) -> None:
    """Show what a policy asks for, and its weight and settings in each pack."""
    found = console.client.get(f"/policies/{policy_id}")
    console.text("\n".join(_portrait(found, console.settings.language)), found)


def _portrait(found: Mapping[str, Any], language: str) -> Iterator[str]:
    yield f"{found['id']}  {found['title'][language]}"
    yield f"  {found['meaning'][language]}"
    for use in found["packs"]:
        state = "" if use["enabled"] else "  (switched off)"
        yield f"  {use['severity']:<10} {use['pack']} {use['version']}  {_scope(use)}{state}"
        for name, value in sorted(use["settings"].items()):
            yield f"             {name} = {json.dumps(value, ensure_ascii=False)}"
    if not found["packs"]:
        yield "  No pack has it."


@policy.command("packs")
@click.argument("name", required=False, shell_complete=cli.complete("/policy-packs", name="name"))
@cli.console(api="GET /api/v1/policy-packs", web="/policies")
def list_packs(console: cli.Console, name: str | None) -> None:
    """List packs, or all versions of one; `-o yaml` shows what they hold."""
    path = f"/policy-packs/{name}/versions" if name else "/policy-packs"
    console.rows(console.client.get(path)["items"], _PACK, name="name")


@policy.command("publish")
@click.argument("file", metavar="FILE|-")
@cli.console(api="POST /api/v1/policy-packs", web="/policies")
def publish_pack(console: cli.Console, file: str) -> None:
    """Publish a pack from a YAML or JSON file; the same again changes nothing.

    The file holds name, version (the next one), title, description (en, zh), and policies with
    their severity and settings, rules, or both; scope limits it to paths and data_classes.
    """
    document = cli.read(file)
    if not isinstance(document, dict):
        raise click.UsageError(f"{file}: must be an object")
    made = console.client.post("/policy-packs", {"pack": document})
    console.one(made, _PACK, name="name")


_PACK_NAME = click.argument(
    "name", metavar="PACK", shell_complete=cli.complete("/policy-packs", name="name")
)


@policy.command("enable")
@_PACK_NAME
@cli.console(api="POST /api/v1/policy-packs/{name}/enable", web="/policies")
def enable_pack(console: cli.Console, name: str) -> None:
    """Hold plans to a pack."""
    console.one(console.client.post(f"/policy-packs/{name}/enable"), _PACK, name="name")


@policy.command("disable")
@_PACK_NAME
@click.option("--yes", is_flag=True, help="Do not ask.")
@cli.console(api="POST /api/v1/policy-packs/{name}/disable", web="/policies")
def disable_pack(console: cli.Console, name: str, yes: bool) -> None:  # noqa: FBT001
    """Hold plans to a pack no more; the platform's own safety stays on."""
    console.confirm(f"Hold nobody to the pack {name} any more?", yes=yes)
    console.one(console.client.post(f"/policy-packs/{name}/disable"), _PACK, name="name")


# Trying ------------------------------------------------------------------------------------------


@policy.command("test")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--inputs", metavar="FILE", help="Try these inputs and not the samples.")
@click.option(
    "--data-class", "data_classes", multiple=True, help="Only with such data; repeat for more."
)
@click.option("--region", default="", help="As it would go into this region, by id or name.")
@click.option("--path", default="", help="As a deployment of this organisation would be held to.")
@cli.console(api="POST /api/v1/policy-tests", web="/policies")
def try_policies(
    console: cli.Console,
    folder: Path,
    inputs: str | None,
    data_classes: tuple[str, ...],
    region: str,
    path: str,
) -> None:
    """Evaluate a blueprint's folder on the server and say what the policies find.

    Exit code 1 when something would forbid approval, or the blueprint is wrong.
    """
    body: dict[str, Any] = {
        "files": _files(folder), "data_classes": list(data_classes), "region": region, "path": path,
    }  # fmt: skip
    if inputs is not None:
        body["inputs"] = cli.read(inputs)
    found = console.client.post("/policy-tests", body)
    console.text("\n".join(_verdict(found, console.settings.language)), found)
    if found["blocked"]:
        raise cli.Failure("policies forbid the blueprint, or it is wrong")


def _files(folder: Path) -> dict[str, str]:
    try:
        files = content.read_folder(folder)
    except Invalid as error:
        raise click.UsageError(error.message) from None
    return {name: base64.b64encode(data).decode() for name, data in files.items()}


def _verdict(found: Mapping[str, Any], language: str) -> Iterator[str]:
    yield f"{found['name']} {found['version']}"
    for problem in found["problems"]:
        yield f"  wrong      {problem['field']}: {problem['message']}"
    for each in found["tries"]:
        yield f"{each['sample']}, {each['data_class']} data:"
        for finding in each["findings"]:
            yield from _finding_lines(finding, language)
        if not each["findings"]:
            yield "  nothing is found"
    yield "It would be refused." if found["blocked"] else "Nothing forbids it."


def _finding_lines(finding: Mapping[str, Any], language: str) -> Iterator[str]:
    subject = f"{finding['subject']}: " if finding["subject"] else ""
    text = finding["message"][language]
    yield f"  {finding['severity']:<10} {finding['policy']}  {subject}{text}"
    waiver = finding["waiver"]
    if waiver:
        yield f"             waived until {waiver['ends_at']} by {waiver['id']}: {waiver['reason']}"


# Waivers -----------------------------------------------------------------------------------------


@policy.command("waivers")
@click.option(
    "--state",
    type=click.Choice(_STATES),
    default="active",
    show_default=True,
    help="In this state.",
)
@click.option("--policy", "policy_id", help="Only of this policy.")
@click.option("--subject", help="Only for this deployment, tenancy (id) or path.")
@cli.console(api="GET /api/v1/waivers", web="/waivers")
def list_waivers(
    console: cli.Console, state: str, policy_id: str | None, subject: str | None
) -> None:
    """List waivers, the first to end first."""
    wanted = None if state == "all" else state
    found = console.client.items("/waivers", state=wanted, policy=policy_id, subject=subject)
    console.rows(found, _WAIVER)


@policy.command("waive")
@click.argument("policy_id", metavar="POLICY", shell_complete=cli.complete("/policies"))
@click.option("--deployment", default="", help="For this deployment.")
@click.option("--tenancy", default="", help="For all in this tenancy, by id or name.")
@click.option("--path", default="", help="For all in this part of the city.")
@click.option("--resource", default="*", show_default=True, help="Pattern of names of resources.")
@click.option("--owner", required=True, help="Login or id of who answers for it; not you.")
@click.option("--reason", required=True, help="Why it may pass.")
@click.option(
    "--until", required=True, metavar="DATE", help="Last day (2026-12-31), or an instant."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@cli.console(api="POST /api/v1/waivers", web="/waivers")
def waive(console: cli.Console, /, policy_id: str, *, yes: bool, **given: str) -> None:
    """Let what a policy finds pass until a day."""
    body = {name: given[name] for name in ("deployment", "tenancy", "path", "resource", "owner")}
    body |= {"policy": policy_id, "reason": given["reason"], "ends_at": _end(given["until"])}
    where = given["deployment"] or given["tenancy"] or given["path"]
    console.confirm(f"Waive {policy_id} for {where} until {given['until']}?", yes=yes)
    console.one(console.client.post("/waivers", body), _WAIVER)


def _end(text: str) -> str:
    """A day as the instant at which it is over, in UTC; an instant as it is."""
    try:
        after = date.fromisoformat(text) + timedelta(days=1)
    except (ValueError, OverflowError):
        return text
    return datetime.combine(after, datetime.min.time(), UTC).isoformat()


@policy.command("revoke")
@click.argument("waiver_id", metavar="WAIVER", shell_complete=cli.complete("/waivers"))
@click.option("--reason", required=True, help="Why it ends before its day.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@cli.console(api="POST /api/v1/waivers/{id}/revoke", web="/waivers")
def revoke(console: cli.Console, waiver_id: str, reason: str, yes: bool) -> None:  # noqa: FBT001
    """End a waiver before its day."""
    console.confirm(f"End the waiver {waiver_id} now?", yes=yes)
    made = console.client.post(f"/waivers/{waiver_id}/revoke", {"reason": reason})
    console.one(made, _WAIVER)
