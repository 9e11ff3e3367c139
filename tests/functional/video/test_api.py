"""The published description against what the running product answers."""

import time
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from tests.functional.video.conftest import Running

CHECKS = (not_a_server_error, response_schema_conformance, status_code_conformance)
#: They would end the session, or stream without an end.
LEAVE_OUT = ("/me/password", "/events")
SECONDS = 120


def test_answers_are_as_described(running: Running) -> None:
    headers = {"Authorization": f"Bearer {running.token}"}
    schema = schemathesis.openapi.from_url(f"{running.url}/api/v1/openapi.json")
    end, asked = time.monotonic() + SECONDS, 0
    found: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path.endswith(LEAVE_OUT) or time.monotonic() > end:
            continue
        asked += 1

        @settings(
            max_examples=8, deadline=None, database=None, derandomize=True,
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
    assert asked > 40
