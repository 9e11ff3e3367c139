"""The use cases of operations that any process may run; workers add ``jobs``."""

import time
from collections.abc import Mapping
from typing import Any

from foundation.access import policy
from foundation.kernel import canonical, ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Conflict, Unavailable
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock
from foundation.operations.model import (
    Event,
    Operation,
    OperationId,
    OperationState,
    WorkerInfo,
    check_kind,
)
from foundation.operations.ports import Audit, OperationStore

_VIEW = "operation.view"
_CANCEL = "operation.cancel"
_POLL_SECONDS = 0.05


class Operations:
    """Starts, shows and stops long work. The work itself is done by workers."""

    def __init__(self, store: OperationStore, db: UnitOfWork, clock: Clock, audit: Audit) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._audit = audit

    def start(
        self,
        kind: str,
        *,
        subject: str,
        path: str,
        inputs: Mapping[str, Any],
        actor: Actor,
        key: str | None = None,
    ) -> Operation:
        """Have work done, once the transaction commits. For features above: they authorise.

        Args:
            kind: which work, ``order.fulfil``; a worker has a handler of that kind.
            subject: the id of the thing that it is done to.
            path: the organisation's, which decides who sees it.
            inputs: JSON for the handler; no secrets, for they are kept as they are.
            actor: who asked for it.
            key: with a key that was used before, the operation of then is answered.

        Raises:
            Conflict: the key was used for other work.
        """
        with self._db.transaction():
            made = Operation(
                OperationId(ids.new("op")),
                check_kind(kind),
                subject,
                path,
                OperationState.QUEUED,
                canonical.plain(inputs),
                actor.id,
                actor.name,
                self._clock.now(),
                key,
                expected_seconds=self._store.expected_seconds(kind),
            )
            if self._store.add(made):
                self._store.emit(made.id, "state", {"state": made.state}, made.created_at)
                return made
            there = self._store.by_key(key or "")
            if there is None or (there.kind, there.subject) != (kind, subject):
                raise Conflict(f"the key {key} was used for other work")
            return there

    def get(self, actor: Actor, operation_id: str) -> Operation:
        """One operation.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._seen(actor, operation_id, _VIEW)

    def events(
        self, actor: Actor, operation_id: str, after: int = 0, limit: int = 200
    ) -> list[Event]:
        """Its events after ``after``, ``limit`` at most, in order.

        Raises:
            NotFound: there is no such operation, or none that the actor may know of.
        """
        with self._db.transaction():
            found = self._seen(actor, operation_id, _VIEW)
            return self._store.events(found.id, after, limit)

    def cancel(self, actor: Actor, operation_id: str) -> Operation:
        """Ask for an operation to stop. What runs stops after its present step.

        Raises:
            Conflict: it has ended already.
            Forbidden: the actor may see it and not stop it.
        """
        with self._db.transaction():
            found = self._seen(actor, operation_id, _CANCEL)
            if found.state.ended:
                raise Conflict(f"the operation has ended: it {found.state}", state=found.state)
            at = self._clock.now()
            if self._store.request_cancel(found.id, at):
                self._store.emit(found.id, "cancel.requested", {"by": actor.name}, at)
                self._note(actor, _CANCEL, found)
            return self._existing(found.id)

    def retry(self, actor: Actor, operation_id: str) -> Operation:
        """Take a stuck operation up again, from the step at which it stopped.

        Raises:
            Conflict: it is not stuck. One that failed has undone what it had to; whoever started
                it starts a new one.
        """
        with self._db.transaction():
            found = self._seen(actor, operation_id, _CANCEL)
            if found.state is not OperationState.STUCK:
                raise Conflict("only a stuck operation is taken up again", state=found.state)
            self._store.requeue(found.id)
            at = self._clock.now()
            self._store.emit(found.id, "state", {"state": "queued", "by": actor.name}, at)
            self._note(actor, "operation.retry", found)
            return self._existing(found.id)

    def wait(self, operation_id: str, timeout: float) -> Operation:
        """Wait in this process until it has ended. For features above and for tests.

        Args:
            operation_id: which.
            timeout: seconds, of the machine's own time.

        Raises:
            Unavailable: it has not ended in time.
        """
        self._db.assert_no_transaction()
        end = time.monotonic() + timeout
        while True:
            with self._db.transaction():
                found = self._existing(operation_id)
            if found.state.ended:
                return found
            if time.monotonic() >= end:
                raise Unavailable(f"{found.kind} {found.id} is still {found.state}")
            time.sleep(_POLL_SECONDS)

    def workers(self, actor: Actor) -> list[WorkerInfo]:
        """The workers of the last day and what they run.

        Raises:
            Forbidden: only those who may stop operations everywhere see them.
        """
        policy.require(actor, _CANCEL, policy.ROOT)
        with self._db.transaction():
            return self._store.workers()

    def list(
        self,
        actor: Actor,
        request: PageRequest,
        *,
        state: OperationState | None = None,
        kind: str | None = None,
        subject: str | None = None,
    ) -> Page[Operation]:
        """The operations that the actor may see, newest first."""
        paths = policy.visible_paths(actor, _VIEW)
        with self._db.transaction():
            return self._store.list(paths, request, state=state, kind=kind, subject=subject)

    def open_by_state(self) -> dict[str, int]:
        """How many are queued, running and stuck; for metrics."""
        with self._db.transaction():
            return self._store.open_by_state()

    def workers_alive(self, seconds: float = 30.0) -> int:
        """How many workers have spoken in the last ``seconds``; for metrics."""
        with self._db.transaction():
            return self._store.workers_alive(seconds)

    def _seen(self, actor: Actor, operation_id: str, action: str) -> Operation:
        found = self._existing(operation_id)
        policy.require(actor, action, found.path, "operation")
        return found

    def _note(self, actor: Actor, action: str, operation: Operation) -> None:
        details = {"kind": operation.kind, "subject": operation.subject}
        self._audit.record(
            actor, action, subject=operation.id, path=operation.path, details=details
        )

    def _existing(self, operation_id: str) -> Operation:
        found = self._store.get(operation_id)
        if found is None:
            raise policy.unknown("operation")
        return found
