"""Workers that die, sleep and race: real processes, real signals, real PostgreSQL."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from control_plane.migrations import SCHEMA
from foundation.adapters.clock import SystemClock
from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.database import Database
from foundation.kernel.scratch import Scratch
from foundation.operations.jobs.durable import migrate
from foundation.operations.model import MAX_CRASHES, OperationState, StepState
from foundation.operations.service import Operations
from foundation.operations.store import PostgresOperations
from tests.contract.operations.conftest import ENTRY, SYSTEM, Outcome, begin
from tests.contract.operations.sample import STEPS, create_tables
from tests.fakes.audit import FakeAudit
from tests.harness.processes import WorkerProcess, wait_until, workers
from tests.harness.worker import OUTSIDE, POINTS

Start = Callable[..., WorkerProcess]
ALL_POINTS = [f"{step}:{point}" for step in STEPS for point in POINTS] + list(OUTSIDE)


@pytest.mark.usefixtures("world")
def test_the_points_are_all_there_are(operations: Operations, start_worker: Start) -> None:
    """The list of kill points below is what a whole run really passes."""
    worker = start_worker("only")
    operations.wait(begin(operations, "sample.build").id, 60)
    wait_until(lambda: "operation:finished" in worker.passed())
    assert sorted(worker.passed()) == sorted(ALL_POINTS)
    assert worker.end() == 0


@pytest.mark.parametrize("point", ALL_POINTS)
def test_killed_at_any_point_another_worker_finishes(
    point: str, operations: Operations, world: Outcome, start_worker: Start
) -> None:
    killed = start_worker("killed", "--kill", point)
    operation = begin(operations, "sample.build")
    killed.wait_killed()

    second = start_worker("second")
    done = operations.wait(operation.id, 60)

    assert done.state is OperationState.SUCCEEDED
    assert world.things() == sorted(f"{operation.id}/{step}" for step in STEPS)
    assert done.result == {"made": [f"{operation.id}/{step}" for step in STEPS]}
    assert [(step.name, step.state) for step in done.steps] == [
        (step, StepState.SUCCEEDED) for step in STEPS
    ]
    events = operations.events(SYSTEM, operation.id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    if point == "operation:finished":  # there was nothing left to do
        assert (done.attempt, done.crashes) == (1, 0)
        return
    assert (done.attempt, done.crashes) == (2, 1)
    _, _, where = point.partition(":")
    step = point.partition(":")[0]
    for name in STEPS:
        # An effect is asked for again only if the note of it was lost.
        again = name == step and where in {"after-effect", "before-checkpoint"}
        assert len(world.calls(name)) == (2 if again else 1), name
    assert second.end() == 0


def test_a_worker_that_slept_past_its_lease_writes_nothing(
    operations: Operations, world: Outcome, start_worker: Start
) -> None:
    sleeper = start_worker("sleeper", "--pause", "build:after-effect")
    operation = begin(operations, "sample.build")
    sleeper.wait_paused()
    second = start_worker("second")
    done = operations.wait(operation.id, 60)
    assert (done.state, done.attempt) == (OperationState.SUCCEEDED, 2)
    before = operations.events(SYSTEM, operation.id)

    sleeper.wake()
    wait_until(lambda: "was taken over by another worker" in sleeper.log.read_text())

    assert operations.get(SYSTEM, operation.id) == done
    assert operations.events(SYSTEM, operation.id) == before
    assert world.things() == sorted(f"{operation.id}/{step}" for step in STEPS)
    assert world.calls("announce") == [2]  # the sleeper did not go on
    second.kill()
    # It is a good worker again.
    later = operations.wait(begin(operations, "sample.build").id, 60)
    assert later.state is OperationState.SUCCEEDED
    assert sleeper.end() == 0


def test_a_worker_stopped_inside_a_transaction_does_not_hold_the_others_up(
    database: Database, operations: Operations, world: Outcome, start_worker: Start
) -> None:
    """It holds locks on its operation and on its own heartbeat; PostgreSQL ends its sessions."""
    sleeper = start_worker("sleeper")
    operation = begin(operations, "sample.hold")
    sleeper.wait_paused()
    with database.transaction():
        held = database.execute(
            sa.text("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'")
        ).scalar()
    assert held is not None
    assert held >= 1
    start_worker("second")
    done = operations.wait(operation.id, 60)
    assert (done.state, done.attempt) == (OperationState.SUCCEEDED, 2)
    assert world.calls("hold") == [2]
    assert sleeper.end() == 0


def test_a_fenced_transaction_of_a_sleeper_does_not_commit(
    operations: Operations, world: Outcome, start_worker: Start
) -> None:
    """A worker that sleeps before its effect finds out inside of the effect's transaction."""
    sleeper = start_worker("sleeper", "--pause", "write:before-effect")
    operation = begin(operations, "sample.fenced")
    sleeper.wait_paused()
    second = start_worker("second")
    operations.wait(operation.id, 60)
    sleeper.wake()
    wait_until(lambda: "was taken over by another worker" in sleeper.log.read_text())
    assert world.calls("write") == [2]
    assert (sleeper.end(), second.end()) == (0, 0)


