"""The timeline in PostgreSQL.

Tracks are partitioned by day, reads by month; a partition is made when its first row comes. A row
of a track names its camera and department by a small number (``video_track_series``), so that one
index, the primary key, both keeps pieces single and answers "this camera, that time".

A search goes back in time in steps and stops when it has enough, or after ``BUDGET`` seconds: its
answer then says how far it has looked and how to go on. So no search holds a page for long, however
many rows there are and however rare what it looks for.
"""

import re
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

from foundation.kernel.database import Database, on_create, within
from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.paging import cursor as cursor_text
from foundation.kernel.time import format_instant, parse_instant
from workloads.video_analytics.events.store import event_table
from workloads.video_analytics.tables import metadata
from workloads.video_analytics.timeline.model import (
    DailyCover,
    Direction,
    Found,
    Kept,
    Read,
    ReadKind,
    Search,
    Track,
    crossings,
)
from workloads.video_analytics.timeline.ports import ReadFilter
from workloads.video_analytics.vision.model import Point

#: For so many seconds a search goes on before it answers with what it has.
BUDGET = 0.6
_INSTANT = sa.DateTime(timezone=True)
_INTEGERS = postgresql.ARRAY(sa.Integer)
_JSON = postgresql.JSONB(none_as_null=True)
_FIRST_STEP = timedelta(hours=1)
_LONGEST_STEP = timedelta(days=8)
_QUICK, _SLOW = 0.06, 0.2
#: Of so few cameras the index finds days as fast as hours.
_FEW = 20
#: Rows that are read at once when paths are measured against a line.
_BATCH = 500
#: Rows that retention takes away in one transaction.
_FORGOTTEN = 5000
_POINT = re.compile(r"\(([^,()]+),([^,()]+)\)")
_ID = re.compile(r"trk_([0-9]{1,9})_([0-9]{1,17})_(.{1,200})", re.ASCII | re.DOTALL)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)


class _Path(UserDefinedType[str]):
    """PostgreSQL's open path, ``[(x,y),…]``: it knows whether it meets another (``?#``)."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "path"


series_table = sa.Table(
    "video_track_series",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("camera_id", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.UniqueConstraint("camera_id", "path", name="uq_video_track_series"),
)

track_table = sa.Table(
    "video_track",
    metadata,
    sa.Column("series", sa.Integer, primary_key=True),
    sa.Column("began", _INSTANT, primary_key=True),
    sa.Column("track", sa.Text, primary_key=True),
    sa.Column("ended", _INSTANT, nullable=False),
    sa.Column("size", sa.REAL, nullable=False),
    sa.Column("dwell", sa.REAL, nullable=False),
    sa.Column("colour", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("way", _Path, nullable=False),
    # Milliseconds after ``began``, one for each point of the way.
    sa.Column("times", postgresql.ARRAY(sa.Integer), nullable=False),
    sa.Column("thumbnail", sa.LargeBinary),
    sa.Index("ix_video_track_began", "began"),
    postgresql_partition_by="RANGE (began)",
)
track_table.add_is_dependent_on(series_table)

# Beside the tracks: whoever cleans the evidence store asks by digest, not by time.
thumbnail_table = sa.Table(
    "video_thumbnail",
    metadata,
    sa.Column("sha256", sa.LargeBinary, primary_key=True),
    sa.Column("series", sa.Integer, primary_key=True),
    sa.Column("began", _INSTANT, nullable=False),
    sa.Index("ix_video_thumbnail_began", "began"),
)

read_table = sa.Table(
    "video_read",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("number", sa.Text, primary_key=True),
    sa.Column("at", _INSTANT, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("received_at", _INSTANT, nullable=False),
    sa.Column("camera_id", sa.Text, nullable=False),
    sa.Column("latitude", sa.Double),
    sa.Column("longitude", sa.Double),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("score", sa.Double),
    sa.Column("clock_offset_seconds", sa.Double),
    sa.Index("ix_video_read_at", "at"),
    sa.Index("ix_video_read_digest", "digest", "at"),
    sa.Index("ix_video_read_subject", "subject", "at",
             postgresql_ops={"subject": "text_pattern_ops"}),
    postgresql_partition_by="RANGE (at)",
)  # fmt: skip
read_table.add_is_dependent_on(track_table)

cover_table = sa.Table(
    "video_cover",
    metadata,
    sa.Column("rule", sa.Text, primary_key=True),
    sa.Column("camera_id", sa.Text, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("cover", sa.Double),
    sa.Column("frames", sa.Integer, nullable=False),
    sa.Column("data", _JSON, nullable=False),
)

# Two first arrivals of a day may race: the advisory lock lets one make the partition, and the lock
# of the table makes the other one see it. Attaching stops nobody who uses other days.
_PARTITIONS = """
CREATE FUNCTION video_ensure_partition(parent text, at timestamptz, step text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  first timestamptz := date_trunc(step, at, 'UTC');
  name text := parent || '_' || to_char(first AT TIME ZONE 'UTC', 'YYYYMMDD');
BEGIN
  IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('partition ' || parent, 0));
  EXECUTE format('LOCK TABLE %I IN ACCESS SHARE MODE', parent);
  IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', name, parent);
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                 parent, name, first,
                 (first AT TIME ZONE 'UTC' + ('1 ' || step)::interval) AT TIME ZONE 'UTC');
