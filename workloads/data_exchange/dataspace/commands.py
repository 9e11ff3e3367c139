"""``borough-exchange dataspace``."""

import json
from typing import IO, Any

import click

from foundation.surface import cli
from workloads.data_exchange.dataspace.machine import ProcessAct, ProcessKind, ProcessState, Role
from workloads.data_exchange.dataspace.model import PULL

_COLUMNS = (
    cli.Column("ID", "id"), cli.Column("KIND", "kind"), cli.Column("ROLE", "role"),
    cli.Column("STATE", "state"), cli.Column("WITH", "peer"), cli.Column("DATASET", "dataset"),
    cli.Column("AGREEMENT", "agreement"), cli.Column("ERROR", "error"),
)  # fmt: skip
_PARTICIPANTS = (
    cli.Column("ID", "id"), cli.Column("AGENCY", "agency"), cli.Column("ADDRESS", "address"),
    cli.Column("ACCOUNT", "account"),
)  # fmt: skip
_OFFERS = (
    cli.Column("ID", "id"), cli.Column("TARGET", "target"), cli.Column("DATASET", "dataset"),
    cli.Column("SERVICE", "service"), cli.Column("AGENCY", "agency"),
    cli.Column("WITHDRAWN", "withdrawn_at"),
)  # fmt: skip
_MESSAGES = (
    cli.Column("NUMBER", "number", right=True), cli.Column("ACT", "act"),
    cli.Column("STATE", "state"), cli.Column("TRIES", "attempts", right=True),
    cli.Column("SENT", "sent_at"), cli.Column("ERROR", "error"),
)  # fmt: skip
_RULES = (
    cli.Column("KIND", "kind"), cli.Column("ROLE", "role"), cli.Column("SUBJECT", "subject"),
    cli.Column("AGENCY", "agency"),
)  # fmt: skip
_LISTED = (
    cli.Column("DATASET", "dataset"), cli.Column("TITLE", "title"),
    cli.Column("FORMATS", "formats"), cli.Column("OFFERS", "offers"),
    cli.Column("OWNER", "owner"), cli.Column("ASKED", "asked_at"),
)  # fmt: skip
_PARTICIPANT = click.argument(
    "participant_id", metavar="PARTICIPANT",
    shell_complete=cli.complete("/dataspace/participants"),
)  # fmt: skip
_PROCESS = click.argument(
    "process_id", metavar="PROCESS", shell_complete=cli.complete("/dataspace/processes")
)
_AGENCY = click.option("--agency", required=True, help="Ours, for which it is; id or path.")
_PROVIDER = click.option("--provider", required=True, help="Identifier of the participant.")
_ADDRESS = click.option("--address", default="", help="Base of its endpoints, if not as known.")


@click.group()
def dataspace() -> None:
    """The Dataspace Protocol: other connectors, offers, negotiations, transfers."""


@dataspace.command()
@cli.console(api="GET /api/v1/dataspace/participants", web="/dataspace")
def participants(console: cli.Console) -> None:
    """List the connectors that are known here."""
    console.rows(console.client.get("/dataspace/participants")["items"], _PARTICIPANTS)


@dataspace.command()
@click.argument("participant_id")
@click.option("--agency", required=True, help="For which it stands here; id or path.")
@click.option("--address", required=True, help="Base of its protocol endpoints.")
@click.option("--account", default="", help="Id of the service account as which it signs in.")
@cli.console(api="PUT /api/v1/dataspace/participants", web="/dataspace")
def register(console: cli.Console, /, participant_id: str, **given: str) -> None:
    """Take up a connector, or change where it is and who it is here."""
    body = {"id": participant_id, **given}
    console.one(
        console.client.request("PUT", "/dataspace/participants", body=body).body, _PARTICIPANTS
    )


