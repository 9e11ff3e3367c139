"""The table of corrections; what was written in them is sealed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of
from workloads.data_exchange.checks.corrections.model import Correction, CorrectionState
from workloads.data_exchange.tables import metadata

_AT = sa.DateTime(timezone=True)
correction_table = sa.Table(
    "exchange_correction",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("check_id", sa.ForeignKey("exchange_check.id"), nullable=False, index=True),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("person", sa.Integer, nullable=False),
    sa.Column("asker", sa.Text(collation="C"), nullable=False),
    sa.Column("provider", sa.Text(collation="C"), nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("receipt", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("created_at", _AT, nullable=False),
    sa.Column("due_at", _AT, nullable=False),
    sa.Column("escalated_at", _AT),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("decided_at", _AT),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Index("exchange_correction_open", "due_at", postgresql_where=sa.text("state = 'open'")),
)
_C = correction_table.c


class PostgresCorrections:
    """Keeps corrections."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, correction: Correction) -> None:
        """Keep a new one."""
        self._db.execute(
            correction_table.insert().values(
                id=correction.id, check_id=correction.check, question=correction.question,
                person=correction.person, asker=correction.asker, provider=correction.provider,
                service=correction.service, receipt=correction.receipt, by=correction.by,
                sealed=correction.sealed, created_at=correction.created_at, **_kept(correction),
            )
        )  # fmt: skip

    def find(self, correction: str, *, hold: bool = False) -> Correction | None:
        """By id."""
        query = sa.select(correction_table).where(_C.id == correction)
        row = self._db.execute(query.with_for_update() if hold else query).one_or_none()
        return None if row is None else _correction(row)

    def update(self, correction: Correction) -> None:
        """Keep what may change of it."""
        mine = correction_table.update().where(_C.id == correction.id)
        self._db.execute(mine.values(**_kept(correction)))

    def list(
        self, paths: Sequence[str], request: PageRequest, *, waiting: bool
    ) -> Page[Correction]:
        """Those that were asked for or are decided at or below the paths, newest first."""
        query = sa.select(correction_table).where(
            sa.or_(within(_C.asker, paths), within(_C.provider, paths))
        )
        if waiting:
            query = query.where(_C.state == CorrectionState.OPEN.value)
        after = request.key(1)
        if after is not None:
            query = query.where(_C.id < after[0])
        rows = self._db.execute(query.order_by(_C.id.desc()).limit(request.limit + 1))
        return page_of([_correction(row) for row in rows], request, lambda one: (one.id,))

    def of_check(self, check: str) -> Sequence[Correction]:
        """Those about one check, oldest first."""
        query = sa.select(correction_table).where(_C.check_id == check).order_by(_C.id)
        return [_correction(row) for row in self._db.execute(query)]

    def waiting(self) -> Sequence[Correction]:
        """All that are open."""
        query = sa.select(correction_table).where(_C.state == CorrectionState.OPEN.value)
        return [_correction(row) for row in self._db.execute(query.with_for_update())]

    def late(self, now: datetime, limit: int) -> Sequence[str]:
        """Ids of open ones that are overdue and were not told."""
        query = sa.select(_C.id).where(
            _C.state == CorrectionState.OPEN.value, _C.due_at <= now, _C.escalated_at.is_(None)
        )
        return self._db.execute(query.order_by(_C.due_at).limit(limit)).scalars().all()


def _kept(one: Correction) -> dict[str, Any]:
    return {
        "state": one.state.value, "due_at": one.due_at, "escalated_at": one.escalated_at,
        "answer": one.answer, "decided_at": one.decided_at, "decided_by": one.decided_by,
    }  # fmt: skip


def _correction(row: sa.Row[Any]) -> Correction:
    return Correction(
        row.id, row.check_id, row.question, row.person, row.asker, row.provider, row.service,
        row.receipt, row.by, row.sealed, CorrectionState(row.state), row.created_at, row.due_at,
        row.escalated_at, row.answer, row.decided_at, row.decided_by,
    )  # fmt: skip
