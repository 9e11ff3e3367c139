"""Which regions a blueprint goes into, and what its inputs ask for of them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from control_plane.provisioning.model import KINDS
from foundation.kernel.errors import Problem

Kinds = frozenset[str]


def region_problem(wanted: Any, slug: str, has: Kinds) -> Iterator[Problem]:  # noqa: ANN401
    """What a region lacks for a blueprint.

    Args:
        wanted: ``kinds`` of blueprint.yaml: a list, of which the region must have all, or
            ``{"any_of": [...]}``, of which it must have one.
        slug: the region's name.
        has: the region's kinds.
    """
    if isinstance(wanted, Mapping):
        any_of = sorted(wanted["any_of"])
        if not has.intersection(any_of):
            yield Problem("region", f"the region {slug} has none of {', '.join(any_of)}")
        return
    for kind in sorted(set(wanted) - has):
        yield Problem("region", f"the region {slug} has no {kind}")


def lacking(needs: Iterable[str], slug: str, facts: Mapping[str, Any]) -> Iterator[Problem]:
    """Facts that a blueprint needs and the region does not tell.

    Args:
        needs: of blueprint.yaml: paths such as ``openstack.object_storage``.
        slug: the region's name.
        facts: the region's plain facts, by kind.
    """
    for path in needs:
        found: Any = facts
        for step in path.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
        if found is None:
            what = path.rpartition(".")[2].replace("_", " ")
            yield Problem("region", f"the region {slug} has no {what} ({path})")


def with_choice(schema: Mapping[str, Any], inputs: Mapping[str, Any], has: Kinds) -> dict[str, Any]:
    """The inputs, and where one that chooses a kind was left out, the kind that the region has.

    The default stands where the region has it; otherwise the first of the input's values that it
    has. Where it has none of them the input stays out, and is found wrong later.
    """
    full = dict(inputs)
    for name, inner in schema.get("properties", {}).items():
        values = _choices(inner)
        if not values or name in full or inner.get("default") in has:
            continue
        there = next((value for value in values if value in has), None)
        if there is not None:
            full[name] = there
    return full


def input_problems(
    schema: Mapping[str, Any], full: Mapping[str, Any], slug: str, has: Kinds
) -> Iterator[Problem]:
    """Inputs that choose a kind which the region has not.

    One of which every value is a kind of region asks for the chosen kind; a list of such values
    asks for one of those that are in it.

    Args:
        schema: of the inputs.
        full: the inputs with their defaults.
        slug: the region's name.
        has: the region's kinds.
    """
    for name, value in full.items():
        inner = schema.get("properties", {}).get(name, {})
        if _choices(inner) and value not in has:
            yield Problem(f"inputs.{name}", f"the region {slug} has no {value}")
        if _choices(inner.get("items")) and not has.intersection(value):
            wanted = ", ".join(value)
            yield Problem(f"inputs.{name}", f"the region {slug} has none of {wanted}")


def _choices(schema: Any) -> tuple[str, ...]:  # noqa: ANN401 - JSON
    """The kinds that an input chooses from; none when it chooses something else."""
    values = schema.get("enum") if isinstance(schema, Mapping) else None
    found = tuple(str(value) for value in values or ())
    return found if KINDS.issuperset(found) else ()
