"""Who runs which revision, and reports, in PostgreSQL."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.provisioning.model import DeploymentState
from control_plane.provisioning.registry.model import (
    Impact,
    ImpactRow,
    Origin,
    Reading,
    ReferenceKind,
    Source,
    SyncResult,
    User,
)
from control_plane.provisioning.store.tables import deployment_table, revision_table
from foundation.kernel.database import Database, metadata, within
from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.paging import Page, PageRequest, page_of

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

source_table = sa.Table(
    "provisioning_source",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("user_name", sa.Text, nullable=False),
    sa.Column("sealed_password", sa.Text),
    sa.Column("allowed_signers", sa.Text, nullable=False),
    sa.Column("signed", sa.Boolean, nullable=False),
    sa.Column("minutes", sa.Integer, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("read_at", _INSTANT),
    sa.Column("commit_id", sa.Text, nullable=False, server_default=""),
    sa.Column("committed_at", _INSTANT),
    sa.Column("signer", sa.Text, nullable=False, server_default=""),
    sa.Column("signed_what", sa.Text, nullable=False, server_default=""),
    sa.Column("error", sa.Text, nullable=False, server_default=""),
    sa.Column("results", postgresql.JSONB, nullable=False, server_default="[]"),
    sa.CheckConstraint("kind IN ('branch', 'tag', 'commit')", name="kind"),
    sa.CheckConstraint("minutes >= 0", name="minutes"),
)
#: It outlives its source: a revision came from where it came from.
origin_table = sa.Table(
    "provisioning_origin",
    metadata,
    sa.Column("revision", sa.Text, sa.ForeignKey("provisioning_revision.digest"), primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("commit_id", sa.Text, nullable=False),
    sa.Column("signer", sa.Text, nullable=False),
    sa.Column("signed_what", sa.Text, nullable=False),
    sa.Column("at", _INSTANT, nullable=False),
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
    below = within(d.path, paths)
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


class SourceRows:
    """Implements ``SourceStore``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add_source(self, source: Source, sealed_password: str | None) -> bool:
        s = source
        made = self._db.execute(
            postgresql.insert(source_table)
            .values(
                id=s.id, slug=s.slug, url=s.url, kind=s.kind.value, reference=s.reference,
                folder=s.folder, user_name=s.user, sealed_password=sealed_password,
                allowed_signers=s.allowed_signers, signed=s.signed, minutes=s.minutes,
                created_at=s.created_at, created_by=s.created_by,
            )
            .on_conflict_do_nothing()
            .returning(source_table.c.id)
        )  # fmt: skip
        return made.first() is not None

    def source(self, reference: str) -> Source | None:
        t = source_table.c
        row = self._db.execute(
            sa.select(source_table).where(sa.or_(t.id == reference, t.slug == reference))
        ).one_or_none()
        return None if row is None else _source(row)

    def sources(self, request: PageRequest) -> Page[Source]:
        t = source_table.c
        query = sa.select(source_table).order_by(t.slug).limit(request.limit + 1)
        after = request.key(1)
        if after is not None:
            query = query.where(t.slug > after[0])
        return page_of(
            [_source(row) for row in self._db.execute(query)], request, lambda s: (s.slug,)
        )

    def sealed_password(self, source_id: str) -> str | None:
        t = source_table.c
        found: str | None = self._db.execute(
            sa.select(t.sealed_password).where(t.id == source_id)
        ).scalar_one_or_none()
        return found

    def put_reading(self, source_id: str, reading: Reading) -> None:
        t, r = source_table.c, reading
        self._db.execute(
            source_table.update()
            .where(t.id == source_id, sa.or_(t.read_at.is_(None), t.read_at <= r.at))
            .values(
                read_at=r.at, commit_id=r.commit, committed_at=r.committed_at, signer=r.signer,
                signed_what=r.signed, error=r.error, results=[x.document() for x in r.results],
            )
        )  # fmt: skip

    def remove_source(self, source_id: str) -> None:
        self._db.execute(source_table.delete().where(source_table.c.id == source_id))

    def add_origin(self, origin: Origin) -> None:
        o = origin
        self._db.execute(
            postgresql.insert(origin_table)
            .values(
                revision=o.revision, source=o.source, url=o.url, commit_id=o.commit,
                signer=o.signer, signed_what=o.signed, at=o.at,
            )
            .on_conflict_do_nothing()
        )  # fmt: skip

    def origins(self, blueprint: str) -> dict[str, Origin]:
        rows = self._db.execute(
            sa.select(origin_table)
            .join(revision_table, revision_table.c.digest == origin_table.c.revision)
            .where(revision_table.c.blueprint == blueprint)
        )
        return {
            row.revision: Origin(
                row.revision, row.source, row.url, row.commit_id, row.signer, row.signed_what,
                row.at,
            )
            for row in rows
        }  # fmt: skip


def _source(row: sa.Row[Any]) -> Source:
    last = None
    if row.read_at is not None:
        last = Reading(
            row.read_at, row.commit_id, row.committed_at, row.signer, row.signed_what, row.error,
            tuple(SyncResult.read(each) for each in row.results),
        )  # fmt: skip
    return Source(
        row.id, row.slug, row.url, ReferenceKind(row.kind), row.reference, row.folder,
        row.user_name, row.sealed_password is not None, row.allowed_signers, row.signed,
        row.minutes, row.created_at, row.created_by, last,
    )  # fmt: skip


class PostgresRegistry(UserRows, ImpactRows, SourceRows):
    """The registry's store on PostgreSQL."""
