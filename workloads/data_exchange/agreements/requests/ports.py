"""What requests need of the outside, besides what all of agreements need."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from foundation.kernel.paging import Page, PageRequest
from workloads.data_exchange.agreements.ports import Offered
from workloads.data_exchange.agreements.requests.model import Request, RequestState, Side, Step


@dataclass(frozen=True, slots=True)
class RequestQuery:
    """Which requests.

    Attributes:
        states: one of these; all if empty.
        consumer, provider: path of the agency or of one above it; all if empty.
        overdue_at: only those that are late at this moment.
        turns: only those that wait for one of these sides of agencies at or below these paths.
    """

    states: tuple[RequestState, ...] = ()
    consumer: str = ""
    provider: str = ""
    overdue_at: datetime | None = None
    turns: tuple[tuple[Side, tuple[str, ...]], ...] | None = None


class RequestStore(Protocol):
    """Keeps requests and their steps; inside the open transaction."""

    def add(self, request: Request) -> None:
        """Keep a new one."""
        ...

    def find(self, request: str, *, hold: bool = False) -> Request | None:
        """By id; held, nobody else changes it until the transaction ends."""
        ...

    def update(self, request: Request) -> None:
        """Keep what changed."""
        ...

    def list(
        self, paths: Sequence[str], query: RequestQuery, request: PageRequest
    ) -> Page[Request]:
        """Those of which a party is at or below one of the paths; the next due first."""
        ...

    def note(self, step: Step) -> None:
        """Keep a step."""
        ...

    def steps(self, request: str) -> Sequence[Step]:
        """What was done, in order."""
        ...

    def late(self, now: datetime, limit: int) -> Sequence[str]:
        """Ids of those whose due date has passed and of which nobody was told yet."""
        ...

    def waiting(self) -> Iterable[Request]:
        """All that have a due date, held."""
        ...


class Drafts(Protocol):
    """Where an approved request becomes an agreement."""

    def draft(self, request: Request, offered: Offered) -> str:
        """Draft the agreement, or the next version of the one that it amends; answers its id.

        Raises:
            Conflict: the agreement to amend is none of these two agencies on this data set.
        """
        ...

    def check_amends(self, agreement: str, request: Request) -> bool:
        """Whether it is an agreement of these two agencies on this data set that still counts."""
        ...
