"""Usage in PostgreSQL."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel import canonical, ids
from foundation.kernel.database import Database
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.time import parse_instant
from foundation.usage.model import Counted
from foundation.usage.store import event_table
from workloads.data_exchange.tables import metadata
from workloads.data_exchange.usage.model import Line, end_of, hour_of

_INSTANT = sa.DateTime(timezone=True)

hour_table = sa.Table(
    "exchange_usage_hour",
    metadata,
    sa.Column("hour", _INSTANT, primary_key=True),
    sa.Column("meter", sa.Text(collation="C"), primary_key=True),
    # Canonical JSON: equal dimensions are one row.
    sa.Column("dimensions", sa.Text(collation="C"), primary_key=True),
    # From when on something was counted that is not told yet.
    sa.Column("since", _INSTANT, nullable=False),
    sa.Column("quantity", sa.Numeric, nullable=False),
    sa.Column("told", sa.Numeric, nullable=False, server_default="0"),
    sa.Index("ix_exchange_usage_hour_untold", "hour", postgresql_where=sa.text("quantity > told")),
)

standing_table = sa.Table(
    "exchange_usage_standing",
    metadata,
    sa.Column("meter", sa.Text, primary_key=True),
    sa.Column("counted_until", _INSTANT, nullable=False),
)

told_table = event_table(metadata, "exchange_usage_event")

_H = hour_table.c
_S = standing_table.c


class PostgresUsage:
    """What was counted, on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(
        self, meter: str, dimensions: Mapping[str, str], at: datetime, quantity: Decimal
    ) -> None:
        """Add to the hour of an instant."""
        given = postgresql.insert(hour_table).values(
            hour=hour_of(at), meter=meter, dimensions=canonical.dumps(dimensions), since=at,
            quantity=quantity,
        )  # fmt: skip
        since = sa.case(
            (_H.quantity == _H.told, given.excluded.since),
            else_=sa.func.least(_H.since, given.excluded.since),
        )
        self._db.execute(
            given.on_conflict_do_update(
                index_elements=["hour", "meter", "dimensions"],
                set_={"quantity": _H.quantity + given.excluded.quantity, "since": since},
            )
        )

    def advance(self, meter: str, now: datetime) -> datetime:
        """From when on it is not counted yet; its row is locked until the transaction ends."""
        self._db.execute(
            postgresql.insert(standing_table)
            .values(meter=meter, counted_until=now)
            .on_conflict_do_nothing()
        )
        row = self._db.execute(
            sa.select(_S.counted_until).where(_S.meter == meter).with_for_update()
        ).one()
        until: datetime = row.counted_until
        if until < now:
            self._db.execute(
                standing_table.update().where(_S.meter == meter).values(counted_until=now)
            )
        return min(until, now)

    def untold(self, now: datetime) -> Sequence[Counted]:
        """What is not in the outbox yet; it is taken to be from now on."""
        rows = self._db.execute(
            sa.select(hour_table)
            .where(_H.quantity > _H.told)
            .order_by(_H.hour, _H.meter, _H.dimensions)
            .with_for_update()
        ).all()
        for row in rows:
            self._db.execute(
                hour_table.update()
                .where(_H.hour == row.hour, _H.meter == row.meter, _H.dimensions == row.dimensions)
                .values(told=row.quantity)
            )
        return [
            Counted(
                ids.new("use"), row.meter, row.since,
                # What was counted at this very moment has the shortest time that there is.
                max(min(end_of(row.hour), now), row.since + timedelta(milliseconds=1)),
                row.quantity - row.told, json.loads(row.dimensions),
            )
            for row in rows
        ]  # fmt: skip

    def page(self, start: datetime, end: datetime, request: PageRequest) -> Page[Line]:
        """What was counted, oldest hour first."""
        key = (_H.hour, _H.meter, _H.dimensions)
        query = sa.select(hour_table).where(_H.hour >= start, _H.hour < end)
        after = request.key(3)
        if after is not None:
            hour = parse_instant(after[0], "cursor")
            bound = sa.tuple_(sa.literal(hour), sa.literal(after[1]), sa.literal(after[2]))
            query = query.where(sa.tuple_(*key) > bound)
        rows = self._db.execute(query.order_by(*key).limit(request.limit + 1))
        lines = [Line(r.meter, json.loads(r.dimensions), r.hour, r.quantity, r.told) for r in rows]
        return page_of(
            lines,
            request,
            lambda one: (one.hour.isoformat(), one.meter, canonical.dumps(one.dimensions)),
        )
