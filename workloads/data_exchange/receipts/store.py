"""The tables of receipts: one partition a day, only added to."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database, on_create, only_added
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.time import parse_instant
from workloads.data_exchange.flows.model import BOUNDS, Counted
from workloads.data_exchange.receipts.checkpoints import Checkpoint
from workloads.data_exchange.receipts.model import Receipt, day_of
from workloads.data_exchange.receipts.ports import Filter, Log, Summed
from workloads.data_exchange.receipts.tree import GROUP
from workloads.data_exchange.tables import metadata
from workloads.data_exchange.usage.model import BATCH, EVENT, QUERY, SIZE_BOUNDS

_C = sa.Text(collation="C")
_AT = sa.DateTime(timezone=True)

receipt_table = sa.Table(
    "exchange_receipt",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("log", _C, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("agreement", _C, nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("at", _AT, nullable=False),
    sa.Column("consumer", _C, nullable=False),
    sa.Column("provider", _C, nullable=False),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("proof", sa.Text, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Index("ix_exchange_receipt_agreement", "agreement", "at", "log", "number"),
    postgresql_partition_by="RANGE (day)",
)
# A day without its partition must not stop the gateway; the default one takes its receipts.
on_create(
    receipt_table,
    "CREATE TABLE exchange_receipt_rest PARTITION OF exchange_receipt DEFAULT",
)
# The request's signature may be taken away, as it may name a person; nothing else ever changes.
on_create(
    receipt_table,
    """CREATE OR REPLACE FUNCTION exchange_receipt_stays() RETURNS trigger
    LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'UPDATE' THEN
            IF NEW.proof = '' AND to_jsonb(NEW) - 'proof' = to_jsonb(OLD) - 'proof' THEN
                RETURN NEW;
            END IF;
        END IF;
        RAISE EXCEPTION 'receipts are only added';
    END
    $$;
