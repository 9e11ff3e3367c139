"""Workload identity over HTTP, on the command line and on its page."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from control_plane.entrypoints.app import Parts, create_app
from control_plane.entrypoints.cli.main import borough
from control_plane.settings import Settings
from foundation.access.authenticator import AccessAuthenticator
from foundation.access.model import AuditQuery
from foundation.kernel.database import Database
from foundation.kernel.paging import PageRequest
from foundation.kernel.secretbox import SecretBox
from foundation.surface.runtime import Runtime
from tests.conftest import SettableClock
from tests.harness.serving import served
from tests.unit.access.conftest import PASSWORD
from tests.unit.access.workload_identity.conftest import AUDIENCE, Identity

JWT = "urn:ietf:params:oauth:token-type:jwt"
FEATURES = ("foundation.access.api", "foundation.access.workload_identity.api")


@dataclass
class Surfaces:
    """The application, with pages."""

    identity: Identity
    client: FlaskClient
    app: Any

    def exchange(self, **body: Any) -> Any:
        return self.client.post("/api/v1/token-exchange", json={"subject_token_type": JWT, **body})


@pytest.fixture
def surfaces(identity: Identity, database: Database, clock: SettableClock) -> Surfaces:
    city = identity.city
    parts = Parts(
        runtime=Runtime(database, clock, SecretBox([b"k" * 32])),
        authenticator=AccessAuthenticator(city.gate),
        services=(city.people, city.gate, city.audit, identity.service),
    )
    app = create_app(parts, Settings(), features=FEATURES)
    return Surfaces(identity, app.test_client(), app)


def test_the_exchange_as_rfc_8693_has_it(surfaces: Surfaces) -> None:
    answer = surfaces.exchange(subject_token=surfaces.identity.token(), audience=AUDIENCE)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json
    assert body["token_type"] == "Bearer"
    assert body["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert (body["expires_in"], body["rule"], body["scope"]) == (600, "health-deploy", "")
    bearer = {"Authorization": f"Bearer {body['access_token']}"}
    me = surfaces.client.get("/api/v1/me", headers=bearer).json
    assert me["grants"] == [{"role": "member", "path": "/city/health/"}]
    assert me["kind"] == "service"


def test_the_exchange_takes_a_form(surfaces: Surfaces) -> None:
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": surfaces.identity.token(), "subject_token_type": JWT,
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }  # fmt: skip
    address = "/api/v1/token-exchange"
    assert surfaces.client.post(address, data=form).status_code == 200
    twice = urlencode([*form.items(), ("subject_token", "other")])
    kind = {"content_type": "application/x-www-form-urlencoded"}
    assert surfaces.client.post(address, data=twice, **kind).status_code == 422
    assert surfaces.client.post(address, data="x", content_type="text/plain").status_code == 415
    elsewhere = surfaces.client.post(address, data=form, headers={"Origin": "https://evil.example"})
    assert elsewhere.status_code == 403


def test_refusals(surfaces: Surfaces) -> None:
    wrong = surfaces.exchange(subject_token="", subject_token_type="password", colour="red")
    assert wrong.status_code == 422
    assert {e["field"] for e in wrong.json["errors"]} == {
        "subject_token", "subject_token_type", "colour",
    }  # fmt: skip
    told = surfaces.exchange(subject_token="a.b.c")
    assert (told.status_code, told.json["code"]) == (401, "token_not_accepted")
    none = surfaces.exchange(subject_token=surfaces.identity.token(repository="x/y"))
    assert none.status_code == 403
    huge = surfaces.exchange(subject_token="a" * 20_000)
    assert huge.status_code == 422
    surfaces.identity.issuer.answers["/keys"] = (500, b"")
    surfaces.identity.seconds.now += 7200
    away = surfaces.exchange(subject_token=surfaces.identity.token())
    assert away.status_code == 503
    assert int(away.headers["Retry-After"]) > 0


def test_the_page(surfaces: Surfaces) -> None:
    client, identity = surfaces.client, surfaces.identity
    client.post("/sign-in", data={"login": "admin", "password": PASSWORD})
    page = client.get("/identity").get_data(as_text=True)
    assert "health-deploy" in page
    assert identity.issuer.url in page
    chinese = client.get("/identity?lang=zh").get_data(as_text=True)
    assert "工作负载身份" in chinese
    client.get("/identity?lang=en")
    csrf = page.partition('name="csrf_token" value="')[2].partition('"')[0]

    def send(address: str, **form: Any) -> Any:
        return client.post(address, data={"csrf_token": csrf, **form})

    bad = send("/identity/rules", slug="A", match="repository=*", issuer="github", minutes="99")
    text = bad.get_data(as_text=True)
    assert bad.status_code == 422
    assert "4 things" in text or "5 things" in text, text
    good = send(
        "/identity/rules", slug="web", match="repository=city/web\nref=refs/heads/**",
        issuer="github", minutes="5", path="/city/health/", roles="member",
    )  # fmt: skip
    assert good.status_code == 303
    rule = identity.service.rule(identity.city.admin, "web")
    assert dict(rule.match) == {"repository": "city/web", "ref": "refs/heads/**"}
    assert send(f"/identity/rules/{rule.id}/remove", name="other").status_code == 422
    assert send(f"/identity/rules/{rule.id}/remove", name="web").status_code == 303
    wrong = {"new.slug": "x", "new.url": "ftp://x", "new.audience": ""}
    assert send("/identity/issuers", **wrong).status_code == 422
    right = {"new.slug": "x", "new.url": "https://x.example", "new.audience": "b"}
    assert send("/identity/issuers", **right).status_code == 303
    assert send("/identity/issuers", **right).status_code == 409
    issuer = identity.service.issuer(identity.city.admin, "github")
    assert send(f"/identity/issuers/{issuer.id}/remove", name="github").status_code == 409
    added = identity.service.issuer(identity.city.admin, "x")
    assert send(f"/identity/issuers/{added.id}/remove", name="x").status_code == 303
    without = client.post("/identity/issuers", data=right)
    assert without.status_code == 403, "no CSRF token"


class Terminal:
    """A job's machine."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.environment = {"XDG_CONFIG_HOME": str(folder), "BOROUGH_HOME": str(folder)}

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Result:
        return CliRunner().invoke(
            borough, arguments, input=stdin, env=self.environment | environment
        )


