"""How what is offered here is written as ODRL of the protocol, and read again.

The schemas of the protocol allow an action to be a name only, so what an agreement of ours says in
a refinement of the action stands here in constraints of the permission:

=====================  =========================================================================
what                   constraint
=====================  =========================================================================
purposes               ``odrl:purpose`` is any of DPV purposes
fields                 ``bx:field`` is any of ``bx:field:NAME:whole`` or ``…:masked``
rows                   ``bx:row:NAME`` with the operator and values of the condition
limits                 ``odrl:count`` (calls), ``bx:callsPerDay``, ``bx:callsPerMinute``,
                       ``bx:rows``, ``bx:rowsPerCall``, each lteq
term of an offer       ``odrl:elapsedTime`` lteq ``P30D``
term of an agreement   ``odrl:dateTime`` gteq and lt
=====================  =========================================================================

``bx:`` is ``urn:borough:exchange:``. A permission to ``use`` without constraints asks for all that
is offered. What is not understood is not agreed on: ``read`` refuses it.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

from foundation.kernel import canonical
from foundation.kernel.errors import Collector, Invalid
from foundation.kernel.time import format_instant
from workloads.data_exchange.agreements import ask as asks
from workloads.data_exchange.agreements.ask import Ask, AskedField, AskedRows, Value
from workloads.data_exchange.agreements.policy import profile
from workloads.data_exchange.agreements.terms import Limits, Operator
from workloads.data_exchange.dataspace.model import Given

BX = "urn:borough:exchange:"
_LIMITS = {
    "calls": "odrl:count", "calls_per_day": f"{BX}callsPerDay",
    "calls_per_minute": f"{BX}callsPerMinute", "rows": f"{BX}rows",
    "rows_per_call": f"{BX}rowsPerCall",
}  # fmt: skip
_DPV, _LONG_DPV = "dpv:", "https://w3id.org/dpv#"
_ODRL = "http://www.w3.org/ns/odrl/2/"
_XSD = "http://www.w3.org/2001/XMLSchema#"
_ROW = f"{BX}row:"
_FIELD = f"{BX}field:"
Constraint = dict[str, Any]
#: Numbers with fewer digits are exact in JSON.
_DIGITS = 16
_LONGEST = 500


_NOTHING = Given(frozenset(), (), (), Limits(), 0)


class NotUnderstood(Exception):
    """A policy says what is not known here; its text says what, for the sender."""


def permission(given: Given) -> list[dict[str, Any]]:
    """The rules of an offer."""
    return [{"action": "use", "constraint": [*_common(given), _elapsed(given.days)]}]


def agreed(ask: Ask) -> list[dict[str, Any]]:
    """The rules of an agreement."""
    common = _common(Given(ask.purposes, ask.fields, ask.rows, ask.limits, 0))
    term = [
        _constraint("odrl:dateTime", "gteq", _typed(format_instant(ask.begins), "dateTime")),
        _constraint("odrl:dateTime", "lt", _typed(format_instant(ask.ends), "dateTime")),
    ]
    return [{"action": "use", "constraint": [*common, *term]}]


def as_ask(given: Given, now: datetime) -> Ask:
    """What an offer gives to somebody who takes it now."""
    begins = now.replace(microsecond=0)
    return Ask(
        given.purposes, given.fields, given.rows, given.limits, begins,
        begins + timedelta(days=given.days),
    )  # fmt: skip


def read(policy: Mapping[str, Any], given: Given) -> Given:
    """What a request wants of an offer.

    Args:
        policy: as it was sent: an offer.
        given: what is offered; what the request does not speak of is wanted as offered.

    Raises:
        NotUnderstood: it says what nobody here could enforce.
    """
    for duty in ("obligation", "prohibition"):
        if policy.get(duty):
            raise NotUnderstood(f"{duty} is not negotiated here")
    rules = list(policy.get("permission") or ())
    if len(rules) != 1:
        raise NotUnderstood("a request has one permission")
    (rule,) = rules
    if set(rule) - {"@type", "@id", "action", "constraint", "duty"} or rule.get("duty"):
        raise NotUnderstood("a permission has an action and constraints")
    if _long(rule["action"]) != f"{_ODRL}use":
        raise NotUnderstood("only the action use is agreed on")
    wanted, rows = given, list[AskedRows]()
    for one in rule.get("constraint") or ():
        if not {"leftOperand", "operator", "rightOperand"} <= set(one):
            raise NotUnderstood("only simple constraints are understood")
        wanted = _with(wanted, rows, one)
    return replace(wanted, rows=tuple(rows) or given.rows)


def constraint(one: Mapping[str, Any]) -> Given:
    """What one constraint gives; all else of it is empty.

    Raises:
        NotUnderstood: it says what nobody here could enforce.
    """
    if not {"leftOperand", "operator", "rightOperand"} <= set(one):
        raise NotUnderstood("only simple constraints are understood")
    rows: list[AskedRows] = []
    found = _with(_NOTHING, rows, dict(one))
    return replace(found, rows=tuple(rows))


def exceeds(wanted: Given, given: Given, now: datetime) -> str:
    """In what a request is more than an offer gives; empty when it is not."""
    found = Collector()
    asks.narrows(found, as_ask(wanted, now), as_ask(given, now))
    try:
        found.finish()
    except Invalid as error:
        return "; ".join(f"{one.field} {one.message}" for one in error.problems)[:_LONGEST]
    return ""


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two policies allow and forbid the same, whatever their ids, parties and order."""
    return _rules(one) == _rules(other)


