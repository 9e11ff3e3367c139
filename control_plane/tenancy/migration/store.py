"""Migration in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.tenancy.migration.model import (
    Journey,
    MigrationState,
    Past,
    Step,
    StepId,
    Target,
    Wave,
)
from control_plane.tenancy.model import SystemId
from control_plane.tenancy.store import organisation_table, system_table
from foundation.kernel.database import Database, metadata, on_create, within
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.text import Text

_INSTANT = sa.DateTime(timezone=True)
_STATES = ", ".join(repr(s.value) for s in MigrationState)
_OPEN = MigrationState.OPEN.value

wave_table = sa.Table(
    "tenancy_migration_wave",
    metadata,
    sa.Column("slug", sa.Text, primary_key=True),
    sa.Column("title", postgresql.JSONB, nullable=False),
    sa.Column("start", sa.Date, nullable=False),
    sa.Column("due", sa.Date, nullable=False),
    sa.CheckConstraint("start <= due", name="order"),
)

target_table = sa.Table(
    "tenancy_migration_target",
    metadata,
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("due", sa.Date, primary_key=True),
    sa.Column("percent", sa.Numeric(5, 2), nullable=False),
    sa.CheckConstraint("percent > 0 AND percent <= 100", name="percent"),
)

# What is planned and, so that lists need not read the steps, the state after the last of them.
journey_table = sa.Table(
    "tenancy_migration_journey",
    metadata,
    sa.Column("system_id", sa.Text, sa.ForeignKey("tenancy_system.id"), primary_key=True),
    sa.Column("wave", sa.Text, sa.ForeignKey("tenancy_migration_wave.slug")),
    sa.Column("due", sa.Date),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("since", _INSTANT),
    sa.CheckConstraint(f"state IN ({_STATES})", name="state"),
    sa.Index("ix_tenancy_migration_journey_wave", "wave"),
)

step_table = sa.Table(
    "tenancy_migration_step",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("system_id", sa.Text, sa.ForeignKey("tenancy_system.id"), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("at", _INSTANT, nullable=False),
    sa.Column("recorded_at", _INSTANT, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("evidence", postgresql.JSONB, nullable=False),
    sa.UniqueConstraint("system_id", "number"),
    sa.CheckConstraint(f"before IN ({_STATES}) AND after IN ({_STATES})", name="states"),
)

_KEPT = """
CREATE FUNCTION tenancy_migration_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER tenancy_migration_step_kept
  BEFORE UPDATE OR DELETE OR TRUNCATE ON tenancy_migration_step
  FOR EACH STATEMENT EXECUTE FUNCTION tenancy_migration_keep()
