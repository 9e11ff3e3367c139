"""Days of receipts that are old are written into files and leave the database.

A day may leave when all its logs are closed: nobody writes into them, and a checkpoint has every
receipt of them. Its file is a bundle, packed, that anybody verifies off-line; it is read back and
verified here before the day is dropped. Checkpoints stay, with all that proves that logs only grew.
Whatever is killed on the way is done again from the beginning: a day is dropped in the transaction
that writes down its file, and only when that file lies in the folder, synced and whole.
"""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import IO, Protocol

from foundation.kernel.actor import Actor
from foundation.kernel.errors import Conflict
from foundation.kernel.time import Clock
from workloads.data_exchange.receipts.ports import Audit, Work
from workloads.data_exchange.receipts.service import Receipts
from workloads.data_exchange.receipts.verify import LONGEST, verify

#: Of zlib: 9 makes files a twentieth smaller and takes three times as long.
_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Archived:
    """A day that left the database.

    Attributes:
        day: on which its logs began (UTC).
        file: its name in the folder.
        sha256: of the file, hexadecimal.
        receipts, size: how many, and the bytes of the file.
        at: when it was dropped.
    """

    day: date
    file: str
    sha256: str
    receipts: int
    size: int
    at: datetime


class ArchiveStore(Protocol):
    """Which days there are and which have left; inside the open transaction."""

    def finished_days(self, before: date) -> Sequence[date]:
        """Days before one, all of whose logs are closed and whose receipts are there, in order."""
        ...

    def receipts_of(self, day: date) -> int:
        """How many receipts a day has."""
        ...

    def drop_day(self, archived: Archived) -> bool:
        """Write down that a day has left, keep what later proofs need, and drop it.

        False when it cannot be dropped as a whole: its receipts lie in the default partition.
        """
        ...

    def archived(self) -> Sequence[Archived]:
        """The days that have left, the latest first; as many as a year has."""
        ...


class Archiving:
    """Writes old days into files.

    Args:
        folder: where; made when it is missing.
        days: for so long receipts stay in the database.
    """

    def __init__(
        self,
        store: ArchiveStore,
        receipts: Receipts,
        db: Work,
        clock: Clock,
        audit: Audit,
        folder: Path,
        days: int,
    ) -> None:
        self._store = store
        self._receipts = receipts
        self._db = db
        self._clock = clock
        self._audit = audit
        self._folder = folder
        self._days = days

    def due(self) -> Sequence[date]:
        """The days that may leave now, the oldest first."""
        with self._db.transaction():
            before = self._clock.now().date() - timedelta(days=self._days)
            return self._store.finished_days(before)

    def archive(self, actor: Actor, day: date) -> Archived:
        """Write a day into its file, verify the file, and drop the day.

        Raises:
            Conflict: the file does not hold, or the day cannot be dropped; nothing was dropped.
            OSError: the file cannot be written.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._folder / f"receipts-{day}.ndjson.gz"
        draft = file.with_suffix(".new")
        with draft.open("wb") as raw:
            with gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed:
                for line in self._receipts.archive(actor, day):
                    packed.write(line)
            raw.flush()
            os.fsync(raw.fileno())
        count = self._verified(draft, day)
        draft.replace(file)
        _sync(self._folder)
        with file.open("rb") as raw:
            sha256 = hashlib.file_digest(raw, "sha256").hexdigest()
        made = Archived(day, file.name, sha256, count, file.stat().st_size, self._clock.now())
        with self._db.transaction():
            if not self._store.drop_day(made):
                raise Conflict(f"{day} has no partition of its own and stays in the database")
            self._audit.record(
                actor, "receipt.archive", subject=str(day), path="/",
                details={"file": made.file, "sha256": made.sha256, "receipts": made.receipts},
            )  # fmt: skip
        return made

    def _verified(self, draft: Path, day: date) -> int:
        """How many receipts the file proves: all of the day, or nothing is dropped."""
        try:
            with draft.open("rb") as raw, gzip.GzipFile(fileobj=raw) as packed:
                report = verify(lines_of(packed), self._receipts.own_keys())
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise Conflict(f"the file of {day} was not written as it was meant") from None
        with self._db.transaction():
            count = self._store.receipts_of(day)
        if not report.holds or not report.receipts == report.proven == count:
            raise Conflict(
                f"the file of {day} does not hold: {report.receipts} receipts of {count}, "
                f"{report.proven} proven",
                problems=report.problems[:20],
            )
        return count


def lines_of(source: "IO[bytes] | gzip.GzipFile") -> Iterator[bytes]:
    """The lines of a bundle; none is read without end."""
    while line := source.readline(LONGEST + 1):
        yield line


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
