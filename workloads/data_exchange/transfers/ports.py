"""What transfers need of the outside."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.paging import Page, PageRequest
from workloads.data_exchange.agreements.contracts.model import Agreement
from workloads.data_exchange.keys.service import Signed
from workloads.data_exchange.transfers.model import Batch, BatchState, File, Segment


class StoreFailed(Exception):
    """The store does not do what it was asked for now."""


class Missing(StoreFailed):
    """There is nothing under this key."""


class Store(Protocol):
    """Where segments lie: a folder, or a bucket. Called in threads, several at once.

    A key is letters, digits, ``_``, ``-`` and ``/``: ``segments/ab/seg_…``.
    """

    def put(self, key: str, data: bytes) -> None:
        """Keep a segment; durable when this answers. The same key again replaces it.

        Raises:
            StoreFailed: it is not kept.
        """
        ...

    def get(self, key: str) -> bytes:
        """A whole segment.

        Raises:
            Missing: there is none.
            StoreFailed: it cannot be read now.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove a segment; one that is not there is none.

        Raises:
            StoreFailed: it cannot be removed now.
        """
        ...

    def kept(self) -> Iterator[tuple[str, datetime]]:
        """All segments, and when they were kept.

        Raises:
            StoreFailed: they cannot be listed now.
        """
        ...

    def free(self) -> int | None:
        """Bytes that fit in; None where that is not known."""
        ...

    def why_not(self) -> str:
        """Why it never takes anything; empty for one that does."""
        ...


class BatchStore(Protocol):
    """Keeps batches, files and where their segments are; inside the open transaction."""

    def add(self, batch: Batch) -> None: ...

    def find(self, batch_id: str, *, lock: bool = False) -> Batch | None: ...

    def update(self, batch: Batch) -> None: ...

    def next_position(self) -> int: ...

    def list(
        self, paths: Sequence[str], agreement: str, state: BatchState | None, request: PageRequest
    ) -> Page[Batch]: ...

    def published(self, agreement: str, after: int, limit: int) -> Sequence[Batch]: ...

    def expired(self, now: datetime, limit: int) -> Sequence[str]: ...

    def stale(self, before: datetime, limit: int) -> Sequence[str]: ...

    def used(self, path: str) -> int: ...

    def add_file(self, file: File, alike: str) -> bool: ...

    def file(self, file_id: str, *, lock: bool = False) -> File | None: ...

    def file_of(self, batch_id: str, name: str) -> File | None: ...

    def files(self, batch_id: str) -> Sequence[File]: ...

    def page_of_files(self, batch_id: str, request: PageRequest) -> Page[File]: ...

    def update_file(self, file: File) -> None: ...

    def remove_file(self, file_id: str) -> None: ...

    def add_segments(self, file_id: str, segments: Sequence[Segment]) -> None: ...

    def segments(self, file_id: str, start: int = 0, limit: int = 256) -> Sequence[Segment]: ...

    def forget_segments(self, batch_id: str, limit: int) -> Sequence[str]: ...

    def gone(self, limit: int) -> Sequence[str]: ...

    def forget_files(self, batch_id: str) -> None: ...

    def known(self, keys: Sequence[str]) -> frozenset[str]: ...


class Work(UnitOfWork, Protocol):
    """A unit of work with locks by name."""

    def lock(self, *names: str) -> None: ...


class Contracts(Protocol):
    """The agreements."""

    def agreement(self, actor: Actor, agreement: str) -> Agreement: ...


class Ring(Protocol):
    """The keys of agencies."""

    def sign(self, path: str, payload: Mapping[str, Any], typ: str) -> str: ...

    def verify(self, compact: str, typ: str) -> Signed: ...


class Operations(Protocol):
    """Has long work done by workers."""

    def start(
        self, kind: str, *, subject: str, path: str, inputs: Mapping[str, Any], actor: Actor,
        key: str | None = None,
    ) -> object: ...  # fmt: skip


class Audit(Protocol):
    """Where every change is written down, in the transaction that makes it."""

    def record(
        self, actor: Actor, action: str, *, subject: str, path: str, details: Mapping[str, Any]
    ) -> None: ...
