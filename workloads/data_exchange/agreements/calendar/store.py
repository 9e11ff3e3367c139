"""The one row of the calendar."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database
from workloads.data_exchange.tables import metadata

calendar_table = sa.Table(
    "exchange_calendar",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("data", postgresql.JSONB, nullable=False),
)
_ONE = "calendar"


class PostgresCalendar:
    """Keeps the calendar."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def load(self) -> tuple[dict[str, Any], int] | None:
        """What was entered and its version; None while nothing was."""
        row = self._db.execute(sa.select(calendar_table)).one_or_none()
        return None if row is None else (row.data, row.version)

    def save(self, data: dict[str, Any], version: int) -> bool:
        """Keep the version after ``version``; False when another came first."""
        insert = postgresql.insert(calendar_table).values(id=_ONE, version=version + 1, data=data)
        made = self._db.execute(
            insert.on_conflict_do_update(
                index_elements=["id"],
                set_={"version": version + 1, "data": data},
                where=calendar_table.c.version == version,
            ).returning(calendar_table.c.id)
        ).first()
        return made is not None
