"""Paths into the properties of a resource: ``networks[0].uuid``, ``labels["borough.dev/of"]``."""

import copy
import itertools
import re
from collections.abc import Mapping
from typing import Any

_STEP = re.compile(r'\.?([^.\[\]]+)|\[(\d+)\]|\["([^"]+)"\]')
_QUOTED = re.compile(r'\["([^"]+)"\]')


def assign(tree: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return a tree with one property changed; what it lies in is made where it is missing.

    Raises:
        LookupError: the path goes through a list that is too short.
        TypeError: the path goes through a plain value.
    """
    changed: Any = copy.deepcopy(dict(tree))
    steps: list[Any] = [
        int(index) if index else name or quoted for name, index, quoted in _STEP.findall(path)
    ]
    at = changed
    for step, following in itertools.pairwise(steps):
        if isinstance(step, str):
            at = at.setdefault(step, [] if isinstance(following, int) else {})
        else:
            at = at[step]
    if isinstance(at, list) and steps[-1] == len(at):
        at.append(value)
    else:
        at[steps[-1]] = value
    return dict(changed)


def plain(path: str) -> str:
    """Return a path with quoted names written like others, to compare paths of two sources."""
    return _QUOTED.sub(r".\1", path).lstrip(".")
