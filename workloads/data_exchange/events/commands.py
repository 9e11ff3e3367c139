"""``borough-exchange events``: topics, publishing, subscriptions, dead letters."""

import json
from typing import IO, Any

import click
import urllib3

from foundation.surface import cli
from foundation.surface.cli import FAILED, NOT_ALLOWED, NOT_FOUND, Failure
from workloads.data_exchange.events.cloudevents import BATCHED, STRUCTURED
from workloads.data_exchange.events.model import SubscriptionKind, SubscriptionState

_EXITS = {401: NOT_ALLOWED, 403: NOT_ALLOWED, 404: NOT_FOUND}
_TOPIC = (
    cli.Column("SERVICE", "service"), cli.Column("DATASET", "dataset"),
    cli.Column("PARTITIONS", "partitions", right=True),
    cli.Column("DAYS", "retention_days", right=True), cli.Column("BYTES", "bytes_max", right=True),
    cli.Column("PROVIDER", "path", wide=True),
)  # fmt: skip
_SUBSCRIPTION = (
    cli.Column("ID", "id"), cli.Column("TOPIC", "topic"), cli.Column("KIND", "kind"),
    cli.Column("STATE", "state"), cli.Column("LAG", "lag", right=True),
    cli.Column("DEAD", "letters", right=True), cli.Column("MISSED", "missed", right=True),
    cli.Column("AGREEMENT", "agreement", wide=True), cli.Column("URL", "url", wide=True),
)  # fmt: skip
_LETTER = (
    cli.Column("ID", "id"), cli.Column("EVENT", "event"), cli.Column("KEY", "key"),
    cli.Column("CAUSE", "cause"), cli.Column("ATTEMPTS", "attempts", right=True),
    cli.Column("AGAIN", "again"), cli.Column("AT", "at", wide=True),
)  # fmt: skip
_subscription = click.argument("subscription_id", shell_complete=cli.complete("/subscriptions"))


@click.group()
def events() -> None:
    """Events under agreements: published once, handed out in order, at least once."""


@events.command()
@cli.console(api="GET /api/v1/topics", web="/events")
def topics(console: cli.Console) -> None:
    """List topics."""
    console.rows(console.client.items("/topics"), _TOPIC, name="service")


@events.command()
@click.argument("dataset")
@click.argument("service")
@click.option("--partitions", type=click.IntRange(1, 64), default=8, show_default=True)
@click.option("--days", type=click.IntRange(1, 366), default=7, show_default=True)
@click.option("--bytes", "most", type=click.IntRange(1), default=1024**3, show_default=True)
@cli.console(api="POST /api/v1/topics", web="/events")
def create(
    console: cli.Console, dataset: str, service: str, partitions: int, days: int, most: int
) -> None:
    """Make the topic of a published data set and a service of it."""
    body = {
        "dataset": dataset, "service": service, "partitions": partitions, "retention_days": days,
        "bytes_max": most,
    }  # fmt: skip
    console.one(console.client.post("/topics", body), _TOPIC)


@events.command()
@click.argument("service", shell_complete=cli.complete("/topics", name="service"))
@click.argument("file", type=click.File("rb"))
@click.option("--gateway", required=True, help="Address of the gateway, https://…")
@cli.console(web="/events")
def publish(console: cli.Console, service: str, file: IO[bytes], gateway: str) -> None:
    """Publish the CloudEvent, or the list of them, in FILE; - is standard input."""
    body = file.read()
    kind = BATCHED if body.lstrip()[:1] == b"[" else STRUCTURED
    answer = urllib3.request(
        "POST", f"{gateway.rstrip('/')}/topics/{service}/events", body=body,
        headers={"Authorization": f"Bearer {console.client.token}", "Content-Type": kind},
        redirect=False, retries=False, timeout=urllib3.Timeout(connect=10, read=60),
    )  # fmt: skip
    told = _read(answer.data)
    if answer.status != 200:  # noqa: PLR2004
        wrong = "; ".join(f"{one['field']}: {one['message']}" for one in told.get("errors", []))
        detail = wrong or str(told.get("detail", f"the gateway answered {answer.status}"))
        raise Failure(detail, _EXITS.get(answer.status, FAILED))
    console.text(f"taken: {told['taken']}\nknown: {told['known']}", told)


