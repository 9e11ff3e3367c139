"""Usage in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel import ids
from foundation.kernel.database import Database
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.time import parse_instant
from foundation.usage.model import Counted
from foundation.usage.store import event_table
from workloads.video_analytics.tables import metadata
from workloads.video_analytics.usage.model import (
    ALARMS,
    HOURS,
    Line,
    end_of,
    hour_of,
    hours,
)

_INSTANT = sa.DateTime(timezone=True)

camera_table = sa.Table(
    "video_usage_camera",
    metadata,
    sa.Column("camera_id", sa.Text, primary_key=True),
    sa.Column("counted_until", _INSTANT, nullable=False),
)

hour_table = sa.Table(
    "video_usage_hour",
    metadata,
    sa.Column("hour", _INSTANT, primary_key=True),
    sa.Column("tier", sa.Text, primary_key=True),
    # From when on something was counted that is not told yet.
    sa.Column("since", _INSTANT, nullable=False),
    sa.Column("milliseconds", sa.BigInteger, nullable=False),
    sa.Column("told", sa.BigInteger, nullable=False, server_default="0"),
)

alarm_table = sa.Table(
    "video_usage_alarm",
    metadata,
    sa.Column("event_id", sa.Text, primary_key=True),
    sa.Column("hour", _INSTANT, nullable=False),
    sa.Column("at", _INSTANT, nullable=False),
    sa.Column("told", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("ix_video_usage_alarm_hour", "hour"),
    sa.Index("ix_video_usage_alarm_untold", "hour", postgresql_where=sa.text("NOT told")),
)

told_table = event_table(metadata, "video_usage_event")

_H = hour_table.c
_A = alarm_table.c


class PostgresUsage:
    """What was counted, on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def advance(self, camera_id: str, start: datetime, end: datetime) -> datetime:
        self._db.execute(
            postgresql.insert(camera_table)
            .values(camera_id=camera_id, counted_until=start)
            .on_conflict_do_nothing()
        )
        until: datetime = self._db.execute(
            sa.select(camera_table.c.counted_until)
            .where(camera_table.c.camera_id == camera_id)
            .with_for_update()
        ).scalar_one()
        fresh = max(start, until)
        if end > fresh:
            self._db.execute(
                camera_table.update()
                .where(camera_table.c.camera_id == camera_id)
                .values(counted_until=end)
            )
        return fresh

    def add_hours(self, tier: str, start: datetime, milliseconds: int) -> None:
        given = postgresql.insert(hour_table).values(
            hour=hour_of(start), tier=tier, since=start, milliseconds=milliseconds
        )
        since = sa.case(
            (_H.milliseconds == _H.told, given.excluded.since),
            else_=sa.func.least(_H.since, given.excluded.since),
        )
        self._db.execute(
            given.on_conflict_do_update(
                index_elements=["hour", "tier"],
                set_={
                    "milliseconds": _H.milliseconds + given.excluded.milliseconds,
                    "since": since,
                },
            )
        )

    def add_alarm(self, event_id: str, at: datetime) -> bool:
        done = self._db.execute(
            postgresql.insert(alarm_table)
            .values(event_id=event_id, hour=hour_of(at), at=at)
            .on_conflict_do_nothing()
        )
        return done.rowcount > 0

    def untold(self, now: datetime) -> Sequence[Counted]:
        return [*self._untold_hours(now), *self._untold_alarms(now)]

    def _untold_hours(self, now: datetime) -> list[Counted]:
        rows = self._db.execute(
            sa.select(hour_table)
            .where(_H.milliseconds > _H.told)
            .order_by(_H.hour, _H.tier)
            .with_for_update()
        ).all()
        found = []
        for row in rows:
            # Both ends are rounded, not the difference: the parts add up to the whole.
            quantity = hours(row.milliseconds) - hours(row.told)
            end = min(end_of(row.hour), now)
            found.append(
                Counted(ids.new("use"), HOURS, row.since, end, quantity, {"tier": row.tier})
            )
            self._db.execute(
                hour_table.update()
                .where(_H.hour == row.hour, _H.tier == row.tier)
                .values(told=row.milliseconds)
            )
        return [one for one in found if one.quantity > 0 and one.end > one.start]

    def _untold_alarms(self, now: datetime) -> list[Counted]:
        mine = (
            sa.select(_A.event_id).where(~_A.told).order_by(_A.event_id).limit(10_000)
            .with_for_update(skip_locked=True)
        )  # fmt: skip
        told = (
            alarm_table.update().where(_A.event_id.in_(mine)).values(told=True)
            .returning(_A.hour, _A.at).cte("told")
        )  # fmt: skip
        rows = self._db.execute(
            sa.select(told.c.hour, sa.func.min(told.c.at).label("at"), sa.func.count().label("n"))
            .group_by(told.c.hour).order_by(told.c.hour)
        )  # fmt: skip
        return [
            Counted(
                ids.new("use"),
                ALARMS,
                r.at,
                _after(r.at, min(end_of(r.hour), now)),
                Decimal(r.n),
            )
            for r in rows
        ]

    def page(self, start: datetime, end: datetime, request: PageRequest) -> Page[Line]:
        counted = sa.union_all(
            sa.select(
                _H.hour, sa.literal(HOURS).label("meter"), _H.tier, _H.milliseconds.label("all"),
                _H.told.label("told"),
            ).where(_H.hour >= start, _H.hour < end),
            sa.select(
                _A.hour, sa.literal(ALARMS).label("meter"), sa.literal("").label("tier"),
                sa.func.count().label("all"), sa.func.count().filter(_A.told).label("told"),
            ).where(_A.hour >= start, _A.hour < end).group_by(_A.hour),
        ).subquery()  # fmt: skip
        key = (counted.c.hour, counted.c.meter, counted.c.tier)
        statement = sa.select(counted).order_by(*key).limit(request.limit + 1)
        after = request.key(3)
        if after is not None:
            hour = parse_instant(after[0], "cursor")
            bound = sa.tuple_(sa.literal(hour), sa.literal(after[1]), sa.literal(after[2]))
            statement = statement.where(sa.tuple_(*key) > bound)
        lines = [
            Line(r.meter, r.tier, r.hour, _quantity(r.meter, r.all), _quantity(r.meter, r.told))
            for r in self._db.execute(statement)
        ]
        return page_of(lines, request, lambda one: (one.hour.isoformat(), one.meter, one.tier))


def _after(start: datetime, end: datetime) -> datetime:
    """The end, or the shortest time after the start: an event's time may be this very moment."""
    return max(end, start + timedelta(milliseconds=1))


def _quantity(meter: str, count: int) -> Decimal:
    return hours(count) if meter == HOURS else Decimal(count)
