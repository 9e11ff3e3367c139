"""The fleet in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.provisioning.fleet.model import Closure, Measured, Room, Sight
from control_plane.provisioning.model import RegionId, RegionState
from control_plane.provisioning.store.tables import region_table
from foundation.kernel.database import Database, metadata

_INSTANT = sa.DateTime(timezone=True)
_REGION = "provisioning_region.id"

sight_table = sa.Table(
    "provisioning_region_sight",
    metadata,
    sa.Column("region_id", sa.Text, sa.ForeignKey(_REGION), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("ok", sa.Boolean, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("details", postgresql.JSONB, nullable=False),
    sa.Column("at", _INSTANT, nullable=False),
    sa.Column("since", _INSTANT, nullable=False),
)

room_table = sa.Table(
    "provisioning_region_room",
    metadata,
    sa.Column("region_id", sa.Text, sa.ForeignKey(_REGION), primary_key=True),
    sa.Column("resource", sa.Text, primary_key=True),
    sa.Column("total", sa.Numeric, nullable=False),
    sa.Column("used", sa.Numeric, nullable=False),
    sa.Column("overcommit", sa.Numeric, nullable=False),
    sa.Column("at", _INSTANT, nullable=False),
)

closure_table = sa.Table(
    "provisioning_region_closure",
    metadata,
    sa.Column("region_id", sa.Text, sa.ForeignKey(_REGION), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("until", _INSTANT),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at", _INSTANT, nullable=False),
    sa.CheckConstraint("state IN ('cordoned', 'maintenance')", name="state"),
)


class PostgresFleet:
    """The fleet's store on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put_sight(self, sight: Sight) -> None:
        values = {
            "ok": sight.ok, "message": sight.message, "details": dict(sight.details),
            "at": sight.at, "since": sight.since,
        }  # fmt: skip
        self._db.execute(
            postgresql.insert(sight_table)
            .values(region_id=sight.region_id, kind=sight.kind, **values)
            .on_conflict_do_update(index_elements=["region_id", "kind"], set_=values)
        )

    def sights(self, region_id: str) -> list[Sight]:
        t = sight_table.c
        rows = self._db.execute(
            sa.select(sight_table).where(t.region_id == region_id).order_by(t.kind)
        )
        return [
            Sight(RegionId(r.region_id), r.kind, r.ok, r.message, r.details, r.at, r.since)
            for r in rows
        ]

    def put_rooms(self, region_id: str, rooms: Sequence[Room]) -> None:
        for room in rooms:
            values: dict[str, Any] = {
                "total": room.measured.total, "used": room.measured.used,
                "overcommit": room.overcommit, "at": room.at,
            }  # fmt: skip
            self._db.execute(
                postgresql.insert(room_table)
                .values(region_id=region_id, resource=room.resource, **values)
                .on_conflict_do_update(index_elements=["region_id", "resource"], set_=values)
            )

    def rooms(self, region_id: str) -> list[Room]:
        t = room_table.c
        rows = self._db.execute(
            sa.select(room_table).where(t.region_id == region_id).order_by(t.resource)
        )
        return [
            Room(
                r.resource, Measured(Decimal(r.total), Decimal(r.used)), Decimal(r.overcommit), r.at
            )
            for r in rows
        ]

    def closure(self, region_id: str) -> Closure | None:
        row = self._db.execute(
            sa.select(closure_table).where(closure_table.c.region_id == region_id)
        ).first()
        if row is None:
            return None
        return Closure(RegionState(row.state), row.reason, row.until, row.by, row.at)

    def close(self, region_id: str, closure: Closure) -> None:
        values = {
            "state": closure.state.value, "reason": closure.reason, "until": closure.until,
            "by": closure.by, "at": closure.at,
        }  # fmt: skip
        self._db.execute(
            postgresql.insert(closure_table)
            .values(region_id=region_id, **values)
            .on_conflict_do_update(index_elements=["region_id"], set_=values)
        )
        self._set_state(region_id, closure.state)

    def open(self, region_id: str) -> None:
        self._db.execute(closure_table.delete().where(closure_table.c.region_id == region_id))
        self._set_state(region_id, RegionState.ACTIVE)

    def overdue(self, at: datetime) -> list[tuple[str, RegionState]]:
        t = closure_table.c
        rows = self._db.execute(
            sa.select(t.region_id, t.state)
            .where(t.state == RegionState.MAINTENANCE.value, t.until <= at)
            .order_by(t.region_id)
            .with_for_update()
        )
        return [(row.region_id, RegionState(row.state)) for row in rows]

    def _set_state(self, region_id: str, state: RegionState) -> None:
        self._db.execute(
            region_table.update().where(region_table.c.id == region_id).values(state=state.value)
        )
