"""The audit log in memory and the real one keep the same promises to the features that write."""

from collections.abc import Callable
from typing import Any

import pytest

from foundation.access.model import AuditQuery
from foundation.access.service import AuditLog
from foundation.access.store import AuditRows
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.database import Database
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.fakes.audit import FakeAudit

ANN = Actor(PrincipalId("usr_ann"), "Ann", ActorKind.PERSON)
AUDITOR = Actor(PrincipalId("usr_aud"), "Au", ActorKind.PERSON, (Grant("auditor", "/"),))
Read = Callable[[], list[dict[str, Any]]]


@pytest.fixture(params=["memory", "postgres"])
def written(
    request: pytest.FixtureRequest, database: Database, clock: SettableClock
) -> tuple[Any, Read]:
    """An audit log, and what it holds in the order of writing."""
    if request.param == "memory":
        fake = FakeAudit()
        return fake, lambda: fake.entries
    log = AuditLog(AuditRows(database), database, clock, b"k" * 32)

    def read() -> list[dict[str, Any]]:
        entries = log.entries(AUDITOR, AuditQuery(), PageRequest()).items
        return [
            {
                "actor": e.actor_id, "action": e.action, "subject": e.subject, "path": e.path,
                "details": e.detail, "key": e.key,
            }
            for e in reversed(entries)
        ]  # fmt: skip

    return log, read


def test_what_is_recorded_is_kept_in_order(written: tuple[Any, Read], database: Database) -> None:
    log, read = written
    with database.transaction():
        for number in range(3):
            log.record(
                ANN, "order.create", subject=f"ord_{number}", path="/c/", details={"n": number}
            )
    assert read() == [
        {
            "actor": "usr_ann", "action": "order.create", "subject": f"ord_{number}",
            "path": "/c/", "details": {"n": number}, "key": None,
        }
        for number in range(3)
    ]  # fmt: skip


def test_one_key_is_one_entry(written: tuple[Any, Read], database: Database) -> None:
    log, read = written
    for key in ("a", "a", "b"):
        with database.transaction():
            log.record(ANN, "order.create", subject="s", path="/c/", details={}, key=key)
    assert [entry["key"] for entry in read()] == ["a", "b"]
