"""What receipts need of the outside."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.paging import Page, PageRequest
from workloads.data_exchange.flows.model import Counted
from workloads.data_exchange.proofs.keys import PrivateKey
from workloads.data_exchange.receipts.checkpoints import Checkpoint
from workloads.data_exchange.receipts.model import Receipt


@dataclass(frozen=True, slots=True)
class Filter:
    """Which receipts; what is left out is not asked for.

    Attributes:
        agreement: its id.
        log: its name.
        day: on which their logs began.
        since, until: when the answers were ready, half-open.
        paths: consumer or provider lies at or below one of these; None for all.
    """

    agreement: str = ""
    log: str = ""
    since: datetime | None = None
    until: datetime | None = None
    paths: tuple[str, ...] | None = None
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """How far a log was read for checkpoints.

    Attributes:
        opened_at: when its first receipt came.
        size: how many of its receipts are in the tree.
        peaks: of that tree.
        checkpoint: the number of the last checkpoint that has it; 0 for none.
    """

    name: str
    opened_at: datetime
    size: int
    peaks: tuple[bytes, ...]
    checkpoint: int


@dataclass(frozen=True, slots=True)
class Summed:
    """Calls of one kind in one hour.

    Attributes:
        first: when the earliest of them was answered.
        sold: as what the size of its answer is sold: an index of ``usage.model.SIZE_NAMES``.
        interface: as what it is sold: a query, a batch or file, an event; empty for nothing.
        quantity: how many are sold.
        counted: who asked whom, how it ended, how long it took.
    """

    first: datetime
    sold: int
    interface: str
    quantity: int
    counted: Counted


class ReceiptStore(Protocol):
    """Keeps receipts; inside the open transaction."""

    def find(self, log: str, number: int) -> Receipt | None: ...

    def list(self, chosen: Filter, request: PageRequest) -> Page[tuple[datetime, Receipt]]: ...

    def each(self, chosen: Filter) -> Iterator[Receipt]: ...

    def hashes(self, log: str, first: int, last: int) -> Sequence[bytes]: ...

    def summed(self, log: str, first: int, last: int) -> Sequence[Summed]:
        """The calls among ``[first, last)`` that have ended, by hour and kind."""
        ...

    def nodes(self, log: str, size: int) -> Sequence[bytes]: ...

    def open_logs(self) -> Sequence[Log]: ...

    def keep_log(self, log: Log, nodes: Sequence[tuple[int, bytes]], *, closed: bool) -> None: ...

    def last_checkpoint(self) -> tuple[int, str] | None: ...

    def add_checkpoint(self, made: Checkpoint) -> None: ...

    def signed_checkpoint(self, number: int) -> str | None: ...

    def checkpoints(self, request: PageRequest) -> Page[tuple[int, str]]: ...

    def each_checkpoint(self, first: int, last: int) -> Iterator[str]: ...

    def covering(self, log: str) -> tuple[int, int] | None: ...

    def make_partitions(self, first: date, days: int) -> None: ...

    def forget_requests(self, before: datetime) -> None: ...

    def take_proof(self, log: str, number: int) -> None: ...


class OwnKeys(Protocol):
    """The exchange's own keys."""

    def private(self, path: str) -> PrivateKey: ...

    def jwks(self, agency: str) -> dict[str, Any]: ...


class Work(UnitOfWork, Protocol):
    """A unit of work with locks by name."""

    def lock(self, *names: str) -> None: ...


class Audit(Protocol):
    """Where every change is written down, in the transaction that makes it."""

    def record(
        self, actor: Actor, action: str, *, subject: str, path: str, details: Mapping[str, Any]
    ) -> None: ...


class Meters(Protocol):
    """Where use is counted, in the open transaction."""

    def note(self, meter: str, at: datetime, quantity: int = 1, **dimensions: str) -> None: ...


class Traffic(Protocol):
    """Where calls between agencies are counted, in the open transaction."""

    def note(self, counted: Sequence[Counted]) -> None: ...