@events.command()
@click.option("--topic", default="", help="Service of a topic; all without it.")
@cli.console(api="GET /api/v1/subscriptions", web="/events")
def subscriptions(console: cli.Console, topic: str) -> None:
    """List subscriptions with their lag and dead letters."""
    console.rows(console.client.items("/subscriptions", topic=topic), _SUBSCRIPTION)


@events.command()
@click.argument("agreement", shell_complete=cli.complete("/agreements"))
@click.option("--purpose", required=True, help="One of the agreement's purposes.")
@click.option(
    "--hook", "url", default="", help="Address of a web-hook, https://… ; without it you pull."
)
@click.option("--since", help="From which events on (RFC 3339); those to come without it.")
@cli.console(api="POST /api/v1/agreements/{id}/subscriptions", web="/events")
def subscribe(
    console: cli.Console, agreement: str, purpose: str, url: str, since: str | None
) -> None:
    """Subscribe the agreement's consumer; the secret of a web-hook is shown once."""
    body = {
        "kind": (SubscriptionKind.PUSH if url else SubscriptionKind.PULL).value,
        "purpose": purpose, "url": url,
        "since": since,
    }  # fmt: skip
    made = console.client.post(f"/agreements/{agreement}/subscriptions", body)
    columns = (*_SUBSCRIPTION, cli.Column("SECRET", "secret")) if url else _SUBSCRIPTION
    console.one(made, columns)


def _change(console: cli.Console, name: str, state: SubscriptionState) -> None:
    body = {"state": state.value}
    console.one(console.client.request("PATCH", f"/subscriptions/{name}", body=body).body,
                _SUBSCRIPTION)  # fmt: skip


@events.command()
@_subscription
@cli.console(api="PATCH /api/v1/subscriptions/{id}", web="/events/{id}")
def pause(console: cli.Console, subscription_id: str) -> None:
    """Hand nothing out for now."""
    _change(console, subscription_id, SubscriptionState.PAUSED)


@events.command()
@_subscription
@cli.console(api="PATCH /api/v1/subscriptions/{id}", web="/events/{id}")
def resume(console: cli.Console, subscription_id: str) -> None:
    """Go on."""
    _change(console, subscription_id, SubscriptionState.ACTIVE)


@events.command()
@_subscription
@cli.console(api="PATCH /api/v1/subscriptions/{id}", web="/events/{id}")
def end(console: cli.Console, subscription_id: str) -> None:
    """End a subscription for ever."""
    _change(console, subscription_id, SubscriptionState.ENDED)


@events.command()
@_subscription
@click.option("--since", help="A time (RFC 3339): the first event at or after it is next.")
@click.option("--position", "positions", multiple=True, metavar="PARTITION=POSITION")
@cli.console(api="POST /api/v1/subscriptions/{id}/seek", web="/events/{id}")
def seek(
    console: cli.Console, subscription_id: str, since: str | None, positions: tuple[str, ...]
) -> None:
    """Put a subscription to a time or to positions, so that all from there on comes again."""
    pairs = {one.partition("=")[0]: int(one.partition("=")[2] or -1) for one in positions}
    body = {"since": since, "positions": pairs or None}
    console.one(console.client.post(f"/subscriptions/{subscription_id}/seek", body), _SUBSCRIPTION)


@events.command()
@_subscription
@cli.console(api="GET /api/v1/subscriptions/{id}/letters", web="/events/{id}")
def letters(console: cli.Console, subscription_id: str) -> None:
    """List events that could not be delivered."""
    console.rows(console.client.items(f"/subscriptions/{subscription_id}/letters"), _LETTER)


@events.command()
@_subscription
@click.argument("letter_id")
@cli.console(api="POST /api/v1/subscriptions/{id}/letters/{letter_id}/replay", web="/events/{id}")
def replay(console: cli.Console, subscription_id: str, letter_id: str) -> None:
    """Have a dead letter delivered again."""
    path = f"/subscriptions/{subscription_id}/letters/{letter_id}/replay"
    console.one(console.client.post(path, {}), _LETTER)


@events.command()
@_subscription
@click.argument("letter_id")
@cli.console(api="DELETE /api/v1/subscriptions/{id}/letters/{letter_id}", web="/events/{id}")
def drop(console: cli.Console, subscription_id: str, letter_id: str) -> None:
    """Give a dead letter up."""
    console.client.delete(f"/subscriptions/{subscription_id}/letters/{letter_id}")


def _read(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
