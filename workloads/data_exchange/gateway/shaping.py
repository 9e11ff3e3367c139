"""Makes of an answer what an agreement allows: rows, fields, masks; all else is left out."""

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from workloads.data_exchange.agreements.terms import Field, Operator, RowFilter
from workloads.data_exchange.directory.elements import Masking
from workloads.data_exchange.proofs.keys import encoded

_NOTHING = object()
#: The year of a date, and the part of a Chinese address down to its county or district.
_DATE = re.compile(r"([0-9]{4})-?[0-9]{2}-?[0-9]{2}(?:[T ].*)?", re.ASCII | re.DOTALL)
_DISTRICT = re.compile(r".{1,30}?(?:省|市|自治区|特别行政区).{0,30}?[区县市旗]|.{1,12}?[区县旗]")
_STARS = "****"
_NUMERIC = int | float


class NoRecords(Exception):
    """There are no records where they should stand."""


@dataclass(frozen=True, slots=True)
class Shaped:
    """What may be handed out.

    Attributes:
        value: the answer; the same shape as the provider's, with nothing else in it.
        rows: how many records it has.
        left_out: how many records the filters kept back.
    """

    value: Any
    rows: int
    left_out: int


class Shaper:
    """Applies the fields and rows of one agreement.

    Args:
        records: where the records stand (RFC 6901).
        fields: what may be handed out of each.
        rows: which of them.
        key: of the agreement, for pseudonyms: 32 bytes.
    """

    def __init__(
        self, records: str, fields: Sequence[Field], rows: Sequence[RowFilter], key: bytes
    ) -> None:
        self._where = tokens(records)
        self._filters = [(tokens(one.pointer), _condition(one)) for one in rows]
        self._fields = [
            (tokens(one.pointer), _mask(one.masking, key))
            for one in fields
            if one.masking is not Masking.OMIT
        ]
        # Most records are flat and most fields whole.
        self._flat = [
            (way[0], mask) for way, mask in self._fields if len(way) == 1
        ] if all(len(way) == 1 for way, _ in self._fields) else None  # fmt: skip
        self.decisions = tuple(
            f"{one.masking.value}:{one.name}" for one in fields if one.masking is not None
        )

    def shape(self, answer: Any) -> Shaped:  # noqa: ANN401 - any JSON value
        """The part of an answer that may be handed out.

        Raises:
            NoRecords: there are none where they should stand.
        """
        found = get(answer, self._where)
        many = isinstance(found, list)
        if not many and not isinstance(found, dict):
            raise NoRecords
        rows: list[Any] = found if many else [found]
        if not all(isinstance(row, dict) for row in rows):
            raise NoRecords
        kept = [self._record(row) for row in rows if self._holds(row)]
        value: Any = kept if many else (kept[0] if kept else None)
        for token in reversed(self._where):
            value = {token: value}
        return Shaped(value, len(kept), len(rows) - len(kept))

    def _holds(self, row: dict[str, Any]) -> bool:
        return all(condition(get(row, way)) for way, condition in self._filters)

    def _record(self, row: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if self._flat is not None:
            for name, mask in self._flat:
                if name in row:
                    value = mask(row[name])
                    if value is not _NOTHING:
                        made[name] = value
            return made
        for way, mask in self._fields:
            found = get(row, way)
            value = _NOTHING if found is _NOTHING else mask(found)
            if value is not _NOTHING:
                put(made, way, value)
        return made


def tokens(pointer: str) -> tuple[str, ...]:
    """The reference tokens of a pointer (RFC 6901, 4); the empty one has none."""
    if not pointer:
        return ()
    return tuple(
        one.replace("~1", "/").replace("~0", "~") for one in pointer.removeprefix("/").split("/")
    )


def get(value: Any, way: Sequence[str]) -> Any:  # noqa: ANN401
    """What stands at the end of a way, or a mark that nothing does."""
    for token in way:
        if isinstance(value, dict):
            value = value.get(token, _NOTHING)
        elif isinstance(value, list) and token.isdecimal() and int(token[:9]) < len(value):
            value = value[int(token[:9])]
        else:
            return _NOTHING
    return value


def put(record: dict[str, Any], way: Sequence[str], value: Any) -> None:  # noqa: ANN401
    """Set what stands at the end of a way; objects on it are made."""
    for token in way[:-1]:
        record = record.setdefault(token, {})
    record[way[-1]] = value


def _mask(masking: Masking | None, key: bytes) -> Callable[[Any], Any]:
    if masking is None:
        return lambda value: value
    if masking is Masking.PARTIAL:
        return partial
    if masking is Masking.GENERALISE:
        return generalised
    return lambda value: pseudonym(value, key)


def partial(value: Any) -> Any:  # noqa: ANN401
    """A text with stars in the middle; a third of it at most stays."""
    text = _text(value)
    if text is None:
        return _NOTHING
    shown = min(4, len(text) // 6) or int(len(text) > 2)  # noqa: PLR2004
    # The number of stars is always the same: a length tells something too.
    return text[:shown] + _STARS + text[len(text) - shown :]


def generalised(value: Any) -> Any:  # noqa: ANN401
    """A year for a date, a district for an address, a band for a number; else nothing."""
    if isinstance(value, _NUMERIC) and not isinstance(value, bool):
        return _band(value)
    if not isinstance(value, str):
        return _NOTHING
    date = _DATE.fullmatch(value)
    if date is not None:
        return date[1]
    place = _DISTRICT.match(value)
    return place[0] if place is not None else _NOTHING


def _band(value: float) -> str:
    """``30000-39999`` for 35210: the first digit stays."""
    size = abs(int(value))
    step = 10 ** max(len(str(size)) - 1, 1)
    low = size // step * step
    band = f"{low}-{low + step - 1}"
    return f"-({band})" if value < 0 else band


def pseudonym(value: Any, key: bytes) -> Any:  # noqa: ANN401
    """The same text for the same value, and only under this key."""
    text = _text(value)
    if text is None:
        return _NOTHING
    return encoded(hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest())


def _text(value: Any) -> str | None:  # noqa: ANN401
    """A value as text; None for what is no single value."""
    if isinstance(value, bool) or value is None:
        return None
    return str(value) if isinstance(value, str | int | float) else None


def _condition(one: RowFilter) -> Callable[[Any], bool]:
    values = [(_kind(value), value) for value in one.values]
    if one.operator is Operator.NEQ:
        # Of the same kind and different: what cannot be compared is not handed out.
        return lambda value: all(_kind(value) == k and value != v for k, v in values)
    if one.operator in {Operator.EQ, Operator.ANY_OF}:
        return lambda value: any(_kind(value) == k and value == v for k, v in values)
    compare: Callable[[Any, Any], bool] = {
        Operator.LT: lambda a, b: a < b,
        Operator.LTEQ: lambda a, b: a <= b,
        Operator.GT: lambda a, b: a > b,
        Operator.GTEQ: lambda a, b: a >= b,
    }[one.operator]
    return lambda value: all(_kind(value) == k and compare(value, v) for k, v in values)


def _kind(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, _NUMERIC):
        return "number"
    return "text" if isinstance(value, str) else "other"
