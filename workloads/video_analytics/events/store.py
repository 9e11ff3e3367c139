"""Events, their evidence and their history, in PostgreSQL."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database, within
from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.time import format_instant, parse_instant
from workloads.video_analytics.events.model import (
    Change,
    Entry,
    Event,
    EventFilter,
    EventId,
    EventState,
    EvidenceRef,
    Hold,
    Note,
    RuleRate,
    Severity,
    Verdict,
)
from workloads.video_analytics.events.ports import Fact
from workloads.video_analytics.tables import metadata
from workloads.video_analytics.vision.model import Box, RuleKind, Signal

INSTANT = sa.DateTime(timezone=True)
JSON = postgresql.JSONB(none_as_null=True)
_CURSOR = re.compile(r"([0-9]{1,18})-([0-9]{1,18})", re.ASCII)


def one_of(column: str, values: type[StrEnum]) -> str:
    """SQL that a column holds one of the values."""
    return f"{column} IN ({', '.join(repr(v.value) for v in values)})"


event_table = sa.Table(
    "video_event",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("began", INSTANT, nullable=False),
    sa.Column("camera_id", sa.Text, nullable=False),
    sa.Column("camera", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("rule_name", sa.Text, nullable=False),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("at", INSTANT, nullable=False),
    sa.Column("ended_at", INSTANT),
    sa.Column("box", JSON),
    sa.Column("score", sa.Double),
    sa.Column("track", sa.Text),
    sa.Column("data", JSON, nullable=False),
    sa.Column("clock_offset_seconds", sa.Double),
    sa.Column("received_at", INSTANT, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("acknowledged", JSON),
    sa.Column("verdict", sa.Text),
    sa.Column("judged", JSON),
    sa.Column("hold", JSON),
    sa.Column("erased_at", INSTANT),
    sa.CheckConstraint(one_of("severity", Severity), name="severity"),
    sa.CheckConstraint(one_of("state", EventState), name="state"),
    sa.CheckConstraint(one_of("verdict", Verdict), name="verdict"),
    # What makes it one event, whoever reports it and how often.
    sa.UniqueConstraint("rule", "version", "key", "began", name="uq_video_event_identity"),
    sa.Index("ix_video_event_began", "began", "id"),
    sa.Index("ix_video_event_camera_id", "camera_id", "began"),
    sa.Index("ix_video_event_path", "path", "began", postgresql_ops={"path": "text_pattern_ops"}),
    sa.Index("ix_video_event_kept", "received_at",
             postgresql_where=sa.text("erased_at IS NULL AND hold IS NULL")),
)  # fmt: skip

evidence_table = sa.Table(
    "video_evidence",
    metadata,
    sa.Column("event_id", sa.Text, sa.ForeignKey("video_event.id"), primary_key=True),
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("number", sa.BigInteger, sa.Identity(always=True), nullable=False),
    sa.Column("added_at", INSTANT, nullable=False),
    sa.Index("ix_video_evidence_sha256", "sha256"),
)

# ``xact`` orders entries as their transactions ended, as far as readers can tell: numbers alone are
# given out before the commit, and whoever read on from the highest number would miss a slower one.
entry_table = sa.Table(
    "video_event_entry",
    metadata,
    sa.Column("number", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("xact", sa.BigInteger, nullable=False,
              server_default=sa.text("(pg_current_xact_id()::text::bigint)")),
    sa.Column("event_id", sa.Text, sa.ForeignKey("video_event.id"), nullable=False),
    sa.Column("at", INSTANT, nullable=False),
    sa.Column("change", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("data", JSON, nullable=False),
    sa.CheckConstraint(one_of("change", Change), name="change"),
    sa.Index("ix_video_event_entry_event_id", "event_id", "number"),
    sa.Index("ix_video_event_entry_order", "xact", "number"),
)  # fmt: skip

_E, _F, _H = event_table.c, evidence_table.c, entry_table.c
_SETTLED = sa.text("video_event_entry.xact < pg_snapshot_xmin(pg_current_snapshot())::text::bigint")


class PostgresEvents:
    """Implements ``EventStore``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, event: Event) -> bool:
        done = self._db.execute(
            postgresql.insert(event_table)
            .values(_row(event))
            .on_conflict_do_nothing()
            .returning(_E.id)
        )
        return done.first() is not None

    def get(self, event_id: str, *, lock: bool = False) -> Event | None:
        return self._one(sa.select(event_table).where(_E.id == event_id), lock=lock)

    def of(self, signal: Signal) -> Event | None:
        query = sa.select(event_table).where(
            _E.rule == signal.rule,
            _E.version == signal.version,
            _E.key == signal.key,
            _E.began == signal.began,
        )
        return self._one(query, lock=True)

    def put(self, event: Event) -> None:
        row = _row(event)
        del row["id"]
        self._db.execute(event_table.update().where(_E.id == event.id).values(row))

    def attach(self, event_id: str, evidence: EvidenceRef, at: datetime) -> bool:
        done = self._db.execute(
            postgresql.insert(evidence_table)
            .values(
                event_id=event_id, sha256=evidence.sha256, kind=evidence.kind,
                size=evidence.size, added_at=at,
            )
            .on_conflict_do_nothing()
            .returning(_F.sha256)
        )  # fmt: skip
        return done.first() is not None

    def detach(self, event_id: str, sha256s: Collection[str]) -> None:
        self._db.execute(
            evidence_table.delete().where(_F.event_id == event_id, _F.sha256.in_(sorted(sha256s)))
        )

    def note(self, event_id: str, fact: Fact, at: datetime) -> None:
        self._db.execute(
            entry_table.insert().values(
                event_id=event_id, at=at, change=fact.change.value, by=fact.by, data=fact.data
            )
        )

    def history(self, event_id: str) -> list[Entry]:
        rows = self._db.execute(
            sa.select(entry_table).where(_H.event_id == event_id).order_by(_H.number)
        )
        return [_entry(row) for row in rows]

    def changes(self, paths: Sequence[str], after: str, limit: int) -> list[Entry]:
        found = _CURSOR.fullmatch(after)
        if found is None:
            raise Invalid([Problem("after", "is not a cursor of this list")])
        begin = sa.tuple_(sa.literal(int(found[1])), sa.literal(int(found[2])))
        rows = self._db.execute(
            sa.select(entry_table)
            .join(event_table, _E.id == _H.event_id)
            .where(sa.tuple_(_H.xact, _H.number) > begin, _SETTLED, within(_E.path, paths))
            .order_by(_H.xact, _H.number)
            .limit(limit)
        )
        return [_entry(row) for row in rows]

    def last_change(self) -> str:
        row = self._db.execute(
            sa.select(_H.xact, _H.number)
            .where(_SETTLED)
            .order_by(_H.xact.desc(), _H.number.desc())
            .limit(1)
        ).one_or_none()
        return "0-0" if row is None else f"{row.xact}-{row.number}"

    def page(self, paths: Sequence[str], wanted: EventFilter, request: PageRequest) -> Page[Event]:
        query = (
            sa.select(event_table)
            .where(within(_E.path, paths), *_filtered(wanted))
            .order_by(_E.began.desc(), _E.id.desc())
        )
        after = request.key(2)
        if after is not None:
            key = sa.tuple_(
                sa.literal(parse_instant(after[0], "cursor"), INSTANT), sa.literal(after[1])
            )
            query = query.where(sa.tuple_(_E.began, _E.id) < key)
        rows = self._db.execute(query.limit(request.limit + 1)).all()
        return page_of(
            self._with_evidence(rows), request, lambda e: (format_instant(e.began), e.id)
        )

    def rates(self, paths: Sequence[str], since: datetime) -> list[RuleRate]:
        many = sa.func.count()
        false = many.filter(_E.verdict == Verdict.FALSE_ALARM.value)
        rows = self._db.execute(
            sa.select(
                _E.rule, _E.version, sa.func.max(_E.rule_name).label("rule_name"),
                sa.func.max(_E.kind).label("kind"), many.label("events"),
                many.filter(_E.verdict.is_not(None)).label("judged"), false.label("false_alarms"),
            )
            .where(within(_E.path, paths), _E.began >= since)
            .group_by(_E.rule, _E.version)
            .order_by(false.desc(), many.desc(), _E.rule, _E.version)
            .limit(500)
        )  # fmt: skip
        return [
            RuleRate(
                r.rule, r.version, r.rule_name, RuleKind(r.kind), r.events, r.judged, r.false_alarms
            )
            for r in rows
        ]

    def owner_of(self, sha256: str) -> list[Event]:
        rows = self._db.execute(
            sa.select(event_table)
            .join(evidence_table, _F.event_id == _E.id)
            .where(_F.sha256 == sha256)
            .order_by(_E.id)
        ).all()
        return self._with_evidence(rows)

    def _one(self, query: sa.Select[Any], *, lock: bool) -> Event | None:
        row = self._db.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else self._with_evidence([row])[0]

    def _with_evidence(self, rows: Sequence[sa.Row[Any]]) -> list[Event]:
        found: dict[str, list[EvidenceRef]] = {row.id: [] for row in rows}
        if found:
            files = self._db.execute(
                sa.select(evidence_table).where(_F.event_id.in_(list(found))).order_by(_F.number)
            )
            for file in files:
                found[file.event_id].append(EvidenceRef(file.sha256, file.size, file.kind))
        return [_event(row, tuple(found[row.id])) for row in rows]


