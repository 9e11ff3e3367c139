"""What flows need of the outside."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from workloads.data_exchange.agencies.model import Level
from workloads.data_exchange.flows.model import Counted, Flow, Grain, Outcome, Place, Step


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows.

    Attributes:
        start, end: half-open.
        paths: one side lies at or below one of these; None for all.
        agency, level, outcome: as in a query.
    """

    grain: Grain
    start: datetime
    end: datetime
    paths: tuple[str, ...] | None = None
    agency: str = ""
    level: Level | None = None
    outcome: Outcome | None = None


class FlowStore(Protocol):
    """Keeps counted calls; inside the open transaction."""

    def add(self, counted: Sequence[tuple[Counted, datetime]]) -> None:
        """Count calls into their hour and their day."""
        ...

    def flows(self, chosen: Filter, limit: int, *, by_service: bool) -> Sequence[Flow]:
        """The busiest."""
        ...

    def steps(self, chosen: Filter) -> Sequence[Step]:
        """All of it by time, in order."""
        ...

    def places(self, paths: Collection[str]) -> Mapping[str, Place]:
        """The agencies of these paths that there are, by path."""
        ...

    def forget(self, grain: Grain, before: datetime) -> int:
        """Forget what began before a time; answers how many rows."""
        ...
