"""The use cases of files on their way in: announced, sent in parts, taken back."""

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Conflict, QuotaExceeded, Unavailable
from foundation.kernel.time import Clock
from workloads.data_exchange.transfers.model import (
    FILE_BYTES_MAX,
    FILES_MAX,
    SEGMENTS_MAX,
    Batch,
    BatchState,
    File,
    Segment,
    alike,
    check_name,
)
from workloads.data_exchange.transfers.ports import Audit, BatchStore, Store, StoreFailed, Work

NOUN = "upload"
#: A file that is not whole and got nothing for so long goes.
KEPT = timedelta(days=7)


class Moved(Exception):
    """The file is not as far as the sender thinks; ``offset`` says how far it is."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Writing:
    """Who writes a file now: with a later fence, nobody else does."""

    file: str
    fence: int


class Uploads:
    """Files on their way in.

    Args:
        store: their rows.
        segments: where the bytes lie.
        quota: bytes that the files of one agency may take.
    """

    def __init__(
        self, store: BatchStore, segments: Store, db: Work, clock: Clock, audit: Audit, quota: int
    ) -> None:
        self._store = store
        self._segments = segments
        self._db = db
        self._clock = clock
        self._audit = audit
        self._quota = quota

    def create(
        self, actor: Actor, batch_id: str, *, name: str, size: int | None, meta: str
    ) -> File:
        """Announce a file of an open batch.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such batch, or none of the actor's business.
            Forbidden: they may not send for the provider.
            Conflict: the batch is not open, or has a file of such a name; no files are taken here.
            QuotaExceeded: the agency's files take as much as they may.
            Unavailable: there is no room for it.
        """
        with self._db.transaction():
            batch = self._batch(actor, batch_id)
            if why := self._segments.why_not():
                raise Conflict(why)
            wrong = Collector()
            check_name(wrong, name, "filename")
            fits = size is None or 0 <= size <= FILE_BYTES_MAX
            wrong.check(fits, "Upload-Length", f"must be at most {FILE_BYTES_MAX}")
            wrong.check(batch.files < FILES_MAX, "batch", f"has {FILES_MAX} files")
            wrong.finish()
            self._room(batch.path, size or 0)
            now = self._clock.now()
            file = File(
                ids.new("fil"), batch.id, batch.path, name, size, 0, 0, "", meta, 0, now
            )  # fmt: skip
            if not self._store.add_file(file, alike(name)):
                raise Conflict("the batch has a file of this name, or one that is read as the same")
            self._audit.record(
                actor, "transfer.announce", subject=batch.id, path=batch.path,
                details={"file": file.id, "size": size},
            )  # fmt: skip
            return file

    def file(self, actor: Actor, file_id: str) -> tuple[File, Batch]:
        """How far a file is.

        Raises:
            NotFound: there is none, or it is none of the actor's business.
        """
        with self._db.transaction():
            file = self._file(actor, file_id)
            return file, self._there(file.batch)

    def begin(
        self, actor: Actor, file_id: str, *, offset: int, more: int | None, size: int | None
    ) -> tuple[File, Writing]:
        """Take over a file to append to it; whoever wrote it before writes no more.

        Args:
            actor: may send for the provider.
            file_id: its id.
            offset: how far the sender thinks it is.
            more: bytes that will come, when that is known.
            size: of the whole, when only now it is known.

        Raises:
            NotFound: there is none, or it is none of the actor's business.
            Conflict: its batch is not open, or its size was said before.
            Moved: it is not so far, or further.
            Invalid: more would come than was announced.
            QuotaExceeded: the agency's files take as much as they may.
            Unavailable: there is no room for it.
        """
        with self._db.transaction():
            file = self._file(actor, file_id, lock=True)
            self._batch(actor, file.batch)
            if size is not None and file.size is not None and size != file.size:
                raise Conflict("the length of the file was said before")
            if offset != file.received:
                raise Moved(file.received)
            wrong = Collector()
            known = file.size if size is None else size
            fits = known is None or file.received + (more or 0) <= known
            wrong.check(fits, "Content-Length", "is more than was announced")
            wrong.check(
                known is None or known <= FILE_BYTES_MAX, "Upload-Length",
                f"must be at most {FILE_BYTES_MAX}",
            )  # fmt: skip
            wrong.check(file.segments < SEGMENTS_MAX, "Upload-Offset", "came in too many parts")
            wrong.finish()
            if file.size is None:
                self._room(file.path, (known or file.received + (more or 0)) - file.received)
            taken = replace(file, size=known, fence=file.fence + 1, touched_at=self._clock.now())
            self._store.update_file(taken)
            return taken, Writing(file.id, taken.fence)

    def keep(self, start: int, data: bytes) -> Segment:
        """Store a part; it counts once ``append`` has taken it. No transaction may be open.

        Raises:
            Unavailable: there is no room, or the store does not answer.
        """
        self._db.assert_no_transaction()
        free = self._segments.free()
        if free is not None and free < len(data):
            raise Unavailable("there is no room", retry_after=600)
        name = ids.new("seg")
        key = f"segments/{name[-2:]}/{name}"
        try:
            self._segments.put(key, data)
        except StoreFailed:
            raise Unavailable("the part could not be stored", retry_after=10) from None
        return Segment(start, len(data), key, hashlib.sha256(data).digest())

    def append(self, writing: Writing, segments: list[Segment]) -> int:
        """Let stored parts count; answers how far the file is.

        Raises:
            Moved: somebody else writes it now, or it is no longer there.
        """
        with self._db.transaction():
            file = self._store.file(writing.file, lock=True)
            if (
                file is None
                or file.fence != writing.fence
                or (segments and file.received != segments[0].start)
            ):
                raise Moved(file.received if file else 0)
            batch = self._store.find(file.batch, lock=True)
            if batch is None or batch.state is not BatchState.OPEN:
                raise Moved(file.received)
            if not segments:
                return file.received
            received = segments[-1].end
            if file.size is None:
                self._room(file.path, received - file.received)
            self._store.add_segments(file.id, segments)
            self._store.update_file(
                replace(file, received=received, segments=file.segments + len(segments),
                        touched_at=self._clock.now())
            )  # fmt: skip
            return received

    def drop(self, segments: list[Segment]) -> None:
        """Remove parts that do not count; what cannot be removed now is swept later."""
        for one in segments:
            try:
                self._segments.delete(one.key)
            except StoreFailed:
                return

    def remove(self, actor: Actor, file_id: str) -> None:
        """Take a file of an open batch back.

        Raises:
            NotFound: there is none, or it is none of the actor's business.
            Conflict: its batch is not open.
        """
        with self._db.transaction():
            file = self._file(actor, file_id, lock=True)
            self._batch(actor, file.batch)
            self._remove(file)
            self._audit.record(
                actor, "transfer.withdraw", subject=file.batch, path=file.path,
                details={"file": file.id},
            )  # fmt: skip

    def _remove(self, file: File) -> None:
        # The bytes are swept: no row names them any more.
        while self._store.forget_segments(file.id, 1_000):
            pass
        self._store.remove_file(file.id)

    def forget_stale(self, limit: int = 100) -> int:
        """Take back what was begun and is not sent any more; answers how many files."""
        with self._db.transaction():
            found = self._store.stale(self._clock.now() - KEPT, limit)
            for one in found:
                file = self._store.file(one, lock=True)
                if file is not None and not file.whole:
                    self._remove(file)
            return len(found)

    def _room(self, path: str, more: int) -> None:
        """One at a time for each agency: two that fit alone may not fit together."""
        self._db.lock(f"exchange:transfer-quota:{path}")
        used = self._store.used(path)
        if used + more > self._quota:
            raise QuotaExceeded(
                "the agency's files take as much as they may", limit=self._quota, used=used
            )
        free = self._segments.free()
        if free is not None and free < more:
            raise Unavailable("there is no room for so much", retry_after=600)

    def _there(self, batch_id: str) -> Batch:
        found = self._store.find(batch_id)
        if found is None:
            raise policy.unknown(NOUN)
        return found

    def _file(self, actor: Actor, file_id: str, *, lock: bool = False) -> File:
        file = self._store.file(file_id, lock=lock)
        if file is None:
            raise policy.unknown(NOUN)
        policy.require(actor, "transfer.send", file.path, NOUN)
        return file

    def _batch(self, actor: Actor, batch_id: str) -> Batch:
        batch = self._store.find(batch_id, lock=True)
        if batch is None:
            raise policy.unknown("batch")
        policy.require(actor, "transfer.send", batch.path, "batch")
        now = self._clock.now()
        if batch.state is not BatchState.OPEN or batch.expires_at <= now:
            raise Conflict(f"the batch is {batch.state}", state=batch.state)
        return batch
