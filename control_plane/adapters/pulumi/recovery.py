"""What an operation that was cut off leaves in a stack's state, and how it is put right.

The state names the operations that were begun and never confirmed, when the CLI was killed; notes
of our own name what a provider or a cloud went away from before it answered. An update, read or
deletion is done again by the next operation. A creation may have happened: the object is looked up
in its cloud, by the marks that every resource carries, and taken into the state when it is there,
so that no second one is made and none is left outside.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from control_plane.adapters.program_host import values

if TYPE_CHECKING:
    from control_plane.adapters.pulumi.language import Registration

_CREATING = "creating"
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Pending:
    """A creation that was begun and never confirmed, or that failed.

    Attributes:
        urn: The resource's URN.
        type: Pulumi type token.
        name: Logical name.
        deployment: Whose it is; in the resource's marks.
        inputs: What was asked for, in clear.
        provider: Inputs of its provider, in clear: how the cloud is reached.
        known: Ids of the resource's objects that the state holds, such as the one that is being
            replaced: it has the same marks and is not the one that is looked for.
    """

    urn: str
    type: str
    name: str
    deployment: str
    inputs: Mapping[str, Any]
    provider: Mapping[str, Any]
    known: frozenset[str] = field(default=frozenset())


Explain = Callable[["Pending", str], str]
"""Returns what a cloud says of an object that failed, by its id; empty when it says nothing."""

Lookup = Callable[[Pending], str | None]
"""Finds the id of an object that was made for a pending creation; None when there is none.

It raises when the cloud does not answer: then nothing may be forgotten.
"""


def resources(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the resources of an exported state."""
    found: list[dict[str, Any]] = (state.get("deployment") or {}).get("resources") or []
    return found


