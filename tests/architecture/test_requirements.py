"""The pinned requirements: complete, by digest, without an address, and within the ranges."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PINS = sorted(path.name for path in (ROOT / "requirements").glob("*.txt"))
ENTRY = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>\S+)[^\n]*\\\n(?P<digests>(?:    .*\n?)+)", re.MULTILINE
)


def _pins(name: str) -> dict[str, str]:
    """The versions that a requirements file pins, by package."""
    text = (ROOT / "requirements" / name).read_text()
    return {canonicalize_name(m["name"]): m["version"] for m in ENTRY.finditer(text)}


def _project() -> dict[str, list[Requirement]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runtime = [Requirement(line) for line in project["dependencies"]]
    tools = [Requirement(line) for line in project["optional-dependencies"]["dev"]]
    return {"runtime.txt": runtime, "dev.txt": [*runtime, *tools]}


@pytest.mark.parametrize("name", PINS)
def test_every_line_is_a_pin_with_digests_and_no_address(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text()
    rest = ENTRY.sub("", text)
    assert [line for line in rest.splitlines() if not line.startswith("#")] == []
    assert "://" not in text
    for entry in ENTRY.finditer(text):
        digests = entry["digests"].replace("\\", "").split()
        assert digests, entry["name"]
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", digest) for digest in digests)


@pytest.mark.parametrize("name", sorted(_project()))
def test_the_pins_satisfy_what_the_project_asks_for(name: str) -> None:
    pins = _pins(name)
    unmet = [
        f"{requirement} is pinned at {pins.get(canonicalize_name(requirement.name))}"
        for requirement in _project()[name]
        if not requirement.specifier.contains(
            pins.get(canonicalize_name(requirement.name), "0.dev0"), prereleases=True
        )
    ]
    assert unmet == [], "run ./dev lock"


def test_the_tools_are_tried_with_the_packages_that_are_shipped() -> None:
    runtime, tools, build = _pins("runtime.txt"), _pins("dev.txt"), _pins("build.txt")
    assert {name: tools.get(name) for name in runtime} == runtime
    both = build.keys() & tools.keys()
    assert {name: tools[name] for name in both} == {name: build[name] for name in both}
