"""A product's reference, made from its settings, commands, endpoints and metrics.

Each product has a module that names itself here (``control_plane.entrypoints.reference``) and, run,
writes its pages anew; tests hold that they are current.
"""

import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from apiflask import APIFlask

from foundation.kernel.settings import CommonSettings, Program
from foundation.serving import metrics
from foundation.surface.cli import exits

_SHARED = "console_"
_WAITING = {"console_wait", "console_timeout"}
_EXITS = {
    exits.OK: "done",
    exits.FAILED: "failed",
    exits.USAGE: "wrong usage, or fields that are wrong",
    exits.NOT_FOUND: "there is no such thing, or you may not know of it",
    exits.NOT_ALLOWED: "not signed in, or not allowed",
    exits.CONFLICT: "the present state, quota or money does not allow it",
    exits.WAIT_TIMED_OUT: "the time to wait is over; the work goes on",
    exits.NEEDS_APPROVAL: "what was approved has changed: it needs a new approval",
}
_METHODS = ("get", "post", "put", "patch", "delete")


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """What the reference of a product is made of.

    Attributes:
        module: that writes it, for the note in each page.
        program: the console program.
        settings: of its processes.
        processes: the commands that read the settings, for a sentence.
        cli: its command line.
        description: the OpenAPI document.
        metrics: of ``/metrics``.
    """

    module: str
    program: Program
    settings: type[CommonSettings]
    processes: str
    cli: click.Group
    description: Mapping[str, Any]
    metrics: Sequence[metrics.Described]


def pages(source: Source) -> dict[str, str]:
    """All pages: file name to content."""
    made = {
        "settings.md": _settings(source),
        "commands.md": _commands(source),
        "endpoints.md": _endpoints(source.description),
        "metrics.md": _metrics(source),
    }
    return {
        name: "\n".join([*_head(source, lines), ""]).replace("\n\n\n", "\n\n")
        for name, lines in made.items()
    }


def _head(source: Source, lines: Iterator[str]) -> Iterator[str]:
    yield next(lines)
    yield ""
    yield f"<!-- Made by `python -m {source.module}`; changes here are lost. -->"
    yield from lines


def description_of(app: APIFlask) -> dict[str, Any]:
    """The OpenAPI document of an application; it needs no platform."""
    spec = app.spec
    if not isinstance(spec, dict):
        raise TypeError("the description is made as JSON")
    return spec


def write(source: Source, folder: Path) -> None:
    """Write the pages."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages(source).items():
        (folder / name).write_text(text)
        sys.stdout.write(f"{folder.name}/{name}\n")


def commands(
    command: click.Command, *above: str
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, by its words without the program's name."""
    if not isinstance(command, click.Group):
        yield above, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        if found is not None:
            yield from commands(found, *above, name)


# Settings and metrics ----------------------------------------------------------------------------


def _settings(source: Source) -> Iterator[str]:
    name, prefix = source.program.name, source.program.prefix
    yield "# Settings"
    yield ""
    yield f"Environment variables of {source.processes}. `{name} config`"
    yield f"shows their present values; an unknown `{prefix}` variable is an error."
    yield ""
    yield from _table(
        ("variable", "type", "default", "meaning"),
        (
            (
                f"`{prefix}{each.name.upper()}`", _type_name(each.type), _default(each),
                each.metadata["doc"],
            )
            for each in dataclasses.fields(source.settings)
        ),
    )  # fmt: skip
    yield ""
    yield f"The command line is a client and takes `{prefix}URL` (address of a platform),"
    yield f"`{prefix}TOKEN` (an API token) and `{prefix}CONTEXT` (one of `{name} context list`)."


def _type_name(kind: object) -> str:
    names = {bool: "true or false", int: "whole number", Path: "folder"}
    return names.get(kind, "text") if isinstance(kind, type) else "text"


def _default(setting: "dataclasses.Field[Any]") -> str:
    if setting.type is Path:
        return "the user's data folder"  # it differs from machine to machine
    if isinstance(setting.default, bool):
        return str(setting.default).lower()
    return f"`{setting.default}`" if setting.default != "" else "empty"


def _metrics(source: Source) -> Iterator[str]:
    yield "# Metrics"
    yield ""
    yield f"What `/metrics` of `{source.program.name} serve` tells Prometheus. Health: `/healthz` answers while"
    yield "the process lives, `/readyz` when its database answers and has the newest schema."
    yield ""
    yield from _table(
        ("metric", "kind", "labels", "meaning"),
        (
            (f"`{each.name}`", each.kind, ", ".join(f"`{one}`" for one in each.labels), each.help)
            for each in source.metrics
        ),
    )


# Commands ----------------------------------------------------------------------------------------