END $$
"""
on_create(track_table, _PARTITIONS)

_S, _T, _N, _R, _C = series_table.c, track_table.c, thumbnail_table.c, read_table.c, cover_table.c
_ENSURE = sa.text("SELECT video_ensure_partition(:parent, :at, :step)")
_CUSTOM_PLANS = sa.text("SET LOCAL plan_cache_mode = force_custom_plan")
_CHILDREN = sa.text(
    "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = CAST(:parent AS regclass)"
)
_KEEP = sa.text("""
INSERT INTO video_track
  (series, began, track, ended, size, dwell, colour, kind, way, times, thumbnail)
VALUES (:series, :began, :track, :ended, :size, :dwell, :colour, :kind, CAST(:way AS path),
        CAST(:times AS integer[]), :thumbnail)
ON CONFLICT (series, began, track) DO UPDATE
SET ended = excluded.ended, size = excluded.size, dwell = excluded.dwell,
    colour = excluded.colour, kind = excluded.kind, way = excluded.way, times = excluded.times,
    thumbnail = coalesce(excluded.thumbnail, video_track.thumbnail)
WHERE excluded.ended > video_track.ended
""")


class PostgresTimeline:
    """Implements ``TimelineStore``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # Tracks -----------------------------------------------------------------------------------

    def keep(self, camera_id: str, path: str, pieces: Sequence[Kept]) -> None:
        series = self._series(camera_id, path)
        rows = [_piece_row(series, kept) for kept in pieces]
        self._ensure("video_track", "day", (row["began"] for row in rows))
        # Sorted: two workers that keep the same pieces take their rows in the same order.
        rows.sort(key=lambda row: (row["began"], row["track"]))
        self._db.execute(_KEEP, rows)
        pictures = [
            {"sha256": row["thumbnail"], "series": series, "began": row["began"]}
            for row in rows
            if row["thumbnail"] is not None
        ]
        if pictures:
            insert = postgresql.insert(thumbnail_table)
            self._db.execute(insert.on_conflict_do_nothing(), pictures)

    def _series(self, camera_id: str, path: str) -> int:
        query = sa.select(_S.id).where(_S.camera_id == camera_id, _S.path == path)
        found = self._db.execute(query).scalar()
        if found is None:
            insert = postgresql.insert(series_table).values(camera_id=camera_id, path=path)
            self._db.execute(insert.on_conflict_do_nothing())
            found = self._db.execute(query).scalar_one()
        return int(found)

    def _ensure(self, parent: str, step: str, instants: Iterable[datetime]) -> None:
        days = {at.date() if step == "day" else at.date().replace(day=1) for at in instants}
        for day in sorted(days):
            at = datetime(day.year, day.month, day.day, tzinfo=UTC)
            self._db.execute(_ENSURE, {"parent": parent, "at": at, "step": step})

    def search(
        self,
        paths: Sequence[str],
        cameras: Collection[str] | None,
        wanted: Search,
        cursor: str | None,
        limit: int,
    ) -> Found:
        names = self._known(paths, cameras)
        everything = cameras is None and "/" in paths
        high, after = _begin(cursor, wanted.until)
        found: list[Track] = []
        # A plan for any cameras and times would read a whole day for one camera.
        self._db.execute(_CUSTOM_PLANS)
        few = not everything and len(names) <= _FEW
        step, began = _LONGEST_STEP if few else _FIRST_STEP, time.monotonic()
        while names and high > wanted.since:
            low, begun = max(wanted.since, high - step), time.monotonic()
            only = None if everything else list(names)
            found += self._window(only, names, wanted, (low, high), after, limit + 1 - len(found))
            if len(found) > limit:
                last = found[limit - 1]
                return Found(self._linked(found[:limit]), last.began, _cursor_of(last))
            high, after = low, None
            step = _next_step(step, time.monotonic() - begun)
            if time.monotonic() - began > BUDGET and high > wanted.since:
                return Found(self._linked(found), high, cursor_text(format_instant(high), "", ""))
        return Found(self._linked(found), wanted.since)

    def _window(
        self,
        only: list[int] | None,
        names: Mapping[int, str],
        wanted: Search,
        window: tuple[datetime, datetime],
        after: tuple[datetime, int, str] | None,
        need: int,
    ) -> list[Track]:
        """The latest pieces that fit and began in the window, as many as are needed."""
        found: list[Track] = []
        query = (
            sa.select(track_table)
            .where(_T.began >= window[0], _T.began < window[1], *_filtered(wanted))
            .order_by(_T.began.desc(), _T.series.desc(), _T.track.desc())
        )
        if only is not None and len(only) == 1:
            # The primary key's own order: nothing is sorted, and no other index is tried.
            query = query.where(_T.series == only[0]).order_by(None)
            query = query.order_by(_T.began.desc(), _T.track.desc())
        elif only is not None:
            query = query.where(_T.series == sa.any_(sa.literal(only, _INTEGERS)))
        most = max(need, _BATCH) if wanted.line else need
        while len(found) < need:
            rows = self._db.execute(_beyond(query, after).limit(most)).all()
            tracks = (_track(row, names, wanted) for row in rows)
            found += [track for track in tracks if track is not None]
            if len(rows) < most:
                break
            after = (rows[-1].began, rows[-1].series, rows[-1].track)
        return found[:need]

    def _known(self, paths: Sequence[str], cameras: Collection[str] | None) -> dict[int, str]:
        """The series below the paths with their cameras."""
        query = sa.select(_S.id, _S.camera_id).where(within(_S.path, paths))
        if cameras is not None:
            query = query.where(_S.camera_id.in_(sorted(cameras)))
        return {row.id: row.camera_id for row in self._db.execute(query)}

    def _linked(self, tracks: Sequence[Track]) -> tuple[Track, ...]:
        """The tracks with the events that they are of."""
        if not tracks:
            return ()
        at = event_table.c
        pairs = sorted({(t.camera_id, t.track) for t in tracks})
        rows = self._db.execute(
            sa.select(at.camera_id, at.track, sa.func.max(at.id).label("id"))
            .where(
                at.camera_id.in_(sorted({t.camera_id for t in tracks})),
                sa.tuple_(at.camera_id, at.track).in_(pairs),
                at.began >= min(t.began for t in tracks) - _LONGEST_STEP,
                at.began <= max(t.ended for t in tracks),
            )
            .group_by(at.camera_id, at.track)
        )
        events = {(row.camera_id, row.track): row.id for row in rows}
        return tuple(replace(t, event_id=events.get((t.camera_id, t.track))) for t in tracks)

    def track(self, paths: Sequence[str], track_id: str) -> Track | None:
        found = _ID.fullmatch(track_id)
        if found is None:
            return None
        series, began = int(found[1]), _EPOCH + int(found[2]) * _MICRO
        names = self._known(paths, None)
        row = self._db.execute(
            sa.select(track_table).where(
                _T.series == series, _T.began == began, _T.track == found[3]
            )
        ).one_or_none()
        if row is None or series not in names:
            return None
        track = _track(row, names, None)
        return None if track is None else self._linked([track])[0]

    def appeared(
        self, paths: Sequence[str], windows: Mapping[str, tuple[datetime, datetime]], limit: int
    ) -> list[Track]:
        found: list[Track] = []
        for series, camera_id in sorted(self._known(paths, windows).items()):
            low, high = windows[camera_id]
            rows = self._db.execute(
                sa.select(track_table)
                .where(_T.series == series, _T.began >= low, _T.began < high)
                .order_by(_T.began)
                .limit(limit)
            )
            tracks = (_track(row, {series: camera_id}, None) for row in rows)
            found += [track for track in tracks if track is not None]
        return list(self._linked(found))

    def thumbnail_owner(self, sha256: str) -> str | None:
        row = self._db.execute(
            sa.select(_S.path)
            .join(thumbnail_table, _N.series == _S.id)
            .where(_N.sha256 == bytes.fromhex(sha256))
            .limit(1)
        ).one_or_none()
        return None if row is None else str(row.path)

    # Retention --------------------------------------------------------------------------------

    def used(self, sha256s: Collection[str]) -> set[str]:
        names = [bytes.fromhex(name) for name in sorted(sha256s)]
        query = sa.select(_N.sha256).where(_N.sha256.in_(names)).distinct()
        return {digest.hex() for digest in self._db.execute(query).scalars()}

    def camera_ids(self) -> Sequence[str]:
        tracks = self._db.execute(sa.select(_S.camera_id).distinct()).scalars()
        reads = self._db.execute(sa.select(_R.camera_id).distinct()).scalars()
        return sorted({*tracks, *reads})

    def forget(self, camera_ids: Collection[str], kind: str, before: datetime) -> int:
        if kind == "reads":
            return self._forget_reads(camera_ids, before)
        mine = sa.select(_S.id).where(_S.camera_id.in_(sorted(camera_ids)))
        old = (
            sa.select(_T.series, _T.began, _T.track)
            .where(_T.series.in_(mine), _T.began < before)
            .limit(_FORGOTTEN)
        )
        gone = self._db.execute(
            track_table.delete().where(sa.tuple_(_T.series, _T.began, _T.track).in_(old))
        ).rowcount
        if not gone:
            self._db.execute(thumbnail_table.delete().where(_N.series.in_(mine), _N.began < before))
            self._drop_empty("video_track", before)
        return gone

    def _forget_reads(self, camera_ids: Collection[str], before: datetime) -> int:
        old = (
            sa.select(_R.source, _R.number, _R.at)
            .where(_R.camera_id.in_(sorted(camera_ids)), _R.at < before)
            .limit(_FORGOTTEN)
        )
        return self._db.execute(
            read_table.delete().where(sa.tuple_(_R.source, _R.number, _R.at).in_(old))
        ).rowcount

    def _drop_empty(self, parent: str, before: datetime) -> None:
        """Drop the partitions of days that are over and of which nothing is left."""
        names = self._db.execute(_CHILDREN, {"parent": parent}).scalars().all()
        last = f"{parent}_{before.astimezone(UTC):%Y%m%d}"
        for name in names:
            if name < last and re.fullmatch(r"video_track_[0-9]{8}", name):
                table = sa.table(name)
                if self._db.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
                    continue
                self._db.execute(sa.text(f"DROP TABLE {name}"))

    # Reads ------------------------------------------------------------------------------------

    def add_reads(self, reads: Sequence[Read]) -> list[bool]:
        self._ensure("video_read", "month", (read.at for read in reads))
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
            key = (sa.literal(parse_instant(after[0], "cursor"), _INSTANT), *after[1:])
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


