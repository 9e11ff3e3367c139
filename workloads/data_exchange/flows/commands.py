"""``borough-exchange flows``: who exchanges with whom."""

import click

from foundation.surface import cli

_CALLS = (
    cli.Column("CALLS", "calls", right=True),
    cli.Column("REFUSED", "refused", right=True),
    cli.Column("FAILED", "failed", right=True),
    cli.Column("P50 MS", "p50", right=True),
    cli.Column("P95 MS", "p95", right=True),
    cli.Column("BYTES", "bytes", right=True),
)
_FLOW = (cli.Column("CONSUMER", "consumer"), cli.Column("PROVIDER", "provider"))
_STEP = (cli.Column("START", "start"), *_CALLS)


@click.command()
@click.option("--start", metavar="TIME", help="From then on (RFC 3339); else the day before.")
@click.option("--end", metavar="TIME", help="Before this time; else now.")
@click.option("--grain", type=click.Choice(["hour", "day"]), help="Counted by hours or days.")
@click.option("--agency", metavar="PATH", help="One side is there or below.")
@click.option(
    "--level", type=click.Choice(["national", "provincial", "municipal", "district"]),
    help="One side is of this level.",
)  # fmt: skip
@click.option(
    "--outcome", type=click.Choice(["answered", "refused", "failed"]),
    help="Only calls that ended so.",
)  # fmt: skip
@click.option("--by-service", is_flag=True, help="Each interface for itself.")
@click.option(
    "--sort", default="calls", show_default=True, help="What the first ones have most of.",
    type=click.Choice(["calls", "failed", "refused", "p95", "bytes", "consumer", "provider"]),
)  # fmt: skip
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--over-time", is_flag=True, help="Hours or days instead of who and whom.")
@cli.console(api="GET /api/v1/flows", web="/flows")
def flows(
    console: cli.Console,
    /,
    *,
    by_service: bool,
    over_time: bool,
    **asked: "str | int | None",
) -> None:
    """Who exchanges with whom: calls, failures, latency."""
    given = {"by_service": "true" if by_service else None, **asked}
    found = console.client.get("/flows", **given)
    if over_time:
        console.rows(found["steps"], _STEP, name="start")
        return
    service = (cli.Column("SERVICE", "service"),) if by_service else ()
    console.rows(found["items"], (*_FLOW, *service, *_CALLS), name="consumer")
