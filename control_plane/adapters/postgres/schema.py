"""The schema: Alembic migrations, run under a lock so that two starts do not race."""

import importlib
import pkgutil
from importlib import resources

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import control_plane
import marketplace
from control_plane.kernel.database import Database, metadata

_LOCK = 7_261_003_551
_TABLES = {"store", "outbox", "tables"}


def load_tables() -> sa.MetaData:
    """The metadata with every feature's tables: those of all modules named ``store``."""
    for package in (control_plane, marketplace):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            parts = module.name.split(".")
            if _TABLES.intersection(parts) and "migrations" not in parts:
                importlib.import_module(module.name)
    return metadata


def upgrade(database: Database) -> None:
    """Bring the database to the newest schema; does nothing when it is there already."""
    with database.engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(database: Database) -> bool:
    """Whether the database has the newest schema."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == newest


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files("control_plane") / "migrations"))
    return config
