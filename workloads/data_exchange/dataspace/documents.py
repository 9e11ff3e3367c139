"""Messages as they travel: JSON-LD in, plain JSON of the protocol's schemas out.

The protocol's context is made so that compacted messages are plain JSON that fits the schemas
(Common Requirements, "Schemas & Contexts"). ``read`` takes a message in that form and in the other
forms that JSON-LD allows: the context as a string, in a list or with more contexts beside it, terms
written with a prefix of the context (``dspace:code``) or as whole IRIs, values as ``@value`` or
``@id`` objects, single values in lists and lists of one. Contexts are never fetched: those of the
protocol are known, prefixes that a message declares itself are followed, others are passed over.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jsonschema_rs

from foundation.kernel import canonical

CONTEXT = "https://w3id.org/dspace/2025/1/context.jsonld"
DSPACE = "https://w3id.org/dspace/2025/1/"
_ODRL = "http://www.w3.org/ns/odrl/2/"
_SPACES = {
    "dspace": DSPACE, "odrl": _ODRL, "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
}  # fmt: skip
LARGEST = 256 * 1024
_DEEPEST = 24
#: Terms of ODRL that hold lists in the schemas, though the context leaves it open.
_LOGICAL = frozenset({"and", "andSequence", "or", "xone"})
#: Texts in a language each.
_SPOKEN = frozenset({"title", "description", "keyword"})
_SCHEMA_OF = {
    "CatalogRequestMessage": "catalog/catalog-request-message",
    "DatasetRequestMessage": "catalog/dataset-request-message",
    "Catalog": "catalog/catalog", "Dataset": "catalog/dataset",
    "CatalogError": "catalog/catalog-error",
    "ContractRequestMessage": "negotiation/contract-request-message",
    "ContractOfferMessage": "negotiation/contract-offer-message",
    "ContractAgreementMessage": "negotiation/contract-agreement-message",
    "ContractAgreementVerificationMessage": "negotiation/contract-agreement-verification-message",
    "ContractNegotiationEventMessage": "negotiation/contract-negotiation-event-message",
    "ContractNegotiationTerminationMessage":
        "negotiation/contract-negotiation-termination-message",
    "ContractNegotiation": "negotiation/contract-negotiation",
    "ContractNegotiationError": "negotiation/contract-negotiation-error",
    "TransferRequestMessage": "transfer/transfer-request-message",
    "TransferStartMessage": "transfer/transfer-start-message",
    "TransferCompletionMessage": "transfer/transfer-completion-message",
    "TransferSuspensionMessage": "transfer/transfer-suspension-message",
    "TransferTerminationMessage": "transfer/transfer-termination-message",
    "TransferProcess": "transfer/transfer-process",
    "TransferError": "transfer/transfer-error",
}  # fmt: skip


class Unreadable(Exception):
    """A message that is none; its text says why, for the sender."""


def read(body: bytes, *types: str) -> dict[str, Any]:
    """A message in the plain form of the schemas.

    Args:
        body: what was sent.
        types: the messages that are taken here.

    Raises:
        Unreadable: it is not JSON, not of this protocol, of another type, or does not fit its
            schema.
    """
    return _fitting(compacted(body, *types))


def compacted(body: bytes, *types: str, largest: int = LARGEST) -> dict[str, Any]:
    """The same of a document of any size that may not fit its schema: its parts are looked at."""
    if len(body) > largest:
        raise Unreadable(f"a message is at most {largest} bytes")
    try:
        sent = json.loads(body, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Unreadable("the body is not JSON, or names something twice") from None
    return _plain(sent, *types)


def plain(sent: object, *types: str) -> dict[str, Any]:
    """A message that was parsed already."""
    return _fitting(_plain(sent, *types))


def _fitting(found: dict[str, Any]) -> dict[str, Any]:
    problem = first_problem(found)
    if problem:
        raise Unreadable(problem)
    return found


def _plain(sent: object, *types: str) -> dict[str, Any]:
    if isinstance(sent, list) and len(sent) == 1:
        (sent,) = sent
    if not isinstance(sent, dict):
        raise Unreadable("the message is no JSON object")
    known, prefixes = _contexts(sent.get("@context"))
    if not known and not any(str(name).startswith(DSPACE) for name in sent):
        raise Unreadable(f"@context does not name {CONTEXT}")
    found = _compact(sent, prefixes, 0)
    found["@context"] = [CONTEXT]
    kind = found.get("@type")
    if kind not in types:
        raise Unreadable(f"@type must be {' or '.join(types)}")
    return found


def first_problem(message: Mapping[str, Any], kind: str = "") -> str:
    """In what a message does not fit its schema; empty when it does, or has none.

    Args:
        message: in the plain form.
        kind: by which schema; the one of its type if empty.
    """
    kind = kind or str(message.get("@type"))
    validator = _validators().get(kind)
    if validator is None:
        return ""
    for error in validator.iter_errors(dict(message)):
        at = "/".join(str(step) for step in error.instance_path)
        return f"{at or 'the message'} does not fit the schema of {kind}"
    return ""


def message(kind: str, **parts: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A message of ours; parts that are None are left out."""
    made = {"@context": [CONTEXT], "@type": kind}
    return made | {name: value for name, value in parts.items() if value is not None}


def error(kind: str, code: str, *reasons: str, **pids: str) -> dict[str, Any]:
    """An error of the protocol, such as ``TransferError``."""
    return message(kind, **pids, code=code, reason=list(reasons) or None)


