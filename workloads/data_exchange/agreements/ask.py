"""What is asked for, and what is given: purposes, fields, rows, volume and term.

The same form serves for both, so that what is given can be compared with what was asked: it may be
less (``narrows``) and never more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from foundation.kernel.errors import Collector
from foundation.kernel.time import format_instant, parse_instant
from workloads.data_exchange.agreements import purposes
from workloads.data_exchange.agreements.ports import Offered
from workloads.data_exchange.agreements.terms import Limits, Operator
from workloads.data_exchange.directory.elements import Element, Masking

MOST_FIELDS = 500
MOST_ROWS = 20
MOST_VALUES = 100
MOST_PURPOSES = 10
LONGEST_VALUE = 200
LONGEST_TERM = timedelta(days=5 * 366)
#: Far above what there is, and still exact in JSON.
MOST = 10**12
Value = str | int | float | bool
_ORDERED = {Operator.LT, Operator.LTEQ, Operator.GT, Operator.GTEQ}
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AskedField:
    """A field by the name of its element; ``whole`` or as its element is masked."""

    name: str
    whole: bool = False


@dataclass(frozen=True, slots=True)
class AskedRows:
    """Only rows in which an element compares so with the values."""

    name: str
    operator: Operator
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """What one may do with a data set.

    Attributes:
        purposes: DPV purposes, ``dpv:…``.
        fields: of each record.
        rows: all of them must hold.
        limits: how much.
        begins, ends: the term, half-open.
    """

    purposes: frozenset[str]
    fields: tuple[AskedField, ...]
    rows: tuple[AskedRows, ...]
    limits: Limits
    begins: datetime
    ends: datetime

    def as_json(self) -> dict[str, Any]:
        """As it is kept and sent; ``read`` reads it."""
        return {
            "purposes": sorted(self.purposes),
            "fields": [{"name": one.name, "whole": one.whole} for one in self.fields],
            "rows": [
                {"name": one.name, "operator": one.operator.value, "values": list(one.values)}
                for one in self.rows
            ],
            "limits": {f.name: getattr(self.limits, f.name) for f in fields(Limits)},
            "begins": format_instant(self.begins),
            "ends": format_instant(self.ends),
        }


def read(data: Mapping[str, Any]) -> Ask:
    """An ask as it was kept."""
    return Ask(
        frozenset(data["purposes"]),
        tuple(AskedField(one["name"], one["whole"]) for one in data["fields"]),
        tuple(
            AskedRows(one["name"], Operator(one["operator"]), tuple(one["values"]))
            for one in data["rows"]
        ),
        Limits(**data["limits"]),
        parse_instant(data["begins"]),
        parse_instant(data["ends"]),
    )


def check(found: Collector, ask: Ask, offered: Offered, now: datetime) -> None:
    """Note everything that is wrong with an ask for what is offered."""
    elements = {one.name: one for one in offered.elements}
    found.check(
        0 < len(ask.purposes) <= MOST_PURPOSES,
        "purposes",
        f"must name 1 to {MOST_PURPOSES} purposes",
    )
    purposes.check(found, sorted(ask.purposes), "purposes")
    found.check(
        0 < len(ask.fields) <= MOST_FIELDS, "fields", f"must name 1 to {MOST_FIELDS} fields"
    )
    seen: set[str] = set()
    for n, one in enumerate(ask.fields):
        known = found.check(
            one.name in elements, f"fields.{n}.name", "is no field of the data set", "unknown"
        )
        if known:
            found.check(one.name not in seen, f"fields.{n}.name", "is named twice", "twice")
            masked = elements[one.name].masking is not Masking.OMIT
            found.check(
                one.whole or masked,
                f"fields.{n}.whole",
                "masked, this field is left out: ask for the whole of it or not at all",
            )
        seen.add(one.name)
    found.check(len(ask.rows) <= MOST_ROWS, "rows", f"must be at most {MOST_ROWS} conditions")
    for n, rows in enumerate(ask.rows):
        if found.check(
            rows.name in elements, f"rows.{n}.name", "is no field of the data set", "unknown"
        ):
            _check_rows(found, rows, elements[rows.name], f"rows.{n}")
    check_limits(found, ask.limits)
    if found.check(ask.begins < ask.ends, "ends", "must be after begins"):
        found.check(ask.ends > now, "ends", "lies in the past")
        found.check(
            ask.ends - ask.begins <= LONGEST_TERM, "ends", "is more than five years after begins"
        )


def check_limits(found: Collector, limits: Limits) -> None:
    """Note limits that are none."""
    for one in fields(Limits):
        value = getattr(limits, one.name)
        found.check(
            value is None or (type(value) is int and 0 < value <= MOST),
            f"limits.{one.name}",
            "must be a whole number from 1 up, or left out for no limit",
        )


def _check_rows(found: Collector, rows: AskedRows, element: Element, at: str) -> None:
    several = rows.operator is Operator.ANY_OF
    found.check(
        0 < len(rows.values) <= MOST_VALUES if several else len(rows.values) == 1,
        f"{at}.values",
        f"must be 1 to {MOST_VALUES} values" if several else "must be one value",
    )
    found.check(
        len({(type(one), one) for one in rows.values}) == len(rows.values),
        f"{at}.values",
        "holds a value twice",
        "twice",
    )
    named = element.schema.get("type")
    types = [named] if isinstance(named, str) else list(named) if isinstance(named, list) else []
    wanted = {kind for name in types for kind in _TYPES.get(str(name), ())}
    for n, value in enumerate(rows.values):
        found.check(
            type(value) in (wanted or {str, int, float, bool}),
            f"{at}.values.{n}",
            "is not of the type of the field",
        )
        if isinstance(value, str):
            found.check(
                len(value) <= LONGEST_VALUE,
                f"{at}.values.{n}",
                f"must be at most {LONGEST_VALUE} characters",
            )
        if isinstance(value, bool):
            found.check(
                rows.operator not in _ORDERED, f"{at}.operator", "does not compare yes and no"
            )
        elif isinstance(value, int | float):
            found.check(abs(value) <= MOST, f"{at}.values.{n}", "is too large to be compared")


def narrows(found: Collector, given: Ask, asked: Ask) -> None:
    """Note everything in which what is given is more than what was asked for."""
    for n, purpose in enumerate(sorted(given.purposes)):
        found.check(
            purpose in asked.purposes, f"purposes.{n}", "was not asked for", "more_than_asked"
        )
    whole = {one.name: one.whole for one in asked.fields}
    for n, one in enumerate(given.fields):
        if found.check(
            one.name in whole, f"fields.{n}.name", "was not asked for", "more_than_asked"
        ):
            found.check(
                whole[one.name] or not one.whole,
                f"fields.{n}.whole",
                "was asked for as masked",
                "more_than_asked",
            )
    for one_row in asked.rows:
        found.check(
            any(_as_strict(other, one_row) for other in given.rows),
            "rows",
            f"must keep the condition on {one_row.name} that was asked for",
            "more_than_asked",
        )
    for limit in fields(Limits):
        most, now = getattr(asked.limits, limit.name), getattr(given.limits, limit.name)
        found.check(
            most is None or (now is not None and now <= most),
            f"limits.{limit.name}",
            f"must be at most {most}, which was asked for",
            "more_than_asked",
        )
    found.check(
        given.begins >= asked.begins, "begins", "is before what was asked for", "more_than_asked"
    )
    found.check(given.ends <= asked.ends, "ends", "is after what was asked for", "more_than_asked")


def _as_strict(given: AskedRows, asked: AskedRows) -> bool:
    """Whether every row that one condition lets through is let through by the other."""
    if given == asked:
        return True
    if given.name != asked.name or given.operator not in {Operator.EQ, Operator.ANY_OF}:
        return False
    return asked.operator in {Operator.EQ, Operator.ANY_OF} and _typed(given.values) <= _typed(
        asked.values
    )


def _typed(values: Sequence[Value]) -> set[tuple[type, Value]]:
    return {(type(one), one) for one in values}
