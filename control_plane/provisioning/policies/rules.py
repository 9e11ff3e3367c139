"""Rules: policies of a city's own, written as data and never as code.

A rule is about resources whose type fits a pattern. It looks at those for which every condition of
``when`` holds, and finds those for which not every condition of ``require`` does.

A condition follows a path from the resource's inputs: names with dots between them, or a list of
names where one holds a dot; a number steps into a list, ``*`` goes through all members. What it
finds there decides:

==============  ===================================================================================
``exists``      something is there
``absent``      nothing is there
``equals``      ``value`` · ``not_equals`` is its opposite
``in``          one of the list ``value`` · ``not_in`` is its opposite
``matches``     a text that fits one of the patterns ``value`` · ``not_matches`` is its opposite
``at_most``     a number up to ``value`` · ``at_least`` from ``value`` on
==============  ===================================================================================

Of several things that a path finds, ``when`` asks for one that fits and ``require`` for all. Where
a path finds nothing, only ``absent`` and the opposites (``not_…``) hold. A secret, and what only
the cloud will know, are there and fit nothing else.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

from control_plane.provisioning.graph import Json, ResourceNode, is_secret, is_unknown
from control_plane.provisioning.policies.model import Condition, Issue, Rule, Subject

_OPPOSITES = {"not_equals": "equals", "not_in": "in", "not_matches": "matches"}


def found_by(rule: Rule, subject: Subject) -> Iterator[Issue]:
    """The resources that a rule finds."""
    for node in subject.graph.resources:
        if not fnmatchcase(node.type, rule.type):
            continue
        concerned = all(_holds(condition, node, some=True) for condition in rule.when)
        if concerned and not all(_holds(each, node, some=False) for each in rule.require):
            yield Issue(node.logical_name, rule.message)


def _holds(condition: Condition, node: ResourceNode, *, some: bool) -> bool:
    values = list(_reach(dict(node.inputs), condition.path))
    if condition.op in {"exists", "absent"}:
        return bool(values) is (condition.op == "exists")
    opposite = _OPPOSITES.get(condition.op)
    if not values:
        return opposite is not None
    if opposite is not None:
        fits = [_known(v) and not _TESTS[opposite](v, condition.value) for v in values]
    else:
        fits = [_known(v) and _TESTS[condition.op](v, condition.value) for v in values]
    return any(fits) if some else all(fits)


def _known(value: Json) -> bool:
    return not is_secret(value) and not is_unknown(value)


def _reach(value: Any, path: tuple[str, ...]) -> Iterator[Any]:  # noqa: ANN401 - JSON
    """What is at a path; nothing where it leads nowhere."""
    if not path:
        if value is not None:
            yield value
        return
    step, rest = path[0], path[1:]
    if not _known(value):
        yield value  # it cannot be looked into
    elif isinstance(value, Mapping):
        members = value.values() if step == "*" else [value[step]] if step in value else []
        for member in members:
            yield from _reach(member, rest)
    elif isinstance(value, list | tuple):
        for member in _members(value, step):
            yield from _reach(member, rest)


def _members(value: Any, step: str) -> list[Any]:  # noqa: ANN401 - JSON
    if step == "*":
        return list(value)
    if step.isascii() and step.isdigit() and int(step) < len(value):
        return [value[int(step)]]
    return []


def _equal(found: Any, wanted: Any) -> bool:  # noqa: ANN401 - JSON
    """JSON's equality: true is not 1."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    return bool(found == wanted)


def _fits(found: Any, patterns: Any) -> bool:  # noqa: ANN401 - JSON
    return isinstance(found, str) and any(fnmatchcase(found, pattern) for pattern in patterns)


def _number(value: Any) -> Decimal | None:  # noqa: ANN401 - JSON
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return Decimal(str(value))


def _at_most(found: Any, most: Any) -> bool:  # noqa: ANN401 - JSON
    number = _number(found)
    return number is not None and number <= Decimal(str(most))


def _at_least(found: Any, least: Any) -> bool:  # noqa: ANN401 - JSON
    number = _number(found)
    return number is not None and number >= Decimal(str(least))


_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "equals": _equal,
    "in": lambda found, values: any(_equal(found, value) for value in values),
    "matches": _fits,
    "at_most": _at_most,
    "at_least": _at_least,
}