def unconfirmed(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the operations of an exported state that were begun and never confirmed."""
    found: list[dict[str, Any]] = (state.get("deployment") or {}).get("pending_operations") or []
    return found


def unread(state: Mapping[str, Any]) -> set[str]:
    """Return the URNs of what was taken into an exported state and never read from its cloud."""
    return {
        r["urn"]
        for r in resources(state)
        if r.get("custom")
        and r.get("id")
        and not (r.get("outputs") or r.get("delete"))
        and not r["type"].startswith("pulumi:providers:")
    }


def pending(state: Mapping[str, Any], urns: Iterable[str]) -> list[dict[str, Any]]:
    """Return those resources of these URNs whose creation an exported state has as pending."""
    wanted = set(urns)
    return [
        operation["resource"]
        for operation in unconfirmed(state)
        if operation["type"] == _CREATING and operation["resource"]["urn"] in wanted
    ]


def creations(state: Mapping[str, Any], deployment: str) -> list[Pending]:
    """Return the pending creations in an exported state (with its secrets in clear)."""
    return [
        describe(state, operation["resource"], deployment)
        for operation in unconfirmed(state)
        if operation["type"] == _CREATING
    ]


def search(
    creations: Iterable[Pending], lookup: Callable[[str], Lookup | None], seconds: float
) -> dict[str, str]:
    """Return the ids of the objects that were made, by URN.

    A cloud may still be at work on a request whose asker is gone, and what it makes then is found
    only later: what is not there at first is looked for again.

    Args:
        creations: What is looked for.
        lookup: What finds an object of a type; None for a type that needs no looking for.
        seconds: How long a cloud may be at work on what it was asked.

    Raises:
        Exception: A cloud does not answer; each one's client has errors of its own.
    """
    found: dict[str, str] = {}
    left = [(each, find) for each in creations if (find := lookup(each.type)) is not None]
    end = time.monotonic() + seconds
    while True:
        for each, find in left:
            physical = find(each)
            if physical:
                found[each.urn] = physical
        left = [(each, find) for each, find in left if each.urn not in found]
        if not left or time.monotonic() >= end:
            return found
        time.sleep(min(_PAUSE_SECONDS, seconds))


def describe(state: Mapping[str, Any], resource: Mapping[str, Any], deployment: str) -> Pending:
    """Return a resource of an exported state (with its secrets in clear), and its provider."""
    provider = _provider(state, resource)
    known = (str(r.get("id") or "") for r in resources(state) if r["urn"] == resource["urn"])
    return Pending(
        urn=resource["urn"],
        type=resource["type"],
        name=resource["urn"].split("::", 3)[3],
        deployment=deployment,
        inputs=_clear(resource.get("inputs") or {}),
        provider={} if provider is None else _clear(provider.get("inputs") or {}),
        known=frozenset(known) - {""},
    )


def has_provider(state: Mapping[str, Any], resource: Mapping[str, Any]) -> bool:
    """Tell whether the provider by which a resource was asked for is in an exported state."""
    return _provider(state, resource) is not None


def _provider(state: Mapping[str, Any], resource: Mapping[str, Any]) -> Mapping[str, Any] | None:
    wanted = resource.get("provider")
    return next((r for r in resources(state) if f"{r['urn']}::{r.get('id', '')}" == wanted), None)


def _clear(tree: Any) -> dict[str, Any]:  # noqa: ANN401
    found: dict[str, Any] = values.clear(values.read_json(tree))
    return found


def as_resource(urn: str, registered: "Registration") -> dict[str, Any]:
    """Return a resource in the form of an exported state, from what the program registered."""
    return {
        "urn": urn,
        "type": registered.type,
        "custom": True,
        "inputs": {name: as_state(value) for name, value in registered.inputs.items()},
        "parent": registered.parent,
        "provider": registered.provider,
        "dependencies": list(registered.dependencies),
        "propertyDependencies": {n: list(urns) for n, urns in registered.by_property.items()},
    }


def as_state(value: Any) -> Any:  # noqa: ANN401
    """Return a property in the form of an exported state; the import seals its secrets."""
    if isinstance(value, Mapping):
        if "$clear" in value:
            text = json.dumps(values.clear(value["$clear"]))
            return {values.SIGNATURE: values.SECRET, "plaintext": text}
        if "$asset" in value:
            return None
        return {name: as_state(item) for name, item in value.items()}
    if isinstance(value, list):
        return [as_state(item) for item in value]
    return value


def with_pending(state: Mapping[str, Any], made: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a state in which more creations are pending: of what may have been made."""
    new: dict[str, Any] = deepcopy(dict(state))
    pending = new["deployment"].get("pending_operations") or []
    known = {operation["resource"]["urn"] for operation in pending}
    pending += [{"resource": dict(r), "type": _CREATING} for r in made if r["urn"] not in known]
    new["deployment"]["pending_operations"] = pending
    return new


def with_doubles(
    state: Mapping[str, Any], doubles: Iterable[tuple[Mapping[str, Any], str]]
) -> dict[str, Any]:
    """Return a state with objects that are there besides their resource's own, to be deleted.

    The next update or destruction deletes them, as it does what a replacement has left.

    Args:
        state: As exported.
        doubles: Resources as they were asked for, each with the id of the object.
    """
    new: dict[str, Any] = deepcopy(dict(state))
    new["deployment"]["resources"] += [
        {**resource, "id": physical, "outputs": {}, "delete": True}
        for resource, physical in doubles
    ]
    return new


def resolved(state: Mapping[str, Any], found: Mapping[str, str]) -> dict[str, Any]:
    """Return a state without pending operations, with the objects that were found.

    Args:
        state: As exported.
        found: Ids by URN.
    """
    new: dict[str, Any] = deepcopy(dict(state))
    content = new["deployment"]
    for operation in content.pop("pending_operations", None) or []:
        resource = operation["resource"]
        physical = found.get(resource["urn"])
        if operation["type"] == _CREATING and physical:
            # A replacement's old object keeps its place as one to be deleted.
            for other in content["resources"]:
                if other["urn"] == resource["urn"]:
                    other["delete"] = True
            content["resources"].append({**resource, "id": physical, "outputs": {}})
    return new
