"""Metering in PostgreSQL.

Events and records are only ever added. Records are partitioned by month of their hour; a month's
partition is made when the first record of it arrives.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.kernel import canonical, ids
from control_plane.kernel.database import Database, metadata, on_create
from control_plane.kernel.paging import Page, PageRequest, page_of
from control_plane.kernel.text import Text
from control_plane.kernel.time import Interval
from control_plane.metering.model import (
    Aggregation,
    Meter,
    QuarantinedEvent,
    ResourceRef,
    Usage,
    UsageEvent,
    UsageRecord,
    Watermark,
)

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
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
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

record_table = sa.Table(
    "metering_record",
    metadata,
    sa.Column("hour", _INSTANT, primary_key=True),
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("tenancy_id", sa.Text, nullable=False),
    sa.Column("resource_id", sa.Text, nullable=False),
    sa.Column("meter", sa.Text, nullable=False),
    sa.Column("dimensions", postgresql.JSONB, nullable=False),
    sa.Column("quantity", _QUANTITY, nullable=False),
    sa.Column("event_source", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Index("ix_metering_record_resource_id_hour", "resource_id", "hour"),
    sa.Index("ix_metering_record_path_hour", "path", "hour"),
    postgresql_partition_by="RANGE (hour)",
)

watermark_table = sa.Table(
    "metering_watermark",
    metadata,
    sa.Column("region_id", sa.Text, primary_key=True),
    sa.Column("collected_until", _INSTANT),
    sa.Column("tried_at", _INSTANT),
    sa.Column("succeeded_at", _INSTANT),
    sa.Column("error", sa.Text),
)

# Two first arrivals of a month may race: the lock lets one make the partition.
_PARTITIONS = """
CREATE FUNCTION borough_ensure_month(parent text, month timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  first timestamptz := date_trunc('month', month, 'UTC');
  name text := parent || '_' || to_char(first AT TIME ZONE 'UTC', 'YYYYMM');
BEGIN
  IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('partition ' || parent, 0));
  IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                 name, parent, first, first + interval '1 month');
END $$
"""

# What is charged: the parts of an hour, put together as their meter says.
_HOURLY = """
CREATE VIEW metering_hourly AS
SELECT r.path, r.tenancy_id, r.resource_id, r.meter, r.dimensions, r.hour,
       CASE WHEN m.aggregation = 'max' THEN max(r.quantity) ELSE sum(r.quantity) END AS quantity
