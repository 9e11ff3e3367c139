"""The tracks of the timeline in PostgreSQL.

A row of a track names its camera and department by a small number (``video_track_series``), so that
one index, the primary key, both keeps pieces single and answers "this camera, that time".

A search goes back in time in steps and stops when it has enough, or after ``BUDGET`` seconds: its
answer then says how far it has looked and how to go on. So no search holds a page for long, however
many rows there are and however rare what it looks for.
"""

import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import within
from foundation.kernel.paging import cursor as cursor_text
from foundation.kernel.time import format_instant
from workloads.video_analytics.events.store import event_table
from workloads.video_analytics.timeline.model import Found, Kept, Search, Track
from workloads.video_analytics.timeline.readings import FORGOTTEN, PostgresReadings
from workloads.video_analytics.timeline.searching import (
    EPOCH,
    LONGEST_STEP,
    MICRO,
    begin,
    beyond,
    cursor_of,
    filtered,
    next_step,
    piece_row,
    track_of,
)
from workloads.video_analytics.timeline.tables import (
    ensure,
    read_table,
    series_table,
    thumbnail_table,
    track_table,
)

#: For so many seconds a search goes on before it answers with what it has.
BUDGET = 0.6
_INTEGERS = postgresql.ARRAY(sa.Integer)
_FIRST_STEP = timedelta(hours=1)
#: Of so few cameras the index finds days as fast as hours.
_FEW = 20
#: Rows that are read at once when paths are measured against a line.
_BATCH = 500
_ID = re.compile(r"trk_([0-9]{1,9})_([0-9]{1,17})_(.{1,200})", re.ASCII | re.DOTALL)

_S, _T, _N, _R = series_table.c, track_table.c, thumbnail_table.c, read_table.c
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


class PostgresTimeline(PostgresReadings):
    """Implements ``TimelineStore``: tracks here, reads and daily values in ``readings``."""

    def keep(self, camera_id: str, path: str, pieces: Sequence[Kept]) -> None:
        series = self._series(camera_id, path)
        rows = [piece_row(series, kept) for kept in pieces]
        ensure(self._db, "video_track", "day", (row["began"] for row in rows))
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
        high, after = begin(cursor, wanted.until)
        found: list[Track] = []
        # A plan for any cameras and times would read a whole day for one camera.
        self._db.execute(_CUSTOM_PLANS)
        few = not everything and len(names) <= _FEW
        step, began = LONGEST_STEP if few else _FIRST_STEP, time.monotonic()
        while names and high > wanted.since:
            low, begun = max(wanted.since, high - step), time.monotonic()
            only = None if everything else list(names)
            found += self._window(only, names, wanted, (low, high), after, limit + 1 - len(found))
            if len(found) > limit:
                last = found[limit - 1]
                return Found(self._linked(found[:limit]), last.began, cursor_of(last))
            high, after = low, None
            step = next_step(step, time.monotonic() - begun)
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
            .where(_T.began >= window[0], _T.began < window[1], *filtered(wanted))
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
            rows = self._db.execute(beyond(query, after).limit(most)).all()
            tracks = (track_of(row, names, wanted) for row in rows)
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
                at.began >= min(t.began for t in tracks) - LONGEST_STEP,
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
        series, began = int(found[1]), EPOCH + int(found[2]) * MICRO
        names = self._known(paths, None)
        row = self._db.execute(
            sa.select(track_table).where(
                _T.series == series, _T.began == began, _T.track == found[3]
            )
        ).one_or_none()
        if row is None or series not in names:
            return None
        track = track_of(row, names, None)
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
            tracks = (track_of(row, {series: camera_id}, None) for row in rows)
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
            return self.forget_reads(camera_ids, before)
        mine = sa.select(_S.id).where(_S.camera_id.in_(sorted(camera_ids)))
        old = (
            sa.select(_T.series, _T.began, _T.track)
            .where(_T.series.in_(mine), _T.began < before)
            .limit(FORGOTTEN)
        )
        gone = self._db.execute(
            track_table.delete().where(sa.tuple_(_T.series, _T.began, _T.track).in_(old))
        ).rowcount
        if not gone:
            self._db.execute(thumbnail_table.delete().where(_N.series.in_(mine), _N.began < before))
            self._drop_empty("video_track", before)
        return gone

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
