"""``borough-exchange receipt`` and ``borough-exchange verify``."""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any

import click

from foundation.surface import cli
from foundation.surface.cli import USAGE, Failure
from workloads.data_exchange.proofs.keys import ProofError
from workloads.data_exchange.receipts.verify import LONGEST
from workloads.data_exchange.receipts.verify import verify as verified

_COLUMNS = (
    cli.Column("ID", "id", wide=True),
    cli.Column("AT", "at"),
    cli.Column("CONSUMER", "consumer"),
    cli.Column("SERVICE", "service"),
    cli.Column("ROUTE", "route"),
    cli.Column("PURPOSE", "purpose"),
    cli.Column("STATUS", "status"),
    cli.Column("ROWS", "rows"),
    cli.Column("BYTES", "size"),
)
_CHECKPOINTS = (
    cli.Column("NUMBER", "number"),
    cli.Column("AT", "at"),
    cli.Column("KEY", "kid"),
)


@click.group()
def receipt() -> None:
    """Receipts: what was asked, what was handed out, and the proof of it."""


@receipt.command("list")
@click.option("--agreement", default="", help="Id of an agreement; all without it.")
@click.option("--since", help="From when on (RFC 3339).")
@click.option("--until", help="Until when (RFC 3339).")
@cli.console(api="GET /api/v1/receipts", web="/receipts")
def list_(console: cli.Console, agreement: str, since: str | None, until: str | None) -> None:
    """List receipts, newest first."""
    found = console.client.items("/receipts", agreement=agreement, since=since, until=until)
    console.rows(found, _COLUMNS)


@receipt.command()
@click.argument("receipt_id")
@cli.console(api="GET /api/v1/receipts/{id}", web="/receipts/{id}")
def show(console: cli.Console, receipt_id: str) -> None:
    """Show one receipt with its proof."""
    found = console.client.get(f"/receipts/{receipt_id}")
    body = "\n".join(f"{name}: {value}" for name, value in found["body"].items())
    where = f"checkpoint {found['checkpoint']}" if found["checkpoint"] else "no checkpoint yet"
    console.text(f"{body}\nhash: {found['hash']}\nproven by: {where}", found)


@receipt.command()
@click.argument("agreement")
@click.argument("file", type=click.File("wb"))
@cli.console(api="GET /api/v1/receipts/export", web="/receipts")
def export(console: cli.Console, agreement: str, file: IO[bytes]) -> None:
    """Write all receipts of an agreement to FILE, with what proves them."""
    file.write(console.client.download("/receipts/export", agreement=agreement))


@receipt.command()
@click.argument("day")
@click.argument("file", type=click.File("wb"))
@cli.console(api="GET /api/v1/receipts/archive", web="/receipts")
def archive(console: cli.Console, day: str, file: IO[bytes]) -> None:
    """Write all receipts of DAY (UTC, 2026-11-21) to FILE, packed, to be kept elsewhere."""
    with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
        packed.write(console.client.download("/receipts/archive", day=day))


@receipt.command()
@click.argument("receipt_id")
@click.option("--reason", required=True, help="Why, for the record.")
@cli.console(api="POST /api/v1/receipts/{id}/redact", web="/receipts/{id}")
def redact(console: cli.Console, receipt_id: str, reason: str) -> None:
    """Take away a request's signature, which may name a person; the chain still holds."""
    done = console.client.post(f"/receipts/{receipt_id}/redact", {"reason": reason})
    console.one(done, _COLUMNS)


@receipt.command()
@click.option("--file", type=click.File("wb"), help="Write them there, with what proves them.")
@cli.console(api="GET /api/v1/checkpoints", web="/receipts")
def checkpoints(console: cli.Console, file: IO[bytes] | None) -> None:
    """List the exchange's checkpoints, newest first."""
    if file is None:
        console.rows(console.client.items("/checkpoints"), _CHECKPOINTS, name="number")
    else:
        file.write(console.client.download("/checkpoints/export"))


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    "--keys", type=click.File("r"), help="JWK set with the exchange's keys, known from elsewhere."
)
def verify(file: IO[bytes], keys: IO[str] | None) -> None:
    """Verify a bundle of receipts or checkpoints, without any service.

    Exit code 1: it does not hold.

    Without --keys the keys in FILE are used: compare the thumbprints that are printed with those
    that the exchange publishes.
    """
    try:
        report = verified(_lines(file), _keys(keys))
    except ProofError as error:
        raise Failure(f"the keys cannot be used: {error}", USAGE) from None
    except (OSError, EOFError, zlib.error):
        raise Failure("the file cannot be read") from None
    for note in report.notes:
        click.echo(f"note: {note}")
    for problem in report.problems:
        click.echo(f"WRONG: {problem}")
    for kid in report.keys:
        click.echo(f"signed with: {kid}")
    click.echo(
        f"{report.receipts} receipts, {report.proven} proven by {report.checkpoints} checkpoints, "
        f"{report.signed} with the consumer's signature"
    )
    if not report.holds:
        raise Failure("the bundle does not hold")
    click.echo("The bundle holds.")


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of a bundle, packed or not; none is read without end."""
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    source: Any = gzip.GzipFile(fileobj=file) if packed else file
    while line := source.readline(LONGEST + 1):
        yield line


def _keys(file: IO[str] | None) -> "list[Mapping[str, Any]] | None":
    if file is None:
        return None
    try:
        found = json.load(file)["keys"]
    except (ValueError, KeyError, TypeError):
        raise Failure(f"{file.name} holds no JWK set", USAGE) from None
    if not isinstance(found, list):
        raise Failure(f"{file.name} holds no JWK set", USAGE)
    return found
