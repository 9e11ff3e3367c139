"""The embedded engine: the ``Engine`` port over the simulated region."""

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from control_plane.adapters.embedded.local import LocalProcesses
from control_plane.adapters.embedded.making import MakingPass, Steps, finding, outcome
from control_plane.adapters.embedded.passes import Holdings, LookingPass, Pass, drifted
from control_plane.adapters.embedded.region import SimulatedRegion
from control_plane.adapters.embedded.things import RefusedError, Thing
from control_plane.adapters.program_host import values
from control_plane.adapters.program_host.evaluate import evaluate, masked, masker_for, order_for
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.adapters.stack_locks import StackLocks
from control_plane.provisioning.graph import (
    ApplyResult,
    ApplyState,
    DriftFinding,
    DriftKind,
    EngineEvent,
    EventKind,
    Graph,
    Json,
    Preview,
    ResourceOutcome,
    ResourceState,
)
from control_plane.provisioning.ports import (
    Cancellation,
    Confirm,
    EngineError,
    NotThereError,
    OnEvent,
    ProgramError,
    Run,
    StackBusyError,
)
from foundation.kernel.database import Database
from foundation.kernel.secretbox import SecretBox
from foundation.kernel.time import Clock

_SEVERITIES = {2: "warning: ", 3: "error: "}
_RECOVER_SECONDS = 20.0
_RULE = "openstack:networking/secGroupRule:SecGroupRule"


