"""Which object that is there could be which resource of a program.

The program's graph says what each resource is like and what it hangs on; the region says what each
object is like and which others it names. An assignment is good when types are equal (a must), when
values are equal, and when what hangs together in the program hangs together in the region. It is
found greedily, and then mended by exchanging objects of one type as long as that helps.
"""

from collections.abc import Iterable, Mapping

from control_plane.provisioning.graph import Graph, Json, ResourceNode, is_unknown
from control_plane.provisioning.imports.model import Found

_LINK, _VALUE, _AGAINST = 6, 2, 50
#: Values that say what an object is: with another one it is another object.
_TELLING = frozenset(
    {"direction", "ethertype", "protocol", "portRangeMin", "portRangeMax", "remoteIpPrefix", "cidr"}
)
_ROUNDS = 50

Assignment = dict[str, Found]


def match(graph: Graph, objects: Iterable[Found]) -> Assignment:
    """The likeliest object for each resource, by URN; resources without one are left out."""
    by_type: dict[str, list[Found]] = {}
    for each in objects:
        by_type.setdefault(each.type, []).append(each)
    nodes = [n for n in _ordered(graph) if n.type in by_type]
    scale = _Scale(nodes, {t: frozenset(f.id for f in some) for t, some in by_type.items()})
    chosen: Assignment = {}
    for node in nodes:
        taken = {(f.type, f.id) for f in chosen.values()}
        free = [f for f in by_type[node.type] if (f.type, f.id) not in taken]
        fitting = [(scale.score(node, f, chosen), f) for f in free]
        # The first of equals: an order that stays the same, and the smallest id.
        best = max(fitting, key=lambda pair: pair[0], default=None)
        if best is not None and best[0] >= 0:
            chosen[node.urn] = best[1]
    _mend(nodes, by_type, chosen, scale)
    return {urn: found for urn, found in chosen.items() if scale.stands(urn, chosen)}


def _mend(
    nodes: list[ResourceNode],
    by_type: Mapping[str, list[Found]],
    chosen: Assignment,
    scale: "_Scale",
) -> None:
    """Exchange objects as long as the whole becomes better."""
    total = scale.total(chosen)
    for _ in range(_ROUNDS):
        before = total
        for node, other in ((n, f) for n in nodes for f in by_type[n.type]):
            tried = _exchanged(chosen, node.urn, other)
            better = scale.total(tried)
            if better > total:
                chosen.clear()
                chosen.update(tried)
                total = better
        if total == before:
            return


def _exchanged(chosen: Assignment, urn: str, other: Found) -> Assignment:
    """The assignment with another object for a resource; who had it gets the old one."""
    tried = dict(chosen)
    # Quotas of several services have one id: the type counts too.
    who = (other.type, other.id)
    holder = next((u for u, f in chosen.items() if (f.type, f.id) == who), None)
    mine = tried.pop(urn, None)
    tried[urn] = other
    if holder is not None and holder != urn:
        del tried[holder]
        if mine is not None:
            tried[holder] = mine
    return tried


class _Scale:
    """Weighs assignments."""

    def __init__(self, nodes: list[ResourceNode], ids: Mapping[str, frozenset[str]]) -> None:
        self._nodes = {n.urn: n for n in nodes}
        self._ids = ids

    def total(self, chosen: Assignment) -> int:
        return sum(self.score(self._nodes[u], f, chosen) for u, f in chosen.items())

    def stands(self, urn: str, chosen: Assignment) -> bool:
        """Whether what is chosen for a resource is not contradicted."""
        return self.score(self._nodes[urn], chosen[urn], chosen) >= 0

    def score(self, node: ResourceNode, found: Found, chosen: Assignment) -> int:
        """How well an object suits a resource; below zero, not at all."""
        points = 1 + sum(
            _worth(name, wanted, found)
            for name, wanted in node.inputs.items()
            if wanted is not None and not is_unknown(wanted)
        )
        named = found.refers()
        for other in (chosen[u] for u in node.depends_on if u in chosen):
            if other.id in named or found.id in other.refers():
                points += _LINK
            elif named & self._ids[other.type]:
                points -= _LINK  # it hangs on another one of that type
        if bool(node.inputs.get("remoteGroupId")) != bool(found.inputs.get("remoteGroupId")):
            points -= _AGAINST
        return points


def _worth(name: str, wanted: Json, found: Found) -> int:
    there = found.inputs.get(name, found.name if name == "name" else None)
    if str(there) == str(wanted):
        return _VALUE
    return -_AGAINST if name in _TELLING else 0


def _ordered(graph: Graph) -> list[ResourceNode]:
    """The resources, each after those that it hangs on."""
    nodes = {n.urn: n for n in graph.resources if n.custom}
    found: dict[str, ResourceNode] = {}

    def visit(urn: str) -> None:
        node = nodes.get(urn)
        if node is None or urn in found:
            return
        for other in node.depends_on:
            visit(other)
        found[urn] = node

    for urn in sorted(nodes):
        visit(urn)
    return list(found.values())
