"""Making it so: the steps that a program needs, carried out one by one."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from control_plane.adapters.embedded.local import (
    DEPLOYMENT,
    SECRET,
    LocalProcesses,
    Secrets,
    process_of,
)
from control_plane.adapters.embedded.passes import (
    Holdings,
    Pass,
    Wanted,
    answered,
    drifted,
    judge,
    merged,
)
from control_plane.adapters.embedded.region import SimulatedRegion
from control_plane.adapters.embedded.things import Fault, RefusedError, Thing
from control_plane.adapters.program_host import values
from control_plane.adapters.program_host.trees import differences
from control_plane.provisioning.graph import (
    ApplyState,
    Change,
    EngineEvent,
    EventKind,
    Op,
    Preview,
    Progress,
    PropertyChange,
    ResourceOutcome,
    ResourceState,
)
from control_plane.provisioning.ports import Cancellation, OnEvent, Run

_TICK_SECONDS = 0.02
_DONE = {
    Op.CREATE: ResourceState.CREATED,
    Op.UPDATE: ResourceState.UPDATED,
    Op.REPLACE: ResourceState.REPLACED,
    Op.SAME: ResourceState.SAME,
    Op.READ: ResourceState.SAME,
    Op.DELETE: ResourceState.DELETED,
}


class Steps:
    """Carries out single steps, with their faults, events and outcomes.

    ``stopped`` says why no further step is begun: failed or cancelled.
    """

    def __init__(
        self,
        run: Run,
        region: SimulatedRegion,
        *,
        on_event: OnEvent | None,
        cancel: Cancellation | None,
    ) -> None:
        self._run = run
        self._region = region
        self._on_event = on_event
        self._cancel = cancel
        self._deadline = time.monotonic() + run.limits.operation_seconds
        self.stopped: ApplyState | None = None
        self.error = ""
        self.outcomes: dict[str, ResourceOutcome] = {}

    def stop_if_asked(self) -> None:
        """Begin no further step once the operation was cancelled, failed or took too long.

        Raises:
            RefusedError: No further step may begin.
        """
        if self.stopped is None and self._cancel is not None and self._cancel.is_set():
            self.stopped, self.error = ApplyState.CANCELLED, "The operation was cancelled."
        if self.stopped is None and time.monotonic() > self._deadline:
            self.stopped = ApplyState.FAILED
            self.error = f"It took longer than {self._run.limits.operation_seconds:g} s."
        if self.stopped is not None:
            raise RefusedError("no further step is begun: " + self.error)

    def do(
        self,
        change: Change,
        begin: Callable[[], Thing],
        finish: Callable[[Thing], Thing],
    ) -> Thing:
        """Carry out one step: its order, what may go wrong in between, and its confirmation.

        Raises:
            RefusedError: The region refused; the operation stops.
        """
        self.stop_if_asked()
        self._tell(change, Progress.STARTED)
        op = "create" if change.op is Op.REPLACE else change.op.value
        fault = self._region.next_fault(self._run.region.id, change.type, change.name, op)
        thing: Thing | None = None
        try:
            _refuse(fault)
            thing = begin()
            self._wait(fault)
            thing = finish(thing)
        except RefusedError as error:
            self._failed(change, thing, str(error))
            raise
        self.outcomes[change.urn] = outcome(thing, _DONE[change.op])
        self._tell(change, Progress.DONE)
        return thing

    def _wait(self, fault: Fault | None) -> None:
        if fault is None or fault.kind == "fail":
            return
        end = min(time.monotonic() + fault.seconds, self._deadline)
        while time.monotonic() < end:
            if self._cancel is not None and self._cancel.is_set() and fault.kind == "hang":
                self.stopped, self.error = ApplyState.CANCELLED, "The operation was cancelled."
                raise RefusedError("it was cancelled before the region answered")
            time.sleep(_TICK_SECONDS)
        if fault.kind == "hang":
            raise RefusedError("the region did not answer in time")

    def _failed(self, change: Change, thing: Thing | None, message: str) -> None:
        self.stopped = self.stopped or ApplyState.FAILED
        self.error = self.error or f"{change.name} ({change.type}): {message}"
        if thing is None:
            result = ResourceOutcome(
                change.urn, change.type, change.name, ResourceState.FAILED, error=message
            )
        else:
            # It was ordered, and nobody knows whether it stands.
            result = replace(outcome(thing, ResourceState.UNKNOWN), error=message)
        self.outcomes[change.urn] = result
        self._tell(change, Progress.FAILED, message)

    def _tell(self, change: Change, progress: Progress, message: str = "") -> None:
        if self._on_event is not None:
            self._on_event(
                EngineEvent(
                    EventKind.RESOURCE,
                    message,
                    change.urn,
                    change.type,
                    change.name,
                    change.op,
                    progress,
                )
            )

    def end(self, thing: Thing) -> None:
        """Delete one object.

        Raises:
            RefusedError: The region refused; the operation stops.
        """
        change = Change(thing.urn, thing.type, thing.name, Op.DELETE)

        def begin() -> Thing:
            if thing.protected:
                raise RefusedError("it is protected and cannot be deleted")
            self._region.order_end(thing)
            return thing

        def finish(ordered: Thing) -> Thing:
            self._region.end(ordered)
            return replace(ordered, computed={})

        before = self.outcomes.get(thing.urn)
        self.do(change, begin, finish)
        if before is not None:
            # The old object of a replacement: what counts is the new one.
            self.outcomes[thing.urn] = before


def _refuse(fault: Fault | None) -> None:
    if fault is not None and fault.kind == "fail":
        raise RefusedError(fault.message)


def outcome(thing: Thing, state: ResourceState) -> ResourceOutcome:
    """Return how an object was left."""
    gone = state is ResourceState.DELETED
    return ResourceOutcome(
        urn=thing.urn,
        type=thing.type,
        name=thing.name,
        state=state,
        physical_id="" if gone else thing.physical_id,
        outputs={} if gone else merged(dict(thing.inputs), dict(thing.computed)),
        depends_on=thing.depends_on,
    )


class MakingPass(Pass):
    """Makes it so, within what a preview showed."""

    def __init__(
        self,
        run: Run,
        masker: values.Masker,
        holdings: Holdings,
        *,
        approved: Preview,
        region: SimulatedRegion,
        steps: Steps,
        local: LocalProcesses,
    ) -> None:
        super().__init__(run, masker, holdings)
        self._local = local
        self._secrets = Secrets()
        self._approved = approved
        self._region = region
        self._steps = steps
        self._facts = run.region.config
        self._capacity: Mapping[str, Any] = capacity_of(run)

    def realise(self, wanted: Wanted) -> dict[str, Any]:
        """Carry out what the resource needs, and answer with what the region made of it."""
        change = judge(wanted, self.holdings)
        self._steps.stop_if_asked()
        if Preview((change,)).beyond(self._approved):
            self._steps.stopped = ApplyState.FAILED
            self._steps.error = f"{change.name}: {change.op} was not in the plan"
            raise RefusedError(self._steps.error)
        if change.op is Op.SAME:
            thing = self.holdings.current[wanted.urn]
            self._steps.outcomes[wanted.urn] = outcome(thing, ResourceState.SAME)
        else:
            if change.op is Op.REPLACE:
                self._make_room(wanted)
            thing = self._steps.do(change, lambda: self._begin(wanted, change), self._finish)
            self._keep(thing)
        self._run_here(wanted)
        return {"id": thing.physical_id, "outputs": answered(wanted, thing)}

    def _run_here(self, wanted: Wanted) -> None:
        """Let a bundled workload's Deployment run as a local process."""
        if wanted.type == SECRET:
            self._secrets.note(wanted.clear)
        elif wanted.type == DEPLOYMENT:
            found = process_of(self.run.stack.deployment, wanted.urn, wanted.clear, self._secrets)
            if found is not None:
                self._local.put(found)

    def _make_room(self, wanted: Wanted) -> None:
        """End an object of Kubernetes before the next: there cannot be two of one name."""
        old = self.holdings.current.get(wanted.urn)
        if old is not None and old.type.startswith("kubernetes:") and old.inputs != wanted.inputs:
            self._steps.end(old)
            del self.holdings.current[wanted.urn]

    def _begin(self, wanted: Wanted, change: Change) -> Thing:
        old = self.holdings.current.get(wanted.urn)
        if change.op is Op.UPDATE and old is not None:
            return self._region.change(
                old,
                wanted.inputs,
                (p.path for p in change.properties),
                capacity=self._capacity,
                facts=self._facts,
                depends_on=wanted.depends_on,
            )
        if old is not None and (old.inputs == wanted.inputs or not change.properties):
            # It was ordered before; or only the end of the old object is missing.
            return old
        return self._region.order(
            Thing(
                deployment=self.run.stack.deployment,
                urn=wanted.urn,
                region=self.run.region.id,
                type=wanted.type,
                name=wanted.name,
                generation=self.holdings.next_generation(wanted.urn),
                protected=wanted.protected,
                place=wanted.place,
                inputs=_known(wanted.inputs),
                depends_on=wanted.depends_on,
            ),
            self._capacity,
            self._facts,
        )

    def _finish(self, thing: Thing) -> Thing:
        return self._region.confirm(thing) if thing.state == "creating" else thing

    def _keep(self, thing: Thing) -> None:
        old = self.holdings.current.get(thing.urn)
        if old is not None and old.generation != thing.generation:
            self.holdings.leftovers.append(old)
        self.holdings.current[thing.urn] = thing

    def clear_away(self) -> None:
        """Delete what the program does not declare any more, and what was replaced.

        Raises:
            RefusedError: The region refused; the operation stops.
        """
        unwanted = [t for t in self.holdings.current.values() if t.urn not in self.seen]
        doomed = sorted((*unwanted, *self.holdings.leftovers), key=lambda t: -t.position)
        for thing in doomed:
            self._steps.end(thing)


def _known(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return inputs as they are stored; while making, nothing may be unknown."""
    if values.contains(inputs, "$unknown"):
        raise RefusedError("a value that it needs is not known: what it depends on was not made")
    return inputs


def capacity_of(run: Run) -> Mapping[str, Any]:
    """Return how much the region has: ``embedded.capacity`` in its facts; unbounded without."""
    embedded = run.region.config.get("embedded")
    found = embedded.get("capacity") if isinstance(embedded, dict) else None
    return found if isinstance(found, dict) else {}


def finding(thing: Thing) -> tuple[PropertyChange, ...]:
    """Return what somebody changed on an object."""
    return differences(thing.inputs, drifted(thing).inputs)
