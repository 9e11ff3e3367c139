"""The Pulumi engine: the ``Engine`` port over the real CLI.

A stack's state is in the backend that the settings name, encrypted under a passphrase that is
derived per deployment. One operation per stack is held by the platform's own lock; a lock of the
CLI that is found under ours is one that a killed CLI has left, and only ``recover`` clears it.
"""

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping

from control_plane.adapters.program_host.evaluate import evaluate
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.adapters.pulumi import recovery
from control_plane.adapters.pulumi.cli import PulumiCli, PulumiSettings
from control_plane.adapters.pulumi.kubernetes_lookup import find_kubernetes
from control_plane.adapters.pulumi.openstack_lookup import explain_openstack, find_openstack
from control_plane.adapters.pulumi.operation import Operation, Tools
from control_plane.adapters.region_turns import RegionTurns
from control_plane.adapters.stack_locks import StackLocks
from control_plane.provisioning.graph import (
    ApplyResult,
    DriftFinding,
    EngineEvent,
    EventKind,
    Graph,
    Json,
    Preview,
)
from control_plane.provisioning.ports import (
    Cancellation,
    Confirm,
    OnEvent,
    RegionAccess,
    Run,
    StackBusyError,
)
from foundation.kernel.database import Database

_RECOVER_SECONDS = 20.0
LOOKUPS: Mapping[str, recovery.Lookup] = {
    "openstack:": find_openstack,
    "kubernetes:": find_kubernetes,
}


