"""What an operation that was killed leaves in a stack's state, and how it is put right.

The state names the operations that were begun and never confirmed. An update, read or deletion is
done again by the next operation. A creation may have happened: the object is looked up in its
cloud, by the marks that every resource carries, and taken into the state when it is there, so that
no second one is made.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from control_plane.adapters.program_host import values


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
    """

    urn: str
    type: str
    name: str
    deployment: str
    inputs: Mapping[str, Any]
    provider: Mapping[str, Any]


Explain = Callable[["Pending", str], str]
"""Returns what a cloud says of an object that failed, by its id; empty when it says nothing."""

Lookup = Callable[[Pending], str | None]
"""Finds the id of an object that was made for a pending creation; None when there is none.

It raises when the cloud does not answer: then nothing may be forgotten.
"""


def creations(state: Mapping[str, Any], deployment: str) -> list[Pending]:
    """Return the pending creations in an exported state (with its secrets in clear)."""
    return [
        describe(state, operation["resource"], deployment)
        for operation in (state.get("deployment") or {}).get("pending_operations") or []
        if operation["type"] == "creating"
    ]


def describe(state: Mapping[str, Any], resource: Mapping[str, Any], deployment: str) -> Pending:
    """Return a resource of an exported state (with its secrets in clear), and its provider."""
    provider: Mapping[str, Any] = next(
        (
            _clear(r.get("inputs") or {})
            for r in (state.get("deployment") or {}).get("resources") or []
            if f"{r['urn']}::{r.get('id', '')}" == resource.get("provider")
        ),
        {},
    )
    return Pending(
        urn=resource["urn"],
        type=resource["type"],
        name=resource["urn"].split("::", 3)[3],
        deployment=deployment,
        inputs=_clear(resource.get("inputs") or {}),
        provider=provider,
    )


def pending(state: Mapping[str, Any]) -> bool:
    """Tell whether a state has operations that were never confirmed."""
    return bool((state.get("deployment") or {}).get("pending_operations"))


def _clear(tree: Any) -> dict[str, Any]:  # noqa: ANN401
    found: dict[str, Any] = values.clear(values.read_json(tree))
    return found


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
        if operation["type"] == "creating" and physical:
            # A replacement's old object keeps its place as one to be deleted.
            for other in content["resources"]:
                if other["urn"] == resource["urn"]:
                    other["delete"] = True
            content["resources"].append({**resource, "id": physical, "outputs": {}})
    return new
