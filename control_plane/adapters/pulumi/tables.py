"""What the Pulumi engine remembers beside Pulumi's own state."""

import sqlalchemy as sa

from foundation.kernel.database import metadata

NOTE = sa.Table(
    "pulumi_note",
    metadata,
    sa.Column("deployment", sa.Text, primary_key=True),
    sa.Column("urn", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    # The resource as it was asked for, which may hold secrets.
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.CheckConstraint("kind IN ('made', 'wrecked', 'late')", name="kind"),
)
