"""The tables of the timeline, and how their partitions are made.

Tracks are partitioned by day, reads by month; a partition is made when its first row comes.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import UserDefinedType

from foundation.kernel.database import Database, on_create
from workloads.video_analytics.tables import metadata

INSTANT = sa.DateTime(timezone=True)


class Ways(UserDefinedType[str]):
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
    sa.Column("began", INSTANT, primary_key=True),
    sa.Column("track", sa.Text, primary_key=True),
    sa.Column("ended", INSTANT, nullable=False),
    sa.Column("size", sa.REAL, nullable=False),
    sa.Column("dwell", sa.REAL, nullable=False),
    sa.Column("colour", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("way", Ways, nullable=False),
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
    sa.Column("began", INSTANT, nullable=False),
    sa.Index("ix_video_thumbnail_began", "began"),
)

read_table = sa.Table(
    "video_read",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("number", sa.Text, primary_key=True),
    sa.Column("at", INSTANT, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("received_at", INSTANT, nullable=False),
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
    sa.Column("data", postgresql.JSONB(none_as_null=True), nullable=False),
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

_ENSURE = sa.text("SELECT video_ensure_partition(:parent, :at, :step)")


def ensure(db: Database, parent: str, step: str, instants: Iterable[datetime]) -> None:
    """Make the partitions for rows of these times; ``step`` is ``day`` or ``month``."""
    days = {at.date() if step == "day" else at.date().replace(day=1) for at in instants}
    for day in sorted(days):
        at = datetime(day.year, day.month, day.day, tzinfo=UTC)
        db.execute(_ENSURE, {"parent": parent, "at": at, "step": step})
