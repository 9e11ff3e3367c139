"""The tables of events."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of
from workloads.data_exchange.events.cloudevents import Event
from workloads.data_exchange.events.model import (
    Cursor,
    Kept,
    Letter,
    Subscription,
    SubscriptionKind,
    SubscriptionState,
    Topic,
)
from workloads.data_exchange.tables import metadata

_AT = sa.DateTime(timezone=True)
topic_table = sa.Table(
    "exchange_event_topic",
    metadata,
    sa.Column("service", sa.Text(collation="C"), primary_key=True),
    sa.Column("dataset", sa.Text(collation="C"), nullable=False),
    sa.Column("path", sa.Text(collation="C"), nullable=False),
    sa.Column("partitions", sa.Integer, nullable=False),
    sa.Column("retention_days", sa.Integer, nullable=False),
    sa.Column("bytes_max", sa.BigInteger, nullable=False),
    sa.Column("created_at", _AT, nullable=False),
)
partition_table = sa.Table(
    "exchange_event_partition",
    metadata,
    sa.Column("topic", sa.ForeignKey("exchange_event_topic.service"), primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    # The last position; whoever publishes holds the row, so positions become visible in order.
    sa.Column("head", sa.BigInteger, nullable=False, server_default="0"),
    # The last position that was forgotten.
    sa.Column("floor", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("bytes", sa.BigInteger, nullable=False, server_default="0"),
)
event_table = sa.Table(
    "exchange_event_log",
    metadata,
    sa.Column("topic", sa.Text(collation="C"), primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True),
    sa.Column("source", sa.Text(collation="C"), nullable=False),
    sa.Column("id", sa.Text(collation="C"), nullable=False),
    sa.Column("key", sa.Text(collation="C"), nullable=False),
    sa.Column("at", _AT, nullable=False),
    sa.Column("envelope", sa.Text, nullable=False),
    # CloudEvents: source and id name an event.
    sa.UniqueConstraint("topic", "source", "id"),
    sa.Index("ix_exchange_event_log_at", "topic", "at"),
)
subscription_table = sa.Table(
    "exchange_event_subscription",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("agreement", sa.Text(collation="C"), nullable=False),
    sa.Column("topic", sa.ForeignKey("exchange_event_topic.service"), nullable=False),
    sa.Column("path", sa.Text(collation="C"), nullable=False),
    sa.Column("provider", sa.Text(collation="C"), nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("missed", sa.BigInteger, nullable=False),
    sa.Column("created_at", _AT, nullable=False),
    sa.Index("ix_exchange_event_subscription_topic", "topic"),
)
cursor_table = sa.Table(
    "exchange_event_cursor",
    metadata,
    sa.Column("subscription", sa.ForeignKey("exchange_event_subscription.id"), primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("acked", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("fence", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("due_at", _AT, nullable=False),
    sa.Column("cause", sa.Text, nullable=False, server_default=""),
)
letter_table = sa.Table(
    "exchange_event_letter",
    metadata,
    sa.Column("subscription", sa.ForeignKey("exchange_event_subscription.id"), primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True),
    sa.Column("event", sa.Text(collation="C"), nullable=False),
    sa.Column("key", sa.Text(collation="C"), nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("at", _AT, nullable=False),
    sa.Column("again", sa.Boolean, nullable=False),
    sa.Index("ix_exchange_event_letter_key", "subscription", "key"),
)
_T, _P, _E = topic_table.c, partition_table.c, event_table.c
_S, _C, _L = subscription_table.c, cursor_table.c, letter_table.c


class PostgresEvents:
    """Keeps topics, events and subscriptions."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # --- topics and their events

    def add_topic(self, topic: Topic) -> bool:
        """Keep a new one with its partitions; False when it is there."""
        made = self._db.execute(
            postgresql.insert(topic_table)
            .values(
                service=topic.service, dataset=topic.dataset, path=topic.path,
                partitions=topic.partitions, retention_days=topic.retention_days,
                bytes_max=topic.bytes_max, created_at=topic.created_at,
            )
            .on_conflict_do_nothing()
            .returning(_T.service)
        ).first()  # fmt: skip
        if made is not None:
            self._db.execute(
                partition_table.insert().values(
                    [{"topic": topic.service, "partition": n} for n in range(topic.partitions)]
                )
            )
        return made is not None

    def topic(self, service: str) -> Topic | None:
        """By the service that names it."""
        query = sa.select(topic_table).where(_T.service == service)
        row = self._db.execute(query).one_or_none()
        return None if row is None else _topic(row)

    def topics(self, paths: Sequence[str], request: PageRequest) -> Page[Topic]:
        """Those of agencies at or below any of the paths, by service."""
        query = sa.select(topic_table).where(within(_T.path, paths))
        after = request.key(1)
        if after is not None:
            query = query.where(_T.service > after[0])
        rows = self._db.execute(query.order_by(_T.service).limit(request.limit + 1))
        return page_of([_topic(row) for row in rows], request, lambda one: (one.service,))

    def update_topic(self, topic: Topic) -> None:
        """Keep for how long and how much is kept."""
        self._db.execute(
            topic_table.update()
            .where(_T.service == topic.service)
            .values(retention_days=topic.retention_days, bytes_max=topic.bytes_max)
        )

    def hold(self, topic: str, partitions: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Head and bytes of partitions, which are the caller's until the transaction ends."""
        rows = self._db.execute(
            sa.select(_P.partition, _P.head, _P.bytes)
            .where(_P.topic == topic, _P.partition.in_(partitions))
            .order_by(_P.partition)
            .with_for_update()
        )
        return {row.partition: (row.head, row.bytes) for row in rows}

    def known(self, topic: str, events: Sequence[Event]) -> frozenset[tuple[str, str]]:
        """Source and id of those that were published before."""
        pairs = sa.values(
            sa.column("source", sa.Text), sa.column("id", sa.Text), name="given"
        ).data([(one.source, one.id) for one in events])
        rows = self._db.execute(
            sa.select(_E.source, _E.id).join(
                pairs,
                sa.and_(_E.topic == topic, _E.source == pairs.c.source, _E.id == pairs.c.id),
            )
        )
        return frozenset((row.source, row.id) for row in rows)

    def append(self, topic: str, events: Sequence[tuple[Kept, str]]) -> None:
        """Keep events, each with its source, behind the heads that the caller holds."""
        self._db.execute(
            event_table.insert(),
            [
                {"topic": topic, "partition": one.partition, "position": one.position,
                 "source": source, "id": one.id, "key": one.key, "at": one.at,
                 "envelope": one.envelope}
                for one, source in events
            ],
        )  # fmt: skip
        heads: dict[int, tuple[int, int]] = {}
        for one, _ in events:
            head, size = heads.get(one.partition, (0, 0))
            heads[one.partition] = (max(head, one.position), size + len(one.envelope.encode()))
        given = sa.values(
            sa.column("partition", sa.Integer), sa.column("head", sa.BigInteger),
            sa.column("size", sa.BigInteger), name="given",
        ).data([(partition, head, size) for partition, (head, size) in heads.items()])  # fmt: skip
        self._db.execute(
            partition_table.update()
            .where(_P.topic == topic, _P.partition == given.c.partition)
            .values(head=given.c.head, bytes=_P.bytes + given.c.size)
        )

    def heads(self) -> dict[str, int]:
        """How many events were ever published in each topic."""
        query = sa.select(_P.topic, sa.func.sum(_P.head)).group_by(_P.topic)
        return dict(self._pairs(query))

    def read(self, topic: str, partition: int, after: int, limit: int) -> Sequence[Kept]:
        """The events of a partition behind a position."""
        query = (
            sa.select(event_table)
            .where(_E.topic == topic, _E.partition == partition, _E.position > after)
            .order_by(_E.position)
            .limit(limit)
        )
        return [_kept(row) for row in self._db.execute(query)]

    def event(self, topic: str, partition: int, position: int) -> Kept | None:
        """One by its place; None when it was forgotten."""
        found = self.read(topic, partition, position - 1, 1)
        return found[0] if found and found[0].position == position else None

    def forget(self, topic: str, before: datetime, limit: int) -> int:
        """Forget events that are older, from the oldest on; answers how many.

        Those that a dead letter names are kept for it.
        """
        lettered = sa.exists().where(
            _L.partition == _E.partition, _L.position == _E.position,
            _L.subscription == _S.id, _S.topic == topic,
        )  # fmt: skip
        chosen = (
            sa.select(_E.partition, _E.position)
            .where(_E.topic == topic, _E.at < before, ~lettered)
            .order_by(_E.at)
            .limit(limit)
        ).subquery()
        rows = self._rows(
            event_table.delete()
            .where(_E.topic == topic, _E.partition == chosen.c.partition,
                   _E.position == chosen.c.position)
            .returning(_E.partition, _E.position, sa.func.octet_length(_E.envelope))
        )  # fmt: skip
        gone: dict[int, tuple[int, int]] = {}
        for partition, position, size in rows:
            floor, whole = gone.get(partition, (0, 0))
            gone[partition] = (max(floor, position), whole + size)
        for partition, (floor, whole) in sorted(gone.items()):
            self._db.execute(
                partition_table.update()
                .where(_P.topic == topic, _P.partition == partition)
                .values(floor=sa.func.greatest(_P.floor, floor), bytes=_P.bytes - whole)
            )
        if gone:
            self._skip(topic)
        return len(rows)

    def _skip(self, topic: str) -> None:
        """Let subscriptions go on behind what was forgotten, and note what they missed."""
        behind = (
            sa.select(_C.subscription, _C.partition, (_P.floor - _C.acked).label("lost"), _P.floor)
            .join(subscription_table, _S.id == _C.subscription)
            .join(partition_table,
                  sa.and_(_P.topic == _S.topic, _P.partition == _C.partition))
            .where(_S.topic == topic, _C.acked < _P.floor,
                   _S.state != SubscriptionState.ENDED.value)
        )  # fmt: skip
        for row in self._db.execute(behind).all():
            self._db.execute(
                cursor_table.update()
                .where(_C.subscription == row.subscription, _C.partition == row.partition)
                .values(acked=row.floor, attempts=0)
            )
            self._db.execute(
                subscription_table.update()
                .where(_S.id == row.subscription)
                .values(missed=_S.missed + row.lost)
            )

    # --- subscriptions

    def add(self, subscription: Subscription, positions: Mapping[int, int]) -> None:
        """Keep a new one, and where it begins."""
        self._db.execute(
            subscription_table.insert().values(
                id=subscription.id, agreement=subscription.agreement, topic=subscription.topic,
                path=subscription.path, provider=subscription.provider,
                purpose=subscription.purpose, kind=subscription.kind.value,
                created_at=subscription.created_at, **_changing(subscription),
            )
        )  # fmt: skip
        self._db.execute(
            cursor_table.insert().values(
                [
                    {"subscription": subscription.id, "partition": n, "acked": at,
                     "due_at": subscription.created_at}
                    for n, at in positions.items()
                ]
            )
        )  # fmt: skip

    def standing(self, agreement: str) -> int:
        """How many subscriptions of an agreement have not ended."""
        query = sa.select(sa.func.count()).where(
            _S.agreement == agreement, _S.state != SubscriptionState.ENDED.value
        )
        return int(self._db.execute(query).scalar_one())

    def find(self, subscription_id: str, *, lock: bool = False) -> Subscription | None:
        """By id; held until the transaction ends with ``lock``."""
        query = sa.select(subscription_table).where(_S.id == subscription_id)
        row = self._db.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else self._subscriptions([row])[0]

    def _subscriptions(self, rows: Sequence[Any]) -> list[Subscription]:
        ids = [row.id for row in rows]
        lag: dict[str, int] = dict(
            self._pairs(
                sa.select(_C.subscription, sa.func.sum(_P.head - _C.acked))
                .join(subscription_table, _S.id == _C.subscription)
                .join(partition_table,
                      sa.and_(_P.topic == _S.topic, _P.partition == _C.partition))
                .where(_C.subscription.in_(ids))
                .group_by(_C.subscription)
            )
        )  # fmt: skip
        letters: dict[str, int] = dict(
            self._pairs(
                sa.select(_L.subscription, sa.func.count())
                .where(_L.subscription.in_(ids))
                .group_by(_L.subscription)
            )
        )  # fmt: skip
        return [
            Subscription(
                row.id, row.agreement, row.topic, row.path, row.provider, row.purpose,
                SubscriptionKind(row.kind), row.url, row.sealed, SubscriptionState(row.state),
                row.generation,
                row.missed, row.created_at, int(lag.get(row.id, 0)), int(letters.get(row.id, 0)),
            )
            for row in rows
        ]  # fmt: skip

    def list(self, paths: Sequence[str], topic: str, request: PageRequest) -> Page[Subscription]:
        """Those whose consumer or provider lies at or below any of the paths, newest first."""
        query = sa.select(subscription_table).where(
            sa.or_(within(_S.path, paths), within(_S.provider, paths))
        )
        if topic:
            query = query.where(_S.topic == topic)
        after = request.key(1)
        if after is not None:
            query = query.where(_S.id < after[0])
        rows = self._db.execute(query.order_by(_S.id.desc()).limit(request.limit + 1)).all()
        return page_of(self._subscriptions(rows), request, lambda one: (one.id,))

    def _pairs(self, query: sa.Select[Any]) -> "Sequence[tuple[str, int]]":
        return [(str(name), int(count)) for name, count in self._rows(query)]

    def _rows(self, query: sa.Executable) -> "Sequence[Any]":
        return self._db.execute(query).all()

    def update(self, subscription: Subscription) -> None:
        """Keep what became of it."""
        self._db.execute(
            subscription_table.update()
            .where(_S.id == subscription.id)
            .values(**_changing(subscription))
        )

    def cursors(self, subscription_id: str) -> Sequence[Cursor]:
        """How far it is, by partition."""
        query = (
            sa.select(cursor_table).where(_C.subscription == subscription_id).order_by(_C.partition)
        )
        return [_cursor(row) for row in self._db.execute(query)]

    def move(self, subscription_id: str, positions: Mapping[int, int], now: datetime) -> None:
        """Put it there, whoever serves it; deliveries that run count no more."""
        for partition, at in sorted(positions.items()):
            self._db.execute(
                cursor_table.update()
                .where(_C.subscription == subscription_id, _C.partition == partition)
                .values(acked=at, attempts=0, cause="", fence=_C.fence + 1, due_at=now)
            )

    def acknowledge(self, subscription_id: str, positions: Mapping[int, int]) -> None:
        """It has all up to there; never back."""
        for partition, at in sorted(positions.items()):
            self._db.execute(
                cursor_table.update()
                .where(_C.subscription == subscription_id, _C.partition == partition,
                       _C.acked < at)
                .values(acked=at)
            )  # fmt: skip

    def bounds(self, topic: str) -> Mapping[int, tuple[int, int]]:
        """Floor and head of each partition."""
        query = sa.select(_P.partition, _P.floor, _P.head).where(_P.topic == topic)
        return {row.partition: (row.floor, row.head) for row in self._db.execute(query)}

    def at_time(self, topic: str, at: datetime) -> Mapping[int, int]:
        """The position before the first event of a time, where there is one."""
        query = (
            sa.select(_E.partition, sa.func.min(_E.position) - 1)
            .where(_E.topic == topic, _E.at >= at)
            .group_by(_E.partition)
        )
        return {int(n): int(position) for n, position in self._rows(query)}

    # --- deliveries

    def claim(self, now: datetime, until: datetime, limit: int) -> Sequence[Cursor]:
        """Take partitions of web-hooks that have something to get; each is nobody else's till then.

        ``due_at`` is both when the next attempt is due and until when somebody has it.
        """
        letters = sa.exists().where(
            _L.subscription == _C.subscription, _L.partition == _C.partition, _L.again
        )
        query = (
            sa.select(cursor_table)
            .join(subscription_table, _S.id == _C.subscription)
            .join(partition_table, sa.and_(_P.topic == _S.topic, _P.partition == _C.partition))
            .where(_S.kind == SubscriptionKind.PUSH.value,
                   _S.state == SubscriptionState.ACTIVE.value,
                   _C.due_at <= now, sa.or_(_P.head > _C.acked, letters))
            .order_by(_C.due_at)
            .limit(limit)
            .with_for_update(of=cursor_table, skip_locked=True)
        )  # fmt: skip
        taken = []
        for row in self._db.execute(query).all():
            fence = row.fence + 1
            self._db.execute(
                cursor_table.update()
                .where(_C.subscription == row.subscription, _C.partition == row.partition)
                .values(due_at=until, fence=fence)
            )
            taken.append(
                Cursor(row.subscription, row.partition, row.acked, row.attempts, fence, row.cause)
            )
        return taken

    def _own(self, cursor: Cursor) -> sa.ColumnElement[bool]:
        return sa.and_(
            _C.subscription == cursor.subscription, _C.partition == cursor.partition,
            _C.fence == cursor.fence,
        )  # fmt: skip

    def _done(self, cursor: Cursor, **values: object) -> bool:
        made = self._db.execute(
            cursor_table.update().where(self._own(cursor)).values(**values).returning(_C.acked)
        ).first()
        return made is not None

    def keep_on(self, cursor: Cursor, until: datetime) -> bool:
        """Have it for longer; False when it is somebody else's."""
        return self._done(cursor, due_at=until)

    def advance(self, cursor: Cursor, position: int) -> bool:
        """The event of a position is done; False when it is somebody else's."""
        return self._done(cursor, acked=position, attempts=0, cause="")

    def later(self, cursor: Cursor, attempts: int, at: datetime, cause: str) -> bool:
        """Try again then; False when it is somebody else's."""
        return self._done(cursor, attempts=attempts, due_at=at, cause=cause)

    def put_off(self, cursor: Cursor, at: datetime, cause: str) -> None:
        """Look again then; it is no attempt."""
        self._done(cursor, due_at=at, cause=cause)

    def release(self, cursor: Cursor, now: datetime) -> None:
        """Let others have it."""
        self._done(cursor, due_at=now)

    # --- dead letters

    def add_letter(self, letter: Letter) -> None:
        """Keep what could not be delivered."""
        self._db.execute(
            postgresql.insert(letter_table)
            .values(
                subscription=letter.subscription, partition=letter.partition,
                position=letter.position, event=letter.event, key=letter.key, cause=letter.cause,
                attempts=letter.attempts, at=letter.at, again=letter.again,
            )
            .on_conflict_do_nothing()
        )  # fmt: skip

    def letter(self, subscription: str, partition: int, position: int) -> Letter | None:
        """One by its place; held until the transaction ends."""
        query = (
            sa.select(letter_table)
            .where(_L.subscription == subscription, _L.partition == partition,
                   _L.position == position)
            .with_for_update()
        )  # fmt: skip
        row = self._db.execute(query).one_or_none()
        return None if row is None else _letter(row)

    def letters(self, subscription: str, request: PageRequest) -> Page[Letter]:
        """Those of a subscription, in the order of their events."""
        query = sa.select(letter_table).where(_L.subscription == subscription)
        after = request.key(2)
        if after is not None:
            bound = sa.tuple_(sa.literal(int(after[0])), sa.literal(int(after[1])))
            query = query.where(sa.tuple_(_L.partition, _L.position) > bound)
        rows = self._db.execute(query.order_by(_L.partition, _L.position).limit(request.limit + 1))
        return page_of(
            [_letter(row) for row in rows], request,
            lambda one: (str(one.partition), str(one.position)),
        )  # fmt: skip

    def letters_of_key(self, subscription: str, key: str) -> Sequence[Letter]:
        """Those of one key, oldest first."""
        query = (
            sa.select(letter_table)
            .where(_L.subscription == subscription, _L.key == key)
            .order_by(_L.position)
        )
        return [_letter(row) for row in self._db.execute(query)]

    def update_letter(self, letter: Letter) -> None:
        """Keep what became of it."""
        self._db.execute(
            letter_table.update()
            .where(_L.subscription == letter.subscription, _L.partition == letter.partition,
                   _L.position == letter.position)
            .values(cause=letter.cause, attempts=letter.attempts, again=letter.again)
        )  # fmt: skip

    def drop_letter(self, letter: Letter) -> None:
        """Forget it."""
        self._db.execute(
            letter_table.delete().where(
                _L.subscription == letter.subscription, _L.partition == letter.partition,
                _L.position == letter.position,
            )
        )  # fmt: skip

    def again(self, subscription: str, partition: int, limit: int) -> Sequence[Letter]:
        """Those that are to be delivered again, oldest first."""
        query = (
            sa.select(letter_table)
            .where(_L.subscription == subscription, _L.partition == partition, _L.again)
            .order_by(_L.position)
            .limit(limit)
        )
        return [_letter(row) for row in self._db.execute(query)]


def _kept(row: Any) -> Kept:  # noqa: ANN401 - a row
    return Kept(row.partition, row.position, row.id, row.key, row.at, row.envelope)


def _cursor(row: Any) -> Cursor:  # noqa: ANN401 - a row
    return Cursor(row.subscription, row.partition, row.acked, row.attempts, row.fence, row.cause)


def _changing(one: Subscription) -> dict[str, Any]:
    return {
        "url": one.url, "sealed": one.sealed, "state": one.state.value,
        "generation": one.generation, "missed": one.missed,
    }  # fmt: skip


def _topic(row: Any) -> Topic:  # noqa: ANN401 - a row
    return Topic(*row)


def _letter(row: Any) -> Letter:  # noqa: ANN401 - a row
    return Letter(*row)
