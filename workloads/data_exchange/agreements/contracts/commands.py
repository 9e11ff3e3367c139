"""``borough-exchange agreement``."""

import time
from typing import IO, Any

import click

from foundation.kernel import canonical
from foundation.surface import cli
from foundation.surface.cli import FAILED, Failure
from workloads.data_exchange.agreements.contracts import evidence
from workloads.data_exchange.agreements.contracts.model import AGREEMENT, AgreementState, Party
from workloads.data_exchange.agreements.grants.model import LONGEST, REQUEST
from workloads.data_exchange.agreements.words import said
from workloads.data_exchange.keys.commands import read_private
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import ProofError

_COLUMNS = (
    cli.Column("ID", "id"),
    cli.Column("PROVIDER", "provider"),
    cli.Column("CONSUMER", "consumer"),
    cli.Column("DATASET", "dataset"),
    cli.Column("STATE", "state"),
    cli.Column("VERSION", "current", right=True),
    cli.Column("BEGINS", "begins"),
    cli.Column("ENDS", "ends"),
    cli.Column("SERVICE", "service", wide=True),
    cli.Column("REASON", "reason", wide=True),
)
_VERSION = (
    cli.Column("AGREEMENT", "agreement"),
    cli.Column("VERSION", "number", right=True),
    cli.Column("DIGEST", "digest"),
    cli.Column("IN FORCE", "in_force_at"),
)
_VERIFIED = (
    cli.Column("PARTY", "party"),
    cli.Column("HOLDS", "holds"),
    cli.Column("SIGNED", "at"),
    cli.Column("BY", "name"),
    cli.Column("KEY", "kid"),
    cli.Column("PROBLEM", "problem"),
)
_ID = click.argument("agreement_id", shell_complete=cli.complete("/agreements"))
_PARTY = click.option(
    "--party",
    type=click.Choice([one.value for one in Party]),
    required=True,
    help="For which side.",
)


@click.group()
def agreement() -> None:
    """Agreements between agencies: read, sign, revoke, use."""


@agreement.command("list")
@click.option(
    "--state",
    type=click.Choice([one.value for one in AgreementState]),
    help="Only those in this state.",
)
@click.option("--party", default="", help="Path of an agency that has part in them, and below.")
@cli.console(api="GET /api/v1/agreements", web="/agreements")
def list_(console: cli.Console, state: str | None, party: str) -> None:
    """List agreements, newest first."""
    console.rows(console.client.items("/agreements", state=state, party=party), _COLUMNS)


@agreement.command()
@_ID
@cli.console(api="GET /api/v1/agreements/{id}", web="/agreements/{id}")
def show(console: cli.Console, agreement_id: str) -> None:
    """Show an agreement."""
    console.one(console.client.get(f"/agreements/{agreement_id}"), _COLUMNS)


@agreement.command()
@_ID
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True)
@cli.console(api="GET /api/v1/agreements/{id}/words", web="/agreements/{id}")
def words(console: cli.Console, agreement_id: str, lang: str) -> None:
    """Say what an agreement allows."""
    found = console.client.get(f"/agreements/{agreement_id}/words")
    console.text("\n".join(found[lang]), found)


@agreement.command()
@_ID
@click.option("--version", "number", type=int, help="The newest if left out.")
@cli.console(api="GET /api/v1/agreements/{id}/versions", web="/agreements/{id}")
def policy(console: cli.Console, agreement_id: str, number: int | None) -> None:
    """Print the policy (ODRL 2.2, JSON-LD) in the canonical form that is signed."""
    found = _version(console, agreement_id, number)
    console.text(canonical.dumps(found["policy"]), found["policy"])


@agreement.command()
@_ID
@_PARTY
@click.option(
    "--private-key",
    "file",
    type=click.File("r"),
    help="File that `key make` wrote, or - ; it is read here and never sent. Without it the key "
    "that the exchange keeps for the agency signs.",
)
@cli.console(api="POST /api/v1/agreements/{id}/signatures", web="/agreements/{id}")
def sign(console: cli.Console, agreement_id: str, party: str, file: IO[str] | None) -> None:
    """Sign the newest version for one side; it counts when both have."""
    found = _version(console, agreement_id, None)
    digest = canonical.digest(found["policy"])
    if digest != found["digest"]:
        raise Failure(f"the policy is not that of its digest: {digest} is", FAILED)
    body: dict[str, str] = {"party": party}
    if file is None:
        body["digest"] = digest
    else:
        body["jws"] = jws.sign(found["policy"], read_private(file), AGREEMENT)
    console.one(
        console.client.post(f"/agreements/{agreement_id}/signatures", body),
        _VERSION,
        name="agreement",
    )


