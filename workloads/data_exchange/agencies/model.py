"""The agencies that publish and use data: a tree of paths, such as ``/city/water/``."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from foundation.kernel.errors import Collector
from foundation.kernel.text import Text

AgencyId = NewType("AgencyId", str)

SLUG = re.compile(r"(?=.{1,40}$)[a-z][a-z0-9]*(?:-[a-z0-9]+)*", re.ASCII)
SLUG_RULE = "must be 1 to 40 lower-case letters, digits and single inner hyphens, a letter first"
#: A unified social credit code (GB 32100-2015): 17 characters of its alphabet and a check
#: character.
_CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_LENGTH = 18
#: How deep the tree may be, and how long an id of another platform.
DEPTH = 10
EXTERNAL_MAX = 200


class Level(StrEnum):
    """The level of government that an agency belongs to, the widest first."""

    NATIONAL = "national"
    PROVINCIAL = "provincial"
    MUNICIPAL = "municipal"
    DISTRICT = "district"


@dataclass(frozen=True, slots=True)
class Agency:
    """An agency.

    Attributes:
        path: from the root, with a slash at both ends; grants of roles hold for it and below.
        name: as people read it.
        level: of government.
        code: its unified social credit code, or empty.
        external: its id on the platform that this service was ordered from, or empty.
        id: ``agy_…``, for addresses.
    """

    path: str
    name: Text
    level: Level = Level.MUNICIPAL
    code: str = ""
    external: str = ""
    id: AgencyId = AgencyId("")

    @property
    def parent(self) -> str:
        """The path of the one above; ``/`` for the topmost."""
        return above(self.path)


def above(path: str) -> str:
    """The path above a path."""
    return path[: path.rindex("/", 0, -1) + 1]


def check(found: Collector, parent: str, slug: str) -> None:
    """Note what is wrong with the place of a new agency."""
    found.check(SLUG.fullmatch(slug), "slug", SLUG_RULE)
    found.check(parent.count("/") <= DEPTH, "parent", f"lies more than {DEPTH} levels deep already")


def check_rest(found: Collector, code: str, external: str) -> None:
    """Note what is wrong with what may change of an agency."""
    found.check(
        not code or is_credit_code(code),
        "code",
        "is not a unified social credit code (18 characters)",
    )
    found.check(
        len(external) <= EXTERNAL_MAX, "external", f"must be at most {EXTERNAL_MAX} characters"
    )


def is_credit_code(code: str) -> bool:
    """Whether its check character is right.

    Source: GB 32100-2015; the weights are the powers of 3 modulo 31.
    """
    if len(code) != _LENGTH or any(character not in _CREDIT for character in code):
        return False
    total = sum(_CREDIT.index(one) * pow(3, n, 31) for n, one in enumerate(code[:-1]))
    return _CREDIT[-total % 31] == code[-1]
