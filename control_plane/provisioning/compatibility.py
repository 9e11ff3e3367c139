"""Two revisions of a blueprint side by side: would what fits the one fit the other?

A change is breaking when inputs that the older revision took are refused by the newer one, or when
somebody who reads an output, or a region that carried the blueprint, finds it gone. The version
has to say so: a breaking change takes a higher first number (SemVer 2.0.0, sections 8 and 4: below
1.0.0 the second number).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from foundation.kernel.text import Text

#: Limits of JSON Schema that grow tighter when they grow, and those that do when they shrink.
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
#: Rules of which nobody can tell whether another one is wider.
_OPAQUE = (
    "pattern", "format", "const", "multipleOf", "uniqueItems", "oneOf", "anyOf", "allOf", "not",
    "if", "then", "else", "dependentRequired", "dependentSchemas", "propertyNames",
    "patternProperties", "$ref",
)  # fmt: skip
_SHOWN = 80


class Part(StrEnum):
    """What part of a blueprint's document changed."""

    DOCUMENT = "document"
    INPUTS = "inputs"
    OUTPUTS = "outputs"


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One thing that a newer revision declares otherwise.

    Attributes:
        name: dotted path of the input or output, or the key of the document.
        breaking: whether something that worked may not work any more.
        message: a sentence for people.
    """

    part: Part
    name: str
    breaking: bool
    message: Text


def document_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[SchemaChange, ...]:
    """In what two ``blueprint.yaml`` differ that matters to those who use them; breaking first."""
    found = [
        *_document(old, new),
        *_object(Part.INPUTS, "", old["inputs"], new["inputs"]),
        *_object(Part.OUTPUTS, "", old["outputs"], new["outputs"]),
    ]
    return tuple(sorted(found, key=lambda c: (not c.breaking, c.part, c.name)))


def lowest_version(old: str) -> str:
    """The lowest version under which a breaking change of ``old`` may be published."""
    major, minor, _patch = (int(part) for part in old.split("."))
    return f"{major + 1}.0.0" if major else f"0.{minor + 1}.0"


def version_key(version: str) -> tuple[int, ...]:
    """A version in the order of versions."""
    return tuple(int(part) for part in version.split("."))


def _document(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[SchemaChange]:
    if old["kinds"] != new["kinds"]:
        # A list names what a region must have, all of it: a longer one shuts regions out.
        lists = isinstance(old["kinds"], list) and isinstance(new["kinds"], list)
        more = lists and bool(set(new["kinds"]) - set(old["kinds"]))
        needs = ("The kinds of region it needs", "所需资源区类型")
        text = _changed(*needs, old["kinds"], new["kinds"])
        yield SchemaChange(Part.DOCUMENT, "kinds", more, text)
    lost = sorted(set(old["data_classes"]) - set(new["data_classes"]))
    if lost:
        text = Text(f"It may no longer carry data that is {', '.join(lost)}.",
                    f"不再允许承载数据级别：{'、'.join(lost)}。")  # fmt: skip
        yield SchemaChange(Part.DOCUMENT, "data_classes", True, text)
    if old.get("scope", "tenancy") != new.get("scope", "tenancy"):
        text = _changed("Where it goes", "部署范围", old.get("scope"), new.get("scope"))
        yield SchemaChange(Part.DOCUMENT, "scope", True, text)
    if sorted(old.get("meters", [])) != sorted(new.get("meters", [])):
        text = _changed("What it is metered by", "计量项", old.get("meters"), new.get("meters"))
        yield SchemaChange(Part.DOCUMENT, "meters", False, text)


def _object(
    part: Part, under: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[SchemaChange]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in sorted({*before, *after}):
        path = f"{under}.{name}" if under else name
        if name not in after:
            text = Text(f"{path} is gone.", f"{path} 已移除。")
            yield SchemaChange(part, path, True, text)
        elif name not in before:
            yield _added(part, path, name, new)
        else:
            yield from _value(part, path, before[name], after[name])
            yield from _required(part, path, name, old, new)


def _needed(name: str, schema: Mapping[str, Any]) -> bool:
    """Whether somebody has to give it: it is required and has no default."""
    rule = schema["properties"].get(name, {})
    return name in schema.get("required", []) and "default" not in rule


def _added(part: Part, path: str, name: str, new: Mapping[str, Any]) -> SchemaChange:
    if part is Part.INPUTS and _needed(name, new):
        text = Text(f"{path} is new and has to be given.", f"{path} 为新增的必填项。")
        return SchemaChange(part, path, True, text)
    return SchemaChange(part, path, False, Text(f"{path} is new.", f"{path} 为新增项。"))


def _required(
    part: Part, path: str, name: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[SchemaChange]:
    was, now = _needed(name, old), _needed(name, new)
    if part is Part.INPUTS and was != now:
        text = (
            Text(f"{path} has to be given now.", f"{path} 现为必填项。")
            if now
            else Text(f"{path} may be left out now.", f"{path} 现可不填。")
        )
        yield SchemaChange(part, path, now, text)
    if (
        part is Part.OUTPUTS
        and name in old.get("required", [])
        and name not in new.get("required", [])
    ):
        text = Text(f"{path} may be missing now.", f"{path} 现可能缺失。")
        yield SchemaChange(part, path, True, text)


def _value(
    part: Part, path: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[SchemaChange]:
    yield from _type(part, path, old, new)
    yield from _choices(part, path, old, new)
    if part is Part.INPUTS:
        yield from _limits(path, old, new)
    if old.get("default") != new.get("default"):
        text = _changed(f"The default of {path}", f"{path} 的默认值", old.get("default"),
                        new.get("default"))  # fmt: skip
        yield SchemaChange(part, path, False, text)
    if bool(old.get("x-secret")) != bool(new.get("x-secret")):
        secret = bool(new.get("x-secret"))
        text = (
            Text(f"{path} is secret now.", f"{path} 现为机密。")
            if secret
            else Text(f"{path} is not secret any more.", f"{path} 不再是机密。")
        )
        yield SchemaChange(part, path, True, text)
    if isinstance(old.get("properties"), Mapping) and isinstance(new.get("properties"), Mapping):
        yield from _object(part, path, old, new)
    if isinstance(old.get("items"), Mapping) and isinstance(new.get("items"), Mapping):
        yield from _value(part, f"{path}[]", old["items"], new["items"])


def _types(schema: Mapping[str, Any]) -> set[str]:
    given = schema.get("type", [])
    names = {given} if isinstance(given, str) else set(given)
    return names | {"integer"} if "number" in names else names


def _type(
    part: Part, path: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[SchemaChange]:
    before, after = _types(old), _types(new)
    if before == after:
        return
    # Wider is harmless to those who give a value, narrower to those who read one.
    narrow, wide = (before, after) if part is Part.INPUTS else (after, before)
    harmless = not wide or (bool(narrow) and narrow <= wide)
    text = _changed(f"The type of {path}", f"{path} 的类型", old.get("type"), new.get("type"))
    yield SchemaChange(part, path, not harmless, text)


def _choices(
    part: Part, path: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[SchemaChange]:
    before, after = old.get("enum"), new.get("enum")
    if before == after:
        return
    narrow, wide = (before, after) if part is Part.INPUTS else (after, before)
    harmless = wide is None or (narrow is not None and all(value in wide for value in narrow))
    text = _changed(f"The choices of {path}", f"{path} 的可选值", before, after)
    yield SchemaChange(part, path, not harmless, text)


def _limits(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[SchemaChange]:
    for key in (*_LOWER, *_UPPER, *_OPAQUE):
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        text = _changed(f"{path}: {key}", f"{path}：{key}", before, after)
        yield SchemaChange(Part.INPUTS, path, _tighter(key, before, after), text)


def _tighter(key: str, before: Any, after: Any) -> bool:  # noqa: ANN401 - JSON
    if after is None:
        return False
    if before is None or key in _OPAQUE:
        return True
    return bool(after > before if key in _LOWER else after < before)


def _changed(what_en: str, what_zh: str, before: Any, after: Any) -> Text:  # noqa: ANN401 - JSON
    was, now = _shown(before), _shown(after)
    return Text(
        f"{what_en} was {was[0]} and is now {now[0]}.", f"{what_zh}由 {was[1]} 变为 {now[1]}。"
    )


def _shown(value: Any) -> tuple[str, str]:  # noqa: ANN401 - JSON
    if value is None:
        return "(none)", "（无）"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    text = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return text, text