FROM metering_record r JOIN metering_meter m ON m.name = r.meter
GROUP BY r.path, r.tenancy_id, r.resource_id, r.meter, r.dimensions, r.hour, m.aggregation
"""
on_create(record_table, _PARTITIONS)
on_create(record_table, _HOURLY)

#: The view as a table to select from; it is no table of the metadata.
hourly_view = sa.Table(
    "metering_hourly",
    sa.MetaData(),
    *(sa.Column(name, sa.Text) for name in ("path", "tenancy_id", "resource_id", "meter")),
    sa.Column("dimensions", postgresql.JSONB),
    sa.Column("hour", _INSTANT),
    sa.Column("quantity", _QUANTITY),
)


class PostgresMetering:
    """The metering store on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put_meters(self, meters: Sequence[Meter]) -> None:
        if not meters:
            return
        rows = [
            {
                "name": m.name,
                "title": m.title.as_json(),
                "unit": m.unit,
                "aggregation": m.aggregation.value,
                "dimensions": list(m.dimensions),
                "billable": m.billable,
            }
            for m in meters
        ]
        statement = postgresql.insert(meter_table)
        new = statement.excluded
        self._db.execute(
            statement.on_conflict_do_update(
                index_elements=["name"],
                set_={name: new[name] for name in ("title", "unit", "dimensions", "billable")},
            ),
            rows,
        )

    def meters(self) -> Mapping[str, Meter]:
        rows = self._db.execute(sa.select(meter_table).order_by(meter_table.c.name))
        return {
            r.name: Meter(
                r.name, Text(**r.title), r.unit, Aggregation(r.aggregation),
                tuple(r.dimensions), r.billable,
            )
            for r in rows
        }  # fmt: skip

    def add_events(
        self, events: Sequence[tuple[UsageEvent, ResourceRef]], received_at: datetime
    ) -> Mapping[tuple[str, str], str]:
        if not events:
            return {}
        # Sorted, so that two batches with the same keys wait for each other and never deadlock.
        ordered = sorted(events, key=lambda pair: pair[0].key)
        made = self._db.execute(
            sa.text("""
            INSERT INTO metering_event (source, id, payload_hash, payload, received_at)
            SELECT source, id, payload_hash, payload, :received_at
            FROM jsonb_to_recordset(CAST(:rows AS jsonb))
              AS r(source text, id text, payload_hash text, payload jsonb)
            ON CONFLICT (source, id) DO NOTHING RETURNING source, id"""),
            {
                "received_at": received_at,
                "rows": json.dumps(
                    [
                        {
                            "source": e.source,
                            "id": e.id,
                            "payload_hash": e.payload_hash,
                            "payload": e.payload,
                        }
                        for e, _ in ordered
                    ]
                ),
            },
        )
        fresh = {(row.source, row.id) for row in made}
        self._add_records([pair for pair in ordered if pair[0].key in fresh])
        return self.known([e.key for e, _ in ordered if e.key not in fresh])

    def _add_records(self, events: Sequence[tuple[UsageEvent, ResourceRef]]) -> None:
        rows = [
            {
                "hour": hour.isoformat(),
                "path": ref.path,
                "tenancy_id": ref.tenancy_id,
                "resource_id": ref.id,
                "meter": event.meter,
                "dimensions": dict(event.dimensions),
                "quantity": str(quantity),
                "event_source": event.source,
                "event_id": event.id,
            }
            for event, ref in events
            for hour, quantity in event.hours()
        ]
        if not rows:
            return
        for month in sorted({row["hour"][:7] for row in rows}):  # type: ignore[index]
            self._db.execute(
                sa.text("SELECT borough_ensure_month('metering_record', CAST(:m AS timestamptz))"),
                {"m": f"{month}-01T00:00:00+00:00"},
            )
        self._db.execute(
            sa.text("""
            INSERT INTO metering_record (hour, path, tenancy_id, resource_id, meter, dimensions,
                                         quantity, event_source, event_id)
            SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb))
              AS r(hour timestamptz, path text, tenancy_id text, resource_id text, meter text,
                   dimensions jsonb, quantity numeric, event_source text, event_id text)"""),
            {"rows": json.dumps(rows)},
        )

    def known(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        if not keys:
            return {}
        rows = self._db.execute(
            sa.text("""
            SELECT e.source, e.id, e.payload_hash
            FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS k(source, id)
            JOIN metering_event e ON e.source = k.source AND e.id = k.id"""),
            {"sources": [k[0] for k in keys], "ids": [k[1] for k in keys]},
        )
        return {(r.source, r.id): r.payload_hash for r in rows}

    def add_conflict(self, event: UsageEvent, pushed_by: str, received_at: datetime) -> None:
        self._db.execute(
            postgresql.insert(conflict_table)
            .values(
                source=event.source,
                event_id=event.id,
                payload_hash=event.payload_hash,
                payload=event.payload,
                pushed_by=pushed_by,
                received_at=received_at,
            )
            .on_conflict_do_nothing()
        )

    def quarantine(
        self,
        payload: Any,  # noqa: ANN401 - kept as it was sent
        reasons: Sequence[str],
        pushed_by: str,
        received_at: datetime,
    ) -> str:
        parts = payload if isinstance(payload, dict) else {}
        statement = postgresql.insert(quarantine_table).values(
            id=ids.new("qua"),
            source=str(parts.get("source", ""))[:512],
            event_id=str(parts.get("id", ""))[:512],
            payload=payload,
            payload_hash=canonical.digest([payload, pushed_by]),
            reasons=list(reasons),
            pushed_by=pushed_by,
            received_at=received_at,
        )
        # The same bad event again is the same entry, with today's reasons.
        result = self._db.execute(
            statement.on_conflict_do_update(
                index_elements=["payload_hash"], set_={"reasons": statement.excluded.reasons}
            ).returning(quarantine_table.c.id)
        )
        return str(result.scalar_one())

    def quarantined(self, request: PageRequest) -> Page[QuarantinedEvent]:
        query = sa.select(quarantine_table).where(quarantine_table.c.released_at.is_(None))
        after = request.key(1)
        if after is not None:
            query = query.where(quarantine_table.c.id > after[0])
        rows = self._db.execute(query.order_by(quarantine_table.c.id).limit(request.limit + 1))
        return page_of([_quarantined(row) for row in rows], request, lambda item: (item.id,))

    def quarantined_event(self, quarantine_id: str) -> QuarantinedEvent | None:
        row = self._db.execute(
            sa.select(quarantine_table)
            .where(quarantine_table.c.id == quarantine_id)
            .with_for_update()
        ).one_or_none()
        return None if row is None else _quarantined(row)

    def mark_released(self, quarantine_id: str, at: datetime) -> None:
        self._db.execute(
            quarantine_table.update()
            .where(quarantine_table.c.id == quarantine_id)
            .values(released_at=at)
        )

    def records(
        self,
        paths: Sequence[str],
        filters: Mapping[str, str],
        window: Interval,
        request: PageRequest,
    ) -> Page[UsageRecord]:
        t = record_table.c
        query = sa.select(record_table).where(*_chosen(t, paths, filters, window))
        after = request.key(2)
        if after is not None:
            query = query.where(
                sa.tuple_(t.hour, t.id) > sa.tuple_(datetime.fromisoformat(after[0]), int(after[1]))
            )
        rows = self._db.execute(query.order_by(t.hour, t.id).limit(request.limit + 1))
        found = [UsageRecord(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's name
        return page_of(found, request, lambda item: (item.hour.isoformat(), str(item.id)))

    def usage(
        self, paths: Sequence[str], filters: Mapping[str, str], window: Interval
    ) -> list[Usage]:
        h = hourly_view.c
        rows = self._db.execute(
            sa.select(
                *(h.tenancy_id, h.resource_id, h.meter, h.dimensions),
                sa.func.sum(h.quantity).label("quantity"),
            )
            .where(*_chosen(h, paths, filters, window))
            .group_by(h.tenancy_id, h.resource_id, h.meter, h.dimensions)
            .order_by(h.tenancy_id, h.resource_id, h.meter, h.dimensions)
        )
        return [Usage(**row._mapping) for row in rows]  # noqa: SLF001

    def event(self, source: str, event_id: str) -> Mapping[str, Any] | None:
        row = self._db.execute(
            sa.select(event_table.c.payload).where(
                event_table.c.source == source, event_table.c.id == event_id
            )
        ).one_or_none()
        return None if row is None else dict(row.payload)

    def lock_region(self, region_id: str) -> None:
        self._db.lock(f"metering {region_id}")

    def watermark(self, region_id: str) -> Watermark:
        row = self._db.execute(
            sa.select(watermark_table).where(watermark_table.c.region_id == region_id)
        ).one_or_none()
        return Watermark(region_id, None, None, None) if row is None else _watermark(row)

    def watermarks(self) -> list[Watermark]:
        rows = self._db.execute(sa.select(watermark_table).order_by(watermark_table.c.region_id))
        return [_watermark(row) for row in rows]

    def set_watermark(self, watermark: Watermark) -> None:
        values = {
            "region_id": watermark.region_id,
            "collected_until": watermark.collected_until,
            "tried_at": watermark.tried_at,
            "succeeded_at": watermark.succeeded_at,
            "error": watermark.error,
        }
        self._db.execute(
            postgresql.insert(watermark_table)
            .values(values)
            .on_conflict_do_update(index_elements=["region_id"], set_=values)
        )


def _chosen(
    t: Any,  # noqa: ANN401 - the columns of a table or view
    paths: Sequence[str],
    filters: Mapping[str, str],
    window: Interval,
) -> list[sa.ColumnElement[bool]]:
    chosen: list[sa.ColumnElement[bool]] = [
        sa.or_(sa.false(), *(t.path.startswith(path, autoescape=True) for path in paths)),
        t.hour >= window.start,
    ]
    if window.end is not None:
        chosen.append(t.hour < window.end)
    chosen.extend(t[name] == value for name, value in filters.items())
    return chosen


def _quarantined(row: sa.Row[Any]) -> QuarantinedEvent:
    return QuarantinedEvent(
        row.id, row.source, row.event_id, row.payload, tuple(row.reasons),
        row.pushed_by, row.received_at, row.released_at,
    )  # fmt: skip


def _watermark(row: sa.Row[Any]) -> Watermark:
    return Watermark(row.region_id, row.collected_until, row.tried_at, row.succeeded_at, row.error)
