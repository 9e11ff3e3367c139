"""``borough migration``: how far the city's systems have come on their way into the cloud."""

from collections.abc import Mapping
from typing import Any

import click

from foundation.surface import cli

_JOURNEY = (
    cli.Column("SYSTEM", "system_id"),
    cli.Column("PATH", "path"),
    cli.Column("NAME", "name"),
    cli.Column("STATE", "state"),
    cli.Column("WAVE", "wave"),
    cli.Column("DUE", "due"),
    cli.Column("SINCE", "since", wide=True),
)
_STEP = (
    cli.Column("NO", "number", right=True),
    cli.Column("FROM", "before"),
    cli.Column("TO", "after"),
    cli.Column("AT", "at"),
    cli.Column("BY", "by"),
    cli.Column("NOTE", "note"),
    cli.Column("EVIDENCE", lambda step: " ".join(step["evidence"])),
    cli.Column("ENTERED", "recorded_at", wide=True),
)
_COUNT = (
    cli.Column("ORGANISATION", "name"),
    cli.Column("SYSTEMS", "total", right=True),
    *(
        cli.Column(state.upper().replace("_", " "), f"by_state.{state}", right=True)
        for state in ("open", "planned", "in_progress", "moved", "verified", "exempt")
    ),
    cli.Column("ARRIVED %", "percent", right=True),
)
_STANDING = (
    cli.Column("TARGET", "due"),
    cli.Column("WANTED %", "wanted", right=True),
    cli.Column("REACHED %", "percent", right=True),
    cli.Column("STATE", "state"),
    cli.Column("MISSING", "missing", right=True),
    cli.Column("A WEEK", "per_week", right=True),
)
_WAVE = (
    cli.Column("SLUG", "slug"),
    cli.Column("TITLE", "title"),
    cli.Column("START", "start"),
    cli.Column("DUE", "due"),
)
_TARGET = (
    cli.Column("ORGANISATION", "path"),
    cli.Column("DUE", "due"),
    cli.Column("PERCENT", "percent", right=True),
)


@click.group()
def migration() -> None:
    """Migration: systems on their way into the cloud, by wave and state."""


@migration.command()
@click.option("--organisation", default="", help="Id or path; else the highest that you may see.")
@cli.console(api="GET /api/v1/migration/progress", web="/migration")
def progress(console: cli.Console, organisation: str) -> None:
    """Show how many systems have arrived, by organisation and target."""
    found = console.client.get("/migration/progress", organisation=organisation or None)
    if console.form in {"json", "yaml"}:
        console.one(found, ())
        return
    rows = [*found["organisations"], {"name": f"all of {found['path']}", **found["now"]}]
    console.rows(rows, _COUNT, name="name")
    if found["targets"] and console.form != "name":
        console.rows(found["targets"], _STANDING, name="due")


@migration.command("list")
@click.option("--state", default="", help="open, planned, in_progress, moved, verified or exempt.")
@click.option("--wave", default="", help="Only of this wave.")
@click.option("--path", default="", help="Only at or below this path.")
@cli.console(api="GET /api/v1/migration/systems", web="/migration/systems")
def list_(console: cli.Console, state: str, wave: str, path: str) -> None:
    """List systems with the state that they have reached."""
    rows = console.client.items(
        "/migration/systems", state=state or None, wave=wave or None, path=path or None
    )
    console.rows(rows, _JOURNEY, name="system_id")


@migration.command()
@click.argument("system_id", shell_complete=cli.complete("/systems"))
@cli.console(api="GET /api/v1/systems/{id}/migration", web="/migration/systems/{id}")
def show(console: cli.Console, system_id: str) -> None:
    """Show how far a system has come, with its steps."""
    _show(console, console.client.get(f"/systems/{system_id}/migration"))


def _show(console: cli.Console, found: Mapping[str, Any]) -> None:
    console.one(found, _JOURNEY)
    if console.form in {"table", "wide"} and found["steps"]:
        console.rows(found["steps"], _STEP, name="number")


