"""The pipelines in ``docs/ci``: they parse, and every command and option in them is real."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from control_plane.entrypoints import reference
from foundation.surface.cli.declared import read_documents

FOLDER = Path(__file__).parents[3] / "docs" / "ci"
PIPELINES = ("github-actions.yaml", "gitlab-ci.yaml")


def scripts(value: Any, under: str = "") -> Iterator[str]:
    """What a pipeline runs."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from scripts(item, str(name))
    elif isinstance(value, list):
        for item in value:
            yield from scripts(item, under)
    elif isinstance(value, str) and under in {"run", "script", "before_script"}:
        yield from value.splitlines()


def commands(lines: Iterator[str]) -> list[list[str]]:
    found = [re.search(r"\bborough [a-z].*", line.partition("#")[0]) for line in lines]
    texts = [re.split(r"\|\||&&|;", match[0])[0] for match in found if match]
    return [shlex.split(text)[1:] for text in texts if "pip install" not in text]


def check(words: list[str]) -> None:
    known = dict(reference.commands())
    command = known.get(tuple(words[:2])) or known.get(tuple(words[:1]))
    assert command, f"there is no {words}"
    options = {opt for param in command.params for opt in param.opts + param.secondary_opts}
    assert {word for word in words if word.startswith("-")} <= options, words


@pytest.mark.parametrize("name", PIPELINES)
def test_every_command_of_a_pipeline_is_real(name: str) -> None:
    document = yaml.safe_load((FOLDER / name).read_text())
    found = commands(scripts(document))
    assert {words[0] for words in found} == {"login", "plan", "deploy"}
    for words in found:
        check(words)


def test_every_command_of_the_page_is_real() -> None:
    text = (FOLDER / "README.md").read_text()
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    found = commands(iter(blocks.splitlines()))
    assert len(found) == 8
    for words in found:
        check(words)


def test_the_pipelines_hold_no_secret() -> None:
    for name in PIPELINES:
        text = (FOLDER / name).read_text()
        assert "secrets." not in text
        assert not re.search(r"BOROUGH_TOKEN|PASSWORD", text)
    github = yaml.safe_load((FOLDER / PIPELINES[0]).read_text())
    assert github["permissions"]["id-token"] == "write"
    gitlab = yaml.safe_load((FOLDER / PIPELINES[1]).read_text())
    assert "BOROUGH_OIDC_TOKEN" in gitlab[".borough"]["id_tokens"]


def test_the_documents_are_documents() -> None:
    (service,) = read_documents([str(FOLDER / "service.yaml")], ("Service",), {})
    assert service.spec["offering"] == "web-application"
    kinds = ("Organisation", "Quota", "Region")
    city = read_documents([str(FOLDER / "city.yaml")], kinds, {"SOUTH_SECRET": "x"})
    assert [one.kind for one in city] == list(kinds)
