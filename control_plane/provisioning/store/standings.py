"""Which blueprints are deprecated or retired, in PostgreSQL."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.provisioning.standing import Standing, StandingKind
from control_plane.provisioning.store.tables import standing_table
from foundation.kernel.database import Database


class StandingRows:
    """Implements ``StandingStore``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def standing(self, blueprint: str) -> Standing:
        row = self._db.execute(
            sa.select(standing_table).where(standing_table.c.blueprint == blueprint)
        ).one_or_none()
        return Standing(blueprint) if row is None else _standing(row)

    def standings(self) -> list[Standing]:
        rows = self._db.execute(sa.select(standing_table).order_by(standing_table.c.blueprint))
        return [_standing(row) for row in rows]

    def put_standing(self, standing: Standing) -> None:
        s = standing
        values = {
            "kind": s.kind.value, "successor": s.successor, "ends_at": s.ends_at,
            "reason": s.reason, "since": s.since, "said_by": s.by,
        }  # fmt: skip
        self._db.execute(
            postgresql.insert(standing_table)
            .values(blueprint=s.blueprint, **values)
            .on_conflict_do_update(index_elements=["blueprint"], set_=values)
        )


def _standing(row: sa.Row[Any]) -> Standing:
    return Standing(
        row.blueprint, StandingKind(row.kind), row.successor, row.ends_at, row.reason, row.since,
        row.said_by,
    )  # fmt: skip
