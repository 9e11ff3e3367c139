"""``borough playbook``: what runs on servers after they were made."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from foundation.surface import cli

_PLAYBOOK = (
    cli.Column("NAME", "name"),
    cli.Column("TITLE", lambda p: p["title"]["en"]),
    cli.Column("APPROVAL", "approval"),
    cli.Column("REPORT", "report"),
    cli.Column("WAVES", lambda p: ", ".join(p["waves"])),
    cli.Column("DIGEST", "digest", wide=True),
)
_RUN = (
    cli.Column("ID", "id"),
    cli.Column("PLAYBOOK", "playbook"),
    cli.Column("CHECK", "check"),
    cli.Column("STATE", "state"),
    cli.Column("DEPLOYMENT", "deployment_id"),
    cli.Column("WHY", "why", wide=True),
    cli.Column("CAUSE", "cause", wide=True),
    cli.Column("OPERATION", "operation", wide=True),
    cli.Column("CREATED", "created_at"),
)
_SERVER = (
    cli.Column("NAME", "name"),
    cli.Column("ADDRESS", "address"),
    cli.Column("PORT", "port"),
    cli.Column("USER", "user"),
    cli.Column("KEY", lambda s: "known" if s["known"] else "learned at first use"),
    cli.Column("ID", "alias", wide=True),
)
_ACCESS = (
    cli.Column("TENANCY", "tenancy_id"),
    cli.Column("USER", "user"),
    cli.Column("PORT", "port"),
    cli.Column("BECOME", "become"),
    cli.Column("REACH", "reach"),
    cli.Column("PUBLIC KEY", "public_key"),
)
_STATES = ("waiting", "queued", "running", "succeeded", "failed", "cancelled")
_ID = click.argument("run_id", metavar="RUN", shell_complete=cli.complete("/playbook-runs"))
_DEPLOYMENT = click.argument(
    "deployment_id", metavar="DEPLOYMENT", shell_complete=cli.complete("/deployments")
)
_TENANCY = click.argument("tenancy", metavar="TENANCY", shell_complete=cli.complete("/tenancies"))


@click.group()
def playbook() -> None:
    """Playbooks: hardening, patching, backups and more on the servers of a deployment."""


@playbook.command("list")
@cli.console(api="GET /api/v1/playbooks", web="/playbooks")
def list_playbooks(console: cli.Console) -> None:
    """List what can be run."""
    console.rows(console.client.get("/playbooks")["items"], _PLAYBOOK)


@playbook.command("show")
@click.argument("name")
@cli.console(api="GET /api/v1/playbooks/{name}", web="/playbooks/{name}")
def show_playbook(console: cli.Console, name: str) -> None:
    """Show a playbook with its inputs."""
    found = console.client.get(f"/playbooks/{name}")
    console.text("\n".join(_portrait(found)), found)


def _portrait(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{found['name']}  {found['title']['en']}"
    yield found["description"]["en"]
    required = set(found["inputs"]["required"])
    yield "Inputs:"
    for name, rule in found["inputs"]["properties"].items():
        kind = "secret" if name in found["secrets"] else rule.get("type", "any")
        need = "required" if name in required else f"default {json.dumps(rule.get('default'))}"
        yield f"  {name} ({kind}, {need}): {rule['description']}"


@playbook.command("servers")
@_DEPLOYMENT
@cli.console(api="GET /api/v1/deployments/{id}/servers", web="/deployments/{id}/playbooks")
def list_servers(console: cli.Console, deployment_id: str) -> None:
    """List the servers of a deployment on which playbooks would run."""
    console.rows(console.client.get(f"/deployments/{deployment_id}/servers")["items"], _SERVER)


@playbook.command("forget-host-key")
@_DEPLOYMENT
@click.argument("server")
@cli.console(
    api="DELETE /api/v1/deployments/{id}/servers/{server}/host-key",
    web="/deployments/{id}/playbooks",
)
def forget_host_key(console: cli.Console, deployment_id: str, server: str) -> None:
    """Forget a server's host key; the next run learns the one that it shows then."""
    console.client.delete(f"/deployments/{deployment_id}/servers/{server}/host-key")
    console.say(f"the host key of {server} is forgotten")


