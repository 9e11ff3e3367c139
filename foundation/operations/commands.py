"""``borough operation``: long work, watched and stopped."""

import click

from foundation.surface import cli
from foundation.surface.cli.waiting import Waiting

COLUMNS = (
    cli.Column("ID", "id"),
    cli.Column("KIND", "kind"),
    cli.Column("SUBJECT", "subject"),
    cli.Column("STATE", "state"),
    cli.Column("PROGRESS", lambda item: f"{item['progress']:.0%}", right=True),
    cli.Column("STEPS", lambda item: _steps(item["steps"]), wide=True),
    cli.Column("REQUESTED BY", "requested_name", wide=True),
    cli.Column("CREATED", "created_at"),
    cli.Column("ENDED", "ended_at", wide=True),
    cli.Column("ERROR", "error.detail", wide=True),
)
_EVENTS = (
    cli.Column("SEQ", "seq", right=True),
    cli.Column("AT", "at"),
    cli.Column("TYPE", "type"),
    cli.Column("WHAT", "data"),
)
_WORKERS = (
    cli.Column("NAME", "name"),
    cli.Column("RUNNING", "running", right=True),
    cli.Column("STARTED", "started_at"),
    cli.Column("HEARTBEAT", "heartbeat_at"),
    cli.Column("STOPPED", "stopped_at"),
    cli.Column("ID", "id", wide=True),
)
_STATES = ("queued", "running", "succeeded", "failed", "cancelled", "stuck")


def _steps(steps: list[dict[str, object]]) -> str:
    return ", ".join(f"{step['name']} {step['state']}" for step in steps)


_one = click.argument("operation_id", shell_complete=cli.complete("/operations"))


@click.group()
def operation() -> None:
    """Long work: plans, provisioning, collecting."""


@operation.command("list")
@click.option("--state", type=click.Choice(_STATES), help="Only those in this state.")
@click.option("--kind", help="Only those of this kind, such as order.fulfil.")
@click.option("--subject", help="Only those on this thing (its id).")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most.")
@cli.console(api="GET /api/v1/operations", web="/operations")
def list_(
    console: cli.Console, state: str | None, kind: str | None, subject: str | None, limit: int
) -> None:
    """List operations, newest first."""
    items = console.client.items(
        "/operations", limit=limit, state=state, kind=kind, subject=subject
    )
    console.rows(items, COLUMNS)


@operation.command()
@_one
@cli.console(api="GET /api/v1/operations/{id}", web="/operations/{id}")
def show(console: cli.Console, operation_id: str) -> None:
    """Show one with its steps."""
    console.one(console.client.get(f"/operations/{operation_id}"), COLUMNS)


@operation.command()
@_one
@click.option("--after", type=click.IntRange(0), default=0, help="Only those after this number.")
@cli.console(api="GET /api/v1/operations/{id}/events", web="/operations/{id}")
def events(console: cli.Console, operation_id: str, after: int) -> None:
    """List what has happened in one."""
    found: list[dict[str, object]] = []
    page = console.client.get(f"/operations/{operation_id}/events", after=after)
    found += page["items"]
    while page["more"]:
        last = found[-1]["seq"]
        page = console.client.get(f"/operations/{operation_id}/events", after=last)
        found += page["items"]
    console.rows(found, _EVENTS, name="seq")


@operation.command()
@_one
@click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="SECONDS",
    help="Watch so long at most; the work goes on. Exit code 6.",
)  # fmt: skip
@cli.console(api="GET /api/v1/operations/{id}/events", web="/operations/{id}")
def watch(console: cli.Console, operation_id: str, timeout: float | None) -> None:
    """Follow one until it has ended; the exit code says how."""
    waiting = Waiting(timeout=timeout, quiet=console.form != "table")
    done = waiting.follow(console.client, operation_id)
    console.one(done, COLUMNS)


@operation.command()
@_one
@cli.console(api="POST /api/v1/operations/{id}/cancel", web="/operations/{id}")
def cancel(console: cli.Console, operation_id: str) -> None:
    """Ask one to stop after its present step."""
    console.one(console.client.post(f"/operations/{operation_id}/cancel"), COLUMNS)


@operation.command()
@_one
@cli.console(api="POST /api/v1/operations/{id}/retry", web="/operations/{id}", waits=True)
def retry(console: cli.Console, operation_id: str) -> None:
    """Take a stuck one up again, from the step at which it stopped."""
    console.client.post(f"/operations/{operation_id}/retry")
    console.one(console.follow(operation_id), COLUMNS)


@operation.command()
@cli.console(api="GET /api/v1/workers")
def workers(console: cli.Console) -> None:
    """List the workers and how much they run."""
    console.rows(console.client.get("/workers")["items"], _WORKERS)
