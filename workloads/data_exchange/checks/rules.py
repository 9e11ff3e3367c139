"""Rules as data: a strict part of JsonLogic (jsonlogic.com), with a third value for "unknown".

Operators: ``var``, ``==``, ``!=``, ``>``, ``>=``, ``<``, ``<=``, ``and``, ``or``, ``!``, ``in``,
``some``, ``all``, ``none``, ``sum`` (of the values of an expression over a list), ``+``, ``*``,
``/``. Unlike JsonLogic nothing is converted: values of different kinds do not compare, a missing
one is not null, and inside ``some``, ``all``, ``none`` and ``sum`` what is outside stays visible.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from foundation.kernel.errors import Collector

_MOST_DEPTH = 20
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
_OVER = ("some", "all", "none", "sum")
_TWO = (*_COMPARE, *_OVER, "==", "!=", "in", "/")
OPERATORS = frozenset({*_TWO, "var", "and", "or", "!", "+", "*"})


class Missing(Exception):
    """What a rule needs is not known."""


def check(found: Collector, rule: Any, at: str, depth: int = 0) -> None:  # noqa: ANN401 - JSON
    """Note what is wrong with a rule."""
    if not found.check(depth <= _MOST_DEPTH, at, f"is more than {_MOST_DEPTH} levels deep"):
        return
    if isinstance(rule, list):
        found.check(
            not any(isinstance(one, list | dict) for one in rule), at, "is no list of values"
        )
    if not isinstance(rule, dict):
        return
    if not found.check(len(rule) == 1, at, "must be an object with one operator"):
        return
    ((name, given),) = rule.items()
    if not found.check(name in OPERATORS, at, "is no operator of rules", "unknown"):
        return
    if name == "var":
        found.check(isinstance(given, str), at, "var takes a dotted path")
        return
    rest = given if isinstance(given, list) else [given]
    wanted = 2 if name in _TWO else 1 if name == "!" else None
    found.check(wanted is None or len(rest) == wanted, at, f"{name} takes {wanted} values")
    for one in rest:
        check(found, one, f"{at}.{name}", depth + 1)


def holds(rule: Any, data: Mapping[str, Any]) -> bool | None:  # noqa: ANN401 - JSON
    """Whether a rule holds of an answer; None where the answer does not say."""
    try:
        value = _value(rule, (data,))
    except (Missing, ZeroDivisionError, RecursionError):
        return None
    return value if isinstance(value, bool) else None


def _value(rule: Any, scope: Sequence[Any]) -> Any:  # noqa: ANN401, PLR0911, C901 - one case each
    if not isinstance(rule, dict):
        return rule
    ((name, given),) = rule.items()
    rest = given if isinstance(given, list) else [given]
    if name == "var":
        return _find(str(given), scope)
    if name in {"and", "or"}:
        return _logic(name, rest, scope)
    if name in _OVER:
        return _over(name, rest, scope)
    values = [_value(one, scope) for one in rest]
    if name == "!":
        return not _truth(values[0])
    if name in {"==", "!="}:
        _same_kind(*values)
        return (values[0] == values[1]) is (name == "==")
    if name in _COMPARE:
        _same_kind(*values)
        return _COMPARE[name](*values)
    if name == "in":
        if not isinstance(values[1], list):
            raise Missing(name)
        return values[0] in values[1]
    numbers = [_number(one) for one in values]
    if name == "/":
        return numbers[0] / numbers[1]
    return sum(numbers) if name == "+" else _product(numbers)


def _logic(name: str, rest: Sequence[Any], scope: Sequence[Any]) -> bool:
    """Kleene: one false decides ``and``, one true decides ``or``, whatever is unknown."""
    unknown = False
    for one in rest:
        try:
            if _truth(_value(one, scope)) is (name == "or"):
                return name == "or"
        except Missing:
            unknown = True
    if unknown:
        raise Missing(name)
    return name == "and"


def _over(name: str, rest: Sequence[Any], scope: Sequence[Any]) -> Any:  # noqa: ANN401 - JSON
    items = _value(rest[0], scope)
    if not isinstance(items, list):
        raise Missing(name)
    if name == "sum":
        return sum(_number(_value(rest[1], (item, *scope))) for item in items)
    each = [_truth(_value(rest[1], (item, *scope))) for item in items]
    return all(each) if name == "all" else any(each) is (name == "some")


def _find(path: str, scope: Sequence[Any]) -> Any:  # noqa: ANN401 - JSON
    """A dotted path in the innermost place that has its first part; empty: the item itself."""
    if not path:
        return scope[0]
    first, *rest = path.split(".")
    for place in scope:
        if isinstance(place, Mapping) and first in place:
            value = place[first]
            for part in rest:
                if isinstance(value, Mapping) and part in value:
                    value = value[part]
                elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
                    value = value[int(part)]
                else:
                    raise Missing(path)
            if value is None:
                raise Missing(path)
            return value
    raise Missing(path)


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise Missing("no yes or no")
    return value


def _number(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Missing("no number")
    return value


def _product(numbers: Sequence[int | float]) -> int | float:
    made: int | float = 1
    for one in numbers:
        made *= one
    return made


def _same_kind(one: object, other: object) -> None:
    number = (int, float)
    both = isinstance(one, number) and isinstance(other, number)
    if isinstance(one, bool) is not isinstance(other, bool) or not (
        both or type(one) is type(other)
    ):
        raise Missing("values of different kinds")
