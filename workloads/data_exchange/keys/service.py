"""The use cases of keys."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Conflict, Invalid, Problem
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock
from workloads.data_exchange.keys.model import POSSESSION, REASON_MAX, Key
from workloads.data_exchange.keys.ports import Audit, Book, KeyStore, Vault, Work
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey, ProofError, PublicKey

NOUN = "key"
#: The path of the exchange's own keys.
OWN = policy.ROOT
#: Held while the exchange's own key is replaced, and by those who sign with it and say when.
OWN_LOCK = "exchange:own-key"


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed, and with which key.

    Attributes:
        payload: the JSON object.
        key: whose signature it is; its ``path`` says for whom.
    """

    payload: Mapping[str, Any]
    key: Key


class Keys:
    """Who signs with what."""

    def __init__(
        self,
        store: KeyStore,
        db: Work,
        clock: Clock,
        audit: Audit,
        agencies: Book,
        vault: Vault,
    ) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._audit = audit
        self._agencies = agencies
        self._vault = vault

    def register(
        self, actor: Actor, agency: str, jwk: Mapping[str, object], possession: str
    ) -> Key:
        """Take an agency's own public key; its private half stays with the agency.

        Args:
            actor: who asks.
            agency: id or path.
            jwk: the public key (RFC 8037).
            possession: a JWS of type ``exchange-key+jws`` made with it, over
                ``{"agency": id, "kid": kid}``.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such agency.
            Conflict: the key is another agency's, or was revoked.
        """
        with self._db.transaction():
            found = self._find(actor, "key.manage", agency)
            wrong = Collector()
            public = self._checked(jwk, possession, found[1], wrong)
            wrong.finish()
            return self._keep(actor, Key(found[0], public, False, self._clock.now()), "")

    def _checked(
        self, jwk: Mapping[str, object], possession: str, agency_id: str, wrong: Collector
    ) -> PublicKey:
        try:
            public = PublicKey.of_jwk(jwk)
        except ProofError as error:
            raise Invalid([Problem("jwk", str(error))]) from None
        try:
            told = jws.parse(possession).verify(public, POSSESSION)
            wanted = {"agency": agency_id, "kid": public.kid}
            wrong.check(told == wanted, "possession", "must name this agency and this key")
        except ProofError as error:
            wrong.check(False, "possession", str(error))
        return public

    def generate(self, actor: Actor, agency: str) -> Key:
        """Make a key that is kept here, and let it replace those that were kept here before.

        Args:
            actor: who asks.
            agency: id or path; ``/`` for the exchange itself.

        Raises:
            NotFound: no such agency.
        """
        with self._db.transaction():
            path, _ = self._find(actor, "key.manage", agency)
            if path == OWN:
                # Who signs as the exchange holds it too: no signature is later than its key's end.
                self._db.lock(OWN_LOCK)
            private, now = PrivateKey.generate(), self._clock.now()
            for old in self._store.of(path):
                if old.hosted and old.signs_at(now):
                    self._store.update(replace(old, not_after=now))
            sealed = self._vault.seal(private.seed, _context(private.kid))
            return self._keep(actor, Key(path, private.public, True, now), sealed)

    def _keep(self, actor: Actor, key: Key, sealed: str) -> Key:
        if self._store.add(key, sealed):
            self._note(actor, "key.add", key, {"hosted": key.hosted})
            return key
        there = self._get(key.kid)
        if there.path != key.path or there.revoked_at is not None:
            raise Conflict("this key is another agency's, or was revoked: use a new one")
        return there

    def revoke(self, actor: Actor, kid: str, *, reason: str, since: datetime | None = None) -> Key:
        """Say that a key is in other hands; what it signed before ``since`` still counts.

        Args:
            actor: who asks.
            kid: its name.
            reason: why, for the record.
            since: from when on it may have been; now if left out.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such key.
        """
        with self._db.transaction():
            key, now = self._get(kid), self._clock.now()
            policy.require(actor, "key.manage", key.path, NOUN)
            at, wrong = since or now, Collector()
            wrong.check(
                0 < len(reason.strip()) <= REASON_MAX, "reason", "must be 1 to 500 characters"
            )
            wrong.check(at <= now, "since", "must not lie in the future")
            wrong.finish()
            if key.revoked_at is None or at < key.revoked_at:
                key = replace(key, revoked_at=at, reason=reason.strip())
                self._store.update(key)
                self._note(actor, "key.revoke", key, {"since": at.isoformat(), "reason": reason})
            return key

    def key(self, actor: Actor, kid: str) -> Key:
        """One key by its name.

        Raises:
            NotFound: no such key.
        """
        with self._db.transaction():
            found = self._get(kid)
            policy.require(actor, "key.view", found.path, NOUN)
            return found

    def keys(self, actor: Actor, agency: str, page: PageRequest) -> Page[Key]:
        """The keys of one agency, or of all with an empty reference, newest first.

        Raises:
            NotFound: no such agency.
        """
        with self._db.transaction():
            policy.require(actor, "key.view", policy.ROOT, NOUN)
            path = self._path(agency)[0] if agency else ""
            return self._store.list(path, page)

    def jwks(self, agency: str, *, revoked: bool = True) -> dict[str, object]:
        """The public keys of an agency, also those that sign no more, as a JWK set (RFC 7517).

        Args:
            agency: id or path.
            revoked: with those that may be in other hands. Without them for whoever has nothing but
                a signature's own word for when it was made.

        Raises:
            NotFound: no such agency.
        """
        with self._db.transaction():
            found = self._store.of(self._path(agency)[0])
            return {"keys": [one.jwk() for one in found if revoked or one.revoked_at is None]}

    def since(self, kid: str) -> datetime:
        """From when on a key signs.

        Raises:
            NotFound: no such key.
        """
        with self._db.transaction():
            return self._get(kid).created_at

    def sign(self, path: str, payload: Mapping[str, Any], typ: str) -> str:
        """Sign for an agency with the key of it that is kept here; for services, not for people.

        Args:
            path: of the agency; ``/`` for the exchange itself, which gets a key when it has none.
            payload: JSON values.
            typ: what it is signed as.

        Raises:
            Conflict: the agency has no key here.
        """
        return jws.sign(payload, self.private(path), typ)

    def ready(self) -> None:
        """Make the exchange's own key when it has none: what it dates now is then not older."""
        self.private(OWN)

    def private(self, path: str) -> PrivateKey:
        """The key with which ``sign`` signs now; for services that sign much, never for a surface.

        Raises:
            Conflict: the agency has no key here.
        """
        with self._db.transaction():
            now = self._clock.now()
            found = self._current(path, now)
            if found is None and path == OWN:
                self._db.lock(OWN_LOCK)
                found = self._current(path, now) or self.generate(Actor.system("keys"), OWN)
            if found is None:
                raise Conflict("this agency has no key here: make one, or sign with its own")
            return PrivateKey(self._vault.open(self._store.sealed(found.kid), _context(found.kid)))

    def _current(self, path: str, now: datetime) -> Key | None:
        return next((k for k in self._store.of(path) if k.hosted and k.signs_at(now)), None)

    def verify(self, compact: str, typ: str, *, at: datetime | None = None) -> Signed:
        """Who signed something, and what.

        Args:
            compact: a JWS.
            typ: what it must have been signed as.
            at: when it was signed, as the caller knows from elsewhere; now if left out.

        Raises:
            ProofError: nobody here signed it, or with a key that did not sign at that time.
        """
        taken = jws.parse(compact)
        with self._db.transaction():
            key = self._store.find(taken.kid)
        if key is None:
            raise ProofError("no agency here has this key")
        payload = taken.verify(key.public, typ)
        if not key.signs_at(at or self._clock.now()):
            raise ProofError("the key did not sign at that time")
        return Signed(payload, key)

    def _find(self, actor: Actor, action: str, agency: str) -> tuple[str, str]:
        path, agency_id = self._path(agency)
        policy.require(actor, action, path, "agency")
        return path, agency_id

    def _path(self, agency: str) -> tuple[str, str]:
        """Path and id."""
        if agency == OWN:
            return OWN, OWN
        found = self._agencies.find(agency)
        if found is None:
            raise policy.unknown("agency")
        return found.path, found.id

    def _get(self, kid: str) -> Key:
        found = self._store.find(kid)
        if found is None:
            raise policy.unknown(NOUN)
        return found

    def _note(self, actor: Actor, action: str, key: Key, details: Mapping[str, object]) -> None:
        self._audit.record(actor, action, subject=key.kid, path=key.path, details=details)


def _context(kid: str) -> str:
    return f"exchange_key:{kid}"
