"""Reads a sealed batch again as it is stored, compares it, and publishes it; and cleans up."""

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import timedelta

from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Conflict, Unavailable
from foundation.kernel.time import Clock
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.transfers.model import Batch, BatchState, File, Segment, Wrong
from workloads.data_exchange.transfers.ports import BatchStore, Missing, Store, StoreFailed
from workloads.data_exchange.transfers.service import Batches

#: So long a stored part may wait for the transaction that lets it count.
_YOUNG = timedelta(hours=24)
_SWEPT = 500


class Damaged(Exception):
    """A stored part is not what was stored."""


class Reading:
    """Reads what is stored, each part against its own digest.

    Args:
        store: rows.
        segments: bytes.
    """

    def __init__(self, store: BatchStore, segments: Store, db: UnitOfWork) -> None:
        self._store = store
        self._segments = segments
        self._db = db

    def located(self, file_id: str, start: int, end: int) -> Iterator[Segment]:
        """The parts that hold some bytes of a file, looked up in steps."""
        at = start
        while at < end:
            with self._db.transaction():
                found = self._store.segments(file_id, at)
            if not found:
                raise Damaged
            for one in found:
                if one.start >= end:
                    return
                yield one
            at = found[-1].end

    def read(self, segment: Segment) -> bytes:
        """A part as it was stored.

        Raises:
            Damaged: it is another, or gone.
            StoreFailed: it cannot be read now.
        """
        try:
            data = self._segments.get(segment.key)
        except Missing:
            raise Damaged from None
        if hashlib.sha256(data).digest() != segment.digest:
            raise Damaged
        return data


class Checking:
    """What a worker does with batches."""

    def __init__(
        self, batches: Batches, store: BatchStore, segments: Store, db: UnitOfWork, clock: Clock
    ) -> None:
        self._batches = batches
        self._store = store
        self._segments = segments
        self._db = db
        self._clock = clock
        self._reading = Reading(store, segments, db)

    def files(self, batch_id: str) -> list[str]:
        """The ids of the files of a batch that is being checked.

        Raises:
            Conflict: it is not.
        """
        with self._db.transaction():
            self._checked(batch_id)
            return [one.id for one in self._store.files(batch_id)]

    def digest(
        self, file_id: str, stop: Callable[[], bool], tell: Callable[[float], None]
    ) -> dict[str, str]:
        """The digest of a file as it is stored; and why it has none.

        Raises:
            Unavailable: the store does not answer now.
        """
        with self._db.transaction():
            file = self._store.file(file_id)
        if file is None or file.size is None:
            return {"wrong": "is not there"}
        hashed, done = hashlib.sha256(), 0
        try:
            for segment in self._reading.located(file.id, 0, file.size):
                _go_on(stop, segment, done)
                hashed.update(self._reading.read(segment))
                done = segment.end
                tell(done / file.size)
        except Damaged:
            return {"wrong": "is not stored as it was sent: send it again"}
        except StoreFailed:
            raise Unavailable("the store does not answer") from None
        if done != file.size:
            return {"wrong": "is not stored as it was sent: send it again"}
        return {"digest": "sha256:" + hashed.hexdigest()}

    def publish(self, batch_id: str, found: dict[str, dict[str, str]]) -> dict[str, object]:
        """Compare with the manifest; publish all of it, or nothing.

        Raises:
            Conflict: it is not being checked.
        """
        with self._db.transaction():
            batch = self._checked(batch_id)
            listed = {one["name"]: one for one in _files(batch)}
            wrong = [
                one
                for file in self._store.files(batch_id)
                if (one := _judged(file, listed.get(file.name), found.get(file.id, {})))
            ]
            digests = {one: known.get("digest", "") for one, known in found.items()}
            done = self._batches.published(batch_id, tuple(wrong), digests)
        return {"state": done.state.value, "wrong": len(wrong)}

    def _checked(self, batch_id: str) -> Batch:
        batch = self._store.find(batch_id)
        if batch is None or batch.state is not BatchState.CHECKING:
            raise Conflict("the batch is not being checked")
        return batch

    def clean(self) -> None:
        """Remove the bytes of batches that are gone, and those that no row names."""
        self._batches.expire()
        with self._db.transaction():
            gone = self._store.gone(20)
        for batch_id in gone:
            self._remove(batch_id)

    def _remove(self, batch_id: str) -> None:
        while True:
            with self._db.transaction():
                keys = self._store.forget_segments(batch_id, _SWEPT)
                if not keys:
                    self._store.forget_files(batch_id)
                    return
            for key in keys:
                try:
                    self._segments.delete(key)
                except StoreFailed:
                    return  # no row names it: it is swept

    def sweep(self) -> int:
        """Remove stored parts that no row names; answers how many.

        Parts that were stored lately wait for their transaction and are left alone.
        """
        removed, before, some = 0, self._clock.now() - _YOUNG, list[str]()
        try:
            for key, kept in self._segments.kept():
                if kept < before:
                    some.append(key)
                if len(some) == _SWEPT:
                    removed += self._swept(some)
                    some = []
            return removed + self._swept(some)
        except StoreFailed:
            return removed

    def _swept(self, keys: list[str]) -> int:
        if not keys:
            return 0
        with self._db.transaction():
            known = self._store.known(keys)
        orphans = [one for one in keys if one not in known]
        for one in orphans:
            self._segments.delete(one)
        return len(orphans)


def _go_on(stop: Callable[[], bool], segment: Segment, done: int) -> None:
    if stop():
        raise Unavailable("another worker goes on")
    if segment.start != done:
        raise Damaged


def _files(batch: Batch) -> list[dict[str, object]]:
    """What a manifest lists; its signature was verified when it came."""
    found: list[dict[str, object]] = json.loads(jws.parse(batch.manifest).payload)["files"]
    return found


def _judged(file: File, listed: "dict[str, object] | None", found: dict[str, str]) -> Wrong | None:
    if "digest" not in found:
        return Wrong(file.name, found.get("wrong", "was not checked"))
    if listed is None or listed["size"] != file.size or listed["digest"] != found["digest"]:
        return Wrong(file.name, f"has another digest than its manifest says: {found['digest']}")
    return None
