"""``borough-exchange lottery``."""

import json
import os
import secrets
from pathlib import Path
from typing import IO, Any

import click

from foundation.kernel import canonical
from foundation.surface import cli
from foundation.surface.cli import USAGE, Failure
from workloads.data_exchange.keys.commands import read_private
from workloads.data_exchange.lottery import draw, statements
from workloads.data_exchange.lottery.draw import Entry
from workloads.data_exchange.lottery.verify import Proven
from workloads.data_exchange.lottery.verify import prove as proven_of
from workloads.data_exchange.lottery.verify import verify as verified
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import ProofError, PublicKey

_COLUMNS = (
    cli.Column("ID", "id"),
    cli.Column("NAME", "name"),
    cli.Column("AGENCY", "agency"),
    cli.Column("STATE", "state"),
    cli.Column("ROUND", "round"),
    cli.Column("COMMITMENTS MISSING", "missing_commitments", wide=True),
    cli.Column("REVEALS MISSING", "missing_reveals", wide=True),
    cli.Column("DIGEST", "digest", wide=True),
)
_APPLICATIONS = (
    cli.Column("PSEUDONYM", "pseudonym"),
    cli.Column("POOL", "pool"),
    cli.Column("CHANCES", "chances", right=True),
    cli.Column("STANDING", "standing"),
    cli.Column("REASON", "reason"),
    cli.Column("RECEIPT", "receipt", wide=True),
    cli.Column("CONSENT CODE", "consent", wide=True),
)


@click.group()
def lottery() -> None:
    """Lotteries that anybody can recompute."""


@lottery.command("list")
@cli.console(api="GET /api/v1/lotteries", web="/lotteries")
def list_(console: cli.Console) -> None:
    """List lotteries, newest first."""
    console.rows(console.client.items("/lotteries"), _COLUMNS)


@lottery.command()
@click.argument("lottery_id")
@cli.console(api="GET /api/v1/lotteries/{id}", web="/lotteries/{id}")
def show(console: cli.Console, lottery_id: str) -> None:
    """Show a lottery, and what is still missing."""
    console.one(console.client.get(f"/lotteries/{lottery_id}"), _COLUMNS)


@lottery.command()
@click.argument("file", type=click.File("r"))
@cli.console(api="POST /api/v1/lotteries", web="/lotteries")
def create(console: cli.Console, file: IO[str]) -> None:
    """Draft a lottery by the rules in FILE (JSON, the body of the request)."""
    try:
        rules = json.load(file)
    except ValueError:
        raise Failure(f"{file.name} is not JSON", USAGE) from None
    console.one(console.client.post("/lotteries", rules), _COLUMNS)


@lottery.command("open")
@click.argument("lottery_id")
@cli.console(api="POST /api/v1/lotteries/{id}/open", web="/lotteries/{id}")
def open_(console: cli.Console, lottery_id: str) -> None:
    """Fix the rules in public; applications and commitments are taken from now on."""
    console.one(console.client.post(f"/lotteries/{lottery_id}/open"), _COLUMNS)


@lottery.command()
@click.argument("lottery_id")
@click.option("--person", required=True, prompt=True, help="Their identifier; it is not kept.")
@click.option("--pool", required=True)
@click.option("--chances", type=click.IntRange(1), default=1, show_default=True)
@cli.console(api="POST /api/v1/lotteries/{id}/applications", web="/lotteries/{id}")
def apply(console: cli.Console, lottery_id: str, person: str, pool: str, chances: int) -> None:
    """Take a person's application; prints their pseudonym (-o json: their receipt too)."""
    body = {"person": person, "pool": pool, "chances": chances}
    made = console.client.post(f"/lotteries/{lottery_id}/applications", body)
    console.one(made, _APPLICATIONS, name="pseudonym")


@lottery.command()
@click.argument("lottery_id")
@click.option("--standing", type=click.Choice(["pending", "qualified", "refused"]))
@cli.console(api="GET /api/v1/lotteries/{id}/applications", web="/lotteries/{id}")
def applications(console: cli.Console, lottery_id: str, standing: str | None) -> None:
    """List applications."""
    items = console.client.items(f"/lotteries/{lottery_id}/applications", standing=standing)
    console.rows(items, _APPLICATIONS, name="pseudonym")


