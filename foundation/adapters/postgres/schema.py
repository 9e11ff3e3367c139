"""The schema: Alembic migrations, run under a lock so that two starts do not race."""

import importlib
import pkgutil
import re
from collections.abc import Iterator, Sequence
from importlib import resources
from itertools import groupby

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import ExecutableDDLElement

from foundation.kernel.database import Database, metadata

_INDEX = re.compile(r"CREATE (UNIQUE )?INDEX ")
_TABLES = {"store", "outbox", "tables"}
_FOUNDATION = "foundation"
_SHARED = ("kernel_", "surface_", "access_", "operations_")


class Schema:
    """A product's schema.

    Args:
        packages: where its tables are declared, in modules or folders named ``store``, ``tables``
            or ``outbox``; the foundation's belong to every product.
        migrations: the package with Alembic's ``env.py`` and ``versions``.
        own: the metadata of the product's tables, when that is not the foundation's.
        lock: the advisory lock of its migrations.
    """

    def __init__(
        self,
        packages: Sequence[str],
        migrations: str,
        *,
        own: sa.MetaData = metadata,
        lock: int = 7_261_003_551,
    ) -> None:
        self._packages, self._migrations, self._own = packages, migrations, own
        self._lock = lock

    def load_tables(self) -> list[sa.Table]:
        """Every feature's tables, in an order in which they can be made."""
        for name in (_FOUNDATION, *self._packages):
            package = importlib.import_module(name)
            for module in pkgutil.walk_packages(package.__path__, f"{name}."):
                parts = module.name.split(".")
                if _TABLES.intersection(parts) and "migrations" not in parts:
                    importlib.import_module(module.name)
        if self._own is metadata:
            return metadata.sorted_tables
        shared = [t for t in metadata.sorted_tables if t.name.startswith(_SHARED)]
        return [*shared, *self._own.sorted_tables]

    def upgrade(self, database: Database) -> None:
        """Bring the database to the newest schema; does nothing when it is there already."""
        with database.engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": self._lock})
            config = self._config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def is_current(self, database: Database) -> bool:
        """Whether the database has the newest schema."""
        newest = ScriptDirectory.from_config(self._config()).get_current_head()
        with database.engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision() == newest

    def draft(self) -> str:
        """The statements that make an empty database into the declared one."""
        statements: list[str] = []

        def collect(element: ExecutableDDLElement, *_: object, **__: object) -> None:
            compiled = element.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
            # Compiled for a driver that formats: percent signs are doubled.
            statements.append(str(compiled).strip().replace("%%", "%"))

        engine = sa.create_mock_engine("postgresql+psycopg://", collect)
        for table in self.load_tables():
            table.create(engine, checkfirst=False)
        return ";\n\n".join(_indexes_sorted(statements)) + ";\n"

    def _config(self) -> Config:
        config = Config()
        config.set_main_option("script_location", str(resources.files(self._migrations)))
        return config


def _indexes_sorted(statements: list[str]) -> Iterator[str]:
    """The statements with the indexes of each table by name: SQLAlchemy keeps them in a set."""
    for are_indexes, group in groupby(statements, lambda text: _INDEX.match(text) is not None):
        run = list(group)
        yield from sorted(run) if are_indexes else run