def test_two_workers_share_the_work_and_do_nothing_twice(
    operations: Operations, world: Outcome, start_worker: Start
) -> None:
    made = [begin(operations, "sample.build") for _ in range(24)]
    both = [start_worker(name, "--concurrency", "2", "--lease", "20") for name in ("one", "two")]
    done = [operations.wait(operation.id, 120) for operation in made]
    assert {operation.state for operation in done} == {OperationState.SUCCEEDED}
    assert {operation.attempt for operation in done} == {1}
    assert all(len(world.calls(step)) == len(made) for step in STEPS)
    assert len(world.things()) == len(made) * len(STEPS)
    assert [worker.end() for worker in both] == [0, 0]
    # Both had a part: the work is spread by who is free.
    assert all("operation:claimed" in worker.passed() for worker in both)


def test_what_kills_every_worker_is_stuck_and_can_be_retried(
    operations: Operations, world: Outcome, start_worker: Start
) -> None:
    operation = begin(operations, "sample.build")
    for number in range(MAX_CRASHES):
        start_worker(f"victim-{number}", "--kill", "build:before-effect").wait_killed()
    healthy = start_worker("healthy")
    stuck = operations.wait(operation.id, 60)
    assert (stuck.state, stuck.crashes) == (OperationState.STUCK, MAX_CRASHES)
    assert stuck.error is not None
    assert stuck.error["code"] == "crashed"
    # The healthy worker was not drawn in: it only noticed the last death.
    assert "operation:claimed" not in healthy.passed()

    operations.retry(SYSTEM, operation.id)
    done = operations.wait(operation.id, 60)
    assert done.state is OperationState.SUCCEEDED
    assert world.calls("prepare") == [1]  # it went on after the last kept step
    assert healthy.end() == 0


def test_cancelled_while_a_step_runs(
    operations: Operations, world: Outcome, start_worker: Start
) -> None:
    worker = start_worker("only")
    operation = begin(operations, "sample.slow")
    wait_until(lambda: "wait:before-effect" in worker.passed())
    operations.cancel(SYSTEM, operation.id)
    done = operations.wait(operation.id, 10)
    assert done.state is OperationState.CANCELLED
    assert {step.name: step.state for step in done.steps} == {
        "wait": StepState.SUCCEEDED,  # it was told, and ended by itself
        "after": StepState.SKIPPED,
        "tidy": StepState.SUCCEEDED,
    }
    assert (world.calls("after"), world.calls("tidy")) == ([], [1])
    assert worker.end() == 0


def test_cancelled_before_any_worker_saw_it(
    operations: Operations, world: Outcome, start_worker: Start
) -> None:
    operation = begin(operations, "sample.slow")
    operations.cancel(SYSTEM, operation.id)
    start_worker("only")
    done = operations.wait(operation.id, 60)
    assert done.state is OperationState.CANCELLED
    assert (world.calls("after"), world.calls("tidy")) == ([], [])


def test_a_killed_cancellation_is_still_one(
    operations: Operations, world: Outcome, start_worker: Start
) -> None:
    """The worker dies between the cancellation and the tidying."""
    killed = start_worker("killed", "--kill", "tidy:before-effect")
    operation = begin(operations, "sample.slow", ticks=20)
    wait_until(lambda: "wait:before-effect" in killed.passed())
    operations.cancel(SYSTEM, operation.id)
    killed.wait_killed()
    start_worker("second")
    done = operations.wait(operation.id, 60)
    assert done.state is OperationState.CANCELLED
    assert (world.calls("after"), world.calls("tidy")) == ([], [2])


@pytest.mark.usefixtures("world")
def test_asked_to_end_a_worker_lets_the_step_finish_and_gives_the_rest_back(
    operations: Operations, start_worker: Start
) -> None:
    first = start_worker("first")
    operation = begin(operations, "sample.slow", ticks=20)
    wait_until(lambda: "wait:before-effect" in first.passed())
    assert first.end() == 0
    left = operations.get(SYSTEM, operation.id)
    assert (left.state, left.crashes) == (OperationState.QUEUED, 0)
    start_worker("second")
    done = operations.wait(operation.id, 60)
    assert done.state is OperationState.SUCCEEDED
    assert next(step for step in done.steps if step.name == "wait").runs == 1


