"""The published description against what the running product answers."""

import pytest
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from tests.functional.video.conftest import Running
from tests.harness.described import asked_as_described

pytestmark = pytest.mark.rehearsal


CHECKS = (not_a_server_error, response_schema_conformance, status_code_conformance)
#: They would end the session, or stream without an end.
LEAVE_OUT = ("/me/password", "/events")
SECONDS = 120


def test_answers_are_as_described(running: Running) -> None:
    asked, found = asked_as_described(
        running.url,
        running.token,
        CHECKS,
        wanted=lambda path: not path.endswith(LEAVE_OUT),
        examples=8,
        seconds=SECONDS,
    )
    assert found == []
    assert asked > 40
