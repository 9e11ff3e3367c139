"""Workloads of simulated regions run as local processes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "embedded_process",
        sa.Column("deployment", sa.Text, nullable=False),
        sa.Column("urn", sa.Text, nullable=False),
        sa.Column("program", sa.Text, nullable=False),
        sa.Column("arguments", JSONB, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("labels", JSONB, nullable=False),
        sa.Column("replicas", sa.Integer, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('starting', 'running', 'failed')", name=op.f("ck_embedded_process_state")
        ),
        sa.PrimaryKeyConstraint("deployment", "urn", name="pk_embedded_process"),
    )