@dataspace.command()
@_PARTICIPANT
@click.option("--dataset", default="", help="For this one alone, by its @id.")
@click.option(
    "--filter", "file", type=click.File(), metavar="FILE",
    help="A JSON list that the participant understands.",
)  # fmt: skip
@cli.console(api="POST /api/v1/dataspace/participants/catalogue", web="/dataspace/participants")
def ask(
    console: cli.Console, participant_id: str, dataset: str, file: IO[str] | None
) -> None:  # fmt: skip
    """Ask a participant for its catalogue, and keep what it says."""
    body = {
        "participant": participant_id, "dataset": dataset, "filter": _json(file) if file else [],
    }  # fmt: skip
    found = console.client.post("/dataspace/participants/catalogue", body)
    for remark in found["remarks"]:
        console.say(remark)
    console.rows(found["items"], _LISTED, name="dataset")
    if found["next"]:
        console.say("There are more: borough-exchange dataspace catalogue")


@dataspace.command()
@_PARTICIPANT
@click.option("--words", default="", help="Only data sets in which all of them stand.")
@cli.console(api="GET /api/v1/dataspace/participants/catalogue", web="/dataspace/participants")
def catalogue(console: cli.Console, participant_id: str, words: str) -> None:
    """List what a participant offered when it was asked."""
    found = console.client.items(
        "/dataspace/participants/catalogue", participant=participant_id, words=words
    )
    console.rows(found, _LISTED, name="dataset")


@dataspace.command()
@_PARTICIPANT
@click.argument("dataset_id", metavar="DATASET")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True)
@cli.console(api="GET /api/v1/dataspace/participants/dataset", web="/dataspace/datasets/{id}")
def dataset(console: cli.Console, participant_id: str, dataset_id: str, lang: str) -> None:
    """Say in words what a participant offers of a data set."""
    found = console.client.get(
        "/dataspace/participants/dataset", participant=participant_id, dataset=dataset_id
    )
    lines = [found["item"]["title"][lang], found["item"]["description"][lang]]
    for one in found["offers"]:
        lines += ["", f"{one['offer']} {one['format']}".strip()]
        lines += [
            f"  {'?' if n in one['not_understood'] else '-'} {text}"
            for n, text in enumerate(one[lang])
        ]
        if one["not_understood"]:
            lines.append("  ? is not understood here; nothing looks after it")
    console.text("\n".join(lines), found)


@dataspace.command()
@cli.console(api="GET /api/v1/dataspace/offers", web="/dataspace")
def offers(console: cli.Console) -> None:
    """List what is offered to the dataspace."""
    console.rows(console.client.items("/dataspace/offers"), _OFFERS)


@dataspace.command()
@click.argument("file", type=click.File())
@cli.console(api="POST /api/v1/dataspace/offers", web="/dataspace")
def offer(console: cli.Console, file: IO[str]) -> None:
    """Offer a published data set as a JSON file says: dataset, service, purposes, fields."""
    console.one(console.client.post("/dataspace/offers", _json(file)), _OFFERS)


@dataspace.command()
@click.argument("offer_id", shell_complete=cli.complete("/dataspace/offers"))
@cli.console(api="POST /api/v1/dataspace/offers/{id}/withdraw", web="/dataspace")
def withdraw(console: cli.Console, offer_id: str) -> None:
    """Offer it no more; what was agreed on stands."""
    console.one(console.client.post(f"/dataspace/offers/{offer_id}/withdraw", {}), _OFFERS)


@dataspace.command()
@click.argument("subject")
@click.option("--kind", type=click.Choice([one.value for one in ProcessKind]), required=True)
@click.option(
    "--role",
    type=click.Choice([one.value for one in Role]),
    required=True,
    help="Which side we are.",
)
@_AGENCY
@click.option(
    "--on", "steps", multiple=True, metavar="STATE=STEP,…",
    help="What is done when it is entered, the first time, the second, and so on.",
)  # fmt: skip
@cli.console(api="PUT /api/v1/dataspace/rules", web="/dataspace")
def rule(console: cli.Console, /, subject: str, **given: Any) -> None:  # noqa: ANN401
    """Say what is done without a person; without --on, all is left to people again."""
    plan = {}
    for one in given.pop("steps"):
        state, equals, steps = one.partition("=")
        if not equals:
            raise click.BadParameter("is written STATE=STEP,STEP", param_hint="--on")
        plan[state.upper()] = steps.split(",")
    body = {"subject": subject, **given, "plan": plan}
    console.one(console.client.request("PUT", "/dataspace/rules", body=body).body, _RULES)


