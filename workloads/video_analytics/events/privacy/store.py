"""Exports and retention in PostgreSQL."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of
from workloads.video_analytics.events.privacy.model import (
    Export,
    ExportId,
    ExportState,
    Retention,
)
from workloads.video_analytics.events.store import (
    INSTANT,
    JSON,
    event_table,
    evidence_table,
    one_of,
)
from workloads.video_analytics.tables import metadata

export_table = sa.Table(
    "video_export",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("event_ids", postgresql.ARRAY(sa.Text), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("blurred", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("requested_by", sa.Text, nullable=False),
    sa.Column("requested_name", sa.Text, nullable=False),
    sa.Column("requested_at", INSTANT, nullable=False),
    sa.Column("decided_by", sa.Text, nullable=False),
    sa.Column("decided_name", sa.Text, nullable=False),
    sa.Column("decided_at", INSTANT),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("ready_at", INSTANT),
    sa.Column("archive", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("manifest", sa.Text, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("contents", JSON, nullable=False),
    sa.CheckConstraint(one_of("state", ExportState), name="state"),
    sa.CheckConstraint("decided_by <> requested_by", name="second_person"),
)

retention_table = sa.Table(
    "video_retention",
    metadata,
    sa.Column("data_class", sa.Text, primary_key=True),
    sa.Column("evidence", sa.Integer, nullable=False),
    sa.Column("tracks", sa.Integer, nullable=False),
    sa.Column("reads", sa.Integer, nullable=False),
)

_X, _E, _F = export_table.c, event_table.c, evidence_table.c


class PostgresPrivacy:
    """Implements ``PrivacyStore``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, export: Export) -> None:
        row = {**asdict(export), "event_ids": list(export.event_ids), "state": export.state.value}
        insert = postgresql.insert(export_table).values(row)
        self._db.execute(insert.on_conflict_do_update(index_elements=["id"], set_=row))

    def get(self, export_id: str, *, lock: bool = False) -> Export | None:
        query = sa.select(export_table).where(_X.id == export_id)
        row = self._db.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _export(row)

    def exports(
        self, paths: Sequence[str], state: ExportState | None, request: PageRequest
    ) -> Page[Export]:
        query = sa.select(export_table).where(within(_X.path, paths)).order_by(_X.id.desc())
        if state is not None:
            query = query.where(_X.state == state.value)
        after = request.key(1)
        if after is not None:
            query = query.where(_X.id < after[0])
        rows = [_export(row) for row in self._db.execute(query.limit(request.limit + 1))]
        return page_of(rows, request, lambda x: (x.id,))

    def in_state(self, state: ExportState, limit: int) -> list[Export]:
        query = sa.select(export_table).where(_X.state == state.value).order_by(_X.id).limit(limit)
        return [_export(row) for row in self._db.execute(query)]

    def retention(self) -> dict[str, Retention]:
        rows = self._db.execute(sa.select(retention_table))
        return {r.data_class: Retention(r.data_class, r.evidence, r.tracks, r.reads) for r in rows}

    def put_retention(self, retention: Retention) -> None:
        row = asdict(retention)
        insert = postgresql.insert(retention_table).values(row)
        self._db.execute(insert.on_conflict_do_update(index_elements=["data_class"], set_=row))

    def overdue(self, camera_ids: Collection[str], before: datetime, limit: int) -> list[str]:
        query = sa.select(_E.id).where(
            _E.received_at < before, _E.hold.is_(None), _E.erased_at.is_(None),
            _E.camera_id.in_(sorted(camera_ids)), _E.state == "ended",
        )  # fmt: skip
        return list(self._db.execute(query.order_by(_E.received_at).limit(limit)).scalars())

    def event_cameras(self) -> Sequence[str]:
        query = sa.select(_E.camera_id).where(_E.erased_at.is_(None)).distinct()
        return list(self._db.execute(query).scalars())

    def used(self, sha256s: Collection[str]) -> set[str]:
        names = sorted(sha256s)
        evidence = sa.select(_F.sha256).where(_F.sha256.in_(names))
        archives = sa.select(_X.archive).where(_X.archive.in_(names))
        return set(self._db.execute(sa.union(evidence, archives)).scalars())


def _export(row: sa.Row[Any]) -> Export:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    return Export(
        **{
            **values, "id": ExportId(row.id), "event_ids": tuple(row.event_ids),
            "state": ExportState(row.state), "contents": tuple(row.contents),
        }
    )  # fmt: skip
