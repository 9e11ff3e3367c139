"""The events on their way, in a table of the product's own."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database


def event_table(metadata: sa.MetaData, name: str) -> sa.Table:
    """The table of a product's usage events, on its metadata."""
    instant = sa.DateTime(timezone=True)
    return sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("payload", postgresql.JSONB, nullable=False),
        sa.Column("created_at", instant, nullable=False),
        sa.Column("pushed_at", instant),
        sa.Column("outcome", sa.Text, nullable=False, server_default=""),
        sa.Index(
            f"ix_{name}_waiting", "created_at", "id",
            postgresql_where=sa.text("pushed_at IS NULL"),
        ),
    )  # fmt: skip


class PostgresTold:
    """Keeps them.

    Args:
        database: of the product.
        table: made by ``event_table``.
    """

    def __init__(self, database: Database, table: sa.Table) -> None:
        self._db = database
        self._table = table

    def keep(self, event_id: str, payload: Mapping[str, object], at: datetime) -> None:
        """Queue an event; one that is there stays as it is."""
        self._db.execute(
            postgresql.insert(self._table)
            .values(id=event_id, payload=dict(payload), created_at=at)
            .on_conflict_do_nothing()
        )

    def waiting(self, limit: int) -> Sequence[Mapping[str, object]]:
        """The oldest that nobody answered for."""
        columns = self._table.c
        rows = self._db.execute(
            sa.select(columns.payload)
            .where(columns.pushed_at.is_(None))
            .order_by(columns.created_at, columns.id)
            .limit(limit)
        )
        return [row.payload for row in rows]

    def pushed(self, outcomes: Mapping[str, str], at: datetime) -> None:
        """What was answered, by event id."""
        for event_id, outcome in sorted(outcomes.items()):
            self._db.execute(
                self._table.update()
                .where(self._table.c.id == event_id)
                .values(pushed_at=at, outcome=outcome)
            )