"""
on_create(step_table, _KEPT)


class PostgresMigration:
    """The migration store on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put_wave(self, wave: Wave) -> None:
        values = {"title": wave.title.as_json(), "start": wave.start, "due": wave.due}
        self._db.execute(
            postgresql.insert(wave_table)
            .values(slug=wave.slug, **values)
            .on_conflict_do_update(index_elements=["slug"], set_=values)
        )

    def remove_wave(self, slug: str) -> bool:
        used = sa.exists().where(journey_table.c.wave == slug)
        removed = self._db.execute(
            wave_table.delete().where(wave_table.c.slug == slug, ~used).returning(wave_table.c.slug)
        )
        return removed.first() is not None

    def wave(self, slug: str) -> Wave | None:
        row = self._db.execute(sa.select(wave_table).where(wave_table.c.slug == slug)).first()
        return None if row is None else _wave(row)

    def waves(self) -> list[Wave]:
        t = wave_table.c
        return [
            _wave(row) for row in self._db.execute(sa.select(wave_table).order_by(t.start, t.slug))
        ]

    def put_targets(self, path: str, targets: Sequence[Target]) -> None:
        self._db.execute(target_table.delete().where(target_table.c.path == path))
        for target in targets:
            self._db.execute(
                target_table.insert().values(path=path, due=target.due, percent=target.percent)
            )

    def targets(self, path: str) -> list[Target]:
        t = target_table.c
        rows = self._db.execute(sa.select(target_table).where(t.path == path).order_by(t.due))
        return [Target(row.path, row.due, row.percent) for row in rows]

    def journey(self, system_id: str, *, lock: bool = False) -> Journey | None:
        wanted = system_table.c.id == system_id
        if lock:
            # The system's row stands for its journey, which may have no row of its own yet. Read
            # after it: a joined row would be as it was before the wait.
            self._db.execute(sa.select(system_table.c.id).where(wanted).with_for_update())
        row = self._db.execute(_journeys().where(wanted)).first()
        return None if row is None else _journey(row)

    def journeys(
        self, paths: Sequence[str], filters: Mapping[str, str], request: PageRequest
    ) -> Page[Journey]:
        o, s, j = organisation_table.c, system_table.c, journey_table.c
        query = _journeys().where(within(o.path, paths))
        if "path" in filters:
            query = query.where(within(o.path, [filters["path"]]))
        if "state" in filters:
            query = query.where(sa.func.coalesce(j.state, _OPEN) == filters["state"])
        if "wave" in filters:
            query = query.where(j.wave == filters["wave"])
        after = request.key(2)
        if after is not None:
            query = query.where(sa.tuple_(o.path, s.slug) > sa.tuple_(*map(sa.literal, after)))
        rows = self._db.execute(query.order_by(o.path, s.slug).limit(request.limit + 1))
        return page_of([_journey(row) for row in rows], request, lambda one: (one.path, one.slug))

    def plan(self, system_id: str, wave: str, due: date | None) -> None:
        values = {"wave": wave or None, "due": due}
        self._db.execute(
            postgresql.insert(journey_table)
            .values(system_id=system_id, state=_OPEN, **values)
            .on_conflict_do_update(index_elements=["system_id"], set_=values)
        )

    def add_step(self, step: Step) -> None:
        self._db.execute(
            step_table.insert().values(
                id=step.id, system_id=step.system_id, number=step.number,
                before=step.before.value, after=step.after.value, at=step.at,
                recorded_at=step.recorded_at, by=step.by, note=step.note,
                evidence=list(step.evidence),
            )
        )  # fmt: skip
        values = {"state": step.after.value, "since": step.at}
        self._db.execute(
            postgresql.insert(journey_table)
            .values(system_id=step.system_id, **values)
            .on_conflict_do_update(index_elements=["system_id"], set_=values)
        )

    def steps(self, system_id: str) -> list[Step]:
        t = step_table.c
        rows = self._db.execute(
            sa.select(step_table).where(t.system_id == system_id).order_by(t.number)
        )
        return [_step(row) for row in rows]

    def past(self, path: str) -> list[Past]:
        o, s, j, t = organisation_table.c, system_table.c, journey_table.c, step_table.c
        states: dict[str, list[tuple[datetime, MigrationState]]] = {}
        steps = self._db.execute(
            sa.select(t.system_id, t.at, t.after)
            .select_from(step_table.join(system_table).join(organisation_table))
            .where(within(o.path, [path]))
            .order_by(t.system_id, t.number)
        )
        for row in steps:
            states.setdefault(row.system_id, []).append((row.at, MigrationState(row.after)))
        systems = self._db.execute(
            sa.select(s.id, o.path, s.created_at, j.wave)
            .select_from(system_table.join(organisation_table).outerjoin(journey_table))
            .where(within(o.path, [path]))
            .order_by(s.id)
        )
        return [
            Past(row.path, row.wave or "", row.created_at, tuple(states.get(row.id, ())))
            for row in systems
        ]


def _journeys() -> sa.Select[Any]:
    s, o, j = system_table.c, organisation_table.c, journey_table.c
    return sa.select(
        s.id, s.slug, s.name, o.path, sa.func.coalesce(j.state, _OPEN).label("state"), j.wave,
        sa.func.coalesce(j.due, wave_table.c.due).label("due"), j.since,
    ).select_from(
        system_table.join(organisation_table).outerjoin(journey_table).outerjoin(wave_table)
    )  # fmt: skip


def _wave(row: sa.Row[Any]) -> Wave:
    return Wave(row.slug, Text(**row.title), row.start, row.due)


def _journey(row: sa.Row[Any]) -> Journey:
    return Journey(
        SystemId(row.id), row.slug, Text(**row.name), row.path, MigrationState(row.state),
        row.wave or "", row.due, row.since,
    )  # fmt: skip


def _step(row: sa.Row[Any]) -> Step:
    return Step(
        StepId(row.id), SystemId(row.system_id), row.number, MigrationState(row.before),
        MigrationState(row.after), row.at, row.recorded_at, row.by, row.note, tuple(row.evidence),
    )  # fmt: skip
