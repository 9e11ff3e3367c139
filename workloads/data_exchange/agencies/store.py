"""The agencies' table."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.access.store.tables import grant_table, principal_table
from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.text import Text
from workloads.data_exchange.agencies.model import Agency, AgencyId, Level
from workloads.data_exchange.tables import metadata

agency_table = sa.Table(
    "exchange_agency",
    metadata,
    sa.Column("path", sa.Text(collation="C"), primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("name", postgresql.JSONB, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False, server_default=""),
    sa.Column("external", sa.Text, nullable=False, server_default=""),
)
_T = agency_table.c


class PostgresAgencies:
    """Keeps agencies; also the ``Places`` of the foundation's people."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def exists(self, path: str) -> bool:
        """Whether an agency has this path; called in the open transaction."""
        if path == "/":
            return True
        # Held until the end: nobody takes the agency away while something comes into it.
        query = sa.select(_T.path).where(_T.path == path).with_for_update(read=True)
        return self._db.execute(query).first() is not None

    def add(self, agency: Agency) -> bool:
        """Keep a new one; False when its path is taken."""
        made = self._db.execute(
            postgresql.insert(agency_table)
            .values(
                path=agency.path,
                id=agency.id,
                **_kept(agency),
            )
            .on_conflict_do_nothing(index_elements=["path"])
            .returning(_T.path)
        ).first()
        return made is not None

    def find(self, reference: str) -> Agency | None:
        """By id or by path."""
        query = sa.select(agency_table).where(sa.or_(_T.id == reference, _T.path == reference))
        row = self._db.execute(query).one_or_none()
        return None if row is None else _agency(row)

    def list(self, paths: Sequence[str], request: PageRequest) -> Page[Agency]:
        """Those at or below any of the paths, by path."""
        query = sa.select(agency_table).where(within(_T.path, paths))
        after = request.key(1)
        if after is not None:
            query = query.where(_T.path > after[0])
        rows = self._db.execute(query.order_by(_T.path).limit(request.limit + 1))
        return page_of([_agency(row) for row in rows], request, lambda one: (one.path,))

    def change(self, agency: Agency) -> None:
        """Keep what may change of it."""
        self._db.execute(agency_table.update().where(_T.id == agency.id).values(**_kept(agency)))

    def remove(self, agency: Agency) -> bool:
        """Take it away; False when something is below it or belongs to it."""
        path = agency.path
        self._db.execute(sa.select(_T.path).where(_T.path == path).with_for_update())
        inside = [
            sa.select(sa.literal(1)).where(column.startswith(path, autoescape=True), besides)
            for column, besides in (
                (_T.path, _T.path != path),
                (principal_table.c.path, sa.true()),
                (grant_table.c.path, sa.true()),
            )
        ]
        if self._db.execute(sa.union_all(*inside).limit(1)).first() is not None:
            return False
        try:
            # What features above keep refers to it by foreign keys.
            with self._db.connection.begin_nested():
                self._db.execute(agency_table.delete().where(_T.path == path))
        except sa.exc.IntegrityError:
            return False
        return True


def _kept(agency: Agency) -> dict[str, Any]:
    return {
        "name": agency.name.as_json(), "level": agency.level.value, "code": agency.code,
        "external": agency.external,
    }  # fmt: skip


def _agency(row: sa.Row[Any]) -> Agency:
    return Agency(
        row.path, Text(**row.name), Level(row.level), row.code, row.external, AgencyId(row.id)
    )
