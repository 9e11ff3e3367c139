"""The audit log: what it keeps, and that every kind of tampering is found."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from foundation.access.model import GENESIS, AuditEntry, AuditQuery, Outcome
from foundation.access.service import AuditLog
from foundation.access.store import AuditRows
from foundation.access.store.tables import audit_head_table, audit_table
from foundation.kernel.actor import Actor, ActorKind, Grant, PrincipalId
from foundation.kernel.database import Database
from foundation.kernel.errors import Forbidden
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.unit.access.conftest import KEY

ANN = Actor(PrincipalId("usr_ann"), "Ann 安", ActorKind.PERSON)
AUDITOR = Actor(PrincipalId("usr_aud"), "Au", ActorKind.PERSON, (Grant("auditor", "/"),))


@pytest.fixture
def log(database: Database, clock: SettableClock) -> AuditLog:
    return AuditLog(AuditRows(database), database, clock, KEY)


def write(log: AuditLog, database: Database, count: int, path: str = "/c/a/") -> None:
    for number in range(count):
        with database.transaction():
            log.record(
                ANN, "order.create", path=path, subject=f"ord_{number}", details={"n": number}
            )


def tamper(database: Database, *statements: str) -> None:
    """As somebody does who owns the database: triggers are no obstacle to them."""
    with database.transaction():
        database.execute(sa.text("ALTER TABLE access_audit DISABLE TRIGGER USER"))
        for statement in statements:
            database.execute(sa.text(statement))


def kinds(log: AuditLog, **options: Any) -> list[str]:
    return [finding.kind for finding in log.verify(AUDITOR, **options).findings]


def test_a_log_that_nobody_touched_verifies(log: AuditLog, database: Database) -> None:
    assert log.verify(AUDITOR).ok
    write(log, database, 5)
    result = log.verify(AUDITOR)
    assert (result.ok, result.entries, result.head_seq) == (True, 5, 5)
    assert len(result.head_hash) == 64


def test_any_detail_survives_the_database(
    log: AuditLog, database: Database, clock: SettableClock
) -> None:
    with database.transaction():
        log.record(
            ANN,
            "order.create",
            path="/c/",
            details={
                "money": Decimal("1.50"),
                "float": 0.1,
                "big": 2**70,
                "huge": 1e300,
                "text": "a\x00b 中文 😀",
                "at": clock.now(),
                "list": [1, None, True],
                "map": {"b": {}},
                "negative": -0.0,
            },
        )
    assert log.verify(AUDITOR).ok
    entry = log.entries(AUDITOR, AuditQuery(), PageRequest()).items[0]
    assert entry.detail["money"] == "1.5"
    assert entry.detail["text"] == "a\ufffdb 中文 😀"


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["UPDATE access_audit SET actor_name = 'Eve' WHERE seq = 3"], {"changed"}),
        (["UPDATE access_audit SET at = at + interval '1 s' WHERE seq = 3"], {"changed"}),
        (["""UPDATE access_audit SET detail = '{"n": 9}' WHERE seq = 3"""], {"changed"}),
        (["""UPDATE access_audit SET detail = '{"n": 1e400}' WHERE seq = 3"""], {"changed"}),
        (["UPDATE access_audit SET outcome = 'failed' WHERE seq = 3"], {"changed"}),
        (["UPDATE access_audit SET path = '/c/b/' WHERE seq = 1"], {"changed"}),
        (["DELETE FROM access_audit WHERE seq = 3"], {"missing"}),
        (["DELETE FROM access_audit WHERE seq = 1"], {"missing"}),
        (["DELETE FROM access_audit WHERE seq IN (3, 4)"], {"missing"}),
        (["DELETE FROM access_audit WHERE seq > 4"], {"cut"}),
        (["DELETE FROM access_audit"], {"cut"}),
        ([
            "UPDATE access_audit SET seq = 100 WHERE seq = 2",
            "UPDATE access_audit SET seq = 2 WHERE seq = 3",
            "UPDATE access_audit SET seq = 3 WHERE seq = 100",
        ], {"changed", "link"}),
        ([
            "DELETE FROM access_audit WHERE seq = 3",
            "UPDATE access_audit SET seq = seq - 1 WHERE seq = 4",
            "UPDATE access_audit SET seq = seq - 1 WHERE seq = 5",
            "UPDATE access_audit_head SET seq = 4",
        ], {"changed", "link", "seal"}),
        ([
            "DELETE FROM access_audit WHERE seq > 4",
            """UPDATE access_audit_head SET seq = 4, hash = e.hash
               FROM access_audit e WHERE e.seq = 4""",
        ], {"seal"}),
        (["UPDATE access_audit_head SET seal = ''"], {"seal"}),
        ([
            """INSERT INTO access_audit SELECT 6, at, actor_id, actor_name, action, subject, path,
               outcome, detail, hash, hash, NULL FROM access_audit WHERE seq = 5""",
        ], {"inserted"}),
    ],
)  # fmt: skip
def test_tampering_is_found(
    log: AuditLog, database: Database, statements: list[str], expected: set[str]
) -> None:
    write(log, database, 5)
    tamper(database, *statements)
    assert set(kinds(log)) == expected


def test_a_log_cut_back_to_an_older_head_is_found_by_what_was_kept(
    log: AuditLog, database: Database
) -> None:
    write(log, database, 3)
    with database.transaction():
        old = database.execute(sa.text("SELECT seq, hash, seal FROM access_audit_head")).one()
    write(log, database, 3)
    kept = log.verify(AUDITOR)
    write(log, database, 1)
    assert log.verify(AUDITOR, kept=(kept.head_seq, kept.head_hash)).ok
    tamper(
        database,
        "DELETE FROM access_audit WHERE seq > 3",
        f"UPDATE access_audit_head SET seq = {old.seq}, hash = '{old.hash}'",  # noqa: S608
        f"UPDATE access_audit_head SET seal = '{old.seal}'",  # noqa: S608
    )
    assert log.verify(AUDITOR).ok  # nothing inside the database tells it
    assert kinds(log, kept=(kept.head_seq, kept.head_hash)) == ["cut"]
    write(log, database, 9, "/c/b/")  # and going on does not heal it
    assert kinds(log, kept=(kept.head_seq, kept.head_hash)) == ["rewritten"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE access_audit SET path = '/'",
        "UPDATE access_audit SET path = '/' WHERE false",
        "DELETE FROM access_audit",
        "TRUNCATE access_audit",
    ],
)
def test_the_database_refuses_changes(log: AuditLog, database: Database, statement: str) -> None:
    write(log, database, 1)
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.transaction():
        database.execute(sa.text(statement))
    assert log.verify(AUDITOR).ok


def test_entries_go_with_the_transaction_of_the_action(log: AuditLog, database: Database) -> None:
    write(log, database, 1)

    def fail() -> None:
        with database.transaction():
            log.record(ANN, "order.create", path="/c/")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    write(log, database, 1)
    result = log.verify(AUDITOR)
    assert (result.ok, result.entries) == (True, 2)
    with pytest.raises(RuntimeError):
        log.record(ANN, "order.create", path="/c/")


def test_work_that_runs_twice_is_noted_once(log: AuditLog, database: Database) -> None:
    for key in ("op_1:apply", "op_1:apply", "op_2:apply", None, None):
        with database.transaction():
            log.record(ANN, "deployment.apply", path="/c/", key=key)
    result = log.verify(AUDITOR)
    assert (result.ok, result.entries) == (True, 4)


def test_many_writers_make_one_chain_without_deadlock(log: AuditLog, database: Database) -> None:
    with database.transaction():
        database.execute(sa.text("CREATE TABLE quota (id int PRIMARY KEY, n int)"))
        database.execute(sa.text("INSERT INTO quota VALUES (1, 0), (2, 0)"))
    add = sa.text("UPDATE quota SET n = n + 1 WHERE id = :id")

    def work(number: int) -> None:
        # Some take the row before they record and some after: locked as it is recorded, the head
        # of the log would be half of a deadlock.
        for _ in range(10):
            with database.transaction():
                if number % 2:
                    database.execute(add, {"id": 1})
                log.record(ANN, "order.create", path="/c/")
                if not number % 2:
                    database.execute(add, {"id": 1})

    with ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(work, number) for number in range(6)]:
            future.result(60)
    result = log.verify(AUDITOR)
    assert (result.ok, result.entries) == (True, 60)


def test_who_reads_what(log: AuditLog, database: Database) -> None:
    write(log, database, 2, "/c/a/")
    write(log, database, 3, "/c/b/")

    def count(role: str, path: str) -> int:
        reader = Actor(PrincipalId("usr_r"), "R", ActorKind.PERSON, (Grant(role, path),))
        return len(log.entries(reader, AuditQuery(), PageRequest()).items)

    assert count("auditor", "/") == 5
    assert count("department_administrator", "/c/b/") == 3
    assert count("auditor", "/c/a/") == 2
    assert count("member", "/") == 0
    with pytest.raises(Forbidden):
        log.verify(Actor(PrincipalId("x"), "X", ActorKind.PERSON, (Grant("auditor", "/c/"),)))
    with pytest.raises(Forbidden):
        log.verify(Actor(PrincipalId("x"), "X", ActorKind.PERSON, (Grant("member", "/"),)))


def test_filters_and_pages(log: AuditLog, database: Database, clock: SettableClock) -> None:
    start = clock.now()
    for number, action in enumerate(["order.create", "order.submit", "person.create"] * 4):
        with database.transaction():
            log.record(
                ANN,
                action,
                path="/c_/",
                subject=f"s{number % 2}",
                outcome=Outcome.REFUSED if number == 11 else Outcome.DONE,
            )
        clock.advance(hours=1)

    def seqs(limit: int = 50, **query: Any) -> list[int]:
        found, cursor = [], None
        while True:
            page = log.entries(AUDITOR, AuditQuery(**query), PageRequest(cursor, limit))
            found += [entry.seq for entry in page.items]
            cursor = page.next
            if cursor is None:
                return found

    assert seqs() == list(range(12, 0, -1)) == seqs(limit=5)
    assert seqs(action="order.*") == [11, 10, 8, 7, 5, 4, 2, 1]
    assert seqs(action="order.submit", subject="s1") == [8, 2]
    assert seqs(actor="usr_ann", since=start + timedelta(hours=10)) == [12, 11]
    assert seqs(until=start + timedelta(hours=1)) == [1]
    assert seqs(actor="nobody") == []


def fill(log: AuditLog, database: Database, clock: SettableClock, count: int) -> None:
    """Write many entries at once, as they would be one after another."""
    entry = AuditEntry(
        0,
        clock.now(),
        "usr_ann",
        "Ann",
        "order.create",
        "",
        "/c/",
        Outcome.DONE,
        {"x": "x" * 400},
        "",
        GENESIS,
    )
    entries = []
    for number in range(1, count + 1):
        entry = replace(entry, seq=number, prev=entry.hash)
        entry = replace(entry, hash=entry.computed_hash())
        entries.append(asdict(entry))
    with database.transaction():
        database.execute(audit_table.insert(), entries)
        seal = log._seal(count, entry.hash)  # noqa: SLF001
        head = audit_head_table.update().values(seq=count, hash=entry.hash, seal=seal)
        database.execute(head)


def test_a_large_log_is_read_in_bounded_memory(
    log: AuditLog, database: Database, clock: SettableClock
) -> None:
    fill(log, database, clock, 8_000)
    tracemalloc.start()
    result = log.verify(AUDITOR)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (result.ok, result.entries) == (True, 8_000)
    assert peak < 8_000_000  # all of it would be several times as much


def test_many_findings_are_cut_short(log: AuditLog, database: Database) -> None:
    write(log, database, 150)
    tamper(database, "UPDATE access_audit SET actor_name = 'Eve'")
    assert len(log.verify(AUDITOR).findings) == 100