def _piece_row(series: int, kept: Kept) -> dict[str, Any]:
    piece = kept.piece
    began = piece.path[0][0]
    return {
        "series": series,
        "began": began,
        "track": piece.id,
        "ended": max(at for at, _ in piece.path),
        "size": piece.size,
        "dwell": piece.dwell_seconds,
        "colour": piece.colour,
        "kind": piece.kind,
        "way": _way([point for _, point in piece.path]),
        "times": [round((at - began) / timedelta(milliseconds=1)) for at, _ in piece.path],
        "thumbnail": bytes.fromhex(kept.thumbnail.sha256) if kept.thumbnail else None,
    }


def _way(points: Iterable[Point]) -> str:
    return "[" + ",".join(f"({p.x:.6g},{p.y:.6g})" for p in points) + "]"


def _filtered(wanted: Search) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    for column, low, high in (
        (_T.size, wanted.smallest, wanted.largest), (_T.dwell, wanted.shortest, wanted.longest),
    ):  # fmt: skip
        if low is not None:
            found.append(column >= low)
        if high is not None:
            found.append(column <= high)
    for column, values in ((_T.colour, wanted.colours), (_T.kind, wanted.kinds)):
        if values:
            found.append(column.in_(values))
    if wanted.line:
        # The database says which paths meet the line; which way and when is worked out after.
        line = sa.cast(sa.literal(_way(wanted.line), sa.Text), _Path)
        found.append(_T.way.op("?#", is_comparison=True)(line))
    return found


