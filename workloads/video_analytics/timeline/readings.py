"""What readers read, and the daily values of water, in PostgreSQL."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.time import format_instant, parse_instant
from workloads.video_analytics.timeline.model import DailyCover, Read, ReadKind
from workloads.video_analytics.timeline.ports import ReadFilter
from workloads.video_analytics.timeline.tables import INSTANT, cover_table, ensure, read_table

#: Rows that retention takes away in one transaction.
FORGOTTEN = 5000

_R, _C = read_table.c, cover_table.c


class PostgresReadings:
    """Implements the part of ``TimelineStore`` about reads and daily values."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # Reads ------------------------------------------------------------------------------------

    def add_reads(self, reads: Sequence[Read]) -> list[bool]:
        ensure(self._db, "video_read", "month", (read.at for read in reads))
        made = []
        for read in reads:
            row = {c.name: getattr(read, c.name) for c in read_table.columns}
            row["kind"] = read.kind.value
            done = self._db.execute(
                postgresql.insert(read_table)
                .values(row)
                .on_conflict_do_nothing()
                .returning(_R.number)
            )
            made.append(done.first() is not None)
        return made

    def reads(self, paths: Sequence[str], wanted: ReadFilter, request: PageRequest) -> Page[Read]:
        query = (
            sa.select(read_table)
            .where(within(_R.path, paths), _R.at >= wanted.since, _R.at < wanted.until)
            .order_by(_R.at.desc(), _R.source.desc(), _R.number.desc())
        )
        if wanted.kinds:
            query = query.where(_R.kind.in_([k.value for k in wanted.kinds]))
        if wanted.digest:
            query = query.where(_R.digest == wanted.digest)
        if wanted.begins:
            plain = _R.kind != ReadKind.ID_CARD.value
            query = query.where(plain, _R.subject.startswith(wanted.begins, autoescape=True))
        for name in ("source", "camera_id"):
            if getattr(wanted, name):
                query = query.where(_R[name] == getattr(wanted, name))
        after = request.key(3)
        if after is not None:
            key = (sa.literal(parse_instant(after[0], "cursor"), INSTANT), *after[1:])
            query = query.where(sa.tuple_(_R.at, _R.source, _R.number) < sa.tuple_(*key))
        rows = [_read(row) for row in self._db.execute(query.limit(request.limit + 1))]
        return page_of(rows, request, lambda r: (format_instant(r.at), r.source, r.number))

    # Vegetation -------------------------------------------------------------------------------

    def put_cover(self, cover: DailyCover, path: str) -> None:
        row = {c.name: getattr(cover, c.name) for c in cover_table.columns if c.name != "path"}
        insert = postgresql.insert(cover_table).values(**row, path=path)
        self._db.execute(
            insert.on_conflict_do_update(
                index_elements=["rule", "camera_id", "day"],
                set_={n: insert.excluded[n] for n in ("cover", "frames", "data", "path")},
                where=insert.excluded.frames >= _C.frames,
            )
        )

    def covers(self, paths: Sequence[str], rule: str, since: date, until: date) -> list[DailyCover]:
        query = (
            sa.select(cover_table)
            .where(within(_C.path, paths), _C.day >= since, _C.day <= until)
            .order_by(_C.rule, _C.day)
        )
        if rule:
            query = query.where(_C.rule == rule)
        return [
            DailyCover(r.camera_id, r.rule, r.day, r.cover, r.frames, r.data)
            for r in self._db.execute(query)
        ]

    def forget_reads(self, camera_ids: Collection[str], before: datetime) -> int:
        """Take away what readers read before a time, some at once; answers how many."""
        old = (
            sa.select(_R.source, _R.number, _R.at)
            .where(_R.camera_id.in_(sorted(camera_ids)), _R.at < before)
            .limit(FORGOTTEN)
        )
        return self._db.execute(
            read_table.delete().where(sa.tuple_(_R.source, _R.number, _R.at).in_(old))
        ).rowcount


def _read(row: sa.Row[Any]) -> Read:
    return Read(**{**row._mapping, "kind": ReadKind(row.kind)})  # noqa: SLF001 - public in fact
