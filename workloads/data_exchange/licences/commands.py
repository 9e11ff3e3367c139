"""``borough-exchange licence`` and ``licence-type``."""

import json
import os
import secrets
from pathlib import Path
from typing import IO, Any

import click

from foundation.adapters.clock import SystemClock
from foundation.kernel.time import format_instant
from foundation.surface import cli
from foundation.surface.cli import USAGE, Failure
from workloads.data_exchange.licences import trust as trusted
from workloads.data_exchange.licences.model import LicenceState, Reason
from workloads.data_exchange.licences.parts import joined
from workloads.data_exchange.licences.samples import sample as shipped
from workloads.data_exchange.licences.verify import LicenceVerdict, Shown
from workloads.data_exchange.licences.verify import verify as verified
from workloads.data_exchange.proofs.keys import ProofError, encoded
from workloads.data_exchange.proofs.sdjwt import LONGEST, Binding

_COLUMNS = (
    cli.Column("ID", "id"),
    cli.Column("REFERENCE", "reference"),
    cli.Column("STATE", "state"),
    cli.Column("AGENCY", "agency"),
    cli.Column("VALID UNTIL", "valid_until"),
    cli.Column("TYPE", "type", wide=True),
    cli.Column("REASON", "reason", wide=True),
)
_OFFERED = (*_COLUMNS, cli.Column("LINK", "offer.url"), cli.Column("PIN", "offer.pin"))
_TYPES = (
    cli.Column("ID", "id"),
    cli.Column("TITLE", "title"),
    cli.Column("NAME", "name"),
    cli.Column("VERSION", "version", right=True),
    cli.Column("AGENCY", "agency"),
    cli.Column("RETIRED", "retired_at"),
    cli.Column("VCT", "vct", wide=True),
)


def _read(file: IO[str]) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.load(file)
    except ValueError:
        raise Failure(f"{file.name} is not JSON", USAGE) from None


@click.group("licence-type")
def licence_type() -> None:
    """Types of licences: which fields, and which of them are always shown."""


@licence_type.command("list")
@cli.console(api="GET /api/v1/licence-types", web="/licence-types")
def list_types(console: cli.Console) -> None:
    """List all versions of all types, newest first."""
    console.rows(console.client.items("/licence-types"), _TYPES)


@licence_type.command("show")
@click.argument("type_id")
@cli.console(api="GET /api/v1/licence-types/{id}", web="/licence-types/{id}")
def show_type(console: cli.Console, type_id: str) -> None:
    """Show a version of a type; -o json: with its fields."""
    console.one(console.client.get(f"/licence-types/{type_id}"), _TYPES)


@licence_type.command()
def sample() -> None:
    """Print a type to begin with, for `create`."""
    click.echo(json.dumps(shipped(), ensure_ascii=False, indent=2))


@licence_type.command()
@click.argument("agency")
@click.argument("file", type=click.File("r"))
@cli.console(api="POST /api/v1/licence-types", web="/licence-types")
def create(console: cli.Console, agency: str, file: IO[str]) -> None:
    """Make the type in FILE (JSON), issued by AGENCY; or its next version."""
    told = _read(file)
    if not isinstance(told, dict):
        raise Failure(f"{file.name} is no object", USAGE)
    console.one(console.client.post("/licence-types", {**told, "agency": agency}), _TYPES)


@licence_type.command()
@click.argument("type_id")
@cli.console(api="POST /api/v1/licence-types/{id}/retire", web="/licence-types/{id}")
def retire(console: cli.Console, type_id: str) -> None:
    """Issue no licence of a version any more."""
    console.one(console.client.post(f"/licence-types/{type_id}/retire"), _TYPES)


@click.group()
def licence() -> None:
    """Licences: issue, suspend, revoke; ask for one and verify it, off-line."""


@licence.command("list")
@click.option("--state", type=click.Choice([one.value for one in LicenceState]))
@cli.console(api="GET /api/v1/licences", web="/licences")
def list_(console: cli.Console, state: str | None) -> None:
    """List licences, newest first, without what they say."""
    console.rows(console.client.items("/licences", state=state), _COLUMNS)


