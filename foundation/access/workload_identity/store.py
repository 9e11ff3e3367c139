"""Issuers, rules and exchanged tokens in PostgreSQL."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from foundation.access.workload_identity.model import Issuer, IssuerId, Rule, RuleId
from foundation.kernel.database import Database, metadata, within
from foundation.kernel.paging import Page, PageRequest, page_of

_INSTANT = sa.DateTime(timezone=True)
_SWEEP = 50

issuer_table = sa.Table(
    "access_issuer",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    sa.Column("url", sa.Text, nullable=False, unique=True),
    sa.Column("audience", sa.Text, nullable=False),
    sa.Column("keys", JSONB(none_as_null=True)),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
)

rule_table = sa.Table(
    "access_identity_rule",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    sa.Column("issuer_id", sa.Text, sa.ForeignKey("access_issuer.id"), nullable=False, index=True),
    sa.Column("match", JSONB, nullable=False),
    sa.Column("account_id", sa.Text, sa.ForeignKey("access_principal.id"), nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("roles", sa.ARRAY(sa.Text), nullable=False),
    sa.Column("scopes", sa.ARRAY(sa.Text)),
    sa.Column("life_seconds", sa.Integer, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", _INSTANT, nullable=False),
    sa.CheckConstraint("life_seconds BETWEEN 60 AND 900", name="life"),
    sa.Index("ix_access_identity_rule_path", "path", postgresql_ops={"path": "text_pattern_ops"}),
)

exchanged_table = sa.Table(
    "access_exchanged",
    metadata,
    sa.Column("issuer_id", sa.Text, primary_key=True),
    sa.Column("token_hash", sa.Text, primary_key=True),
    sa.Column("until", _INSTANT, nullable=False),
    sa.Index("ix_access_exchanged_until", "until"),
)

_I = issuer_table.c
_R = rule_table.c
_E = exchanged_table.c


class PostgresIdentities:
    """The rows; used inside a transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add_issuer(self, issuer: Issuer) -> bool:
        """Keep a new one; False when its slug or address is taken."""
        statement = (
            insert(issuer_table)
            .values(
                id=issuer.id,
                slug=issuer.slug,
                url=issuer.url,
                audience=issuer.audience,
                keys=None if issuer.keys is None else dict(issuer.keys),
                created_by=issuer.created_by,
                created_at=issuer.created_at,
            )
            .on_conflict_do_nothing()
            .returning(_I.id)
        )
        return self._db.execute(statement).first() is not None

    def issuer(self, reference: str) -> Issuer | None:
        """One by id or slug."""
        return self._issuer(sa.or_(_I.id == reference, _I.slug == reference))

    def issuer_at(self, url: str) -> Issuer | None:
        """The one of that address."""
        return self._issuer(_I.url == url)

    def _issuer(self, condition: sa.ColumnElement[bool]) -> Issuer | None:
        row = self._db.execute(sa.select(issuer_table).where(condition)).mappings().one_or_none()
        return None if row is None else Issuer(**row)

    def issuers(self, page: PageRequest) -> Page[Issuer]:
        """All, by slug."""
        query = sa.select(issuer_table).order_by(_I.slug).limit(page.limit + 1)
        after = page.key(1)
        if after is not None:
            query = query.where(_I.slug > after[0])
        rows = [Issuer(**row) for row in self._db.execute(query).mappings()]
        return page_of(rows, page, lambda one: [one.slug])

    def remove_issuer(self, issuer_id: IssuerId) -> None:
        """Forget it."""
        self._db.execute(exchanged_table.delete().where(_E.issuer_id == issuer_id))
        self._db.execute(issuer_table.delete().where(_I.id == issuer_id))

    def add_rule(self, rule: Rule) -> bool:
        """Keep a new one; False when its slug is taken."""
        statement = (
            insert(rule_table)
            .values(
                id=rule.id,
                slug=rule.slug,
                issuer_id=rule.issuer_id,
                match=dict(rule.match),
                account_id=rule.account_id,
                path=rule.path,
                roles=list(rule.roles),
                scopes=None if rule.scopes is None else list(rule.scopes),
                life_seconds=int(rule.life.total_seconds()),
                created_by=rule.created_by,
                created_at=rule.created_at,
            )
            .on_conflict_do_nothing(index_elements=[_R.slug])
            .returning(_R.id)
        )
        return self._db.execute(statement).first() is not None

    def rule(self, reference: str) -> Rule | None:
        """One by id or slug."""
        condition = sa.or_(_R.id == reference, _R.slug == reference)
        row = self._db.execute(sa.select(rule_table).where(condition)).mappings().one_or_none()
        return None if row is None else _rule(row)

    def rules(self, prefixes: Sequence[str], page: PageRequest) -> Page[Rule]:
        """Those on one of the paths or below, by slug."""
        query = sa.select(rule_table).where(within(_R.path, prefixes))
        after = page.key(1)
        if after is not None:
            query = query.where(_R.slug > after[0])
        rows = self._db.execute(query.order_by(_R.slug).limit(page.limit + 1)).mappings()
        return page_of([_rule(row) for row in rows], page, lambda one: [one.slug])

    def rules_of(self, issuer_id: IssuerId) -> Sequence[Rule]:
        """All of an issuer."""
        query = sa.select(rule_table).where(_R.issuer_id == issuer_id).order_by(_R.slug)
        return [_rule(row) for row in self._db.execute(query).mappings()]

    def remove_rule(self, rule_id: RuleId) -> None:
        """Forget it."""
        self._db.execute(rule_table.delete().where(_R.id == rule_id))

    def remember(self, issuer_id: IssuerId, token: str, until: datetime, now: datetime) -> bool:
        """Note a token's id as used until then; False when it was already."""
        over = (
            sa.select(_E.issuer_id, _E.token_hash)
            .where(_E.until <= now)
            .limit(_SWEEP)
            .with_for_update(skip_locked=True)
        )
        self._db.execute(
            exchanged_table.delete().where(sa.tuple_(_E.issuer_id, _E.token_hash).in_(over))
        )
        hashed = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
        statement = (
            insert(exchanged_table)
            .values(issuer_id=issuer_id, token_hash=hashed, until=until)
            .on_conflict_do_nothing()
            .returning(_E.token_hash)
        )
        return self._db.execute(statement).first() is not None


def _rule(row: Mapping[Any, Any]) -> Rule:
    values = dict(row)
    values["life"] = timedelta(seconds=values.pop("life_seconds"))
    values["roles"] = tuple(values["roles"])
    values["scopes"] = None if values["scopes"] is None else tuple(values["scopes"])
    return Rule(**values)
