"""``borough-video worker``: run one, and see who watches what."""

import click

from foundation.surface import cli

_WORKER = (
    cli.Column("NAME", "name"),
    cli.Column("SHARDS", "shards", right=True),
    cli.Column("CAMERAS", "cameras", right=True),
    cli.Column("DEGRADED", "degraded", right=True),
    cli.Column("CORES", "capacity", right=True),
    cli.Column("BUSY", lambda item: f"{item['load']:.0%}", right=True),
    cli.Column("BEHIND", lambda item: f"{item['lag']:.1f} s", right=True),
    cli.Column(
        "CARRIES", lambda item: f"~{item['carries']}" if item["carries"] else "-", right=True
    ),
    cli.Column(
        "MS/CAMERA", lambda item: f"{item['cost_ms']:.2f}" if item["cost_ms"] else "-", right=True
    ),
    cli.Column("LAST HEARD", "beat_at"),
    cli.Column("ID", "id", wide=True),
)
_SHARD = (
    cli.Column("SHARD", "shard", right=True),
    cli.Column("TOKEN", "token", right=True),
    cli.Column("HOLDER", "holder"),
    cli.Column("UNTIL", "until"),
)


@click.group(invoke_without_command=True)
@click.pass_context
def worker(context: click.Context) -> None:
    """Watch cameras (without a verb), or see who watches what."""
    if context.invoked_subcommand is None:
        context.invoke(worker.commands["run"])


@worker.command("list")
@cli.console(api="GET /api/v1/camera-workers", web="/workers")
def list_(console: cli.Console) -> None:
    """List the workers that live, and what each holds."""
    console.rows(console.client.get("/camera-workers")["items"], _WORKER, name="name")


@worker.command()
@cli.console(api="GET /api/v1/shards", web="/workers")
def shards(console: cli.Console) -> None:
    """List the shards that were ever held, with holder and token."""
    console.rows(console.client.get("/shards")["items"], _SHARD, name="shard")
