"""How long a search of the timeline takes over 10 million rows, beside one plain query.

Rows: 30 days, 1,000 cameras, every track with four points. Each search goes through the service,
with its authorisation and its entry in the audit log. The peer is the same question as one query
on the same table and indexes, without going back step by step. Fewer rows: ``TRACK_ROWS=1000000``.
"""

import os
import random
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.database import Database
from tests.conftest import SettableClock
from tests.fakes.video import WATER, EventWorld, Places
from workloads.video_analytics.migrations import SCHEMA
from workloads.video_analytics.timeline.model import Direction, Search
from workloads.video_analytics.timeline.reads import Digester
from workloads.video_analytics.timeline.searching import filtered
from workloads.video_analytics.timeline.service import Timeline
from workloads.video_analytics.timeline.store import PostgresTimeline
from workloads.video_analytics.timeline.tables import track_table
from workloads.video_analytics.vision.model import Point

ROWS = int(os.environ.get("TRACK_ROWS", "10000000"))
DAYS, CAMERAS, TIMES = 30, 1000, 20
FIRST = datetime(2026, 10, 1, tzinfo=UTC)
LAST = FIRST + timedelta(days=DAYS)
LINE = (Point(0.5, 0.1), Point(0.5, 0.9))

_FILL = """
INSERT INTO video_track
  (series, began, track, ended, size, dwell, colour, kind, way, times, thumbnail)
SELECT c, at, 't' || n, at + make_interval(secs => d), 0.001 + power(random(), 4) * 0.2, d,
       ('{black,white,grey,red,blue,green,yellow,brown}'::text[])[1 + (random()*7)::int],
       (ARRAY['person','person','person','car','bus',''])[1 + (random()*5)::int],
       format('[(%%s,%%s),(%%s,%%s),(%%s,%%s),(%%s,%%s)]',
              x, y, x + dx, y + dy, x + 2 * dx, y + 2 * dy, x + 3 * dx, y + 3 * dy)::path,
       ARRAY[0, (d * 333)::int, (d * 667)::int, (d * 1000)::int], NULL
FROM (SELECT n, 1 + (n::bigint * 7919) %% %(cameras)s AS c,
             %(day)s::timestamptz + make_interval(secs => 86400.0 * n / %(many)s) AS at,
             1 - 20 * ln(1 - random()) AS d, round(random()::numeric, 3) AS x,
             round(random()::numeric, 3) AS y, round((random() - 0.5)::numeric * 0.2, 3) AS dx,
             round((random() - 0.5)::numeric * 0.2, 3) AS dy
      FROM generate_series(0, %(many)s - 1) AS n) made
"""

_SIZE = """
SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits
WHERE inhparent = 'video_track'::regclass
"""


