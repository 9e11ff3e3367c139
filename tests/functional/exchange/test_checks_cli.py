"""Checks, consent, corrections and the ledger on the command line; the API as described."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from tests.fakes.asker import FakeAsker
from tests.functional.exchange.conftest import Running
from tests.functional.exchange.conftest import run as running_product
from tests.harness.described import asked_as_described
from tests.harness.exchange import CIVIL, HOUSING
from workloads.data_exchange.entrypoints.cli import exchange
from workloads.data_exchange.population.generate import City
from workloads.data_exchange.population.model import Credit
from workloads.data_exchange.population.serve import Registries, registries

CHECKS = (not_a_server_error, response_schema_conformance, status_code_conformance)
OWN = ("/checks", "/scenarios", "/consents", "/corrections", "/ledger", "/lotteries")
SECONDS = 60
_ANSWER = re.compile(r"[\[{].*", re.DOTALL)
CITY = City(11, 240)


@pytest.fixture(scope="module")
def served() -> Iterator[Registries]:
    with registries(CITY) as server:
        yield server


@pytest.fixture(scope="module")
def running(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory, served: Registries
) -> Iterator[Running]:
    with running_product(
        postgres, tmp_path_factory.mktemp("home"), FakeAsker(served.url, CIVIL)
    ) as made:
        made.exchange.checks.ship()
        yield made


@pytest.fixture
def run(running: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("BOROUGH_EXCHANGE_HOME", str(tmp_path))
    monkeypatch.setenv("BOROUGH_EXCHANGE_URL", running.url)

    def one(login: str, *words: str, code: int = 0, text: str = "") -> Any:
        monkeypatch.setenv("BOROUGH_EXCHANGE_TOKEN", running.tokens[login])
        result: Result = CliRunner().invoke(exchange, [*words, "-o", "json"], input=text)
        assert result.exit_code == code, result.output
        # What was asked for by a prompt stands before the answer.
        return json.loads(_ANSWER.search(result.stdout)[0]) if code == 0 else result.output  # type: ignore[index]

    return one


def test_from_a_check_to_a_correction(running: Running, run: Any) -> None:
    person = next(one for one in CITY.people() if one.credit is Credit.DEFAULTER)
    new = ("check", "create", "public-credit", "--agency", HOUSING, "--persons", "-")
    assert "persons.0" in run("officer", *new, code=2, text="12")
    made = run("officer", *new, text=person.number)
    check, renewed = made["id"], run("officer", "check", "renew", made["id"], "0")
    consents = running.exchange.verifying.consents
    consents.decide(renewed["token"], agree=True, language="zh")
    (given,) = run("officer", "check", "consents", check)
    assert given["statement"]["text"].startswith("本人同意")
    running.exchange.checks.work()
    assert run("officer", "check", "show", check)["reasons"] == ["defaulter"]
    run("officer", "check", "renew", check, "0", code=5)
    ask = ("correction", "ask", check, "records", "--text", "-")
    correction = run("officer", *ask, text="The judgement was lifted.")["id"]
    run("officer", *ask, code=5, text="again")
    (waiting,) = run("steward", "correction", "list", "--waiting")
    assert (waiting["id"], waiting["state"]) == (correction, "open")
    told = run("steward", "correction", "show", correction)
    assert (told["number"], told["text"]) == (person.number, "The judgement was lifted.")
    decide = ("correction", "decide", correction, "--refused", "--text", "-")
    run("officer", *decide, code=4, text="no")
    assert run("steward", *decide, text="It is right.")["state"] == "refused"
    code = run("operator", "ledger", "code", text=person.number)["code"]
    opened = run("operator", "ledger", "open", "--code", code)
    assert [one["service"] for one in opened["items"]] == ["credit/records"]
    assert opened["corrections"][0]["answer"] == "It is right."
    words = ("ledger", "object", opened["items"][0]["key"], "--key", opened["key"], "--text", "-")
    assert run("operator", *words, text="It is not.")["state"] == "open"
    run("operator", "ledger", "open", "--code", code, code=3)


def test_who_answers(run: Any) -> None:
    assert run("operator", "scenario", "connections") == []
    words = ("scenario", "connect", "tax/income", "--service", "x", "--path", "/y")
    assert "service" in run("operator", *words, code=2)
    run("officer", *words, code=4)


@pytest.mark.rehearsal
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
