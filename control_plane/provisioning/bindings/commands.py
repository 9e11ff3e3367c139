"""``borough binding``: a department's own credentials on its services."""

from typing import Any

import click

from foundation.surface import cli

_BINDING = (
    cli.Column("ID", "id"),
    cli.Column("NAME", "name"),
    cli.Column("TARGET", "target"),
    cli.Column("ACCESS", "access"),
    cli.Column("STATE", "state"),
    cli.Column("CREDENTIALS", lambda item: ", ".join(map(str, item["valid"])) or "—"),
    cli.Column("OLD ONE UNTIL", "overlap_until"),
    cli.Column("DEPLOYMENT", "deployment_id"),
    cli.Column("BY", "created_by", wide=True),
    cli.Column("MADE", "created_at", wide=True),
    cli.Column("ERROR", "error", wide=True),
)
_CREDENTIAL = (
    cli.Column("HOST", "host"),
    cli.Column("PORT", "port"),
    cli.Column("LOGIN", "login"),
    cli.Column("PASSWORD", "password"),
    cli.Column("TARGET", "target"),
)
_ONE = click.argument("binding_id", metavar="BINDING", shell_complete=cli.complete("/bindings"))


@click.group()
def binding() -> None:
    """Your own credentials on a service, such as a database's user."""


@binding.command("list")
@click.option("--deployment", help="Only of this deployment.")
@click.option("--tenancy", help="Only of this tenancy (id).")
@click.option(
    "--state",
    type=click.Choice(("changing", "active", "failed", "deleted")),
    help="Only in this state; else all that are not deleted.",
)
@cli.console(api="GET /api/v1/bindings", web="/deployments/{id}/bindings")
def list_bindings(
    console: cli.Console, deployment: str | None, tenancy: str | None, state: str | None
) -> None:
    """List the bindings that you may see, newest first."""
    found = console.client.items("/bindings", deployment=deployment, tenancy=tenancy, state=state)
    console.rows(found, _BINDING)


@binding.command("show")
@_ONE
@cli.console(api="GET /api/v1/bindings/{id}", web="/deployments/{id}/bindings")
def show_binding(console: cli.Console, binding_id: str) -> None:
    """Show one binding."""
    console.one(console.client.get(f"/bindings/{binding_id}"), _BINDING)


@binding.command("create")
@click.argument("deployment_id", metavar="DEPLOYMENT", shell_complete=cli.complete("/deployments"))
@click.argument("name")
@click.option("--target", default="", help="What it may use; else the first there is.")
@click.option("--access", default="", help="How; else the widest that is offered.")
@cli.console(
    api="POST /api/v1/deployments/{id}/bindings", web="/deployments/{id}/bindings", waits=True
)
def create_binding(
    console: cli.Console, deployment_id: str, name: str, target: str, access: str
) -> None:
    """Have a user of your own made; `borough binding reveal` shows its password, once."""
    body = {"name": name, "target": target, "access": access}
    _finish(console, console.client.post(f"/deployments/{deployment_id}/bindings", body))


@binding.command("rotate")
@_ONE
@click.option(
    "--overlap-hours",
    type=click.IntRange(0, 168),
    default=24,
    show_default=True,
    help="For so long the old credential works on; 0 takes it away at once.",
)
@cli.console(api="POST /api/v1/bindings/{id}/rotate", web="/deployments/{id}/bindings", waits=True)
def rotate_binding(console: cli.Console, binding_id: str, overlap_hours: int) -> None:
    """Have a new credential made; the old one works on for a while."""
    body = {"overlap_hours": overlap_hours}
    _finish(console, console.client.post(f"/bindings/{binding_id}/rotate", body))


@binding.command("retry")
@_ONE
@cli.console(api="POST /api/v1/bindings/{id}/retry", web="/deployments/{id}/bindings", waits=True)
def retry_binding(console: cli.Console, binding_id: str) -> None:
    """Try again what failed, with the same credentials."""
    _finish(console, console.client.post(f"/bindings/{binding_id}/retry"))


@binding.command("delete")
@_ONE
@click.option("--yes", is_flag=True, help="Do not ask.")
@cli.console(api="DELETE /api/v1/bindings/{id}", web="/deployments/{id}/bindings", waits=True)
def delete_binding(console: cli.Console, binding_id: str, yes: bool) -> None:  # noqa: FBT001
    """Take a user and its credentials away; what it made stays."""
    console.confirm(f"Take {binding_id} away? Whoever signs in with it cannot any more.", yes=yes)
    _finish(console, console.client.delete(f"/bindings/{binding_id}"))


@binding.command("reveal")
@_ONE
@cli.console(api="POST /api/v1/bindings/{id}/reveal", web="/deployments/{id}/bindings")
def reveal_binding(console: cli.Console, binding_id: str) -> None:
    """Show the newest credential. It is shown once, and written into the audit log."""
    console.one(console.client.post(f"/bindings/{binding_id}/reveal"), _CREDENTIAL)


def _finish(console: cli.Console, begun: Any) -> None:  # noqa: ANN401 - JSON
    console.follow(console.client.get(f"/operations/{begun['operation']}"))
    console.one(console.client.get(f"/bindings/{begun['id']}"), _BINDING)
