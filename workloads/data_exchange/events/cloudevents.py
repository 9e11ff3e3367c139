"""CloudEvents 1.0.2 over HTTP: structured, batched and binary content modes.

Sources: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md, formats/json-format.md
and bindings/http-protocol-binding.md there; the extensions ``partitionkey``
(extensions/partitioning.md) and ``sequence``. What is published here is a record, so ``data`` is a
JSON object.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from foundation.kernel.errors import Collector
from workloads.data_exchange.gateway.documents import NotJson, read

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
#: Events of one request.
BATCH_MAX = 1_000
_TEXT_MAX = 1_024
#: Of one event, data among them: what is wrong with each is said.
_ATTRIBUTES_MAX = 100
_NAME = re.compile(r"[a-z0-9]{1,20}", re.ASCII)
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
_JSON = re.compile(r"(?i)(application|text)/([\w.+-]+\+)?json\s*(;.*)?", re.ASCII)
#: RFC 3986: what stands in a URI reference.
_URI = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+", re.ASCII)
_REQUIRED = ("specversion", "id", "source", "type")
#: Attributes that this exchange gives; who publishes does not.
_OURS = {"sequence", "sequencetype"}
_INT = range(-(2**31), 2**31)


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it was published.

    Attributes:
        key: events of one key keep their order: ``partitionkey``, else ``subject``, else the id.
        attributes: all context attributes.
        data: the record.
    """

    id: str
    source: str
    key: str
    attributes: Mapping[str, Any]
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Placed:
    """An event, and where it stands in its request.

    Attributes:
        at: what its attributes are called after in errors: ``3.`` in a batch, empty alone.
    """

    at: str
    event: Event


def parse(headers: Mapping[str, str], body: bytes, found: Collector) -> list[Placed]:
    """The events of a request that are well-formed; of the others is noted what is wrong.

    Nothing may be done with them while anything is noted: the batched content mode has no partial
    success, so all of a request is taken or nothing (``docs/decisions/0271``).

    Args:
        headers: names in lower case.
        body: as it came.
        found: notes every wrong attribute.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind.startswith("application/cloudevents") and "ce-specversion" in headers:
        return _some([("", _binary(headers, body, found))])
    if not found.check(
        kind in {STRUCTURED, BATCHED}, "Content-Type", f"must be {STRUCTURED} or {BATCHED}",
        "unsupported",
    ):  # fmt: skip
        return []
    try:
        told = read(body)
    except NotJson as error:
        found.check(False, "body", str(error))
        return []
    if kind == STRUCTURED:
        return _some([("", _event(told, "", found))])
    fits = isinstance(told, list) and len(told) <= BATCH_MAX
    if not found.check(fits, "body", f"must be a list of at most {BATCH_MAX} events"):
        return []
    return _some([(f"{n}.", _event(one, f"{n}.", found)) for n, one in enumerate(told)])


def _some(events: "list[tuple[str, Event | None]]") -> list[Placed]:
    return [Placed(at, one) for at, one in events if one is not None]


def _binary(headers: Mapping[str, str], body: bytes, found: Collector) -> Event | None:
    """Attributes in headers, percent-encoded (binding, 3.1.3.2); the body is the data."""
    told: dict[str, Any] = {}
    for name, value in headers.items():
        if name.startswith("ce-"):
            try:
                plain = unquote_to_bytes(value.strip('"')).decode()
            except UnicodeDecodeError:
                found.check(False, name, "is not percent-encoded UTF-8")
                continue
            found.check(name != "ce-datacontenttype", name, "is the Content-Type header here")
            told[name.removeprefix("ce-")] = plain
    told["datacontenttype"] = headers.get("content-type", "")
    try:
        told["data"] = read(body)
    except NotJson as error:
        found.check(False, "data", str(error))
        return None
    return _event(told, "", found)


def _event(told: object, at: str, found: Collector) -> Event | None:
    if not isinstance(told, dict):
        found.check(False, at.rstrip(".") or "body", "must be an object")
        return None
    before = len(found.problems)
    few = f"must have at most {_ATTRIBUTES_MAX} attributes"
    if not found.check(len(told) <= _ATTRIBUTES_MAX, at.rstrip(".") or "body", few):
        return None
    for name in _REQUIRED:
        value = told.get(name)
        found.check(
            isinstance(value, str) and 0 < len(value) <= _TEXT_MAX, at + name, "is required"
        )
    found.check(told.get("specversion") == "1.0", f"{at}specversion", "must be 1.0")
    for name, value in told.items():
        if name in {"data", "data_base64"}:
            continue
        _attribute(name, value, at, found)
    found.check("data_base64" not in told, f"{at}data_base64", "is no record: data is")
    kind = told.get("datacontenttype", "application/json")
    found.check(
        isinstance(kind, str) and _JSON.fullmatch(kind), f"{at}datacontenttype", "must be JSON"
    )
    found.check(isinstance(told.get("data"), dict), f"{at}data", "must be a record: an object")
    if len(found.problems) > before:
        return None
    attributes = {name: value for name, value in told.items() if name != "data"}
    key = str(told.get("partitionkey") or told.get("subject") or told["id"])
    return Event(told["id"], told["source"], key, attributes, told["data"])


def _attribute(name: str, value: object, at: str, found: Collector) -> None:
    where = at + name
    if not found.check(
        _NAME.fullmatch(name), where, "must be 1 to 20 lower-case letters or digits"
    ):
        return
    found.check(name not in _OURS, where, "is given here")
    if name in {"source", "dataschema"}:
        found.check(_reference(value, whole=name == "dataschema"), where, "must be a URI")
    elif name == "time":
        found.check(_time(value), where, "must be a time as RFC 3339 writes it")
    elif name in {"subject", "type", "id", "partitionkey", "datacontenttype"}:
        found.check(isinstance(value, str) and value, where, "must be a text that is not empty")
    if isinstance(value, str):
        found.check(len(value) <= _TEXT_MAX, where, f"must be at most {_TEXT_MAX} characters")
        found.check(not _unwanted(value), where, "has a character that is not allowed")
    else:
        right = isinstance(value, bool) or (type(value) is int and value in _INT)
        found.check(right, where, "must be a text, a whole number of 32 bits, or true or false")


def _unwanted(text: str) -> bool:
    """Controls, surrogates and non-characters (spec, Type System: String)."""
    return any(
        c < " " or "\x7f" <= c <= "\x9f" or "\ud800" <= c <= "\udfff"
        or 0xFDD0 <= ord(c) <= 0xFDEF or ord(c) & 0xFFFE == 0xFFFE  # noqa: PLR2004
        for c in text
    )  # fmt: skip


def _reference(value: object, *, whole: bool) -> bool:
    if not isinstance(value, str) or not _URI.fullmatch(value):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.scheme) or not whole


def _time(value: object) -> bool:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value.upper())
    except ValueError:
        return False
    return True
