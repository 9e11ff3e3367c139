"""Tables of the simulated region."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from foundation.kernel.database import metadata

STACK = sa.Table(
    "embedded_stack",
    metadata,
    sa.Column("deployment", sa.Text, primary_key=True),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("outputs", JSONB, nullable=False),
    sa.Column("sealed_outputs", sa.Text, nullable=False),
    sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
)

RESOURCE = sa.Table(
    "embedded_resource",
    metadata,
    sa.Column("deployment", sa.Text, primary_key=True),
    sa.Column("urn", sa.Text, primary_key=True),
    # A replaced object lives on under its old generation until the new one stands.
    sa.Column("generation", sa.Integer, primary_key=True),
    sa.Column("position", sa.BigInteger, sa.Identity(), nullable=False),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("physical_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("custom", sa.Boolean, nullable=False),
    sa.Column("protected", sa.Boolean, nullable=False),
    # The project or namespace that it is in; its quotas count it.
    sa.Column("place", sa.Text, nullable=False),
    # The address that it has, and the range that it is from.
    sa.Column("pool", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("inputs", JSONB, nullable=False),
    sa.Column("computed", JSONB, nullable=False),
    sa.Column("takes", JSONB, nullable=False),
    sa.Column("depends_on", JSONB, nullable=False),
    # What somebody changed behind the platform's back: {path: value}, or {"missing": true}.
    sa.Column("drift", JSONB, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("state IN ('creating', 'created', 'deleting')", name="state"),
    sa.Index("ix_embedded_resource_region_place", "region", "place"),
)

# What somebody added by hand to an object of the region.
BESIDE = sa.Table(
    "embedded_beside",
    metadata,
    sa.Column("region", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    # The physical id of what it lies in.
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("found", JSONB, nullable=False),
    sa.Index("ix_embedded_beside_holder", "region", "holder"),
)

ACTION = sa.Table(
    "embedded_action",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("deployment", sa.Text, nullable=False),
    sa.Column("urn", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("physical_id", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    # The inputs that hold from then on, secrets masked: what it is, and how large.
    sa.Column("inputs", JSONB, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint(
        "action IN ('create', 'start', 'stop', 'resize', 'change', 'delete')", name="action"
    ),
    sa.Index("ix_embedded_action_region_at", "region", "at", "id"),
)

PROCESS = sa.Table(
    "embedded_process",
    metadata,
    sa.Column("deployment", sa.Text, primary_key=True),
    sa.Column("urn", sa.Text, primary_key=True),
    sa.Column("program", sa.Text, nullable=False),
    sa.Column("arguments", JSONB, nullable=False),
    # Its variables, sealed: secrets of the workload are among them.
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("labels", JSONB, nullable=False),
    sa.Column("replicas", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("state IN ('starting', 'running', 'failed')", name="state"),
)

FAULT = sa.Table(
    "embedded_fault",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("region", sa.Text, nullable=False),
    # Patterns as of a shell, over type and logical name.
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("op", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    # How often it still happens; NULL is always.
    sa.Column("remaining", sa.Integer),
    sa.CheckConstraint("kind IN ('fail', 'hang', 'slow')", name="kind"),
    sa.CheckConstraint("op IN ('any', 'create', 'update', 'delete')", name="op"),
)