def _filtered(wanted: EventFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.kinds:
        found.append(_E.kind.in_([k.value for k in wanted.kinds]))
    if wanted.severities:
        found.append(_E.severity.in_([s.value for s in wanted.severities]))
    plain = {
        "state": wanted.state, "camera_id": wanted.camera_id, "rule": wanted.rule,
        "verdict": wanted.verdict,
    }  # fmt: skip
    found += [_E[name] == str(value) for name, value in plain.items() if value]
    if wanted.acknowledged is not None:
        known = _E.acknowledged.is_not(None)
        found.append(known if wanted.acknowledged else sa.not_(known))
    if wanted.since is not None:
        found.append(_E.began >= wanted.since)
    if wanted.until is not None:
        found.append(_E.began < wanted.until)
    return found


_NOTES = {"acknowledged": Note, "judged": Note, "hold": Hold}


def _row(event: Event) -> dict[str, Any]:
    names = [c.name for c in event_table.columns]
    row = {name: getattr(event, name) for name in names}
    row["box"] = list(event.box) if event.box is not None else None
    for name in ("kind", "severity", "state", "verdict"):
        row[name] = None if row[name] is None else row[name].value
    return row


def _event(row: sa.Row[Any], evidence: tuple[EvidenceRef, ...]) -> Event:
    values: dict[str, Any] = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    for name, kind in _NOTES.items():
        values[name] = _said(kind, values[name])
    return Event(
        **{
            **values,
            "id": EventId(row.id),
            "kind": RuleKind(row.kind),
            "severity": Severity(row.severity),
            "state": EventState(row.state),
            "verdict": Verdict(row.verdict) if row.verdict else None,
            "box": Box(*row.box) if row.box else None,
            "evidence": evidence,
        }
    )


def _said(kind: type[Note | Hold], value: Mapping[str, Any] | None) -> Note | Hold | None:
    return None if value is None else kind(**{**value, "at": parse_instant(value["at"])})


def _entry(row: sa.Row[Any]) -> Entry:
    return Entry(
        row.xact, row.number, EventId(row.event_id), row.at, Change(row.change), row.by, row.data
    )