@migration.command()
@click.argument("system_id", shell_complete=cli.complete("/systems"))
@click.option("--wave", default="", help="Slug; left out takes it out of its wave.")
@click.option("--due", metavar="YYYY-MM-DD", help="Its last day; else the wave's.")
@cli.console(api="PUT /api/v1/systems/{id}/migration", web="/migration/systems/{id}")
def plan(console: cli.Console, system_id: str, wave: str, due: str | None) -> None:
    """Put a system into a wave and agree on its day."""
    body = {"wave": wave, "due": due}
    answer = console.client.request("PUT", f"/systems/{system_id}/migration", body=body)
    console.one(answer.body, _JOURNEY)


@migration.command()
@click.argument("system_id", shell_complete=cli.complete("/systems"))
@click.argument("to")
@click.option("--note", required=True, help="Why, or what was done.")
@click.option("--evidence", multiple=True, help="An https address or an id; repeatable.")
@click.option("--at", metavar="TIME", help="When it happened (RFC 3339); else now.")
@cli.console(api="POST /api/v1/systems/{id}/migration/steps", web="/migration/systems/{id}")
def step(console: cli.Console, /, system_id: str, **given: Any) -> None:  # noqa: ANN401 - click's
    """Enter that a system is planned, in_progress, moved or exempt."""
    body = {name: given[name] for name in ("to", "note", "at")}
    body["evidence"] = list(given["evidence"])
    _show(console, console.client.post(f"/systems/{system_id}/migration/steps", body))


@migration.command()
@click.argument("system_id", shell_complete=cli.complete("/systems"))
@click.option("--note", required=True, help="What was looked at.")
@click.option("--evidence", multiple=True, required=True, help="An https address or an id.")
@cli.console(api="POST /api/v1/systems/{id}/migration/verification", web="/migration/systems/{id}")
def verify(console: cli.Console, system_id: str, note: str, evidence: tuple[str, ...]) -> None:
    """Verify that a system has arrived; not by whoever said so."""
    body = {"note": note, "evidence": list(evidence)}
    _show(console, console.client.post(f"/systems/{system_id}/migration/verification", body))


@migration.command()
@cli.console(api="GET /api/v1/migration/waves", web="/migration")
def waves(console: cli.Console) -> None:
    """List the waves."""
    console.rows(console.client.get("/migration/waves")["items"], _WAVE, name="slug")


@migration.command()
@click.argument("slug")
@click.option("--title", required=True, help="In English.")
@click.option("--title-zh", help="In Chinese; the English one if left out.")
@click.option("--start", required=True, metavar="YYYY-MM-DD", help="First day.")
@click.option("--due", required=True, metavar="YYYY-MM-DD", help="Last day.")
@cli.console(api="PUT /api/v1/migration/waves/{slug}", web="/migration")
def wave(console: cli.Console, /, slug: str, **given: str | None) -> None:
    """Keep a wave, new or changed."""
    title = {"en": given["title"], "zh": given["title_zh"] or given["title"]}
    body = {"title": title, "start": given["start"], "due": given["due"]}
    console.one(console.client.request("PUT", f"/migration/waves/{slug}", body=body).body, _WAVE)


@migration.command("remove-wave")
@click.argument("slug")
@cli.console(api="DELETE /api/v1/migration/waves/{slug}", web="/migration")
def remove_wave(console: cli.Console, slug: str) -> None:
    """Forget a wave that no system is in."""
    console.client.delete(f"/migration/waves/{slug}")


@migration.command()
@click.option("--organisation", required=True, help="Id or path.")
@click.option("--set", "wanted", multiple=True, metavar="YYYY-MM-DD=PERCENT",
              help="In place of those that it had; repeatable.")  # fmt: skip
@cli.console(api="PUT /api/v1/migration/targets", web="/migration")
def targets(console: cli.Console, organisation: str, wanted: tuple[str, ...]) -> None:
    """Show or set what share must have arrived by what day, such as `--set 2027-12-31=80`."""
    if wanted:
        pairs = [text.partition("=")[::2] for text in wanted]
        listed = [{"due": due, "percent": percent} for due, percent in pairs]
        body = {"organisation": organisation, "targets": listed}
        found = console.client.request("PUT", "/migration/targets", body=body).body
    else:
        found = console.client.get("/migration/targets", organisation=organisation)
    console.rows(found["items"], _TARGET, name="due")
