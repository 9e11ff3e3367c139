"""``borough-exchange call``: asks the gateway as a consumer's machine does."""

import secrets
import sys
from typing import IO
from urllib.parse import urlsplit

import click
import urllib3

from foundation.adapters.clock import SystemClock
from foundation.surface.cli import FAILED, NOT_ALLOWED, NOT_FOUND, USAGE, Failure
from workloads.data_exchange.keys.commands import read_private
from workloads.data_exchange.proofs.requests import prove

_EXITS = {401: NOT_ALLOWED, 403: NOT_ALLOWED, 404: NOT_FOUND}
_WRONG = 400


@click.command()
@click.argument("url")
@click.option(
    "--grant",
    "grant",
    type=click.File("r"),
    required=True,
    help="File with the grant that `agreement grant` wrote; - is standard input.",
)
@click.option(
    "--private-key",
    "key",
    type=click.File("r"),
    required=True,
    help="File of the key that the grant is bound to (`key make`); it is read here, never sent.",
)
@click.option("--purpose", required=True, help="For what: one of the agreement's purposes.")
@click.option("--method", default="GET", show_default=True)
@click.option("--data", type=click.File("rb"), help="The body, JSON; - is standard input.")
def call(
    url: str, grant: IO[str], key: IO[str], purpose: str, method: str, data: IO[bytes] | None
) -> None:
    """Call a service through the gateway, with a grant and a proof of its key.

    URL is the gateway's address of it: https://gateway/services/ID/path?query. The answer goes to
    standard output, its status and receipt to standard error.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise Failure("URL must be https://gateway/services/ID/path", USAGE)
    token, body = grant.read().strip(), data.read() if data else b""
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    proof = prove(
        read_private(key), method=method, url=f"{parts.scheme}://{parts.netloc}{parts.path}",
        target=target, grant=token, at=SystemClock().now(), nonce=secrets.token_urlsafe(16),
        purpose=purpose, body=body,
    )  # fmt: skip
    headers = {"Authorization": f"DPoP {token}", "DPoP": proof, "Accept": "application/json"}
    if body:
        headers["Content-Type"] = "application/json"
    try:
        answer = urllib3.request(
            method, f"{parts.scheme}://{parts.netloc}{target}", body=body or None, headers=headers,
            redirect=False, retries=False, timeout=urllib3.Timeout(connect=10, read=300),
        )  # fmt: skip
    except urllib3.exceptions.HTTPError as error:
        raise Failure(f"the gateway does not answer: {type(error).__name__}") from None
    click.echo(f"status: {answer.status}", err=True)
    if "Exchange-Receipt" in answer.headers:
        click.echo(f"receipt: {answer.headers['Exchange-Receipt']}", err=True)
    sys.stdout.buffer.write(answer.data)
    sys.stdout.flush()
    if answer.status >= _WRONG:
        raise Failure("the gateway refused the call", _EXITS.get(answer.status, FAILED))
