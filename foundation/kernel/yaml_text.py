"""YAML 1.1 as it is read here: by libyaml's safe loader, a tenth of the time of PyYAML's own."""

from typing import Any

import yaml

#: The loader calls itself for each level, without an end: it would crash the process.
_DEEPEST = 100


class AliasesError(yaml.YAMLError):
    """A document uses aliases, which are not taken."""


def read(text: str) -> Any:  # noqa: ANN401 - any document
    """A document of ours.

    Raises:
        yaml.YAMLError: it is not YAML.
    """
    return yaml.load(text, yaml.CSafeLoader)


def read_strangers(text: str) -> Any:  # noqa: ANN401 - any document
    """A stranger's document, without aliases: a few of their bytes can stand for gigabytes.

    Raises:
        AliasesError: it uses aliases.
        yaml.YAMLError: it is not YAML, or nested more than a hundred times.
    """
    depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise AliasesError("aliases (*name) are not taken")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise yaml.YAMLError(f"it is nested more than {_DEEPEST} times")
    return read(text)
