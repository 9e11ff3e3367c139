"""The departments that cameras belong to: a tree of paths, such as ``/city/water/``."""

from dataclasses import dataclass

from foundation.kernel.text import Text


@dataclass(frozen=True, slots=True)
class Department:
    """A department.

    Attributes:
        path: from the root, with a slash at both ends; grants of roles hold for it and below.
        name: as people read it.
        external: its id on the platform that this service was ordered from, or empty.
    """

    path: str
    name: Text
    external: str = ""