@licence.command()
@click.argument("licence_id")
@cli.console(api="GET /api/v1/licences/{id}", web="/licences/{id}")
def show(console: cli.Console, licence_id: str) -> None:
    """Show a licence."""
    console.one(console.client.get(f"/licences/{licence_id}"), _COLUMNS)


@licence.command()
@click.argument("licence_id")
@cli.console(api="GET /api/v1/licences/{id}/claims", web="/licences/{id}")
def claims(console: cli.Console, licence_id: str) -> None:
    """Show what a proposed licence would say, before you approve it."""
    found = console.client.get(f"/licences/{licence_id}/claims")["claims"]
    lines = [f"{name}: {json.dumps(one, ensure_ascii=False)}" for name, one in found.items()]
    console.text("\n".join(lines), found)


@licence.command()
@click.argument("type_id")
@click.argument("file", type=click.File("r"))
@cli.console(api="POST /api/v1/licences", web="/licences")
def issue(console: cli.Console, type_id: str, file: IO[str]) -> None:
    """Issue or propose what FILE says: {"reference": …, "claims": {…}}; a list is a batch.

    A batch is issued whole or not at all. The link and the PIN are printed this once.
    """
    told = _read(file)
    if isinstance(told, list):
        body = {"type": type_id, "items": told}
        console.rows(console.client.post("/licences/batch", body)["items"], _OFFERED)
    elif isinstance(told, dict):
        console.one(console.client.post("/licences", {**told, "type": type_id}), _OFFERED)
    else:
        raise Failure(f"{file.name} is neither a licence nor a list of them", USAGE)


def _step(name: str, text: str, *, offers: bool = False) -> None:
    @licence.command(name, help=text)
    @click.argument("licence_id")
    @cli.console(api=f"POST /api/v1/licences/{{id}}/{name}", web="/licences/{id}")
    def run(console: cli.Console, licence_id: str) -> None:
        found = console.client.post(f"/licences/{licence_id}/{name}")
        console.one(found, _OFFERED if offers else _COLUMNS)


_step("approve", "Approve what another officer proposed; prints link and PIN.", offers=True)
_step("refuse", "Refuse what another officer proposed.")
_step("offer", "Make a new link and PIN for what nobody took yet.", offers=True)


def _status(name: str, text: str) -> None:
    @licence.command(name, help=text)
    @click.argument("licence_id")
    @click.option("--reason", type=click.Choice([one.value for one in Reason]), required=True)
    @cli.console(api=f"POST /api/v1/licences/{{id}}/{name}", web="/licences/{id}")
    def run(console: cli.Console, licence_id: str, reason: str) -> None:
        body = {"reason": reason}
        console.one(console.client.post(f"/licences/{licence_id}/{name}", body), _COLUMNS)


_status("suspend", "Let a licence not count until it is reinstated.")
_status("reinstate", "Let a suspended licence count again.")
_status("revoke", "End a licence for ever.")


@licence.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@cli.console(api="GET /api/v1/licence-trust", web="/licences")
def trust(console: cli.Console, file: Path) -> None:
    """Fetch keys, types and status lists into FILE, for `licence verify` without a network."""
    found = console.client.get("/licence-trust")
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    fresh.write_text(json.dumps(found, ensure_ascii=False), "utf-8")
    fresh.replace(file)
    console.text(f"{len(found['issuers'])} issuers as of {found['as_of']}", found)


@licence.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--audience", required=True, help="Who you are; the holder's key signs it.")
@click.option("--name", default="", help="The same, as the holder reads it.")
@click.option("--type", "vct", default="", help="The vct that is wanted; any without it.")
@click.option("--field", "fields", multiple=True, help="A field that is needed; several times.")
def ask(file: Path, audience: str, name: str, vct: str, fields: tuple[str, ...]) -> None:
    """Write a request with a new nonce to FILE, and print what the wallet is shown."""
    asked = {
        "aud": audience, "nonce": secrets.token_urlsafe(24), "name": name or audience,
        "vct": vct, "ask": list(fields),
    }  # fmt: skip
    try:
        with file.open("x", encoding="utf-8") as target:
            json.dump(asked, target, ensure_ascii=False)
    except FileExistsError:
        raise Failure(f"{file} exists: a nonce is used once", USAGE) from None
    click.echo(f"#request={encoded(json.dumps(asked, ensure_ascii=False).encode())}")


