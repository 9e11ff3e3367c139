"""The use cases of the ledger."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.time import Clock
from workloads.data_exchange.ledger.model import Entry, pseudonym
from workloads.data_exchange.ledger.ports import Audit, LedgerStore, Vault

_LASTS, _OPEN = timedelta(minutes=30), timedelta(minutes=15)
#: What opens a ledger once, and what reads it again.
CODE, KEY = "code", "key"
_MOST = 1_000
_PERSON = re.compile(r"\d{17}[\dX]", re.ASCII)
_SECRET = "ledger:pseudonyms"  # noqa: S105 - what the secret is sealed for


@dataclass(frozen=True, slots=True)
class Opened:
    """A ledger that was opened: its entries, newest first, and a key to it until ``until``."""

    entries: Sequence[Entry]
    key: str
    until: datetime


class Ledger:
    """Who asked what about whom.

    Args:
        store: entries and codes.
        db: the unit of work.
        clock: ours.
        audit: where looks are written down.
        vault: seals.
    """

    def __init__(
        self, store: LedgerStore, db: UnitOfWork, clock: Clock, audit: Audit, vault: Vault
    ) -> None:
        self._store, self._db, self._clock = store, db, clock
        self._audit, self._vault = audit, vault

    def enter(
        self, *, key: str, purpose: str, asker: str, service: str, basis: str,
        persons: Sequence[str],
    ) -> None:  # fmt: skip
        """Enter that something is asked about persons; the same key again changes nothing.

        Called in the transaction after which it is asked.
        """
        with self._db.transaction():
            secret, now = self._secret(), self._clock.now()
            self._store.add(
                [
                    Entry(key, purpose, pseudonym(secret, purpose, one), asker, service, basis, now)
                    for one in persons
                ]
            )

    def code(self, actor: Actor, number: str) -> str:
        """A one-time code for a citizen who proved at the counter who they are.

        Raises:
            Forbidden: the actor may not give codes.
            Invalid: no resident number.
        """
        policy.require(actor, "ledger.open", policy.ROOT)
        if not _PERSON.fullmatch(number):
            raise Invalid([Problem("number", "is no resident number")])
        with self._db.transaction():
            code = secrets.token_urlsafe(24)
            self._keep(code, number, self._clock.now() + _LASTS, CODE)
            self._audit.record(
                actor, "ledger.code", subject=digest_of(code)[:16], path=policy.ROOT, details={}
            )
            return code

    def open(self, code: str) -> Opened:
        """The newest 1,000 entries of the citizen to whom a code was given; it is used up.

        What is answered has a key with which they are read again for a quarter of an hour.

        Raises:
            NotFound: the code was used, is over or never was.
        """
        digest = digest_of(code)
        with self._db.transaction():
            now = self._clock.now()
            sealed = self._store.take_code(digest, now)
            if sealed is not None:
                number = self._vault.open(sealed, f"ledger:{digest}").decode()
                key, until = secrets.token_urlsafe(24), now + _OPEN
                self._keep(key, number, until, KEY)
                return Opened(self._entries(number, digest), key, until)
        raise policy.unknown("ledger")

    def entries(self, key: str) -> Sequence[Entry]:
        """The entries of the holder of a key that ``open`` gave.

        Raises:
            NotFound: the key is over or never was.
        """
        with self._db.transaction():
            return self._entries(self.number(key), digest_of(key))

    def number(self, key: str) -> str:
        """Whose key it is; for services that serve that citizen.

        Raises:
            NotFound: the key is over or never was.
        """
        digest = digest_of(key)
        with self._db.transaction():
            sealed = self._store.key(digest, self._clock.now())
        if sealed is None:
            raise policy.unknown("ledger")
        return self._vault.open(sealed, f"ledger:{digest}").decode()

    def close(self, key: str) -> None:
        """Let a key count no more; one that is none changes nothing."""
        with self._db.transaction():
            self._store.close(digest_of(key))

    def _entries(self, number: str, looked: str) -> Sequence[Entry]:
        secret = self._secret()
        own = [pseudonym(secret, one, number) for one in self._store.purposes()]
        entries = self._store.of(own, _MOST)
        self._audit.record(
            Actor.system("citizen"), "ledger.view", subject=looked[:16],
            path=policy.ROOT, details={"entries": len(entries)},
        )  # fmt: skip
        return entries

    def _keep(self, code: str, number: str, until: datetime, kind: str) -> None:
        digest = digest_of(code)
        sealed = self._vault.seal(number.encode(), f"ledger:{digest}")
        self._store.drop_codes(self._clock.now())
        self._store.add_code(digest, sealed, until, kind)

    def _secret(self) -> bytes:
        fresh = self._vault.seal(secrets.token_bytes(32), _SECRET)
        return self._vault.open(self._store.secret(fresh), _SECRET)


def digest_of(code: str) -> str:
    """As what a code or key is kept."""
    return hashlib.sha256(code.encode()).hexdigest()
