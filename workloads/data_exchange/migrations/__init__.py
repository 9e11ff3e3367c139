"""The schema's history: Alembic migrations that expand, then contract in a later release."""

from foundation.adapters.postgres.schema import Schema
from workloads.data_exchange.tables import metadata

SCHEMA = Schema(("workloads.data_exchange",), __name__, own=metadata, lock=7_261_003_553)