@pytest.mark.usefixtures("world")
def test_a_worker_of_the_same_name_succeeds_at_once(
    operations: Operations, start_worker: Start
) -> None:
    """After a restart in a new container nobody can see that the old process is gone."""
    paused = start_worker("pod-0", "--pause", "build:before-effect", "--lease", "600")
    operation = begin(operations, "sample.build")
    paused.wait_paused()
    start_worker("pod-0", "--lease", "600")
    assert operations.wait(operation.id, 60).state is OperationState.SUCCEEDED


@pytest.mark.parametrize(
    "kind", ["sample.build", pytest.param("sample.slow", marks=pytest.mark.rehearsal)]
)
def test_a_restarted_postgresql_loses_nothing(kind: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        # Not below pytest's folder: other sessions of pytest shut the server's user out of it.
        folder = stack.enter_context(Scratch("borough-test-")).path
        server = stack.enter_context(EmbeddedPostgres(folder))
        database = Database(server.url())
        stack.callback(database.close)
        SCHEMA.upgrade(database)
        migrate(database.engine)
        create_tables(database)
        operations = Operations(PostgresOperations(database), database, SystemClock(), FakeAudit())
        start = stack.enter_context(workers(server.url(), ENTRY, tmp_path))
        worker = start("only", "--lease", "3")
        made = [begin(operations, kind, ticks=40) for _ in range(6)]
        wait_until(lambda: len(worker.passed()) > 8)
        _restart(folder)
        database.engine.dispose()
        done = [operations.wait(operation.id, 60) for operation in made]
        wrong = [one for one in done if one.state is not OperationState.SUCCEEDED]
        assert not wrong, worker.log.read_text()
        assert worker.end() == 0
        steps = STEPS if kind == "sample.build" else ("after", "tidy")
        assert len(Outcome(database).things()) == len(made) * len(steps)


def test_a_worker_whose_row_is_gone_comes_back(
    database: Database, operations: Operations, world: Outcome, start_worker: Start
) -> None:
    """The database was set back to a time before the worker began."""
    worker = start_worker("only")
    operations.wait(begin(operations, "sample.build").id, 60)
    with database.transaction():
        database.execute(sa.text("DELETE FROM operations_worker"))
    done = operations.wait(begin(operations, "sample.build").id, 60)
    assert done.state is OperationState.SUCCEEDED
    assert len(world.things()) == 2 * len(STEPS)
    assert worker.end() == 0


def _restart(folder: Path) -> None:
    """As an operator would: all connections are cut, the server is away for a moment."""
    server = EmbeddedPostgres(folder)
    # ruff: noqa: SLF001 - the platform itself never restarts its database
    server._run("pg_ctl", "-D", str(folder / "data"), "-m", "immediate", "-w", "stop")
    time.sleep(1)
    server._launch()


def test_kept_answers_are_forgotten_when_nothing_needs_them(
    database: Database, operations: Operations, world: Outcome, start_worker: Start
) -> None:
    first = start_worker("first")
    old, young = (begin(operations, "sample.build").id for _ in range(2))
    for operation in (old, young):
        operations.wait(operation, 60)
    wait_until(lambda: first.passed().count("operation:finished") == 2)
    with database.transaction():
        database.execute(
            sa.text("UPDATE operations_operation SET ended_at = ended_at - interval '3 days'"
                    " WHERE id = :id"), {"id": old},
        )  # fmt: skip
        database.execute(
            sa.text("UPDATE operations_schedule SET next_at = now() WHERE name LIKE '%forget'")
        )

    def kept() -> set[str]:
        with database.transaction():
            query = sa.text("SELECT DISTINCT workflow_uuid FROM dbos.operation_outputs")
            return set(database.execute(query).scalars())

    wait_until(lambda: old not in kept())
    assert young in kept()
    assert operations.get(SYSTEM, old).state is OperationState.SUCCEEDED
    assert len(world.things()) == 2 * len(STEPS)
    assert first.end() == 0


def test_schedules_are_done_by_one_worker_at_a_time(
    database: Database, world: Outcome, start_worker: Start
) -> None:
    for name in ("one", "two", "three"):
        start_worker(name)
    wait_until(lambda: world.calls("tick"))
    time.sleep(4)
    ticks = len(world.calls("tick"))
    assert 3 <= ticks <= 12  # each is due every half second; looked for every second
    with database.transaction():
        row = database.execute(
            sa.text("SELECT * FROM operations_schedule WHERE name = 'sample.tick'")
        ).one()
    assert row.error is None
    assert row.worker in {"one", "two", "three"}
