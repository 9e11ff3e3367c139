"""The schema's history: Alembic migrations that expand, then contract in a later release."""

from foundation.adapters.postgres.schema import Schema
from workloads.video_analytics.tables import metadata

SCHEMA = Schema(("workloads.video_analytics",), __name__, own=metadata, lock=7_261_003_552)