@agreement.command()
@_ID
@click.option("--version", "number", type=int, help="The newest if left out.")
@cli.console(api="GET /api/v1/agreements/{id}/versions/{number}/verification", web="/agreements")
def verify(console: cli.Console, agreement_id: str, number: int | None) -> None:
    """Verify the signatures of a version again."""
    number = number or _version(console, agreement_id, None)["number"]
    found = console.client.get(f"/agreements/{agreement_id}/versions/{number}/verification")
    console.rows(found["items"], _VERIFIED, name="party")
    if not all(one["holds"] for one in found["items"]):
        raise Failure("a signature does not hold", FAILED)


@agreement.command()
@_ID
@click.option("--version", "number", type=int, help="The newest if left out.")
@cli.console(api="GET /api/v1/agreements/{id}/versions/{number}/evidence", web="/agreements")
def export(console: cli.Console, agreement_id: str, number: int | None) -> None:
    """Print a version with all that is needed to verify it without the exchange."""
    number = number or _version(console, agreement_id, None)["number"]
    found = console.client.get(f"/agreements/{agreement_id}/versions/{number}/evidence")
    console.text(canonical.dumps(found), found)


@agreement.command()
@click.argument("file")
@click.option("--trust", default="", help="Thumbprint of the exchange's key that you know.")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True)
def check(file: str, trust: str, lang: str) -> None:
    """Verify what `agreement export` printed, without the exchange, and say what it allows."""
    data = cli.read(file)
    try:
        terms, kid = evidence.check(data if isinstance(data, dict) else {}, trust)
    except ProofError as error:
        raise Failure(str(error), FAILED) from None
    for text in said(terms):
        click.echo(text.get(lang))
    click.echo(f"{terms.digest} signed by both; recorded by {kid}")


@agreement.command()
@_ID
@_PARTY
@click.option("--reason", required=True, help="Why, for the record.")
@cli.console(api="POST /api/v1/agreements/{id}/revoke", web="/agreements/{id}")
def revoke(console: cli.Console, agreement_id: str, party: str, reason: str) -> None:
    """End an agreement now; the next call is refused within seconds."""
    body = {"party": party, "reason": reason}
    console.one(console.client.post(f"/agreements/{agreement_id}/revoke", body), _COLUMNS)


@agreement.command()
@_ID
@click.option("--private-key", "file", type=click.File("r"), help="Sign the request with it.")
@click.option("--kid", default="", help="Without --private-key: the key to bind the grant to.")
@click.option("--purpose", "purposes", multiple=True, help="All of the agreement if left out.")
@click.option("--seconds", type=int, default=LONGEST, show_default=True)
@cli.console(api="POST /api/v1/agreements/{id}/grants", web="/agreements/{id}")
def grant(
    console: cli.Console,
    agreement_id: str,
    file: IO[str] | None,
    kid: str,
    purposes: tuple[str, ...],
    seconds: int,
) -> None:
    """Get a grant for the gateway, bound to a key of the consumer."""
    asked: dict[str, Any] = {"purposes": list(purposes), "seconds": seconds}
    if file is None:
        asked["kid"] = kid
        found = console.client.post(f"/agreements/{agreement_id}/grants", asked)
    else:
        asked |= {"agreement": agreement_id, "iat": int(time.time())}
        request = jws.sign(asked, read_private(file), REQUEST)
        address = f"/agreements/{agreement_id}/grants/signed"
        found = console.client.post(address, {"request": request})
    console.text(found["token"], found)


def _version(console: cli.Console, agreement_id: str, number: int | None) -> dict[str, Any]:
    if number is not None:
        found = console.client.get(f"/agreements/{agreement_id}/versions/{number}")
    else:
        found = console.client.get(f"/agreements/{agreement_id}/versions")["items"][0]
    return dict(found)
