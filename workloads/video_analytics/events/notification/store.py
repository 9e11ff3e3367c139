"""Receivers and deliveries in PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel import ids
from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of
from workloads.video_analytics.events.notification.model import (
    Delivery,
    DeliveryState,
    Matching,
    Receiver,
    ReceiverId,
    ReceiverKind,
)
from workloads.video_analytics.events.notification.shown import matching_json
from workloads.video_analytics.events.store import INSTANT, JSON, one_of
from workloads.video_analytics.tables import metadata

receiver_table = sa.Table(
    "video_receiver",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("wanted", JSON, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("created_at", INSTANT, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.CheckConstraint(one_of("kind", ReceiverKind), name="kind"),
)

delivery_table = sa.Table(
    "video_delivery",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("position", sa.BigInteger, sa.Identity(always=True), nullable=False),
    sa.Column("receiver_id", sa.Text, sa.ForeignKey("video_receiver.id", ondelete="CASCADE"),
              nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("change", sa.Text, nullable=False),
    sa.Column("body", JSON, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("created_at", INSTANT, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_at", INSTANT, nullable=False),
    sa.Column("claimed_until", INSTANT),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("delivered_at", INSTANT),
    sa.CheckConstraint(one_of("state", DeliveryState), name="state"),
    sa.UniqueConstraint("receiver_id", "key", name="uq_video_delivery_key"),
    sa.Index("ix_video_delivery_due", "next_at", postgresql_where=sa.text("state = 'pending'")),
    sa.Index("ix_video_delivery_order", "receiver_id", "event_id", "position",
             postgresql_where=sa.text("state = 'pending'")),
)  # fmt: skip

_R, _D = receiver_table.c, delivery_table.c


class PostgresReceivers:
    """Implements ``ReceiverStore``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, receiver: Receiver) -> None:
        row = {
            **asdict(receiver),
            "kind": receiver.kind.value,
            "wanted": matching_json(receiver.wanted),
        }
        insert = postgresql.insert(receiver_table).values(row)
        self._db.execute(insert.on_conflict_do_update(index_elements=["id"], set_=row))

    def get(self, receiver_id: str) -> Receiver | None:
        row = self._db.execute(sa.select(receiver_table).where(_R.id == receiver_id)).one_or_none()
        return None if row is None else _receiver(row)

    def remove(self, receiver_id: str) -> None:
        self._db.execute(receiver_table.delete().where(_R.id == receiver_id))

    def below(self, paths: Sequence[str]) -> list[Receiver]:
        query = sa.select(receiver_table).where(within(_R.path, paths)).order_by(_R.name, _R.id)
        return [_receiver(row) for row in self._db.execute(query)]

    def above(self, path: str) -> list[Receiver]:
        query = sa.select(receiver_table).where(
            sa.func.starts_with(sa.literal(path), _R.path), _R.enabled
        )
        return [_receiver(row) for row in self._db.execute(query.order_by(_R.id))]

    def queue(
        self,
        receiver_id: str,
        key: str,
        event_id: str,
        change: str,
        body: Mapping[str, Any],
        now: datetime,
    ) -> None:
        insert = postgresql.insert(delivery_table).values(
            id=ids.new("dlv"), receiver_id=receiver_id, key=key, event_id=event_id, change=change,
            body=body, state=DeliveryState.PENDING.value, created_at=now, attempts=0, next_at=now,
            error="",
        )  # fmt: skip
        self._db.execute(insert.on_conflict_do_nothing())

    def claim(self, now: datetime, until: datetime) -> Delivery | None:
        earlier = delivery_table.alias("earlier")
        blocked = sa.exists().where(
            earlier.c.receiver_id == _D.receiver_id,
            earlier.c.event_id == _D.event_id,
            earlier.c.state == DeliveryState.PENDING.value,
            earlier.c.position < _D.position,
        )
        row = self._db.execute(
            sa.select(delivery_table)
            .join(receiver_table, _R.id == _D.receiver_id)
            .where(
                _D.state == DeliveryState.PENDING.value,
                _D.next_at <= now,
                sa.or_(_D.claimed_until.is_(None), _D.claimed_until <= now),
                _R.enabled,
                sa.not_(blocked),
            )
            .order_by(_D.next_at, _D.position)
            .limit(1)
            .with_for_update(skip_locked=True, of=delivery_table)
        ).one_or_none()
        if row is None:
            return None
        self._db.execute(delivery_table.update().where(_D.id == row.id).values(claimed_until=until))
        return _delivery(row)

    def settle(self, delivery: Delivery) -> None:
        self._db.execute(
            delivery_table.update()
            .where(_D.id == delivery.id)
            .values(
                state=delivery.state.value, attempts=delivery.attempts,
                next_at=delivery.next_at or _D.next_at, error=delivery.error,
                delivered_at=delivery.delivered_at, claimed_until=None,
            )
        )  # fmt: skip

    def delivery(self, delivery_id: str) -> Delivery | None:
        row = self._db.execute(sa.select(delivery_table).where(_D.id == delivery_id)).one_or_none()
        return None if row is None else _delivery(row)

    def deliveries(
        self, receiver_ids: Sequence[str], state: DeliveryState | None, request: PageRequest
    ) -> Page[Delivery]:
        query = (
            sa.select(delivery_table)
            .where(_D.receiver_id.in_(list(receiver_ids)))
            .order_by(_D.position.desc())
        )
        if state is not None:
            query = query.where(_D.state == state.value)
        after = request.key(1)
        if after is not None:
            query = query.where(_D.position < sa.cast(after[0], sa.BigInteger))
        rows = [_delivery(row) for row in self._db.execute(query.limit(request.limit + 1))]
        return page_of(rows, request, lambda d: (str(d.position),))


def _receiver(row: sa.Row[Any]) -> Receiver:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    return Receiver(
        **{
            **values,
            "id": ReceiverId(row.id),
            "kind": ReceiverKind(row.kind),
            "wanted": Matching.parse(row.wanted, "wanted"),
        }
    )


def _delivery(row: sa.Row[Any]) -> Delivery:
    return Delivery(
        row.id, row.position, ReceiverId(row.receiver_id), row.event_id, row.change, row.body,
        DeliveryState(row.state), row.created_at, row.attempts, row.next_at, row.error,
        row.delivered_at,
    )  # fmt: skip
