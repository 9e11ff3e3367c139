"""Migration on real PostgreSQL: steps with evidence, waves, targets, figures, and who may."""

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from control_plane.tenancy.migration.model import MigrationState, TargetState
from control_plane.tenancy.migration.service import Claim, Migration
from control_plane.tenancy.model import System
from foundation.kernel.database import Database
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from tests.contract.tenancy.conftest import PLATFORM, person, text
from tests.fakes.audit import FakeAudit

HEALTH = person("department_administrator", "/city/health/")
WATER = person("department_administrator", "/city/water/")
AUDITOR = person("auditor", "/city/")
PROOF = ("https://records.example/minutes/7",)


def walk(migration: Migration, system: System, *states: str) -> None:
    for state in states:
        migration.step(HEALTH, system.id, Claim(state, "as planned", PROOF))


def fields(error: Invalid) -> set[str]:
    return {problem.field for problem in error.problems}


def test_the_whole_way(migration: Migration, systems: list[System], audit: FakeAudit) -> None:
    walk(migration, systems[0], "planned", "in_progress", "moved")
    journey, step = migration.step(AUDITOR, systems[0].id, Claim("verified", "seen running", PROOF))
    assert (journey.state, step.number, step.evidence) == (MigrationState.VERIFIED, 4, PROOF)
    found, steps = migration.journey(HEALTH, systems[0].id)
    assert found == journey
    assert [s.after.value for s in steps] == ["planned", "in_progress", "moved", "verified"]
    assert [s.before for s in steps[1:]] == [s.after for s in steps[:-1]]
    noted = [entry["action"] for entry in audit.entries]
    assert noted[-4:] == ["migration.step"] * 3 + ["migration.verify"]


def test_the_same_step_again_is_one(migration: Migration, systems: list[System]) -> None:
    claim = Claim("planned", "as agreed")
    first = migration.step(HEALTH, systems[0].id, claim)
    assert migration.step(HEALTH, systems[0].id, claim) == first
    assert len(migration.journey(HEALTH, systems[0].id)[1]) == 1


def test_no_way_leads_there(migration: Migration, systems: list[System]) -> None:
    with pytest.raises(Conflict, match="planned or exempt") as caught:
        migration.step(HEALTH, systems[0].id, Claim("moved", "suddenly", PROOF))
    assert caught.value.details["ways"] == ["planned", "exempt"]


def test_who_moved_it_does_not_verify_it(migration: Migration, systems: list[System]) -> None:
    for state in ("planned", "in_progress", "moved"):
        migration.step(PLATFORM, systems[0].id, Claim(state, "by the platform", PROOF))
    with pytest.raises(Forbidden):
        migration.step(PLATFORM, systems[0].id, Claim("verified", "trust me", PROOF))
    with pytest.raises(Forbidden):
        migration.step(HEALTH, systems[0].id, Claim("verified", "ours", PROOF))


def test_every_wrong_field_is_named(migration: Migration, systems: list[System]) -> None:
    with pytest.raises(Invalid) as caught:
        migration.step(HEALTH, systems[0].id, Claim("done", "  ", ("http://plain", "javascript:x")))
    assert fields(caught.value) == {"to", "note", "evidence.0", "evidence.1"}
    walk(migration, systems[0], "planned", "in_progress")
    with pytest.raises(Invalid) as caught:
        migration.step(HEALTH, systems[0].id, Claim("moved", "done"))
    assert fields(caught.value) == {"evidence"}


def test_a_step_may_be_dated_back_in_order_only(
    migration: Migration, systems: list[System], clock: Any
) -> None:
    now = clock.now()
    early = now - timedelta(days=30)
    _, step = migration.step(HEALTH, systems[0].id, Claim("planned", "in October", at=early))
    assert (step.at, step.recorded_at) == (early, now)
    for wrong in (early - timedelta(seconds=1), now + timedelta(seconds=1)):
        with pytest.raises(Invalid) as caught:
            migration.step(HEALTH, systems[0].id, Claim("in_progress", "then", at=wrong))
        assert fields(caught.value) == {"at"}


def test_a_neighbour_learns_nothing(migration: Migration, systems: list[System]) -> None:
    with pytest.raises(NotFound):
        migration.journey(WATER, systems[0].id)
    with pytest.raises(NotFound):
        migration.step(WATER, systems[0].id, Claim("planned", "not ours"))
    with pytest.raises(NotFound):
        migration.progress(WATER, "/city/health/")
    assert [j.slug for j in migration.journeys(WATER, PageRequest()).items] == ["rivers"]
    assert migration.progress(WATER).path == "/city/water/"
    assert migration.progress(AUDITOR).path == "/city/"


def test_only_the_platform_plans(migration: Migration, systems: list[System]) -> None:
    day = date(2027, 3, 1)
    with pytest.raises(Forbidden):
        migration.put_wave(HEALTH, "one", title=text("One"), start=day, due=day)
    with pytest.raises(Forbidden):
        migration.plan(HEALTH, systems[0].id)
    with pytest.raises(Forbidden):
        migration.put_targets(HEALTH, "/city/health/", [(day, Decimal(80))])


