"""The SQL of all tables as the features declare them.

``python -m control_plane.migrations.draft`` made ``0001_initial.sql``. Later migrations are written
by hand or with ``alembic revision --autogenerate`` and leave that file as it was released.
"""

import sys

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import ExecutableDDLElement

from control_plane.adapters.postgres.schema import load_tables


def draft() -> str:
    """The statements that make an empty database into the declared one."""
    statements: list[str] = []

    def collect(element: ExecutableDDLElement, *_: object, **__: object) -> None:
        compiled = element.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
        # Compiled for a driver that formats: percent signs are doubled.
        statements.append(str(compiled).strip().replace("%%", "%"))

    engine = sa.create_mock_engine("postgresql+psycopg://", collect)
    load_tables().create_all(engine, checkfirst=False)
    return ";\n\n".join(statements) + ";\n"


if __name__ == "__main__":
    sys.stdout.write(draft())
