"""Public documents of licences over HTTP, and the command line that needs no service."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from tests.conftest import SettableClock
from tests.harness.exchange import CIVIL, SYSTEM
from tests.harness.exchange_licences import CLAIMS, Holder, Stage, licence_type, offered
from workloads.data_exchange.agencies.model import Agency
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.entrypoints.app import create_app
from workloads.data_exchange.entrypoints.cli import exchange as program
from workloads.data_exchange.entrypoints.serve import parts
from workloads.data_exchange.licences import trust
from workloads.data_exchange.licences.model import Reason, integrity
from workloads.data_exchange.licences.verify import verify
from workloads.data_exchange.licences.words import SCRIPT_TEXTS
from workloads.data_exchange.proofs import jws, sdjwt, statuslist
from workloads.data_exchange.proofs.sdjwt import Binding

LOCAL = "http://localhost"


@pytest.fixture
def client(exchange: Exchange, agencies: dict[str, Agency]) -> FlaskClient:
    assert agencies
    return create_app(parts(exchange), exchange.settings).test_client()


def test_documents_are_those_of_the_standards(
    exchange: Exchange, client: FlaskClient, clock: SettableClock
) -> None:
    exchange.keys.generate(SYSTEM, CIVIL)
    made = exchange.licensing.types.create(SYSTEM, licence_type(), LOCAL)
    licence, offer = offered(exchange, made)
    (text,) = Holder().take(exchange, offer, clock.now()).credentials
    told = json.loads(jws.parse(sdjwt.parse(text).signed).payload)

    issuer = client.get("/.well-known/jwt-vc-issuer" + told["iss"].removeprefix(LOCAL))
    assert issuer.json is not None
    assert issuer.json["issuer"] == told["iss"]
    assert set(issuer.json) == {"issuer", "jwks"}
    kid = jws.parse(sdjwt.parse(text).signed).kid
    assert kid in {one["kid"] for one in issuer.json["jwks"]["keys"]}

    about = client.get(told["vct"].removeprefix(LOCAL))
    assert about.json is not None
    assert about.json["vct"] == told["vct"]
    assert integrity(about.text) == told["vct#integrity"]
    assert "max-age=31536000" in about.headers["Cache-Control"]

    place = told["status"]["status_list"]
    listed = client.get(place["uri"].removeprefix(LOCAL))
    assert listed.content_type.startswith("application/statuslist+jwt")
    assert listed.headers["Access-Control-Allow-Origin"] == "*"
    assert "max-age=300" in listed.headers["Cache-Control"]
    key = exchange.keys.private(CIVIL).public
    found = statuslist.opened(listed.text, key, uri=place["uri"], at=clock.now())
    assert found.statuses[place["idx"]] == 0
    again = client.get(
        place["uri"].removeprefix(LOCAL), headers={"If-None-Match": listed.headers["ETag"]}
    )
    assert again.status_code == 304
    exchange.licensing.licences.revoke(SYSTEM, licence, Reason.ENDED)
    now = client.get(
        place["uri"].removeprefix(LOCAL), headers={"If-None-Match": listed.headers["ETag"]}
    )
    assert now.status_code == 200
    assert statuslist.opened(now.text, key, uri=place["uri"], at=clock.now()).statuses[
        place["idx"]
    ]  # fmt: skip

    for missing in (
        "/status-lists/lst_none", "/vct/lty_none", "/licence/static/0/none.js",
        "/.well-known/jwt-vc-issuer/issuers/agy_none", "/licence/static/0/..%2fmodel.py",
    ):  # fmt: skip
        assert client.get(missing).status_code == 404


def test_offers_over_http_tell_nothing_to_strangers(
    exchange: Exchange, client: FlaskClient, clock: SettableClock
) -> None:
    exchange.keys.generate(SYSTEM, CIVIL)
    made = exchange.licensing.types.create(SYSTEM, licence_type(), LOCAL)
    _, offer = offered(exchange, made)
    api, holder = "/api/v1/licence-offers", Holder()
    wrong = client.post(f"{api}/open", json={"token": offer.token, "pin": "none"})
    assert wrong.status_code == 422
    assert "Noodles" not in wrong.text
    assert client.post(f"{api}/open", json={"token": "x", "pin": "1"}).status_code == 404
    opened = client.post(f"{api}/open", json={"token": offer.token, "pin": offer.pin}).json
    assert opened is not None
    proofs = holder.proofs(opened["issuer"], opened["nonce"], clock.now())
    body = {"token": offer.token, "pin": offer.pin, "proofs": proofs}
    handed = client.post(f"{api}/claim", json=body).json
    assert handed is not None
    told = client.get("/api/v1/licence-trust")
    wanted = Binding("n", "https://desk.example")
    shown = holder.show(handed["credentials"][0], {"name"}, wanted, clock.now())
    found = verify(shown, trust.read(told.text), at=clock.now(), binding=wanted)
    assert found.claims == {"number": CLAIMS["number"], "name": CLAIMS["name"]}


def test_the_command_line_verifies_without_any_service(tmp_path: Path) -> None:
    stage = Stage(datetime.now(UTC))  # noqa: TID251 - the command reads the system's clock
    known, request, file = (tmp_path / name for name in ("trust", "request", "shown"))
    known.write_text(json.dumps(stage.trust()))
    ask = ["licence", "ask", str(request), "--audience", "https://desk.example"]

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(program, arguments)
        return done.exit_code, done.output

    def shown() -> None:
        told = json.loads(request.read_text())
        wanted = Binding(told["nonce"], told["aud"])
        text = stage.holder.show(stage.licence(), {"name"}, wanted, stage.at)
        half = len(text) // 2
        file.write_text(f"BL1/2/2/m/{text[half:]}\nBL1/1/2/m/{text[:half]}\n")

    check = ["licence", "verify", str(file), "--trust", str(known)]
    assert run(*ask)[0] == 0
    assert run(*ask)[0] == 2  # a nonce is used once
    shown()
    code, text = run(*check, "--request", str(request))
    assert (code, "The licence holds." in text, "as of" in text) == (0, True, True), text
    assert "Example Noodles" in text
    assert "1 Example Road" not in text
    assert run(*check, "--request", str(request))[0] == 2  # used up
    assert run(*ask)[0] == 0
    code, text = run(*check, "--request", str(request))
    assert (code, "another nonce" in text) == (1, True)
    assert run(*check)[0] == 2
    assert run(*check, "--unbound")[0] == 0
    known.write_text(json.dumps(stage.trust(token="")))
    code, text = run(*check, "--unbound", "-o", "json")
    assert (code, "may have been revoked" in text) == (1, True)
    known.write_text("{}")
    assert run(*check, "--unbound")[0] == 2


def test_every_text_of_the_scripts_is_translated() -> None:
    import re  # noqa: PLC0415 - here alone

    from workloads.data_exchange.licences import wallet  # noqa: PLC0415

    folder = Path(wallet.__file__).parent / "static"
    said = set()
    for script in folder.glob("*.js"):
        said |= set(re.findall(r'\b(?:t|no)\("([^"]+)"', script.read_text("utf-8")))
    assert said
    assert not said - set(SCRIPT_TEXTS)
