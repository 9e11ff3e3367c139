"""The departments' table."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.access.store.tables import grant_table, principal_table
from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.text import Text
from workloads.video_analytics.departments.model import Department, DepartmentId
from workloads.video_analytics.tables import metadata

department_table = sa.Table(
    "video_department",
    metadata,
    sa.Column("path", sa.Text(collation="C"), primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("name", postgresql.JSONB, nullable=False),
    sa.Column("external", sa.Text, nullable=False, server_default=""),
)
_T = department_table.c


class PostgresDepartments:
    """Keeps departments; also the ``Places`` of the foundation's people."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def exists(self, path: str) -> bool:
        """Whether a department has this path; called in the open transaction."""
        if path == "/":
            return True
        # Held until the end: nobody takes the department away while something comes into it.
        query = sa.select(_T.path).where(_T.path == path).with_for_update(read=True)
        return self._db.execute(query).first() is not None

    def add(self, department: Department) -> bool:
        """Keep a new one; False when its path is taken."""
        made = self._db.execute(
            postgresql.insert(department_table)
            .values(
                path=department.path,
                id=department.id,
                name=department.name.as_json(),
                external=department.external,
            )
            .on_conflict_do_nothing(index_elements=["path"])
            .returning(_T.path)
        ).first()
        return made is not None

    def find(self, reference: str) -> Department | None:
        """By id or by path."""
        query = sa.select(department_table).where(sa.or_(_T.id == reference, _T.path == reference))
        row = self._db.execute(query).one_or_none()
        return None if row is None else _department(row)

    def list(self, paths: Sequence[str], request: PageRequest) -> Page[Department]:
        """Those at or below any of the paths, by path."""
        query = sa.select(department_table).where(within(_T.path, paths))
        after = request.key(1)
        if after is not None:
            query = query.where(_T.path > after[0])
        rows = self._db.execute(query.order_by(_T.path).limit(request.limit + 1))
        return page_of([_department(row) for row in rows], request, lambda one: (one.path,))

    def change(self, department: Department) -> None:
        """Keep its name and external id."""
        self._db.execute(
            department_table.update()
            .where(_T.id == department.id)
            .values(name=department.name.as_json(), external=department.external)
        )

    def remove(self, department: Department) -> bool:
        """Take it away; False when something is below it or belongs to it."""
        path = department.path
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
                self._db.execute(department_table.delete().where(_T.path == path))
        except sa.exc.IntegrityError:
            return False
        return True


def _department(row: sa.Row[Any]) -> Department:
    return Department(row.path, Text(**row.name), row.external, DepartmentId(row.id))
