"""Searching tracks: rows as tracks, what is asked of them, and how far back it goes at once."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.paging import PageRequest
from foundation.kernel.paging import cursor as cursor_text
from foundation.kernel.time import format_instant, parse_instant
from workloads.video_analytics.timeline.model import Direction, Kept, Search, Track, crossings
from workloads.video_analytics.timeline.tables import INSTANT, Ways, track_table
from workloads.video_analytics.vision.model import Point

LONGEST_STEP = timedelta(days=8)
_QUICK, _SLOW = 0.06, 0.2
_POINT = re.compile(r"\(([^,()]+),([^,()]+)\)")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICRO = timedelta(microseconds=1)

_T = track_table.c


def piece_row(series: int, kept: Kept) -> dict[str, Any]:
    """A piece of a track as a row."""
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


def filtered(wanted: Search) -> list[sa.ColumnElement[bool]]:
    """What a search asks of a row, but where and when."""
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
        line = sa.cast(sa.literal(_way(wanted.line), sa.Text), Ways)
        found.append(_T.way.op("?#", is_comparison=True)(line))
    return found


def track_of(row: sa.Row[Any], names: Mapping[int, str], wanted: Search | None) -> Track | None:
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
    micros = (row.began - EPOCH) // MICRO
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


def next_step(step: timedelta, took: float) -> timedelta:
    """Longer steps where little is found quickly, shorter ones where much lies."""
    if took < _QUICK:
        return min(2 * step, LONGEST_STEP)
    return step / 2 if took > _SLOW else step


def beyond(query: sa.Select[Any], after: tuple[datetime, int, str] | None) -> sa.Select[Any]:
    """Rows after this one, in the order of a search."""
    if after is None:
        return query
    key = sa.tuple_(sa.literal(after[0], INSTANT), sa.literal(after[1]), sa.literal(after[2]))
    return query.where(sa.tuple_(_T.began, _T.series, _T.track) < key, _T.began <= after[0])


def cursor_of(track: Track) -> str:
    """Where a search goes on after a track."""
    series = track.id.split("_", 2)[1]
    return cursor_text(format_instant(track.began), series, track.track)


def begin(cursor: str | None, until: datetime) -> tuple[datetime, tuple[datetime, int, str] | None]:
    """Where a search goes on: before an instant, or after a row."""
    key = PageRequest(cursor).key(3)
    if key is None:
        return until, None
    if not re.fullmatch("[0-9]{0,9}", key[1], re.ASCII):
        raise Invalid([Problem("cursor", "is not a cursor of this list")])
    at = parse_instant(key[0], "cursor")
    if not key[1]:
        return min(at, until), None
    return min(at + MICRO, until), (at, int(key[1]), key[2])
