"""The schema's history: Alembic migrations that expand, then contract in a later release."""

from foundation.adapters.postgres.schema import Schema

SCHEMA = Schema(("control_plane", "marketplace"), __name__)
