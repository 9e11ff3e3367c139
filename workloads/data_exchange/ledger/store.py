"""The ledger's tables; no number of a person is in any of them but sealed."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from foundation.kernel.database import Database
from workloads.data_exchange.ledger.model import Entry
from workloads.data_exchange.tables import metadata

_AT = sa.DateTime(timezone=True)
entry_table = sa.Table(
    "exchange_ledger",
    metadata,
    sa.Column("pseudonym", sa.Text(collation="C"), primary_key=True),
    sa.Column("key", sa.Text(collation="C"), primary_key=True),
    sa.Column("purpose", sa.Text(collation="C"), nullable=False, index=True),
    sa.Column("asker", sa.Text(collation="C"), nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("basis", sa.Text, nullable=False),
    sa.Column("at", _AT, nullable=False),
)
code_table = sa.Table(
    "exchange_ledger_code",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("sealed", sa.Text, nullable=False),
    sa.Column("until", _AT, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, server_default="code"),
)
secret_table = sa.Table(
    "exchange_ledger_secret",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("sealed", sa.Text, nullable=False),
)
_E, _K = entry_table.c, code_table.c


class PostgresLedger:
    """Keeps entries and codes."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def secret(self, fresh: str) -> str:
        """The sealed secret of pseudonyms; ``fresh`` becomes it when there is none."""
        made = postgresql.insert(secret_table).values(id=1, sealed=fresh)
        self._db.execute(made.on_conflict_do_nothing())
        return str(self._db.execute(sa.select(secret_table.c.sealed)).scalar_one())

    def add(self, entries: Sequence[Entry]) -> None:
        """Keep entries; those that are there stay as they are."""
        rows = [
            {
                "pseudonym": one.pseudonym, "key": one.key, "purpose": one.purpose,
                "asker": one.asker, "service": one.service, "basis": one.basis, "at": one.at,
            }
            for one in entries
        ]  # fmt: skip
        if rows:
            insert = postgresql.insert(entry_table).values(rows)
            self._db.execute(insert.on_conflict_do_nothing())

    def purposes(self) -> Sequence[str]:
        """All purposes that there are entries for."""
        return list(self._db.execute(sa.select(_E.purpose).distinct()).scalars())

    def of(self, pseudonyms: Sequence[str], limit: int) -> Sequence[Entry]:
        """The entries of pseudonyms, newest first."""
        query = sa.select(entry_table).where(_E.pseudonym.in_(pseudonyms))
        rows = self._db.execute(query.order_by(_E.at.desc(), _E.key).limit(limit))
        return [
            Entry(r.key, r.purpose, r.pseudonym, r.asker, r.service, r.basis, r.at) for r in rows
        ]

    def add_code(self, digest: str, sealed: str, until: datetime, kind: str) -> None:
        """Keep a code, or a key."""
        self._db.execute(
            code_table.insert().values(digest=digest, sealed=sealed, until=until, kind=kind)
        )

    def take_code(self, digest: str, now: datetime) -> str | None:
        """What a code seals, once; None when it was used, is over or never was."""
        taken = code_table.delete().where(_K.digest == digest, _K.kind == "code")
        row = self._db.execute(taken.returning(_K.sealed, _K.until)).one_or_none()
        return None if row is None or row.until <= now else str(row.sealed)

    def drop_codes(self, now: datetime) -> None:
        """Forget those that are over, with the numbers that they seal."""
        self._db.execute(code_table.delete().where(_K.until <= now))

    def key(self, digest: str, now: datetime) -> str | None:
        """What a key seals; None when it is over or never was."""
        query = sa.select(_K.sealed).where(_K.digest == digest, _K.kind == "key", _K.until > now)
        return self._db.execute(query).scalar_one_or_none()

    def close(self, digest: str) -> None:
        """Forget a key."""
        self._db.execute(code_table.delete().where(_K.digest == digest, _K.kind == "key"))
