"""``borough-exchange transfer``: batches of files, sent and fetched."""

import hashlib
import json
import os
import secrets
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import click
import urllib3

from foundation.adapters.clock import SystemClock
from foundation.kernel.errors import Collector
from foundation.surface import cli
from foundation.surface.cli import FAILED, NOT_ALLOWED, NOT_FOUND, USAGE, Failure
from workloads.data_exchange.keys.commands import read_private
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey, ProofError, PublicKey
from workloads.data_exchange.proofs.requests import prove
from workloads.data_exchange.transfers.model import MANIFEST, Listed, check_name, read_listed

_EXITS = {401: NOT_ALLOWED, 403: NOT_ALLOWED, 404: NOT_FOUND}
_TRIES = 8
_BLOCK = 1024 * 1024
_PART = ".part"
_COLUMNS = (
    cli.Column("ID", "id"), cli.Column("TITLE", "title"), cli.Column("STATE", "state"),
    cli.Column("FILES", "files", right=True), cli.Column("BYTES", "size", right=True),
    cli.Column("RECEIVED", "received", right=True), cli.Column("AGREEMENT", "agreement", wide=True),
    cli.Column("EXPIRES", "expires_at", wide=True),
)  # fmt: skip
_FILES = (
    cli.Column("NAME", "name"), cli.Column("BYTES", "size", right=True),
    cli.Column("RECEIVED", "received", right=True), cli.Column("DIGEST", "digest"),
    cli.Column("ID", "id", wide=True),
)  # fmt: skip
_gateway = click.option(
    "--gateway", required=True, help="Address of the gateway, https://… ; files go there."
)


@click.group()
def transfer() -> None:
    """Batches of files under an agreement: sent in parts, published whole, fetched in parts."""


@transfer.command("list")
@click.option("--agreement", default="", help="Id of an agreement; all without it.")
@cli.console(api="GET /api/v1/batches", web="/transfers")
def list_(console: cli.Console, agreement: str) -> None:
    """List batches, newest first."""
    console.rows(console.client.items("/batches", agreement=agreement), _COLUMNS)


@transfer.command()
@click.argument("batch_id", shell_complete=cli.complete("/batches"))
@cli.console(api="GET /api/v1/batches/{id}", web="/transfers/{id}")
def show(console: cli.Console, batch_id: str) -> None:
    """Show one batch, and what its check found."""
    console.one(console.client.get(f"/batches/{batch_id}"), _COLUMNS)


@transfer.command()
@click.argument("batch_id", shell_complete=cli.complete("/batches"))
@cli.console(api="GET /api/v1/batches/{id}/files", web="/transfers/{id}")
def files(console: cli.Console, batch_id: str) -> None:
    """List the files of a batch."""
    console.rows(console.client.items(f"/batches/{batch_id}/files"), _FILES, name="name")


@transfer.command()
@click.argument("agreement", shell_complete=cli.complete("/agreements"))
@click.option("--title", required=True, help="For people.")
@click.option("--days", type=click.IntRange(1), default=30, show_default=True)
@cli.console(api="POST /api/v1/agreements/{id}/batches", web="/transfers")
def create(console: cli.Console, agreement: str, title: str, days: int) -> None:
    """Begin a batch for the consumer of an agreement."""
    body = {"title": title, "days": days}
    console.one(console.client.post(f"/agreements/{agreement}/batches", body), _COLUMNS)


@transfer.command()
@click.argument("batch_id", shell_complete=cli.complete("/batches"))
@cli.console(api="DELETE /api/v1/batches/{id}", web="/transfers/{id}")
def delete(console: cli.Console, batch_id: str) -> None:
    """Take a batch back; its files go."""
    console.client.delete(f"/batches/{batch_id}")