class EmbeddedEngine:
    """Realises blueprint programs in a region that is simulated in PostgreSQL.

    Args:
        host: Runs the programs.
        database: Keeps the region.
        clock: Tells when things happened.
        box: Seals exported secrets; keys the digests of masked ones.
        locks: One operation per stack at a time.
    """

    def __init__(
        self,
        host: ProgramHost,
        database: Database,
        clock: Clock,
        box: SecretBox,
        locks: StackLocks,
    ) -> None:
        self._host = host
        self._db = database
        self._box = box
        self._locks = locks
        self._key = box.derive("engine mask")
        self.region = SimulatedRegion(database, clock)
        self.local = LocalProcesses(database, box, clock)

    @property
    def simulated(self) -> bool:
        """True: nothing of it is real."""
        return True

    def evaluate(self, run: Run) -> Graph:
        """See the port."""
        self._db.assert_no_transaction()
        return evaluate(self._host, run, self._key)

    def preview(
        self, run: Run, *, on_event: OnEvent | None = None, refresh: bool = False
    ) -> Preview:
        """See the port."""
        self._db.assert_no_transaction()
        with self._locks.hold(run.stack.stack):
            return self._look(run, on_event, refresh=refresh)

    def apply(
        self,
        run: Run,
        *,
        confirm: Confirm,
        on_event: OnEvent | None = None,
        cancel: Cancellation | None = None,
        refresh: bool = False,
    ) -> ApplyResult:
        """See the port."""
        self._db.assert_no_transaction()
        with self._locks.hold(run.stack.stack):
            approved = self._look(run, on_event, refresh=refresh)
            confirm(approved)
            _phase(on_event, "apply")
            if refresh:
                self._accept(run, self.region.things(run.stack.deployment))
            return self._make(run, approved, on_event, cancel)

    def refresh(
        self,
        run: Run,
        *,
        on_event: OnEvent | None = None,
        accept: bool = False,
        only: Collection[str] = (),
    ) -> tuple[DriftFinding, ...]:
        """See the port."""
        self._db.assert_no_transaction()
        with self._locks.hold(run.stack.stack):
            _phase(on_event, "refresh")
            things = [
                thing
                for thing in self.region.things(run.stack.deployment)
                if not only or thing.urn in only
            ]
            found = [_drift(t) for t in things if t.drift]
            if accept:
                self._accept(run, things)
            elif not only:
                found += self._added(run, things)
            return tuple(sorted(found, key=lambda f: f.urn))

    def remove_added(self, run: Run, ids: Collection[str]) -> tuple[str, ...]:
        """See the port."""
        self._db.assert_no_transaction()
        with self._locks.hold(run.stack.stack):
            added = self._added(run, self.region.things(run.stack.deployment))
            there = [f.beside.id for f in added if f.beside and f.type == _RULE]
            removed = tuple(each for each in there if each in ids)
            self.region.remove_beside(run.region.id, removed)
            return removed

    def _added(self, run: Run, things: list[Thing]) -> list[DriftFinding]:
        """What was added to things that are there."""
        within = {t.physical_id: t for t in things if t.physical_id and not t.drift.get("missing")}
        return [
            DriftFinding.added(within[holder].urn, type_, within[holder].name, beside)
            for holder, type_, beside in self.region.beside(run.region.id, within)
        ]

    def destroy(
        self,
        run: Run,
        *,
        on_event: OnEvent | None = None,
        cancel: Cancellation | None = None,
    ) -> ApplyResult:
        """See the port."""
        self._db.assert_no_transaction()
        with self._locks.hold(run.stack.stack):
            _phase(on_event, "destroy")
            steps = Steps(run, self.region, on_event=on_event, cancel=cancel)
            things = self.region.things(run.stack.deployment)
            try:
                for thing in reversed(things):
                    steps.end(thing)
            except RefusedError:
                return self._result(run, steps)
            self.region.forget_stack(run.stack.deployment)
            return self._result(run, steps)

    def preview_import(
        self, run: Run, existing: Mapping[str, str], *, on_event: OnEvent | None = None
    ) -> Preview:
        """See the port."""
        self._db.assert_no_transaction()
        with self._locks.hold(run.stack.stack):
            return self._look(run, on_event, refresh=False, taken=self._found(run, existing))

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
        self._db.assert_no_transaction()
        with self._locks.hold(run.stack.stack):
            found = self._found(run, existing)
            approved = self._look(run, on_event, refresh=False, taken=found)
            confirm(approved)
            _phase(on_event, "import")
            try:
                self.region.take_in(found)
            except RefusedError as error:
                raise EngineError(str(error)) from None
            _phase(on_event, "apply")
            return self._make(run, approved, on_event, cancel)

    def release(self, run: Run, urns: Collection[str], *, on_event: OnEvent | None = None) -> None:
        """See the port."""
        self._db.assert_no_transaction()
        with self._locks.hold(run.stack.stack):
            _phase(on_event, "release")
            self.region.let_go(run.stack.deployment, urns)

    def _found(self, run: Run, existing: Mapping[str, str]) -> dict[str, Thing]:
        """Return what is to be taken in, by the URN that it is to have.

        Raises:
            NotThereError: Something is not there, or no resource of the program.
        """
        declared = {n.urn: n.type for n in evaluate(self._host, run, self._key).resources}
        mine = {t.urn: t for t in self.region.things(run.stack.deployment)}
        outside = {(t.type, t.physical_id): t for t in self.region.outside(run.region.id)}
        found, missing = {}, {}
        for urn, physical in existing.items():
            there = mine.get(urn) or outside.get((declared.get(urn, ""), physical))
            if there is None or there.physical_id != physical:
                missing[urn] = physical
            elif urn not in mine:
                found[urn] = there
        if missing:
            raise NotThereError(missing)
        name = {urn: urn.rpartition("::")[2] for urn in found}
        return {
            urn: replace(thing, deployment=run.stack.deployment, urn=urn, name=name[urn])
            for urn, thing in found.items()
        }

    def recover(self, run: Run, *, on_event: OnEvent | None = None) -> None:
        """See the port.

        What was ordered and not confirmed is on record in the region itself, so that there is
        nothing to look up: the next apply completes it, the next destroy ends it. Here we only
        wait until the server has noticed that the killed process is gone.

        Raises:
            StackBusyError: Somebody still works on it.
        """
        self._db.assert_no_transaction()
        _phase(on_event, "recover")
        deadline = time.monotonic() + _RECOVER_SECONDS
        while True:
            try:
                with self._locks.hold(run.stack.stack):
                    return
            except StackBusyError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def outputs(self, run: Run) -> tuple[dict[str, Json], dict[str, Json]]:
        """See the port."""
        self._db.assert_no_transaction()
        found = self.region.outputs(run.stack.deployment)
        if found is None:
            raise EngineError(f"there is no stack {run.stack.stack}")
        plain, sealed = found
        secret = json.loads(self._box.open(sealed, _context(run)))
        return dict(plain), dict(secret)

    # ------------------------------------------------------------------------------- inside

    def _look(
        self,
        run: Run,
        on_event: OnEvent | None,
        *,
        refresh: bool,
        taken: Mapping[str, Thing] | None = None,
    ) -> Preview:
        _phase(on_event, "preview")
        things = [*self.region.things(run.stack.deployment), *(taken or {}).values()]
        holdings = Holdings(things, real=refresh)
        looking = LookingPass(run, masker_for(run, self._key), holdings)
        self._serve(run, looking, on_event, dry_run=True)
        return looking.preview()

    def _make(
        self,
        run: Run,
        approved: Preview,
        on_event: OnEvent | None,
        cancel: Cancellation | None,
    ) -> ApplyResult:
        steps = Steps(run, self.region, on_event=on_event, cancel=cancel)
        making = MakingPass(
            run,
            masker_for(run, self._key),
            Holdings(self.region.things(run.stack.deployment)),
            approved=approved,
            region=self.region,
            steps=steps,
            local=self.local,
        )
        try:
            self._serve(run, making, on_event, dry_run=False)
            # A program may go on after a refusal; the operation does not.
            if steps.stopped is None:
                making.clear_away()
        except ProgramError as error:
            if steps.stopped is None:
                steps.stopped, steps.error = ApplyState.FAILED, error.message
        except RefusedError:
            pass
        if steps.stopped is None:
            self._save(run, making)
        return self._result(run, steps, making.exports)

    def _save(self, run: Run, making: Pass) -> None:
        plain, secret = _apart(making.exports)
        sealed = self._box.seal(json.dumps(secret).encode(), _context(run))
        self.region.save_outputs(run.stack.deployment, run.region.id, plain, sealed)

    def _result(self, run: Run, steps: Steps, exports: dict[str, Any] | None = None) -> ApplyResult:
        """Return how every resource of the stack was left, also those that were not come to."""
        outcomes = dict(steps.outcomes)
        for thing in self.region.things(run.stack.deployment):
            if thing.urn not in outcomes:
                outcomes[thing.urn] = _left(thing)
        plain, secret = _apart(exports or {}) if steps.stopped is None else ({}, {})
        return ApplyResult(
            state=steps.stopped or ApplyState.SUCCEEDED,
            outcomes=tuple(outcomes[urn] for urn in sorted(outcomes)),
            outputs=plain,
            secret_outputs=secret,
            error=masker_for(run, self._key).text(steps.error),
        )

    def _accept(self, run: Run, things: list[Thing]) -> None:
        for thing in things:
            if thing.drift:
                real = thing if thing.drift.get("missing") else drifted(thing)
                self.region.settle(thing, real.inputs, run.region.config)

    def _serve(self, run: Run, what: Pass, on_event: OnEvent | None, *, dry_run: bool) -> None:
        masker = what.masker
        session = self._host.program(order_for(run, dry_run=dry_run), run.limits)

        def log(severity: int, message: str, urn: str) -> None:
            if on_event is not None:
                text = _SEVERITIES.get(severity, "") + masker.text(message)
                on_event(EngineEvent(EventKind.LOG, text, urn))

        try:
            session.serve(what.take, on_log=log)
        except ProgramError as error:
            raise masked(error, masker) from None
        finally:
            session.close()


def _phase(on_event: OnEvent | None, name: str) -> None:
    if on_event is not None:
        on_event(EngineEvent(EventKind.PHASE, name))


def _context(run: Run) -> str:
    return f"embedded_stack:{run.stack.deployment}"


def _apart(exports: dict[str, Any]) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return plain exports, and in clear those that are secret or hold a secret."""
    secret = {n: values.clear(v) for n, v in exports.items() if values.contains(v, "$clear")}
    plain = {n: v for n, v in exports.items() if n not in secret}
    return plain, secret


def _left(thing: Thing) -> ResourceOutcome:
    ordered = thing.state in {"creating", "deleting"}
    return outcome(thing, ResourceState.UNKNOWN if ordered else ResourceState.SAME)


def _drift(thing: Thing) -> DriftFinding:
    if thing.drift.get("missing"):
        return DriftFinding(thing.urn, thing.type, thing.name, DriftKind.MISSING)
    return DriftFinding(thing.urn, thing.type, thing.name, DriftKind.CHANGED, finding(thing))
