"""What operations need from outside."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from foundation.kernel.actor import Actor
from foundation.kernel.paging import Page, PageRequest
from foundation.operations.model import (
    Event,
    Lease,
    Operation,
    OperationState,
    Step,
    StepState,
    WorkerInfo,
)


class Audit(Protocol):
    """Where deeds are written down (``access``)."""

    def record(
        self,
        actor: Actor,
        action: str,
        *,
        subject: str,
        path: str,
        details: Mapping[str, Any],
    ) -> None:
        """Note a deed in the open transaction."""
        ...


class OperationStore(Protocol):
    """Operations, their steps and events; inside the open transaction."""

    def add(self, operation: Operation) -> bool:
        """Keep a new one; False when its key is taken."""
        ...

    def get(self, operation_id: str) -> Operation | None:
        """One with its steps."""
        ...

    def by_key(self, key: str) -> Operation | None:
        """The one that was started under that key."""
        ...

    def events(self, operation_id: str, after: int, limit: int) -> list[Event]:
        """Its events with a higher ``seq``, in order."""
        ...

    def emit(
        self,
        operation_id: str,
        type: str,  # noqa: A002 - the field's name
        data: Mapping[str, Any],
        at: datetime,
        lease: Lease | None = None,
    ) -> Event:
        """Add an event.

        Raises:
            Superseded: a lease was given and is not valid any more.
        """
        ...

    def expected_seconds(self, kind: str) -> float | None:
        """The median duration of the latest of that kind that succeeded."""
        ...

    def request_cancel(self, operation_id: str, at: datetime) -> bool:
        """Ask a queued or running one to stop; False when it was asked already or has ended."""
        ...

    def finish(
        self,
        operation_id: str,
        state: OperationState,
        at: datetime,
        *,
        result: Any = None,  # noqa: ANN401 - JSON
        error: Mapping[str, Any] | None = None,
        lease: Lease | None = None,
    ) -> None:
        """Write down how it ended.

        Raises:
            Superseded: a lease was given and is not valid any more.
        """
        ...

    def requeue(self, operation_id: str) -> None:
        """Let a stuck one be taken up again, its crashes forgotten."""
        ...

    def lock(self, lease: Lease) -> Operation:
        """The operation, locked until the transaction ends.

        Raises:
            Superseded: the lease is not valid any more.
        """
        ...

    def hurry(self) -> None:
        """Let the open transaction commit without waiting for the disk."""
        ...

    def announce_steps(self, operation_id: str, names: Iterable[str]) -> None:
        """Note which steps are to come, unless they are there."""
        ...

    def mark_step(
        self,
        lease: Lease,
        name: str,
        state: StepState,
        at: datetime,
        error: Mapping[str, Any] | None = None,
    ) -> Step:
        """Note where a step is.

        Raises:
            Superseded: the lease is not valid any more.
        """
        ...

    def set_progress(self, lease: Lease, progress: float) -> None:
        """Note how far it is, 0 to 1.

        Raises:
            Superseded: the lease is not valid any more.
        """
        ...

    def open_by_state(self) -> dict[str, int]:
        """How many are queued, running and stuck."""
        ...

    def workers_alive(self, seconds: float) -> int:
        """How many workers have spoken in the last ``seconds``."""
        ...

    def workers(self) -> list[WorkerInfo]:
        """All workers of the last day, the living first."""
        ...

    def list(
        self,
        paths: Sequence[str],
        request: PageRequest,
        *,
        state: OperationState | None = None,
        kind: str | None = None,
        subject: str | None = None,
    ) -> Page[Operation]:
        """Those below one of the paths, newest first, with their steps."""
        ...
