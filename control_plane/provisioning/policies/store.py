"""Packs and waivers in PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.provisioning.model import DeploymentState
from control_plane.provisioning.policies.model import (
    Holder,
    Pack,
    SubjectKind,
    Waiver,
    WaiverId,
    WaiverState,
)
from control_plane.provisioning.policies.reading import pack_from
from control_plane.provisioning.store.tables import deployment_table
from foundation.kernel.database import Database, metadata, within
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.time import format_instant, parse_instant

_INSTANT = sa.DateTime(timezone=True)

pack_table = sa.Table(
    "provisioning_policy_pack",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("document", postgresql.JSONB, nullable=False),
    sa.Column("published_at", _INSTANT, nullable=False),
    sa.Column("published_by", sa.Text, nullable=False),
)

switch_table = sa.Table(
    "provisioning_policy_switch",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("changed_at", _INSTANT, nullable=False),
    sa.Column("changed_by", sa.Text, nullable=False),
)

waiver_table = sa.Table(
    "provisioning_policy_waiver",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("owner_name", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("ends_at", _INSTANT, nullable=False),
    sa.Column("granted_at", _INSTANT, nullable=False),
    sa.Column("granted_by", sa.Text, nullable=False),
    sa.Column("granted_by_name", sa.Text, nullable=False),
    sa.Column("revoked_at", _INSTANT),
    sa.Column("revoked_by", sa.Text, nullable=False),
    sa.Column("revoked_by_name", sa.Text, nullable=False),
    sa.Column("revoked_because", sa.Text, nullable=False),
    sa.CheckConstraint("kind IN ('deployment', 'tenancy', 'path')", name="kind"),
    sa.CheckConstraint("ends_at > granted_at", name="end"),
    sa.Index("ix_provisioning_policy_waiver_subject", "subject", "ends_at",
             postgresql_where=sa.text("revoked_at IS NULL")),
    sa.Index("ix_provisioning_policy_waiver_ends_at", "ends_at", "id"),
)  # fmt: skip


class PostgresPolicies:
    """Implements ``PolicyStore``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # Packs -----------------------------------------------------------------------------------

    def add_pack(self, pack: Pack) -> bool:
        made = self._db.execute(
            postgresql.insert(pack_table)
            .values(
                name=pack.name,
                version=pack.version,
                document=pack.document,
                published_at=pack.published_at,
                published_by=pack.published_by,
            )
            .on_conflict_do_nothing()
            .returning(pack_table.c.name)
        )
        return made.first() is not None

    def pack(self, name: str, version: int | None = None) -> Pack | None:
        t = pack_table.c
        query = sa.select(pack_table).where(t.name == name).order_by(t.version.desc()).limit(1)
        if version is not None:
            query = query.where(t.version == version)
        row = self._db.execute(query).one_or_none()
        return None if row is None else _pack(row)

    def newest_packs(self) -> list[Pack]:
        t = pack_table.c
        query = (
            sa.select(pack_table)
            .ext(postgresql.distinct_on(t.name))
            .order_by(t.name, t.version.desc())
        )
        return [_pack(row) for row in self._db.execute(query)]

    def versions(self, name: str) -> list[Pack]:
        t = pack_table.c
        query = sa.select(pack_table).where(t.name == name).order_by(t.version.desc())
        return [_pack(row) for row in self._db.execute(query)]

    def switches(self) -> dict[str, bool]:
        t = switch_table.c
        rows = self._db.execute(sa.select(t.name, t.enabled))
        return {row.name: row.enabled for row in rows}

    def switch(self, name: str, by: str, at: datetime, *, enabled: bool) -> None:
        values = {"enabled": enabled, "changed_at": at, "changed_by": by}
        self._db.execute(
            postgresql.insert(switch_table)
            .values(name=name, **values)
            .on_conflict_do_update(index_elements=["name"], set_=values)
        )

    # Waivers ---------------------------------------------------------------------------------

    def holder_of(self, deployment_id: str) -> Holder | None:
        t = deployment_table.c
        row = self._db.execute(
            sa.select(t.id, t.tenancy_id, t.path).where(
                t.id == deployment_id, t.state != DeploymentState.DESTROYED.value
            )
        ).one_or_none()
        return None if row is None else Holder(row.id, row.tenancy_id, row.path)

    def add_waiver(self, waiver: Waiver) -> None:
        self._db.execute(sa.insert(waiver_table).values(**_values(waiver)))

    def waiver(self, waiver_id: str, *, lock: bool = False) -> Waiver | None:
        query = sa.select(waiver_table).where(waiver_table.c.id == waiver_id)
        row = self._db.execute(query.with_for_update() if lock else query).one_or_none()
        return None if row is None else _waiver(row)

    def save_waiver(self, waiver: Waiver) -> None:
        values = _values(waiver)
        self._db.execute(
            sa.update(waiver_table).where(waiver_table.c.id == waiver.id).values(**values)
        )

    def waivers(
        self,
        paths: Sequence[str],
        state: WaiverState | None,
        at: datetime,
        filters: Mapping[str, str],
        request: PageRequest,
    ) -> Page[Waiver]:
        t = waiver_table.c
        query = (
            sa.select(waiver_table)
            .where(within(t.path, paths))
            .where(*(t[name] == value for name, value in filters.items()))
            .order_by(t.ends_at, t.id)
            .limit(request.limit + 1)
        )
        if state is not None:
            query = query.where(_in_state(state, at))
        after = request.key(2)
        if after is not None:
            ends_at = parse_instant(after[0], "cursor")
            query = query.where(sa.tuple_(t.ends_at, t.id) > sa.tuple_(ends_at, after[1]))
        rows = [_waiver(row) for row in self._db.execute(query)]
        return page_of(rows, request, lambda w: (format_instant(w.ends_at), w.id))

    def holding(self, holder: Holder, at: datetime) -> list[Waiver]:
        t = waiver_table.c
        here = sa.or_(
            sa.and_(t.kind == SubjectKind.DEPLOYMENT.value, t.subject == holder.deployment),
            sa.and_(t.kind == SubjectKind.TENANCY.value, t.subject == holder.tenancy),
            sa.and_(
                t.kind == SubjectKind.PATH.value,
                sa.func.starts_with(sa.literal(holder.path), t.subject),
            ),
        )
        query = sa.select(waiver_table).where(here, _in_state(WaiverState.ACTIVE, at))
        return [_waiver(row) for row in self._db.execute(query)]

    def named(self, ids: Sequence[str]) -> list[Waiver]:
        query = sa.select(waiver_table).where(waiver_table.c.id.in_(ids))
        return [_waiver(row) for row in self._db.execute(query)]


def _in_state(state: WaiverState, at: datetime) -> sa.ColumnElement[bool]:
    t = waiver_table.c
    if state is WaiverState.REVOKED:
        return t.revoked_at.is_not(None)
    ended = t.ends_at <= at
    return sa.and_(t.revoked_at.is_(None), ended if state is WaiverState.EXPIRED else ~ended)


def _pack(row: sa.Row[Any]) -> Pack:
    return replace(
        pack_from(row.document, stored=True),
        published_at=row.published_at,
        published_by=row.published_by,
    )


def _values(waiver: Waiver) -> dict[str, Any]:
    return {
        column.name: waiver.kind.value if column.name == "kind" else getattr(waiver, column.name)
        for column in waiver_table.columns
    }


def _waiver(row: sa.Row[Any]) -> Waiver:
    return Waiver(
        WaiverId(row.id), row.policy, SubjectKind(row.kind), row.subject, row.path, row.resource,
        row.owner, row.owner_name, row.reason, row.ends_at, row.granted_at, row.granted_by,
        row.granted_by_name, row.revoked_at, row.revoked_by, row.revoked_by_name,
        row.revoked_because,
    )  # fmt: skip
