"""Cursor paging: a page says where the next one begins, and stays right while rows arrive."""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.text import keepable

T = TypeVar("T")
U = TypeVar("U")

DEFAULT_LIMIT = 25
MAX_LIMIT = 200


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What part of a list is wanted.

    Attributes:
        cursor: opaque, from ``Page.next``; None for the first page.
        limit: rows at most, 1 to 200.
    """

    cursor: str | None = None
    limit: int = DEFAULT_LIMIT

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MAX_LIMIT:
            raise Invalid([Problem("limit", f"must be between 1 and {MAX_LIMIT}")])

    def key(self, parts: int) -> tuple[str, ...] | None:
        """The sort key after which the page begins, of ``parts`` texts; None for the first page.

        Raises:
            Invalid: a cursor that this list did not give.
        """
        if self.cursor is None:
            return None
        try:
            text = base64.urlsafe_b64decode(self.cursor.encode() + b"==")
            values = json.loads(text)
        except (binascii.Error, ValueError):
            values = None
        if (
            not isinstance(values, list)
            or len(values) != parts
            or not all(isinstance(value, str) and keepable(value) for value in values)
        ):
            raise Invalid([Problem("cursor", "is not a cursor of this list")])
        return tuple(values)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows and the cursor of the rows after them (None at the end)."""

    items: tuple[T, ...]
    next: str | None = None

    def map(self, function: Callable[[T], U]) -> "Page[U]":
        """The same page with each row changed."""
        return Page(tuple(function(item) for item in self.items), self.next)


def cursor(*key: str) -> str:
    """The cursor that continues after a row with this sort key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).rstrip(b"=").decode()


def page_of(rows: Sequence[T], request: PageRequest, key: Callable[[T], Sequence[str]]) -> Page[T]:
    """A page from up to ``limit + 1`` rows sorted by ``key``; the extra one shows there is more."""
    if len(rows) <= request.limit:
        return Page(tuple(rows))
    kept = rows[: request.limit]
    return Page(tuple(kept), cursor(*key(kept[-1])))


def everything(fetch: Callable[[PageRequest], Page[T]]) -> Iterator[T]:
    """All rows of a list, read page by page as they are taken; ``fetch`` reads one page."""
    request = PageRequest(limit=MAX_LIMIT)
    while True:
        page = fetch(request)
        yield from page.items
        if page.next is None:
            return
        request = PageRequest(page.next, MAX_LIMIT)