@pytest.fixture
def terminal(surfaces: Surfaces, tmp_path: Path) -> Iterator[Terminal]:
    with served(surfaces.app) as address:
        yield Terminal(address, tmp_path)


def test_the_commands(terminal: Terminal, surfaces: Surfaces, tmp_path: Path) -> None:
    identity = surfaces.identity
    signed = terminal("login", terminal.url, "-l", "admin", "--password-stdin", stdin=PASSWORD)
    assert signed.exit_code == 0, signed.output
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(identity.issuer.jwks()))
    made = terminal(
        "issuer", "add", "pinned", "--issuer-url", "https://ci.example", "--audience", "b",
        "--keys", str(keys), "-o", "json",
    )  # fmt: skip
    assert json.loads(made.stdout)["pinned"] is True, made.output
    assert terminal("issuer", "list", "-o", "name").stdout.split() == ["github", "pinned"]
    assert terminal("issuer", "check", "github", "-o", "json").exit_code == 0
    assert "https://ci.example" in terminal("issuer", "show", "pinned").stdout
    rule = terminal(
        "identity-rule", "add", "narrow", "--issuer", "github", "--match",
        "repository=city/health-app", "--match", "ref=refs/heads/main", "--path", "/city/health/",
        "--role", "member", "--scope", "order.view", "--minutes", "1",
    )  # fmt: skip
    assert rule.exit_code == 0, rule.output
    wrong = terminal(
        "identity-rule", "add", "x", "--issuer", "none", "--match", "repository=*", "--path", "x",
        "--role", "king",
    )  # fmt: skip
    assert wrong.exit_code == 2
    assert terminal("identity-rule", "add", "x", "--issuer", "a", "--match", "b").exit_code == 2
    assert terminal("identity-rule", "show", "narrow").exit_code == 0
    assert terminal("identity-rule", "remove", "narrow").exit_code == 0
    listed = terminal("identity-rule", "list", "-o", "name").stdout.split()
    assert listed == ["health-deploy"]
    assert terminal("issuer", "remove", "github").exit_code == 5
    assert terminal("issuer", "remove", "pinned").exit_code == 0
    assert terminal("issuer", "show", "pinned").exit_code == 3


def test_signing_in_as_a_job(terminal: Terminal, surfaces: Surfaces, tmp_path: Path) -> None:
    identity = surfaces.identity
    none = terminal("login", terminal.url, "--oidc")
    assert none.exit_code == 2
    assert "id-token: write" in none.stderr
    assert terminal("login", terminal.url, "--oidc-token-file", str(tmp_path / "no")).exit_code == 2
    token = identity.token()
    gitlab = terminal("login", terminal.url, "--oidc", BOROUGH_OIDC_TOKEN=token)
    assert gitlab.exit_code == 0, gitlab.output
    assert token not in gitlab.output
    assert "member on /city/health/" in terminal("whoami").stdout
    stdin = terminal("login", terminal.url, "--oidc-token-file", "-", stdin=identity.token())
    assert stdin.exit_code == 0
    # GitHub's runner tells where to ask, with which bearer.
    body = json.dumps({"value": identity.token()}).encode()
    identity.issuer.answers["/job?v=1&audience=https%3A%2F%2Fborough.city.example"] = (200, body)
    runner = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{identity.issuer.url}/job?v=1",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "runner",
    }
    github = terminal("login", terminal.url, "--oidc", "--audience", AUDIENCE, **runner)
    assert github.exit_code == 0, github.output
    named = terminal("login", terminal.url, "--oidc", "--rule", "none", BOROUGH_OIDC_TOKEN=token)
    assert named.exit_code == 4
    query = AuditQuery(action="identity.exchange")
    page = identity.city.audit.entries(identity.city.admin, query, PageRequest())
    assert [entry.outcome for entry in page.items] == ["refused", "done", "done", "done"]
