"""Takes objects that somebody else made into a stack.

Pulumi's own ``import`` option refuses an object that differs from its program in anything, and
reads it without knowing what the program says: a server's port, which the cloud tells of in
another place, then looks like a reason to make another server. So the state is written here: each
object with what its program asks for, under the id that it has, and then read anew from its cloud.
What the cloud tells replaces what the program asks for; what it does not tell (how a port was
ordered) is taken as the program says it.

All of this happens in a scratch stack, a file in the operation's own folder, until the preview was
confirmed. Then the state that was previewed takes the place of the stack's, in one write.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from control_plane.adapters.program_host import values
from control_plane.adapters.program_host.evaluate import make_urn, masked, masker_for, order_for
from control_plane.adapters.program_host.host import ProgramHost
from control_plane.adapters.program_host.session import Call
from control_plane.adapters.pulumi import recovery
from control_plane.provisioning.graph import Preview
from control_plane.provisioning.ports import NotThereError, OnEvent, ProgramError, Run

if TYPE_CHECKING:
    from control_plane.adapters.pulumi.operation import Operation

_PROVIDERS = "pulumi:providers:"
_OPENSTACK = "pulumi:providers:openstack"
State = dict[str, Any]


def import_state(
    base: Mapping[str, Any], rows: list[dict[str, Any]], known: Mapping[str, str]
) -> State:
    """Return a state with more resources.

    Args:
        base: As exported; what it holds stays.
        rows: Resources in the form of an exported state, in the order in which they depend on each
            other; those that ``base`` has, and cloud's objects without an id, are left out.
        known: Ids of the objects, by URN.
    """
    new: State = deepcopy(dict(base))
    content = new.setdefault("deployment", {})
    there: list[dict[str, Any]] = content.get("resources") or []
    urns = {r["urn"] for r in there}
    for row in rows:
        if row["urn"] in urns:
            continue
        if row["custom"] and not row.get("id"):
            if row["urn"] not in known:
                continue
            row = {**row, "id": known[row["urn"]], "outputs": dict(row["inputs"])}  # noqa: PLW2901
        there.append(row)
        urns.add(row["urn"])
    content["resources"] = [_without_absent(row, urns) for row in there]
    return new


def released(state: Mapping[str, Any], urns: frozenset[str]) -> State:
    """Return a state that knows some resources no more; nothing in it refers to them."""
    new: State = deepcopy(dict(state))
    content = new.get("deployment") or {}
    kept = [r for r in content.get("resources") or [] if r["urn"] not in urns]
    left = {r["urn"] for r in kept}
    content["resources"] = [_without_absent(row, left) for row in kept]
    return new


def _without_absent(row: dict[str, Any], urns: set[str]) -> dict[str, Any]:
    """Return a resource without references to what the state does not hold."""
    by_property = {
        name: [u for u in found or () if u in urns]
        for name, found in (row.get("propertyDependencies") or {}).items()
    }
    depends = [u for u in row.get("dependencies") or () if u in urns]
    return {**row, "dependencies": depends, "propertyDependencies": by_property}


class Rehearsal:
    """Runs the program as though what is imported were in its state already.

    Args:
        run: What to run.
        packages: The providers that programs may use.
        known: Ids by URN of what is, or is to be, in the state.

    Attributes:
        rows: What was declared, in the form of an exported state.
        declared: The URNs of all that was declared.
    """

    def __init__(self, run: Run, packages: frozenset[str], known: Mapping[str, str]) -> None:
        from pulumi.runtime.proto import resource_pb2  # noqa: PLC0415 - only operations need it

        from control_plane.adapters.pulumi.reach import Reach  # noqa: PLC0415 - the same

        self._pb: Any = resource_pb2
        self._run = run
        self._known = known
        self._reach = Reach(run, packages)
        self.rows: list[dict[str, Any]] = []
        self.declared: set[str] = set()

    def play(self, host: ProgramHost, key: bytes) -> None:
        """Run it.

        Raises:
            ProgramError: The program did not end well.
        """
        session = host.program(order_for(self._run, dry_run=True, form="raw"), self._run.limits)
        try:
            session.serve(self._take)
        except ProgramError as error:
            raise masked(error, masker_for(self._run, key)) from None
        finally:
            session.close()

    def _take(self, call: Call) -> None:
        handlers: dict[str, Callable[[bytes], Any]] = {
            "RegisterResource": self._register,
            "ReadResource": self._read,
            "Invoke": self._invoke,
            "SupportsFeature": lambda _b: self._pb.SupportsFeatureResponse(hasSupport=False),
        }
        handler = handlers.get(call.method)
        if handler is not None:
            call.answer(handler(call.body).SerializeToString())
        elif call.method in {"RegisterResourceOutputs", "SignalAndWaitForShutdown"}:
            call.answer(b"")
        else:
            call.refuse(f"programs cannot use {call.method}", "UNIMPLEMENTED")

    def _register(self, body: bytes) -> Any:  # noqa: ANN401 - protobuf classes are made at run time
        request = self._pb.RegisterResourceRequest.FromString(body)
        self._reach.check_registration(request)
        if len(self.declared) > self._run.limits.resources:
            most = self._run.limits.resources
            raise ProgramError(f"the blueprint declares more than {most} resources")
        urn = self._urn(request)
        self.declared.add(urn)
        physical = self._known.get(urn, "")
        if request.type.startswith(_PROVIDERS):
            physical = physical or str(uuid.uuid5(uuid.NAMESPACE_URL, urn))
        self.rows.append(self._row(urn, request, physical))
        answer = self._pb.RegisterResourceResponse(urn=urn, id=physical)
        answer.object.CopyFrom(request.object)
        return answer

    def _row(self, urn: str, request: Any, physical: str) -> dict[str, Any]:  # noqa: ANN401
        row: dict[str, Any] = {
            "urn": urn,
            "type": request.type,
            "custom": bool(request.custom),
            "parent": request.parent,
            "dependencies": list(request.dependencies),
        }
        if not row["parent"]:
            del row["parent"]
        if not request.custom:
            return row
        said = values.read_struct(request.object)
        row |= {
            "inputs": _as_inputs(said),
            "propertyDependencies": {
                n: list(d.urns) for n, d in request.propertyDependencies.items()
            },
        }
        if request.type.startswith(_PROVIDERS):
            inputs = self._reading(request, row["inputs"])
            return {**row, "inputs": inputs, "outputs": dict(inputs), "id": physical}
        return {**row, "provider": request.provider}

    def _reading(self, request: Any, inputs: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401
        """With what a provider reads: its own inputs, if who it signs in as is there already.

        Else as the region's administrator, who may read every project; what is changed afterwards
        is changed as the program says.
        """
        if request.type != _OPENSTACK:
            return inputs
        new = {u for u in request.dependencies if u not in self._known and u in self.declared}
        unborn = any(not u.split("::")[2].startswith(_PROVIDERS) for u in new)
        credentials: Any = self._run.region.credentials.get("openstack") or {}
        if not unborn or not credentials:
            return inputs
        return {
            **{name: inputs[name] for name in ("authUrl", "region", "version") if name in inputs},
            "userName": credentials.get("user_name"),
            "password": {
                values.SIGNATURE: values.SECRET,
                "plaintext": json.dumps(str(credentials.get("password") or "")),
            },
            "tenantName": credentials.get("project_name"),
            "userDomainName": credentials.get("user_domain_name") or "Default",
            "projectDomainName": credentials.get("project_domain_name") or "Default",
        }

    def _read(self, body: bytes) -> Any:  # noqa: ANN401
        request = self._pb.ReadResourceRequest.FromString(body)
        self._reach.check_reading(request)
        answer = self._pb.ReadResourceResponse(urn=self._urn(request))
        answer.properties.CopyFrom(request.properties)
        return answer

    def _invoke(self, body: bytes) -> Any:  # noqa: ANN401
        # What a look-up would find, only the cloud knows: see ``evaluate.Collector``.
        request = self._pb.ResourceInvokeRequest.FromString(body)
        self._reach.check_invoke(request)
        answer = self._pb.ResourceInvokeResponse()
        found = getattr(answer, "return")
        found.CopyFrom(request.args)
        values.write_struct({"id": f"looked-up-by-{request.tok}"}, found)
        return answer

    def _urn(self, request: Any) -> str:  # noqa: ANN401
        stack = self._run.stack
        return make_urn(stack.stack, stack.project, request.parent, request.type, request.name)


class Importing:
    """One import into one stack, while it is held.

    Args:
        real: An operation on the stack.
        scratch: Makes one of the same stack's name on another state backend.
        existing: Ids by URN.
    """

    def __init__(
        self,
        real: "Operation",
        scratch: "Callable[[str], Operation]",
        existing: Mapping[str, str],
    ) -> None:
        self._real = real
        self._make_scratch = scratch
        self._existing = dict(existing)
        self._state: State = {}

    def preview(self, on_event: OnEvent | None) -> Preview:
        """Return what would be done; only a file in this operation's folder is written.

        Raises:
            NotThereError: Something is not there, or is declared by no program.
            EngineError: The region could not be read.
        """
        base = self._real.commands.exported() or {}
        present = {r["urn"]: str(r["id"]) for r in recovery.resources(base) if r.get("id")}
        others = {u: i for u, i in self._existing.items() if present.get(u, i) != i}
        if others:
            raise NotThereError(others)
        known = {**present, **self._existing}
        run, tools = self._real.run, self._real.tools
        rehearsal = Rehearsal(run, tools.cli.settings.packages, known)
        rehearsal.play(tools.host, tools.key)
        undeclared = {u: i for u, i in self._existing.items() if u not in rehearsal.declared}
        if undeclared:
            raise NotThereError(undeclared)
        folder = self._real.folder / f"scratch-{uuid.uuid4().hex[:8]}"
        folder.mkdir(mode=0o700)
        scratch = self._make_scratch(folder.as_uri())
        scratch.start()
        begun = base or scratch.commands.export()
        scratch.commands.write(import_state(begun, rehearsal.rows, known))
        new = sorted(u for u in self._existing if u not in present)
        scratch.patiently(lambda: scratch.commands.read_again(new), on_event)
        self._state = scratch.commands.export()
        read = {r["urn"] for r in recovery.resources(self._state)}
        gone = {u: i for u, i in self._existing.items() if u not in read}
        if gone:
            raise NotThereError(gone)
        found = scratch.preview(on_event, refresh=False)
        self._real.approve(scratch)
        return found

    def commit(self) -> None:
        """Let the stack hold what was previewed.

        Raises:
            EngineError: It is refused.
        """
        if self._real.commands.exported() is None:
            self._real.start()
        self._real.commands.write(self._state)


def _as_inputs(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return a program's inputs as a state has them, without what is not known yet."""
    return {
        name: recovery.as_state(value)
        for name, value in said.items()
        if value is not None and not values.contains(value, "$unknown")
    }
