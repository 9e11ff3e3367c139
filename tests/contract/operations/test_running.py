"""What operations promise while nothing dies."""

from collections.abc import Callable

import pytest

from foundation.kernel.database import Database
from foundation.kernel.errors import Conflict, Forbidden, NotFound, Unavailable
from foundation.kernel.paging import PageRequest
from foundation.operations.model import OperationState
from foundation.operations.service import Operations
from tests.contract.operations.conftest import SYSTEM, Outcome, begin, person
from tests.fakes.audit import FakeAudit
from tests.harness.processes import WorkerProcess

Start = Callable[..., WorkerProcess]


def test_the_same_key_starts_nothing_twice(operations: Operations) -> None:
    first = begin(operations, "sample.build", key="order_1/fulfil")
    assert begin(operations, "sample.build", key="order_1/fulfil") == first
    with pytest.raises(Conflict):
        begin(operations, "sample.slow", key="order_1/fulfil")
    assert [o.id for o in operations.list(SYSTEM, PageRequest()).items] == [first.id]


def test_a_start_that_rolls_back_never_was(operations: Operations, database: Database) -> None:
    def start_and_fail() -> None:
        with database.transaction():
            begin(operations, "sample.build")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        start_and_fail()
    assert operations.list(SYSTEM, PageRequest()).items == ()


def test_others_do_not_see_it(operations: Operations) -> None:
    operation = begin(operations, "sample.build")  # of /city/health/
    neighbour = person("operator", "/city/water/")
    with pytest.raises(NotFound):
        operations.get(neighbour, operation.id)
    with pytest.raises(NotFound):
        operations.events(neighbour, operation.id)
    with pytest.raises(NotFound):
        operations.cancel(neighbour, operation.id)
    assert operations.list(neighbour, PageRequest()).items == ()
    assert operations.get(person("auditor", "/city/"), operation.id).id == operation.id
    with pytest.raises(Forbidden):
        operations.cancel(person("auditor", "/city/"), operation.id)


def test_lists_page_and_filter(operations: Operations) -> None:
    made = [begin(operations, "sample.build").id for _ in range(5)]
    first = operations.list(SYSTEM, PageRequest(limit=3))
    second = operations.list(SYSTEM, PageRequest(first.next, 3))
    assert [o.id for o in (*first.items, *second.items)] == sorted(made, reverse=True)
    assert second.next is None
    begin(operations, "sample.slow")
    assert len(operations.list(SYSTEM, PageRequest(), kind="sample.slow").items) == 1
    assert operations.list(SYSTEM, PageRequest(), state=OperationState.FAILED).items == ()
    assert len(operations.list(SYSTEM, PageRequest(), subject="thing_1").items) == 6


def test_cancelling_is_noted_once(operations: Operations, audit: FakeAudit) -> None:
    operation = begin(operations, "sample.build")
    operations.cancel(SYSTEM, operation.id)
    assert operations.cancel(SYSTEM, operation.id).cancel_requested
    assert [entry["action"] for entry in audit.entries] == ["operation.cancel"]
    events = [event.type for event in operations.events(SYSTEM, operation.id)]
    assert events == ["state", "cancel.requested"]


def test_waiting_ends(operations: Operations) -> None:
    with pytest.raises(Unavailable):
        operations.wait(begin(operations, "sample.build").id, 0.1)


@pytest.fixture
def worker(world: Outcome, start_worker: Start) -> WorkerProcess:
    assert world.things() == []
    return start_worker("only")


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("how", "problem"),
    [
        ("conflict", {"code": "conflict", "detail": "the thing is taken",
                      "details": {"by": "somebody"}}),
        ("unavailable", {"code": "unavailable", "detail": "nobody is there",
                         "retry_after": 0.01}),
        ("invalid", {"code": "invalid", "detail": "a: is wrong; b: is missing",
                     "errors": [{"field": "a", "message": "is wrong", "code": "invalid"},
                                {"field": "b", "message": "is missing", "code": "required"}]}),
        ("own", {"code": "own_way", "detail": "our own way", "details": {"reason": "own"}}),
        ("defect", {"code": "internal",
                    "detail": "the platform failed (RuntimeError); the log has more"}),
    ],
)  # fmt: skip
def test_a_failure_says_what_went_wrong(
    how: str, problem: dict[str, object], operations: Operations, world: Outcome
) -> None:
    done = operations.wait(begin(operations, "sample.fail", how=how).id, 60)
    assert done.state is OperationState.FAILED
    assert done.error == problem
    assert done.steps[0].error == problem
    assert "secret detail" not in str(operations.events(SYSTEM, done.id))
    assert len(world.calls("undo")) == (1 if how == "conflict" else 0)


@pytest.mark.usefixtures("worker")
def test_a_kind_that_no_worker_knows_fails(operations: Operations) -> None:
    done = operations.wait(begin(operations, "sample.unknown").id, 60)
    assert done.error == {"code": "internal", "detail": "no worker knows sample.unknown"}


@pytest.mark.usefixtures("worker")
def test_history_tells_how_long_it_takes(operations: Operations) -> None:
    assert begin(operations, "sample.slow", ticks=4).expected_seconds is None
    for operation in operations.list(SYSTEM, PageRequest()).items:
        operations.wait(operation.id, 60)
    expected = begin(operations, "sample.slow", ticks=4).expected_seconds
    assert expected is not None
    assert 0.2 <= expected < 5


@pytest.mark.usefixtures("worker")
def test_events_go_on_after_a_number(operations: Operations) -> None:
    operation = operations.wait(begin(operations, "sample.build").id, 60)
    every = operations.events(SYSTEM, operation.id)
    assert [event.type for event in every] == [
        "state", "state",
        *["step.started", "step.succeeded"] * 3,
        "state",
    ]  # fmt: skip
    assert operations.events(SYSTEM, operation.id, after=4) == every[4:]
    assert operations.events(SYSTEM, operation.id, after=4, limit=2) == every[4:6]
    assert operation.progress == 1.0


def test_the_workers_are_seen_by_operators(operations: Operations, worker: WorkerProcess) -> None:
    operations.wait(begin(operations, "sample.build").id, 60)
    (found,) = operations.workers(SYSTEM)
    assert (found.name, found.pid, found.stopped_at) == ("only", worker.pid, None)
    assert operations.workers_alive() == 1
    with pytest.raises(Forbidden):
        operations.workers(person("member", "/city/health/"))
    assert worker.end() == 0
    assert operations.workers(SYSTEM)[0].stopped_at is not None
    assert operations.workers_alive() == 0
