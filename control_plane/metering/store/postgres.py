"""The metering store."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.metering.model import (
    Aggregation,
    EventKey,
    KnownEvent,
    Meter,
    QuarantinedEvent,
    ResourceRef,
    Usage,
    UsageEvent,
    UsageRecord,
    Watermark,
    payload_digest,
)
from control_plane.metering.store.tables import (
    conflict_table,
    event_table,
    hourly_view,
    meter_table,
    quarantine_table,
    record_table,
    series_table,
    watermark_table,
)
from foundation.kernel import ids
from foundation.kernel.database import Database, within
from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.text import Text
from foundation.kernel.time import Interval, parse_instant

_ENSURE_MONTHS = sa.text(
    "SELECT borough_ensure_month('metering_record', m)"
    " FROM unnest(CAST(:months AS timestamptz[])) AS m"
)

# Series are few and come rarely: those that are there are found before anything is written.
_ADD_SERIES = sa.text("""
INSERT INTO metering_series (path, tenancy_id, resource_id, meter, dimensions)
SELECT DISTINCT path, tenancy_id, resource_id, meter, dimensions
FROM jsonb_to_recordset(CAST(:rows AS jsonb))
  AS r(path text, tenancy_id text, resource_id text, meter text, dimensions jsonb)
WHERE NOT EXISTS (
  SELECT FROM metering_series s
  WHERE s.resource_id = r.resource_id AND s.meter = r.meter AND s.dimensions = r.dimensions
    AND s.tenancy_id = r.tenancy_id AND s.path = r.path)
