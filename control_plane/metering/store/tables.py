"""The tables of metering and the views that features above read."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import metadata, on_create, only_added

_INSTANT = sa.DateTime(timezone=True)
_QUANTITY = sa.Numeric(30, 9)

meter_table = sa.Table(
    "metering_meter",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("title", postgresql.JSONB, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("aggregation", sa.Text, nullable=False),
    sa.Column("dimensions", postgresql.ARRAY(sa.Text), nullable=False),
    sa.Column("billable", sa.Boolean, nullable=False),
    sa.CheckConstraint("aggregation IN ('sum', 'max')", name="aggregation"),
)

event_table = sa.Table(
    "metering_event",
    metadata,
    # Source and id name an event within a tenancy: nobody takes the place of a neighbour's.
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenancy_id", sa.Text, primary_key=True),
    sa.Column("sender", sa.Text, nullable=False),
    sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False, unique=True),
    sa.Column("payload_hash", sa.Text, nullable=False),
    sa.Column("payload", postgresql.JSONB, nullable=False),
    sa.Column("received_at", _INSTANT, nullable=False),
)

conflict_table = sa.Table(
    "metering_conflict",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("payload_hash", sa.Text, primary_key=True),
    sa.Column("payload", postgresql.JSONB, nullable=False),
    sa.Column("pushed_by", sa.Text, nullable=False),
    sa.Column("received_at", _INSTANT, nullable=False),
)

quarantine_table = sa.Table(
    "metering_quarantine",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("payload", postgresql.JSONB, nullable=False),
    sa.Column("payload_hash", sa.Text, nullable=False, unique=True),
    sa.Column("reasons", postgresql.ARRAY(sa.Text), nullable=False),
    sa.Column("pushed_by", sa.Text, nullable=False),
    sa.Column("received_at", _INSTANT, nullable=False),
    sa.Column("released_at", _INSTANT),
)

series_table = sa.Table(
    "metering_series",
    metadata,
    sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
    sa.Column("path", sa.Text, nullable=False, index=True),
    sa.Column("tenancy_id", sa.Text, nullable=False),
    sa.Column("resource_id", sa.Text, nullable=False),
    sa.Column("meter", sa.Text, nullable=False),
    sa.Column("dimensions", postgresql.JSONB, nullable=False),
    sa.UniqueConstraint(
        "resource_id", "meter", "dimensions", "tenancy_id", "path", name="uq_metering_series"
    ),
)

record_table = sa.Table(
    "metering_record",
    metadata,
    sa.Column("hour", _INSTANT, primary_key=True),
    sa.Column("event_number", sa.BigInteger, primary_key=True),
    sa.Column("series_id", sa.Integer, nullable=False),
    sa.Column("quantity", _QUANTITY, nullable=False),
    sa.Index("ix_metering_record_series_id_hour", "series_id", "hour"),
    postgresql_partition_by="RANGE (hour)",
)
# Its views read these. No foreign keys: they would cost more than the record itself, and nothing
# is ever deleted.
record_table.add_is_dependent_on(series_table)
record_table.add_is_dependent_on(event_table)
record_table.add_is_dependent_on(meter_table)
record_table.add_is_dependent_on(conflict_table)

watermark_table = sa.Table(
    "metering_watermark",
    metadata,
    sa.Column("region_id", sa.Text, primary_key=True),
    sa.Column("collected_until", _INSTANT),
    sa.Column("tried_at", _INSTANT),
    sa.Column("succeeded_at", _INSTANT),
    sa.Column("error", sa.Text),
)

# Two first arrivals of a month may race: the advisory lock lets one make the partition, and the
# lock of the table makes the other one see it. Attaching stops nobody who uses other months. A
# partition takes over the triggers of rows; what refuses TRUNCATE it needs itself.
_PARTITIONS = """
CREATE FUNCTION borough_ensure_month(parent text, month timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  first timestamptz := date_trunc('month', month, 'UTC');
  name text := parent || '_' || to_char(first AT TIME ZONE 'UTC', 'YYYYMM');
BEGIN
  IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('partition ' || parent, 0));
  EXECUTE format('LOCK TABLE %I IN ACCESS SHARE MODE', parent);
  IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', name, parent);
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                 parent, name, first, first + interval '1 month');
  EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT '
                 'EXECUTE FUNCTION %I()',
                 name || '_whole', name, split_part(parent, '_', 1) || '_keep');
END $$
"""

# A quantity by clock hour. The parts are differences of rounded cumulative sums, and the last sum
# is the quantity itself: so they add up to it exactly.
_SPLIT = """
CREATE FUNCTION metering_split(since timestamptz, until timestamptz, quantity numeric)
RETURNS TABLE (hour timestamptz, part numeric) LANGUAGE sql IMMUTABLE STRICT ROWS 24 AS $$
  SELECT hour, reached - lag(reached, 1, 0::numeric) OVER (ORDER BY hour)
  FROM (SELECT hour,
               CASE WHEN hour + interval '1 hour' >= until THEN quantity
                    ELSE round(quantity * extract(epoch FROM hour + interval '1 hour' - since)
                               / extract(epoch FROM until - since), 9) END AS reached
        FROM generate_series(date_bin('1 hour', since, '2000-01-01T00:00Z'),
                             until - interval '1 microsecond', interval '1 hour') AS hour) sums
$$
"""

# What is charged: the parts of an hour, put together as their meter says.
_HOURLY = """
CREATE VIEW metering_hourly AS
SELECT s.path, s.tenancy_id, s.resource_id, s.meter, s.dimensions, r.hour,
       CASE WHEN m.aggregation = 'max' THEN max(r.quantity) ELSE sum(r.quantity) END AS quantity
FROM metering_record r
JOIN metering_series s ON s.id = r.series_id
JOIN metering_meter m ON m.name = s.meter
GROUP BY s.id, r.hour, m.aggregation
"""

# Rating skips a day whose count of records stands: that is sound only while none is ever changed.
_KEPT = """
CREATE FUNCTION metering_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$
"""
for _statement in (_PARTITIONS, _SPLIT, _HOURLY, _KEPT):
    on_create(record_table, _statement)
# The records come last of these tables, so that the function is there for all.
for _name in ("metering_record", "metering_event", "metering_series", "metering_conflict"):
    on_create(record_table, only_added(_name, "metering_keep"))

#: The view as a table to select from; it is no table of the metadata.
hourly_view = sa.Table(
    "metering_hourly",
    sa.MetaData(),
    *(sa.Column(name, sa.Text) for name in ("path", "tenancy_id", "resource_id", "meter")),
    sa.Column("dimensions", postgresql.JSONB),
    sa.Column("hour", _INSTANT),
    sa.Column("quantity", _QUANTITY),
)
