"""People, tokens and operations of any product, for the tests of authorisation."""

from typing import Any

from foundation.access.service import People
from foundation.kernel.actor import Actor
from foundation.serving.base import Base
from tests.architecture.harness import PASSWORD

_SYSTEM = Actor.system("test")


def make_accounts(people: People, base: Base, role: str, path: str) -> dict[str, str]:
    """One of each at the path; their ids by the nouns of addresses."""
    person = people.create_person(_SYSTEM, login="hans", name="Hans", path=path, password=PASSWORD)
    grant = people.grant(_SYSTEM, principal_id=person.id, role=role, path=path)
    robot = people.create_service_account(_SYSTEM, login="robot", name="R", path=path)
    token, _ = base.gate.create_token(_SYSTEM, name="t", principal_id=robot.id)
    operation = base.operations.start(
        "test.nothing", subject=robot.id, path=path, inputs={}, actor=_SYSTEM
    )
    return {
        "people": person.id,
        "grants": grant.id,
        "service-accounts": robot.id,
        "tokens": token.id,
        "operations": operation.id,
    }


def account_bodies(robot: str, role: str, path: str) -> dict[str, Any]:
    """What requests about them need."""
    return {
        "POST /api/v1/grants": {"principal_id": robot, "role": role, "path": path},
        "POST /api/v1/people": {"login": "new", "name": "New", "path": path},
        "PATCH /api/v1/people/<principal_id>": {"name": "Other"},
        "PUT /api/v1/people/<principal_id>/password": {"password": "another long phrase"},
        "PUT /api/v1/me/password": {"present": PASSWORD, "new": "another long phrase"},
        "POST /account/password": {"present": PASSWORD, "password": "another long phrase"},
        "POST /api/v1/tokens": {"name": "new"},
        "POST /api/v1/service-accounts": {"login": "new", "name": "New", "path": path},
        "PATCH /api/v1/service-accounts/<principal_id>": {"name": "Other"},
    }
