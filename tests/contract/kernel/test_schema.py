import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from control_plane.migrations import SCHEMA
from foundation.adapters.postgres.embedded import EmbeddedPostgres
from foundation.kernel.database import Database, metadata

_OBJECTS = sa.text("""
SELECT 'view ' || viewname || ': ' || definition FROM pg_views WHERE schemaname = 'public'
UNION ALL SELECT 'function ' || proname || ': ' || prosrc FROM pg_proc
  WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger
  WHERE NOT tgisinternal AND tgparentid = 0
UNION ALL SELECT 'check ' || conrelid::regclass || ' ' || conname || ' '
    || pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c'
ORDER BY 1""")


def objects(database: Database) -> list[str]:
    """What Alembic's comparison leaves out: views, functions, triggers and checks."""
    with database.transaction():
        return [row[0] for row in database.execute(_OBJECTS)]


def test_the_migrations_make_what_the_features_declare(
    database: Database, postgres: EmbeddedPostgres
) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        SCHEMA.load_tables()
        differences = compare_metadata(context, metadata)
    assert [d for d in differences if not _is_partition(d)] == []
    declared = Database(postgres.url("declared"))
    admin = sa.create_engine(postgres.url("postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE declared"))
    with declared.engine.begin() as connection:
        for table in SCHEMA.load_tables():
            table.create(connection)
    assert objects(database) == objects(declared)
    declared.close()
    admin.dispose()


def _is_partition(difference: object) -> bool:
    # Partitions are made by the month, by the database itself.
    table = difference[1] if isinstance(difference, tuple) and len(difference) > 1 else None
    return isinstance(table, sa.Table) and table.name[-6:].isdigit()


def test_an_upgrade_of_the_newest_changes_nothing(database: Database) -> None:
    assert SCHEMA.is_current(database)
    SCHEMA.upgrade(database)
    assert SCHEMA.is_current(database)