def follows(agreement: Mapping[str, Any], table: Mapping[str, Any]) -> bool:
    """Whether an agreement is what was on the table, for the consumer.

    It is when it has the same rules; when a term stands by its days in place of its length and
    everything else is the same; or when what was on the table only named the provider's offer, and
    the agreement asks nothing of us: no duty, obligation or prohibition.
    """
    if same(agreement, table) or _without_term(agreement) == _without_term(table):
        return True
    burden = [agreement.get("obligation"), agreement.get("prohibition")]
    burden += [rule.get("duty") for rule in agreement.get("permission") or ()]
    return not _constraints(table) and not any(burden)


def _common(given: Given) -> list[Constraint]:
    found = [
        _constraint(
            "odrl:purpose", "isAnyOf", [{"@id": _purpose(one)} for one in sorted(given.purposes)]
        ),
        _constraint(f"{BX}field", "isAnyOf", [{"@id": _field(one)} for one in given.fields]),
    ]
    for row in given.rows:
        values = [_scalar(one) for one in row.values]
        right = values if row.operator is Operator.ANY_OF else values[0]
        found.append(_constraint(_ROW + quote(row.name, safe=""), row.operator.value, right))
    for name, operand in _LIMITS.items():
        most = getattr(given.limits, name)
        if most is not None:
            found.append(_constraint(operand, "lteq", _typed(str(most), "integer")))
    return found


def _with(wanted: Given, rows: list[AskedRows], one: Constraint) -> Given:
    left, operator = str(one["leftOperand"]), _long(one["operator"]).removeprefix(_ODRL)
    right = one["rightOperand"]
    match _short(left), operator:
        case "odrl:purpose", "isAnyOf" | "eq" | "isA":
            return replace(wanted, purposes=frozenset(_read_purpose(v) for v in _many(right)))
        case "odrl:elapsedTime", "lteq" | "eq":
            return replace(wanted, days=_read_days(_text(right)))
        case _ if left == f"{BX}field" and operator == "isAnyOf":
            return replace(wanted, fields=tuple(_read_field(v) for v in _many(right)))
        case _ if left.startswith(_ROW):
            rows.append(_read_row(left, operator, right))
            return wanted
        case operand, "lteq":
            for name, known in _LIMITS.items():
                if _short(known) == operand or known == left:
                    limits = replace(wanted.limits, **{name: _read_number(right)})
                    return replace(wanted, limits=limits)
        case _:
            pass
    raise NotUnderstood(f"the constraint on {left[:100]} is not understood")


def _constraint(left: str, operator: str, right: object) -> Constraint:
    return {"leftOperand": left, "operator": operator, "rightOperand": right}


def _typed(value: str, kind: str) -> dict[str, str]:
    return {"@value": value, "@type": f"xsd:{kind}"}


def _elapsed(days: int) -> Constraint:
    return _constraint("odrl:elapsedTime", "lteq", _typed(f"P{days}D", "duration"))


def _purpose(name: str) -> str:
    return _LONG_DPV + name.removeprefix(_DPV)


def _field(one: AskedField) -> str:
    return f"{_FIELD}{quote(one.name, safe='')}:{'whole' if one.whole else 'masked'}"


def _scalar(value: Value) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, bool):
        return _typed(str(value).lower(), "boolean")
    if isinstance(value, int):
        return _typed(str(value), "integer")
    return _typed(repr(value), "double") if isinstance(value, float) else value


def _many(right: Any) -> list[Any]:  # noqa: ANN401 - JSON
    return right if isinstance(right, list) else [right]


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    if isinstance(value, dict):
        value = value.get("@id", value.get("@value"))
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise NotUnderstood("a value of a constraint is not understood")
    return str(value)


def _read_purpose(value: Any) -> str:  # noqa: ANN401 - JSON
    text = _text(value)
    return _DPV + text.removeprefix(_LONG_DPV) if text.startswith(_LONG_DPV) else text


def _read_days(text: str) -> int:
    number = text.removeprefix("P").removesuffix("D")
    if not (
        text.startswith("P") and text.endswith("D") and number.isdecimal() and len(number) < _DIGITS
    ):
        raise NotUnderstood("a term is written in days, such as P30D")
    return int(number)


