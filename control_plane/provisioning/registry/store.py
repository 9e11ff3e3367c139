"""Who runs which revision, and reports, in PostgreSQL."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.kernel.database import Database, metadata
from control_plane.kernel.errors import Invalid, Problem
from control_plane.kernel.paging import Page, PageRequest, page_of
from control_plane.provisioning.model import DeploymentState
from control_plane.provisioning.registry.model import Impact, ImpactRow, User
from control_plane.provisioning.store.tables import deployment_table, revision_table

_MOST_DIGITS = 9
_INSTANT = sa.DateTime(timezone=True)
_GONE = (DeploymentState.DESTROYED.value, DeploymentState.PENDING.value)
#: What people look at first.
_ORDER = {"problem": 0, "replace": 1, "change": 2, "same": 3}

impact_table = sa.Table(
    "provisioning_impact",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("blueprint", sa.Text, nullable=False),
    sa.Column("revision", sa.Text, sa.ForeignKey("provisioning_revision.digest"), nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("made_at", _INSTANT, nullable=False),
    sa.Column("totals", postgresql.JSONB, nullable=False),
    sa.Column("truncated", sa.Boolean, nullable=False),
    sa.Index("ix_provisioning_impact_revision", "revision", "made_at"),
)
impact_row_table = sa.Table(
    "provisioning_impact_row",
    metadata,
    sa.Column("impact_id", sa.Text, sa.ForeignKey("provisioning_impact.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("document", postgresql.JSONB, nullable=False),
)


class UserRows:
    """Implements ``UserStore``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def users(
        self, blueprint: str, paths: Sequence[str], request: PageRequest, *, version: str = ""
    ) -> Page[User]:
        d, r = deployment_table.c, revision_table.c
        query = (
            sa.select(
                d.id, d.name, d.path, d.tenancy_id, d.region_id, d.state, d.owner, d.revision,
                r.version,
            )
            .join_from(deployment_table, revision_table, d.revision == r.digest)
            .where(_living(blueprint, paths))
            .order_by(d.id)
            .limit(request.limit + 1)
        )  # fmt: skip
        if version:
            query = query.where(r.version == version)
        after = request.key(1)
        if after is not None:
            query = query.where(d.id > after[0])
        rows = [_user(row) for row in self._db.execute(query)]
        return page_of(rows, request, lambda u: (u.deployment,))

    def counts(self, blueprint: str, paths: Sequence[str]) -> dict[str, int]:
        d, r = deployment_table.c, revision_table.c
        rows = self._db.execute(
            sa.select(r.version, sa.func.count().label("number"))
            .join_from(deployment_table, revision_table, d.revision == r.digest)
            .where(_living(blueprint, paths))
            .group_by(r.version)
        )
        return {row.version: row.number for row in rows}


def _living(blueprint: str, paths: Sequence[str]) -> sa.ColumnElement[bool]:
    d = deployment_table.c
    below = sa.or_(sa.false(), *(d.path.startswith(path, autoescape=True) for path in paths))
    return sa.and_(d.blueprint == blueprint, d.state.notin_(_GONE), below)


def _user(row: sa.Row[Any]) -> User:
    return User(
        row.id, row.name, row.path, row.tenancy_id, row.region_id, row.state, row.owner,
        row.revision, row.version,
    )  # fmt: skip


class ImpactRows:
    """Implements ``ImpactStore``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put_impact(self, impact: Impact, rows: Sequence[ImpactRow]) -> None:
        i = impact
        made = self._db.execute(
            postgresql.insert(impact_table)
            .values(
                id=i.id, blueprint=i.blueprint, revision=i.revision, version=i.version,
                made_at=i.made_at, totals=i.totals, truncated=i.truncated,
            )
            .on_conflict_do_nothing()
            .returning(impact_table.c.id)
        )  # fmt: skip
        if made.first() is None or not rows:
            return
        ordered = sorted(rows, key=lambda row: (_ORDER[row.outcome], row.path, row.name))
        values = [
            {"impact_id": i.id, "number": number, "document": row.document()}
            for number, row in enumerate(ordered)
        ]
        self._db.execute(impact_row_table.insert().values(values))

    def impact(self, revision: str) -> Impact | None:
        t = impact_table.c
        row = self._db.execute(
            sa.select(impact_table)
            .where(t.revision == revision)
            .order_by(t.made_at.desc(), t.id.desc())
            .limit(1)
        ).one_or_none()
        return None if row is None else _impact(row)

    def impact_rows(self, impact_id: str, request: PageRequest) -> Page[ImpactRow]:
        t = impact_row_table.c
        query = (
            sa.select(t.number, t.document)
            .where(t.impact_id == impact_id)
            .order_by(t.number)
            .limit(request.limit + 1)
        )
        after = request.key(1)
        if after is not None:
            if not after[0].isdecimal() or len(after[0]) > _MOST_DIGITS:
                raise Invalid([Problem("cursor", "is not a cursor of this list")])
            query = query.where(t.number > int(after[0]))
        found = [(row.number, ImpactRow.read(row.document)) for row in self._db.execute(query)]
        page = page_of(found, request, lambda pair: (str(pair[0]),))
        return Page(tuple(row for _, row in page.items), page.next)


def _impact(row: sa.Row[Any]) -> Impact:
    return Impact(
        row.id, row.blueprint, row.revision, row.version, row.made_at, row.totals, row.truncated
    )


class PostgresRegistry(UserRows, ImpactRows):
    """The registry's store on PostgreSQL."""