"""
    + only_added("exchange_receipt", "exchange_receipt_stays"),
)
log_table = sa.Table(
    "exchange_receipt_log",
    metadata,
    sa.Column("log", _C, primary_key=True),
    sa.Column("opened_at", _AT, nullable=False),
    sa.Column("size", sa.Integer, nullable=False, server_default="0"),
    sa.Column("peaks", postgresql.ARRAY(sa.LargeBinary), nullable=False, server_default="{}"),
    sa.Column("checkpoint", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("closed", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("ix_exchange_receipt_log_open", "log", postgresql_where=sa.text("NOT closed")),
)
node_table = sa.Table(
    "exchange_receipt_node",
    metadata,
    sa.Column("log", _C, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)
leaf_table = sa.Table(
    "exchange_receipt_leaf",
    metadata,
    sa.Column("log", _C, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("hashes", sa.LargeBinary, nullable=False),
)
archive_table = sa.Table(
    "exchange_receipt_archive",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("receipts", sa.BigInteger, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
)
checkpoint_table = sa.Table(
    "exchange_checkpoint",
    metadata,
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", _AT, nullable=False),
    sa.Column("signed", sa.Text, nullable=False),
)
head_table = sa.Table(
    "exchange_checkpoint_head",
    metadata,
    sa.Column("log", _C, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("size", sa.Integer, nullable=False),
)
seen_table = sa.Table(
    "exchange_request_seen",
    metadata,
    sa.Column("request", sa.LargeBinary, primary_key=True),
    sa.Column("until", _AT, nullable=False),
    sa.Index("ix_exchange_request_seen_until", "until"),
)
_R, _L, _H, _K = receipt_table.c, log_table.c, head_table.c, checkpoint_table.c
_COLUMNS = (_R.log, _R.number, _R.sequence, _R.previous, _R.body, _R.proof)


class PostgresReceipts:
    """Reads receipts, and keeps logs and checkpoints."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def find(self, log: str, number: int) -> Receipt | None:
        """By its place."""
        query = sa.select(*_COLUMNS).where(
            _R.day == day_of(log), _R.log == log, _R.number == number
        )
        row = self._db.execute(query).one_or_none()
        return None if row is None else _receipt(row)

    def list(self, chosen: Filter, request: PageRequest) -> Page[tuple[datetime, Receipt]]:
        """Those that a filter chooses, newest first."""
        query = sa.select(_R.at, *_COLUMNS).where(*_conditions(chosen))
        after = request.key(3)
        if after is not None:
            here = sa.tuple_(_R.at, _R.log, _R.number)
            at = parse_instant(after[0], "cursor")
            there = sa.tuple_(sa.literal(at), sa.literal(after[1]), sa.literal(int(after[2])))
            query = query.where(here < there)
        rows = self._db.execute(
            query.order_by(_R.at.desc(), _R.log.desc(), _R.number.desc()).limit(request.limit + 1)
        )
        found = [(row.at, _receipt(row[1:])) for row in rows]
        return page_of(
            found, request, lambda one: (one[0].isoformat(), one[1].log, str(one[1].number))
        )

    def each(self, chosen: Filter) -> Iterator[Receipt]:
        """All that a filter chooses, log by log, in the order of their numbers."""
        last: tuple[str, int] | None = None
        while True:
            query = sa.select(*_COLUMNS).where(*_conditions(chosen))
            if last is not None:
                query = query.where(
                    sa.tuple_(_R.log, _R.number) > sa.tuple_(*map(sa.literal, last))
                )
            rows = self._db.execute(query.order_by(_R.log, _R.number).limit(_PART)).all()
            yield from map(_receipt, rows)
            if len(rows) < _PART:
                return
            last = (rows[-1].log, rows[-1].number)

    def hashes(self, log: str, first: int, last: int) -> Sequence[bytes]:
        """The hashes of the receipts ``[first, last)`` of a log, counted from 0."""
        query = sa.select(_R.hash).where(
            _R.day == day_of(log), _R.log == log, _R.number > first, _R.number <= last
        )
        found = [bytes(row.hash) for row in self._db.execute(query.order_by(_R.number))]
        return found or self._kept_leaves(log, first, last)

    def _kept_leaves(self, log: str, first: int, last: int) -> Sequence[bytes]:
        """Of a day that was dropped: the leaves of one group, where later proofs need them."""
        query = sa.select(leaf_table.c.hashes).where(
            leaf_table.c.log == log, leaf_table.c.number == first // GROUP
        )
        kept = bytes(self._db.execute(query).scalar() or b"")
        hashes = [kept[n : n + _HASH] for n in range(0, len(kept), _HASH)]
        return hashes[first % GROUP : first % GROUP + last - first]

    def summed(self, log: str, first: int, last: int) -> Sequence[Summed]:
        """The calls among ``[first, last)`` that have ended, by hour and kind."""
        given = {
            "day": day_of(log), "log": log, "first": first, "last": last,
            "sizes": list(SIZE_BOUNDS), "steps": list(BOUNDS),
            "query": QUERY, "batch": BATCH, "event": EVENT,
        }  # fmt: skip
        return [
            Summed(
                row.first, row.sold, row.interface,
                row.rows if row.interface == EVENT else row.calls,
                Counted(row.hour, row.consumer, row.provider, row.service, row.status, row.step,
                        row.calls, row.rows, row.size),
            )
            for row in self._db.execute(_SUMMED, given)
        ]  # fmt: skip

    def nodes(self, log: str, size: int) -> Sequence[bytes]:
        """The roots of the whole groups in the first ``size`` receipts of a log."""
        query = sa.select(node_table.c.hash).where(
            node_table.c.log == log, node_table.c.number < size // GROUP
        )
        rows = self._db.execute(query.order_by(node_table.c.number))
        return [bytes(row.hash) for row in rows]

    def open_logs(self) -> Sequence[Log]:
        """The logs that may still grow."""
        query = sa.select(log_table).where(_L.closed.is_(sa.false())).order_by(_L.log)
        return [
            Log(r.log, r.opened_at, r.size, tuple(map(bytes, r.peaks)), r.checkpoint)
            for r in self._db.execute(query)
        ]

    def keep_log(self, log: Log, nodes: Sequence[tuple[int, bytes]], *, closed: bool) -> None:
        """Keep how far a log was read, and the groups that were filled."""
        self._db.execute(
            log_table.update()
            .where(_L.log == log.name)
            .values(size=log.size, peaks=log.peaks, checkpoint=log.checkpoint, closed=closed)
        )
        if nodes:
            rows = [{"log": log.name, "number": n, "hash": hashed} for n, hashed in nodes]
            self._db.execute(node_table.insert(), rows)

    def last_checkpoint(self) -> tuple[int, str] | None:
        """The number and the text of the newest."""
        query = sa.select(_K.number, _K.signed).order_by(_K.number.desc()).limit(1)
        row = self._db.execute(query).one_or_none()
        return None if row is None else (row.number, row.signed)

    def add_checkpoint(self, made: Checkpoint) -> None:
        """Keep a new one."""
        self._db.execute(
            checkpoint_table.insert().values(number=made.number, at=made.at, signed=made.signed)
        )
        rows = [
            {"log": log, "number": made.number, "size": head.size}
            for log, head in made.logs.items()
        ]
        self._db.execute(head_table.insert(), rows)

    def signed_checkpoint(self, number: int) -> str | None:
        """The text of one."""
        query = sa.select(_K.signed).where(_K.number == number)
        found = self._db.execute(query).scalar_one_or_none()
        return None if found is None else str(found)

    def checkpoints(self, request: PageRequest) -> Page[tuple[int, str]]:
        """All, newest first."""
        query = sa.select(_K.number, _K.signed)
        after = request.key(1)
        if after is not None:
            query = query.where(_K.number < int(after[0]))
        rows = self._db.execute(query.order_by(_K.number.desc()).limit(request.limit + 1))
        return page_of(
            [(row.number, str(row.signed)) for row in rows], request, lambda one: (str(one[0]),)
        )

    def each_checkpoint(self, first: int, last: int) -> Iterator[str]:
        """The texts of those with numbers ``[first, last]``, in order."""
        while first <= last:
            query = sa.select(_K.number, _K.signed).where(_K.number.between(first, last))
            rows = self._db.execute(query.order_by(_K.number).limit(_PART)).all()
            yield from (str(row.signed) for row in rows)
            if len(rows) < _PART:
                return
            first = rows[-1].number + 1

    def covering(self, log: str) -> tuple[int, int] | None:
        """The newest checkpoint that has a log: its number, and the log's size there."""
        query = sa.select(_H.number, _H.size).where(_H.log == log)
        row = self._db.execute(query.order_by(_H.number.desc()).limit(1)).one_or_none()
        return None if row is None else (row.number, row.size)

    def make_partitions(self, first: date, days: int) -> None:
        """See to it that days have partitions of their own, where the default has no row yet."""
        for day in (first + timedelta(days=n) for n in range(days)):
            name = f"exchange_receipt_{day:%Y%m%d}"
            there = sa.select(sa.func.to_regclass(name).is_not(None))
            late = sa.select(sa.exists().where(_REST.c.day == day))
            if self._db.execute(there).scalar() or self._db.execute(late).scalar():
                continue
            after = day + timedelta(days=1)
            self._db.execute(
                sa.text(
                    f"CREATE TABLE {name} PARTITION OF exchange_receipt "
                    f"FOR VALUES FROM ('{day}') TO ('{after}')"
                )
            )

    def forget_requests(self, before: datetime) -> None:
        """Forget the requests that are too old to be sent again."""
        self._db.execute(seen_table.delete().where(seen_table.c.until < before))

    def take_proof(self, log: str, number: int) -> None:
        """Take away the consumer's signature of a receipt."""
        self._db.execute(
            receipt_table.update()
            .where(_R.day == day_of(log), _R.log == log, _R.number == number)
            .values(proof="")
        )


