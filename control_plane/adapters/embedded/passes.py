"""One run of a program against the simulated region: to look, or to make it so."""

import copy
import itertools
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from control_plane.adapters.embedded import rules
from control_plane.adapters.embedded.region import Fault, RefusedError, SimulatedRegion, Thing
from control_plane.adapters.program_host import values
from control_plane.adapters.program_host.evaluate import make_urn, provider_of
from control_plane.adapters.program_host.host import Call
from control_plane.adapters.program_host.trees import differences
from control_plane.provisioning.graph import (
    STACK_TYPE,
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
    by_urn,
)
from control_plane.provisioning.ports import Cancellation, OnEvent, ProgramError, Run

_PROVIDERS = "pulumi:providers:"
_STEP = re.compile(r'\.?([^.\[\]]+)|\[(\d+)\]|\["([^"]+)"\]')
_TICK_SECONDS = 0.02
_DONE = {
    Op.CREATE: ResourceState.CREATED,
    Op.UPDATE: ResourceState.UPDATED,
    Op.REPLACE: ResourceState.REPLACED,
    Op.SAME: ResourceState.SAME,
    Op.READ: ResourceState.SAME,
    Op.DELETE: ResourceState.DELETED,
}


def assign(tree: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return a tree with one property changed; the path is one of ``differences``."""
    changed: Any = copy.deepcopy(dict(tree))
    steps: list[Any] = [
        int(index) if index else name or quoted for name, index, quoted in _STEP.findall(path)
    ]
    at = changed
    for step, following in itertools.pairwise(steps):
        if isinstance(step, str):
            at = at.setdefault(step, [] if isinstance(following, int) else {})
        else:
            at = at[step]
    if isinstance(at, list) and steps[-1] == len(at):
        at.append(value)
    else:
        at[steps[-1]] = value
    return dict(changed)


def merged(below: Any, above: Any) -> Any:  # noqa: ANN401 - JSON
    """Return two trees as one; where both have a value, that of ``above`` holds."""
    if isinstance(below, Mapping) and isinstance(above, Mapping) and "$clear" not in below:
        names = [*below, *(n for n in above if n not in below)]
        return {
            n: merged(below[n], above[n])
            if n in below and n in above
            else above.get(n, below.get(n))
            for n in names
        }
    return above


def drifted(thing: Thing) -> Thing:
    """Return an object as it really is, after what somebody did to it."""
    inputs = dict(thing.inputs)
    for path, value in thing.drift.items():
        inputs = assign(inputs, path, value)
    return replace(thing, inputs=inputs)


class Holdings:
    """What a stack holds: the objects that stand, and those that are to go.

    Args:
        things: All objects of a deployment.
        real: Look at what really is instead of at the record.
    """

    def __init__(self, things: Iterable[Thing], *, real: bool = False) -> None:
        self.current: dict[str, Thing] = {}
        self.leftovers: list[Thing] = []
        for thing in sorted(things, key=lambda t: t.generation):
            if real and thing.drift.get("missing"):
                continue
            old = self.current.pop(thing.urn, None)
            if old is not None:
                self.leftovers.append(old)
            if thing.state == "deleting":
                self.leftovers.append(thing)
            else:
                self.current[thing.urn] = drifted(thing) if real else thing

    def next_generation(self, urn: str) -> int:
        """Return the generation that a new object gets."""
        known = [t.generation for t in (*self.current.values(), *self.leftovers) if t.urn == urn]
        return max(known, default=-1) + 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """A resource as the program wants it: ``inputs`` masked, ``clear`` not."""

    urn: str
    type: str
    name: str
    inputs: dict[str, Any]
    clear: dict[str, Any]
    depends_on: tuple[str, ...]
    place: str
    protected: bool
    replace_on: tuple[str, ...]


def judge(wanted: Wanted, holdings: Holdings) -> Change:
    """Say what must happen to a resource."""
    thing = holdings.current.get(wanted.urn)
    if thing is None or thing.state == "creating":
        op, properties = Op.CREATE, differences({}, wanted.inputs)
    else:
        properties = differences(
            thing.inputs, wanted.inputs, rules.forces(wanted.type, wanted.replace_on)
        )
        left = any(t.urn == wanted.urn for t in holdings.leftovers)
        if any(p.forces_replacement for p in properties):
            op = Op.REPLACE
        elif properties:
            op = Op.UPDATE
        else:
            # A replacement that was cut off before the old object went.
            op = Op.REPLACE if left else Op.SAME
    return Change(wanted.urn, wanted.type, wanted.name, op, properties)


class Pass:
    """Answers a program's calls; what becomes of a resource is up to the kind of pass."""

    def __init__(self, run: Run, masker: values.Masker, holdings: Holdings) -> None:
        self.run = run
        self.holdings = holdings
        self.masker = masker
        self.seen: set[str] = set()
        self.exports: dict[str, Any] = {}
        self._root = ""
        self._providers: dict[str, dict[str, Any]] = {}

    def realise(self, wanted: Wanted) -> dict[str, Any]:
        """Return the answer for one resource: ``id`` and ``outputs``."""
        raise NotImplementedError

    def take(self, call: Call) -> None:
        """Answer one call.

        Raises:
            ProgramError: The call is malformed or too much.
        """
        handler = {
            "RegisterResource": self._register,
            "ReadResource": self._read,
            "RegisterResourceOutputs": self._register_outputs,
            "Invoke": self._invoke,
        }.get(call.method)
        if handler is None:
            call.refuse(f"programs cannot use {call.method}", "UNIMPLEMENTED")
            return
        try:
            answer = handler(call.request())
        except RefusedError as error:
            call.refuse(str(error), "ABORTED")
        except (KeyError, TypeError, AttributeError, IndexError):
            raise ProgramError("the blueprint's program spoke nonsense on its channel") from None
        else:
            call.answer(answer)

    def _register(self, request: dict[str, Any]) -> dict[str, Any]:
        urn = self._urn(request)
        if request["type"] == STACK_TYPE:
            self._root = urn
            return {"urn": urn}
        if urn in self.seen:
            raise ProgramError(
                f"the blueprint declares two resources of type {request['type']} "
                f"with the name {request['name']!r}"
            )
        if len(self.seen) >= self.run.limits.resources:
            raise ProgramError(f"the blueprint declares more than {len(self.seen)} resources")
        self.seen.add(urn)
        if request["type"].startswith(_PROVIDERS):
            self._providers[urn] = self.masker.mask(request["inputs"])
            return {"urn": urn, "id": f"provider-{request['name']}", "outputs": request["inputs"]}
        if not request["custom"]:
            return {"urn": urn}
        for option in ("import_id", "retain_on_delete", "remote"):
            if request[option]:
                raise RefusedError(f"the embedded engine cannot do {option} ({request['name']})")
        return {"urn": urn, **self.realise(self._wanted(urn, request))}

    def _wanted(self, urn: str, request: dict[str, Any]) -> Wanted:
        _, provider = provider_of(request["provider"])
        depends = {str(d) for d in request["depends_on"]} | ({provider} if provider else set())
        clear = dict(request["inputs"])
        masked = self.masker.mask(clear)
        old = self.holdings.current.get(urn)
        for name in request["ignore_changes"]:
            if old is not None and name in old.inputs:
                masked[name] = old.inputs[name]
        return Wanted(
            urn=urn,
            type=request["type"],
            name=request["name"],
            inputs=masked,
            clear=clear,
            depends_on=tuple(sorted(depends)),
            place=_place(request["type"], masked, self._providers.get(provider, {})),
            protected=request["protect"],
            replace_on=tuple(request["replace_on_changes"]),
        )

    def _read(self, request: dict[str, Any]) -> dict[str, Any]:
        for thing in self.holdings.current.values():
            if thing.physical_id == request["id"]:
                outputs = merged(dict(thing.inputs), dict(thing.computed))
                return {"urn": self._urn(request), "outputs": outputs}
        raise RefusedError(f"{request['type']} {request['id']!r} was not found")

    def _register_outputs(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["urn"] == self._root:
            self.exports = dict(sorted(request["outputs"].items()))
        return {}

    def _invoke(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a look-up: the simulated region has one of whatever is asked for."""
        token = str(request["token"])
        around = rules.Surroundings(
            self.run.region.id,
            f"{token}|{self.masker.digest(request['args'])}",
            0,
            lambda _r: None,
            lambda _p: frozenset(),
        )
        return {"outputs": {**request["args"], "id": around.id()}}

    def _urn(self, request: dict[str, Any]) -> str:
        stack = self.run.stack
        return make_urn(
            stack.stack, stack.project, request["parent"], request["type"], request["name"]
        )


def _place(type_: str, inputs: Mapping[str, Any], provider: Mapping[str, Any]) -> str:
    """Return the namespace or project that an object is in; empty when nobody can say."""
    if type_.startswith("kubernetes:"):
        found = (inputs.get("metadata") or {}).get("namespace") or provider.get("namespace")
    else:
        found = provider.get("tenantId") or provider.get("tenantName")
    return found if isinstance(found, str) else ""


class LookingPass(Pass):
    """Finds out what would happen."""

    def __init__(self, run: Run, masker: values.Masker, holdings: Holdings) -> None:
        super().__init__(run, masker, holdings)
        self._changes: list[Change] = []

    def realise(self, wanted: Wanted) -> dict[str, Any]:
        """Answer as a preview does: what is to be made has no id yet."""
        change = judge(wanted, self.holdings)
        self._changes.append(change)
        thing = self.holdings.current.get(wanted.urn)
        if thing is None or change.op in {Op.CREATE, Op.REPLACE}:
            return {"outputs": wanted.clear}
        return {
            "id": thing.physical_id,
            "outputs": merged(wanted.clear, dict(thing.computed)),
        }

    def preview(self) -> Preview:
        """Return what would happen, deletions included."""
        gone = [
            Change(t.urn, t.type, t.name, Op.DELETE)
            for t in self.holdings.current.values()
            if t.urn not in self.seen
        ]
        known = {c.urn for c in (*self._changes, *gone)}
        gone += [
            Change(t.urn, t.type, t.name, Op.DELETE)
            for t in self.holdings.leftovers
            if t.urn not in known
        ]
        outputs = {name: self.masker.mask(value) for name, value in self.exports.items()}
        return Preview(by_urn((*self._changes, *gone)), outputs)


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
    ) -> None:
        super().__init__(run, masker, holdings)
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
            thing = self._steps.do(change, lambda: self._begin(wanted, change), self._finish)
            self._keep(thing)
        return {
            "id": thing.physical_id,
            "outputs": merged(wanted.clear, dict(thing.computed)),
        }

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
