"""How the settings of policies are described."""

from collections.abc import Mapping, Sequence
from typing import Any

from control_plane.provisioning.model import DATA_CLASSES
from foundation.kernel.text import Text

CLASSES: Mapping[str, Any] = {
    "public": {"en": "public", "zh": "公开"},
    "internal": {"en": "internal", "zh": "内部"},
    "sensitive": {"en": "sensitive", "zh": "敏感"},
}
PATTERN = "^.{1,100}$"


def none() -> dict[str, Any]:
    """A policy without settings."""
    return settings({})


def settings(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of settings with these properties."""
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def texts(name: str, title: Text, default: Sequence[str], pattern: str) -> dict[str, Any]:
    """Settings of one list of texts."""
    return settings({name: listed(title, default, pattern)})


def listed(title: Text, default: Sequence[str], pattern: str = PATTERN) -> dict[str, Any]:
    """A list of texts."""
    return {
        "type": "array",
        "title": title.en,
        "x-zh": {"title": title.zh},
        "items": {"type": "string", "pattern": pattern},
        "maxItems": 100,
        "uniqueItems": True,
        "default": list(default),
    }


def data_classes(default: Sequence[str]) -> dict[str, Any]:
    """For which data a policy is."""
    return {
        "type": "array",
        "title": "For data of the classes",
        "x-zh": {"title": "适用的数据分级"},
        "items": {"enum": list(DATA_CLASSES)},
        "x-enum": CLASSES,
        "uniqueItems": True,
        "default": list(default),
    }


def mapping(title: Text, keys: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """An object of names to values; empty unless a pack says otherwise."""
    return {
        "type": "object",
        "title": title.en,
        "x-zh": {"title": title.zh},
        "propertyNames": dict(keys),
        "additionalProperties": dict(values),
        "maxProperties": 50,
        "default": {},
    }
