"""Inputs against a blueprint's schema: every mistake at once, in words for people."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, SchemaError, ValidationError

from foundation.kernel.errors import Invalid, Problem

_LARGEST = 2**53 - 1
"""Integers beyond it are not the same in every JSON reader (RFC 8259, section 6)."""


def fill(schema: Mapping[str, Any], value: Any) -> Any:  # noqa: ANN401 - JSON
    """The value with the schema's defaults where something is left out."""
    if isinstance(value, Mapping) and isinstance(schema.get("properties"), Mapping):
        filled = dict(value)
        for name, inner in schema["properties"].items():
            if name in filled:
                filled[name] = fill(inner, filled[name])
            elif isinstance(inner, Mapping) and "default" in inner:
                filled[name] = inner["default"]
        return filled
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        return [fill(schema["items"], item) for item in value]
    return value


def checked(schema: Mapping[str, Any], value: Any, under: str = "inputs") -> dict[str, Any]:  # noqa: ANN401
    """The inputs with their defaults.

    Args:
        schema: JSON Schema 2020-12 of an object; what it does not name is refused.
        value: what somebody sent.
        under: put before every field.

    Raises:
        Invalid: names every wrong, missing and unknown input.
    """
    if not isinstance(value, Mapping):
        raise Invalid([Problem(under, "must be an object")])
    problems = [Problem(_field(under, path), message) for path, message in _impossible(value, ())]
    if problems:
        raise Invalid(problems)
    filled = fill(schema, value)
    strict = {"additionalProperties": False, **schema}
    for error in Draft202012Validator(strict).iter_errors(filled):
        problems.extend(_problems(error, under))
    if problems:
        raise Invalid(sorted(problems, key=lambda p: (p.field, p.message)))
    return dict(filled)


def schema_problems(schema: Any, under: str) -> list[Problem]:  # noqa: ANN401
    """What is wrong with a JSON Schema of an object itself; nothing when it is sound."""
    if not isinstance(schema, Mapping):
        return [Problem(under, "must be a JSON Schema of an object")]
    problems = []
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        field = ".".join([under, *(str(part) for part in error.absolute_path)])
        problems.append(Problem(field, f"is not valid in JSON Schema 2020-12: {error.message}"))
        return problems
    if schema.get("type") != "object":
        problems.append(Problem(f"{under}.type", "must be object"))
    for name, inner in schema.get("properties", {}).items():
        if isinstance(inner, Mapping) and "default" in inner:
            field = f"{under}.properties.{name}.default"
            problems.extend(
                Problem(field, problem.message)
                for error in Draft202012Validator(inner).iter_errors(inner["default"])
                for problem in _problems(error, field)
            )
    return problems


def _field(under: str, path: tuple[object, ...]) -> str:
    return ".".join([under, *(str(part) for part in path)])


def _impossible(value: Any, path: tuple[object, ...]) -> Iterator[tuple[tuple[object, ...], str]]:  # noqa: ANN401
    """What JSON or the database cannot carry."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if not isinstance(name, str) or "\0" in name:
                yield path, "has a name that is not a text"
            else:
                yield from _impossible(item, (*path, name))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _impossible(item, (*path, index))
    else:
        message = _impossible_leaf(value)
        if message:
            yield path, message


def _impossible_leaf(value: Any) -> str:  # noqa: ANN401
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        odd = "\0" in value or any("\ud800" <= c <= "\udfff" for c in value)
        return "holds characters that are no text" if odd else ""
    if isinstance(value, int):
        return "is too large a number" if abs(value) > _LARGEST else ""
    if isinstance(value, float):
        return "" if math.isfinite(value) else "must be a finite number"
    return "is no JSON"


_TYPES = {
    "string": "a text", "integer": "a whole number", "number": "a number", "boolean": "yes or no",
    "array": "a list", "object": "an object", "null": "nothing",
}  # fmt: skip


def _type_text(wanted: Any) -> str:  # noqa: ANN401
    names = [wanted] if isinstance(wanted, str) else wanted
    return " or ".join(_TYPES.get(name, str(name)) for name in names)


def _choices(values: Any) -> str:  # noqa: ANN401
    return ", ".join(str(value) for value in values)


_MESSAGES: dict[str, Callable[[Any], str]] = {
    "type": lambda v: f"must be {_type_text(v)}",
    "minimum": lambda v: f"must be at least {v}",
    "maximum": lambda v: f"must be at most {v}",
    "exclusiveMinimum": lambda v: f"must be more than {v}",
    "exclusiveMaximum": lambda v: f"must be less than {v}",
    "multipleOf": lambda v: f"must be a multiple of {v}",
    "enum": lambda v: f"must be one of {_choices(v)}",
    "const": lambda v: f"must be {v}",
    "minLength": lambda v: "must not be empty" if v == 1 else f"must have {v} characters or more",
    "maxLength": lambda v: f"must have {v} characters or fewer",
    "pattern": lambda v: f"does not have the form {v}",
    "format": lambda v: f"is not a valid {v}",
    "minItems": lambda v: f"must have {v} or more entries",
    "maxItems": lambda v: f"must have {v} or fewer entries",
    "uniqueItems": lambda _: "must not hold the same entry twice",
    "minProperties": lambda v: f"must have {v} or more members",
    "maxProperties": lambda v: f"must have {v} or fewer members",
}


def _problems(error: ValidationError, under: str) -> Iterator[Problem]:
    path = tuple(error.absolute_path)
    value, kind = error.instance, error.validator
    if kind == "required":
        required: Any = error.validator_value
        given: Any = value
        for name in required:
            if name not in given and f"{name!r} is a required" in error.message:
                yield Problem(_field(under, (*path, name)), "is required", "required")
    elif kind == "additionalProperties" and isinstance(value, Mapping):
        known = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
        for name in sorted(set(value) - set(known)):
            yield Problem(_field(under, (*path, name)), "is not an input", "unknown")
    else:
        say = _MESSAGES.get(str(kind))
        text = say(error.validator_value) if say else f"is not allowed: {error.message}"
        yield Problem(_field(under, path), text)