@licence.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option(
    "--trust", "trust_file", type=click.Path(dir_okay=False, exists=True), required=True,
    help="File that `licence trust` wrote: whose licences count.",
)  # fmt: skip
@click.option(
    "--request", "request", type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="File that `licence ask` wrote; it is used up.",
)  # fmt: skip
@click.option("--unbound", is_flag=True, help="Ask for no key binding: anybody may show a copy.")
@click.option("-o", "form", type=click.Choice(["text", "json"]), default="text")
def verify(file: str, trust_file: str, request: Path | None, form: str, *, unbound: bool) -> None:
    """Verify what a holder showed, without any service. Exit code 1: it does not hold.

    FILE is the text of the presentation, or its parts, one a line; - reads what is typed in.
    Exit code 1 too when nobody here can tell whether the licence was revoked.
    """
    if (request is None) != unbound:
        raise Failure("give --request, or --unbound to ask for no key binding", USAGE)
    try:
        with click.open_file(trust_file, encoding="utf-8") as source:
            known = trusted.read(source.read(trusted.LONGEST + 1))
        with click.open_file(file, encoding="utf-8") as source:
            presented = source.read(2 * LONGEST)
    except (ProofError, ValueError, OSError) as error:
        raise Failure(str(error), USAGE) from None
    binding, vct = (None, "") if request is None else _used(request)
    now = SystemClock().now()
    try:
        found = verified(joined(presented), known, at=now, binding=binding, vct=vct)
    except (ProofError, ValueError) as error:
        found = Shown(LicenceVerdict.FAILS, str(error))
    click.echo(json.dumps(_told(found), ensure_ascii=False, indent=2) if form == "json" else (
        _text(found, format_instant(known.as_of))
    ))  # fmt: skip
    if found.verdict is not LicenceVerdict.HOLDS:
        raise Failure(f"the licence {_VERDICTS[found.verdict]}: {found.why}")


_VERDICTS = {LicenceVerdict.UNSURE: "may have been revoked", LicenceVerdict.FAILS: "does not hold"}


def _used(request: Path) -> tuple[Binding, str]:
    """The binding of a request, which from now on is no request any more."""
    try:
        told = json.loads(request.read_text("utf-8"))
        found = Binding(told["nonce"], told["aud"]), str(told["vct"])
    except (ValueError, KeyError, TypeError):
        raise Failure(f"{request} is no request", USAGE) from None
    request.rename(request.with_name(f"{request.name}.used"))
    return found


def _told(found: Shown) -> dict[str, Any]:
    return {
        "verdict": found.verdict.value, "why": found.why, "claims": dict(found.claims),
        "title": found.title.as_json(), "issuer": found.issuer.as_json(),
        "address": found.address, "status": found.status,
        "as_of": found.as_of and format_instant(found.as_of), "stale": found.stale,
        "valid_until": found.valid_until and format_instant(found.valid_until),
    }  # fmt: skip


def _text(found: Shown, kept: str) -> str:
    lines = [f"keys and status lists fetched: {kept}"]
    if found.address:
        lines.append(f"{found.title.en} ({found.title.zh}), issued by {found.address}")
    if found.as_of is not None:
        old = ", older than it should be: fetch again" if found.stale else ""
        lines.append(f"status: {found.status}, as of {format_instant(found.as_of)}{old}")
    if found.valid_until is not None:
        lines.append(f"valid until: {format_instant(found.valid_until)}")
    lines += [
        f"{found.labels[name].en if name in found.labels else name}: "
        f"{json.dumps(value, ensure_ascii=False)}"
        for name, value in found.claims.items()
    ]
    if found.verdict is LicenceVerdict.HOLDS:
        lines.append("The licence holds.")
    return "\n".join(lines)
