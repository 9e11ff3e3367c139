"""Every setting, command, option, endpoint and metric is in ``docs/reference``, as it is today."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask

from control_plane.entrypoints import reference
from control_plane.entrypoints.app import Parts, create_app
from control_plane.entrypoints.serve import gauges
from control_plane.settings import Settings
from foundation.serving.metrics import Figures
from foundation.surface.api.openapi import path_of

_ROOT = Path(__file__).parents[2]

#: The commands that must exist under these names.
_PROMISED = """
serve / worker / demo / login / catalog list / catalog show / order create / order list / order show
order submit / approval list / approval show / approval approve / approval reject / deployment list
deployment show / deployment plan / deployment destroy / operation list / operation show
operation watch / operation cancel / usage push / usage list / statement list / statement show
statement explain / audit verify / blueprint validate / blueprint publish / blueprint list
region add / region list / region show / db upgrade / config
"""


@pytest.fixture(scope="module")
def app() -> APIFlask:
    nothing: object = object()
    return create_app(Parts(nothing, nothing, ()), Settings())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {file.name: file.read_text() for file in reference.FOLDER.glob("*.md")}


def test_the_reference_is_current(pages: dict[str, str]) -> None:
    made = reference.pages()
    stale = sorted(name for name, text in made.items() if pages.get(name) != text)
    assert not stale, f"run python -m {reference.__spec__.name}: {', '.join(stale)}"


def test_every_setting_is_in_it(pages: dict[str, str]) -> None:
    for setting in dataclasses.fields(Settings):
        row = f"| `BOROUGH_{setting.name.upper()}` |"
        assert pages["settings.md"].count(row) == 1
        assert setting.metadata["doc"].split("|")[0] in pages["settings.md"]


def test_every_command_and_option_is_in_it(pages: dict[str, str]) -> None:
    sections = dict(re.findall(r"^## (borough .+)\n([^#]*)", pages["commands.md"], re.MULTILINE))
    for words, command in reference.commands():
        section = sections[" ".join(("borough", *words))]
        assert command.help
        for option in command.params:
            if option.param_type_name == "option" and not option.name.startswith("console_"):
                assert all(f"`{one}" in section or f", {one}" in section for one in option.opts)
                assert option.help, f"{words}: {option.opts} does not say what it does"


def test_the_promised_commands_are_there() -> None:
    there = {" ".join(words) for words, _ in reference.commands()}
    assert {one.strip() for one in re.split(r"[/\n]", _PROMISED) if one.strip()} - there == set()


def test_approve_takes_the_digest() -> None:
    approve = dict(reference.commands())["approval", "approve"]
    assert [one.required for one in approve.params if one.name == "digest"] == [True]


def test_the_equivalents_that_commands_name_are_there(app: APIFlask) -> None:
    known = {
        (method, re.sub(r"{\w+}", "{}", path_of(rule.rule)))
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    for words, command in reference.commands():
        told = command.help or ""
        for method, path in re.findall(
            r"\b(GET|POST|PUT|PATCH|DELETE) (/api/\S+?)(?:,|\s|$)", told
        ):
            assert (method, re.sub(r"{\w+}", "{}", path)) in known, words
        for path in re.findall(r"^Web: (\S+)$", told, re.MULTILINE):
            page = re.sub(r"{\w+}", "{}", path)
            assert {("GET", page), ("POST", page)} & known, words


def _templates() -> Iterator[tuple[str, str]]:
    for package in ("foundation", "control_plane", "marketplace"):
        for file in sorted((_ROOT / package).rglob("templates/**/*.html")):
            yield file.name, file.read_text()


def test_the_commands_that_pages_name_are_there() -> None:
    known = dict(reference.commands())
    named = 0
    for file, text in _templates():
        # What stands after the quotes is an id: the command's words and options come before.
        for shown in re.findall(r'cli="([^"]+)"((?: ~ [^,]+)?)', text):
            for line in "".join(shown).split("\\n"):
                words = re.match(r"borough((?: [a-z][a-z-]*)+)", line)
                assert words, f"{file}: {line}"
                taken = tuple(words[1].split())
                command = next(filter(None, (known.get(taken[:n]) for n in (3, 2, 1))), None)
                assert command, f"{file}: {line}"
                there = {opt for param in command.params for opt in param.opts}
                assert set(re.findall(r"--[a-z-]+", line)) <= there, f"{file}: {line}"
                named += 1
    assert named > 15


def test_the_requests_that_pages_name_are_there(app: APIFlask) -> None:
    known = {
        (method, re.sub(r"{\w+}", "{}", path_of(rule.rule)))
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    for file, text in _templates():
        for first, rest in re.findall(r'api="([^"]+)"((?: ~ (?:"[^"]*"|[\w.]+))*)', text):
            # An expression in the place of an id stands for it.
            shown = first + "".join(
                part[1:-1] if part.startswith('"') else "{}"
                for part in re.findall(r'"[^"]*"|[\w.]+', rest)
            )
            for line in shown.split("\\n"):
                method, path = line.split(" ", 1)
                assert (method, path) in known, f"{file}: {line}"


def test_every_endpoint_and_field_is_in_it(app: APIFlask, pages: dict[str, str]) -> None:
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/") or rule.rule.endswith("openapi.json"):
            continue
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            assert f"\n### {method} {path_of(rule.rule)}\n" in pages["endpoints.md"]
    assert "\n### OrderWish\n" in pages["endpoints.md"]


def test_links_within_the_reference_lead_somewhere(pages: dict[str, str]) -> None:
    headings = {
        re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", pages["endpoints.md"], re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", pages["endpoints.md"])) - headings == set()


def test_every_metric_is_in_it(pages: dict[str, str]) -> None:
    nothing: object = object()
    figures = Figures(gauges(nothing))  # type: ignore[arg-type]
    collectors: list[Any] = list(figures.registry._collector_to_names)  # noqa: SLF001 - all of them
    kinds = {each.name: each.type for collector in collectors for each in collector.describe()}
    assert len(kinds) == len(reference.described_metrics())
    for name, kind in kinds.items():
        assert f"| `{name}` | {kind} |" in pages["metrics.md"]


def test_the_readme_and_the_settings_that_it_names_agree() -> None:
    named = set(re.findall(r"BOROUGH_[A-Z_]*[A-Z]", (_ROOT / "README.md").read_text()))
    known = {f"BOROUGH_{each.name.upper()}" for each in dataclasses.fields(Settings)}
    assert named <= known | {"BOROUGH_URL", "BOROUGH_TOKEN", "BOROUGH_CONTEXT"}
