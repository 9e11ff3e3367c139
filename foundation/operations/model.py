"""Operations: long work that survives the process that does it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from foundation.kernel.canonical import plain
from foundation.kernel.errors import (
    BoroughError,
    Conflict,
    Forbidden,
    Invalid,
    NeedsApproval,
    NotFound,
    PreconditionFailed,
    Problem,
    QuotaExceeded,
    Unauthenticated,
    Unavailable,
)

OperationId = NewType("OperationId", str)

#: After so many workers have died of it, an operation is stuck rather than tried again.
MAX_CRASHES = 5
#: A failure that no one foresaw: a defect, whose details are in the log only.
INTERNAL = "internal"
CRASHED = "crashed"

_KIND = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


class OperationState(StrEnum):
    """Where an operation is; the last four are final, but a stuck one may be tried again."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    STUCK = "stuck"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens by itself."""
        return self not in {OperationState.QUEUED, OperationState.RUNNING}


class StepState(StrEnum):
    """Where a step is. ``skipped`` was announced and turned out not to be needed."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an operation.

    Attributes:
        runs: how often it was begun; more than once when a worker died in it.
        error: a problem document when it failed.
    """

    name: str
    state: StepState
    started_at: datetime | None = None
    ended_at: datetime | None = None
    runs: int = 0
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """Long work on a subject.

    Attributes:
        kind: what is done, ``noun.verb``: ``order.fulfil``.
        subject: the id of the thing that it is done to.
        path: the organisation's, for authorisation.
        key: whoever starts the same key again gets this operation.
        attempt: how often a worker has taken it up; fences those that lost it.
        crashes: how many workers have died while they ran it.
        progress: 0 to 1.
        expected_seconds: the median of the latest of its kind that succeeded; None without history.
        error: a problem document when it failed or is stuck.
    """

    id: OperationId
    kind: str
    subject: str
    path: str
    state: OperationState
    inputs: Mapping[str, Any]
    requested_by: str
    requested_name: str
    created_at: datetime
    key: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attempt: int = 0
    crashes: int = 0
    worker: str | None = None
    cancel_requested: bool = False
    progress: float = 0.0
    expected_seconds: float | None = None
    result: Any = None
    error: Mapping[str, Any] | None = None
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in an operation; ``seq`` counts from 1 without gaps."""

    seq: int
    at: datetime
    type: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's hold on an operation: valid as long as worker and attempt are the row's own."""

    operation_id: OperationId
    worker: str
    attempt: int


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker process and when it last said that it lives (the database's clock)."""

    id: str
    name: str
    machine: str
    pid: int
    started_at: datetime
    heartbeat_at: datetime
    stopped_at: datetime | None
    running: int


class Cancelled(BoroughError):
    """Somebody asked for the operation to stop, and it did."""

    code = "cancelled"


class Superseded(BaseException):
    """Another worker holds the operation now; this one must write nothing more.

    It passes by ``except Exception``, so that a handler does not undo what the other one does.
    """


class StepFailed(BoroughError):
    """A step failed; ``code`` says how, ``internal`` when nobody foresaw it."""

    code = INTERNAL

    def __init__(self, message: str, kind: str = INTERNAL, **details: Any) -> None:  # noqa: ANN401
        super().__init__(message, **details)
        # A feature's own code outlives its class: after a replay only the document is there.
        self.code = kind  # type: ignore[misc]


def check_kind(kind: str) -> str:
    """The kind again.

    Raises:
        ValueError: it is not of the form ``noun.verb``.
    """
    if not _KIND.fullmatch(kind):
        raise ValueError(f"{kind!r} is not a kind of operation such as order.fulfil")
    return kind


_KNOWN: dict[str, type[BoroughError]] = {
    kind.code: kind
    for kind in (
        Cancelled, Conflict, Forbidden, NeedsApproval, NotFound, PreconditionFailed,
        QuotaExceeded, Unauthenticated,
    )
}  # fmt: skip


def problem_of(error: Exception) -> dict[str, Any]:
    """An error as a problem document (JSON), to keep beside the work that failed."""
    if not isinstance(error, BoroughError):
        name = type(error).__name__
        return {"code": INTERNAL, "detail": f"the platform failed ({name}); the log has more"}
    document: dict[str, Any] = {"code": error.code, "detail": error.message}
    if error.details:
        document["details"] = plain(error.details)
    if isinstance(error, Invalid):
        document["errors"] = [
            {"field": p.field, "message": p.message, "code": p.code} for p in error.problems
        ]
    if isinstance(error, Unavailable):
        document["retry_after"] = error.retry_after
    return document


def error_of(document: Mapping[str, Any]) -> BoroughError:
    """The error that a problem document was made of, so that a replayed step fails as it did."""
    message = str(document.get("detail", ""))
    details = dict(document.get("details") or {})
    code = document.get("code", "")
    if code == Invalid.code:
        problems = [Problem(p["field"], p["message"], p["code"]) for p in document["errors"]]
        return Invalid(problems, message)
    if code == Unavailable.code:
        return Unavailable(message, document.get("retry_after", 5.0), **details)
    if code in _KNOWN:
        return _KNOWN[code](message, **details)
    error = StepFailed(message, code or INTERNAL)
    error.details = details
    return error
