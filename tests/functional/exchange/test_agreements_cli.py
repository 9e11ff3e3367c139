"""Requests and agreements on the command line, and the API against its description."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from tests.functional.exchange.conftest import Running
from tests.harness.described import asked_as_described
from tests.harness.exchange import HOUSING, SYSTEM
from workloads.data_exchange.agreements.grants.model import GRANT
from workloads.data_exchange.entrypoints.cli import exchange

CHECKS = (not_a_server_error, response_schema_conformance, status_code_conformance)
OWN = ("/requests", "/agreements", "/calendar", "/keys", "/jwks")
SECONDS = 60


@pytest.fixture
def run(running: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("BOROUGH_EXCHANGE_HOME", str(tmp_path))
    monkeypatch.setenv("BOROUGH_EXCHANGE_URL", running.url)

    def one(login: str, *words: str, code: int = 0) -> Any:
        monkeypatch.setenv("BOROUGH_EXCHANGE_TOKEN", running.tokens[login])
        result: Result = CliRunner().invoke(exchange, [*words, "-o", "json"])
        assert result.exit_code == code, result.output
        return json.loads(result.stdout) if code == 0 else result.output

    return one


def test_from_a_request_to_a_grant(running: Running, run: Any, tmp_path: Path) -> None:
    now = datetime.now(UTC)  # noqa: TID251 - the product runs now
    ask: dict[str, Any] = {
        "purposes": ["dpv:ServiceProvision"], "fields": [{"name": "name", "whole": True}],
        "rows": [{"name": "members", "operator": "gteq", "values": [3]}],
        "limits": {"calls": 10}, "begins": now.isoformat(),
        "ends": (now + timedelta(days=30)).isoformat(),
    }  # fmt: skip
    asked = {
        "consumer": HOUSING, "dataset": "dst_households", "service": "svc_households",
        "legal_basis": "law", "justification": "need",
        "ask": ask,
    }  # fmt: skip
    file = tmp_path / "request.json"
    file.write_text(json.dumps({**asked, "ask": {**ask, "fields": [{"name": "x"}]}}))
    assert "fields.0.name" in run("officer", "request", "create", str(file), code=2)
    file.write_text(json.dumps(asked))
    request = run("officer", "request", "create", str(file))
    assert request["waits_for"] == "compliance"
    name = request["id"]
    run("steward", "request", "review", "pass", name, code=4)
    run("reviewer", "request", "review", "pass", name)
    run("steward", "request", "inquire", name, "--text", "Which households?")
    run("officer", "request", "reply", "answer", name, "--text", "Those that apply.")
    done = run("steward", "request", "approve", name)
    run("steward", "request", "approve", name, code=5)
    steps = run("officer", "request", "steps", name)
    assert [one["act"] for one in steps] == ["ask_for", "pass", "inquire", "answer", "approve"]

    agreement = done["agreement"]
    key = tmp_path / "key.json"
    assert CliRunner().invoke(exchange, ["key", "make", str(key)]).exit_code == 0
    run("signer", "key", "register", HOUSING, "--private-key", str(key))
    private = ("--private-key", str(key))
    run("steward", "agreement", "sign", agreement, "--party", "provider")
    signed = run("signer", "agreement", "sign", agreement, "--party", "consumer", *private)
    assert signed["in_force_at"]
    assert [one["holds"] for one in run("officer", "agreement", "verify", agreement)] == [True] * 2
    words = run("officer", "agreement", "words", agreement)
    assert "At most: 10 calls in all." in words["en"]
    policy = run("officer", "agreement", "policy", agreement)
    assert policy["@type"] == "Agreement"

    file.write_text(json.dumps(run("officer", "agreement", "export", agreement)))
    checked = CliRunner().invoke(exchange, ["agreement", "check", str(file), "--lang", "zh"])
    assert checked.exit_code == 0, checked.output
    assert "总计 10 次调用" in checked.output
    file.write_text(file.read_text().replace("need", "nee", 1).replace("law", "lax"))
    assert CliRunner().invoke(exchange, ["agreement", "check", str(file)]).exit_code == 1

    grant = run("officer", "agreement", "grant", agreement, *private, "--seconds", "60")
    said = running.exchange.keys.verify(grant["token"], GRANT).payload
    assert said["exp"] - said["iat"] == 60
    kid = json.loads(key.read_text())["kid"]
    assert said["cnf"] == {"jkt": kid}
    grant = run("officer", "agreement", "grant", agreement, "--kid", kid)
    assert grant["expires_in"] == 900

    run("steward", "agreement", "revoke", agreement, "--party", "provider", "--reason", "over")
    run("officer", "agreement", "grant", agreement, "--kid", kid, code=5)
    assert run("officer", "agreement", "show", agreement)["state"] == "revoked"


def test_the_calendar(run: Any, tmp_path: Path) -> None:
    found = run("operator", "calendar", "show")
    file = tmp_path / "calendar.json"
    file.write_text(json.dumps({**found, "holidays": [*found["holidays"], "2027-01-01"]}))
    assert run("operator", "calendar", "set", str(file))["version"] == found["version"] + 1
    run("officer", "calendar", "set", str(file), code=4)


def test_answers_are_as_described(running: Running) -> None:
    asked, found = asked_as_described(
        running.url,
        running.tokens["operator"],
        CHECKS,
        wanted=lambda path: any(one in path for one in OWN),
        examples=8,
        seconds=SECONDS,
    )
    assert found == []
    assert asked > 15
    assert running.exchange.agreeing.calendar.calendar(SYSTEM)
