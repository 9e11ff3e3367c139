"""Alembic's environment: runs on the connection that the caller opened and locked."""

from alembic import context

from workloads.data_exchange.tables import metadata


def _run() -> None:
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transaction_per_migration=False,
        version_table="alembic_version",
    )
    context.run_migrations()


_run()