ORDER BY resource_id, meter, dimensions, tenancy_id, path
ON CONFLICT DO NOTHING""")

# The events that nobody kept before, and the hours of each.
_ADD_EVENTS = sa.text("""
WITH sent AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb))
    AS r(source text, id text, payload_hash text, payload jsonb, path text, tenancy_id text,
         resource_id text, meter text, dimensions jsonb, since timestamptz, until timestamptz,
         quantity numeric)
), made AS (
  INSERT INTO metering_event (source, id, tenancy_id, sender, payload_hash, payload, received_at)
  SELECT source, id, tenancy_id, :sender, payload_hash, payload, :received_at FROM sent
  ON CONFLICT (source, id, tenancy_id) DO NOTHING RETURNING source, id, tenancy_id, number
), records AS (
  INSERT INTO metering_record (hour, event_number, series_id, quantity)
  SELECT p.hour, made.number, s.id, p.part
  FROM made JOIN sent USING (source, id, tenancy_id)
  JOIN metering_series s
    ON s.resource_id = sent.resource_id AND s.meter = sent.meter
   AND s.dimensions = sent.dimensions AND s.tenancy_id = sent.tenancy_id AND s.path = sent.path
  CROSS JOIN LATERAL metering_split(sent.since, sent.until, sent.quantity) p
) SELECT source, id, tenancy_id FROM made""")


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
        self, events: Sequence[tuple[UsageEvent, ResourceRef]], sender: str, received_at: datetime
    ) -> Mapping[EventKey, KnownEvent]:
        if not events:
            return {}
        # Sorted, so that two batches with the same keys wait for each other and never deadlock.
        ordered = sorted(events, key=lambda pair: (*pair[0].key, pair[1].tenancy_id))
        rows = json.dumps([_row(event, ref) for event, ref in ordered], ensure_ascii=False)
        self._db.execute(_ENSURE_MONTHS, {"months": _months(event for event, _ in ordered)})
        self._db.execute(_ADD_SERIES, {"rows": json.dumps(_series(ordered))})
        made = self._db.execute(
            _ADD_EVENTS, {"rows": rows, "sender": sender, "received_at": received_at}
        )
        fresh = {(row.source, row.id, row.tenancy_id) for row in made}
        lost = {(*e.key, ref.tenancy_id) for e, ref in ordered} - fresh
        known = self.known([(source, event_id) for source, event_id, _ in sorted(lost)])
        return {
            each.key: each
            for found in known.values()
            for each in found
            if (*each.key, each.tenancy_id) in lost
        }

    def known(self, keys: Sequence[EventKey]) -> Mapping[EventKey, Sequence[KnownEvent]]:
        if not keys:
            return {}
        rows = self._db.execute(
            sa.text("""
            SELECT e.source, e.id, e.tenancy_id, e.sender, e.payload_hash
            FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS k(source, id)
            JOIN metering_event e ON e.source = k.source AND e.id = k.id
            ORDER BY e.number"""),
            {"sources": [k[0] for k in keys], "ids": [k[1] for k in keys]},
        )
        found: dict[EventKey, list[KnownEvent]] = {}
        for r in rows:
            known = KnownEvent((r.source, r.id), r.tenancy_id, r.sender, r.payload_hash)
            found.setdefault(known.key, []).append(known)
        return found

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
            payload_hash=payload_digest([payload, pushed_by]),
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
        t = sa.join(record_table, series_table, series_table.c.id == record_table.c.series_id)
        r, s, e = record_table.c, series_table.c, event_table.c
        chosen = _chosen(s, r.hour, paths, filters, window)
        after = request.key(2)
        if after is not None:
            chosen.append(sa.tuple_(r.hour, r.event_number) > sa.tuple_(*_place(*after)))
        page = (
            sa.select(r.hour, r.event_number, r.series_id, r.quantity)
            .select_from(t)
            .where(*chosen)
            .order_by(r.hour, r.event_number)
            .limit(request.limit + 1)
            .subquery("page")
        )
        # Names and events are looked up for the page's rows only.
        rows = self._db.execute(
            sa.select(
                *(s.tenancy_id, s.path, s.resource_id, s.meter, s.dimensions),
                *(page.c.hour, page.c.quantity, page.c.event_number),
                *(e.source.label("event_source"), e.id.label("event_id")),
            )
            .join(series_table, s.id == page.c.series_id)
            .join(event_table, e.number == page.c.event_number)
            .order_by(page.c.hour, page.c.event_number)
        )
        found = [UsageRecord(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's name
        return page_of(found, request, lambda item: (item.hour.isoformat(), str(item.event_number)))

    def usage(
        self,
        paths: Sequence[str],
        filters: Mapping[str, str],
        window: Interval,
        request: PageRequest | None = None,
    ) -> Page[Usage]:
        h = hourly_view.c
        details = sa.cast(h.dimensions, sa.Text)
        place = (h.tenancy_id, h.resource_id, h.meter, details)
        chosen = _chosen(h, h.hour, paths, filters, window)
        after = request.key(len(place)) if request else None
        if after is not None:
            chosen.append(sa.tuple_(*place) > sa.tuple_(*after))
        rows = self._db.execute(
            sa.select(
                *(h.tenancy_id, h.resource_id, h.meter, h.dimensions),
                *(details.label("details"), sa.func.sum(h.quantity).label("quantity")),
            )
            .where(*chosen)
            .group_by(h.tenancy_id, h.resource_id, h.meter, h.dimensions)
            .order_by(*place)
            .limit(request.limit + 1 if request else None)
        ).all()
        found = [
            (Usage(r.tenancy_id, r.resource_id, r.meter, r.dimensions, r.quantity), r.details)
            for r in rows
        ]
        if request is None:
            return Page(tuple(one for one, _ in found))
        page = page_of(found, request, lambda pair: (*_of(pair[0]), pair[1]))
        return page.map(lambda pair: pair[0])

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
    hour: sa.ColumnElement[datetime],
    paths: Sequence[str],
    filters: Mapping[str, str],
    window: Interval,
) -> list[sa.ColumnElement[bool]]:
    chosen: list[sa.ColumnElement[bool]] = [
        within(t.path, paths),
        hour >= window.start,
    ]
    if window.end is not None:
        chosen.append(hour < window.end)
    chosen.extend(t[name] == value for name, value in filters.items())
    return chosen


def _of(usage: Usage) -> tuple[str, str, str]:
    return usage.tenancy_id, usage.resource_id, usage.meter


def _place(hour: str, number: str) -> tuple[datetime, int]:
    """Where a page of records begins, as its cursor says.

    Raises:
        Invalid: a cursor of another list.
    """
    if not re.fullmatch(r"[0-9]{1,18}", number):
        raise Invalid([Problem("cursor", "is not a cursor of this list")])
    return parse_instant(hour, "cursor"), int(number)


def _row(event: UsageEvent, ref: ResourceRef) -> dict[str, Any]:
    return {
        "source": event.source,
        "id": event.id,
        "payload_hash": event.payload_hash,
        "payload": event.payload,
        "path": ref.path,
        "tenancy_id": ref.tenancy_id,
        "resource_id": ref.id,
        "meter": event.meter,
        "dimensions": event.dimensions,
        "since": event.interval.start.isoformat(),
        "until": event.end.isoformat(),
        "quantity": str(event.quantity),
    }


def _series(events: Sequence[tuple[UsageEvent, ResourceRef]]) -> list[dict[str, Any]]:
    """What the series of the events are, each once."""
    found: dict[tuple[object, ...], dict[str, Any]] = {}
    for event, ref in events:
        key = (ref.id, ref.tenancy_id, ref.path, event.meter, *sorted(event.dimensions.items()))
        if key not in found:
            found[key] = {
                "path": ref.path,
                "tenancy_id": ref.tenancy_id,
                "resource_id": ref.id,
                "meter": event.meter,
                "dimensions": event.dimensions,
            }
    return list(found.values())


def _months(events: Iterable[UsageEvent]) -> list[datetime]:
    """The first instants of the months in which the events have hours."""
    months: set[datetime] = set()
    for event in events:
        at = event.interval.start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        while at < event.end:
            months.add(at)
            at = (at + timedelta(days=31)).replace(day=1)
    return sorted(months)


def _quarantined(row: sa.Row[Any]) -> QuarantinedEvent:
    return QuarantinedEvent(
        row.id, row.source, row.event_id, row.payload, tuple(row.reasons),
        row.pushed_by, row.received_at, row.released_at,
    )  # fmt: skip


def _watermark(row: sa.Row[Any]) -> Watermark:
    return Watermark(row.region_id, row.collected_until, row.tried_at, row.succeeded_at, row.error)
