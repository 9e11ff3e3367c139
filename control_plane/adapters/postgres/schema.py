"""The schema: Alembic migrations, run under a lock so that two starts do not race."""

import importlib
import pkgutil

import sqlalchemy as sa

import control_plane
import marketplace
from control_plane.kernel.database import Database, metadata

_LOCK = 7_261_003_551


def load_tables() -> sa.MetaData:
    """The metadata with every feature's tables: all modules named ``store`` and ``outbox``."""
    for package in (control_plane, marketplace):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.rpartition(".")[2] in {"store", "outbox", "tables"}:
                importlib.import_module(module.name)
    return metadata


def upgrade(database: Database) -> None:
    """Bring the database to the newest schema; does nothing when it is there already."""
    tables = load_tables()
    with database.engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        tables.create_all(connection)