@playbook.command("access")
@_TENANCY
@cli.console(api="GET /api/v1/tenancies/{id}/playbook-access", web="/deployments/{id}/playbooks")
def show_access(console: cli.Console, tenancy: str) -> None:
    """Show how the platform signs in to a tenancy's servers, and the key that they must trust."""
    console.one(
        console.client.get(f"/tenancies/{tenancy}/playbook-access"), _ACCESS, name="public_key"
    )


@playbook.command("set-access")
@_TENANCY
@click.option("--user", required=True, help="Of the servers, such as debian.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=22, show_default=True, help="Of SSH."
)
@click.option("--become/--no-become", default=True, help="Whether the user becomes root by sudo.")
@click.option(
    "--reach",
    type=click.Choice(("inside", "public")),
    default="inside",
    show_default=True,
    help="Which addresses are used.",
)
@click.option(
    "--key-file",
    type=click.File(),
    help="A private key of your own (OpenSSH, no passphrase), or - ; else one is made.",
)
@click.option("--renew", is_flag=True, help="Make another key.")
@cli.console(api="PUT /api/v1/tenancies/{id}/playbook-access", web="/deployments/{id}/playbooks")
def set_access(
    console: cli.Console,
    tenancy: str,
    user: str,
    port: int,
    become: bool,  # noqa: FBT001
    reach: str,
    key_file: Any,  # noqa: ANN401
    renew: bool,  # noqa: FBT001
) -> None:
    """Say how the platform signs in to a tenancy's servers."""
    key = key_file.read() if key_file else ""
    body = {
        "user": user, "port": port, "become": become, "reach": reach, "private_key": key,
        "renew": renew,
    }  # fmt: skip
    console.conceal([key] if key else [])
    made = console.client.request("PUT", f"/tenancies/{tenancy}/playbook-access", body=body).body
    console.one(made, _ACCESS, name="public_key")


@playbook.command("run")
@_DEPLOYMENT
@click.argument("name", metavar="PLAYBOOK")
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="JSON or a text.")
@click.option(
    "--input-file", "files", multiple=True, metavar="NAME=FILE",
    help="An input from a file, such as a secret; - reads from the terminal or a pipe.",
)  # fmt: skip
@click.option("--check", is_flag=True, help="Change nothing and say what would be.")
@click.option("--server", "servers", multiple=True, help="Only this one; may be given again.")
@click.option("--waves", default="", help="By commas: a number, a share (10%), or a last rest.")
@click.option("--minutes", type=click.IntRange(0, 1440), default=0, help="A wave may take so long.")
@cli.console(
    api="POST /api/v1/deployments/{id}/playbook-runs", web="/deployments/{id}/playbooks", waits=True
)
def run_playbook(  # noqa: PLR0913, PLR0917 - one an option
    console: cli.Console,
    deployment_id: str,
    name: str,
    inputs: Sequence[str],
    files: Sequence[str],
    check: bool,  # noqa: FBT001
    servers: Sequence[str],
    waves: str,
    minutes: int,
) -> None:
    """Run a playbook on a deployment's servers, or check what it would do."""
    values = dict(_given(each) for each in inputs)
    secrets = dict(_read(each) for each in files)
    console.conceal(list(secrets.values()))
    body = {
        "playbook": name, "inputs": {**values, **secrets}, "check": check,
        "servers": list(servers), "waves": [w.strip() for w in waves.split(",") if w.strip()],
        "minutes": minutes,
    }  # fmt: skip
    _finish(console, console.client.post(f"/deployments/{deployment_id}/playbook-runs", body))


def _given(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text} is not NAME=VALUE", param_hint="--input")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _read(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{name} is not NAME=FILE", param_hint="--input-file")
    try:
        if path == "-":
            return name, sys.stdin.read().rstrip("\n")
        return name, Path(path).read_text("utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{path} cannot be read", param_hint="--input-file") from error


