"""What a handler sees of its operation."""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from foundation.kernel import canonical
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Unavailable
from foundation.kernel.time import Clock
from foundation.operations.model import (
    Cancelled,
    Lease,
    Operation,
    StepState,
    Superseded,
    error_of,
    problem_of,
)
from foundation.operations.ports import OperationStore

T = TypeVar("T")
_log = logging.getLogger("borough.operations")
#: For how long a step is tried again when something outside does not answer (seconds).
PATIENCE = 30.0
_LONGEST_PAUSE = 5.0


class Checkpoints(Protocol):
    """Keeps what steps answered."""

    def run(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The kept answer of the step, or that of ``work``, kept.

        Raises:
            Superseded: another worker holds the operation.
        """
        ...


class Steady(Protocol):
    """Does database work again when the database was away for a moment."""

    def __call__(self, work: Callable[[], T]) -> T:
        """What ``work`` answers; it is repeated while the database does not answer."""
        ...


class Signals:
    """What the worker tells a running operation from outside its thread, and ``busy`` back."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.lost = threading.Event()
        self.draining = threading.Event()
        self.busy = threading.Event()


@dataclass(frozen=True, slots=True)
class Tools:
    """What a context works with."""

    store: OperationStore
    db: UnitOfWork
    clock: Clock
    checkpoints: Checkpoints
    steady: Steady
    signals: Signals


class Context:
    """The operation that a handler works on.

    Attributes:
        inputs: what it was started with (JSON).
        subject: the id of the thing that it is done to.
    """

    def __init__(
        self, operation: Operation, lease: Lease, tools: Tools, steps: tuple[str, ...] = ()
    ) -> None:
        self.operation_id = operation.id
        self.kind = operation.kind
        self.subject = operation.subject
        self.path = operation.path
        self.inputs: Mapping[str, Any] = operation.inputs
        self.requested_by = operation.requested_by
        self.lease = lease
        self._store = tools.store
        self._db = tools.db
        self._clock = tools.clock
        self._checkpoints = tools.checkpoints
        self._steady = tools.steady
        self._signals = tools.signals
        self._expected = len(steps)
        self._done = 0

    def step(self, name: str, work: Callable[[], Any], *, patience: float = PATIENCE) -> Any:  # noqa: ANN401
        """Do one step, or answer what it answered before.

        Args:
            name: unique in the operation.
            work: may run more than once, must then have one effect; answers JSON (decimals and
                instants become text). No transaction is open when it is called.
            patience: for so many seconds it is tried again while it raises Unavailable.

        Raises:
            Cancelled: somebody asked for that; ``work`` was not begun.
            BoroughError: what ``work`` raised; other errors come as StepFailed.
        """
        return self._run(name, work, patience, stoppable=True)

    def cleanup(self, name: str, work: Callable[[], Any], *, patience: float = PATIENCE) -> Any:  # noqa: ANN401
        """A step that is also done after a cancellation: it undoes what was begun."""
        return self._run(name, work, patience, stoppable=False)

    def emit(self, type: str, data: Mapping[str, Any] | None = None) -> None:  # noqa: A002
        """Tell those who watch that something happened.

        Args:
            type: ``noun.verb``; ``step.…`` and ``state`` are the platform's own.
            data: JSON; ``message`` is shown to people first.
        """
        plain = canonical.plain(data or {})
        self._write(
            lambda: self._store.emit(self.operation_id, type, plain, self._clock.now(), self.lease)
        )

    def progress(self, fraction: float) -> None:
        """Say how far the running step is, 0 to 1."""
        within = min(max(fraction, 0.0), 1.0)
        self._write(lambda: self._store.set_progress(self.lease, self._share(within)))

    def cancelled(self) -> bool:
        """Whether the running step should stop: somebody asked, or another worker took over."""
        return self._signals.cancelled.is_set() or self._signals.lost.is_set()

    def fence(self) -> None:
        """Hold the operation until the open transaction ends, so that nobody takes it over.

        Raises:
            Superseded: another worker has it already: the transaction must not commit.
        """
        self._store.lock(self.lease)

    def _run(self, name: str, work: Callable[[], Any], patience: float, *, stoppable: bool) -> Any:  # noqa: ANN401
        self._db.assert_no_transaction()
        outcome = self._checkpoints.run(
            name, lambda: self._attempt(name, work, patience, stoppable=stoppable)
        )
        self._done += 1
        if "error" in outcome:
            raise error_of(outcome["error"])
        return outcome["ok"]

    def _attempt(
        self, name: str, work: Callable[[], Any], patience: float, *, stoppable: bool
    ) -> dict[str, Any]:
        self._hold_when_draining()
        self._signals.busy.set()
        try:
            return self._do(name, work, patience, stoppable=stoppable)
        finally:
            self._signals.busy.clear()

    def _do(
        self, name: str, work: Callable[[], Any], patience: float, *, stoppable: bool
    ) -> dict[str, Any]:
        if not self._begin(name, stoppable=stoppable):
            return {"error": problem_of(Cancelled("cancelled on request"))}
        try:
            value = self._patiently(work, patience)
            # Through JSON now, so that a replay answers exactly the same.
            outcome = {"ok": json.loads(json.dumps(canonical.plain(value)))}
        except Exception as error:
            if self._signals.lost.is_set():
                raise Superseded(self.operation_id) from error
            outcome = {"error": self._failed(name, error)}
            self._mark(name, StepState.FAILED, outcome["error"])
            return outcome
        self._mark(name, StepState.SUCCEEDED)
        return outcome

    def _failed(self, name: str, error: Exception) -> dict[str, Any]:
        problem = problem_of(error)
        if problem["code"] == "internal":
            _log.error("step %s of %s failed", name, self.operation_id, exc_info=error)
        return problem

    def _patiently(self, work: Callable[[], T], patience: float) -> T:
        end = time.monotonic() + patience
        while True:
            try:
                return self._steady(work)
            except Unavailable as error:
                pause = min(error.retry_after, _LONGEST_PAUSE)
                if time.monotonic() + pause > end or self.cancelled():
                    raise
                self.emit("step.waiting", {"message": error.message, "seconds": pause})
                self._signals.lost.wait(pause)

    def _hold_when_draining(self) -> None:
        """A worker that is ending begins no step; the next worker does."""
        if self._signals.draining.is_set():
            self._signals.lost.wait()
            raise Superseded(self.operation_id)

    def _begin(self, name: str, *, stoppable: bool) -> bool:
        """Note that the step runs; False, and no note, when somebody asked to stop before it."""
        begun: list[bool] = []

        def write() -> None:
            cancelled = self._store.lock(self.lease).cancel_requested
            begun.append(not (stoppable and cancelled))
            if begun[-1]:
                self._note(name, StepState.RUNNING, None)

        self._write(write)
        return begun[-1]

    def _mark(self, name: str, state: StepState, error: Mapping[str, Any] | None = None) -> None:
        self._write(lambda: self._note(name, state, error))

    def _note(self, name: str, state: StepState, error: Mapping[str, Any] | None) -> None:
        at = self._clock.now()
        step = self._store.mark_step(self.lease, name, state, at, error)
        kind = "started" if state is StepState.RUNNING else str(state)
        data: dict[str, Any] = {"step": name}
        if step.runs > 1:
            data["run"] = step.runs
        if error is not None:
            data["message"] = error.get("detail", "")
        self._store.emit(self.operation_id, f"step.{kind}", data, at, self.lease)
        if state is StepState.SUCCEEDED:
            self._store.set_progress(self.lease, self._share(1.0))

    def _share(self, within: float) -> float:
        # Of a work whose steps are not known, more always seems to come; 1 is said at the end.
        total = self._expected if self._expected > self._done else self._done + 2
        return min((self._done + within) / total, 0.99)

    def _write(self, work: Callable[[], object]) -> None:
        def transact() -> None:
            with self._db.transaction():
                # These are notes for people. What recovery goes by is DBOS's own commit, which
                # comes after them and brings them to the disk too.
                self._store.hurry()
                work()

        if self._signals.lost.is_set():
            raise Superseded(self.operation_id)
        self._steady(transact)


class Handler(Protocol):
    """Does the work of one kind of operation; answers its result (JSON)."""

    def __call__(self, ctx: Context, /) -> Any:  # noqa: ANN401
        """Do it."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """A handler and the names of its steps in order, as far as they are known before."""

    run: Handler
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """Work that is done again and again, by one worker at a time.

    Attributes:
        name: unique in the platform.
        seconds: from one beginning to the next.
        work: idempotent: when the database is lost it may run in two workers for a moment.
    """

    name: str
    seconds: float
    work: Callable[[], object]
