"""The published description of the directory against what the running product answers."""

import time
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from foundation.kernel.actor import Actor
from tests.functional.exchange.directory.conftest import Running
from tests.harness.directory import dataset, published
from tests.harness.exchange import SYSTEM

CHECKS = (not_a_server_error, response_schema_conformance, status_code_conformance)
OWN = ("/entries", "/directory", "/catalog", "/sources", "/certificates")
SECONDS = 60


def test_answers_are_as_described(running: Running) -> None:
    published(running.exchange, dataset())
    people = running.exchange.people
    person = people.create_person(
        SYSTEM, login="prober", name="Prober", path="/", password="prober-demo-only"
    )
    people.grant(SYSTEM, principal_id=person.id, role="exchange_administrator", path="/")
    actor = Actor(person.id, person.name, person.kind)
    token = running.exchange.base.gate.create_token(actor, name="test")[1]
    headers = {"Authorization": f"Bearer {token}"}
    schema = schemathesis.openapi.from_url(f"{running.url}/api/v1/openapi.json")
    end, asked = time.monotonic() + SECONDS, 0
    found: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        path = operation.path.removeprefix("/api/v1")
        if not path.startswith(OWN) or time.monotonic() > end:
            continue
        asked += 1

        @settings(
            max_examples=5, deadline=None, database=None, derandomize=True,
            phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            try:
                case.call_and_validate(
                    base_url=running.url, headers=headers, checks=list(CHECKS), timeout=30
                )
            except (AssertionError, schemathesis.errors.SchemathesisError, BaseExceptionGroup) as e:
                found.append(f"{case.method} {case.formatted_path}: {e}"[:2000])

        ask()
    assert found == []
    assert asked > 20
