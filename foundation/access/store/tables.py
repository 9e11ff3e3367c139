"""The tables of access."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from foundation.access.model import GENESIS
from foundation.kernel.database import metadata


def _at(name: str, *, optional: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=optional)


principal_table = sa.Table(
    "access_principal",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("login", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("email", sa.Text, nullable=False, server_default=""),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text),
    _at("created_at"),
    sa.Column("version", sa.Integer, nullable=False, server_default="1"),
    sa.CheckConstraint("kind IN ('person', 'service')", name="kind"),
    sa.CheckConstraint("state IN ('active', 'disabled')", name="state"),
    sa.Index("ix_access_principal_path", "path", postgresql_ops={"path": "text_pattern_ops"}),
)

grant_table = sa.Table(
    "access_grant",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("principal_id", sa.Text, sa.ForeignKey("access_principal.id"), nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("granted_by", sa.Text, nullable=False),
    _at("created_at"),
    sa.UniqueConstraint("principal_id", "role", "path"),
    sa.Index("ix_access_grant_path", "path", postgresql_ops={"path": "text_pattern_ops"}),
)

session_table = sa.Table(
    "access_session",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("secret_hash", sa.Text, nullable=False, unique=True),
    sa.Column(
        "principal_id", sa.Text, sa.ForeignKey("access_principal.id"), nullable=False, index=True
    ),
    sa.Column("csrf_token", sa.Text, nullable=False),
    _at("created_at"),
    _at("last_seen_at"),
    _at("expires_at"),
    sa.Index("ix_access_session_last_seen_at", "last_seen_at"),
)

token_table = sa.Table(
    "access_token",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("secret_hash", sa.Text, nullable=False, unique=True),
    sa.Column(
        "principal_id", sa.Text, sa.ForeignKey("access_principal.id"), nullable=False, index=True
    ),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("hint", sa.Text, nullable=False),
    sa.Column("scopes", sa.ARRAY(sa.Text)),
    _at("created_at"),
    _at("expires_at"),
    _at("last_used_at", optional=True),
    _at("revoked_at", optional=True),
)

attempt_table = sa.Table(
    "access_attempt",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    _at("began_at"),
    sa.Index("ix_access_attempt_began_at", "began_at"),
)

audit_table = sa.Table(
    "access_audit",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    _at("at"),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("actor_name", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("detail", JSONB, nullable=False),
    sa.Column("prev", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("key", sa.Text, unique=True),
    sa.CheckConstraint("outcome IN ('done', 'refused', 'failed')", name="outcome"),
    sa.Index("ix_access_audit_path", "path", "seq", postgresql_ops={"path": "text_pattern_ops"}),
    sa.Index("ix_access_audit_subject", "subject", "seq"),
    sa.Index("ix_access_audit_actor_id", "actor_id", "seq"),
)

# One row: the end of the chain. It is locked by whoever appends, so that entries have one order.
audit_head_table = sa.Table(
    "access_audit_head",
    metadata,
    sa.Column("one", sa.Boolean, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("seal", sa.Text, nullable=False),
    sa.CheckConstraint("one", name="one"),
)

# Plain DDL, so that a migration can run the same statements.
APPEND_ONLY = (
    """
    CREATE OR REPLACE FUNCTION access_audit_append_only() RETURNS trigger
    LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the audit log is append-only';
    END
    $$
    """,
    """
    CREATE OR REPLACE TRIGGER access_audit_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON access_audit
    FOR EACH STATEMENT EXECUTE FUNCTION access_audit_append_only()
    """,
)
FIRST_HEAD = f"""
    INSERT INTO access_audit_head (one, seq, hash, seal) VALUES (true, 0, '{GENESIS}', '')
    ON CONFLICT DO NOTHING
"""  # noqa: S608 - a constant

for _statement in APPEND_ONLY:
    sa.event.listen(audit_table, "after_create", sa.DDL(_statement))  # type: ignore[no-untyped-call]
sa.event.listen(audit_head_table, "after_create", sa.DDL(FIRST_HEAD))  # type: ignore[no-untyped-call]
