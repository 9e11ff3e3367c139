"""``borough-video rule`` and ``permit``."""

import click

from foundation.surface import cli

_RULE = (
    cli.Column("ID", "id"),
    cli.Column("NAME", "name"),
    cli.Column("KIND", "kind"),
    cli.Column("CAMERA", "camera_id"),
    cli.Column("VERSION", "version", right=True),
    cli.Column("ENABLED", "enabled"),
    cli.Column("NO MODEL", "missing_model", wide=True),
    cli.Column("NOTE", "note", wide=True),
)
_KIND = (
    cli.Column("KIND", "kind"), cli.Column("DRAW", "draw"), cli.Column("MODEL", "model"),
    cli.Column("MISSING", "missing_model"),
)  # fmt: skip
_PERMIT = (
    cli.Column("ID", "id"),
    cli.Column("NUMBER", "number"),
    cli.Column("RULE", "rule_id"),
    cli.Column("FIRST", "first"),
    cli.Column("LAST", "last"),
    cli.Column("FROM", "start"),
    cli.Column("UNTIL", "end"),
    cli.Column("REVOKED", "revoked_at"),
)
_ID = click.argument("rule_id", metavar="RULE", shell_complete=cli.complete("/rules"))


@click.group()
def rule() -> None:
    """Rules: what cameras are watched for, in versions."""


@rule.command("list")
@click.option("--camera", help="Of this camera.")
@click.option("--kind", help="That look for this.")
@cli.console(api="GET /api/v1/rules", web="/rules")
def rule_list(console: cli.Console, camera: str | None, kind: str | None) -> None:
    """List the rules that you may see."""
    console.rows(console.client.items("/rules", camera=camera, kind=kind), _RULE)


@rule.command()
@cli.console(api="GET /api/v1/rule-kinds", web="/rules")
def kinds(console: cli.Console) -> None:
    """List what can be looked for; -o json has the parameters."""
    console.rows(console.client.get("/rule-kinds")["items"], _KIND, name="kind")


@rule.command()
@_ID
@cli.console(api="GET /api/v1/rules/{id}", web="/rules/{id}")
def show(console: cli.Console, rule_id: str) -> None:
    """Show one rule."""
    console.one(console.client.get(f"/rules/{rule_id}"), _RULE)


@rule.command()
@_ID
@cli.console(api="GET /api/v1/rules/{id}/versions", web="/rules/{id}")
def versions(console: cli.Console, rule_id: str) -> None:
    """List the versions of a rule, the newest first."""
    console.rows(console.client.get(f"/rules/{rule_id}/versions")["items"], _RULE)


@rule.command()
@click.option("--camera", required=True, help="Id of the camera.")
@click.option(
    "-f", "--file", required=True,
    help="YAML or JSON, - for standard input: kind, name, points, parameters, schedule.",
)  # fmt: skip
@cli.console(api="POST /api/v1/rules", web="/rules")
def create(console: cli.Console, camera: str, file: str) -> None:
    """Watch a camera for something."""
    told = cli.read(file)
    if not isinstance(told, dict):
        raise cli.Failure(f"{file} is not a rule in YAML or JSON", cli.USAGE)
    console.one(console.client.post("/rules", {**told, "camera": camera}), _RULE)


@rule.command()
@_ID
@cli.console(api="POST /api/v1/rules/{id}/enable", web="/rules/{id}")
def enable(console: cli.Console, rule_id: str) -> None:
    """Switch a rule on."""
    console.one(console.client.post(f"/rules/{rule_id}/enable"), _RULE)


@rule.command()
@_ID
@cli.console(api="POST /api/v1/rules/{id}/disable", web="/rules/{id}")
def disable(console: cli.Console, rule_id: str) -> None:
    """Switch a rule off."""
    console.one(console.client.post(f"/rules/{rule_id}/disable"), _RULE)


@rule.command()
@_ID
@click.argument("group")
@cli.console(api="POST /api/v1/rules/{id}/copy", web="/rules/{id}")
def copy(console: cli.Console, rule_id: str, group: str) -> None:
    """Copy a rule to the cameras of a group that have none like it."""
    made = console.client.post(f"/rules/{rule_id}/copy", {"group": group})["items"]
    console.rows(made, _RULE)


@rule.command()
@_ID
@cli.console(api="DELETE /api/v1/rules/{id}", web="/rules/{id}")
def remove(console: cli.Console, rule_id: str) -> None:
    """Take a rule away; its versions stay readable."""
    console.client.delete(f"/rules/{rule_id}")


@click.group()
def permit() -> None:
    """Permits: leave to build at hours at which it is forbidden."""


@permit.command("list")
@click.option("--rule", help="Of the site of this rule.")
@click.option("--since", help="That cover this day or a later one.")
@click.option("--until", help="That cover this day or an earlier one.")
@cli.console(api="GET /api/v1/permits", web="/permits")
def permit_list(
    console: cli.Console, rule: str | None, since: str | None, until: str | None
) -> None:
    """List the permits that you may see, the newest first."""
    found = console.client.items("/permits", rule=rule, since=since, until=until)
    console.rows(found, _PERMIT)


@permit.command("create")
@click.argument("rule_id", metavar="RULE")
@click.argument("number")
@click.option("--first", required=True, help="First day, such as 2026-11-01.")
@click.option("--last", required=True, help="Last day, included.")
@click.option("--from", "start", default="00:00", help="Time of day, of the camera.")
@click.option("--until", "end", default="00:00", help="At or before --from: of the next day.")
@click.option("--holder", default="", help="Whose it is.")
@cli.console(api="POST /api/v1/permits", web="/permits")
def permit_create(console: cli.Console, /, rule_id: str, **given: str) -> None:
    """Enter a permit for the site of a rule."""
    console.one(console.client.post("/permits", {"rule": rule_id, **given}), _PERMIT)


@permit.command("revoke")
@click.argument("permit_id", metavar="PERMIT", shell_complete=cli.complete("/permits"))
@cli.console(api="POST /api/v1/permits/{id}/revoke", web="/permits")
def permit_revoke(console: cli.Console, permit_id: str) -> None:
    """Let a permit count no more, from now on."""
    console.one(console.client.post(f"/permits/{permit_id}/revoke"), _PERMIT)
