"""What a command prints: a table, all its fields, JSON, YAML or names."""

import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from foundation.surface.cli.plain import plain, plain_json

FORMATS = ("table", "wide", "json", "yaml", "name")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        title: its heading, in capitals.
        value: a dotted path into the item (``price.month``), or a function of the item.
        wide: shown by ``-o wide`` only.
        right: aligned to the right (numbers).
    """

    title: str
    value: str | Callable[[Mapping[str, Any]], object]
    wide: bool = False
    right: bool = False

    def of(self, item: Mapping[str, Any], language: str) -> str:
        """The cell for an item."""
        found = self.value(item) if callable(self.value) else at(item, self.value)
        return cell(found, language)


def at(item: object, path: str) -> Any:  # noqa: ANN401 - JSON
    """The value at a dotted path; None where the path ends early."""
    for step in path.split("."):
        if not isinstance(item, Mapping):
            return None
        item = item.get(step)
    return item


def cell(value: object, language: str = "en") -> str:
    """A JSON value as one line for a person; bilingual text in their language, money as text."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return _mapping(value, language)
    if isinstance(value, list | tuple):
        return ", ".join(cell(item, language) for item in value) or "-"
    return plain(str(value))


def _mapping(value: Mapping[str, Any], language: str) -> str:
    if set(value) == {"en", "zh"}:
        return plain(str(value[language]))
    if set(value) == {"amount", "currency"}:
        return f"{value['amount']} {value['currency']}"
    return ", ".join(f"{plain(key)}={cell(item, language)}" for key, item in value.items()) or "-"


def text_width(text: str) -> int:
    """How many cells of a terminal a text takes: Chinese characters take two."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide


def table(items: Sequence[Mapping[str, Any]], columns: Sequence[Column], language: str) -> str:
    """A table with headings, two spaces between columns."""
    rows = [[c.title for c in columns]]
    # A line of a table is one: what was written in several cannot look like further ones.
    rows += [[" ".join(c.of(item, language).split("\n")) for c in columns] for item in items]
    widths = [max(text_width(row[i]) for row in rows) for i in range(len(columns))]
    lines = []
    for row in rows:
        cells = []
        for column, text, width in zip(columns, row, widths, strict=True):
            space = " " * (width - text_width(text))
            cells.append(space + text if column.right else text + space)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def fields(item: Mapping[str, Any], columns: Sequence[Column], language: str) -> str:
    """One item as ``name: value`` lines."""
    width = max(text_width(column.title) for column in columns)
    lines = []
    for column in columns:
        title = column.title + ":" + " " * (width - text_width(column.title))
        lines.append(f"{title} {column.of(item, language)}")
    return "\n".join(lines)


def document(value: object, form: str) -> str:
    """A JSON value as JSON or YAML text."""
    if form == "yaml":
        import yaml  # noqa: PLC0415 - only for -o yaml

        text = str(yaml.safe_dump(value, allow_unicode=True, sort_keys=False))
        if plain(text) != text:
            # YAML writes escapes only in texts of ASCII alone.
            text = str(yaml.safe_dump(value, allow_unicode=False, sort_keys=False))
        return text.rstrip("\n")
    return plain_json(json.dumps(value, indent=2, ensure_ascii=False))


def visible(columns: Sequence[Column], form: str) -> list[Column]:
    """The columns that a form shows."""
    return [column for column in columns if form == "wide" or not column.wide]


def write_rows(
    items: Iterable[Mapping[str, Any]],
    columns: Sequence[Column],
    form: str,
    *,
    name: str = "id",
    language: str = "en",
) -> None:
    """Print a list to standard output."""
    found = list(items)
    if form in {"json", "yaml"}:
        click.echo(document(found, form))
    elif form == "name":
        for item in found:
            click.echo(cell(at(item, name)))
    elif found:
        click.echo(table(found, visible(columns, form), language))
    else:
        click.echo("Nothing found.", err=True)


def write_one(
    item: Mapping[str, Any],
    columns: Sequence[Column],
    form: str,
    *,
    name: str = "id",
    language: str = "en",
) -> None:
    """Print one thing to standard output."""
    if form in {"json", "yaml"}:
        click.echo(document(item, form))
    elif form == "name":
        click.echo(cell(at(item, name)))
    else:
        # A person who asks for one thing gets all of it; `wide` columns matter for tables only.
        click.echo(fields(item, columns, language))
