"""Every setting, command and endpoint of Borough Video is in ``docs/reference/video``, as it is."""

import dataclasses
import re
from typing import Any

from foundation.serving import reference
from workloads.video_analytics.entrypoints import reference as video
from workloads.video_analytics.settings import Settings

#: The product's own groups; what the foundation's commands name, its own test looks after.
OWN = {"camera", "department", "permit", "rule"}


def test_the_reference_is_current() -> None:
    written = {file.name: file.read_text() for file in video.FOLDER.glob("*.md")}
    made = reference.pages(video.source())
    stale = sorted(name for name, text in made.items() if written.get(name) != text)
    assert not stale, f"run python -m {video.__spec__.name}: {', '.join(stale)}"


def test_every_setting_command_and_endpoint_is_in_it() -> None:
    source, pages = video.source(), reference.pages(video.source())
    for setting in dataclasses.fields(Settings):
        assert pages["settings.md"].count(f"| `BOROUGH_VIDEO_{setting.name.upper()}` |") == 1
    for words, command in reference.commands(source.cli):
        assert f"## {' '.join(('borough-video', *words))}\n" in pages["commands.md"]
        assert command.help, words
    operations: dict[str, Any] = {
        f"{method.upper()} {path}": operation
        for path, item in source.description["paths"].items()
        for method, operation in item.items()
        if method in {"get", "post", "put", "patch", "delete"}
    }
    assert len(operations) > 40
    assert [name for name in operations if f"### {name}\n" not in pages["endpoints.md"]] == []


def test_the_equivalents_that_commands_name_are_there() -> None:
    source = video.source()
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
    assert len(told) > 20
