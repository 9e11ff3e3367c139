"""The use cases of the ledger."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import timedelta

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.time import Clock
from workloads.data_exchange.ledger.model import Entry, pseudonym
from workloads.data_exchange.ledger.ports import Audit, LedgerStore, Vault

_LASTS = timedelta(minutes=30)
_MOST = 1_000
_PERSON = re.compile(r"\d{17}[\dX]", re.ASCII)
_SECRET = "ledger:pseudonyms"  # noqa: S105 - what the secret is sealed for


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
            digest = _digest(code)
            sealed = self._vault.seal(number.encode(), f"ledger:{digest}")
            self._store.add_code(digest, sealed, self._clock.now() + _LASTS)
            self._audit.record(
                actor, "ledger.code", subject=digest[:16], path=policy.ROOT, details={}
            )
            return code

    def open(self, code: str) -> Sequence[Entry]:
        """The newest 1,000 entries of the citizen to whom a code was given; it is used up.

        Raises:
            NotFound: the code was used, is over or never was.
        """
        digest = _digest(code)
        with self._db.transaction():
            sealed = self._store.take_code(digest, self._clock.now())
            if sealed is not None:
                number = self._vault.open(sealed, f"ledger:{digest}").decode()
                secret = self._secret()
                own = [pseudonym(secret, one, number) for one in self._store.purposes()]
                entries = self._store.of(own, _MOST)
                self._audit.record(
                    Actor.system("citizen"), "ledger.view", subject=digest[:16],
                    path=policy.ROOT, details={"entries": len(entries)},
                )  # fmt: skip
                return entries
        raise policy.unknown("ledger")

    def _secret(self) -> bytes:
        fresh = self._vault.seal(secrets.token_bytes(32), _SECRET)
        return self._vault.open(self._store.secret(fresh), _SECRET)


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
