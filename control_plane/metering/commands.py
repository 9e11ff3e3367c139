"""``borough usage``: push usage, see what was used."""

from collections.abc import Iterator
from typing import Any

import click

from foundation.surface import cli

_USAGE = (
    cli.Column("RESOURCE", "resource_id"),
    cli.Column("METER", "meter"),
    cli.Column("DIMENSIONS", "dimensions"),
    cli.Column("QUANTITY", "quantity", right=True),
    cli.Column("TENANCY", "tenancy_id", wide=True),
)
_RECORDS = (
    cli.Column("HOUR", "hour"),
    cli.Column("RESOURCE", "resource_id"),
    cli.Column("METER", "meter"),
    cli.Column("DIMENSIONS", "dimensions"),
    cli.Column("QUANTITY", "quantity", right=True),
    cli.Column("TENANCY", "tenancy_id", wide=True),
    cli.Column("EVENT", lambda item: f"{item['event_source']} {item['event_id']}", wide=True),
)
_RESULTS = (
    cli.Column("SOURCE", "source"),
    cli.Column("ID", "id"),
    cli.Column("OUTCOME", "outcome"),
    cli.Column("REASONS", "reasons"),
)
_OPERATION = (
    cli.Column("ID", "id"),
    cli.Column("STATE", "state"),
    cli.Column("RESULT", "result"),
)
_BATCH = 1000
_CONFLICT = 409


@click.group()
def usage() -> None:
    """Usage: what was used, hour by hour."""


@usage.command()
@click.argument("file", metavar="FILE|-")
@cli.console(api="POST /api/v1/usage-events")
def push(console: cli.Console, file: str) -> None:
    """Push CloudEvents from a JSON or YAML file: one event, or a list of them.

    Sending the same events again changes nothing. Exit code 5 when one conflicts with an event
    that was accepted before, 1 when one waits in quarantine.
    """
    document = cli.read(file)
    events = document if isinstance(document, list) else [document]
    results = []
    for begin in range(0, len(events), _BATCH):
        results += _push(console, events[begin : begin + _BATCH])
    console.rows(results, _RESULTS)
    outcomes = {result["outcome"] for result in results}
    if "conflict" in outcomes:
        raise cli.Failure("an event conflicts with one that was accepted before", cli.CONFLICT)
    if "quarantined" in outcomes:
        raise cli.Failure("not every event was counted: see its reasons", cli.FAILED)


def _push(console: cli.Console, events: list[Any]) -> list[dict[str, Any]]:
    headers = {"Content-Type": "application/cloudevents-batch+json"}
    try:
        answer = console.client.request("POST", "/usage-events", body=events, headers=headers)
    except cli.ApiProblem as problem:
        # 409 tells of each event; the others of the batch were taken in.
        details = problem.document.get("details", {})
        if problem.exit_code != cli.CONFLICT or "items" not in details:
            raise
        return list(details["items"])
    return list(answer.body["items"])


@usage.command("list")
@click.option("--period", metavar="YYYY-MM", help="A month; this one when nothing is given.")
@click.option("--tenancy", help="Only of this tenancy.")
@click.option("--resource", help="Only of this resource.")
@click.option("--meter", help="Only of this meter.")
@click.option("--hours", is_flag=True, help="Each hour apart instead of the sums.")
@cli.console(api="GET /api/v1/usage", web="/usage")
def list_(
    console: cli.Console,
    period: str | None,
    tenancy: str | None,
    resource: str | None,
    meter: str | None,
    hours: bool,  # noqa: FBT001 - click passes it by name
) -> None:
    """Show what was used, by resource and meter."""
    filters = {"period": period, "tenancy": tenancy, "resource": resource, "meter": meter}
    if hours:
        console.rows(_records(console, filters), _RECORDS)
    else:
        sums = console.client.items("/usage", limit=None, **filters)
        console.rows(sums, _USAGE, name="resource_id")


def _records(console: cli.Console, filters: dict[str, str | None]) -> Iterator[Any]:
    return console.client.items("/usage-records", limit=None, **filters)


@usage.command()
@click.argument("region", shell_complete=cli.complete("/regions", name="slug"))
@cli.console(api="POST /api/v1/usage-collections", web="/regions", waits=True)
def collect(console: cli.Console, region: str) -> None:
    """Collect a region's use now, from where its last collection ended."""
    region_id = console.client.get(f"/regions/{region}")["id"]  # by id or slug
    started = console.client.post("/usage-collections", {"region": region_id})
    console.one(console.follow(started), _OPERATION)
