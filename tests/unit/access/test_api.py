"""Access over HTTP, in the application as it is served."""

import json
import logging
from typing import Any

import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import validate
from werkzeug.test import TestResponse

from control_plane.entrypoints.app import Parts, create_app, trusted_hosts
from control_plane.settings import Settings
from foundation.access.authenticator import AccessAuthenticator
from foundation.access.service.gate import LIMITS
from foundation.kernel.database import Database
from foundation.kernel.secretbox import SecretBox
from foundation.serving.metrics import Gauge
from foundation.surface.runtime import Runtime
from tests.conftest import SettableClock
from tests.unit.access.conftest import PASSWORD, City

HEALTH, WATER = "/city/health/", "/city/water/"
API = "/api/v1"


def _fail() -> bool:
    raise RuntimeError("secret inside")


class Api:
    """Requests of somebody by their login."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.tokens: dict[str, str] = {}

    def __call__(self, login: str, method: str, path: str, **options: Any) -> TestResponse:
        if login not in self.tokens:
            body = {"login": login, "password": PASSWORD}
            answer = self.client.post(f"{API}/login", json=body)
            assert answer.status_code == 201, answer.text
            self.tokens[login] = answer.json["secret"]
        headers = {"Authorization": f"Bearer {self.tokens[login]}"} | options.pop("headers", {})
        return self.client.open(API + path, method=method, headers=headers, **options)


@pytest.fixture
def ready() -> dict:
    return {"database": lambda: True}


@pytest.fixture
def client(city: City, database: Database, clock: SettableClock, ready: dict) -> FlaskClient:
    parts = Parts(
        runtime=Runtime(database, clock, SecretBox([b"k" * 32])),
        authenticator=AccessAuthenticator(city.gate),
        services=(city.people, city.gate, city.audit),
        ready=ready,
        gauges=(
            Gauge("borough_operations", "Operations.", "state", lambda: {"running": 2}),
            Gauge("borough_broken", "Broken.", "x", lambda: {"a": 1 / 0}),
        ),
    )
    app = create_app(parts, Settings(), features=("foundation.access.api",), with_pages=False)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app.test_client()


@pytest.fixture
def api(client: FlaskClient, city: City) -> Api:
    city.person("mia", "department_administrator", HEALTH)
    city.person("mo", "member", HEALTH)
    city.person("walter", "department_administrator", WATER)
    city.person("aud", "auditor", "/")
    return Api(client)


def test_signing_in_and_out(api: Api) -> None:
    me = api("mo", "GET", "/me").json
    assert (me["name"], me["kind"]) == ("Mo", "person")
    assert me["grants"] == [{"role": "member", "path": HEALTH}]
    assert "order.create" in me["actions"]
    assert "quota.set" not in me["actions"]
    assert api("mo", "POST", "/logout").status_code == 204
    assert api("mo", "GET", "/me").status_code == 401


@pytest.mark.usefixtures("api")
def test_failed_sign_ins(client: FlaskClient) -> None:
    wrong = {"login": "mo", "password": "wrong"}
    for _ in range(LIMITS["pair"]):
        assert client.post(f"{API}/login", json=wrong).status_code == 401
    blocked = client.post(f"{API}/login", json=wrong)
    assert blocked.status_code == 429
    assert blocked.get_json(force=True)["code"] == "sign_in_blocked"
    assert 0 < int(blocked.headers["Retry-After"]) <= 900
    empty = client.post(f"{API}/login", json={"days": 0, "x": 1})
    fields = {error["field"] for error in empty.get_json(force=True)["errors"]}
    assert fields == {"login", "password", "days", "x"}


def test_people_from_creation_to_the_end(api: Api) -> None:
    body = {"login": "hans", "name": "Hans", "path": HEALTH, "password": PASSWORD}
    key = {"Idempotency-Key": "k1"}
    made = api("mia", "POST", "/people", json=body, headers=key)
    assert made.status_code == 201
    again = api("mia", "POST", "/people", json=body, headers=key)
    assert (again.status_code, again.json) == (201, made.json)
    assert api("mia", "POST", "/people", json=body).status_code == 409
    where = made.headers["Location"].removeprefix(API)
    given = api(
        "mia", "POST", "/grants",
        json={"principal_id": made.json["id"], "role": "member", "path": HEALTH},
    )  # fmt: skip
    assert given.status_code == 201
    seen = api("mia", "GET", where)
    assert seen.json["grants"] == [{"role": "member", "path": HEALTH}]
    listed = api("mia", "GET", "/people?q=han").json
    assert [person["login"] for person in listed["items"]] == ["hans"]
    match = {"If-Match": seen.headers["ETag"]}
    changed = api("mia", "PATCH", where, json={"name": "Hans H."}, headers=match)
    assert (changed.status_code, changed.json["name"]) == (200, "Hans H.")
    stale = api("mia", "PATCH", where, json={"name": "Hans"}, headers=match)
    assert stale.status_code == 412
    assert api("mia", "PATCH", where, json={"name": "Hans"}).status_code == 428
    assert api("hans", "GET", "/me").status_code == 200
    match = {"If-Match": changed.headers["ETag"]}
    off = api("mia", "PATCH", where, json={"state": "disabled"}, headers=match)
    assert off.json["state"] == "disabled"
    assert api("hans", "GET", "/me").status_code == 401
    gone = api("mia", "DELETE", f"/grants/{given.json['id']}")
    assert (gone.status_code, gone.get_data()) == (204, b"")


def test_a_neighbour_finds_nothing(api: Api) -> None:
    hans = api(
        "mia", "POST", "/people", json={"login": "hans", "name": "Hans", "path": HEALTH}
    ).json
    grants = api("mia", "GET", "/grants").json["items"]
    assert {grant["path"] for grant in grants} == {HEALTH}
    for method, path, body in (
        ("GET", f"/people/{hans['id']}", None),
        ("PUT", f"/people/{hans['id']}/password", {"password": PASSWORD}),
        ("DELETE", f"/grants/{grants[0]['id']}", None),
        ("POST", "/people", {"login": "x", "name": "X", "path": HEALTH}),
        ("POST", "/service-accounts", {"login": "x", "name": "X", "path": HEALTH}),
    ):
        assert api("walter", method, path, json=body).status_code == 404, path
        assert api("mo", method, path, json=body).status_code == 403, path
    assert [p["login"] for p in api("walter", "GET", "/people").json["items"]] == ["walter"]


def test_service_accounts_and_their_tokens(api: Api, client: FlaskClient) -> None:
    body = {"login": "ci", "name": "CI", "path": HEALTH}
    robot = api("mia", "POST", "/service-accounts", json=body).json
    key = {"Idempotency-Key": "t1"}
    body = {"name": "x", "principal_id": robot["id"], "scopes": ["order.view"], "days": 1}
    token = api("mia", "POST", "/tokens", json=body, headers=key)
    assert token.status_code == 201
    assert api("mia", "POST", "/tokens", json=body, headers=key).json == token.json
    bearer = {"Authorization": f"Bearer {token.json['secret']}"}
    me = client.get(f"{API}/me", headers=bearer).json
    assert (me["id"], me["kind"], me["scopes"]) == (robot["id"], "service", ["order.view"])
    listed = api("mia", "GET", f"/tokens?principal_id={robot['id']}").json["items"]
    assert [t["id"] for t in listed] == [token.json["id"]]
    assert "secret" not in listed[0]
    assert api("mia", "DELETE", f"/tokens/{token.json['id']}").status_code == 204
    assert client.get(f"{API}/me", headers=bearer).status_code == 401
    assert api("mia", "GET", f"/people/{robot['id']}").status_code == 404  # it is no person


def test_the_audit_log(api: Api, clock: SettableClock) -> None:
    api("mia", "POST", "/service-accounts", json={"login": "ci", "name": "CI", "path": HEALTH})
    entries = api("mia", "GET", "/audit?action=service_account.*").json["items"]
    assert [(e["actor_name"], e["path"], e["outcome"]) for e in entries] == [
        ("Mia", HEALTH, "done")
    ]
    assert api("walter", "GET", "/audit?action=service_account.*").json["items"] == []
    assert api("mo", "GET", "/audit").status_code == 403
    first = api("aud", "GET", "/audit?limit=2").json
    rest = api("aud", "GET", f"/audit?limit=200&cursor={first['next']}").json
    assert first["items"][-1]["seq"] == rest["items"][0]["seq"] + 1
    assert rest["next"] is None
    later = clock.now().isoformat().replace("+00:00", "Z")
    assert api("aud", "GET", f"/audit?until={later}").json["items"] == []
    assert api("aud", "GET", "/audit?since=yesterday&cursor=x&limit=0").status_code == 422
    result = api("aud", "GET", "/audit/verification").json
    assert (result["ok"], result["findings"]) == (True, [])
    query = f"head_seq={result['head_seq']}&head_hash={'0' * 64}"
    assert api("aud", "GET", f"/audit/verification?{query}").json["ok"] is False
    assert api("aud", "GET", "/audit/verification?head_seq=1").status_code == 422
    assert api("mia", "GET", "/audit/verification").status_code == 403


def test_changing_ones_own_password(api: Api) -> None:
    body = {"present": PASSWORD, "new": "another long phrase"}
    assert api("mo", "PUT", "/me/password", json=body).status_code == 204
    assert api("mo", "PUT", "/me/password", json=body).status_code == 401


def test_roles_are_told(api: Api) -> None:
    roles = {role["name"]: role for role in api("mo", "GET", "/roles").json["items"]}
    assert roles["finance"]["title"] == {"en": "Finance", "zh": "财务"}
    assert "approval.decide" in roles["approver"]["actions"]


def test_health_and_metrics(client: FlaskClient, api: Api, ready: dict) -> None:
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/readyz").json == {"status": "ok", "checks": {"database": "ok"}}
    ready["migrations"] = _fail
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["checks"]["migrations"]) == (503, "failed")
    assert "secret inside" not in answer.text
    api("mo", "GET", "/tokens")
    client.get("/api/v1/nothing/at/all")
    text = client.get("/metrics").text
    assert 'borough_http_requests_total{method="GET",route="/api/v1/tokens",status="200"}' in text
    assert 'route="(none)",status="404"' in text
    assert "nothing/at/all" not in text
    assert 'borough_operations{state="running"} 2.0' in text
    assert "borough_http_request_duration_seconds_bucket" in text


def test_logs_tell_what_happened_and_no_secret(
    client: FlaskClient, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        client.post(f"{API}/login", json={"login": "mo", "password": PASSWORD})
        api("mo", "GET", "/tokens?principal_id=secret-in-query")
    lines = [json.loads(r.getMessage()) for r in caplog.records if r.name == "borough.access"]
    assert [(line["route"], line["status"]) for line in lines[-2:]] == [
        ("/api/v1/login", 201),
        ("/api/v1/tokens", 404),
    ]
    assert lines[-1]["actor"].startswith("usr_")
    text = "\n".join(record.getMessage() for record in caplog.records)
    for secret in (PASSWORD, "borough_pat_", "secret-in-query"):
        assert secret not in text


def test_hosts_that_are_trusted(client: FlaskClient) -> None:
    assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 400
    assert trusted_hosts(Settings(host="0.0.0.0")) is None  # noqa: S104
    assert (
        trusted_hosts(Settings(public_url="https://cloud.city.gov:8443/x"))[0] == "cloud.city.gov"
    )
    assert trusted_hosts(Settings(public_url="http://[fd00::1]:80"))[0] == "[fd00::1]"


@pytest.mark.usefixtures("api")
def test_addresses_of_callers_are_not_believed_without_a_proxy(client: FlaskClient) -> None:
    wrong = {"login": "mo", "password": "wrong"}
    for number in range(LIMITS["pair"]):
        forged = {"X-Forwarded-For": f"10.0.0.{number}"}
        assert client.post(f"{API}/login", json=wrong, headers=forged).status_code == 401
    assert client.post(f"{API}/login", json=wrong).status_code == 429


def test_the_description_is_valid(client: FlaskClient) -> None:
    spec = client.get("/api/v1/openapi.json").json
    validate(spec)
    assert spec["paths"]["/api/v1/login"]["post"]["security"] == []
    assert not [name for name in spec["components"]["schemas"] if "." in name]
