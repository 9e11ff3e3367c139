"""The migrations make what the features declare."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.migrations import SCHEMA


def test_the_migrations_make_what_the_features_declare(exchange: Exchange) -> None:
    declared = sa.MetaData()
    for table in SCHEMA.load_tables():
        table.to_metadata(declared)
    with exchange.base.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, declared)
    assert [one for one in found if not _is_partition(one)] == []


def _is_partition(difference: object) -> bool:
    """Partitions of receipts are made by the day, by the database itself."""
    if not isinstance(difference, tuple) or len(difference) < 2:
        return False
    kind, about = difference[0], difference[1]
    name = about.name if isinstance(about, sa.Table) else getattr(about, "table", about).name
    return kind in {"remove_table", "remove_index"} and name.startswith("exchange_receipt_")
