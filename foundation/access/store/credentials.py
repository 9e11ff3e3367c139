"""Sessions, tokens and attempts to sign in, in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from foundation.access.model import Session, SessionId, Token, TokenId
from foundation.access.store.tables import attempt_table, session_table, token_table
from foundation.kernel.actor import PrincipalId
from foundation.kernel.database import Database
from foundation.kernel.paging import Page, PageRequest, page_of

_S = session_table.c
_T = token_table.c
_A = attempt_table.c
_SWEEP = 50


class CredentialStore:
    """The rows of sessions, tokens and attempts; used inside a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_session(self, session: Session, secret_hash: str) -> None:
        """Keep a new session."""
        self._database.execute(
            session_table.insert().values(
                id=session.id,
                secret_hash=secret_hash,
                principal_id=session.principal_id,
                csrf_token=session.csrf_token,
                created_at=session.created_at,
                last_seen_at=session.last_seen_at,
                expires_at=session.expires_at,
            )
        )

    def session(self, secret_hash: str) -> Session | None:
        """The session of a secret."""
        columns = [c for c in _S if c.name != "secret_hash"]
        statement = sa.select(*columns).where(_S.secret_hash == secret_hash)
        row = self._database.execute(statement).mappings().one_or_none()
        return None if row is None else Session(**row)

    def touch_session(self, session_id: SessionId, now: datetime) -> None:
        """Note that it was used."""
        self._database.execute(
            session_table.update().where(_S.id == session_id).values(last_seen_at=now)
        )

    def end_session(self, session_id: SessionId) -> None:
        """End it."""
        self._database.execute(session_table.delete().where(_S.id == session_id))

    def end_sessions_of(self, principal_id: PrincipalId, but: str | None = None) -> None:
        """End all sessions of a principal, but the one with that id."""
        self._database.execute(
            session_table.delete().where(
                _S.principal_id == principal_id, _S.id.is_distinct_from(but)
            )
        )

    def sweep_sessions(self, now: datetime, idle_before: datetime) -> None:
        """Forget some of the sessions that have ended."""
        ended = (
            sa.select(_S.id)
            .where(sa.or_(_S.expires_at <= now, _S.last_seen_at <= idle_before))
            .limit(_SWEEP)
            .with_for_update(skip_locked=True)
        )
        self._database.execute(session_table.delete().where(_S.id.in_(ended)))

    def add_token(self, token: Token, secret_hash: str) -> None:
        """Keep a new token."""
        self._database.execute(
            token_table.insert().values(
                id=token.id,
                secret_hash=secret_hash,
                principal_id=token.principal_id,
                name=token.name,
                hint=token.hint,
                scopes=None if token.scopes is None else list(token.scopes),
                created_at=token.created_at,
                expires_at=token.expires_at,
            )
        )

    def token(self, token_id: str) -> Token | None:
        """One token by id."""
        return self._token(_T.id == token_id)

    def token_by_secret(self, secret_hash: str) -> Token | None:
        """The token of a secret."""
        return self._token(_T.secret_hash == secret_hash)

    def _token(self, condition: sa.ColumnElement[bool]) -> Token | None:
        statement = sa.select(token_table).where(condition)
        row = self._database.execute(statement).mappings().one_or_none()
        return None if row is None else _as_token(row)

    def tokens(self, principal_id: PrincipalId, page: PageRequest) -> Page[Token]:
        """The tokens of a principal, newest first; revoked ones too."""
        statement = (
            sa.select(token_table)
            .where(_T.principal_id == principal_id)
            .order_by(_T.id.desc())
            .limit(page.limit + 1)
        )
        after = page.key(1)
        if after is not None:
            statement = statement.where(_T.id < after[0])
        rows = [_as_token(row) for row in self._database.execute(statement).mappings()]
        return page_of(rows, page, lambda row: [row.id])

    def touch_token(self, token_id: TokenId, now: datetime) -> None:
        """Note that it was used."""
        self._database.execute(
            token_table.update().where(_T.id == token_id).values(last_used_at=now)
        )

    def revoke_token(self, token_id: TokenId, now: datetime) -> None:
        """Revoke it, if it is not revoked yet."""
        self._database.execute(
            token_table.update()
            .where(_T.id == token_id, _T.revoked_at.is_(None))
            .values(revoked_at=now)
        )

    def revoke_tokens_of(self, principal_id: PrincipalId, now: datetime) -> None:
        """Revoke all tokens of a principal."""
        self._database.execute(
            token_table.update()
            .where(_T.principal_id == principal_id, _T.revoked_at.is_(None))
            .values(revoked_at=now)
        )

    def count_attempt(self, key: str, now: datetime, window: datetime) -> tuple[int, datetime]:
        """Count a sign-in that begins; see the port."""
        # Not excluded.count: the row that is there decides, atomically, under its lock.
        fresh = _A.began_at <= window
        statement = (
            insert(attempt_table)
            .values(key=key, count=1, began_at=now)
            .on_conflict_do_update(
                index_elements=[_A.key],
                set_={
                    "count": sa.case((fresh, 1), else_=_A.count + 1),
                    "began_at": sa.case((fresh, now), else_=_A.began_at),
                },
            )
            .returning(_A.count, _A.began_at)
        )
        row = self._database.execute(statement).mappings().one()
        return row["count"], row["began_at"]

    def clear_attempts(self, keys: Sequence[str]) -> None:
        """Forget the attempts of these keys."""
        self._database.execute(attempt_table.delete().where(_A.key.in_(sorted(keys))))

    def forgive_attempt(self, key: str) -> None:
        """Take one attempt off a series."""
        self._database.execute(
            attempt_table.update().where(_A.key == key, _A.count > 0).values(count=_A.count - 1)
        )

    def sweep_attempts(self, before: datetime) -> None:
        """Forget some of the series that began before this."""
        old = (
            sa.select(_A.key)
            .where(_A.began_at <= before)
            .limit(_SWEEP)
            .with_for_update(skip_locked=True)
        )
        self._database.execute(attempt_table.delete().where(_A.key.in_(old)))


def _as_token(row: Mapping[Any, Any]) -> Token:
    values = {key: value for key, value in row.items() if key != "secret_hash"}
    values["scopes"] = None if values["scopes"] is None else tuple(values["scopes"])
    return Token(**values)
