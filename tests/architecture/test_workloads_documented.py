"""Every setting, command and endpoint of a workload is in ``docs/reference``, as it is."""

import dataclasses
import enum
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

from foundation.serving import reference
from workloads.data_exchange.entrypoints import reference as exchange
from workloads.video_analytics.entrypoints import reference as video


@dataclasses.dataclass(frozen=True)
class Written:
    """A product's reference.

    Attributes:
        own: the product's own groups of commands; what the foundation's name, its own test looks
            after.
        operations, told: how many there are at least, of endpoints and of those that commands name.
    """

    made_by: ModuleType
    own: frozenset[str]
    operations: int
    told: int

    @property
    def source(self) -> reference.Source:
        found: reference.Source = self.made_by.source()
        return found

    @property
    def folder(self) -> Path:
        found: Path = self.made_by.FOLDER
        return found


WRITTEN = {
    "video": Written(
        video,
        frozenset({
            "camera", "cover", "department", "event", "evidence", "export", "incident", "linkage",
            "permit", "read", "receiver", "rule", "search",
        }),
        operations=41, told=21,
    ),
    "exchange": Written(
        exchange,
        frozenset({
            "agency", "agreement", "calendar", "catalog", "dataset", "key", "lottery", "receipt",
            "request", "service", "source", "usage",
        }),
        operations=21, told=6,
    ),
}  # fmt: skip


@pytest.fixture(params=WRITTEN)
def written(request: pytest.FixtureRequest) -> Written:
    return WRITTEN[request.param]


def test_the_reference_is_current(written: Written) -> None:
    there = {file.name: file.read_text() for file in written.folder.glob("*.md")}
    made = reference.pages(written.source)
    stale = sorted(name for name, text in made.items() if there.get(name) != text)
    assert not stale, f"run python -m {written.source.module}: {', '.join(stale)}"


def test_every_setting_command_and_endpoint_is_in_it(written: Written) -> None:
    source, pages = written.source, reference.pages(written.source)
    for setting in dataclasses.fields(source.settings):
        name = f"{source.program.prefix}{setting.name.upper()}"
        assert pages["settings.md"].count(f"| `{name}` |") == 1
    for words, command in reference.commands(source.cli):
        assert f"## {' '.join((source.program.name, *words))}\n" in pages["commands.md"]
        assert command.help, words
    operations: dict[str, Any] = {
        f"{method.upper()} {path}": operation
        for path, item in source.description["paths"].items()
        for method, operation in item.items()
        if method in {"get", "post", "put", "patch", "delete"}
    }
    assert len(operations) >= written.operations
    assert [name for name in operations if f"### {name}\n" not in pages["endpoints.md"]] == []


def test_choices_are_the_values_that_are_read_and_written_everywhere(written: Written) -> None:
    # Of an enumeration click would take the members' names instead.
    choices = [
        (words, choice)
        for words, command in reference.commands(written.source.cli)
        for parameter in command.params
        if isinstance(parameter.type, click.Choice)
        for choice in parameter.type.choices
    ]
    assert choices
    assert [one for one in choices if isinstance(one[1], enum.Enum)] == []


def test_the_equivalents_that_commands_name_are_there(written: Written) -> None:
    source = written.source
    known = {
        (method.upper(), re.sub(r"{\w+}", "{}", path))
        for path, item in source.description["paths"].items()
        for method in item
    }
    named = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/api/v1/[^\s?,]+)")
    told = {
        (found.group(1), re.sub(r"{\w+}", "{}", found.group(2)))
        for words, command in reference.commands(source.cli)
        if words[0] in written.own
        for found in named.finditer(command.help or "")
    }
    assert told - known == set()
    assert len(told) >= written.told
