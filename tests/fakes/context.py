"""A handler's context in memory: steps are kept by name, and run as the real ones do."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from foundation.kernel import canonical
from foundation.operations.model import Cancelled, Operation, error_of, problem_of


class FakeContext:
    """Runs a handler's steps in this thread.

    Args:
        operation: what is worked on.
        before: called with a step's name before it begins; what it raises ends the worker.
    """

    def __init__(
        self, operation: Operation, before: Callable[[str], None] = lambda _name: None
    ) -> None:
        self.operation_id = operation.id
        self.kind = operation.kind
        self.subject = operation.subject
        self.inputs: Mapping[str, Any] = operation.inputs
        self.kept: dict[str, dict[str, Any]] = {}
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self.stop = False
        self._before = before

    def step(self, name: str, work: Callable[[], Any], *, patience: float = 0) -> Any:
        del patience
        if self.stop and name not in self.kept:
            self.kept[name] = {"error": problem_of(Cancelled("cancelled on request"))}
        return self._run(name, work)

    def cleanup(self, name: str, work: Callable[[], Any], *, patience: float = 0) -> Any:
        del patience
        return self._run(name, work)

    def _run(self, name: str, work: Callable[[], Any]) -> Any:
        if name not in self.kept:
            self._before(name)
            try:
                self.kept[name] = {"ok": json.loads(json.dumps(canonical.plain(work())))}
            except Exception as error:  # noqa: BLE001 - as the real context
                self.kept[name] = {"error": problem_of(error)}
        outcome = self.kept[name]
        if "error" in outcome:
            raise error_of(outcome["error"])
        return outcome["ok"]

    def emit(self, type: str, data: Mapping[str, Any] | None = None) -> None:  # noqa: A002
        self.events.append((type, data or {}))

    def progress(self, fraction: float) -> None:
        assert 0 <= fraction <= 1

    def fence(self) -> None:
        """Nobody takes an operation over in a test's own thread."""

    def cancelled(self) -> bool:
        return self.stop
