"""The schema's history: Alembic migrations that expand, then contract in a later release."""
