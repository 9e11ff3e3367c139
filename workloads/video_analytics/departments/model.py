"""The departments that cameras belong to: a tree of paths, such as ``/city/water/``."""

import re
from dataclasses import dataclass
from typing import NewType

from foundation.kernel.errors import Collector
from foundation.kernel.text import Text

DepartmentId = NewType("DepartmentId", str)

SLUG = re.compile(r"(?=.{1,40}$)[a-z][a-z0-9]*(?:-[a-z0-9]+)*", re.ASCII)
SLUG_RULE = "must be 1 to 40 lower-case letters, digits and single inner hyphens, a letter first"
#: How deep the tree may be, and how long an id of another platform.
DEPTH = 10
EXTERNAL_MAX = 200


@dataclass(frozen=True, slots=True)
class Department:
    """A department.

    Attributes:
        path: from the root, with a slash at both ends; grants of roles hold for it and below.
        name: as people read it.
        external: its id on the platform that this service was ordered from, or empty.
        id: ``dep_…``, for addresses.
    """

    path: str
    name: Text
    external: str = ""
    id: DepartmentId = DepartmentId("")

    @property
    def parent(self) -> str:
        """The path of the one above; ``/`` for the topmost."""
        return above(self.path)


def above(path: str) -> str:
    """The path above a path."""
    return path[: path.rindex("/", 0, -1) + 1]


def check(found: Collector, parent: str, slug: str, external: str) -> None:
    """Note what is wrong with a new department."""
    found.check(SLUG.fullmatch(slug), "slug", SLUG_RULE)
    found.check(parent.count("/") <= DEPTH, "parent", f"lies more than {DEPTH} levels deep already")
    check_external(found, external)


def check_external(found: Collector, external: str) -> None:
    """Note what is wrong with an id of another platform."""
    found.check(
        len(external) <= EXTERNAL_MAX, "external", f"must be at most {EXTERNAL_MAX} characters"
    )
