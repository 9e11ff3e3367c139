"""``borough-video event | evidence | receiver | linkage | incident | export``."""

from pathlib import Path
from typing import Any

import click

from foundation.surface import cli

_EVENT = (
    cli.Column("ID", "id"),
    cli.Column("KIND", "kind"),
    cli.Column("SEVERITY", "severity"),
    cli.Column("STATE", "state"),
    cli.Column("CAMERA", "camera"),
    cli.Column("BEGAN", "began"),
    cli.Column("VERDICT", "verdict"),
    cli.Column("DEPARTMENT", "path", wide=True),
    cli.Column("RULE", "rule", wide=True),
    cli.Column("VERSION", "version", wide=True),
)
_ENTRY = (
    cli.Column("AT", "at"), cli.Column("WHAT", "change"), cli.Column("WHO", "by"),
)  # fmt: skip
_RATE = (
    cli.Column("RULE", "rule"),
    cli.Column("VERSION", "version", right=True),
    cli.Column("KIND", "kind"),
    cli.Column("EVENTS", "events", right=True),
    cli.Column("JUDGED", "judged", right=True),
    cli.Column("FALSE", "false_alarms", right=True),
    cli.Column("RATE", "rate", right=True),
)
_EVIDENCE = (
    cli.Column("SHA256", "sha256"), cli.Column("KIND", "kind"), cli.Column("INTACT", "intact"),
)  # fmt: skip
_RECEIVER = (
    cli.Column("ID", "id"),
    cli.Column("NAME", "name"),
    cli.Column("KIND", "kind"),
    cli.Column("TARGET", "target"),
    cli.Column("DEPARTMENT", "path"),
    cli.Column("ENABLED", "enabled"),
)
_DELIVERY = (
    cli.Column("ID", "id"),
    cli.Column("EVENT", "event_id"),
    cli.Column("CHANGE", "change"),
    cli.Column("STATE", "state"),
    cli.Column("ATTEMPTS", "attempts", right=True),
    cli.Column("ERROR", "error"),
)
_LINKAGE = (
    cli.Column("ID", "id"),
    cli.Column("NAME", "name"),
    cli.Column("DEPARTMENT", "path"),
    cli.Column("ACTIONS", lambda one: ", ".join(a["kind"] for a in one["then"])),
    cli.Column("ENABLED", "enabled"),
)
_INCIDENT = (
    cli.Column("ID", "id"),
    cli.Column("TITLE", "title"),
    cli.Column("STATE", "state"),
    cli.Column("SEVERITY", "severity"),
    cli.Column("ASSIGNED TO", "assigned_to"),
    cli.Column("OPENED", "opened_at"),
)
_EXPORT = (
    cli.Column("ID", "id"),
    cli.Column("STATE", "state"),
    cli.Column("REASON", "reason"),
    cli.Column("ASKED BY", "requested_name"),
    cli.Column("DECIDED BY", "decided_name"),
)
_ID = click.argument("event_id", metavar="EVENT", shell_complete=cli.complete("/events"))


@click.group()
def event() -> None:
    """Events: what rules have noticed."""


@event.command("list")
@click.option("--kind", help="Only of this kind.")
@click.option("--severity", help="Only so grave ones.")
@click.option("--state", help="Only in this state.")
@click.option("--camera", help="Only of this camera.")
@click.option("--since", help="That began then or later (RFC 3339).")
@click.option("--until", help="That began before then.")
@cli.console(api="GET /api/v1/events", web="/events")
def list_events(console: cli.Console, /, **filters: Any) -> None:  # noqa: ANN401 - options by name
    """List events, the latest first."""
    console.rows(console.client.items("/events", **filters), _EVENT)


@event.command("show")
@_ID
@cli.console(api="GET /api/v1/events/{id}", web="/events/{id}")
def show_event(console: cli.Console, event_id: str) -> None:
    """Show an event."""
    console.one(console.client.get(f"/events/{event_id}"), _EVENT)


