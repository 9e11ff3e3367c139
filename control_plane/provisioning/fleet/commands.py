"""``borough region``: what is known of regions, and what is done about them."""

import json
from collections.abc import Mapping
from typing import Any

import click

from control_plane.provisioning.commands import region
from foundation.surface import cli

__all__ = ["region"]

_REGION = click.argument(
    "region_id", metavar="REGION", shell_complete=cli.complete("/regions", name="slug")
)
_CONDITION = (
    cli.Column("REGION", "region"),
    cli.Column("STATE", "state"),
    cli.Column("ANSWERS", "answers"),
    cli.Column("REASON", "closure.reason"),
    cli.Column("UNTIL", "closure.until"),
)
_SIGHT = (
    cli.Column("KIND", "kind"),
    cli.Column("OK", "ok"),
    cli.Column("MESSAGE", "message"),
    cli.Column("SEEN", "at"),
    cli.Column("SINCE", "since", wide=True),
)
_ROOM = (
    cli.Column("RESOURCE", "resource"),
    cli.Column("TOTAL", "total", right=True),
    cli.Column("USED", "used", right=True),
    cli.Column("FREE", "free", right=True),
    cli.Column("OVERCOMMIT", "overcommit", right=True, wide=True),
    cli.Column("MEASURED", "at"),
)
_PLACEMENT = (
    cli.Column("REGION", "region"),
    cli.Column("FITS", "fits"),
    cli.Column("LEFT", "left", right=True),
    cli.Column("HOME", "is_home"),
    cli.Column("AGAINST", lambda item: " ".join(text["en"] for text in item["against"])),
)


def _show(console: cli.Console, found: Mapping[str, Any]) -> None:
    console.one(found, _CONDITION, name="region")
    if console.form in {"table", "wide"}:
        if found["sights"]:
            console.rows(found["sights"], _SIGHT, name="kind")
        if found["rooms"]:
            console.rows(found["rooms"], _ROOM, name="resource")


@region.command()
@_REGION
@click.option("--look", is_flag=True, help="Ask the region now.")
@cli.console(api="GET /api/v1/regions/{id}/condition", web="/regions/{id}")
def condition(console: cli.Console, region_id: str, look: bool) -> None:  # noqa: FBT001
    """Show whether a region answers, what room it has, and why it is closed."""
    if look:
        _show(console, console.client.post(f"/regions/{region_id}/look"))
    else:
        _show(console, console.client.get(f"/regions/{region_id}/condition"))


@region.command("close")
@_REGION
@click.option("--maintenance", is_flag=True, help="Nothing at all is done to it meanwhile.")
@click.option("--reason", required=True, help="For everybody who waits for it.")
@click.option("--until", metavar="TIME", help="When it is expected to end (RFC 3339).")
@cli.console(api="POST /api/v1/regions/{id}/close", web="/regions/{id}")
def close_region(console: cli.Console, /, region_id: str, **given: Any) -> None:  # noqa: ANN401 - click's
    """Let a region take nothing new, or leave it alone for a maintenance."""
    body = {
        "state": "maintenance" if given["maintenance"] else "cordoned",
        "reason": given["reason"],
        "until": given["until"],
    }
    _show(console, console.client.post(f"/regions/{region_id}/close", body))


@region.command("open")
@_REGION
@cli.console(api="POST /api/v1/regions/{id}/open", web="/regions/{id}")
def open_region(console: cli.Console, region_id: str) -> None:
    """Let a region take everything again."""
    _show(console, console.client.post(f"/regions/{region_id}/open"))


@region.command()
@click.argument("blueprint", shell_complete=cli.complete("/blueprints", name="name"))
@click.option("--tenancy", required=True, help="Id or slug.")
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="JSON or text.")
@cli.console(api="POST /api/v1/placements", web="/regions")
def place(console: cli.Console, blueprint: str, tenancy: str, inputs: tuple[str, ...]) -> None:
    """Say which region suits a wish best, and why others do not."""
    given = dict(part.partition("=")[::2] for part in inputs)
    body = {
        "blueprint": blueprint,
        "tenancy": tenancy,
        "inputs": {name: _value(text) for name, text in given.items()},
    }
    console.rows(console.client.post("/placements", body)["items"], _PLACEMENT, name="region")


def _value(text: str) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(text)
    except ValueError:
        return text