_PART = 1000
_HASH = 32
#: Each text is read once (OFFSET 0 keeps the planner from reading it anew for every name).
# Events are sold one by one, however many an answer has; what only says that they came is not sold.
_SUMMED = sa.text("""
    SELECT date_trunc('hour', at, 'UTC') AS hour, min(at) AS first, consumer, provider, service,
        status, interface, width_bucket(each, CAST(:sizes AS bigint[])) AS sold,
        width_bucket(milliseconds, CAST(:steps AS bigint[])) AS step,
        count(*) AS calls, CAST(sum(rows) AS bigint) AS rows, CAST(sum(size) AS bigint) AS size
    FROM (
        SELECT at, consumer, provider, told.*,
            CASE WHEN decisions ? 'acknowledged' THEN '' WHEN decisions ? 'streamed' THEN :batch
                WHEN decisions ? 'events' THEN :event ELSE :query END AS interface,
            CASE WHEN decisions ? 'events' THEN size / greatest(rows, 1) ELSE size END AS each
        FROM exchange_receipt, jsonb_to_record(CAST(body AS jsonb)) AS told(
            kind text, service text, status int, rows bigint, size bigint, milliseconds bigint,
            decisions jsonb)
        WHERE day = :day AND log = :log AND number > :first AND number <= :last
            AND kind <> 'begun'
        OFFSET 0
    ) AS ended
    GROUP BY 1, consumer, provider, service, status, interface, sold, step
""")
_REST = sa.table("exchange_receipt_rest", sa.column("day"))


def _conditions(chosen: Filter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if chosen.paths is not None:
        either = [
            column.startswith(path, autoescape=True)
            for path in chosen.paths
            for column in (_R.consumer, _R.provider)
        ]
        found.append(sa.or_(sa.false(), *either))
    if chosen.agreement:
        found.append(_R.agreement == chosen.agreement)
    if chosen.day is not None:
        found.append(_R.day == chosen.day)
    if chosen.log:
        found += [_R.day == day_of(chosen.log), _R.log == chosen.log]
    if chosen.since is not None:
        found += [_R.at >= chosen.since, _R.day >= chosen.since.date() - timedelta(days=1)]
    if chosen.until is not None:
        found += [_R.at < chosen.until, _R.day <= chosen.until.date()]
    return found


def _receipt(row: Any) -> Receipt:  # noqa: ANN401 - a row or a part of one
    log, number, sequence, previous, body, proof = row
    return Receipt(log, number, sequence, previous, body, proof)
