"""One run of a program against the simulated region: to look, or to make it so."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from control_plane.adapters.embedded import rules
from control_plane.adapters.embedded.things import RefusedError, Thing
from control_plane.adapters.program_host import values
from control_plane.adapters.program_host.evaluate import make_urn, provider_of
from control_plane.adapters.program_host.session import Call
from control_plane.adapters.program_host.trees import differences
from control_plane.provisioning.graph import (
    STACK_TYPE,
    Change,
    Op,
    Preview,
    by_urn,
)
from control_plane.provisioning.paths import assign
from control_plane.provisioning.ports import ProgramError, Run

_PROVIDERS = "pulumi:providers:"


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
        self._refuse_impossible(request)
        return {"urn": urn, **self.realise(self._wanted(urn, request))}

    def _refuse_impossible(self, request: dict[str, Any]) -> None:
        unknown = rules.refusal(request["type"], self.run.region.kinds)
        if unknown:
            raise RefusedError(unknown)
        for option in ("import_id", "retain_on_delete", "remote"):
            if request[option]:
                raise RefusedError(f"the embedded engine cannot do {option} ({request['name']})")

    def _wanted(self, urn: str, request: dict[str, Any]) -> Wanted:
        _, provider = provider_of(request["provider"])
        depends = {str(d) for d in request["depends_on"]} | ({provider} if provider else set())
        clear = dict(request["inputs"])
        masked = self.masker.mask(clear)
        old = self.holdings.current.get(urn)
        for name in request["ignore_changes"]:
            if old is not None and name in old.inputs:
                masked[name] = old.inputs[name]
            elif old is not None:
                masked.pop(name, None)
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


def answered(wanted: Wanted, thing: Thing) -> dict[str, Any]:
    """Return what a program is told of an object: what it asked for and what the cloud added."""
    secrets = rules.given_secrets(thing.type, thing.physical_id)
    found: dict[str, Any] = merged(wanted.clear, {**thing.computed, **secrets})
    return found


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
        return {"id": thing.physical_id, "outputs": answered(wanted, thing)}

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
