"""The reference in ``docs/reference``, made from the settings, commands, endpoints and metrics.

    python -m control_plane.entrypoints.reference

writes its pages anew; a test holds that they are current.
"""

import dataclasses
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from control_plane.entrypoints.app import Parts, create_app
from control_plane.entrypoints.cli.main import borough
from control_plane.entrypoints.serve import gauges
from control_plane.settings import Settings
from foundation.serving import metrics
from foundation.surface.cli import exits

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
_MADE = "<!-- Made by `python -m control_plane.entrypoints.reference`; changes here are lost. -->"
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


def pages() -> dict[str, str]:
    """All pages: file name to content."""
    made = {
        "settings.md": _settings(),
        "commands.md": _commands(),
        "endpoints.md": _endpoints(description()),
        "metrics.md": _metrics(),
    }
    return {
        name: "\n".join([*_head(lines), ""]).replace("\n\n\n", "\n\n")
        for name, lines in made.items()
    }


def _head(lines: Iterator[str]) -> Iterator[str]:
    yield next(lines)
    yield ""
    yield _MADE
    yield from lines


def description() -> dict[str, Any]:
    """The OpenAPI document; it needs no platform."""
    nothing: Any = object()
    app = create_app(Parts(nothing, nothing, ()), Settings())
    spec = app.spec
    if not isinstance(spec, dict):
        raise TypeError("the description is made as JSON")
    return spec


def commands(
    command: click.Command = borough, *above: str
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that does something, by its words without ``borough``."""
    if not isinstance(command, click.Group):
        yield above, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        if found is not None:
            yield from commands(found, *above, name)


# Settings and metrics ----------------------------------------------------------------------------


def _settings() -> Iterator[str]:
    yield "# Settings"
    yield ""
    yield "Environment variables of `borough serve`, `worker`, `demo` and `db`. `borough config`"
    yield "shows their present values; an unknown `BOROUGH_` variable is an error."
    yield ""
    yield from _table(
        ("variable", "type", "default", "meaning"),
        (
            (
                f"`BOROUGH_{each.name.upper()}`", _type_name(each.type), _default(each),
                each.metadata["doc"],
            )
            for each in dataclasses.fields(Settings)
        ),
    )  # fmt: skip
    yield ""
    yield "The command line is a client and takes `BOROUGH_URL` (address of a platform),"
    yield "`BOROUGH_TOKEN` (an API token) and `BOROUGH_CONTEXT` (one of `borough context list`)."


def _type_name(kind: object) -> str:
    names = {bool: "true or false", int: "whole number", Path: "folder"}
    return names.get(kind, "text") if isinstance(kind, type) else "text"


def _default(setting: "dataclasses.Field[Any]") -> str:
    if setting.type is Path:
        return "the user's data folder"  # it differs from machine to machine
    if isinstance(setting.default, bool):
        return str(setting.default).lower()
    return f"`{setting.default}`" if setting.default != "" else "empty"


def described_metrics() -> list[metrics.Described]:
    """Every metric of ``/metrics``."""
    nothing: Any = object()
    return metrics.describe(gauges(nothing))


def _metrics() -> Iterator[str]:
    yield "# Metrics"
    yield ""
    yield "What `/metrics` of `borough serve` tells Prometheus. Health: `/healthz` answers while"
    yield "the process lives, `/readyz` when its database answers and has the newest schema."
    yield ""
    yield from _table(
        ("metric", "kind", "labels", "meaning"),
        (
            (f"`{each.name}`", each.kind, ", ".join(f"`{one}`" for one in each.labels), each.help)
            for each in described_metrics()
        ),
    )


# Commands ----------------------------------------------------------------------------------------


def _commands() -> Iterator[str]:
    yield "# Commands"
    yield ""
    yield from _table(
        ("exit code", "means"), ((str(code), text) for code, text in sorted(_EXITS.items()))
    )
    found = list(commands())
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
        yield from _command(words, command)


def _command(words: tuple[str, ...], command: click.Command) -> Iterator[str]:
    path = " ".join(("borough", *words))
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
    context = click.Context(borough)
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


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
        sys.stdout.write(f"docs/reference/{name}\n")


if __name__ == "__main__":
    main()