@pytest.fixture(scope="module")
def timeline(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[EventWorld, Timeline]]:
    admin = postgres.url("postgres").replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE DATABASE tracks")
    database = Database(postgres.url("tracks"))
    SCHEMA.upgrade(database)
    folder: Path = tmp_path_factory.mktemp("timeline")
    clock = SettableClock(LAST)
    world = EventWorld(database, clock, folder)
    for n in range(CAMERAS):
        world.cameras.add(f"cam_{n:04}", WATER, groups=(f"g{n % 50}",))
    begun = time.monotonic()
    plain = postgres.url("tracks").replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO video_track_series (camera_id, path) "
            "SELECT 'cam_' || lpad(n::text, 4, '0'), %s FROM generate_series(0, %s) n",
            [WATER, CAMERAS - 1],
        )
        for day in range(DAYS):
            at = FIRST + timedelta(days=day)
            connection.execute("SELECT video_ensure_partition('video_track', %s, 'day')", [at])
            connection.execute(_FILL, {"cameras": CAMERAS, "day": at, "many": ROWS // DAYS})
        took = time.monotonic() - begun
        connection.execute("ANALYZE video_track")
        size = connection.execute(_SIZE).fetchone()
    assert size is not None
    print(f"\n{ROWS:,} rows made in {took:.0f} s, {size[0] / 2**30:.2f} GiB with indexes")
    yield world, Timeline(
        PostgresTimeline(database), database, clock, world.fences, world.cameras, Places(),
        world.files, world.audit, Digester(b"d" * 32),
    )  # fmt: skip
    database.close()


def _window(hours: float) -> dict[str, datetime]:
    latest = LAST - timedelta(hours=hours)
    since = FIRST + random.random() * (latest - FIRST)  # noqa: S311 - a benchmark
    return {"since": since, "until": since + timedelta(hours=hours)}


def _camera() -> tuple[str, ...]:
    return (f"cam_{random.randrange(CAMERAS):04}",)  # noqa: S311


def _searches() -> dict[str, list[Search]]:
    person = {"largest": 0.06, "kinds": ("person",)}
    return {
        "crossed a line, 2 h, > 60 s": [
            Search(**_window(2), cameras=_camera(), line=LINE, shortest=60, **person)
            for _ in range(TIMES)
        ],
        "crossed a line one way, 7 days": [
            Search(**_window(168), cameras=_camera(), line=LINE,
                   direction=Direction.LEFT_TO_RIGHT, **person) for _ in range(TIMES)
        ],
        "a camera, 30 days, colour": [
            Search(FIRST, LAST, cameras=_camera(), colours=("yellow",)) for _ in range(TIMES)
        ],
        "a group of 20, a day, red cars": [
            Search(**_window(24), group="g7", kinds=("car",), colours=("red",))
            for _ in range(TIMES)
        ],
        "all cameras, an hour": [Search(**_window(1)) for _ in range(TIMES)],
        "all cameras, a day, > 150 s": [
            Search(**_window(24), shortest=150) for _ in range(TIMES)
        ],
        "all cameras, 30 days, nothing fits": [
            Search(FIRST, LAST, colours=("pink",)) for _ in range(5)
        ],
    }  # fmt: skip


def _plain(database: Database, wanted: Search, series: list[int] | None) -> None:
    at = track_table.c
    query = sa.select(track_table).where(
        at.began >= wanted.since, at.began < wanted.until, *filtered(wanted)
    )
    if series is not None:
        query = query.where(at.series.in_(series))
    with database.transaction():
        database.execute(query.order_by(at.began.desc(), at.series.desc()).limit(26)).all()


def test_searching_many_rows(timeline: tuple[EventWorld, Timeline]) -> None:
    world, searched = timeline
    random.seed(7)
    print(f"\n{'search':38} {'p50 ms':>8} {'p95 ms':>8} {'rows':>6} {'parts':>6} {'plain p50':>10}"
          f" {'ratio':>6}")  # fmt: skip
    for name, searches in _searches().items():
        took, plain, rows, parts = [], [], 0, 0
        for wanted in searches:
            begun = time.perf_counter()
            found = searched.search(world.chief, wanted)
            took.append(time.perf_counter() - begun)
            rows += len(found.items)
            parts += found.next is not None and len(found.items) < 25
            series = None
            if wanted.cameras:
                series = [int(wanted.cameras[0][4:]) + 1]
            elif wanted.group:
                series = [n + 1 for n in range(CAMERAS) if n % 50 == int(wanted.group[1:])]
            begun = time.perf_counter()
            _plain(world.database, wanted, series)
            plain.append(time.perf_counter() - begun)
        p50, peer = statistics.median(took), statistics.median(plain)
        p95 = sorted(took)[max(0, round(0.95 * len(took)) - 1)]
        print(f"{name:38} {p50 * 1e3:8.1f} {p95 * 1e3:8.1f} {rows / len(searches):6.1f} "
              f"{parts:6} {peer * 1e3:10.1f} {p50 / peer:6.2f}")  # fmt: skip
