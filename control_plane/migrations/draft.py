"""The SQL of all tables as the features declare them.

``python -m control_plane.migrations.draft`` made ``0001_initial.sql``. Later migrations are written
by hand or with ``alembic revision --autogenerate`` and leave that file as it was released.
"""

import re
import sys
from collections.abc import Iterator
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import ExecutableDDLElement

from control_plane.adapters.postgres.schema import load_tables

_INDEX = re.compile(r"CREATE (UNIQUE )?INDEX ")


def draft() -> str:
    """The statements that make an empty database into the declared one."""
    statements: list[str] = []

    def collect(element: ExecutableDDLElement, *_: object, **__: object) -> None:
        compiled = element.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
        # Compiled for a driver that formats: percent signs are doubled.
        statements.append(str(compiled).strip().replace("%%", "%"))

    engine = sa.create_mock_engine("postgresql+psycopg://", collect)
    load_tables().create_all(engine, checkfirst=False)
    return ";\n\n".join(_indexes_sorted(statements)) + ";\n"


def _indexes_sorted(statements: list[str]) -> Iterator[str]:
    """The statements with the indexes of each table by name: SQLAlchemy keeps them in a set."""
    for are_indexes, group in groupby(statements, lambda text: _INDEX.match(text) is not None):
        run = list(group)
        yield from sorted(run) if are_indexes else run


if __name__ == "__main__":
    sys.stdout.write(draft())