@lottery.command()
@click.argument("lottery_id")
@click.argument("pseudonym")
@click.option("--qualified/--refused", required=True)
@click.option("--reason", required=True, help="On which grounds.")
@cli.console(
    api="POST /api/v1/lotteries/{id}/applications/{pseudonym}/judge", web="/lotteries/{id}"
)
def judge(
    console: cli.Console, lottery_id: str, pseudonym: str, *, qualified: bool, reason: str
) -> None:
    """Say whether somebody takes part, and why."""
    body = {"qualified": qualified, "reason": reason}
    made = console.client.post(f"/lotteries/{lottery_id}/applications/{pseudonym}/judge", body)
    console.one(made, _APPLICATIONS, name="pseudonym")


@lottery.command()
@click.argument("lottery_id")
@cli.console(api="POST /api/v1/lotteries/{id}/freeze", web="/lotteries/{id}")
def freeze(console: cli.Console, lottery_id: str) -> None:
    """Fix the list of those who take part; the parties reveal from now on."""
    console.one(console.client.post(f"/lotteries/{lottery_id}/freeze"), _COLUMNS)


@lottery.command()
@click.argument("lottery_id")
@click.option("--reason", required=True)
@cli.console(api="POST /api/v1/lotteries/{id}/abort", web="/lotteries/{id}")
def abort(console: cli.Console, lottery_id: str, reason: str) -> None:
    """End a lottery without a draw, in public."""
    console.one(console.client.post(f"/lotteries/{lottery_id}/abort", {"reason": reason}), _COLUMNS)


@lottery.command()
@click.argument("lottery_id")
@click.argument("value")
@cli.console(api="POST /api/v1/lotteries/{id}/beacon", web="/lotteries/{id}")
def beacon(console: cli.Console, lottery_id: str, value: str) -> None:
    """Draw with the VALUE of the beacon that the rules name."""
    console.one(console.client.post(f"/lotteries/{lottery_id}/beacon", {"value": value}), _COLUMNS)


def _key_option(command: Any) -> Any:  # noqa: ANN401 - click's
    return click.option(
        "--private-key", "key", type=click.File("r"), required=True,
        help="File that `key make` wrote; it is read here and never sent.",
    )(command)  # fmt: skip


@lottery.command()
@click.argument("lottery_id")
@click.argument("party")
@click.argument("secret", type=click.Path(dir_okay=False, path_type=Path))
@_key_option
@cli.console(api="POST /api/v1/lotteries/{id}/commitments", web="/lotteries/{id}")
def commit(console: cli.Console, lottery_id: str, party: str, secret: Path, key: IO[str]) -> None:
    """Commit PARTY (a path) to a new secret, kept in the file SECRET (mode 0600).

    The secret is not sent: only its hash is. With a file that is there the same is handed in again.
    """
    record = console.client.get(f"/lotteries/{lottery_id}/record")
    number, value = int(record["round"]), _secret(secret, lottery_id, party, record)
    told = statements.commitment(
        lottery_id, number, record["digest"], party,
        draw.commitment(lottery_id, number, party, value),
    )  # fmt: skip
    body = {"jws": jws.sign(told, read_private(key), statements.COMMITMENT)}
    console.one(console.client.post(f"/lotteries/{lottery_id}/commitments", body), _COLUMNS)