@event.command("history")
@_ID
@cli.console(api="GET /api/v1/events/{id}/history", web="/events/{id}")
def event_history(console: cli.Console, event_id: str) -> None:
    """Show what happened to an event."""
    found = console.client.get(f"/events/{event_id}/history")["items"]
    console.rows(found, _ENTRY, name="cursor")


@event.command("acknowledge")
@_ID
@click.option("--note", default="")
@cli.console(api="POST /api/v1/events/{id}/acknowledge", web="/events/{id}")
def acknowledge_event(console: cli.Console, event_id: str, note: str) -> None:
    """Take note of an event."""
    done = console.client.post(f"/events/{event_id}/acknowledge", {"note": note})
    console.one(done, _EVENT)


@event.command("judge")
@_ID
@click.argument("verdict", type=click.Choice(("true", "false_alarm")))
@click.option("--note", default="")
@cli.console(api="POST /api/v1/events/{id}/judge", web="/events/{id}")
def judge_event(console: cli.Console, event_id: str, verdict: str, note: str) -> None:
    """Say whether an event was true or a false alarm."""
    body = {"verdict": verdict, "note": note}
    console.one(console.client.post(f"/events/{event_id}/judge", body), _EVENT)


@event.command("rates")
@click.option("--days", type=int, default=90, show_default=True)
@cli.console(api="GET /api/v1/events/rates", web="/events/rates")
def event_rates(console: cli.Console, days: int) -> None:
    """Show how often each version of each rule was wrong."""
    console.rows(console.client.get("/events/rates", days=days)["items"], _RATE, name="rule")


@event.command("hold")
@_ID
@click.option("--reason", required=True)
@cli.console(api="POST /api/v1/events/{id}/hold", web="/events/{id}")
def hold_event(console: cli.Console, event_id: str, reason: str) -> None:
    """Keep an event beyond every period of retention."""
    console.one(console.client.post(f"/events/{event_id}/hold", {"reason": reason}), _EVENT)


@event.command("release")
@_ID
@cli.console(api="POST /api/v1/events/{id}/release", web="/events/{id}")
def release_event(console: cli.Console, event_id: str) -> None:
    """End a legal hold."""
    console.one(console.client.post(f"/events/{event_id}/release"), _EVENT)


@click.group()
def evidence() -> None:
    """Evidence: pictures and clips, by the SHA-256 of their content."""


@evidence.command("verify")
@_ID
@cli.console(api="GET /api/v1/events/{id}/verification", web="/events/{id}")
def verify_evidence(console: cli.Console, event_id: str) -> None:
    """Read an event's evidence again and compare it with its digests."""
    found = console.client.get(f"/events/{event_id}/verification")["items"]
    console.rows(found, _EVIDENCE, name="sha256")
    if not all(one["intact"] for one in found):
        raise cli.Failure("some of it is not what its digest says", cli.FAILED)


@click.group()
def receiver() -> None:
    """Receivers: who is told of events."""


@receiver.command("list")
@cli.console(api="GET /api/v1/receivers", web="/receivers")
def list_receivers(console: cli.Console) -> None:
    """List receivers."""
    console.rows(console.client.get("/receivers")["items"], _RECEIVER)


@receiver.command("add")
@click.argument("target")
@click.option("--path", required=True, help="The department, such as /city/water/.")
@click.option("--name", required=True)
@click.option("--kind", "kinds", multiple=True, help="Only events of this kind; repeat.")
@click.option("--severity", "severities", multiple=True, help="Only so grave ones; repeat.")
@cli.console(api="POST /api/v1/receivers", web="/receivers")
def add_receiver(
    console: cli.Console, target: str, path: str, name: str, kinds: tuple[str, ...],
    severities: tuple[str, ...],
) -> None:  # fmt: skip
    """Add a web-hook (https://…) or a mailbox. The secret of a web-hook is shown once."""
    how = "webhook" if "://" in target else "mail"
    wanted = {"kinds": list(kinds), "severities": list(severities)}
    body = {"path": path, "name": name, "kind": how, "target": target, "wanted": wanted}
    made = console.client.post("/receivers", body)
    console.one(made, (*_RECEIVER, cli.Column("SECRET", "secret")))


