"""Finding entries: by words, by facets, the best first."""

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Collector
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.text import keepable
from foundation.kernel.time import Clock
from workloads.data_exchange.directory.model import Entry
from workloads.data_exchange.directory.turns import Turns

#: What may be filtered by and is counted.
FACETS = (
    "kind", "level", "theme", "agency", "format", "frequency", "access", "licence", "catalog",
)  # fmt: skip
WORDS_MAX, VALUES_MAX, VALUE_MAX = 200, 50, 500
#: For so long the counts of the whole directory are given again.
_KEPT = timedelta(seconds=60)
#: Searches take nothing but processor. More of them at once than processors end no sooner together,
#: and each later: a hard one among twenty would take twenty times as long (decision 0276).
_AT_ONCE = 2 * (os.cpu_count() or 1)


class Order(StrEnum):
    """Which entries come first."""

    #: The best; of several hundred candidates.
    RELEVANCE = "relevance"
    #: Those published last, all of them.
    MODIFIED = "modified"


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for.

    Attributes:
        words: what people typed; all of it must be found.
        chosen: values of facets; one of each facet's must hold. Of ``agency`` a path, which stands
            for those below it too.
    """

    words: str = ""
    chosen: Mapping[str, Sequence[str]] = field(default_factory=dict)
    order: Order = Order.RELEVANCE


@dataclass(frozen=True, slots=True)
class Counts:
    """How many fit.

    Attributes:
        total: how many; with ``exact`` false there are more, and ``facets`` are those of a part.
        facets: for each facet its values, the most frequent first.
    """

    total: int
    exact: bool
    facets: Mapping[str, Sequence[tuple[str, int]]]


class Index(Protocol):
    """The index that entries are found in; inside ``reading`` or an open transaction."""

    def find(self, query: Query, page: PageRequest) -> Page[Entry]:
        """Those that fit."""
        ...

    def count(self, query: Query) -> Counts:
        """How many fit, and of what they are."""
        ...


class Search:
    """Finding what everybody may find."""

    def __init__(self, index: Index, db: UnitOfWork, clock: Clock) -> None:
        self._index = index
        self._db = db
        self._clock = clock
        self._whole: tuple[datetime, Counts] | None = None
        self._lock = threading.Lock()
        self._turns = Turns(_AT_ONCE)

    def find(self, actor: Actor, query: Query, page: PageRequest) -> Page[Entry]:
        """The entries that fit, the best first.

        Raises:
            Invalid: names every wrong field.
        """
        policy.require(actor, "dataset.view", policy.ROOT, "entry")
        _check(query)
        with self._turns, self._db.reading():
            return self._index.find(query, page)

    def count(self, actor: Actor, query: Query) -> Counts:
        """How many fit, and of what they are; those of the whole directory up to a minute old.

        Raises:
            Invalid: names every wrong field.
        """
        policy.require(actor, "dataset.view", policy.ROOT, "entry")
        _check(query)
        if query.words.strip() or any(query.chosen.values()):
            with self._turns, self._db.reading():
                return self._index.count(query)
        with self._lock:  # counted once, however many ask
            now = self._clock.now()
            if self._whole is None or not now - _KEPT < self._whole[0] <= now:
                with self._db.reading():
                    self._whole = now, self._index.count(query)
            return self._whole[1]


def _check(query: Query) -> None:
    found = Collector()
    found.check(
        len(query.words) <= WORDS_MAX and keepable(query.words),
        "q", f"must be at most {WORDS_MAX} characters",
    )  # fmt: skip
    for name, values in query.chosen.items():
        found.check(name in FACETS, name, "is not a facet", "unknown")
        found.check(
            len(values) <= VALUES_MAX
            and all(len(one) <= VALUE_MAX and keepable(one) for one in values),
            name, f"takes at most {VALUES_MAX} values",
        )  # fmt: skip
    found.finish()
