"""Two graphs of one program side by side."""

from collections.abc import Callable

from control_plane.provisioning.differences import creations, flat
from control_plane.provisioning.graph import (
    Change,
    Graph,
    Op,
    PropertyChange,
    ResourceNode,
    by_urn,
)

Forces = Callable[[str], Callable[[str], bool]]
"""For a type of resource, which of its properties cannot change in place."""


def graph_changes(old: Graph, new: Graph, forces: Forces) -> tuple[Change, ...]:
    """What would be done to make the one graph the other; what stays the same is left out.

    It is told from the programs alone: what somebody changed in the region, and what only the
    engine knows of its resources, comes with a plan.
    """
    before = {node.urn: node for node in old.resources}
    after = {node.urn: node for node in new.resources}
    made = [change for change in creations(new) if change.urn not in before]
    gone = [
        Change(node.urn, node.type, node.logical_name, Op.DELETE)
        for urn, node in before.items()
        if urn not in after
    ]
    both = [_change(before[urn], node, forces) for urn, node in after.items() if urn in before]
    return by_urn([*made, *gone, *(change for change in both if change is not None)])


def _change(old: ResourceNode, new: ResourceNode, forces: Forces) -> Change | None:
    was, now = flat(old.inputs), flat(new.inputs)
    forced = forces(new.type)
    properties = tuple(
        PropertyChange(path, was.get(path), now.get(path), forced(path))
        for path in sorted({*was, *now})
        if was.get(path) != now.get(path)
    )
    if not properties:
        return None
    replaced = any(p.forces_replacement for p in properties)
    op = Op.REPLACE if replaced else Op.UPDATE
    return Change(new.urn, new.type, new.logical_name, op, properties)