@lottery.command()
@click.argument("lottery_id")
@click.argument("party")
@click.argument("secret", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@_key_option
@cli.console(api="POST /api/v1/lotteries/{id}/reveals", web="/lotteries/{id}")
def reveal(console: cli.Console, lottery_id: str, party: str, secret: Path, key: IO[str]) -> None:
    """Reveal what PARTY committed to, and attest the frozen list as it is now.

    Nothing is sent unless the rules are those that were committed to and the list has the root
    that the exchange signed.
    """
    record = console.client.get(f"/lotteries/{lottery_id}/record")
    value = _secret(secret, lottery_id, party, record)
    try:
        root = draw.root_of(Entry(*line) for line in record["applications"])
        told = json.loads(jws.parse(record["frozen"]).payload)
    except (ProofError, TypeError, ValueError):
        raise Failure("the list is not frozen: nothing was sent") from None
    if root != told.get("root"):
        raise Failure("the list is not the one that was signed: nothing was sent")
    said = statements.reveal(lottery_id, int(record["round"]), record["digest"], root, party, value)
    body = {"jws": jws.sign(said, read_private(key), statements.REVEAL)}
    console.one(console.client.post(f"/lotteries/{lottery_id}/reveals", body), _COLUMNS)


def _secret(file: Path, lottery_id: str, party: str, record: dict[str, Any]) -> bytes:
    """The secret of a file, made when there is none; it belongs to one round of one lottery."""
    about = {
        "lottery": lottery_id, "party": party, "round": record["round"],
        "rules": record["digest"],
    }  # fmt: skip
    if not file.exists():
        value = secrets.token_bytes(draw.SECRET_BYTES)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as target:
            json.dump({**about, "secret": value.hex()}, target)
            target.flush()
            os.fsync(target.fileno())
        return value
    try:
        found = json.loads(file.read_text())
        value = bytes.fromhex(found.pop("secret"))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Failure(f"{file} holds no secret of a lottery", USAGE) from None
    if found != about:
        raise Failure(f"{file} is for another lottery, party, round or other rules", USAGE)
    return value


@lottery.command()
@click.argument("lottery_id")
@click.argument("file", type=click.File("wb"))
@cli.console(api="GET /api/v1/lotteries/{id}/bundle", web="/lotteries/{id}")
def bundle(console: cli.Console, lottery_id: str, file: IO[bytes]) -> None:
    """Write the bundle of a drawn lottery to FILE."""
    found = console.client.get(f"/lotteries/{lottery_id}/bundle")
    file.write(canonical.dumps(found).encode() + b"\n")


@lottery.command()
@click.argument("file", type=click.File("rb"))
@click.option("--keys", type=click.File("r"), help="JWK set of keys that you know from elsewhere.")
def verify(file: IO[bytes], keys: IO[str] | None) -> None:
    """Recompute a lottery from its bundle, without any service.

    Exit code 1: it does not hold. Without --keys the keys in FILE are used: compare the thumbprints
    that are printed with those that the agencies publish.
    """
    found = _proven(file, keys)
    click.echo(f"lottery: {found.lottery}  rules: {canonical.digest(found.rules)}")
    click.echo(f"applications: {len(found.entries)}  root: {found.root}")
    click.echo(f"seed: {found.seed.hex()}")
    for number, missing in enumerate(found.voids, 1):
        click.echo(f"round {number} is void: {', '.join(missing)} did not reveal")
    source = found.rules["beacon"]
    if source:
        click.echo(f"compare the beacon with {source['name']}, round {source['round']}")
    for path, kid in found.keys:
        click.echo(f"signed with: {kid} of {path}")
    for one in found.outcomes:
        click.echo(f"{one.pool}: {len(one.winners)} of {one.taking_part} won; cut-off {one.cutoff}")
    click.echo("The lottery holds.")


@lottery.command()
@click.argument("file", type=click.File("rb"))
@click.argument("pseudonym")
@click.option("--keys", type=click.File("r"), help="JWK set of keys that you know from elsewhere.")
def prove(file: IO[bytes], pseudonym: str, keys: IO[str] | None) -> None:
    """Show where PSEUDONYM stands in the bundle in FILE, with its proof, as JSON."""
    try:
        found = proven_of(_proven(file, keys), pseudonym)
    except ProofError as error:
        raise Failure(str(error)) from None
    click.echo(json.dumps(canonical.plain(found), ensure_ascii=False, indent=2))


def _proven(file: IO[bytes], keys: IO[str] | None) -> Proven:
    try:
        trusted = None
        if keys is not None:
            listed = [PublicKey.of_jwk(one) for one in json.load(keys)["keys"]]
            trusted = {one.kid: one for one in listed}
    except (ValueError, KeyError, TypeError, AttributeError, ProofError):
        raise Failure("the keys cannot be used", USAGE) from None
    try:
        return verified(file.read(), trusted)
    except ProofError as error:
        raise Failure(f"the lottery does not hold: {error}") from None
