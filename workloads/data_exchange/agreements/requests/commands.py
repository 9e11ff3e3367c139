"""``borough-exchange request``."""

import click

from foundation.surface import cli
from workloads.data_exchange.agreements.requests.model import RequestState

_COLUMNS = (
    cli.Column("ID", "id"),
    cli.Column("CONSUMER", "consumer"),
    cli.Column("PROVIDER", "provider"),
    cli.Column("DATASET", "dataset"),
    cli.Column("STATE", "state"),
    cli.Column("WAITS FOR", "waits_for"),
    cli.Column("DUE", "due_at"),
    cli.Column("OVERDUE", "overdue"),
    cli.Column("AGREEMENT", "agreement", wide=True),
)
_STEPS = (
    cli.Column("#", "number", right=True),
    cli.Column("AT", "at"),
    cli.Column("SIDE", "side"),
    cli.Column("BY", "name"),
    cli.Column("ACT", "act"),
    cli.Column("TO", "after"),
    cli.Column("LATE", "late"),
    cli.Column("TEXT", "text"),
)
_ID = click.argument("request_id", shell_complete=cli.complete("/requests"))
_TEXT = click.option("--text", required=True, help="Reason, question or answer.")
_SEEN = click.option("--version", type=int, help="Of the request as you saw it.")


@click.group()
def request() -> None:
    """Requests for access to data, and their clocks."""


@request.command("list")
@click.option(
    "--state",
    type=click.Choice([one.value for one in RequestState]),
    help="Only those in this state.",
)
@click.option("--mine", is_flag=True, help="Only those that wait for what you may do.")
@click.option("--overdue", is_flag=True, help="Only those that are late.")
@click.option("--consumer", default="", help="Path of the agency that asks, and below.")
@click.option("--provider", default="", help="Path of the agency that is asked, and below.")
@cli.console(api="GET /api/v1/requests", web="/requests")
def list_(
    console: cli.Console,
    *,
    state: str | None,
    mine: bool,
    overdue: bool,
    consumer: str,
    provider: str,
) -> None:
    """List requests, the next due first."""
    found = console.client.items(
        "/requests", state=state, mine=mine, overdue=overdue, consumer=consumer, provider=provider
    )
    console.rows(found, _COLUMNS)


@request.command()
@_ID
@cli.console(api="GET /api/v1/requests/{id}", web="/requests/{id}")
def show(console: cli.Console, request_id: str) -> None:
    """Show a request; with `-o json` all that is asked for."""
    console.one(console.client.get(f"/requests/{request_id}"), _COLUMNS)


@request.command()
@_ID
@cli.console(api="GET /api/v1/requests/{id}/steps", web="/requests/{id}")
def steps(console: cli.Console, request_id: str) -> None:
    """Show what was done with a request, by whom."""
    found = console.client.get(f"/requests/{request_id}/steps")
    console.rows(found["items"], _STEPS, name="number")


@request.command()
@click.argument("file")
@cli.console(api="POST /api/v1/requests", web="/requests/new")
def create(console: cli.Console, file: str) -> None:
    """Ask for access as FILE says (YAML or JSON, - for standard input).

    It holds consumer, dataset, service, legal_basis, justification and ask: purposes, fields
    (name, whole), rows (name, operator, values), limits, begins, ends.
    """
    console.one(console.client.post("/requests", cli.read(file)), _COLUMNS)


def _act(
    console: cli.Console,
    request_id: str,
    address: str,
    act: str,
    version: int | None,
    text: str = "",
    offer: object = None,
) -> None:
    body: dict[str, object] = {"act": act, "text": text, "version": version}
    if offer is not None:
        body["offer"] = offer
    console.one(console.client.post(f"/requests/{request_id}/{address}", body), _COLUMNS)


@request.command()
@click.argument("finding", type=click.Choice(["pass", "refuse"]))
@_ID
@click.option("--text", default="", help="Why; needed to refuse.")
@_SEEN
@cli.console(api="POST /api/v1/requests/{id}/review", web="/requests/{id}")
def review(
    console: cli.Console, finding: str, request_id: str, text: str, version: int | None
) -> None:
    """Let a request pass to the provider, or refuse it."""
    _act(console, request_id, "review", finding, version, text)


@request.command()
@_ID
@_SEEN
@cli.console(api="POST /api/v1/requests/{id}/decision", web="/requests/{id}")
def approve(console: cli.Console, request_id: str, version: int | None) -> None:
    """Give all that is asked for; an agreement is drafted."""
    _act(console, request_id, "decision", "approve", version)


@request.command()
@_ID
@click.argument("file")
@_TEXT
@_SEEN
@cli.console(api="POST /api/v1/requests/{id}/decision", web="/requests/{id}")
def offer(console: cli.Console, request_id: str, file: str, text: str, version: int | None) -> None:
    """Give less than is asked for: FILE holds purposes, fields, rows, limits, begins, ends."""
    _act(console, request_id, "decision", "offer", version, text, cli.read(file))


@request.command()
@_ID
@_TEXT
@_SEEN
@cli.console(api="POST /api/v1/requests/{id}/decision", web="/requests/{id}")
def refuse(console: cli.Console, request_id: str, text: str, version: int | None) -> None:
    """Refuse as the provider."""
    _act(console, request_id, "decision", "refuse", version, text)


@request.command()
@_ID
@_TEXT
@_SEEN
@cli.console(api="POST /api/v1/requests/{id}/decision", web="/requests/{id}")
def inquire(console: cli.Console, request_id: str, text: str, version: int | None) -> None:
    """Ask the consumer a question; the provider's clock stands until the answer."""
    _act(console, request_id, "decision", "inquire", version, text)


@request.command()
@click.argument("reply", type=click.Choice(["answer", "accept", "withdraw", "dispute"]))
@_ID
@click.option("--text", default="", help="The answer, or why it is disputed.")
@_SEEN
@cli.console(api="POST /api/v1/requests/{id}/reply", web="/requests/{id}")
def reply(
    console: cli.Console, reply: str, request_id: str, text: str, version: int | None
) -> None:
    """Answer, accept what is offered, withdraw, or dispute a refusal."""
    _act(console, request_id, "reply", reply, version, text)


@request.command()
@click.argument("ruling", type=click.Choice(["uphold", "overrule"]))
@_ID
@_TEXT
@_SEEN
@cli.console(api="POST /api/v1/requests/{id}/ruling", web="/requests/{id}")
def rule(
    console: cli.Console, ruling: str, request_id: str, text: str, version: int | None
) -> None:
    """Decide a dispute, for the level above both agencies."""
    _act(console, request_id, "ruling", ruling, version, text)