def _commands(source: Source) -> Iterator[str]:
    yield "# Commands"
    yield ""
    yield from _table(
        ("exit code", "means"), ((str(code), text) for code, text in sorted(_EXITS.items()))
    )
    found = list(commands(source.cli))
    yield ""
    yield "## Options of all commands that speak to a platform"
    yield ""
    shared = {
        option.name: option
        for _, command in found
        for option in _options(command)
        if (option.name or "").startswith(_SHARED)
    }
    yield from _option_table(shared[name] for name in shared if name not in _WAITING)
    yield ""
    yield "Those that start long work wait for it:"
    yield ""
    yield from _option_table(shared[name] for name in shared if name in _WAITING)
    for words, command in found:
        yield ""
        yield from _command(source.program.name, words, command)


def _command(name: str, words: tuple[str, ...], command: click.Command) -> Iterator[str]:
    path = " ".join((name, *words))
    context = click.Context(command, info_name=path)
    yield f"## {path}"
    yield ""
    yield f"    {path} {' '.join(command.collect_usage_pieces(context))}"
    yield ""
    told, _, same = (command.help or "").partition("\b")
    for paragraph in told.strip().split("\n\n"):
        yield " ".join(paragraph.split())
        yield ""
    own = [each for each in _options(command) if not (each.name or "").startswith(_SHARED)]
    if own:
        yield from _option_table(own)
        yield ""
    names = {each.name for each in _options(command)}
    if names >= _WAITING:
        yield "Waits for the work (`--wait`, `--timeout`)."
        yield ""
    yield from (f"- {' '.join(line.split())}" for line in same.strip().splitlines() if line.strip())


def _options(command: click.Command) -> list[click.Option]:
    return [each for each in command.params if isinstance(each, click.Option)]


def _option_table(options: Iterator[click.Option] | list[click.Option]) -> Iterator[str]:
    context = click.Context(click.Command("program"))
    rows = []
    for option in options:
        record = option.get_help_record(context)
        if record is not None:
            rows.append((f"`{record[0]}`", record[1]))
    yield from _table(("option", "meaning"), rows)


# Endpoints ---------------------------------------------------------------------------------------


def _endpoints(spec: Mapping[str, Any]) -> Iterator[str]:
    yield "# Endpoints"
    yield ""
    yield "The same as `/api/v1/openapi.json` (OpenAPI 3.1), for reading. A request carries"
    yield "`Authorization: Bearer TOKEN`. Errors are problem+json (RFC 9457): `errors` names every"
    yield "wrong field. *Action* is what the caller's roles must allow (`roles.yaml`)."
    for tag in spec["tags"]:
        yield ""
        yield f"## {tag['name']}"
        for path, item in spec["paths"].items():
            for method in _METHODS:
                operation = item.get(method)
                if operation and tag["name"] in operation["tags"]:
                    yield ""
                    yield from _endpoint(f"{method.upper()} {path}", operation)
    yield ""
    yield "## Models"
    for name, schema in sorted(spec["components"]["schemas"].items()):
        yield ""
        yield from _model(name, schema)


def _endpoint(name: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    yield operation["summary"]
    yield ""
    if operation.get("description"):
        yield from operation["description"].splitlines()
        yield ""
    yield f"- Action: `{operation['x-borough-action']}`"
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            continue
        must = ", required" if parameter.get("required") else ""
        told = f": {_line(parameter['description'])}" if parameter.get("description") else ""
        kind = _schema(parameter["schema"])
        yield f"- {parameter['in'].capitalize()} `{parameter['name']}` ({kind}{must}){told}"
    if "requestBody" in operation:
        yield f"- Body: {_content(operation['requestBody'])}"
    for code, answer in sorted(operation["responses"].items()):
        if code.startswith("2"):
            yield f"- {code}: {_content(answer)}"


def _content(holder: Mapping[str, Any]) -> str:
    content = holder.get("content", {})
    if not content:
        return "no body"
    return "; ".join(
        f"{_schema(each.get('schema', {}))} as `{kind}`" for kind, each in content.items()
    )


def _model(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    if schema.get("description"):
        yield _line(schema["description"])
        yield ""
    fields = schema.get("properties")
    if not fields:
        yield f"Is {_schema(schema)}."
        return
    required = set(schema.get("required", ()))
    yield from _table(
        ("field", "type", "meaning"),
        (
            (f"`{field}`" + ("" if field in required else " ?"), _schema(each), _told(each))
            for field, each in fields.items()
        ),
    )


def _told(schema: Mapping[str, Any]) -> str:
    told = _line(schema.get("description", ""))
    if schema.get("default") not in (None, "", [], {}):
        told = f"{told} Default: `{schema['default']}`.".strip()
    return told


def _schema(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        anchor = name.lower().replace(".", "")
        return f"[{name}](#{anchor})"
    if "enum" in schema:
        return " / ".join(f"`{value}`" for value in schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_schema(each) for each in schema[several])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_schema(schema.get('items', {}))}"
    return str(schema.get("format", kind)) if kind == "string" else str(kind)


# Markdown ----------------------------------------------------------------------------------------


def _line(text: str) -> str:
    return " ".join(text.split())


def _table(head: tuple[str, ...], rows: Any) -> Iterator[str]:  # noqa: ANN401 - rows of cells
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_line(cell).replace('|', chr(92) + '|') for cell in row)} |"
