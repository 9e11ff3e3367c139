"""The words in which parameters of rules are written: JSON Schema, texts in two languages."""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

#: The longest time that a rule may ask for; what stands still for longer may become background.
LONGEST_SECONDS = 3600


def schema(
    title: str,
    zh: str,
    properties: Mapping[str, Schema],
    *,
    points: str,
    onvif: str = "",
    description: str = "",
    zh_description: str = "",
) -> Schema:
    """The schema of one kind of rule."""
    found: Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "title": title,
        "description": description,
        "x-zh": {"title": zh, "description": zh_description},
        "x-points": points,
        "properties": dict(properties),
        "additionalProperties": False,
    }
    if onvif:
        found["x-onvif"] = onvif
    return found


def number(title: str, zh: str, default: float, low: float, high: float, unit: str = "") -> Schema:
    """A number with its limits and its unit for people."""
    return {
        "type": "number",
        "title": title,
        "x-zh": {"title": zh},
        "x-unit": unit,
        "default": default,
        "minimum": low,
        "maximum": high,
    }


def whole(title: str, zh: str, default: int, low: int, high: int) -> Schema:
    """A whole number with its limits."""
    return {**number(title, zh, default, low, high), "type": "integer"}


def choice(title: str, zh: str, default: str, words: Mapping[str, tuple[str, str]]) -> Schema:
    """One of some words; each with what people read in English and Chinese."""
    return {
        "type": "string",
        "title": title,
        "x-zh": {"title": zh, "enum": {word: texts[1] for word, texts in words.items()}},
        "x-enum": {word: texts[0] for word, texts in words.items()},
        "enum": list(words),
        "default": default,
    }


def seconds(title: str, zh: str, default: float, low: float = 0.0) -> Schema:
    """A span of time."""
    return number(title, zh, default, low, LONGEST_SECONDS, "s")


def percent(title: str, zh: str, default: float, low: float = 0.0) -> Schema:
    """A share."""
    return number(title, zh, default, low, 100.0, "%")
