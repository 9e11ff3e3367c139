"""Reads JSON that strangers send, within bounds (RFC 8259; names once each, as RFC 7493 asks)."""

import json
import math
import re
from typing import Any

#: How deep values may lie in each other, and how many there may be.
DEPTH = 64
VALUES = 1_000_000
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


class NotJson(Exception):
    """It is not JSON that is taken; its text says why."""


def read(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The value of a text.

    Raises:
        NotJson: it is none, is deeper or has more values than allowed, has a name twice in an
            object, or a number beyond what a double holds.
    """
    # Counted before anything is made of it: a few megabytes of "[]," would be gigabytes of lists.
    opened = data.count(b"[") + data.count(b"{")
    if opened + data.count(b",") > VALUES:
        raise NotJson("too many values")
    if opened > DEPTH and _depth(data) > DEPTH:
        raise NotJson("too deep")
    try:
        return _decode(data.decode())
    except (ValueError, RecursionError) as error:
        raise NotJson(_why(error)) from None


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, _Unwanted) else "not JSON in UTF-8"


class _Unwanted(ValueError):
    pass


def _once(pairs: "list[tuple[str, Any]]") -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Unwanted("a name stands twice in an object")
    return found


def _float(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise _Unwanted("a number is too large")
    return found


def _int(text: str) -> int:
    if len(text) > 100:  # noqa: PLR2004 - larger than anything that is counted
        raise _Unwanted("a number is too large")
    return int(text)


def _constant(_text: str) -> float:
    raise _Unwanted("not a number of JSON")


_decode = json.JSONDecoder(
    object_pairs_hook=_once, parse_float=_float, parse_int=_int, parse_constant=_constant
).decode


def _depth(data: bytes) -> int:
    deepest = here = 0
    for found in _BRACKETS.finditer(data):
        first = found[0][0]
        if first in b"[{":
            here += 1
            deepest = max(deepest, here)
        elif first in b"]}":
            here -= 1
    return deepest


#: JSON as it is handed out: no spaces, and no value that is not JSON.
dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
