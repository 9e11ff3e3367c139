"""The marketplace's tables."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import metadata, on_create, only_added
from marketplace.model import OPEN, Entry, InstanceState, OrderKind, OrderState

_INSTANT = sa.DateTime(timezone=True)
#: Money and quantities are never rounded before a statement's line.
_MONEY = sa.Numeric


def _one_of(column: str, values: "type[OrderState | OrderKind | InstanceState | Entry]") -> str:
    return f"{column} IN ({', '.join(repr(item.value) for item in values)})"


category_table = sa.Table(
    "marketplace_category",
    metadata,
    sa.Column("slug", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("name", postgresql.JSONB, nullable=False),
    sa.Column("description", postgresql.JSONB, nullable=False),
)

offering_table = sa.Table(
    "marketplace_offering",
    metadata,
    sa.Column("slug", sa.Text, primary_key=True),
    sa.Column("category", sa.Text, sa.ForeignKey("marketplace_category.slug"), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("document", postgresql.JSONB, nullable=False),
)

framework_table = sa.Table(
    "marketplace_framework",
    metadata,
    sa.Column("number", sa.Text, primary_key=True),
    sa.Column("name", postgresql.JSONB, nullable=False),
    sa.Column("suppliers", postgresql.JSONB, nullable=False),
    sa.Column("lots", postgresql.ARRAY(sa.Text), nullable=False),
    sa.Column("term_start", _INSTANT, nullable=False),
    sa.Column("term_end", _INSTANT),
    sa.Column("ceiling", _MONEY, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("price_book", sa.Text, nullable=False),
)

contract_table = sa.Table(
    "marketplace_contract",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("number", sa.Text, nullable=False, unique=True),
    sa.Column("framework", sa.Text, sa.ForeignKey("marketplace_framework.number"), nullable=False),
    sa.Column("organisation_id", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    # The newest version; the row is what orders lock.
    sa.Column("version", sa.Integer, nullable=False),
    sa.Index("ix_marketplace_contract_framework", "framework"),
    sa.Index("ix_marketplace_contract_path", "path", postgresql_ops={"path": "text_pattern_ops"}),
)

contract_version_table = sa.Table(
    "marketplace_contract_version",
    metadata,
    sa.Column("contract_id", sa.Text, sa.ForeignKey("marketplace_contract.id"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("name", postgresql.JSONB, nullable=False),
    sa.Column("term_start", _INSTANT, nullable=False),
    sa.Column("term_end", _INSTANT, nullable=False),
    sa.Column("ceiling", _MONEY, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("discount", _MONEY, nullable=False),
    sa.Column("service_level", postgresql.JSONB, nullable=False),
    sa.Column("effective", _INSTANT, nullable=False),
    sa.Column("signed_by", sa.Text, nullable=False),
    sa.Column("signed_at", _INSTANT, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

ledger_table = sa.Table(
    "marketplace_ledger",
    metadata,
    sa.Column("seq", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("contract_id", sa.Text, sa.ForeignKey("marketplace_contract.id"), nullable=False),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("instance_id", sa.Text, nullable=False),
    sa.Column("entry", sa.Text, nullable=False),
    sa.Column("encumbered", _MONEY, nullable=False),
    sa.Column("committed", _MONEY, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("at", _INSTANT, nullable=False),
    sa.CheckConstraint(_one_of("entry", Entry), name="entry"),
    sa.Index("ix_marketplace_ledger_contract_id", "contract_id"),
    sa.Index("ix_marketplace_ledger_order_id", "order_id"),
    sa.Index("ix_marketplace_ledger_instance_id", "instance_id"),
)

policy_table = sa.Table(
    "marketplace_policy",
    metadata,
    sa.Column("slug", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("document", postgresql.JSONB, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
)

order_table = sa.Table(
    "marketplace_order",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("wish", postgresql.JSONB, nullable=False),
    sa.Column("offering", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("tenancy_id", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("round", sa.Integer, nullable=False),
    sa.Column("requester_id", sa.Text, nullable=False),
    sa.Column("requester_name", sa.Text, nullable=False),
    sa.Column("instance_id", sa.Text, nullable=False),
    sa.Column("deployment_id", sa.Text, nullable=False),
    sa.Column("contract_id", sa.Text, nullable=False),
    sa.Column("plan_id", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("operation_id", sa.Text, nullable=False),
    sa.Column("failure", postgresql.JSONB(none_as_null=True)),
    sa.Column("lapse", postgresql.JSONB(none_as_null=True)),
    sa.Column("deadline", _INSTANT),
    sa.Column("approved_at", _INSTANT),
    sa.Column("active_at", _INSTANT),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.Column("updated_at", _INSTANT, nullable=False),
    sa.CheckConstraint(_one_of("kind", OrderKind), name="kind"),
    sa.CheckConstraint(_one_of("state", OrderState), name="state"),
    sa.Index("ix_marketplace_order_path", "path", postgresql_ops={"path": "text_pattern_ops"}),
    sa.Index("ix_marketplace_order_state", "state"),
    sa.Index("ix_marketplace_order_tenancy_id", "tenancy_id"),
    sa.Index("ix_marketplace_order_instance_id", "instance_id"),
    sa.Index("ix_marketplace_order_offering", "offering", "active_at"),
    # One order at a time lays claim to an instance.
    sa.Index(
        "uq_marketplace_order_open",
        "instance_id",
        unique=True,
        postgresql_where=sa.text(
            f"state IN ({', '.join(sorted(repr(state.value) for state in OPEN))})"
        ),
    ),
)

transition_table = sa.Table(
    "marketplace_transition",
    metadata,
    sa.Column("order_id", sa.Text, sa.ForeignKey("marketplace_order.id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("before", sa.Text),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("by_id", sa.Text, nullable=False),
    sa.Column("by_name", sa.Text, nullable=False),
    sa.Column("at", _INSTANT, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("details", postgresql.JSONB, nullable=False),
)

order_plan_table = sa.Table(
    "marketplace_order_plan",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, sa.ForeignKey("marketplace_order.id"), nullable=False),
    sa.Column("round", sa.Integer, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("provisioning_plan", sa.Text, nullable=False),
    sa.Column("document", postgresql.JSONB, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.Index("ix_marketplace_order_plan_order_id", "order_id", "digest"),
)

approval_table = sa.Table(
    "marketplace_approval",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, sa.ForeignKey("marketplace_order.id"), nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("approver_id", sa.Text, nullable=False),
    sa.Column("approver_name", sa.Text, nullable=False),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", _INSTANT, nullable=False),
    sa.Column("lapsed_at", _INSTANT),
    sa.CheckConstraint("decision IN ('approved', 'rejected')", name="decision"),
    # Nobody twice, and no step twice, as long as it counts.
    sa.Index(
        "uq_marketplace_approval_approver", "order_id", "digest", "approver_id", unique=True,
        postgresql_where=sa.text("lapsed_at IS NULL"),
    ),
    sa.Index(
        "uq_marketplace_approval_step", "order_id", "digest", "step", unique=True,
        postgresql_where=sa.text("lapsed_at IS NULL"),
    ),
)  # fmt: skip

instance_table = sa.Table(
    "marketplace_instance",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, sa.ForeignKey("marketplace_order.id"), nullable=False),
    sa.Column("latest_order_id", sa.Text, nullable=False),
    sa.Column("contract_id", sa.Text, nullable=False),
    sa.Column("deployment_id", sa.Text, nullable=False, unique=True),
    sa.Column("tenancy_id", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("system_id", sa.Text),
    sa.Column("region_id", sa.Text, nullable=False),
    sa.Column("offering", sa.Text, nullable=False),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("inputs", postgresql.JSONB, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("held", postgresql.JSONB, nullable=False),
    sa.Column("monthly", _MONEY, nullable=False),
    sa.Column("currency", sa.Text, nullable=False),
    sa.Column("outputs", postgresql.JSONB, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.Column("ends_at", _INSTANT),
    sa.Column("active_at", _INSTANT),
    sa.Column("deleted_at", _INSTANT),
    sa.CheckConstraint(_one_of("state", InstanceState), name="state"),
    sa.Index("ix_marketplace_instance_path", "path", postgresql_ops={"path": "text_pattern_ops"}),
    sa.Index(
        "uq_marketplace_instance_name", "tenancy_id", "region_id", "name", unique=True,
        postgresql_where=sa.text("state <> 'deleted'"),
    ),
)  # fmt: skip

fee_table = sa.Table(
    "marketplace_fee",
    metadata,
    sa.Column("order_id", sa.Text, sa.ForeignKey("marketplace_order.id"), primary_key=True),
    sa.Column("component", sa.Text, primary_key=True),
    sa.Column("instance_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("meter", sa.Text, nullable=False),
    sa.Column("dimensions", postgresql.JSONB, nullable=False),
    sa.Column("quantity", _MONEY, nullable=False),
    sa.Column("starts", _INSTANT, nullable=False),
    sa.Column("charged_until", _INSTANT, nullable=False),
    sa.Column("ends", _INSTANT),
    sa.CheckConstraint("kind IN ('fixed', 'one_time')", name="kind"),
    sa.Index("ix_marketplace_fee_instance_id", "instance_id"),
    sa.Index(
        "ix_marketplace_fee_running", "charged_until", postgresql_where=sa.text("ends IS NULL")
    ),
)

# What was written of money, approvals and history is never rewritten: a lapse is only noted once,
# and of a fee only up to when it was charged and when it ended.
on_create(
    category_table,
    """
CREATE FUNCTION marketplace_keep() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  free text[] := CASE TG_TABLE_NAME WHEN 'marketplace_approval' THEN ARRAY['lapsed_at']
                                    WHEN 'marketplace_fee' THEN ARRAY['charged_until', 'ends']
                                    ELSE ARRAY[]::text[] END;
  moved text := CASE TG_TABLE_NAME WHEN 'marketplace_approval' THEN 'lapsed_at' ELSE 'ends' END;
BEGIN
  IF TG_OP = 'UPDATE' AND to_jsonb(OLD) - free = to_jsonb(NEW) - free
     AND cardinality(free) > 0 AND to_jsonb(OLD) -> moved = 'null' THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$""",
)
for _table in (
    contract_version_table, ledger_table, policy_table, transition_table, order_plan_table,
    approval_table, fee_table,
):  # fmt: skip
    on_create(_table, only_added(_table.name, "marketplace_keep"))
