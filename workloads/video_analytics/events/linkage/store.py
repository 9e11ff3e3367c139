"""Linkage rules, deeds and incidents in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.time import parse_instant
from workloads.video_analytics.events.linkage.model import (
    Deed,
    Incident,
    IncidentId,
    IncidentState,
    Linkage,
    LinkageId,
    Outcome,
    Step,
    action_of,
)
from workloads.video_analytics.events.model import Severity
from workloads.video_analytics.events.notification.model import Matching
from workloads.video_analytics.events.notification.shown import matching_json
from workloads.video_analytics.events.store import INSTANT, JSON, one_of
from workloads.video_analytics.tables import metadata

linkage_table = sa.Table(
    "video_linkage",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("when", JSON, nullable=False),
    sa.Column("then", JSON, nullable=False),
    sa.Column("pause_seconds", sa.Integer, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
)

deed_table = sa.Table(
    "video_deed",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("linkage_id", sa.Text, nullable=False),
    sa.Column("linkage", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, sa.ForeignKey("video_event.id"), nullable=False),
    sa.Column("camera_id", sa.Text, nullable=False),
    sa.Column("index", sa.Integer, nullable=False),
    sa.Column("action", JSON, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("at", INSTANT, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("claimed_until", INSTANT),
    sa.CheckConstraint(one_of("outcome", Outcome), name="outcome"),
    # Why an event starts an action once only, however often it is told.
    sa.UniqueConstraint("linkage_id", "event_id", "index", name="uq_video_deed_once"),
    sa.Index("ix_video_deed_pending", "at", postgresql_where=sa.text("outcome = 'pending'")),
    sa.Index("ix_video_deed_event_id", "event_id"),
    sa.Index("ix_video_deed_recent", "linkage_id", "camera_id", "at"),
)

incident_table = sa.Table(
    "video_incident",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("opened_at", INSTANT, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("assigned_to", sa.Text, nullable=False),
    sa.Column("report", sa.Text, nullable=False),
    sa.Column("closed_at", INSTANT),
    sa.Column("steps", JSON, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.CheckConstraint(one_of("state", IncidentState), name="state"),
    sa.Index("ix_video_incident_event_id", "event_id"),
)

_L, _D, _I = linkage_table.c, deed_table.c, incident_table.c


class PostgresLinkages:
    """Implements ``LinkageStore``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, linkage: Linkage) -> None:
        row = {**asdict(linkage), "when": matching_json(linkage.when)}
        insert = postgresql.insert(linkage_table).values(row)
        self._db.execute(insert.on_conflict_do_update(index_elements=["id"], set_=row))

    def get(self, linkage_id: str, *, locked: bool = False) -> Linkage | None:
        query = sa.select(linkage_table).where(_L.id == linkage_id)
        row = self._db.execute(query.with_for_update() if locked else query).one_or_none()
        return None if row is None else _linkage(row)

    def remove(self, linkage_id: str) -> None:
        self._db.execute(linkage_table.delete().where(_L.id == linkage_id))

    def below(self, paths: Sequence[str]) -> list[Linkage]:
        query = sa.select(linkage_table).where(within(_L.path, paths)).order_by(_L.name, _L.id)
        return [_linkage(row) for row in self._db.execute(query)]

    def above(self, path: str) -> list[Linkage]:
        query = sa.select(linkage_table).where(
            sa.func.starts_with(sa.literal(path), _L.path), _L.enabled
        )
        return [_linkage(row) for row in self._db.execute(query.order_by(_L.id))]

    def add_deed(self, deed: Deed, camera_id: str) -> bool:
        values = {**asdict(deed), "outcome": deed.outcome.value, "camera_id": camera_id}
        insert = postgresql.insert(deed_table).values(values).on_conflict_do_nothing()
        return self._db.execute(insert.returning(_D.id)).first() is not None

    def settle(self, deed: Deed) -> bool:
        done = self._db.execute(
            deed_table.update()
            .where(_D.id == deed.id, _D.outcome == Outcome.PENDING.value)
            .values(outcome=deed.outcome.value, at=deed.at, detail=deed.detail,
                    attempts=deed.attempts, claimed_until=None)
        )  # fmt: skip
        return done.rowcount > 0

    def claim(self, now: datetime, until: datetime) -> Deed | None:
        row = self._db.execute(
            sa.select(deed_table)
            .where(
                _D.outcome == Outcome.PENDING.value,
                _D.at <= now,
                sa.or_(_D.claimed_until.is_(None), _D.claimed_until <= now),
            )
            .order_by(_D.at)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).one_or_none()
        if row is None:
            return None
        self._db.execute(deed_table.update().where(_D.id == row.id).values(claimed_until=until))
        return _deed(row)

    def acted_since(self, linkage_id: str, camera_id: str, since: datetime, but: str) -> bool:
        query = sa.select(_D.id).where(
            _D.linkage_id == linkage_id, _D.camera_id == camera_id, _D.at > since,
            _D.event_id != but, _D.outcome != Outcome.SKIPPED.value,
        )  # fmt: skip
        return self._db.execute(query.limit(1)).first() is not None

    def turned_since(self, camera_id: str, since: datetime) -> bool:
        query = sa.select(_D.id).where(
            _D.action["kind"].astext == "ptz", _D.action["camera"].astext == camera_id,
            _D.outcome == Outcome.DONE.value, _D.at > since,
        )  # fmt: skip
        return self._db.execute(query.limit(1)).first() is not None

    def deeds(self, event_id: str) -> list[Deed]:
        query = sa.select(deed_table).where(_D.event_id == event_id).order_by(_D.id)
        return [_deed(row) for row in self._db.execute(query)]

    def put_incident(self, incident: Incident) -> None:
        row = {**asdict(incident), "state": incident.state.value,
               "severity": incident.severity.value}  # fmt: skip
        insert = postgresql.insert(incident_table).values(row)
        self._db.execute(insert.on_conflict_do_update(index_elements=["id"], set_=row))

    def incident(self, incident_id: str, *, lock: bool = False) -> Incident | None:
        query = sa.select(incident_table).where(_I.id == incident_id)
        row = self._db.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _incident(row)

    def incidents(
        self, paths: Sequence[str], state: IncidentState | None, event_id: str, request: PageRequest
    ) -> Page[Incident]:
        query = sa.select(incident_table).where(within(_I.path, paths)).order_by(_I.id.desc())
        if state is not None:
            query = query.where(_I.state == state.value)
        if event_id:
            query = query.where(_I.event_id == event_id)
        after = request.key(1)
        if after is not None:
            query = query.where(_I.id < after[0])
        rows = [_incident(row) for row in self._db.execute(query.limit(request.limit + 1))]
        return page_of(rows, request, lambda i: (i.id,))


def _linkage(row: sa.Row[Any]) -> Linkage:
    return Linkage(
        LinkageId(row.id), row.path, row.name, Matching.parse(row.when, "when"),
        tuple(action_of(a) for a in row.then), row.pause_seconds, row.enabled, row.version,
    )  # fmt: skip


def _deed(row: sa.Row[Any]) -> Deed:
    return Deed(
        row.id, LinkageId(row.linkage_id), row.linkage, row.event_id,
        row._mapping["index"],  # noqa: SLF001 - ``row.index`` is the tuple's own method
        action_of(row.action), Outcome(row.outcome), row.at, row.detail, row.attempts,
    )  # fmt: skip


def _incident(row: sa.Row[Any]) -> Incident:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    steps = tuple(
        Step(**{**s, "state": IncidentState(s["state"]), "at": parse_instant(s["at"])})
        for s in row.steps
    )
    return Incident(
        **{
            **values, "id": IncidentId(row.id), "state": IncidentState(row.state),
            "severity": Severity(row.severity), "steps": steps,
        }
    )  # fmt: skip