def _finish(console: cli.Console, made: Mapping[str, Any]) -> None:
    """Follow a run to its end; one that waits for approval or its turn is shown as it is."""
    if made["operation"]:
        console.follow(console.client.get(f"/operations/{made['operation']}"))
    elif made["state"] == "queued":
        console.say("it waits for its turn: others are worked on")
    console.one(console.client.get(f"/playbook-runs/{made['id']}"), _RUN)


@playbook.command("runs")
@click.option("--deployment", help="Only of this deployment.")
@click.option("--playbook", "name", help="Only of this playbook.")
@click.option("--state", type=click.Choice(_STATES), help="Only in this state.")
@cli.console(api="GET /api/v1/playbook-runs", web="/playbook-runs")
def list_runs(
    console: cli.Console, deployment: str | None, name: str | None, state: str | None
) -> None:
    """List runs, the newest first."""
    found = console.client.items(
        "/playbook-runs", deployment=deployment, playbook=name, state=state
    )
    console.rows(found, _RUN)


@playbook.command("status")
@_ID
@cli.console(api="GET /api/v1/playbook-runs/{id}", web="/playbook-runs/{id}")
def show_run(console: cli.Console, run_id: str) -> None:
    """Show a run by server, and the digest that an approval stands for."""
    found = console.client.get(f"/playbook-runs/{run_id}")
    console.text("\n".join(_told(found)), found)


def _told(run: Mapping[str, Any]) -> Iterator[str]:
    mode = " (check)" if run["check"] else ""
    yield f"{run['id']}  {run['playbook']}{mode}  {run['state']}  {run['why']}".rstrip()
    yield f"digest {run['digest']}"
    for host in run["hosts"]:
        counts = ", ".join(f"{host[n]} {n}" for n in ("ok", "changed", "failed", "skipped"))
        where = f"wave {host['wave'] + 1}  {host['name']} ({host['address']})"
        yield f"  {where}  {host['state']}: {counts}"
        if host["message"]:
            yield f"    {host['message']}"


@playbook.command("report")
@_ID
@cli.console(api="GET /api/v1/playbook-runs/{id}", web="/playbook-runs/{id}")
def show_report(console: cli.Console, run_id: str) -> None:
    """Show the compliance report of a run: each control on each server."""
    found = console.client.get(f"/playbook-runs/{run_id}")
    rows = [
        {"server": host["name"], **control}
        for host in found["hosts"]
        for control in host["controls"]
    ]
    console.rows(
        rows,
        (
            cli.Column("SERVER", "server"),
            cli.Column("CONTROL", "id"),
            cli.Column("STATE", "state"),
            cli.Column("TITLE", "title"),
            cli.Column("MESSAGE", "message", wide=True),
        ),
    )


@playbook.command("approve")
@_ID
@click.option("--digest", required=True, help="As `borough playbook status` says it.")
@cli.console(api="POST /api/v1/playbook-runs/{id}/approve", web="/playbook-runs/{id}", waits=True)
def approve_run(console: cli.Console, run_id: str, digest: str) -> None:
    """Let a run begin that another person asked for."""
    _finish(console, console.client.post(f"/playbook-runs/{run_id}/approve", {"digest": digest}))


@playbook.command("cancel")
@_ID
@cli.console(api="POST /api/v1/playbook-runs/{id}/cancel", web="/playbook-runs/{id}")
def cancel_run(console: cli.Console, run_id: str) -> None:
    """Stop a run: what is under way is ended, and no further wave begins."""
    console.one(console.client.post(f"/playbook-runs/{run_id}/cancel"), _RUN)


@playbook.command("retry")
@_ID
@cli.console(api="POST /api/v1/playbook-runs/{id}/retry", web="/playbook-runs/{id}", waits=True)
def retry_run(console: cli.Console, run_id: str) -> None:
    """Run again, on the servers alone that did not succeed."""
    _finish(console, console.client.post(f"/playbook-runs/{run_id}/retry"))
