"""The tables of provisioning."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from control_plane.provisioning.model import (
    TENANCY_BLUEPRINT,
    DeploymentState,
    InventoryState,
    RegionState,
)
from foundation.kernel.database import metadata

_INSTANT = sa.DateTime(timezone=True)
_JSON = postgresql.JSONB


def _one_of(column: str, values: type[DeploymentState | InventoryState | RegionState]) -> str:
    return f"{column} IN ({', '.join(repr(v.value) for v in values)})"


region_table = sa.Table(
    "provisioning_region",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    sa.Column("title", _JSON, nullable=False),
    sa.Column("kinds", _JSON, nullable=False),
    sa.Column("engine", sa.Text, nullable=False),
    sa.Column("simulated", sa.Boolean, nullable=False),
    sa.Column("config", _JSON, nullable=False),
    sa.Column("sealed_credentials", sa.Text),
    sa.Column("credential_kinds", _JSON, nullable=False),
    sa.Column("capacity", _JSON, nullable=False),
    sa.Column("data_classes", _JSON, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.CheckConstraint("engine IN ('embedded', 'pulumi')", name="engine"),
    sa.CheckConstraint(_one_of("state", RegionState), name="state"),
)

# The version is kept in parts too, so that 1.10.0 sorts after 1.9.0.
revision_table = sa.Table(
    "provisioning_revision",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("blueprint", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("version_key", postgresql.ARRAY(sa.BigInteger), nullable=False),
    sa.Column("document", _JSON, nullable=False),
    sa.Column("archive", sa.LargeBinary, nullable=False),
    sa.Column("published_at", _INSTANT, nullable=False),
    sa.Column("published_by", sa.Text, nullable=False),
    sa.UniqueConstraint("blueprint", "version"),
    sa.Index("ix_provisioning_revision_newest", "blueprint", sa.text("version_key DESC")),
)

standing_table = sa.Table(
    "provisioning_standing",
    metadata,
    sa.Column("blueprint", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("successor", sa.Text, nullable=False),
    sa.Column("ends_at", _INSTANT),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("since", _INSTANT, nullable=False),
    sa.Column("said_by", sa.Text, nullable=False),
    sa.CheckConstraint("kind IN ('published', 'deprecated', 'retired')", name="kind"),
    sa.CheckConstraint("(kind = 'deprecated') = (ends_at IS NOT NULL)", name="ends_at"),
)

deployment_table = sa.Table(
    "provisioning_deployment",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenancy_id", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("region_id", sa.Text, sa.ForeignKey("provisioning_region.id"), nullable=False),
    sa.Column("blueprint", sa.Text, nullable=False),
    sa.Column("revision", sa.Text, sa.ForeignKey("provisioning_revision.digest"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("inputs", _JSON, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("state_before", sa.Text),
    sa.Column("outputs", _JSON, nullable=False),
    sa.Column("secret_outputs", _JSON, nullable=False),
    sa.Column("sealed_outputs", sa.Text),
    sa.Column("sealed_seed", sa.Text, nullable=False),
    sa.Column("plan_id", sa.Text),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("operation", sa.Text, nullable=False),
    sa.Column("last_operation", sa.Text, nullable=False),
    sa.Column("fence", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("footprint", _JSON, nullable=False),
    sa.Column("tags", _JSON, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.Column("updated_at", _INSTANT, nullable=False),
    sa.CheckConstraint(_one_of("state", DeploymentState), name="state"),
    sa.Index("uq_provisioning_deployment_name", "tenancy_id", "region_id", "name", unique=True,
             postgresql_where=sa.text("state <> 'destroyed'")),
    sa.Index("uq_provisioning_deployment_landing", "tenancy_id", "region_id", unique=True,
             postgresql_where=sa.text(
                 f"state <> 'destroyed' AND blueprint = '{TENANCY_BLUEPRINT}'")),
    sa.Index("ix_provisioning_deployment_region_id", "region_id"),
    sa.Index("ix_provisioning_deployment_path", "path", "id",
             postgresql_ops={"path": "text_pattern_ops"}),
)  # fmt: skip

plan_table = sa.Table(
    "provisioning_plan",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("deployment_id", sa.Text, sa.ForeignKey("provisioning_deployment.id"),
              nullable=False),
    sa.Column("document", _JSON, nullable=False),
    sa.Column("capacity", _JSON, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.UniqueConstraint("deployment_id", "digest"),
    sa.Index("ix_provisioning_plan_digest", "digest"),
)  # fmt: skip

resource_table = sa.Table(
    "provisioning_resource",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("deployment_id", sa.Text, sa.ForeignKey("provisioning_deployment.id"),
              nullable=False),
    sa.Column("region_id", sa.Text, nullable=False),
    sa.Column("tenancy_id", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("urn", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("physical_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("hourly", _JSON, nullable=False),
    sa.Column("history", _JSON, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.Column("deleted_at", _INSTANT),
    sa.CheckConstraint(_one_of("state", InventoryState), name="state"),
    sa.CheckConstraint("(state = 'deleted') = (deleted_at IS NOT NULL)", name="deleted"),
    sa.Index("uq_provisioning_resource_urn", "deployment_id", "urn", unique=True,
             postgresql_where=sa.text("deleted_at IS NULL")),
    sa.Index("ix_provisioning_resource_physical_id", "physical_id",
             postgresql_where=sa.text("physical_id <> ''")),
    sa.Index("ix_provisioning_resource_path", "path", "id",
             postgresql_ops={"path": "text_pattern_ops"}),
    sa.Index("ix_provisioning_resource_region_id", "region_id", "deleted_at"),
    sa.Index("ix_provisioning_resource_newest", sa.text("created_at DESC"), sa.text("id DESC"),
             postgresql_where=sa.text("deleted_at IS NULL")),
    sa.Index("ix_provisioning_resource_tenancy_id", "tenancy_id"),
)  # fmt: skip
