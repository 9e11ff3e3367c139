"""Every setting, command and endpoint of Borough Exchange is in its reference, as it is."""

import dataclasses
import re
from typing import Any

from foundation.serving import reference
from workloads.data_exchange.entrypoints import reference as exchange
from workloads.data_exchange.settings import Settings

#: The product's own groups; what the foundation's commands name, its own test looks after.
OWN = {
    "agency", "agreement", "calendar", "catalog", "dataset", "key", "lottery", "receipt", "request",
    "service", "source", "usage",
}  # fmt: skip


def test_the_reference_is_current() -> None:
    written = {file.name: file.read_text() for file in exchange.FOLDER.glob("*.md")}
    made = reference.pages(exchange.source())
    stale = sorted(name for name, text in made.items() if written.get(name) != text)
    assert not stale, f"run python -m {exchange.__spec__.name}: {', '.join(stale)}"


def test_every_setting_command_and_endpoint_is_in_it() -> None:
    source, pages = exchange.source(), reference.pages(exchange.source())
    for setting in dataclasses.fields(Settings):
        assert pages["settings.md"].count(f"| `BOROUGH_EXCHANGE_{setting.name.upper()}` |") == 1
    for words, command in reference.commands(source.cli):
        assert f"## {' '.join(('borough-exchange', *words))}\n" in pages["commands.md"]
        assert command.help, words
    operations: dict[str, Any] = {
        f"{method.upper()} {path}": operation
        for path, item in source.description["paths"].items()
        for method, operation in item.items()
        if method in {"get", "post", "put", "patch", "delete"}
    }
    assert len(operations) > 20
    assert [name for name in operations if f"### {name}\n" not in pages["endpoints.md"]] == []


def test_the_equivalents_that_commands_name_are_there() -> None:
    source = exchange.source()
    known = {
        (method.upper(), re.sub(r"{\w+}", "{}", path))
        for path, item in source.description["paths"].items()
        for method in item
    }
    named = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/api/v1/[^\s?,]+)")
    told = {
        (found.group(1), re.sub(r"{\w+}", "{}", found.group(2)))
        for words, command in reference.commands(source.cli)
        if words[0] in OWN
        for found in named.finditer(command.help or "")
    }
    assert told - known == set()
    assert len(told) >= 6
