import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from control_plane.adapters.postgres.schema import is_current, load_tables, upgrade
from control_plane.kernel.database import Database


def test_the_migrations_make_what_the_features_declare(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, load_tables())
    # Partitions are made by the month, by the database itself.
    assert [d for d in differences if not _is_partition(d)] == []


def _is_partition(difference: object) -> bool:
    table = difference[1] if isinstance(difference, tuple) and len(difference) > 1 else None
    return isinstance(table, sa.Table) and table.name[-6:].isdigit()


def test_an_upgrade_of_the_newest_changes_nothing(database: Database) -> None:
    assert is_current(database)
    upgrade(database)
    assert is_current(database)
