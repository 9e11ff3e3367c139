"""Packs as documents: what they may say, and how they are read."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from control_plane.provisioning.inputs import checked
from control_plane.provisioning.model import Severity
from control_plane.provisioning.policies.checks import CATALOGUE
from control_plane.provisioning.policies.model import Condition, Entry, Pack, Rule
from foundation.kernel import yaml_text
from foundation.kernel.errors import Collector, Invalid
from foundation.kernel.text import Text

SAFETY = "safety"
"""The pack that is always on and never replaced."""

_LISTS = {"in", "not_in", "matches", "not_matches"}
_TEXTS = {"matches", "not_matches"}
_NUMBERS = {"at_most", "at_least"}
_BARE = {"exists", "absent"}
_LONGEST_PATTERN = 200


@cache
def schema() -> dict[str, Any]:
    """JSON Schema of a pack."""
    text = _package().joinpath("pack.schema.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@cache
def bundled() -> Mapping[str, Pack]:
    """The packs that come with the platform, by name."""
    files = sorted(_package().joinpath("packs").iterdir(), key=lambda f: f.name)
    read = [pack_from(yaml_text.read(file.read_text("utf-8")), bundled_=True) for file in files]
    return {pack.name: pack for pack in read}


def _package() -> Any:  # noqa: ANN401 - importlib's own
    return resources.files("control_plane.provisioning.policies")


def pack_from(document: Mapping[str, Any], *, bundled_: bool = False, stored: bool = False) -> Pack:
    """Read a pack.

    Args:
        document: the pack.
        bundled_: it comes with the platform.
        stored: it was checked when it was published, perhaps by an older release: a policy that
            there is no more is left out, and settings that it does not take any more are the usual
            ones. Plans must not fail for that.

    Raises:
        Invalid: names every wrong field.
    """
    full = checked(schema(), document, "pack")
    found = Collector()
    entries = tuple(_entries(full.get("policies", {}), found))
    if stored:
        entries = (*entries, *_usual(full.get("policies", {}), entries))
        found = Collector()
    for index, rule in enumerate(full.get("rules", [])):
        _check_rule(rule, f"pack.rules.{index}", found)
    names = [rule["name"] for rule in full.get("rules", [])]
    found.check(len(set(names)) == len(names), "pack.rules", "have a name twice")
    found.check(full.get("policies") or names, "pack", "has neither policies nor rules")
    found.finish()
    scope = full.get("scope", {})
    return Pack(
        full["name"], full["version"], Text(**full["title"]), Text(**full["description"]),
        tuple(scope.get("paths", ())), tuple(scope.get("data_classes", ())), entries,
        tuple(_rule(full["name"], rule) for rule in full.get("rules", [])), dict(document),
        bundled=bundled_,
    )  # fmt: skip


def _entries(policies: Mapping[str, Any], found: Collector) -> Iterator[Entry]:
    for name, each in policies.items():
        field = f"pack.policies.{name}"
        policy = CATALOGUE.get(name)
        if not found.check(policy is not None, field, "is not a policy that the platform knows"):
            continue
        assert policy is not None  # noqa: S101 - for the reader; checked above
        try:
            settings = checked(policy.settings, each.get("settings", {}), f"{field}.settings")
        except Invalid as error:
            found.include(error)
            continue
        yield Entry(name, Severity(each["severity"]), settings)


def _usual(policies: Mapping[str, Any], read: Iterable[Entry]) -> Iterator[Entry]:
    """Policies that are known and whose settings are not: with their usual settings."""
    done = {entry.policy for entry in read}
    for name, each in policies.items():
        if name in CATALOGUE and name not in done:
            usual = checked(CATALOGUE[name].settings, {})
            yield Entry(name, Severity(each["severity"]), usual)


def _check_rule(rule: Mapping[str, Any], field: str, found: Collector) -> None:
    for part in ("when", "require"):
        for index, condition in enumerate(rule.get(part, [])):
            _check_condition(condition, f"{field}.{part}.{index}", found)


def _check_condition(condition: Mapping[str, Any], field: str, found: Collector) -> None:
    op, value = condition["op"], condition.get("value")
    place = f"{field}.value"
    if op in _BARE:
        found.check("value" not in condition, place, f"goes not with {op}")
        return
    if not found.check("value" in condition, place, "is required"):
        return
    if op in _NUMBERS:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        found.check(number, place, "must be a number")
    if op in _LISTS and found.check(isinstance(value, list) and value, place, "must be a list"):
        fine = op not in _TEXTS or all(
            isinstance(v, str) and len(v) <= _LONGEST_PATTERN for v in value or ()
        )
        found.check(fine, place, f"must hold texts of at most {_LONGEST_PATTERN} characters")


def _rule(pack: str, rule: Mapping[str, Any]) -> Rule:
    return Rule(
        f"rule.{pack}.{rule['name']}", Text(**rule["title"]), Text(**rule["message"]),
        Severity(rule["severity"]), rule["type"],
        tuple(map(_condition, rule.get("when", []))), tuple(map(_condition, rule["require"])),
    )  # fmt: skip


def _condition(condition: Mapping[str, Any]) -> Condition:
    path = condition["path"]
    steps = tuple(path.split(".")) if isinstance(path, str) else tuple(path)
    return Condition(steps, condition["op"], condition.get("value"))
