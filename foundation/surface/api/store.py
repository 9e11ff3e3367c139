"""What the API keeps for itself: the answers to requests that carried an Idempotency-Key."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from foundation.kernel.database import Database, metadata

#: How long a key is remembered.
KEPT = timedelta(hours=24)
_SWEEP = 20

idempotency_table = sa.Table(
    "surface_idempotency",
    metadata,
    sa.Column("principal", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("route", sa.Text, primary_key=True),
    sa.Column("request_hash", sa.Text, nullable=False),
    sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    # Empty while the first request is still being answered. The body is sealed: an answer may
    # hold a secret that is shown only once.
    sa.Column("status", sa.Integer),
    sa.Column("headers", sa.JSON),
    sa.Column("body", sa.Text),
    sa.Index("ix_surface_idempotency_expires_at", "expires_at"),
)


@dataclass(frozen=True, slots=True)
class Claim:
    """Who uses which key for which request."""

    principal: str
    key: str
    route: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A key that was used before; without ``status`` its first request has not been answered."""

    request_hash: str
    claimed_at: datetime
    status: int | None
    headers: dict[str, str] | None
    body: str | None


class IdempotencyStore:
    """Keys and the answers they stand for; used inside a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, claim: Claim, now: datetime) -> bool:
        """Take the key for this request; False when it is taken.

        A request that claims the same key in an open transaction is waited for.
        """
        self._sweep(claim, now)
        statement = (
            insert(idempotency_table)
            .values(
                principal=claim.principal,
                key=claim.key,
                route=claim.route,
                request_hash=claim.request_hash,
                claimed_at=now,
                expires_at=now + KEPT,
            )
            .on_conflict_do_nothing()
            .returning(idempotency_table.c.key)
        )
        return self._database.execute(statement).first() is not None

    def take_over(self, claim: Claim, claimed_at: datetime, now: datetime) -> bool:
        """Take an unanswered key from a request that was lost; False when another was quicker."""
        statement = (
            idempotency_table.update()
            .where(_is(claim), idempotency_table.c.claimed_at == claimed_at)
            .where(idempotency_table.c.status.is_(None))
            .values(claimed_at=now, expires_at=now + KEPT)
        )
        return self._database.execute(statement).rowcount == 1

    def get(self, claim: Claim) -> Kept | None:
        """What is known of the key."""
        t = idempotency_table.c
        row = (
            self._database.execute(
                sa.select(t.request_hash, t.claimed_at, t.status, t.headers, t.body).where(
                    _is(claim)
                )
            )
            .mappings()
            .one_or_none()
        )
        return None if row is None else Kept(**row)

    def answer(self, claim: Claim, status: int, headers: dict[str, str], body: str) -> None:
        """Keep the answer."""
        self._database.execute(
            idempotency_table.update()
            .where(_is(claim))
            .values(status=status, headers=headers, body=body)
        )

    def release(self, claim: Claim) -> None:
        """Forget a key whose request failed: nothing was done, it may be tried again."""
        self._database.execute(
            idempotency_table.delete().where(_is(claim), idempotency_table.c.status.is_(None))
        )

    def _sweep(self, claim: Claim, now: datetime) -> None:
        """Drop this key when it has expired, and a few others."""
        t = idempotency_table
        self._database.execute(t.delete().where(_is(claim), t.c.expires_at <= now))
        old = (
            sa.select(t.c.principal, t.c.key, t.c.route)
            .where(t.c.expires_at <= now)
            .limit(_SWEEP)
            .with_for_update(skip_locked=True)
        )
        self._database.execute(
            t.delete().where(sa.tuple_(t.c.principal, t.c.key, t.c.route).in_(old))
        )


def _is(claim: Claim) -> sa.ColumnElement[bool]:
    t = idempotency_table.c
    return sa.and_(t.principal == claim.principal, t.key == claim.key, t.route == claim.route)
