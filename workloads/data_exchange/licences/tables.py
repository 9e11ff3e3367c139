"""The tables of licences."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from workloads.data_exchange.tables import metadata

type_table = sa.Table(
    "exchange_licence_type",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("path", sa.Text(collation="C"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("document", postgresql.JSONB, nullable=False),
    sa.Column("issuer", sa.Text(collation="C"), nullable=False),
    sa.Column("vct", sa.Text(collation="C"), nullable=False, unique=True),
    sa.Column("metadata", sa.Text, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("retired_at", sa.DateTime(timezone=True)),
    sa.UniqueConstraint("path", "name", "version"),
)
licence_table = sa.Table(
    "exchange_licence",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("type", sa.ForeignKey(type_table.c.id), nullable=False),
    sa.Column("path", sa.Text(collation="C"), nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("proposed_by", sa.Text, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
    sa.Column("valid_until", sa.DateTime(timezone=True)),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("offer", sa.Text, nullable=False),
    sa.Column("pin", sa.Text, nullable=False),
    sa.Column("offer_until", sa.DateTime(timezone=True)),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("nonce", sa.Text, nullable=False),
    sa.Column("nonce_until", sa.DateTime(timezone=True)),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("claimed_at", sa.DateTime(timezone=True)),
    sa.Column("reason", sa.Text),
    sa.Index("ix_exchange_licence_path", "path", "id"),
    sa.Index(
        "ux_exchange_licence_offer", "offer", unique=True, postgresql_where=sa.text("offer <> ''")
    ),
    sa.Index("ix_exchange_licence_sealed", "changed_at", postgresql_where=sa.text("sealed <> ''")),
)
list_table = sa.Table(
    "exchange_licence_list",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("path", sa.Text(collation="C"), nullable=False),
    sa.Column("issuer", sa.Text(collation="C"), nullable=False),
    sa.Column("uri", sa.Text(collation="C"), nullable=False, unique=True),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("used", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Index("ix_exchange_licence_list_issuer", "issuer"),
)
place_table = sa.Table(
    "exchange_licence_place",
    metadata,
    sa.Column("list", sa.ForeignKey(list_table.c.id), primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("licence", sa.ForeignKey(licence_table.c.id), nullable=False, index=True),
    sa.Column("status", sa.SmallInteger, nullable=False),
    sa.Index("ix_exchange_licence_place_status", "list", postgresql_where=sa.text("status <> 0")),
)
request_table = sa.Table(
    "exchange_licence_request",
    metadata,
    sa.Column("id", sa.Text(collation="C"), primary_key=True),
    sa.Column("path", sa.Text(collation="C"), nullable=False),
    sa.Column("nonce", sa.Text, nullable=False),
    sa.Column("vct", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, index=True),
    sa.Column("used_at", sa.DateTime(timezone=True)),
)