class PulumiEngine:
    """Realises blueprint programs by the Pulumi CLI.

    Args:
        host: Runs the programs and the CLI.
        settings: Where the CLI, its plugins and its state are.
        database: The platform's; no transaction of the caller may be open.
        key: Keys the digests of masked secrets and the passphrases; it must never change.
        locks: One operation per stack at a time.
        turns: So many operations change one region at a time; without it any number does.
        lookups: By the beginning of a type token (``openstack:``), what finds an object whose
            creation was never confirmed or failed; OpenStack's and Kubernetes' by default. A kind
            that has none is assumed to refuse or to merge a second creation.
        explain: By the beginning of a type token, what asks a cloud why an object failed;
            OpenStack's by default. What a failed creation leaves in such a cloud is deleted.
    """

    def __init__(
        self,
        host: ProgramHost,
        settings: PulumiSettings,
        *,
        database: Database,
        key: bytes,
        locks: StackLocks,
        turns: RegionTurns | None = None,
        lookups: Mapping[str, recovery.Lookup] | None = None,
        explain: Mapping[str, recovery.Explain] | None = None,
    ) -> None:
        self._tools = Tools(
            cli=PulumiCli(host, settings),
            host=host,
            key=key,
            lookups=dict(LOOKUPS if lookups is None else lookups),
            explain={"openstack:": explain_openstack} if explain is None else dict(explain),
            database=database,
        )
        self._db = database
        self._locks = locks
        self._turns = turns

    @property
    def simulated(self) -> bool:
        """False: what it makes is real."""
        return False

    def version(self) -> str:
        """Return the CLI's version; installs the CLI when that is allowed.

        Raises:
            EngineError: There is no CLI.
        """
        return self._tools.cli.version()

    def evaluate(self, run: Run) -> Graph:
        """See the port."""
        self._db.assert_no_transaction()
        return evaluate(self._tools.host, run, self._tools.key)

    def preview(
        self, run: Run, *, on_event: OnEvent | None = None, refresh: bool = False
    ) -> Preview:
        """See the port."""
        with self._operation(run) as operation:
            return operation.preview(on_event, refresh=refresh)

    def apply(
        self,
        run: Run,
        *,
        confirm: Confirm,
        on_event: OnEvent | None = None,
        cancel: Cancellation | None = None,
        refresh: bool = False,
    ) -> ApplyResult:
        """See the port.

        The program is run again for the update; a run that declares anything else than in the
        preview that was confirmed is stopped before the engine hears of it. (Pulumi's own update
        plans cannot be used: they refuse the defaults that the OpenStack provider adds.)
        """
        with self._operation(run) as operation, self._turn(run, on_event, cancel):
            confirm(operation.preview(on_event, refresh=refresh))
            return operation.up(on_event, cancel, refresh=refresh)

    def refresh(
        self,
        run: Run,
        *,
        on_event: OnEvent | None = None,
        accept: bool = False,
        only: Collection[str] = (),
    ) -> tuple[DriftFinding, ...]:
        """See the port."""
        with self._operation(run) as operation:
            return operation.refresh(on_event, accept=accept, only=only)

    def remove_added(self, run: Run, ids: Collection[str]) -> tuple[str, ...]:
        """See the port."""
        with self._operation(run) as operation:
            return operation.remove_added(ids)

    def destroy(
        self,
        run: Run,
        *,
        on_event: OnEvent | None = None,
        cancel: Cancellation | None = None,
    ) -> ApplyResult:
        """See the port."""
        with self._operation(run) as operation, self._turn(run, on_event, cancel):
            return operation.destroy(on_event, cancel)

    def preview_import(
        self, run: Run, existing: Mapping[str, str], *, on_event: OnEvent | None = None
    ) -> Preview:
        """See the port."""
        with self._operation(run) as operation:
            return operation.importing(existing).preview(on_event)

    def import_existing(
        self,
        run: Run,
        existing: Mapping[str, str],
        *,
        confirm: Confirm,
        on_event: OnEvent | None = None,
        cancel: Cancellation | None = None,
    ) -> ApplyResult:
        """See the port."""
        with self._operation(run) as operation, self._turn(run, on_event, cancel):
            importing = operation.importing(existing)
            confirm(importing.preview(on_event))
            importing.commit()
            return operation.up(on_event, cancel, refresh=False)

    def release(self, run: Run, urns: Collection[str], *, on_event: OnEvent | None = None) -> None:
        """See the port."""
        with self._operation(run) as operation:
            operation.release(urns, on_event)

    def recover(self, run: Run, *, on_event: OnEvent | None = None) -> None:
        """See the port.

        Raises:
            StackBusyError: Somebody still works on it.
            EngineError: A cloud did not answer when an object was looked for.
        """
        deadline = time.monotonic() + _RECOVER_SECONDS
        while True:
            try:
                with self._operation(run) as operation:
                    return operation.recover(on_event)
            except StackBusyError:
                # The server may not have noticed yet that the killed process is gone.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def outputs(self, run: Run) -> tuple[dict[str, Json], dict[str, Json]]:
        """See the port."""
        self._db.assert_no_transaction()
        with self._tools.cli.workspace(run.stack.project, run.stack.stack) as folder:
            return Operation(self._tools, run, folder).outputs()

    @contextlib.contextmanager
    def _operation(self, run: Run) -> Iterator[Operation]:
        self._db.assert_no_transaction()
        with (
            self._locks.hold(run.stack.stack),
            self._tools.cli.workspace(run.stack.project, run.stack.stack) as folder,
        ):
            yield Operation(self._tools, run, folder)

    def _turn(
        self, run: Run, on_event: OnEvent | None, cancel: Cancellation | None
    ) -> contextlib.AbstractContextManager[None]:
        """Wait for a place among those that change the region."""
        if self._turns is None:
            return contextlib.nullcontext()

        def wait() -> None:
            if on_event is not None:
                on_event(EngineEvent(EventKind.PHASE, "wait"))

        return self._turns.hold(run.region.id, most=places(run.region), cancel=cancel, on_wait=wait)


def places(region: RegionAccess) -> int | None:
    """Return how many operations may change a region at once, when its facts say so.

    The fact is ``operations_at_once`` of a kind; the smallest counts.
    """
    said = [
        facts.get("operations_at_once")
        for facts in region.config.values()
        if isinstance(facts, Mapping)
    ]
    return min((n for n in said if isinstance(n, int) and n > 0), default=None)
