"""``borough campaign``: a newer revision for many deployments, wave by wave."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from foundation.surface import cli

_COLUMNS = (
    cli.Column("ID", "id"),
    cli.Column("TITLE", "title"),
    cli.Column("BLUEPRINT", "blueprint"),
    cli.Column("VERSION", "version"),
    cli.Column("STATE", "state"),
    cli.Column("WAVE", lambda c: f"{c['wave'] + 1}/{len(c['waves'])}"),
    cli.Column("WHY", "why", wide=True),
    cli.Column("CREATED", "created_at"),
)
_ID = click.argument("campaign_id", metavar="CAMPAIGN", shell_complete=cli.complete("/campaigns"))
_DIGEST = click.option("--digest", required=True, help="As `borough campaign show` says it.")


@click.group()
def campaign() -> None:
    """Campaigns: a newer version for many deployments, wave by wave."""


@campaign.command("list")
@cli.console(api="GET /api/v1/campaigns", web="/campaigns")
def list_campaigns(console: cli.Console) -> None:
    """List campaigns, the newest first."""
    console.rows(console.client.items("/campaigns"), _COLUMNS)


@campaign.command("show")
@_ID
@cli.console(api="GET /api/v1/campaigns/{id}", web="/campaigns/{id}")
def show_campaign(console: cli.Console, campaign_id: str) -> None:
    """Show a campaign by wave, and the digest that its next approval stands for."""
    found = console.client.get(f"/campaigns/{campaign_id}")
    console.text("\n".join(_portrait(found)), found)


def _portrait(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{found['id']}  {found['title']}  {found['blueprint']} {found['version']}"
    why = f"  {found['why']}" if found["why"] else ""
    yield f"{found['state']}, wave {found['wave'] + 1} of {len(found['waves'])}{why}"
    wave = -1
    for member in found["members"]:
        if member["wave"] != wave:
            wave = member["wave"]
            yield f"Wave {wave + 1} ({found['waves'][wave]}):"
        counts = ", ".join(f"{n} {op}" for op, n in sorted((member["counts"] or {}).items()))
        more = ", ".join(member["beyond"]) or member["reason"] or counts
        yield f"  {member['state']:<12} {member['name']}  {member['version']}  {more}".rstrip()
    if found["state"] == "waiting":
        yield f"Waits for approval of {found['digest']}"


@campaign.command("create")
@click.argument("title")
@click.option("--blueprint", required=True, help="Whose deployments.")
@click.option("--to", "version", default="", help="Version that they get; the highest without it.")
@click.option("--from", "versions", multiple=True, help="Only what runs this version; repeatable.")
@click.option("--path", default="/", help="Only of this organisation and below.")
@click.option("--region", default="", help="Only in this region (id).")
@click.option(
    "--waves", default="1,10%,rest", show_default=True,
    help="A number, a share, or a last rest each, by commas.",
)  # fmt: skip
@click.option(
    "--automatic", is_flag=True, help="One approval for all waves while they are healthy."
)
@cli.console(api="POST /api/v1/campaigns", web="/campaigns", waits=True)
def create_campaign(  # noqa: PLR0913, PLR0917 - the options of a command
    console: cli.Console,
    title: str,
    blueprint: str,
    version: str,
    versions: tuple[str, ...],
    path: str,
    region: str,
    waves: str,
    automatic: bool,  # noqa: FBT001
) -> None:
    """Choose deployments and plan their upgrade; nothing of them is changed."""
    body = {
        "title": title, "blueprint": blueprint, "version": version, "versions": list(versions),
        "path": path, "region": region, "waves": [part.strip() for part in waves.split(",")],
        "automatic": automatic,
    }  # fmt: skip
    made = console.client.post("/campaigns", body)
    console.follow(console.client.get(f"/operations/{made['operation']}"))
    console.one(console.client.get(f"/campaigns/{made['id']}"), _COLUMNS)


def _approve(console: cli.Console, campaign_id: str, digest: str) -> None:
    console.follow(console.client.post(f"/campaigns/{campaign_id}/approve", {"digest": digest}))
    found = console.client.get(f"/campaigns/{campaign_id}")
    console.one(found, _COLUMNS)
    if found["state"] == "stopped":
        raise cli.Failure(f"the campaign stopped: {found['why']}")


@campaign.command("start")
@_ID
@_DIGEST
@cli.console(api="POST /api/v1/campaigns/{id}/approve", web="/campaigns/{id}", waits=True)
def start_campaign(console: cli.Console, campaign_id: str, digest: str) -> None:
    """Approve the first wave (of an automatic campaign all waves) and let it begin."""
    _approve(console, campaign_id, digest)


@campaign.command("continue")
@_ID
@_DIGEST
@cli.console(api="POST /api/v1/campaigns/{id}/approve", web="/campaigns/{id}", waits=True)
def continue_campaign(console: cli.Console, campaign_id: str, digest: str) -> None:
    """Approve the next wave and let it begin."""
    _approve(console, campaign_id, digest)


@campaign.command("stop")
@_ID
@cli.console(api="POST /api/v1/campaigns/{id}/stop", web="/campaigns/{id}")
def stop_campaign(console: cli.Console, campaign_id: str) -> None:
    """Begin no further deployment; the one that is worked on is finished."""
    console.one(console.client.post(f"/campaigns/{campaign_id}/stop"), _COLUMNS)


@campaign.command("retry")
@_ID
@cli.console(api="POST /api/v1/campaigns/{id}/retry", web="/campaigns/{id}", waits=True)
def retry_campaign(console: cli.Console, campaign_id: str) -> None:
    """Plan anew what failed, was overtaken or had no plan; then it waits for approval."""
    made = console.client.post(f"/campaigns/{campaign_id}/retry")
    console.follow(console.client.get(f"/operations/{made['operation']}"))
    console.one(console.client.get(f"/campaigns/{campaign_id}"), _COLUMNS)
