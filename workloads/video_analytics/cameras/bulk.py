"""Many cameras from a file: CSV (RFC 4180) or YAML, a row each, with every wrong field named.

The columns are those of ``COLUMNS``; a row begins with the name or code by which a city's list has
it. Groups are separated by semicolons. Masks come with YAML alone, as lists of points.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml

from foundation.kernel import yaml_text
from foundation.kernel.errors import Collector, Invalid, Problem
from foundation.kernel.text import Text
from workloads.video_analytics.cameras.model import (
    TIMEZONE,
    DataClass,
    Place,
    Settings,
    SourceKind,
)
from workloads.video_analytics.cameras.service import SourceWish
from workloads.video_analytics.vision.model import Point, Tier

ROWS_MAX = 5000
CONTENT_MAX = 4 * 1024 * 1024
COLUMNS = (
    "code", "name", "name_zh", "path", "kind", "url", "username", "password", "vendor", "model",
    "groups", "place", "latitude", "longitude", "timezone", "data_class", "overhead", "tier",
    "priority", "enabled", "masks",
)  # fmt: skip
_REQUIRED = ("name", "path", "kind", "url")
_YES, _NO = {"true", "yes", "1", "是"}, {"false", "no", "0", "否"}

Row = tuple[str, Settings, SourceWish]


def read(form: str, content: str) -> list[Row]:
    """The cameras of a file, each with its name for problems (``rows.1`` is the first).

    Raises:
        Invalid: names every wrong row and field.
    """
    if len(content) > CONTENT_MAX:
        raise Invalid([Problem("content", f"must be at most {CONTENT_MAX} characters")])
    given = _from_csv(content) if form == "csv" else _from_yaml(content)
    found = Collector()
    found.check(given, "content", "has no camera")
    found.check(len(given) <= ROWS_MAX, "content", f"must have at most {ROWS_MAX} rows")
    found.finish()
    rows = [_row(found, f"rows.{at}", row) for at, row in enumerate(given, 1)]
    found.finish()
    return rows


def _from_csv(content: str) -> list[Mapping[str, Any]]:
    try:
        reader = csv.DictReader(
            io.StringIO(content.removeprefix("\ufeff"), newline=""), strict=True
        )
        rows = [
            {name: text for name, text in row.items() if text != ""}
            for row in reader
            if any(row.values())
        ]
    except csv.Error as error:
        raise Invalid([Problem("content", f"is not CSV: {error}")]) from None
    return [{"": value} if None in value else value for value in rows]


def _from_yaml(content: str) -> list[Mapping[str, Any]]:
    try:
        told = yaml_text.read_strangers(content)
    except yaml_text.AliasesError:
        raise Invalid([Problem("content", "must not use aliases")]) from None
    except (yaml.YAMLError, ValueError):
        raise Invalid([Problem("content", "is not YAML")]) from None
    rows = told.get("cameras") if isinstance(told, dict) else told
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Invalid([Problem("content", "must be a list of cameras")])
    return [{str(name): v for name, v in row.items() if v is not None} for row in rows]


def _row(found: Collector, name: str, row: Mapping[str, Any]) -> Row:
    for column in row:
        known = column in COLUMNS
        found.check(known, f"{name}.{column}" if column else name, "is not a column")
    for column in _REQUIRED:
        found.check(row.get(column, "") != "", f"{name}.{column}", "is required", "required")
    cell = _Cells(found, name, row)
    title = cell.text("name")
    settings = Settings(
        name=Text(title, cell.text("name_zh") or title),
        path=cell.text("path"),
        code=cell.text("code"),
        vendor=cell.text("vendor"),
        model=cell.text("model"),
        groups=cell.groups(),
        place=Place(cell.text("place"), cell.number("latitude"), cell.number("longitude")),
        timezone=cell.text("timezone") or TIMEZONE,
        data_class=DataClass(cell.choice("data_class", DataClass.INTERNAL, list(DataClass))),
        masks=cell.masks(),
        overhead=cell.truth("overhead", otherwise=False),
        tier=Tier(cell.choice("tier", Tier.LOW_RATE, list(Tier))),
        priority=cell.whole("priority", 5),
        enabled=cell.truth("enabled", otherwise=True),
    )
    kind = SourceKind(cell.choice("kind", SourceKind.RTSP, list(SourceKind)))
    source = SourceWish(kind, cell.text("url"), cell.text("username"), cell.text("password"))
    return name, settings, source


class _Cells:
    """The cells of a row, read into types; what cannot be read is noted."""

    def __init__(self, found: Collector, name: str, row: Mapping[str, Any]) -> None:
        self._found = found
        self._name = name
        self._row = row

    def text(self, column: str) -> str:
        value = self._row.get(column, "")
        plain = isinstance(value, str | int | float) and not isinstance(value, bool)
        self._found.check(plain, f"{self._name}.{column}", "must be a text")
        return str(value).strip() if plain else ""

    def number(self, column: str) -> float | None:
        if self._row.get(column) in {None, ""}:
            return None
        return float(self._read(column, float, "must be a number", 0.0))

    def whole(self, column: str, otherwise: int) -> int:
        if self._row.get(column) in {None, ""}:
            return otherwise
        return int(self._read(column, int, "must be a whole number", otherwise))

    def _read(self, column: str, kind: Callable[[str], Any], message: str, otherwise: Any) -> Any:  # noqa: ANN401
        try:
            value = kind(str(self._row[column]))
        except (ValueError, OverflowError):
            value = None
        ok = value is not None and abs(value) < 10**9  # which NaN is not either
        self._found.check(ok, f"{self._name}.{column}", message)
        return value if ok else otherwise

    def truth(self, column: str, *, otherwise: bool) -> bool:
        text = str(self._row.get(column, otherwise)).strip().lower()
        self._found.check(text in _YES | _NO, f"{self._name}.{column}", "must be true or false")
        return text in _YES

    def choice(self, column: str, otherwise: str, words: Sequence[str]) -> str:
        text = str(self._row.get(column, otherwise)).strip()
        known = text in list(words)
        rule = f"must be one of {', '.join(words)}"
        self._found.check(known, f"{self._name}.{column}", rule)
        return text if known else otherwise

    def groups(self) -> tuple[str, ...]:
        value = self._row.get("groups", "")
        parts = value if isinstance(value, list) else str(value).split(";")
        return tuple(sorted({str(part).strip() for part in parts if str(part).strip()}))

    def masks(self) -> tuple[tuple[Point, ...], ...]:
        value = self._row.get("masks", [])
        try:
            return tuple(tuple(Point(float(x), float(y)) for x, y in mask) for mask in value)
        except (TypeError, ValueError):
            rule = "must be lists of points such as [[0.1, 0.2], …]"
            self._found.check(False, f"{self._name}.masks", rule)
            return ()