def _read_number(value: Any) -> int:  # noqa: ANN401 - JSON
    text = _text(value)
    if not (text.isascii() and text.isdecimal() and len(text) < _DIGITS):
        raise NotUnderstood("a limit is a whole number")
    return int(text)


def _read_field(value: Any) -> AskedField:  # noqa: ANN401 - JSON
    name, _, shown = _text(value).removeprefix(_FIELD).rpartition(":")
    if not name or shown not in {"whole", "masked"}:
        raise NotUnderstood(f"a field is written {_FIELD}NAME:whole or …:masked")
    return AskedField(unquote(name), shown == "whole")


def _read_row(left: str, operator: str, right: Any) -> AskedRows:  # noqa: ANN401 - JSON
    if operator not in {*Operator}:
        raise NotUnderstood("this operator is not understood on rows")
    values = tuple(_read_scalar(one) for one in _many(right))
    return AskedRows(unquote(left.removeprefix(_ROW)), Operator(operator), values)


def _read_scalar(value: Any) -> Value:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and isinstance(value.get("@value"), str):
        text, kind = (
            str(value["@value"]),
            str(value.get("@type")).rpartition(":")[2].rpartition("#")[2],
        )
        try:
            match kind:
                case "boolean" if text in {"true", "false"}:
                    return text == "true"
                case "integer" if len(text) < _DIGITS:
                    return int(text)
                case "double" | "decimal":
                    return float(text)
                case "string" | "None":
                    return text
                case _:
                    pass
        except ValueError:
            raise NotUnderstood("a value of a condition on rows is not understood") from None
    raise NotUnderstood("a value of a condition on rows is not understood")


def _long(name: Any) -> str:  # noqa: ANN401 - JSON
    text = str(name)
    if text.startswith("odrl:"):
        return _ODRL + text.removeprefix("odrl:")
    return text if ":" in text else _ODRL + text


def _short(name: str) -> str:
    return f"odrl:{_long(name).removeprefix(_ODRL)}" if _long(name).startswith(_ODRL) else name


def _constraints(policy: Mapping[str, Any]) -> list[Constraint]:
    return [c for rule in policy.get("permission") or () for c in rule.get("constraint") or ()]


def _without_term(policy: Mapping[str, Any]) -> tuple[object, ...]:
    term = {"odrl:elapsedTime", "odrl:dateTime"}
    kept = [
        {**rule, "constraint": [
            c for c in rule.get("constraint") or ()
            if _short(str(c.get("leftOperand"))) not in term
        ]}
        for rule in policy.get("permission") or ()
    ]  # fmt: skip
    return _rules({**policy, "permission": kept})


def _rules(policy: Mapping[str, Any]) -> tuple[object, ...]:
    return tuple(
        sorted(repr(_normal(rule)) for rule in policy.get(name) or ())
        for name in ("permission", "prohibition", "obligation")
    )


def _normal(value: Any, term: str = "") -> Any:  # noqa: ANN401 - JSON
    """A rule with everything that JSON-LD leaves open decided."""
    if isinstance(value, dict):
        made = {
            name: _normal(inner, name)
            for name, inner in sorted(value.items())
            if name not in {"@id", "@type"} or term == "rightOperand"
            if inner not in ([], None)
        }
        return tuple(made.items())
    if isinstance(value, list):
        return tuple(sorted((_normal(one, term) for one in value), key=repr))
    if term in {"action", "operator", "leftOperand"}:
        return _long(value)
    if term == "@type" and isinstance(value, str):
        return value.replace("xsd:", _XSD)
    return value


def limits_of(data: Mapping[str, Any]) -> Limits:
    """Limits as they were kept."""
    return Limits(**{one.name: data.get(one.name) for one in fields(Limits)})


def loads(text: str) -> dict[str, Any] | None:
    """A policy as the provider signed it; None when it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and canonical.dumps(found) == text else None


def says(
    text: Mapping[str, Any], answers: Mapping[str, Any] | None, agreement: Mapping[str, Any]
) -> bool:
    """Whether the text that both sides sign gives what the protocol's agreement says.

    ``answers`` is the JSON Schema whose digest the text names.

    Conditions on rows are compared by their number, operators and values: the text names them by
    their place in a record, the agreement by the name of the field.
    """
    try:
        terms = profile.compile_terms(text, answers)
        rules = agreement.get("permission") or ()
        named = [str(c["leftOperand"]) for c in _constraints(agreement)]
        rows = [unquote(one.removeprefix(_ROW)) for one in named if one.startswith(_ROW)]
        if len(rows) != len(terms.rows) or len(rules) != 1:
            return False
        ask = Ask(
            terms.purposes,
            tuple(AskedField(one.name, one.masking is None) for one in terms.fields),
            tuple(
                AskedRows(name, row.operator, row.values)
                for name, row in zip(rows, terms.rows, strict=True)
            ),
            terms.limits, terms.begins, terms.ends,
        )  # fmt: skip
    except (Invalid, KeyError, TypeError):
        return False
    return same({"permission": agreed(ask)}, agreement)
