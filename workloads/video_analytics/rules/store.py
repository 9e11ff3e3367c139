"""The tables of rules and permits."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database, on_create, only_added, within
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.text import Text
from workloads.video_analytics.cameras.store import camera_table
from workloads.video_analytics.rules.model import Hours, Permit, PermitId, Rule, RuleId
from workloads.video_analytics.rules.ports import PermitQuery, RuleQuery
from workloads.video_analytics.tables import metadata
from workloads.video_analytics.vision.model import Point, RuleKind

rule_table = sa.Table(
    "video_rule",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("camera_id", sa.Text, sa.ForeignKey("video_camera.id"), nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("removed_at", sa.DateTime(timezone=True)),
)

version_table = sa.Table(
    "video_rule_version",
    metadata,
    sa.Column("rule_id", sa.Text, sa.ForeignKey("video_rule.id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("name", postgresql.JSONB, nullable=False),
    sa.Column("points", postgresql.JSONB, nullable=False),
    sa.Column("parameters", postgresql.JSONB, nullable=False),
    sa.Column("schedule", postgresql.JSONB, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)
# An event names the version that produced it: what that said must stand.
on_create(
    version_table,
    """
CREATE FUNCTION video_rule_version_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'versions of rules are only added';
END $$
""",
)
on_create(version_table, only_added("video_rule_version", "video_rule_version_kept"))

permit_table = sa.Table(
    "video_permit",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("rule_id", sa.Text, sa.ForeignKey("video_rule.id"), nullable=False),
    sa.Column("number", sa.Text, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("first", sa.Date, nullable=False),
    sa.Column("last", sa.Date, nullable=False),
    sa.Column("start", sa.Text, nullable=False),
    sa.Column("end", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("revoked_at", sa.DateTime(timezone=True)),
    sa.UniqueConstraint("rule_id", "number"),
)

_R, _V, _P, _C = rule_table.c, version_table.c, permit_table.c, camera_table.c
_THERE = sa.and_(_R.removed_at.is_(None), _C.removed_at.is_(None))


class PostgresRules:
    """Keeps rules in versions, and permits."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, rule: Rule) -> None:
        """Keep a new rule and its first version."""
        self._db.execute(
            rule_table.insert().values(
                id=rule.id, camera_id=rule.camera_id, kind=rule.kind.value, version=rule.version,
                enabled=rule.enabled,
            )
        )  # fmt: skip
        self._add_version(rule)

    def find(self, rule_id: str, *, locked: bool = False) -> Rule | None:
        """The newest version of one that is not removed."""
        query = _rules().where(_R.id == rule_id, _THERE)
        if locked:
            query = query.with_for_update(of=rule_table)
        row = self._db.execute(query).one_or_none()
        return None if row is None else _rule(row)

    def list(self, paths: Sequence[str], query: RuleQuery, request: PageRequest) -> Page[Rule]:
        """Those of cameras at or below any of the paths, by id."""
        wanted = _rules().where(within(_C.path, paths), _THERE)
        if query.camera_id is not None:
            wanted = wanted.where(_R.camera_id == query.camera_id)
        if query.kind is not None:
            wanted = wanted.where(_R.kind == query.kind.value)
        if query.enabled is not None:
            wanted = wanted.where(_R.enabled == query.enabled)
        after = request.key(1)
        if after is not None:
            wanted = wanted.where(_R.id > after[0])
        rows = self._db.execute(wanted.order_by(_R.id).limit(request.limit + 1))
        return page_of([_rule(row) for row in rows], request, lambda one: (one.id,))

    def count(self, camera_id: str) -> int:
        """How many a camera has."""
        query = sa.select(sa.func.count()).where(_R.camera_id == camera_id, _R.removed_at.is_(None))
        return int(self._db.execute(query).scalar_one())

    def of_cameras(self, camera_ids: Collection[str]) -> Sequence[Rule]:
        """The enabled ones of cameras, by id."""
        wanted = _rules().where(_R.camera_id.in_(list(camera_ids)), _R.enabled, _THERE)
        return [_rule(row) for row in self._db.execute(wanted.order_by(_R.id))]

    def known(self, rule_ids: Collection[str]) -> Sequence[Rule]:
        """The newest versions of these, of removed ones too."""
        rows = self._db.execute(_rules().where(_R.id.in_(list(rule_ids))))
        return [_rule(row) for row in rows]

    def add_version(self, rule: Rule) -> None:
        """Keep a newer version."""
        self._add_version(rule)
        self._db.execute(rule_table.update().where(_R.id == rule.id).values(version=rule.version))

    def _add_version(self, rule: Rule) -> None:
        self._db.execute(
            version_table.insert().values(
                rule_id=rule.id,
                version=rule.version,
                name=rule.name.as_json(),
                points=[list(point) for point in rule.points],
                parameters=dict(rule.parameters),
                schedule=[_hours_json(hours) for hours in rule.schedule],
                at=rule.at,
                by=rule.by,
                note=rule.note,
            )
        )

    def enable(self, rule_id: str, *, enabled: bool) -> None:
        """Switch it on or off."""
        self._db.execute(rule_table.update().where(_R.id == rule_id).values(enabled=enabled))

    def remove(self, rule_id: str, now: datetime) -> None:
        """Take it away; its versions stay."""
        self._db.execute(
            rule_table.update().where(_R.id == rule_id).values(removed_at=now, enabled=False)
        )

    def versions(self, rule_id: str) -> Sequence[Rule]:
        """All of one, removed or not, the newest first."""
        wanted = (
            sa.select(*_COLUMNS)
            .select_from(rule_table.join(version_table).join(camera_table))
            .where(_R.id == rule_id)
            .order_by(_V.version.desc())
        )
        return [_rule(row) for row in self._db.execute(wanted)]

    # Permits ---------------------------------------------------------------------------------

    def add_permit(self, permit: Permit) -> bool:
        """Keep a permit; False when its rule has one of that number."""
        made = self._db.execute(
            postgresql.insert(permit_table)
            .values(
                id=permit.id, rule_id=permit.rule_id, number=permit.number, holder=permit.holder,
                first=permit.first, last=permit.last, start=permit.start, end=permit.end,
                note=permit.note, created_at=permit.created_at, created_by=permit.created_by,
            )
            .on_conflict_do_nothing(index_elements=["rule_id", "number"])
            .returning(_P.id)
        ).first()  # fmt: skip
        return made is not None

    def permit(self, permit_id: str, *, locked: bool = False) -> Permit | None:
        """One permit."""
        query = _permits().where(_P.id == permit_id)
        if locked:
            query = query.with_for_update(of=permit_table)
        row = self._db.execute(query).one_or_none()
        return None if row is None else _permit(row)

    def permits(
        self, paths: Sequence[str], query: PermitQuery, request: PageRequest
    ) -> Page[Permit]:
        """Those of cameras at or below any of the paths, the newest first."""
        wanted = _permits().where(within(_C.path, paths))
        if query.rule_id is not None:
            wanted = wanted.where(_P.rule_id == query.rule_id)
        if query.since is not None:
            wanted = wanted.where(_P.last >= query.since)
        if query.until is not None:
            wanted = wanted.where(_P.first <= query.until)
        before = request.key(1)
        if before is not None:
            wanted = wanted.where(_P.id < before[0])
        rows = self._db.execute(wanted.order_by(_P.id.desc()).limit(request.limit + 1))
        return page_of([_permit(row) for row in rows], request, lambda one: (one.id,))

    def permits_of(self, rule_ids: Collection[str], since: date) -> Sequence[Permit]:
        """Those of rules that are not over on a day."""
        wanted = _permits().where(_P.rule_id.in_(list(rule_ids)), _P.last >= since)
        return [_permit(row) for row in self._db.execute(wanted.order_by(_P.id))]

    def revoke(self, permit_id: str, now: datetime) -> None:
        """Let it count no more."""
        self._db.execute(permit_table.update().where(_P.id == permit_id).values(revoked_at=now))


