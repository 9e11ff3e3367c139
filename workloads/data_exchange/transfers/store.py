"""The tables of transfers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of
from workloads.data_exchange.tables import metadata
from workloads.data_exchange.transfers.model import Batch, BatchState, File, Segment, Wrong

_AT = sa.DateTime(timezone=True)
batch_table = sa.Table(
    "exchange_batch",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("agreement", sa.Text(collation="C"), nullable=False),
    sa.Column("path", sa.Text(collation="C"), nullable=False),
    sa.Column("consumer", sa.Text(collation="C"), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("created_at", _AT, nullable=False),
    sa.Column("expires_at", _AT, nullable=False),
    sa.Column("published_at", _AT),
    sa.Column("manifest", sa.Text, nullable=False, server_default=""),
    sa.Column("wrong", postgresql.JSONB, nullable=False, server_default="[]"),
    # From a sequence that only those who publish under one lock draw from: in the order in which
    # batches became visible.
    sa.Column("position", sa.BigInteger, nullable=False, server_default="0"),
    sa.CheckConstraint("state IN ('open', 'checking', 'published', 'gone')", name="state"),
    sa.Index("ix_exchange_batch_agreement", "agreement", "position"),
    sa.Index(
        "ix_exchange_batch_expires", "expires_at", postgresql_where=sa.text("state <> 'gone'")
    ),
)
file_table = sa.Table(
    "exchange_batch_file",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("batch", sa.ForeignKey("exchange_batch.id"), nullable=False),
    sa.Column("path", sa.Text(collation="C"), nullable=False),
    sa.Column("name", sa.Text(collation="C"), nullable=False),
    # Two names that some systems take for one are one here.
    sa.Column("alike", sa.Text(collation="C"), nullable=False),
    sa.Column("size", sa.BigInteger),
    sa.Column("received", sa.BigInteger, nullable=False),
    sa.Column("segments", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("meta", sa.Text, nullable=False),
    sa.Column("fence", sa.BigInteger, nullable=False),
    sa.Column("touched_at", _AT, nullable=False),
    sa.UniqueConstraint("batch", "alike"),
    sa.CheckConstraint("received >= 0 AND (size IS NULL OR received <= size)", name="received"),
    sa.Index("ix_exchange_batch_file_path", "path"),
)
segment_table = sa.Table(
    "exchange_batch_segment",
    metadata,
    sa.Column("file", sa.ForeignKey("exchange_batch_file.id"), primary_key=True),
    sa.Column("start", sa.BigInteger, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("key", sa.Text(collation="C"), nullable=False, unique=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
)
_B, _F, _S = batch_table.c, file_table.c, segment_table.c
_LATEST = sa.select(sa.func.coalesce(sa.func.max(_B.position), 0))


class PostgresBatches:
    """Keeps batches, their files, and where segments are."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, batch: Batch) -> None:
        """Keep a new one."""
        self._db.execute(
            batch_table.insert().values(
                id=batch.id, agreement=batch.agreement, path=batch.path, consumer=batch.consumer,
                created_at=batch.created_at, **_kept(batch),
            )
        )  # fmt: skip

    def find(self, batch_id: str, *, lock: bool = False) -> Batch | None:
        """By id; held until the transaction ends with ``lock``."""
        query = sa.select(batch_table).where(_B.id == batch_id)
        row = self._db.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else self._batches([row])[0]

    def _batches(self, rows: Sequence[Any]) -> list[Batch]:
        query = (
            sa.select(_F.batch, sa.func.count(),
                      sa.func.sum(sa.func.coalesce(_F.size, _F.received)),
                      sa.func.sum(_F.received))
            .where(_F.batch.in_([row.id for row in rows]))
            .group_by(_F.batch)
        )  # fmt: skip
        found: list[Any] = list(self._db.execute(query))
        sums: dict[str, tuple[int, int, int]] = {
            str(one): (int(n), int(size), int(got)) for one, n, size, got in found
        }
        return [_batch(row, sums.get(row.id, (0, 0, 0))) for row in rows]

    def update(self, batch: Batch) -> None:
        """Keep what became of it."""
        self._db.execute(batch_table.update().where(_B.id == batch.id).values(**_kept(batch)))

    def next_position(self) -> int:
        """The place after the last published one; the caller holds the lock of publishing."""
        return int(self._db.execute(_LATEST).scalar_one()) + 1

    def list(
        self, paths: Sequence[str], agreement: str, state: BatchState | None, request: PageRequest
    ) -> Page[Batch]:
        """Those whose provider or consumer lies at or below any of the paths, newest first."""
        query = sa.select(batch_table).where(
            sa.or_(within(_B.path, paths), within(_B.consumer, paths))
        )
        if agreement:
            query = query.where(_B.agreement == agreement)
        if state is not None:
            query = query.where(_B.state == state.value)
        after = request.key(1)
        if after is not None:
            query = query.where(_B.id < after[0])
        rows = self._db.execute(query.order_by(_B.id.desc()).limit(request.limit + 1)).all()
        return page_of(self._batches(rows), request, lambda one: (one.id,))

    def published(self, agreement: str, after: int, limit: int) -> Sequence[Batch]:
        """The published ones of an agreement behind a position, in their order."""
        rows = self._db.execute(
            sa.select(batch_table)
            .where(_B.agreement == agreement, _B.position > after,
                   _B.state == BatchState.PUBLISHED.value)
            .order_by(_B.position)
            .limit(limit)
        ).all()  # fmt: skip
        return self._batches(rows)

    def expired(self, now: datetime, limit: int) -> Sequence[str]:
        """Those whose time is over."""
        query = sa.select(_B.id).where(_B.expires_at <= now, _B.state != BatchState.GONE.value)
        return list(self._db.execute(query.order_by(_B.expires_at).limit(limit)).scalars())

    def stale(self, before: datetime, limit: int) -> Sequence[str]:
        """Files that were begun, are not whole, and got nothing since."""
        query = (
            sa.select(_F.id)
            .join(batch_table, _B.id == _F.batch)
            .where(_B.state == BatchState.OPEN.value, _F.touched_at < before,
                   sa.or_(_F.size.is_(None), _F.received < _F.size))
        )  # fmt: skip
        return list(self._db.execute(query.limit(limit)).scalars())

    def used(self, path: str) -> int:
        """Bytes that an agency's files take, or were announced to take."""
        query = sa.select(
            sa.func.coalesce(sa.func.sum(sa.func.coalesce(_F.size, _F.received)), 0)
        ).where(_F.path == path)
        return int(self._db.execute(query).scalar_one())

    def add_file(self, file: File, alike: str) -> bool:
        """Keep a new file; False when the batch has one of such a name."""
        made = self._db.execute(
            postgresql.insert(file_table)
            .values(id=file.id, batch=file.batch, path=file.path, name=file.name, alike=alike,
                    meta=file.meta, **_kept_file(file))
            .on_conflict_do_nothing()
            .returning(_F.id)
        ).first()  # fmt: skip
        return made is not None

    def file(self, file_id: str, *, lock: bool = False) -> File | None:
        """By id; held until the transaction ends with ``lock``."""
        query = sa.select(file_table).where(_F.id == file_id)
        row = self._db.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _file(row)

    def file_of(self, batch_id: str, name: str) -> File | None:
        """By its name in a batch."""
        query = sa.select(file_table).where(_F.batch == batch_id, _F.name == name)
        row = self._db.execute(query).one_or_none()
        return None if row is None else _file(row)

    def files(self, batch_id: str) -> Sequence[File]:
        """All of a batch, by name."""
        query = sa.select(file_table).where(_F.batch == batch_id).order_by(_F.name)
        return [_file(row) for row in self._db.execute(query)]

    def page_of_files(self, batch_id: str, request: PageRequest) -> Page[File]:
        """Those of a batch, by name."""
        query = sa.select(file_table).where(_F.batch == batch_id)
        after = request.key(1)
        if after is not None:
            query = query.where(_F.name > after[0])
        rows = self._db.execute(query.order_by(_F.name).limit(request.limit + 1))
        return page_of([_file(row) for row in rows], request, lambda one: (one.name,))

    def update_file(self, file: File) -> None:
        """Keep how far it is."""
        self._db.execute(file_table.update().where(_F.id == file.id).values(**_kept_file(file)))

    def remove_file(self, file_id: str) -> None:
        """Forget a file without segments."""
        self._db.execute(file_table.delete().where(_F.id == file_id))

    def add_segments(self, file_id: str, segments: Sequence[Segment]) -> None:
        """Keep where parts of a file are."""
        self._db.execute(
            segment_table.insert().values(
                [
                    {"file": file_id, "start": one.start, "size": one.size, "key": one.key,
                     "digest": one.digest}
                    for one in segments
                ]
            )
        )  # fmt: skip

    def segments(self, file_id: str, start: int = 0, limit: int = 256) -> Sequence[Segment]:
        """The parts of a file from the one that holds a byte on, in their order."""
        query = (
            sa.select(segment_table)
            .where(_S.file == file_id, _S.start + _S.size > start)
            .order_by(_S.start)
            .limit(limit)
        )
        return [
            Segment(row.start, row.size, row.key, bytes(row.digest))
            for row in self._db.execute(query)
        ]

    def forget_segments(self, batch_id: str, limit: int) -> Sequence[str]:
        """Forget some parts of a batch or of one file; answers their keys."""
        files = sa.select(_F.id).where(sa.or_(_F.batch == batch_id, _F.id == batch_id))
        chosen = sa.select(_S.key).where(_S.file.in_(files)).limit(limit)
        rows = self._db.execute(segment_table.delete().where(_S.key.in_(chosen)).returning(_S.key))
        return list(rows.scalars())

    def gone(self, limit: int) -> Sequence[str]:
        """Batches that are gone and still have files."""
        query = (
            sa.select(_B.id)
            .where(_B.state == BatchState.GONE.value,
                   sa.exists().where(_F.batch == _B.id))
            .limit(limit)
        )  # fmt: skip
        return list(self._db.execute(query).scalars())

    def forget_files(self, batch_id: str) -> None:
        """Forget the files of a batch, which have no segments any more."""
        self._db.execute(file_table.delete().where(_F.batch == batch_id))

    def known(self, keys: Sequence[str]) -> frozenset[str]:
        """Those of the keys that are some file's."""
        query = sa.select(_S.key).where(_S.key.in_(keys))
        return frozenset(self._db.execute(query).scalars())


def _kept(batch: Batch) -> dict[str, Any]:
    return {
        "title": batch.title, "state": batch.state.value, "expires_at": batch.expires_at,
        "published_at": batch.published_at, "manifest": batch.manifest,
        "wrong": [[one.name, one.why] for one in batch.wrong], "position": batch.position,
    }  # fmt: skip


def _batch(row: Any, sums: tuple[int, int, int]) -> Batch:  # noqa: ANN401 - a row
    return Batch(
        row.id, row.agreement, row.path, row.consumer, row.title, BatchState(row.state),
        row.created_at, row.expires_at, row.published_at, row.manifest,
        tuple(Wrong(name, why) for name, why in row.wrong), *sums, row.position,
    )  # fmt: skip


def _kept_file(file: File) -> dict[str, Any]:
    return {
        "size": file.size, "received": file.received, "segments": file.segments,
        "digest": file.digest, "fence": file.fence, "touched_at": file.touched_at,
    }  # fmt: skip


def _file(row: Any) -> File:  # noqa: ANN401 - a row
    return File(
        row.id, row.batch, row.path, row.name, row.size, row.received, row.segments, row.digest,
        row.meta, row.fence, row.touched_at,
    )  # fmt: skip