def test_waves(migration: Migration, systems: list[System]) -> None:
    start, due = date(2027, 1, 1), date(2027, 3, 31)
    with pytest.raises(Invalid) as caught:
        migration.put_wave(PLATFORM, "Wave 1", title=text("One"), start=due, due=start)
    assert fields(caught.value) == {"slug", "due"}
    wave = migration.put_wave(PLATFORM, "one", title=text("One"), start=start, due=due)
    assert migration.waves(HEALTH) == [wave]
    with pytest.raises(Invalid) as caught:
        migration.plan(PLATFORM, systems[0].id, wave="two")
    assert fields(caught.value) == {"wave"}
    with pytest.raises(Invalid) as caught:
        migration.plan(PLATFORM, systems[0].id, wave="one", due=date(2027, 4, 1))
    assert fields(caught.value) == {"due"}
    planned = migration.plan(PLATFORM, systems[0].id, wave="one")
    assert (planned.wave, planned.due, planned.state) == ("one", due, MigrationState.OPEN)
    assert planned.is_late(date(2027, 4, 1))
    assert not planned.is_late(due)
    found = migration.journeys(HEALTH, PageRequest(), {"wave": "one", "state": "open"})
    assert [j.system_id for j in found.items] == [systems[0].id]
    with pytest.raises(Conflict):
        migration.remove_wave(PLATFORM, "one")
    migration.plan(PLATFORM, systems[0].id)
    migration.remove_wave(PLATFORM, "one")
    with pytest.raises(NotFound):
        migration.remove_wave(PLATFORM, "one")


def test_targets(migration: Migration, systems: list[System]) -> None:
    wrong = [
        (date(2028, 12, 31), Decimal(50)), (date(2027, 12, 31), Decimal(80)),
        (date(2027, 12, 31), Decimal(90)), (date(2026, 12, 31), Decimal(0)),
    ]  # fmt: skip
    with pytest.raises(Invalid) as caught:
        migration.put_targets(PLATFORM, "/city/", wrong)
    assert fields(caught.value) == {"targets.0.percent", "targets.2.due", "targets.3.percent"}
    migration.put_targets(PLATFORM, "/city/", [(date(2027, 12, 31), Decimal(100))])
    wanted = [(date(2027, 12, 31), Decimal(80)), (date(2029, 12, 31), Decimal(100))]
    migration.put_targets(PLATFORM, "/city/", wanted)
    assert [(t.due, t.percent) for t in migration.targets(AUDITOR, "/city/")] == wanted
    walk(migration, systems[0], "planned", "in_progress", "moved")
    found = migration.progress(AUDITOR)
    assert (found.now.total, found.now.arrived) == (len(systems), 1)
    assert [(t.state, t.missing) for t in found.targets] == [
        (TargetState.OPEN, 3), (TargetState.OPEN, 3),
    ]  # fmt: skip


def test_pages_of_the_list(migration: Migration, systems: list[System]) -> None:
    seen: list[str] = []
    cursor = None
    while True:
        page = migration.journeys(PLATFORM, PageRequest(cursor, 1))
        seen += [j.system_id for j in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert sorted(seen) == sorted(s.id for s in systems)
    with pytest.raises(Invalid) as caught:
        migration.journeys(PLATFORM, PageRequest(), {"state": "nowhere"})
    assert fields(caught.value) == {"state"}
    below = migration.journeys(PLATFORM, PageRequest(), {"path": "/city/health/clinics/"})
    assert [j.slug for j in below.items] == ["queue"]


def test_two_at_once_enter_one_step(migration: Migration, systems: list[System]) -> None:
    walk(migration, systems[0], "planned")
    answers: list[str] = []
    gate = threading.Barrier(8)

    def enter(number: int) -> None:
        gate.wait()
        try:
            migration.step(HEALTH, systems[0].id, Claim("in_progress", f"try {number}"))
            answers.append("entered")
        except Conflict:
            answers.append("refused")

    threads = [threading.Thread(target=enter, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["entered"] + ["refused"] * 7
    assert len(migration.journey(HEALTH, systems[0].id)[1]) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tenancy_migration_step SET note = 'x'",
        "DELETE FROM tenancy_migration_step",
        "TRUNCATE tenancy_migration_step",
    ],
)
def test_steps_are_only_added(
    migration: Migration, systems: list[System], database: Database, statement: str
) -> None:
    walk(migration, systems[0], "planned")
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.transaction():
        database.execute(sa.text(statement))


def test_figures_of_an_earlier_month(migration: Migration, systems: list[System]) -> None:
    september = datetime(2026, 9, 10, tzinfo=UTC)
    for state in ("planned", "in_progress", "moved"):
        claim = Claim(state, "before there was a register", PROOF, september)
        migration.step(HEALTH, systems[0].id, claim)
    found = migration.progress(HEALTH)
    # Until October only that one was known; the others came with the register in November.
    assert [(f"{day:%m}", c.arrived, c.total) for day, c in found.series] == [
        ("09", 1, 1), ("10", 1, 1), ("11", 1, 3),
    ]  # fmt: skip
