"""Evaluates a program to its resource graph: no engine, no cloud, no state.

Every resource is answered with what the program itself said; all that only a cloud would know
stays unknown. Secrets are masked in the program's process, before they leave it.
"""

import json
from collections.abc import Mapping
from typing import Any

from control_plane.adapters.program_host.host import Order, ProgramHost
from control_plane.adapters.program_host.session import Call
from control_plane.adapters.program_host.values import Masker, stack_key
from control_plane.provisioning.graph import STACK_TYPE, Graph, ResourceNode
from control_plane.provisioning.ports import ProgramError, Run

_PROVIDER_TYPE = "pulumi:providers:"


def order_for(
    run: Run, *, dry_run: bool, form: str = "json", mask_key: bytes | None = None
) -> Order:
    """Return what a run's program is told; the configuration that blueprints rely on."""
    project = run.stack.project
    config = {f"{project}:{k}": json.dumps(v) for k, v in run.configuration().items()}
    secret = f"{project}:credentials"
    config[secret] = json.dumps(run.secrets())
    return Order(
        folder=run.program.path,
        project=project,
        stack=run.stack.stack,
        config=config,
        secret_keys=(secret,),
        form=form,
        dry_run=dry_run,
        mask_key=mask_key,
    )


def masker_for(run: Run, key: bytes) -> Masker:
    """Return what masks the secrets of a run."""
    return Masker(stack_key(key, run.stack.deployment), run.secrets())


def make_urn(stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """Return the URN that Pulumi gives a resource.

    ``urn:pulumi:<stack>::<project>::<parent type>$<type>::<name>``; the stack itself is no parent.
    """
    qualified = type_
    if parent:
        above = parent.split("::")[2]
        if above != STACK_TYPE:
            qualified = f"{above}${type_}"
    return f"urn:pulumi:{stack}::{project}::{qualified}::{name}"


def provider_of(reference: str) -> tuple[str, str]:
    """Return type and URN of the provider in a reference ``urn::id``; empty when there is none."""
    urn = reference.rpartition("::")[0]
    if not urn:
        return "", ""
    return urn.split("::")[2].rpartition("$")[2], urn


class Collector:
    """Answers a program's calls as previews do, and remembers what it declared."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._nodes: dict[str, ResourceNode] = {}
        self._root = ""
        self._outputs: Mapping[str, Any] = {}

    def graph(self) -> Graph:
        """Return what was declared, in its stable order."""
        nodes = (self._nodes[urn] for urn in sorted(self._nodes))
        return Graph(tuple(nodes), dict(sorted(self._outputs.items())))

    def take(self, call: Call) -> None:
        """Answer one call.

        Raises:
            ProgramError: The call is malformed, or there are too many.
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
            call.answer(handler(call.request()))
        except (KeyError, TypeError, AttributeError, IndexError):
            raise ProgramError("the blueprint's program spoke nonsense on its channel") from None

    def _register(self, request: dict[str, Any]) -> dict[str, Any]:
        urn = self._urn(request)
        if request["type"] == STACK_TYPE:
            self._root = urn
            return {"urn": urn}
        if urn in self._nodes:
            raise ProgramError(
                f"the blueprint declares two resources of type {request['type']} "
                f"with the name {request['name']!r}"
            )
        if len(self._nodes) >= self._run.limits.resources:
            raise ProgramError(f"the blueprint declares more than {len(self._nodes)} resources")
        self._nodes[urn] = node_of(urn, request, self._root)
        return {"urn": urn, "echo": True}

    def _read(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"urn": self._urn(request), "echo": True}

    def _register_outputs(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["urn"] == self._root:
            self._outputs = dict(request["outputs"])
        return {}

    def _invoke(self, request: dict[str, Any]) -> dict[str, Any]:
        # What a look-up would find, only the cloud knows. The SDK's typed results take no unknown,
        # so the id is a text that says what it stands for.
        return {"echo": True, "outputs": {"id": f"looked-up-by-{request['token']}"}}

    def _urn(self, request: dict[str, Any]) -> str:
        stack = self._run.stack
        return make_urn(
            stack.stack, stack.project, request["parent"], request["type"], request["name"]
        )


def node_of(urn: str, request: dict[str, Any], root: str) -> ResourceNode:
    """Return the node of a registration whose values are masked already."""
    provider, provider_urn = provider_of(request.get("provider") or "")
    depends = {str(d) for d in request["depends_on"]}
    if provider_urn:
        depends.add(provider_urn)
    parent = request["parent"]
    return ResourceNode(
        urn=urn,
        logical_name=str(request["name"]),
        type=str(request["type"]),
        inputs=dict(request["inputs"]),
        depends_on=tuple(sorted(depends)),
        parent=parent if parent and parent != root else None,
        provider=provider,
        custom=bool(request["custom"]),
    )


def evaluate(host: ProgramHost, run: Run, key: bytes) -> Graph:
    """Return the graph of a run's program; what both engines' ``evaluate`` does.

    Raises:
        ProgramError: The program did not end well.
        EngineError: It could not be started.
    """
    collector = Collector(run)
    masker = masker_for(run, key)
    order = order_for(run, dry_run=True, mask_key=stack_key(key, run.stack.deployment))
    session = host.program(order, run.limits)
    try:
        session.serve(collector.take)
    except ProgramError as error:
        raise masked(error, masker) from None
    finally:
        session.close()
    return collector.graph()


def masked(error: ProgramError, masker: Masker) -> ProgramError:
    """Return the error without secrets, in what it says and in what the program printed."""
    details = {k: masker.text(v) if isinstance(v, str) else v for k, v in error.details.items()}
    return ProgramError(masker.text(error.message), **details)
