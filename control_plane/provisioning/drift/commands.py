"""``borough drift``: what differs from what was applied, and what is done about it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import click

from foundation.surface import cli


def _value(value: Any) -> str:  # noqa: ANN401 - JSON
    if isinstance(value, dict) and set(value) == {"$secret"}:
        return "(secret)"
    return "—" if value is None else str(value)


def _what(item: Mapping[str, Any]) -> str:
    if item["kind"] == "added":
        return f"(added) {item['attribute']}"
    return "(missing)" if item["kind"] == "missing" else str(item["attribute"])


def _state(item: Mapping[str, Any]) -> str:
    return "accepted" if item["deviation"] else str(item["state"])


_FINDING = (
    cli.Column("ID", "id"),
    cli.Column("DEPLOYMENT", "deployment_id"),
    cli.Column("RESOURCE", "name"),
    cli.Column("WHAT", _what),
    cli.Column("WANTED", lambda item: _value(item["wanted"])),
    cli.Column("FOUND", lambda item: _value(item["found"])),
    cli.Column("STATE", _state),
    cli.Column("LAST SEEN", "last_seen"),
    cli.Column("UNTIL", "ignored_until", wide=True),
    cli.Column("BY", "by", wide=True),
    cli.Column("REASON", "reason", wide=True),
    cli.Column("TYPE", "type", wide=True),
)
_REGION = (
    cli.Column("REGION", "region_id"),
    cli.Column("OPEN", lambda item: sum(item["counts"].get("open", {}).values()), right=True),
    cli.Column(
        "MISSING", lambda item: item["counts"].get("open", {}).get("missing", 0), right=True
    ),
    cli.Column("ADDED", lambda item: item["counts"].get("open", {}).get("added", 0), right=True),
    cli.Column("IGNORED", lambda item: sum(item["counts"].get("ignored", {}).values()), right=True),
    cli.Column(
        "ACCEPTED", lambda item: sum(item["counts"].get("adopted", {}).values()), right=True
    ),
    cli.Column("WATCHED", "watched", right=True),
    cli.Column("NEVER SEEN", "never", right=True),
    cli.Column("AS OF", "oldest"),
    cli.Column("UNSEEN SINCE", "sight.unseen_since"),
    cli.Column("WHY", "sight.error", wide=True),
)
_KINDS = click.Choice(("changed", "missing", "added"))
_STATES = click.Choice(("open", "ignored", "adopted", "repaired", "gone"))
_DEPLOYMENT = click.argument(
    "deployment_id", metavar="DEPLOYMENT", shell_complete=cli.complete("/deployments")
)


@click.group()
def drift() -> None:
    """What somebody changed by hand, and what is done about it."""


@drift.command("list")
@click.option("--region", "in_region", help="Only in this region (id).")
@click.option("--tenancy", help="Only of this tenancy (id).")
@click.option("--deployment", help="Only of this deployment.")
@click.option("--kind", type=_KINDS, help="Only of this kind.")
@click.option("--type", "of_type", help="Only of resources of this type.")
@click.option("--state", type=_STATES, help="Only in this state; else those that stand.")
@click.option("--summary", is_flag=True, help="Count by region instead.")
@cli.console(api="GET /api/v1/drift", web="/drift")
def list_drift(
    console: cli.Console,
    in_region: str | None,
    tenancy: str | None,
    deployment: str | None,
    kind: str | None,
    of_type: str | None,
    state: str | None,
    summary: bool,  # noqa: FBT001
) -> None:
    """List what differs, newest first."""
    if summary:
        console.rows(console.client.get("/drift/summary")["items"], _REGION, name="region_id")
        return
    found = console.client.items(
        "/drift", region=in_region, tenancy=tenancy, deployment=deployment, kind=kind,
        type=of_type, state=state,
    )  # fmt: skip
    console.rows(found, _FINDING)


@drift.command("show")
@click.argument("reference", metavar="DEPLOYMENT|FINDING")
@cli.console(api="GET /api/v1/deployments/{id}/drift", web="/deployments/{id}/drift")
def show_drift(console: cli.Console, reference: str) -> None:
    """Show a deployment with what differs of it, or one finding with its history."""
    if reference.startswith("drf_"):
        found = console.client.get(f"/drift/{reference}")
        console.text("\n".join(_portrait(found)), found)
        return
    found = console.client.get(f"/deployments/{reference}/drift")
    if console.form in {"json", "yaml"}:
        console.text("", found)
        return
    console.say(_looked(found["look"]))
    console.rows(found["items"], _FINDING)


def _looked(look: Mapping[str, Any] | None) -> str:
    if look is None or look["attempted_at"] is None:
        return "It has not been looked at yet."
    if look["outcome"] == "unseen":
        seen = look["checked_at"] or "never"
        return f"It could not be looked at: {look['error']} (last seen: {seen})."
    return f"As of {look['checked_at']}."


def _portrait(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{found['id']}  {found['name']}  {_what(found)}  {_state(found)}"
    yield f"  deployment {found['deployment_id']}  {found['type']}"
    yield f"  wanted {_value(found['wanted'])}"
    yield f"  found  {_value(found['found'])}"
    if found["input"]:
        yield f"  taken over by the input {found['input']}"
    for turn in found["history"]:
        reason = f": {turn['reason']}" if turn["reason"] else ""
        yield f"  {turn['at']}  {turn['state']} by {turn['by']}{reason}"


@drift.command("check")
@click.argument(
    "deployment_id", metavar="[DEPLOYMENT]", required=False,
    shell_complete=cli.complete("/deployments"),
)  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Everything that you may check.")
@click.option("--region", "in_region", help="With --all: only in this region (id).")
@cli.console(
    api="POST /api/v1/deployments/{id}/drift/check", web="/deployments/{id}/drift", waits=True
)
def check_drift(
    console: cli.Console,
    deployment_id: str | None,
    everything: bool,  # noqa: FBT001
    in_region: str | None,
) -> None:
    """Look at a deployment now; exit code 1 when it differs. Or let all be looked at soon."""
    if (deployment_id is None) != everything:
        raise click.UsageError("name a deployment, or say --all")
    if deployment_id is None:
        many = console.client.post("/drift/checks", {"region": in_region})["deployments"]
        console.text(f"{many} deployments are looked at now.", {"deployments": many})
        return
    console.follow(console.client.post(f"/deployments/{deployment_id}/drift/check"))
    found = console.client.get(f"/deployments/{deployment_id}/drift")
    console.rows(found["items"], _FINDING)
    undecided = [item for item in found["items"] if item["state"] == "open"]
    if undecided:
        raise cli.Failure(f"{len(undecided)} findings are open")


@drift.command("repair")
@_DEPLOYMENT
@click.option("--everything", is_flag=True, help="Also what is ignored or was accepted.")
@click.option(
    "--remove",
    multiple=True,
    metavar="ID",
    help="Remove this rule, which was added; may be said again. Else it is left as it is.",
)
@click.option("--reason", default="", help="Why; it is kept.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@cli.console(
    api="POST /api/v1/deployments/{id}/drift/repair", web="/deployments/{id}/drift", waits=True
)
def repair_drift(
    console: cli.Console,
    deployment_id: str,
    everything: bool,  # noqa: FBT001
    remove: tuple[str, ...],
    reason: str,
    yes: bool,  # noqa: FBT001
) -> None:
    """Bring back what was applied last; exit code 7 when more would have to be done."""
    and_remove = f", and remove {', '.join(remove)}" if remove else ""
    console.confirm(f"Bring back what was applied to {deployment_id}{and_remove}?", yes=yes)
    body = {"everything": everything, "remove": list(remove), "reason": reason}
    console.follow(console.client.post(f"/deployments/{deployment_id}/drift/repair", body))
    found = console.client.get(f"/deployments/{deployment_id}/drift")
    console.rows(found["items"], _FINDING)


@drift.command("adopt")
@_DEPLOYMENT
@click.option("--finding", "findings", multiple=True, help="Only this one; may be said again.")
@click.option("--reason", required=True, help="Why; it is kept.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@cli.console(
    api="POST /api/v1/deployments/{id}/drift/adopt", web="/deployments/{id}/drift", waits=True
)
def adopt_drift(
    console: cli.Console,
    deployment_id: str,
    findings: tuple[str, ...],
    reason: str,
    yes: bool,  # noqa: FBT001
) -> None:
    """Want what is there: through the blueprint's inputs, or as an accepted deviation."""
    console.confirm(f"Take over what {deployment_id} is now?", yes=yes)
    body = {"findings": list(findings), "reason": reason}
    console.follow(console.client.post(f"/deployments/{deployment_id}/drift/adopt", body))
    found = console.client.items("/drift", deployment=deployment_id, state="adopted")
    console.rows(found, _FINDING)


@drift.command("ignore")
@click.argument("finding_id", metavar="FINDING", shell_complete=cli.complete("/drift"))
@click.option("--until", required=True, metavar="DATE", help="Such as 2026-12-31 (UTC).")
@click.option("--reason", required=True, help="Why; it is kept.")
@cli.console(api="POST /api/v1/drift/{id}/ignore", web="/drift/{id}")
def ignore_drift(console: cli.Console, finding_id: str, until: str, reason: str) -> None:
    """Let nobody be bothered with a finding until a date."""
    try:
        datetime.fromisoformat(until)
    except ValueError:
        raise click.UsageError(f"--until: {until} is not a date such as 2026-12-31") from None
    instant = f"{until}T00:00:00Z" if len(until) == len("2026-12-31") else until
    body = {"until": instant, "reason": reason}
    console.one(console.client.post(f"/drift/{finding_id}/ignore", body), _FINDING)
