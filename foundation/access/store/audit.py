"""The audit log in PostgreSQL."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from foundation.access.model import AuditEntry, AuditQuery, Outcome
from foundation.access.store.tables import audit_head_table, audit_table
from foundation.kernel.database import Database, within
from foundation.kernel.paging import Page, PageRequest, page_of

_A = audit_table.c
_H = audit_head_table.c
_BATCH = 1000


class AuditRows:
    """The rows of the log and of its head; used inside a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def snapshot(self) -> None:
        """Read one state of the log until the transaction ends; call it first in one."""
        self._database.execute(
            sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        )

    def lock_head(self) -> tuple[int, str, str]:
        """The last entry's number, hash and seal, locked until the transaction ends."""
        statement = sa.select(_H.seq, _H.hash, _H.seal).with_for_update()
        row = self._database.execute(statement).mappings().one()
        return row["seq"], row["hash"], row["seal"]

    def append(self, entry: AuditEntry, seal: str) -> None:
        """Keep an entry and make it the head."""
        self._database.execute(
            audit_table.insert().values(
                seq=entry.seq,
                at=entry.at,
                actor_id=entry.actor_id,
                actor_name=entry.actor_name,
                action=entry.action,
                subject=entry.subject,
                path=entry.path,
                outcome=entry.outcome,
                detail=entry.detail,
                prev=entry.prev,
                hash=entry.hash,
                key=entry.key,
            )
        )
        self._database.execute(
            audit_head_table.update().values(seq=entry.seq, hash=entry.hash, seal=seal)
        )

    def has(self, key: str) -> bool:
        """Whether there is an entry with this key."""
        statement = sa.select(_A.seq).where(_A.key == key)
        return self._database.execute(statement).first() is not None

    def head(self) -> tuple[int, str, str]:
        """The last entry's number, hash and seal."""
        row = self._database.execute(sa.select(_H.seq, _H.hash, _H.seal)).mappings().one()
        return row["seq"], row["hash"], row["seal"]

    def read(self, after: int, until: int) -> Iterator[AuditEntry]:
        """The entries in ``(after, until]`` in order, a thousand at a time."""
        while True:
            statement = (
                sa.select(audit_table)
                .where(_A.seq > after, _A.seq <= until)
                .order_by(_A.seq)
                .limit(_BATCH)
            )
            rows = self._database.execute(statement).mappings().all()
            if not rows:
                return
            yield from map(_entry, rows)
            after = rows[-1]["seq"]

    def beyond(self, seq: int) -> int:
        """How many entries have a number above this."""
        statement = sa.select(sa.func.count()).select_from(audit_table).where(_A.seq > seq)
        count: int = self._database.execute(statement).scalar_one()
        return count

    def list(
        self, prefixes: Sequence[str], query: AuditQuery, page: PageRequest
    ) -> Page[AuditEntry]:
        """Entries on one of the paths or below, newest first."""
        statement = (
            sa.select(audit_table)
            .where(within(_A.path, prefixes), *_conditions(query))
            .order_by(_A.seq.desc())
            .limit(page.limit + 1)
        )
        after = page.key(1)
        if after is not None:
            statement = statement.where(_A.seq < _number(after[0]))
        rows = [_entry(row) for row in self._database.execute(statement).mappings()]
        return page_of(rows, page, lambda row: [str(row.seq)])


def _conditions(query: AuditQuery) -> Iterator[sa.ColumnElement[bool]]:
    if query.actor is not None:
        yield _A.actor_id == query.actor
    if query.subject is not None:
        yield _A.subject == query.subject
    if query.action is not None and query.action.endswith(".*"):
        yield _A.action.startswith(query.action[:-1], autoescape=True)
    elif query.action is not None:
        yield _A.action == query.action
    if query.since is not None:
        yield _A.at >= query.since
    if query.until is not None:
        yield _A.at < query.until


def _number(text: str) -> int:
    # A cursor of another list: it is a text, and never past the end of a bigint.
    return int(text) if text.isascii() and text.isdigit() and len(text) < len("9" * 19) else 0


def _entry(row: Mapping[Any, Any]) -> AuditEntry:
    return AuditEntry(**{**row, "outcome": Outcome(row["outcome"])})
