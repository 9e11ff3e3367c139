"""Runs of playbooks, the ways in to servers, and the keys that servers are known by."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"

_INSTANT = sa.DateTime(timezone=True)
_RUN, _HOST = "playbook_run", "playbook_host"
_ACCESS, _KEY = "playbook_access", "playbook_host_key"


def upgrade() -> None:
    op.create_table(
        _RUN,
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("deployment_id", sa.Text, nullable=False),
        sa.Column("tenancy_id", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("playbook", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("inputs", JSONB, nullable=False),
        sa.Column("sealed_secrets", sa.Text),
        sa.Column("check", sa.Boolean, nullable=False),
        sa.Column("waves", JSONB, nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("approved_by", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("started_at", _INSTANT),
        sa.Column("ended_at", _INSTANT),
        sa.CheckConstraint(
            "state IN ('waiting', 'queued', 'running', 'succeeded', 'failed', 'cancelled')",
            name=op.f(f"ck_{_RUN}_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=f"pk_{_RUN}"),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["provisioning_deployment.id"],
            name=f"fk_{_RUN}_deployment_id_provisioning_deployment",
        ),
    )
    op.create_index(
        f"uq_{_RUN}_cause", _RUN, ["cause"], unique=True,
        postgresql_where=sa.text("cause LIKE 'apply:%'"),
    )  # fmt: skip
    op.create_index(
        f"ix_{_RUN}_path", _RUN, ["path", "id"], postgresql_ops={"path": "text_pattern_ops"}
    )
    op.create_index(f"ix_{_RUN}_deployment", _RUN, ["deployment_id", "id"])
    op.create_index(
        f"ix_{_RUN}_open", _RUN, ["id"],
        postgresql_where=sa.text("state IN ('waiting', 'queued', 'running')"),
    )  # fmt: skip
    op.create_table(
        _HOST,
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("alias", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("wave", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("ok", sa.Integer, nullable=False),
        sa.Column("changed", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("skipped", sa.Integer, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("controls", JSONB, nullable=False),
        sa.CheckConstraint(
            "state IN ('pending', 'running', 'ok', 'changed', 'failed', 'unreachable', 'skipped', "
            "'unknown')",
            name=op.f(f"ck_{_HOST}_state"),
        ),
        sa.PrimaryKeyConstraint("run_id", "name", name=f"pk_{_HOST}"),
        sa.ForeignKeyConstraint(["run_id"], [f"{_RUN}.id"], name=f"fk_{_HOST}_run_id_{_RUN}"),
    )
    op.create_table(
        _ACCESS,
        sa.Column("tenancy_id", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("become", sa.Boolean, nullable=False),
        sa.Column("reach", sa.Text, nullable=False),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("sealed_key", sa.Text, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("changed_at", _INSTANT, nullable=False),
        sa.CheckConstraint("reach IN ('inside', 'public')", name=op.f(f"ck_{_ACCESS}_reach")),
        sa.PrimaryKeyConstraint("tenancy_id", name=f"pk_{_ACCESS}"),
    )
    op.create_table(
        _KEY,
        sa.Column("deployment_id", sa.Text, nullable=False),
        sa.Column("alias", sa.Text, nullable=False),
        sa.Column("line", sa.Text, nullable=False),
        sa.Column("learned_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("deployment_id", "alias", "line", name=f"pk_{_KEY}"),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["provisioning_deployment.id"],
            name=f"fk_{_KEY}_deployment_id_provisioning_deployment",
        ),
    )