@transfer.command()
@click.argument("batch_id", shell_complete=cli.complete("/batches"))
@click.argument(
    "paths", type=click.Path(exists=True, dir_okay=False, path_type=Path), nargs=-1, required=True
)
@_gateway
@click.option("--seal/--no-seal", default=True, show_default=True, help="Publish it afterwards.")
@click.option(
    "--private-key", "key", type=click.File("r"),
    help="The provider's own key, to sign the manifest with; else the one that is kept there.",
)  # fmt: skip
@cli.console(api="POST /api/v1/batches/{id}/manifest", web="/transfers/{id}")
def send(
    console: cli.Console, batch_id: str, paths: tuple[Path, ...], gateway: str, *, seal: bool,
    key: IO[str] | None,
) -> None:  # fmt: skip
    """Send files into an open batch, from where they were broken off, and publish it.

    Run it again after a failure: what is there is not sent again.
    """
    there = {one["name"]: one for one in console.client.items(f"/batches/{batch_id}/files")}
    sender = _Sender(gateway, console.client.token)
    listed = []
    for path in paths:
        listed.append(_listed(path))
        known = there.get(path.name)
        where = f"/uploads/{known['id']}" if known else sender.announce(batch_id, path)
        sender.send(where, path)
    if not seal:
        return
    body: dict[str, Any] = {"files": [one.told() for one in listed]}
    if key is not None:
        batch = console.client.get(f"/batches/{batch_id}")
        told = {
            "version": 1, "batch": batch["id"], "agreement": batch["agreement"],
            "provider": batch["path"],
            "files": sorted(body["files"], key=lambda one: str(one["name"])),
        }  # fmt: skip
        body = {"jws": jws.sign(told, read_private(key), MANIFEST)}
    console.one(console.client.post(f"/batches/{batch_id}/manifest", body), _COLUMNS)


@transfer.command()
@click.argument("batch_id")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@_gateway
@click.option("--grant", type=click.File("r"), required=True, help="File of `agreement grant`.")
@click.option(
    "--private-key", "key", type=click.File("r"), required=True,
    help="File of the key that the grant is bound to; it is read here, never sent.",
)  # fmt: skip
@click.option("--purpose", required=True, help="For what: one of the agreement's purposes.")
@click.option(
    "--provider-keys", type=click.File("r"), required=True,
    help="The provider's JWK set (`key jwks`), against which the manifest is verified.",
)  # fmt: skip
def fetch(
    batch_id: str, folder: Path, gateway: str, grant: IO[str], key: IO[str], purpose: str,
    provider_keys: IO[str],
) -> None:  # fmt: skip
    """Fetch a published batch into FOLDER, from where it was broken off, and verify it.

    A file has its name once its digest is that of the manifest which the provider has signed.
    """
    consumer = _Consumer(gateway, grant.read().strip(), read_private(key), purpose)
    shown = json.loads(b"".join(consumer.get(f"/batches/{batch_id}")))
    listed = _verified(shown, provider_keys.read())
    folder.mkdir(parents=True, exist_ok=True)
    by_name = {one["name"]: one["id"] for one in shown["files"]}
    for one in listed:
        _fetched(consumer, f"/batches/{batch_id}/files/{by_name[one.name]}", one, folder)
        click.echo(one.name)


def _listed(path: Path) -> Listed:
    with path.open("rb") as file:
        hashed = hashlib.file_digest(file, "sha256").hexdigest()
    return Listed(path.name, path.stat().st_size, f"sha256:{hashed}")


def _verified(shown: Mapping[str, Any], keys: str) -> list[Listed]:
    """The files of a manifest that one of the keys has signed; their names are looked at again."""
    wrong = Collector()
    try:
        taken = jws.parse(shown["manifest"])
        ring = {one["kid"]: PublicKey.of_jwk(one) for one in json.loads(keys)["keys"]}
        if taken.kid not in ring:
            raise Failure("the manifest is not signed with a key of the provider", FAILED)
        told = taken.verify(ring[taken.kid], MANIFEST)
    except (ProofError, ValueError, KeyError, TypeError):
        raise Failure("the manifest does not hold", FAILED) from None
    listed = read_listed(wrong, told.get("files"))
    for n, one in enumerate(listed):
        check_name(wrong, one.name, f"files.{n}.name")
    same = told.get("batch") == shown["id"] and {one.name for one in listed} == {
        one["name"] for one in shown["files"]
    }
    if wrong.problems or not same:
        raise Failure("the manifest is not of this batch", FAILED)
    return listed