@dataspace.command("list")
@click.option("--kind", type=click.Choice([one.value for one in ProcessKind]))
@click.option("--state", type=click.Choice([one.value for one in ProcessState]))
@cli.console(api="GET /api/v1/dataspace/processes", web="/dataspace")
def list_(console: cli.Console, kind: str | None, state: str | None) -> None:
    """List negotiations and transfers, newest first."""
    console.rows(console.client.items("/dataspace/processes", kind=kind, state=state), _COLUMNS)


@dataspace.command()
@_PROCESS
@cli.console(api="GET /api/v1/dataspace/processes/{id}", web="/dataspace/{id}")
def show(console: cli.Console, process_id: str) -> None:
    """Show a negotiation or transfer."""
    console.one(console.client.get(f"/dataspace/processes/{process_id}"), _COLUMNS)


@dataspace.command()
@_PROCESS
@cli.console(api="GET /api/v1/dataspace/processes/{id}/messages", web="/dataspace/{id}")
def messages(console: cli.Console, process_id: str) -> None:
    """List what we said in it, and whether it arrived."""
    console.rows(
        console.client.get(f"/dataspace/processes/{process_id}/messages")["items"], _MESSAGES
    )


@dataspace.command()
@_PROCESS
@cli.console(api="GET /api/v1/dataspace/processes/{id}/address", web="/dataspace/{id}")
def address(console: cli.Console, process_id: str) -> None:
    """Print where its data are to be had, with the grant for it."""
    found = console.client.get(f"/dataspace/processes/{process_id}/address")["address"]
    click.echo(json.dumps(found, indent=2))


@dataspace.command()
@_PROCESS
@click.argument("act", type=click.Choice([one.value for one in ProcessAct]))
@click.option("--reason", default="", help="Why.")
@cli.console(api="POST /api/v1/dataspace/processes/{id}/acts", web="/dataspace/{id}")
def act(console: cli.Console, process_id: str, act: str, reason: str) -> None:
    """Do what its state allows our side."""
    body = {"act": act, "reason": reason, "rules": []}
    console.one(console.client.post(f"/dataspace/processes/{process_id}/acts", body), _COLUMNS)


@dataspace.command()
@_AGENCY
@_PROVIDER
@click.option("--dataset", required=True, help="Its @id in the provider's catalogue.")
@click.option("--offer", required=True, help="Its @id in the provider's catalogue.")
@_ADDRESS
@cli.console(api="POST /api/v1/dataspace/negotiations", web="/dataspace")
def negotiate(console: cli.Console, /, **given: str) -> None:
    """Ask another participant for an agreement."""
    body = {**given, "rules": []}
    console.one(console.client.post("/dataspace/negotiations", body), _COLUMNS)


@dataspace.command()
@_AGENCY
@_PROVIDER
@click.option("--agreement", required=True, help="Its id, as the provider has it.")
@click.option("--format", default=PULL, show_default=True)
@_ADDRESS
@cli.console(api="POST /api/v1/dataspace/transfers", web="/dataspace")
def transfer(console: cli.Console, /, **given: str) -> None:
    """Ask another participant to hand out what was agreed on."""
    console.one(console.client.post("/dataspace/transfers", given), _COLUMNS)


def _json(file: IO[str]) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.load(file)
    except ValueError:
        raise click.BadParameter("is no JSON", param_hint="FILE") from None
