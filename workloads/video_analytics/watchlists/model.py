"""Watch lists and their entries: on what ground, whose, until when, and who agreed."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from foundation.kernel.errors import Collector

WatchListId = NewType("WatchListId", str)
EntryId = NewType("EntryId", str)

#: The longest that a list may be in force; who needs it longer asks again, and says why.
LONGEST = timedelta(days=366)
ENTRIES_MAX = 1000
LABEL_MAX = 200
TEXT_MAX = 2000
PICTURE_MAX = 4 * 1024 * 1024

_PATTERN = re.compile(r"[A-Z0-9\u4e00-\u9fff?*]{1,12}")
_LITERAL_MIN = 3


class ListKind(StrEnum):
    """What a list is of."""

    FACES = "faces"
    PLATES = "plates"


class ListState(StrEnum):
    """Whether a list is in force."""

    IN_APPROVAL = "in_approval"  # of faces, and no second person has agreed
    ACTIVE = "active"
    EXPIRED = "expired"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class WatchList:
    """A list of faces or of plates that cameras may look for.

    Attributes:
        path: of the department that answers for it.
        legal_basis: on what ground; shown to whoever approves and audits.
        ends_at: from then on it is not in force, and its entries are destroyed.
        approved_by: the second person, for faces; empty until they agreed.
        closed_because: why it ended before its day.
        entries, pending: how many there are, and how many of them wait for approval.
    """

    id: WatchListId
    kind: ListKind
    name: str
    path: str
    legal_basis: str
    ends_at: datetime
    created_at: datetime
    created_by: str
    created_by_name: str
    approved_at: datetime | None = None
    approved_by: str = ""
    approved_by_name: str = ""
    closed_at: datetime | None = None
    closed_by: str = ""
    closed_by_name: str = ""
    closed_because: str = ""
    entries: int = 0
    pending: int = 0

    def state(self, at: datetime) -> ListState:
        """Whether it is in force at a time."""
        if self.closed_at is not None and self.closed_at <= at:
            return ListState.CLOSED
        if at >= self.ends_at:
            return ListState.EXPIRED
        if self.kind is ListKind.FACES and self.approved_at is None:
            return ListState.IN_APPROVAL
        return ListState.ACTIVE


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody, or a plate, that is looked for.

    Attributes:
        label: as those who work with the list call it, such as the number of a case.
        pattern: of a plate, with ``?`` for a character and ``*`` for any; empty for a face.
        sealed: the face's embedding, sealed; empty for a plate. Never shown.
        space: what the embedding is of.
        approved_at: from when on it counts; a face counts when a second person agreed.
    """

    id: EntryId
    list_id: WatchListId
    label: str
    pattern: str
    sealed: str
    space: str
    added_at: datetime
    added_by: str
    added_by_name: str
    approved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """A list that somebody asks for."""

    kind: str
    name: str
    path: str
    legal_basis: str
    ends_at: datetime


def check(found: Collector, wish: Wish, now: datetime) -> None:
    """Note every wrong field of a list."""
    found.check(wish.kind in set(ListKind), "kind", "must be faces or plates")
    check_text(found, "name", wish.name, LABEL_MAX)
    check_text(found, "legal_basis", wish.legal_basis, TEXT_MAX)
    found.check(wish.ends_at > now, "ends_at", "must be in the future")
    days = LONGEST.days
    found.check(wish.ends_at <= now + LONGEST, "ends_at", f"must be within {days} days")


def check_text(found: Collector, field: str, text: str, longest: int) -> None:
    """Note a text that is missing or too long."""
    if found.check(text.strip(), field, "is required", "required"):
        found.check(len(text) <= longest, field, f"must be at most {longest} characters")


def check_pattern(found: Collector, pattern: str) -> None:
    """Note a pattern of plates that is none, or that half of the city has."""
    fine = _PATTERN.fullmatch(pattern)
    words = "must be 1 to 12 characters of a plate, with ? for one and * for any"
    if found.check(fine, "pattern", words):
        literal = sum(character not in "?*" for character in pattern)
        enough = literal >= _LITERAL_MIN
        found.check(enough, "pattern", f"must name at least {_LITERAL_MIN} characters")


def tidy_pattern(text: str) -> str:
    """A pattern as plates are written: capitals, without spaces and the dot in the middle."""
    return re.sub(r"[\s·•]", "", text).upper()
