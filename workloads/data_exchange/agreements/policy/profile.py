"""The profile in which agreements are written: how terms become a policy, and a policy terms.

``write`` and ``read`` are each other's inverse. ``read`` writes again what it read and refuses a
policy that says anything else, so nothing that was signed is passed over by those who enforce it.

=====================  =========================================================================
terms                  policy
=====================  =========================================================================
provider, consumer     ``assigner`` and ``assignee`` of each rule: ``bx:agency:PATH``
data set, rows         ``target``: an asset, or with rows an asset collection whose refinements
                       have the left operand ``bx:row#POINTER`` (RFC 6901, 6)
fields                 a refinement of the action ``use``: ``bx:field`` is any of
                       ``bx:field:NAME:SHOWN#POINTER``; SHOWN is ``whole`` or the masking
service                constraint ``deliveryChannel`` eq ``bx:service:ID``
purposes               constraint ``purpose`` is any of DPV purposes
term                   constraints ``dateTime`` gteq and lt
limits                 constraints ``count`` (unit ``bx:call``), ``bx:callsPerDay``,
                       ``bx:callsPerMinute``, ``bx:rows``, ``bx:rowsPerCall``, each lteq
records, answers       ``bx:records`` and ``bx:answers`` (digest of the JSON Schema) of the target
=====================  =========================================================================

Every agreement also holds a duty to delete what was received by the end of the term, and forbids
to distribute it; both bind the consumer, and no gateway can see whether they are kept.
``bx:`` is ``urn:borough:exchange:``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

from foundation.kernel import canonical
from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.time import format_instant, parse_instant
from workloads.data_exchange.agreements import purposes
from workloads.data_exchange.agreements.policy.check import Profile, check
from workloads.data_exchange.agreements.terms import Field, Limits, Operator, RowFilter, Terms
from workloads.data_exchange.directory.elements import Masking

BX = "urn:borough:exchange:"
IRI = f"{BX}profile:1"
_CONTEXT = [
    "http://www.w3.org/ns/odrl.jsonld",
    {
        "bx": BX, "dpv": "https://w3id.org/dpv#", "dct": "http://purl.org/dc/terms/",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
    },
]  # fmt: skip
_WHOLE = "whole"
_ROW = f"{BX}row#"
_LIMITS = {
    "calls": "count", "calls_per_day": "bx:callsPerDay", "calls_per_minute": "bx:callsPerMinute",
    "rows": "bx:rows", "rows_per_call": "bx:rowsPerCall",
}  # fmt: skip
#: What may stand unescaped in a fragment (RFC 3986, 3.5).
_FRAGMENT = "/~!$&'()*+,;=:@?"
PROFILE = Profile(
    IRI, lambda name: name.startswith(_ROW) or name in {"bx:field", *_LIMITS.values()}
)


@dataclass(frozen=True, slots=True)
class About:
    """What an agreement says beyond its terms.

    Attributes:
        version: of the agreement, from 1.
        issued: when it was drafted.
        request: id of the request that it came from.
        legal_basis: by which law the consumer does what it needs the data for.
    """

    version: int
    issued: datetime
    request: str
    legal_basis: str


def write(terms: Terms, about: About) -> dict[str, Any]:
    """The policy of some terms; their digest and revocation are not part of it."""
    parties = {
        "assigner": _name("agency", terms.provider), "assignee": _name("agency", terms.consumer),
    }  # fmt: skip
    return {
        "@context": _CONTEXT,
        "@type": "Agreement",
        "uid": f"{BX}agreement:{_quoted(terms.agreement)}:{about.version}",
        "profile": IRI,
        "dct:issued": _moment(about.issued),
        "dct:source": _name("request", about.request),
        "dpv:hasLegalBasis": about.legal_basis,
        "permission": [{
            **parties,
            "target": _target(terms),
            "action": {
                "rdf:value": {"@id": "odrl:use"},
                "refinement": [
                    _constraint("bx:field", "isAnyOf", [{"@id": _field(f)} for f in terms.fields])
                ],
            },
            "constraint": _constraints(terms),
            "duty": [{
                "action": "delete",
                "constraint": [_constraint("dateTime", "lteq", _moment(terms.ends))],
            }],
        }],
        "prohibition": [{
            **parties, "target": _name("dataset", terms.dataset), "action": "distribute",
        }],
    }  # fmt: skip


def _target(terms: Terms) -> dict[str, Any]:
    target: dict[str, Any] = {"bx:records": terms.records}
    if terms.answers is not None:
        target["bx:answers"] = canonical.digest(terms.answers)
    name = _name("dataset", terms.dataset)
    if not terms.rows:
        return {"@type": "Asset", "uid": name, **target}
    refined = [
        _constraint(
            _ROW + quote(row.pointer, safe=_FRAGMENT),
            row.operator.value,
            list(row.values) if row.operator is Operator.ANY_OF else row.values[0],
        )
        for row in terms.rows
    ]
    return {"@type": "AssetCollection", "source": name, "refinement": refined, **target}


def _constraints(terms: Terms) -> list[dict[str, Any]]:
    found = [
        _constraint("purpose", "isAnyOf", [{"@id": one} for one in sorted(terms.purposes)]),
        _constraint("deliveryChannel", "eq", {"@id": _name("service", terms.service)}),
        _constraint("dateTime", "gteq", _moment(terms.begins)),
        _constraint("dateTime", "lt", _moment(terms.ends)),
    ]
    for name, operand in _LIMITS.items():
        most = getattr(terms.limits, name)
        if most is not None:
            unit = {"unit": "bx:call"} if operand == "count" else {}
            found.append({**_constraint(operand, "lteq", most), **unit})
    return found


def _constraint(left: str, operator: str, right: object) -> dict[str, Any]:
    return {"leftOperand": left, "operator": operator, "rightOperand": right}


def _moment(at: datetime) -> dict[str, str]:
    return {"@value": format_instant(at), "@type": "xsd:dateTime"}


def _name(kind: str, of: str) -> str:
    return f"{BX}{kind}:{_quoted(of)}"


def _quoted(text: str) -> str:
    return quote(text, safe="/")


def _field(field: Field) -> str:
    shown = _WHOLE if field.masking is None else field.masking.value
    pointer = quote(field.pointer, safe=_FRAGMENT)
    return f"{BX}field:{quote(field.name, safe='')}:{shown}#{pointer}"


def read(policy: object, answers: Mapping[str, object] | None = None) -> tuple[Terms, About]:
    """The terms of a policy, and what else it says.

    Args:
        policy: JSON.
        answers: the JSON Schema whose digest it names.

    Raises:
        Invalid: it is no policy, or not one of this profile; names every wrong field.
    """
    check(policy, PROFILE)
    assert isinstance(policy, dict)  # noqa: S101 - checked
    try:
        terms, about = _read(policy, answers)
        _check(terms, about)
        same = canonical.dumps(write(terms, about)) == canonical.dumps(policy)
    except (LookupError, TypeError, ValueError, AttributeError, Invalid) as error:
        raise Invalid([Problem("policy", "is not written as the profile says")]) from error
    if not same:
        raise Invalid([Problem("policy", "says what the profile does not know")])
    return terms, about


def compile_terms(policy: object, answers: Mapping[str, object] | None = None) -> Terms:
    """What a policy allows, for those who enforce it.

    Raises:
        Invalid: it is no policy, or not one of this profile; names every wrong field.
    """
    return read(policy, answers)[0]


def _read(policy: dict[str, Any], answers: Mapping[str, object] | None) -> tuple[Terms, About]:
    (permission,) = policy["permission"]
    target, at = permission["target"], _at(permission["constraint"])
    if not isinstance(policy["dpv:hasLegalBasis"], str):
        raise TypeError("no text")
    agreement, _, version = _of("agreement", policy["uid"], plain=True).rpartition(":")
    (shown,) = permission["action"]["refinement"]
    terms = Terms(
        agreement=unquote(agreement),
        digest=canonical.digest(policy),
        dataset=_of("dataset", target.get("source") or target["uid"]),
        service=_of("service", at["deliveryChannel", "eq"]["@id"]),
        provider=_of("agency", permission["assigner"]),
        consumer=_of("agency", permission["assignee"]),
        purposes=frozenset(one["@id"] for one in at["purpose", "isAnyOf"]),
        fields=tuple(_read_field(one["@id"]) for one in shown["rightOperand"]),
        rows=tuple(_read_row(one) for one in target.get("refinement", ())),
        records=target["bx:records"],
        limits=Limits(**{f.name: at.get((_LIMITS[f.name], "lteq")) for f in fields(Limits)}),
        begins=parse_instant(at["dateTime", "gteq"]["@value"]),
        ends=parse_instant(at["dateTime", "lt"]["@value"]),
        answers=answers,
    )
    about = About(
        int(version), parse_instant(policy["dct:issued"]["@value"]),
        _of("request", policy["dct:source"]), policy["dpv:hasLegalBasis"],
    )  # fmt: skip
    return terms, about


def _check(terms: Terms, about: About) -> None:
    """Refuse values that no terms have.

    Raises:
        ValueError: there is one.
    """
    most = [getattr(terms.limits, f.name) for f in fields(Limits)]
    pointers = [terms.records or "/", *(one.pointer for one in terms.fields)]
    pointers += [one.pointer for one in terms.rows]
    names = [one.name for one in terms.fields]
    sound = (
        all(one is None or (type(one) is int and one > 0) for one in most)
        and all(one.startswith("/") for one in pointers)
        and 0 < len(names) == len(set(names))
        and terms.purposes <= set(purposes.titles())
        and terms.begins < terms.ends
        and about.version > 0
    )
    if not sound:
        raise ValueError("not sound")


def _at(constraints: list[dict[str, Any]]) -> dict[tuple[str, str], Any]:
    return {(one["leftOperand"], one["operator"]): one["rightOperand"] for one in constraints}


def _of(kind: str, iri: str, *, plain: bool = False) -> str:
    head = f"{BX}{kind}:"
    if not iri.startswith(head):
        raise ValueError(iri)
    rest = iri.removeprefix(head)
    return rest if plain else unquote(rest, errors="strict")


def _read_field(iri: str) -> Field:
    head, _, pointer = iri.partition("#")
    name, _, shown = _of("field", head, plain=True).rpartition(":")
    masking = None if shown == _WHOLE else Masking(shown)
    return Field(unquote(name, errors="strict"), unquote(pointer, errors="strict"), masking)


def _read_row(one: dict[str, Any]) -> RowFilter:
    operator, right = Operator(one["operator"]), one["rightOperand"]
    values = tuple(right) if operator is Operator.ANY_OF else (right,)
    if not all(isinstance(value, str | int | float | bool) for value in values):
        raise TypeError("not a plain value")
    pointer = one["leftOperand"].removeprefix(_ROW)
    return RowFilter(unquote(pointer, errors="strict"), operator, values)