_COLUMNS = (
    _R.id, _R.camera_id, _C.path, _V.version, _R.kind, _V.name, _V.points, _V.parameters,
    _V.schedule, _R.enabled, _V.at, _V.by, _V.note,
)  # fmt: skip


def _rules() -> sa.Select[Any]:
    newest = sa.and_(_V.rule_id == _R.id, _V.version == _R.version)
    return sa.select(*_COLUMNS).select_from(
        rule_table.join(version_table, newest).join(camera_table)
    )


def _permits() -> sa.Select[Any]:
    return sa.select(permit_table, _C.path).select_from(
        permit_table.join(rule_table).join(camera_table)
    )


def _hours_json(hours: Hours) -> dict[str, Any]:
    return {"days": sorted(hours.days), "start": hours.start, "end": hours.end}


def _rule(row: sa.Row[Any]) -> Rule:
    return Rule(
        RuleId(row.id), row.camera_id, row.path, row.version, RuleKind(row.kind),
        Text(**row.name), tuple(Point(*point) for point in row.points), row.parameters,
        tuple(Hours(frozenset(one["days"]), one["start"], one["end"]) for one in row.schedule),
        row.enabled, row.at, row.by, row.note,
    )  # fmt: skip


def _permit(row: sa.Row[Any]) -> Permit:
    return Permit(
        PermitId(row.id), RuleId(row.rule_id), row.path, row.number, row.holder, row.first,
        row.last, row.start, row.end, row.note, row.created_at, row.created_by, row.revoked_at,
    )  # fmt: skip
