"""The table of keys."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database
from foundation.kernel.paging import Page, PageRequest, page_of
from foundation.kernel.time import parse_instant
from workloads.data_exchange.keys.model import Key
from workloads.data_exchange.proofs.keys import PublicKey
from workloads.data_exchange.tables import metadata

key_table = sa.Table(
    "exchange_key",
    metadata,
    sa.Column("kid", sa.Text(collation="C"), primary_key=True),
    sa.Column("path", sa.Text(collation="C"), nullable=False),
    sa.Column("public", sa.LargeBinary, nullable=False),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("not_after", sa.DateTime(timezone=True)),
    sa.Column("revoked_at", sa.DateTime(timezone=True)),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_exchange_key_path", "path", "created_at"),
)
_K = key_table.c


class PostgresKeys:
    """Keeps keys."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, key: Key, sealed: str) -> bool:
        """Keep a new one; False when it is there."""
        made = self._db.execute(
            postgresql.insert(key_table)
            .values(
                kid=key.kid, path=key.path, public=key.public.x, sealed=sealed,
                created_at=key.created_at,
            )
            .on_conflict_do_nothing()
            .returning(_K.kid)
        ).first()  # fmt: skip
        return made is not None

    def find(self, kid: str) -> Key | None:
        """By its name."""
        row = self._db.execute(sa.select(key_table).where(_K.kid == kid)).one_or_none()
        return None if row is None else _key(row)

    def sealed(self, kid: str) -> str:
        """The sealed private half, or nothing."""
        return str(self._db.execute(sa.select(_K.sealed).where(_K.kid == kid)).scalar_one())

    def of(self, path: str) -> Sequence[Key]:
        """All of an agency, newest first."""
        query = sa.select(key_table).where(_K.path == path)
        return [_key(r) for r in self._db.execute(query.order_by(_K.created_at.desc(), _K.kid))]

    def list(self, path: str, request: PageRequest) -> Page[Key]:
        """Those of one agency, or of all, newest first."""
        query = sa.select(key_table)
        if path:
            query = query.where(_K.path == path)
        after = request.key(2)
        if after is not None:
            at = parse_instant(after[0], "cursor")
            later = sa.tuple_(_K.created_at, _K.kid)
            query = query.where(later < sa.tuple_(sa.literal(at), sa.literal(after[1])))
        rows = self._db.execute(
            query.order_by(_K.created_at.desc(), _K.kid.desc()).limit(request.limit + 1)
        )
        found = [_key(row) for row in rows]
        return page_of(found, request, lambda one: (one.created_at.isoformat(), one.kid))

    def update(self, key: Key) -> None:
        """Keep its end, revocation and reason."""
        self._db.execute(
            key_table.update()
            .where(_K.kid == key.kid)
            .values(not_after=key.not_after, revoked_at=key.revoked_at, reason=key.reason)
        )


def _key(row: sa.Row[Any]) -> Key:
    return Key(
        row.path, PublicKey(bytes(row.public)), bool(row.sealed), row.created_at, row.not_after,
        row.revoked_at, row.reason,
    )  # fmt: skip