def digest(value: Mapping[str, Any]) -> str:
    """What tells messages apart: of all that they say."""
    return canonical.digest(value)


def _contexts(context: object) -> tuple[bool, dict[str, str]]:
    """Whether the protocol's is there, and the prefixes."""
    known, prefixes = False, dict(_SPACES)
    for one in context if isinstance(context, list) else [context]:
        if one == CONTEXT:
            known = True
        elif isinstance(one, dict):
            prefixes |= {
                name: iri
                for name, iri in one.items()
                if isinstance(iri, str) and not name.startswith("@") and iri[-1:] in "#/:"
            }
    return known, prefixes


def _term(name: str, prefixes: Mapping[str, str]) -> str:
    """The short name of a term, where it is one of the protocol's vocabularies."""
    if name.startswith("@"):
        return name
    head, colon, rest = name.partition(":")
    if colon and head in prefixes and not rest.startswith("//"):
        name = prefixes[head] + rest
    for space in _SPACES.values():
        if name.startswith(space):
            return name.removeprefix(space)
    return name


def _compact(value: dict[str, Any], prefixes: Mapping[str, str], depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise Unreadable("the message is nested too deeply")
    found: dict[str, Any] = {}
    for name, inner in value.items():
        if name == "@context":
            continue
        term = _term(name, prefixes)
        if term in found:
            raise Unreadable(f"{term} is said twice")
        found[term] = _value(term, inner, prefixes, depth + 1)
    return found


def _value(term: str, value: Any, prefixes: Mapping[str, str], depth: int) -> Any:  # noqa: ANN401
    if depth > _DEEPEST:
        raise Unreadable("the message is nested too deeply")
    if term == "@type":
        (one,) = value if isinstance(value, list) and len(value) == 1 else (value,)
        return _term(one, prefixes) if isinstance(one, str) else one
    if isinstance(value, list):
        many = [_member(term, one, prefixes, depth + 1) for one in value]
        if term in _terms().sets or term == "rightOperand":
            return many
        return many[0] if len(many) == 1 else many
    if isinstance(value, dict):
        return _object(term, value, prefixes, depth)
    if isinstance(value, str):
        value = _name(term, value, prefixes)
    return [value] if term in {"reason", "filter"} else value


def _member(term: str, value: Any, prefixes: Mapping[str, str], depth: int) -> Any:  # noqa: ANN401
    """One of several values: a set in a set is flat."""
    found = _value(term, value, prefixes, depth)
    wrapped = isinstance(value, str | dict) and isinstance(found, list) and len(found) == 1
    return found[0] if wrapped else found


def _object(term: str, value: dict[str, Any], prefixes: Mapping[str, str], depth: int) -> Any:  # noqa: ANN401
    if term in _terms().names and set(value) == {"@id"} and isinstance(value["@id"], str):
        return _name(term, value["@id"], prefixes)
    if set(value) <= {"@value", "@type", "@language"} and "@value" in value:
        # An operand keeps its type: what it is compared with depends on it; a title its language.
        kept = (term == "rightOperand" and "@type" in value) or (
            term in _SPOKEN and "@language" in value
        )
        return dict(value) if kept else value["@value"]
    if set(value) == {"@set"} or set(value) == {"@list"}:
        (inner,) = value.values()
        return _value(term, inner, prefixes, depth + 1)
    made = _compact(value, prefixes, depth)
    return [made] if term in _terms().sets else made


def _name(term: str, value: str, prefixes: Mapping[str, str]) -> str:
    """A value that may be a name: what it is short for outside of its message."""
    if term in _terms().words:
        return _term(value, prefixes)
    if term == "leftOperand":
        head, _, rest = value.partition(":")
        if head in prefixes and head not in _SPACES and not rest.startswith("//"):
            return prefixes[head] + rest
    return value


@dataclass(frozen=True, slots=True)
class _Terms:
    """What the published contexts say of terms.

    Attributes:
        sets: their values are lists, however many there are (``@container: @set``).
        names: an object with only ``@id`` is the same as its text (``@type: @id`` or ``@vocab``).
        words: their values are terms themselves, which may be written in full.
    """

    sets: frozenset[str]
    names: frozenset[str]
    words: frozenset[str]


@functools.cache
def _terms() -> _Terms:
    sets, names, words = set(_LOGICAL), set[str](), set[str]()

    def look(context: Mapping[str, Any]) -> None:
        for term, said in context.items():
            if not isinstance(said, dict):
                continue
            look(said.get("@context", {}))
            if said.get("@container") == "@set":
                sets.add(term)
            if said.get("@type") in {"@id", "@vocab"}:
                names.add(term)
            # Operands are left as they are written, but for prefixes of their message: a policy
            # may name its own.
            if said.get("@type") == "@vocab" and term != "leftOperand":
                words.add(term)

    for file in ("context.jsonld", "odrl-profile.jsonld"):
        text = resources.files(__package__).joinpath("standard", file).read_text("utf-8")
        look(json.loads(text)["@context"])
    return _Terms(frozenset(sets), frozenset(names), frozenset(words))


@functools.cache
def _validators() -> dict[str, jsonschema_rs.Validator]:
    text = resources.files(__package__).joinpath("standard", "schemas.json").read_text("utf-8")
    schemas = json.loads(text)
    registry = jsonschema_rs.Registry(list(schemas.items()))
    return {
        kind: jsonschema_rs.validator_for(schemas[f"{DSPACE}{file}-schema.json"], registry=registry)
        for kind, file in _SCHEMA_OF.items()
    }


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_number(text: str) -> None:
    raise ValueError(text)
