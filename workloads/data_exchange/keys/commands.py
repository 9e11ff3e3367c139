"""``borough-exchange key``."""

import json
import os
from typing import IO

import click

from foundation.surface import cli
from foundation.surface.cli import USAGE, Failure
from workloads.data_exchange.keys.model import POSSESSION
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey, ProofError, decoded, encoded

_COLUMNS = (
    cli.Column("KID", "kid"),
    cli.Column("AGENCY", "path"),
    cli.Column("STATE", "state"),
    cli.Column("HOSTED", "hosted"),
    cli.Column("CREATED", "created_at"),
    cli.Column("REASON", "reason", wide=True),
)


@click.group()
def key() -> None:
    """Keys with which agencies, and the exchange itself, sign."""


@key.command("list")
@click.option("--agency", default="", help="Id or path; / for the exchange's own. All without it.")
@cli.console(api="GET /api/v1/keys", web="/keys")
def list_(console: cli.Console, agency: str) -> None:
    """List keys, newest first."""
    console.rows(console.client.items("/keys", agency=agency), _COLUMNS, name="kid")


@key.command()
@click.argument("agency", shell_complete=cli.complete("/agencies", name="path"))
@cli.console(api="POST /api/v1/keys", web="/keys")
def generate(console: cli.Console, agency: str) -> None:
    """Make a key that the exchange keeps for an agency; it replaces the one kept before."""
    console.one(console.client.post("/keys", {"agency": agency}), _COLUMNS)


@key.command()
@click.argument("agency", shell_complete=cli.complete("/agencies", name="path"))
@click.option(
    "--private-key",
    "file",
    type=click.File("r"),
    required=True,
    help="File that `key make` wrote, or - ; it is read here and never sent.",
)
@cli.console(api="POST /api/v1/keys", web="/keys")
def register(console: cli.Console, agency: str, file: IO[str]) -> None:
    """Register an agency's own key; its private half stays where it is."""
    private = read_private(file)
    agency_id = "/" if agency == "/" else _agency_id(console, agency)
    told = {"agency": agency_id, "kid": private.kid}
    body = {
        "agency": agency_id, "jwk": private.public.jwk(),
        "possession": jws.sign(told, private, POSSESSION),
    }  # fmt: skip
    console.one(console.client.post("/keys", body), _COLUMNS)


@key.command()
@click.argument("kid")
@click.option("--reason", required=True, help="Why it must not be trusted.")
@click.option("--since", help="From when on it may have been in other hands (RFC 3339); now.")
@cli.console(api="POST /api/v1/keys/{kid}/revoke", web="/keys")
def revoke(console: cli.Console, kid: str, reason: str, since: str | None) -> None:
    """Revoke a key; what it signed before still counts."""
    body = {"reason": reason, "since": since}
    console.one(console.client.post(f"/keys/{kid}/revoke", body), _COLUMNS)


@key.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=str))
def make(file: str) -> None:
    """Make a private key on this machine and write it to FILE (mode 0600) as a JWK."""
    private = PrivateKey.generate()
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Failure(f"{file}: {error.strerror}", USAGE) from None
    with os.fdopen(handle, "w") as target:
        json.dump({**private.public.jwk(), "d": encoded(private.seed)}, target)
    click.echo(private.kid)


def read_private(file: IO[str]) -> PrivateKey:
    """The private key of a JWK file.

    Raises:
        Failure: the file holds none.
    """
    try:
        return PrivateKey(decoded(str(json.load(file)["d"])))
    except (ValueError, KeyError, TypeError, ProofError):
        raise Failure(f"{file.name} holds no private Ed25519 key (JWK)", USAGE) from None


def _agency_id(console: cli.Console, reference: str) -> str:
    if not reference.startswith("/"):
        return reference
    for one in console.client.items("/agencies"):
        if one["path"] == reference:
            return str(one["id"])
    raise Failure(f"there is no agency {reference}", USAGE)
