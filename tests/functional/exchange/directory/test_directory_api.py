"""The published description of the directory against what the running product answers."""

from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from foundation.kernel.actor import Actor
from tests.functional.exchange.directory.conftest import Running
from tests.harness.described import asked_as_described
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
    asked, found = asked_as_described(
        running.url,
        token,
        CHECKS,
        wanted=lambda path: path.removeprefix("/api/v1").startswith(OWN),
        examples=5,
        seconds=SECONDS,
    )
    assert found == []
    assert asked > 20
