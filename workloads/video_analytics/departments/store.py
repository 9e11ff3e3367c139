"""The departments' table."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database
from workloads.video_analytics.tables import metadata

department_table = sa.Table(
    "video_department",
    metadata,
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("name", postgresql.JSONB, nullable=False),
    sa.Column("external", sa.Text, nullable=False, server_default=""),
)


class PostgresDepartments:
    """Keeps departments; also the ``Places`` of the foundation's people."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def exists(self, path: str) -> bool:
        """Whether a department has this path; called in the open transaction."""
        if path == "/":
            return True
        found = self._db.execute(
            sa.select(sa.literal(1)).where(department_table.c.path == path)
        ).first()
        return found is not None