@receiver.command("remove")
@click.argument("receiver_id", metavar="RECEIVER")
@cli.console(api="DELETE /api/v1/receivers/{id}", web="/receivers")
def remove_receiver(console: cli.Console, receiver_id: str) -> None:
    """Forget a receiver with what was to be sent to it."""
    console.client.delete(f"/receivers/{receiver_id}")
    console.say("The receiver was removed.")


@receiver.command("deliveries")
@click.option("--state", type=click.Choice(("pending", "delivered", "dead")))
@click.option("--receiver", "of", help="Only of this receiver.")
@cli.console(api="GET /api/v1/deliveries", web="/receivers")
def list_deliveries(console: cli.Console, state: str | None, of: str | None) -> None:
    """List what was sent and what could not be."""
    console.rows(console.client.items("/deliveries", state=state, receiver=of), _DELIVERY)


@receiver.command("retry")
@click.argument("delivery_id", metavar="DELIVERY")
@cli.console(api="POST /api/v1/deliveries/{id}/retry", web="/receivers")
def retry_delivery(console: cli.Console, delivery_id: str) -> None:
    """Try a dead delivery again."""
    console.one(console.client.post(f"/deliveries/{delivery_id}/retry"), _DELIVERY)


@click.group()
def linkage() -> None:
    """Linkage: an event starts actions elsewhere."""


@linkage.command("list")
@cli.console(api="GET /api/v1/linkages", web="/linkages")
def list_linkages(console: cli.Console) -> None:
    """List linkage rules."""
    console.rows(console.client.get("/linkages")["items"], _LINKAGE)


@linkage.command("add")
@click.argument("document", metavar="FILE")
@cli.console(api="POST /api/v1/linkages", web="/linkages")
def add_linkage(console: cli.Console, document: str) -> None:
    """Add the linkage rule that a YAML or JSON document describes; - reads standard input."""
    body: Any = cli.read(document)
    console.one(console.client.post("/linkages", body), _LINKAGE)


@linkage.command("change")
@click.argument("linkage_id", metavar="LINKAGE")
@click.argument("document", metavar="FILE")
@cli.console(api="PUT /api/v1/linkages/{id}", web="/linkages/{id}")
def change_linkage(console: cli.Console, linkage_id: str, document: str) -> None:
    """Let a linkage rule be as a YAML or JSON document describes; - reads standard input."""
    body: Any = cli.read(document)
    path = f"/linkages/{linkage_id}"
    seen = console.client.request("GET", path)
    console.one(console.client.change("PUT", path, body, seen.etag), _LINKAGE)


@linkage.command("switch")
@click.argument("linkage_id", metavar="LINKAGE")
@click.argument("state", type=click.Choice(("on", "off")))
@cli.console(api="POST /api/v1/linkages/{id}/switch", web="/linkages")
def switch_linkage(console: cli.Console, linkage_id: str, state: str) -> None:
    """Turn a linkage rule on or off."""
    body = {"enabled": state == "on"}
    console.one(console.client.post(f"/linkages/{linkage_id}/switch", body), _LINKAGE)


@linkage.command("remove")
@click.argument("linkage_id", metavar="LINKAGE")
@cli.console(api="DELETE /api/v1/linkages/{id}", web="/linkages")
def remove_linkage(console: cli.Console, linkage_id: str) -> None:
    """Forget a linkage rule."""
    console.client.delete(f"/linkages/{linkage_id}")
    console.say("The linkage rule was removed.")


@click.group()
def incident() -> None:
    """Incidents: what people take care of."""


@incident.command("list")
@click.option("--state", type=click.Choice(("warning", "assigned", "acting", "closed")))
@cli.console(api="GET /api/v1/incidents", web="/incidents")
def list_incidents(console: cli.Console, state: str | None) -> None:
    """List incidents, newest first."""
    console.rows(console.client.items("/incidents", state=state), _INCIDENT)


