"""Shards, workers and memories in PostgreSQL.

All times here are the database's own: workers run on several machines.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database
from workloads.video_analytics.events.ports import Fence, Fenced
from workloads.video_analytics.tables import metadata
from workloads.video_analytics.workers.model import Held, Worker
from workloads.video_analytics.workers.ports import Memory

_INSTANT = sa.DateTime(timezone=True)
_NOW = sa.func.clock_timestamp()

shard_table = sa.Table(
    "video_shard",
    metadata,
    sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("token", sa.BigInteger, nullable=False),
    sa.Column("holder", sa.Text, nullable=False, server_default=""),
    sa.Column("until", _INSTANT),
    sa.Index("ix_video_shard_holder", "holder"),
)

worker_table = sa.Table(
    "video_worker",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("capacity", sa.Double, nullable=False),
    sa.Column("load", sa.Double, nullable=False),
    sa.Column("cameras", sa.Integer, nullable=False),
    sa.Column("degraded", sa.Integer, nullable=False),
    sa.Column("started_at", _INSTANT, nullable=False),
    sa.Column("beat_at", _INSTANT, nullable=False),
    sa.Column("until", _INSTANT, nullable=False),
    sa.Column("lag", sa.Double, nullable=False, server_default=sa.text("0")),
    sa.Column("cost", sa.Double, nullable=False, server_default=sa.text("0")),
    sa.Column("carries", sa.Integer, nullable=False, server_default=sa.text("0")),
)

memory_table = sa.Table(
    "video_memory",
    metadata,
    sa.Column("camera_id", sa.Text, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("progress", postgresql.JSONB, nullable=False),
    sa.Column("saved_at", _INSTANT, nullable=False),
)

_S = shard_table.c
_W = worker_table.c


def _worker(row: Any) -> Worker:  # noqa: ANN401 - a row
    return Worker(
        row.id, row.name, row.capacity, row.load, row.cameras, row.degraded, row.started_at,
        row.beat_at, row.lag, row.cost, row.carries,
    )  # fmt: skip


class PostgresFences:
    """The newest token of each shard: what every write of a worker is checked against."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def check(self, fence: Fence) -> None:
        """Refuse an old token, and hold the shard's row until the transaction ends.

        Raises:
            Fenced: a newer token is out, or nobody was ever given this one.
        """
        if not self.current({fence}):
            raise Fenced(
                "another worker holds this shard now", shard=fence.shard, token=fence.token
            )

    def current(self, fences: Collection[Fence]) -> set[Fence]:
        """Those of the fences whose tokens are the newest; their rows are held."""
        asked = (
            sa.select(_S.shard, _S.token)
            .where(_S.shard.in_(sorted({fence.shard for fence in fences})))
            .order_by(_S.shard)
            .with_for_update(read=True)
        )
        newest = {row.shard: row.token for row in self._db.execute(asked)}
        return {fence for fence in fences if newest.get(fence.shard) == fence.token}

    def announce(self, worker_id: str, tokens: Mapping[int, int]) -> Mapping[int, int]:
        """Note tokens that were given out elsewhere (on Kubernetes); older ones are passed over.

        Answers those that are the newest now.
        """
        if not tokens:
            return {}
        given = postgresql.insert(shard_table).values(
            [{"shard": s, "token": t, "holder": worker_id} for s, t in sorted(tokens.items())]
        )
        newest = given.on_conflict_do_update(
            index_elements=["shard"],
            set_={"token": given.excluded.token, "holder": given.excluded.holder},
            where=_S.token <= given.excluded.token,
        ).returning(_S.shard, _S.token)
        with self._db.transaction():
            return {row.shard: row.token for row in self._db.execute(newest)}


