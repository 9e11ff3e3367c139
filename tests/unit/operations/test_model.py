import json

import psycopg
import pytest
import sqlalchemy as sa

from foundation.kernel.errors import (
    BoroughError,
    Conflict,
    Forbidden,
    Invalid,
    NeedsApproval,
    NotFound,
    Problem,
    QuotaExceeded,
    Unavailable,
)
from foundation.operations.jobs.outage import is_outage
from foundation.operations.model import (
    Cancelled,
    OperationState,
    Superseded,
    check_kind,
    error_of,
    problem_of,
)


class Own(BoroughError):
    code = "own"


@pytest.mark.parametrize(
    "error",
    [
        Conflict("taken", by="a", count=2),
        Forbidden("no"),
        NotFound("none"),
        Cancelled("stopped"),
        QuotaExceeded("too much", resource="vcpus"),
        NeedsApproval("changed", difference=[{"path": "price"}]),
        Unavailable("away", 7.5, host="h"),
        Invalid([Problem("a.b", "is wrong", "code"), Problem("", "all of it")], "two are wrong"),
        Own("our own", kind="x", detail="y"),
    ],
)
def test_a_failure_is_the_same_after_it_was_kept(error: BoroughError) -> None:
    kept = json.loads(json.dumps(problem_of(error)))
    again = error_of(kept)
    assert problem_of(again) == kept
    assert again.code == error.code
    assert again.message == error.message
    if type(error) is not Own:  # a feature's own class is not known here: its code is
        assert type(again) is type(error)


def test_a_defect_tells_nothing_of_our_insides() -> None:
    assert problem_of(RuntimeError("password is x")) == {
        "code": "internal",
        "detail": "the platform failed (RuntimeError); the log has more",
    }


def test_being_superseded_is_no_failure() -> None:
    """``except Exception`` of a handler must not undo what another worker does."""
    assert not issubclass(Superseded, Exception)


@pytest.mark.parametrize("kind", ["order", "Order.plan", "order.", ".plan", "order plan", ""])
def test_a_kind_is_a_noun_and_a_verb(kind: str) -> None:
    with pytest.raises(ValueError, match="not a kind"):
        check_kind(kind)


def test_final_states() -> None:
    assert [state.value for state in OperationState if not state.ended] == ["queued", "running"]


def _error(kind: type[psycopg.Error], *, invalidated: bool = False) -> sa.exc.DBAPIError:
    return sa.exc.DBAPIError("SELECT", None, kind(), connection_invalidated=invalidated)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (_error(psycopg.OperationalError), True),
        (_error(psycopg.errors.AdminShutdown), True),
        (_error(psycopg.errors.CannotConnectNow), True),
        (_error(psycopg.errors.TooManyConnections), True),
        (_error(psycopg.errors.DeadlockDetected), True),
        (_error(psycopg.errors.IdleInTransactionSessionTimeout), True),
        (_error(psycopg.InterfaceError, invalidated=True), True),
        (sa.exc.TimeoutError(), True),
        (_error(psycopg.errors.QueryCanceled), False),
        (_error(psycopg.errors.UniqueViolation), False),
        (_error(psycopg.errors.UndefinedTable), False),
        (RuntimeError(), False),
    ],
)
def test_what_is_an_outage(error: Exception, *, again: bool) -> None:
    assert is_outage(error) is again
