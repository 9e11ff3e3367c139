"""Canonical JSON (RFC 8785) and digests of it, so that equal values have equal digests."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import rfc8785

from foundation.kernel.time import format_instant


def plain(value: Any) -> Any:  # noqa: ANN401, C901, PLR0911 - one case a type
    """The value in JSON's own types: decimals as plain strings, instants in RFC 3339.

    Raises:
        TypeError: a value that has no JSON form.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | str | int | float):
        return value
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, datetime):
        return format_instant(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(plain(item) for item in value)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no canonical JSON form")


def decimal_text(value: Decimal) -> str:
    """A decimal without exponent and without trailing zeros: 1.50 and 1.5 are the same text."""
    text = format(value.normalize(), "f")
    return "0" if text == "-0" else text


def dumps(value: Any) -> str:  # noqa: ANN401
    """Canonical JSON text of any value that ``plain`` takes."""
    return rfc8785.dumps(plain(value)).decode()


def digest(value: Any) -> str:  # noqa: ANN401
    """``sha256:`` and the hexadecimal SHA-256 of the canonical JSON."""
    return "sha256:" + hashlib.sha256(rfc8785.dumps(plain(value))).hexdigest()
