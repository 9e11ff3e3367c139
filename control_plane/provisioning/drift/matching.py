"""Which inputs of a blueprint say what a region really has.

Nobody writes down which input a property comes from: the program is evaluated with other values,
and an input explains a drift when the program then says exactly what was found, and nothing else.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from control_plane.provisioning import paths, usage_map
from control_plane.provisioning.differences import flat
from control_plane.provisioning.graph import DriftKind, Graph, Json, ResourceNode
from control_plane.provisioning.inputs import checked
from control_plane.provisioning.usage_map import kubernetes_quantity
from foundation.kernel.errors import Invalid

_MOST_TRIED = 40
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_ABSENT = object()

Evaluate = Callable[[Mapping[str, Json]], Graph | None]


@dataclass(frozen=True, slots=True)
class Target:
    """A resource as the region has it.

    Attributes:
        values: what was found, by property; nothing for a missing resource.
    """

    urn: str
    kind: DriftKind
    values: Mapping[str, Json]


def explaining(
    schema: Mapping[str, Any],
    inputs: Mapping[str, Json],
    targets: Iterable[Target],
    evaluate: Evaluate,
) -> dict[str, Json]:
    """The inputs with which the program says what was found, as far as there are any.

    Args:
        schema: JSON Schema of the inputs.
        inputs: those that the deployment has.
        targets: the resources that differ.
        evaluate: what the program says with other inputs; None when it refuses them.

    Returns:
        Other values by the name of their input; empty when none explains anything.
    """
    wanted = list(targets)
    base = evaluate(inputs)
    if base is None:
        return {}
    found: dict[str, Json] = {}
    for tried, (name, value) in enumerate(_candidates(schema, inputs, wanted)):
        if tried >= _MOST_TRIED:
            break
        if name in found:
            continue
        graph = evaluate({**inputs, name: value})
        if graph is not None and _explains(_differing(base, graph), wanted):
            found[name] = value
    return found


def counted(node: ResourceNode, target: Target, facts: Mapping[str, Json]) -> bool:
    """Whether quota or meters would see the difference between what is wanted and what is there."""
    before = (usage_map.usage(node, facts), usage_map.quota(node, facts))
    if target.kind is DriftKind.MISSING:
        return any(before)
    real: dict[str, Any] = dict(node.inputs)
    try:
        for path, value in target.values.items():
            real = paths.assign(real, path, value)
    except (LookupError, TypeError):
        return any(before)
    there = ResourceNode(node.urn, node.logical_name, node.type, real, node.depends_on)
    try:
        return before != (usage_map.usage(there, facts), usage_map.quota(there, facts))
    except (ValueError, ArithmeticError):
        return True


def _candidates(
    schema: Mapping[str, Any], inputs: Mapping[str, Json], targets: list[Target]
) -> Iterator[tuple[str, Json]]:
    """Other values that an input could have, the likeliest first."""
    values = [v for t in targets for v in t.values.values() if v is not None]
    missing = sum(t.kind is DriftKind.MISSING for t in targets)
    told: set[tuple[str, str]] = set()
    for name, inner in schema.get("properties", {}).items():
        for value in _of_input(inner, inputs.get(name), values, missing):
            key = (name, repr(value))
            if value == inputs.get(name) or key in told:
                continue
            told.add(key)
            if _fits(schema, {**inputs, name: value}) and _may_become(inner, inputs, name, value):
                yield name, value


def _of_input(
    schema: Mapping[str, Any], present: Json, values: Sequence[Json], missing: int
) -> Iterator[Json]:
    if "enum" in schema:
        yield from schema["enum"]
        return
    kind = schema.get("type")
    if kind == "boolean":
        yield not present
    elif kind in {"integer", "number"}:
        yield from _numbers(values, whole=kind == "integer")
        if isinstance(present, int | float):
            yield from (present - less for less in range(1, missing + 1))
    elif kind == "string":
        yield from (v for v in values if isinstance(v, str))
    else:
        yield from (v for v in values if isinstance(v, dict | list))


def _numbers(values: Sequence[Json], *, whole: bool) -> Iterator[Json]:
    for value in values:
        text = str(value) if isinstance(value, int | float | str) else ""
        for digits in _NUMBER.findall(text) if not isinstance(value, bool) else ():
            number = float(digits)
            if number.is_integer():
                yield int(number)
            elif not whole:
                yield number


def _fits(schema: Mapping[str, Any], inputs: Mapping[str, Json]) -> bool:
    try:
        checked(schema, inputs)
    except Invalid:
        return False
    return True


def _may_become(
    schema: Mapping[str, Any], inputs: Mapping[str, Json], name: str, value: Json
) -> bool:
    before = inputs.get(name)
    grows = schema.get("x-grows-only")
    numbers = isinstance(before, int | float) and isinstance(value, int | float)
    return not (grows and numbers and value < before)  # type: ignore[operator]


def _flat(graph: Graph) -> dict[str, dict[str, Json]]:
    return {n.urn: {paths.plain(p): v for p, v in flat(n.inputs).items()} for n in graph.resources}


def _differing(base: Graph, other: Graph) -> dict[tuple[str, str], Any]:
    """In what another graph differs: by URN and property, or a whole resource (no property)."""
    before, after = _flat(base), _flat(other)
    found: dict[tuple[str, str], Any] = {}
    for urn in {*before, *after}:
        old, new = before.get(urn), after.get(urn)
        if old is None or new is None:
            found[urn, ""] = _ABSENT if new is None else new
            continue
        for path in {*old, *new}:
            if old.get(path) != new.get(path):
                found[urn, path] = new.get(path)
    return found


def _explains(differing: Mapping[tuple[str, str], Any], targets: list[Target]) -> bool:
    real: dict[tuple[str, str], Any] = {}
    for target in targets:
        if target.kind is DriftKind.MISSING:
            real[target.urn, ""] = _ABSENT
        for path, value in target.values.items():
            real[target.urn, paths.plain(path)] = value
    return bool(differing) and all(
        key in real and _same(value, real[key]) for key, value in differing.items()
    )


def _same(wanted: Any, found: Any) -> bool:  # noqa: ANN401 - JSON or absent
    if wanted is _ABSENT or found is _ABSENT:
        return wanted is found
    if wanted == found or str(wanted) == str(found):
        return True
    try:
        return kubernetes_quantity(wanted) == kubernetes_quantity(found)
    except (ValueError, ArithmeticError):
        return False