def _track(row: sa.Row[Any], names: Mapping[int, str], wanted: Search | None) -> Track | None:
    """A row as a track; None when it does not cross the line as it was asked."""
    points = [Point(float(x), float(y)) for x, y in _POINT.findall(row.way)]
    path = tuple(
        (row.began + timedelta(milliseconds=ms), point)
        for ms, point in zip(row.times, points, strict=True)
    )
    crossing = None
    if wanted is not None and wanted.line:
        any_way = wanted.direction is Direction.ANY
        ways = (
            c for c in crossings(path, wanted.line) if any_way or c.direction is wanted.direction
        )
        crossing = next(ways, None)
        if crossing is None:
            return None
    micros = (row.began - _EPOCH) // _MICRO
    return Track(
        f"trk_{row.series}_{micros}_{row.track}",
        names[row.series],
        names[row.series],
        row.track,
        row.began,
        row.ended,
        row.size,
        row.dwell,
        row.colour,
        row.kind,
        path,
        row.thumbnail.hex() if row.thumbnail else None,
        crossing,
    )


def _read(row: sa.Row[Any]) -> Read:
    return Read(**{**row._mapping, "kind": ReadKind(row.kind)})  # noqa: SLF001 - public in fact


def _next_step(step: timedelta, took: float) -> timedelta:
    """Longer steps where little is found quickly, shorter ones where much lies."""
    if took < _QUICK:
        return min(2 * step, _LONGEST_STEP)
    return step / 2 if took > _SLOW else step


def _beyond(query: sa.Select[Any], after: tuple[datetime, int, str] | None) -> sa.Select[Any]:
    if after is None:
        return query
    key = sa.tuple_(sa.literal(after[0], _INSTANT), sa.literal(after[1]), sa.literal(after[2]))
    return query.where(sa.tuple_(_T.began, _T.series, _T.track) < key, _T.began <= after[0])


def _cursor_of(track: Track) -> str:
    series = track.id.split("_", 2)[1]
    return cursor_text(format_instant(track.began), series, track.track)


def _begin(
    cursor: str | None, until: datetime
) -> tuple[datetime, tuple[datetime, int, str] | None]:
    """Where a search goes on: before an instant, or after a row."""
    key = PageRequest(cursor).key(3)
    if key is None:
        return until, None
    if not re.fullmatch("[0-9]{0,9}", key[1], re.ASCII):
        raise Invalid([Problem("cursor", "is not a cursor of this list")])
    at = parse_instant(key[0], "cursor")
    if not key[1]:
        return min(at, until), None
    return min(at + _MICRO, until), (at, int(key[1]), key[2])