def _fetched(consumer: "_Consumer", target: str, one: Listed, folder: Path) -> None:
    path, part = folder / one.name, folder / f"{one.name}{_PART}"
    if path.exists() and path.stat().st_size == one.size and _listed(path).digest == one.digest:
        return
    for _ in range(_TRIES):
        at = part.stat().st_size if part.exists() else 0
        if at >= one.size:
            break
        # A link in place of the part is not followed.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(part, flags, 0o600), "ab") as file:
                more = {"Range": f"bytes={at}-", "If-Range": f'"{one.digest}"'} if at else {}
                for data in consumer.get(target, more):
                    file.write(data)
        except urllib3.exceptions.HTTPError:
            continue  # from where it was broken off
    if not part.exists() and one.size == 0:
        part.touch(0o600)
    with part.open("rb") as file:
        hashed = hashlib.file_digest(file, "sha256").hexdigest()
    if f"sha256:{hashed}" != one.digest:
        part.unlink()
        raise Failure(f"{one.name} is not what the provider signed: fetch it again", FAILED)
    part.replace(path)


class _Sender:
    """Sends files by tus 1.0.0."""

    def __init__(self, gateway: str, token: str) -> None:
        self._url = gateway.rstrip("/")
        self._headers = {"Tus-Resumable": "1.0.0", "Authorization": f"Bearer {token}"}
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=10, read=300))

    def _ask(self, method: str, where: str, headers: Mapping[str, str], body: Any = None) -> Any:  # noqa: ANN401
        answer = self._http.request(
            method, self._url + urlsplit(where).path, headers={**self._headers, **headers},
            body=body, redirect=False, retries=False,
        )  # fmt: skip
        if answer.status >= 400:  # noqa: PLR2004
            raise _failure(answer.status, answer.data)
        return answer

    def announce(self, batch: str, path: Path) -> str:
        """Announce a file; answers its address."""
        meta = f"batch {_b64(batch)},filename {_b64(path.name)}"
        size = str(path.stat().st_size)
        made = self._ask("POST", "/uploads", {"Upload-Length": size, "Upload-Metadata": meta})
        return str(made.headers["Location"])

    def send(self, where: str, path: Path) -> None:
        """Send what is missing of a file."""
        size = path.stat().st_size
        for _ in range(_TRIES):
            at = int(self._ask("HEAD", where, {}).headers["Upload-Offset"])
            if at >= size:
                return
            headers = {
                "Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream",
                "Content-Length": str(size - at),
            }  # fmt: skip
            try:
                with path.open("rb") as file:
                    file.seek(at)
                    self._ask("PATCH", where, headers, file)
            except urllib3.exceptions.HTTPError:
                continue  # from where it was broken off
        raise Failure(f"{path.name} could not be sent: run it again", FAILED)


class _Consumer:
    """Asks the gateway with a grant, and a proof for each request."""

    def __init__(self, gateway: str, grant: str, key: PrivateKey, purpose: str) -> None:
        self._url, self._grant, self._key = gateway.rstrip("/"), grant, key
        self._purpose = purpose
        if urlsplit(self._url).scheme not in {"http", "https"}:
            raise Failure("--gateway must be https://…", USAGE)
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=10, read=300))

    def get(self, target: str, headers: Mapping[str, str] | None = None) -> Iterator[bytes]:
        """An answer's body in parts."""
        proof = prove(
            self._key, method="GET", url=self._url + target, target=target, grant=self._grant,
            at=SystemClock().now(), nonce=secrets.token_urlsafe(16), purpose=self._purpose,
        )  # fmt: skip
        given = {"Authorization": f"DPoP {self._grant}", "DPoP": proof, **(headers or {})}
        answer = self._http.request(
            "GET", self._url + target, headers=given, redirect=False, retries=False,
            preload_content=False,
        )  # fmt: skip
        try:
            if answer.status >= 400:  # noqa: PLR2004
                raise _failure(answer.status, answer.data)
            yield from answer.stream(_BLOCK)
        finally:
            answer.release_conn()


def _b64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _failure(status: int, body: bytes) -> Failure:
    try:
        detail = str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"the gateway answered {status}"
    return Failure(detail, _EXITS.get(status, FAILED))
