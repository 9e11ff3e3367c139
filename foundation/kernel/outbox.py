"""The transactional outbox: what is to be told to others is written with the change itself.

A relay (a job of ``operations``) hands rows on at least once, in the order in which they were
written, and receivers drop ids that they have seen.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel import ids
from foundation.kernel.database import Database, metadata
from foundation.kernel.time import Clock

outbox_table = sa.Table(
    "kernel_outbox",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("position", sa.BigInteger, sa.Identity(always=True), nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("payload", postgresql.JSONB, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("delivered_at", sa.DateTime(timezone=True)),
    sa.Index(
        "ix_kernel_outbox_pending", "position", postgresql_where=sa.text("delivered_at IS NULL")
    ),
)


@dataclass(frozen=True, slots=True)
class Message:
    """Something that happened, for those who asked to hear of its topic."""

    id: str
    topic: str
    payload: dict[str, Any]
    created_at: datetime


class Outbox:
    """Messages that leave with the transaction that wrote them, or not at all."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def publish(self, topic: str, payload: dict[str, Any]) -> str:
        """Write a message in the open transaction; answers its id."""
        message_id = ids.new("msg")
        self._database.execute(
            outbox_table.insert().values(
                id=message_id, topic=topic, payload=payload, created_at=self._clock.now()
            )
        )
        return message_id

    def pending(self, limit: int = 100) -> list[Message]:
        """The oldest undelivered messages; rows that another relay holds are passed over."""
        rows = self._database.execute(
            sa.select(outbox_table)
            .where(outbox_table.c.delivered_at.is_(None))
            .order_by(outbox_table.c.position)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [Message(r.id, r.topic, r.payload, r.created_at) for r in rows]

    def delivered(self, message_id: str) -> None:
        """Note that a message was handed on."""
        self._database.execute(
            outbox_table.update()
            .where(outbox_table.c.id == message_id)
            .values(delivered_at=self._clock.now())
        )