@incident.command("show")
@click.argument("incident_id", metavar="INCIDENT")
@cli.console(api="GET /api/v1/incidents/{id}", web="/incidents/{id}")
def show_incident(console: cli.Console, incident_id: str) -> None:
    """Show an incident."""
    console.one(console.client.get(f"/incidents/{incident_id}"), _INCIDENT)


@incident.command("open")
@_ID
@click.option("--title", default="")
@cli.console(api="POST /api/v1/incidents", web="/incidents")
def open_incident(console: cli.Console, event_id: str, title: str) -> None:
    """Open an incident for an event."""
    console.one(console.client.post("/incidents", {"event": event_id, "title": title}), _INCIDENT)


@incident.command("step")
@click.argument("incident_id", metavar="INCIDENT")
@click.argument("state", type=click.Choice(("assigned", "acting", "closed")))
@click.option("--to", "assigned_to", default="", help="Who takes care of it.")
@click.option("--note", default="", help="A note; the report when it is closed.")
@cli.console(api="POST /api/v1/incidents/{id}/steps", web="/incidents/{id}")
def step_incident(
    console: cli.Console, incident_id: str, state: str, assigned_to: str, note: str
) -> None:
    """Take an incident a step on its way."""
    body = {"state": state, "assigned_to": assigned_to, "note": note}
    console.one(console.client.post(f"/incidents/{incident_id}/steps", body), _INCIDENT)


@click.group()
def export() -> None:
    """Exports: evidence that leaves, with a reason and a second person's approval."""


@export.command("list")
@click.option("--state", help="Only in this state.")
@cli.console(api="GET /api/v1/exports", web="/exports")
def list_exports(console: cli.Console, state: str | None) -> None:
    """List exports, newest first."""
    console.rows(console.client.items("/exports", state=state), _EXPORT)


@export.command("request")
@click.argument("event_ids", metavar="EVENT…", nargs=-1, required=True)
@click.option("--reason", required=True)
@click.option("--as-recorded", is_flag=True, help="Do not make people unrecognisable.")
@cli.console(api="POST /api/v1/exports", web="/exports")
def request_export(
    console: cli.Console, event_ids: tuple[str, ...], reason: str, *, as_recorded: bool
) -> None:
    """Ask for the evidence of events."""
    body = {"events": list(event_ids), "reason": reason, "blurred": not as_recorded}
    console.one(console.client.post("/exports", body), _EXPORT)


@export.command("decide")
@click.argument("export_id", metavar="EXPORT")
@click.argument("decision", type=click.Choice(("approve", "refuse")))
@click.option("--note", default="")
@cli.console(api="POST /api/v1/exports/{id}/decision", web="/exports")
def decide_export(console: cli.Console, export_id: str, decision: str, note: str) -> None:
    """Approve or refuse somebody else's export."""
    body = {"approve": decision == "approve", "note": note}
    console.one(console.client.post(f"/exports/{export_id}/decision", body), _EXPORT)


@export.command("trace")
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@cli.console(api="GET /api/v1/exports", web="/exports")
def trace_export(console: cli.Console, picture: Path) -> None:
    """Say which of the exports that you see a picture came from, by its embedded watermark."""
    import cv2  # noqa: PLC0415 - loads a library that no other verb needs

    from workloads.video_analytics.events.privacy.pictures import carries  # noqa: PLC0415

    image = cv2.imread(str(picture), cv2.IMREAD_COLOR)
    if image is None:
        raise cli.Failure(f"{picture} is no picture that can be read", cli.USAGE)
    found = [(carries(image, one["id"]), one) for one in console.client.items("/exports")]  # type: ignore[arg-type]
    likely = [one for share, one in found if share > 0.85]  # noqa: PLR2004 - by chance about 0.5
    if not likely:
        raise cli.Failure("it carries the mark of none of the exports that you see", cli.NOT_FOUND)
    console.rows(likely, _EXPORT)