class PostgresShards(PostgresFences):
    """The leases of shards in the database itself; also the fences.

    Args:
        database: the product's.
        lease_seconds: after so long without a beat a worker is dead and its shards are free.
    """

    def __init__(self, database: Database, *, lease_seconds: float = 6.0) -> None:
        super().__init__(database)
        self._seconds = lease_seconds

    def _end(self) -> sa.ColumnElement[Any]:
        return _NOW + sa.func.make_interval(0, 0, 0, 0, 0, 0, self._seconds)

    def beat(self, worker: Worker) -> tuple[Worker, ...]:
        values = {
            "name": worker.name, "capacity": worker.capacity, "load": worker.load,
            "cameras": worker.cameras, "degraded": worker.degraded, "lag": worker.lag,
            "cost": worker.cost, "carries": worker.carries,
            "beat_at": _NOW, "until": self._end(),
        }  # fmt: skip
        with self._db.transaction():
            self._db.execute(
                postgresql.insert(worker_table)
                .values(id=worker.id, started_at=_NOW, **values)
                .on_conflict_do_update(index_elements=["id"], set_=values)
            )
            # In the order of their numbers, as everybody does: no two wait for each other.
            mine = self._ordered(sa.and_(_S.holder == worker.id, _S.until > _NOW))
            self._db.execute(
                shard_table.update().where(_S.shard.in_(mine)).values(until=self._end())
            )
            return self._living()

    def _ordered(self, condition: sa.ColumnElement[bool]) -> list[int]:
        rows = self._db.execute(
            sa.select(_S.shard).where(condition).order_by(_S.shard).with_for_update()
        )
        return list(rows.scalars())

    def _living(self) -> tuple[Worker, ...]:
        rows = self._db.execute(
            sa.select(worker_table).where(_W.until > _NOW).order_by(_W.name, _W.id)
        )
        return tuple(_worker(row) for row in rows)

    def held(self, worker_id: str) -> Mapping[int, int]:
        with self._db.transaction():
            rows = self._db.execute(
                sa.select(_S.shard, _S.token)
                .where(_S.holder == worker_id, _S.until > _NOW)
                .order_by(_S.shard)
            )
            return {row.shard: row.token for row in rows}

    def take(self, worker_id: str, shards: Collection[int]) -> Mapping[int, int]:
        if not shards:
            return {}
        lives = sa.select(_W.id).where(_W.id == worker_id, _W.until > _NOW).with_for_update()
        with self._db.transaction():
            if self._db.execute(lives).first() is None:
                return {}
            self._db.execute(
                postgresql.insert(shard_table)
                .values([{"shard": shard, "token": 0} for shard in sorted(shards)])
                .on_conflict_do_nothing()
            )
            free = self._ordered(
                sa.and_(
                    _S.shard.in_(sorted(shards)),
                    sa.or_(_S.holder == "", _S.until.is_(None), _S.until <= _NOW),
                )
            )
            rows = self._db.execute(
                shard_table.update()
                .where(_S.shard.in_(free))
                .values(token=_S.token + 1, holder=worker_id, until=self._end())
                .returning(_S.shard, _S.token)
            )
            return {row.shard: row.token for row in rows}

    def give_back(self, worker_id: str, shards: Collection[int]) -> None:
        with self._db.transaction():
            mine = self._ordered(sa.and_(_S.shard.in_(sorted(shards)), _S.holder == worker_id))
            self._db.execute(
                shard_table.update().where(_S.shard.in_(mine)).values(holder="", until=None)
            )

    def leave(self, worker_id: str) -> None:
        with self._db.transaction():
            mine = self._ordered(_S.holder == worker_id)
            self._db.execute(
                shard_table.update().where(_S.shard.in_(mine)).values(holder="", until=None)
            )
            self._db.execute(worker_table.delete().where(_W.id == worker_id))

    def workers(self) -> tuple[Worker, ...]:
        with self._db.transaction():
            return self._living()

    def shards(self) -> Sequence[Held]:
        with self._db.transaction():
            holder = sa.case((_S.until > _NOW, _S.holder), else_="").label("living")
            rows = self._db.execute(sa.select(shard_table, holder).order_by(_S.shard))
            return [Held(r.shard, r.token, r.living, r.until) for r in rows]

    def forget_dead(self, *, hours: int = 24) -> None:
        """Remove the rows of workers that died long ago."""
        with self._db.transaction():
            self._db.execute(
                worker_table.delete().where(
                    _W.until < _NOW - sa.func.make_interval(0, 0, 0, 0, hours)
                )
            )


class PostgresMemories:
    """What analyses know, kept in the database: any worker can go on."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def save(self, camera_id: str, memory: Memory) -> None:
        values = {"data": memory.data, "progress": dict(memory.progress), "saved_at": _NOW}
        self._db.execute(
            postgresql.insert(memory_table)
            .values(camera_id=camera_id, **values)
            .on_conflict_do_update(index_elements=["camera_id"], set_=values)
        )

    def load(self, camera_id: str) -> Memory:
        row = self._db.execute(
            sa.select(memory_table).where(memory_table.c.camera_id == camera_id)
        ).first()
        return Memory() if row is None else Memory(bytes(row.data), row.progress)

    def forget(self, camera_id: str) -> None:
        self._db.execute(memory_table.delete().where(memory_table.c.camera_id == camera_id))
