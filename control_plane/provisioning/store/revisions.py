"""Blueprints and their revisions in PostgreSQL."""

import re
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.provisioning.model import (
    Blueprint,
    Revision,
)
from control_plane.provisioning.store.tables import (
    revision_table,
)
from foundation.kernel.database import Database
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.text import Text


class RevisionRows:
    """Implements ``RevisionStore``."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add_revision(self, revision: Revision, archive: bytes) -> bool:
        made = self._db.execute(
            postgresql.insert(revision_table)
            .values(
                digest=revision.digest,
                blueprint=revision.blueprint,
                version=revision.version,
                version_key=[int(part) for part in revision.version.split(".")],
                document=revision.document,
                archive=archive,
                published_at=revision.published_at,
                published_by=revision.published_by,
            )
            .on_conflict_do_nothing()
            .returning(revision_table.c.digest)
        )
        return made.first() is not None

    def revision(self, digest: str) -> Revision | None:
        return self._one_revision(revision_table.c.digest == digest)

    def revision_of(self, blueprint: str, version: str | None) -> Revision | None:
        wanted = revision_table.c.blueprint == blueprint
        if version is not None:
            wanted &= revision_table.c.version == version
        return self._one_revision(wanted)

    def _one_revision(self, wanted: sa.ColumnElement[bool]) -> Revision | None:
        row = self._db.execute(
            _revisions().where(wanted).order_by(revision_table.c.version_key.desc()).limit(1)
        ).one_or_none()
        return None if row is None else _revision(row)

    def archive(self, digest: str) -> bytes | None:
        found: bytes | None = self._db.execute(
            sa.select(revision_table.c.archive).where(revision_table.c.digest == digest)
        ).scalar_one_or_none()
        return found

    def blueprints(self, request: PageRequest) -> Page[Blueprint]:
        t = revision_table.c
        query = (
            _revisions()
            .ext(postgresql.distinct_on(t.blueprint))
            .order_by(t.blueprint, t.version_key.desc())
            .limit(request.limit + 1)
        )
        after = request.key(1)
        if after is not None:
            query = query.where(t.blueprint > after[0])
        rows = [_blueprint(_revision(row)) for row in self._db.execute(query)]
        return page_of(rows, request, lambda b: (b.name,))

    def revisions(self, blueprint: str, request: PageRequest) -> Page[Revision]:
        t = revision_table.c
        query = _revisions().where(t.blueprint == blueprint).order_by(t.version_key.desc())
        after = request.key(1)
        if after is not None:
            key = [int(part) for part in after[0].split(".") if re.fullmatch("[0-9]{1,18}", part)]
            query = query.where(t.version_key < sa.cast(key, postgresql.ARRAY(sa.BigInteger)))
        rows = [_revision(row) for row in self._db.execute(query.limit(request.limit + 1))]
        return page_of(rows, request, lambda r: (r.version,))


def _revisions() -> sa.Select[Any]:
    t = revision_table.c
    return sa.select(t.digest, t.blueprint, t.version, t.document, t.published_at, t.published_by)


def _revision(row: sa.Row[Any]) -> Revision:
    return Revision(
        row.digest, row.blueprint, row.version, row.document, row.published_at, row.published_by
    )


def _blueprint(newest: Revision) -> Blueprint:
    document = newest.document
    return Blueprint(
        newest.blueprint, newest.title, Text(**document["description"]), document["owner"],
        document["category"], newest.version, newest.digest, newest.published_at,
    )  # fmt: skip
