"""The use cases of holders: to look at an offer, and to have it issued to keys of their own."""

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Conflict, Invalid, Problem
from foundation.kernel.time import Clock
from workloads.data_exchange.licences.model import Licence, LicenceState, LicenceType, marked
from workloads.data_exchange.licences.ports import Audit, Keyring, LicenceStore, Meter, Vault, Work
from workloads.data_exchange.licences.service import context, digest
from workloads.data_exchange.proofs import jws, sdjwt
from workloads.data_exchange.proofs.keys import PrivateKey, ProofError
from workloads.data_exchange.proofs.others import Verifying, key_of
from workloads.data_exchange.usage.model import LICENCES

OFFER = "licence_offer"
#: What a holder's key signs to show that it is there (OpenID4VCI 1.0, appendix F.1).
POSSESSION = "openid4vci-proof+jwt"
#: Wrong PINs after which an officer must make a new offer.
ATTEMPTS = 5
_NONCE_LASTS = timedelta(minutes=10)
_DECOYS = 4
_MOST = 10_000
_HOLDER = Actor.system("holder")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Opened:
    """What a holder sees before the licence is issued to their keys.

    Attributes:
        nonce: what each key signs.
        copies: how many keys may be brought.
    """

    type: LicenceType
    nonce: str
    copies: int


@dataclass(frozen=True, slots=True)
class Handed:
    """What a holder gets: one SD-JWT for each key, in their order."""

    type: LicenceType
    credentials: tuple[str, ...]


class Offers:
    """Offers, to whoever has the token and the PIN."""

    def __init__(
        self,
        store: LicenceStore,
        db: Work,
        clock: Clock,
        audit: Audit,
        keys: Keyring,
        vault: Vault,
        meter: Meter,
    ) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._audit = audit
        self._keys = keys
        self._vault = vault
        self._meter = meter

    def open(self, token: str, pin: str) -> Opened:
        """What is offered, and the nonce for the proofs of possession.

        Raises:
            NotFound: there is no such offer, or it is over.
            Invalid: the PIN is wrong.
            Conflict: it was wrong too often.
        """

        def look(found: Licence, made: LicenceType) -> Opened:
            nonce = secrets.token_urlsafe(24)
            until = self._clock.now() + _NONCE_LASTS
            self._store.save(replace(found, nonce=nonce, nonce_until=until))
            return Opened(made, nonce, made.copies)

        return self._let_in(token, pin, look)

    def claim(self, token: str, pin: str, proofs: Sequence[str]) -> Handed:
        """Issue the licence to the holder's keys; the same keys get the same again for an hour.

        Args:
            token: of the offer.
            pin: of the offer.
            proofs: a JWT of type ``openid4vci-proof+jwt`` by each key, which stands in its header
                as ``jwk``: ``aud`` the issuer, ``nonce`` the one given, ``iat``.

        Raises:
            NotFound: there is no such offer, or it is over.
            Invalid: the PIN or proofs are wrong; names which.
            Conflict: it was wrong too often, the licence is another's, or its agency has no key.
        """

        def issue(found: Licence, made: LicenceType) -> Handed:
            keys = self._proven(found, made, proofs)
            holder = digest("\n".join(one.kid for one in keys))
            if found.state is LicenceState.ISSUED:
                if found.holder != holder:
                    raise Conflict("this licence was issued to other keys")
                told: list[str] = json.loads(self._vault.open(found.sealed, context(found.id)))
                self._store.save(replace(found, nonce=""))
                return Handed(made, tuple(told))
            return self._issue(found, made, keys, holder)

        return self._let_in(token, pin, issue)

    def _let_in(self, token: str, pin: str, work: Callable[[Licence, LicenceType], T]) -> T:
        with self._db.transaction():
            found = self._store.by_offer(digest(token))
            if found is None or not self._is_open(found):
                raise policy.unknown(OFFER)
            if found.attempts >= ATTEMPTS:
                raise Conflict("the PIN was wrong too often: ask for a new offer")
            if secrets.compare_digest(found.pin, digest(f"{token}:{pin}")):
                made = self._store.type(found.type)
                assert made is not None  # noqa: S101 - the database holds it
                return work(found, made)
            # Counted in this transaction, which must not be undone by what is raised.
            self._store.save(replace(found, attempts=found.attempts + 1))
        raise Invalid([Problem("pin", "is wrong")])

    def _is_open(self, found: Licence) -> bool:
        until = found.offer_until
        here = found.state is LicenceState.OFFERED or (
            found.state is LicenceState.ISSUED and found.sealed
        )
        return bool(here) and until is not None and self._clock.now() < until

    def _proven(self, found: Licence, made: LicenceType, proofs: Sequence[str]) -> list[Verifying]:
        wrong, keys, now = Collector(), [], self._clock.now()
        wrong.check(
            1 <= len(proofs) <= made.copies, "proofs", f"must be 1 to {made.copies} for this type"
        )
        fresh = found.nonce and found.nonce_until is not None and now < found.nonce_until
        wrong.check(fresh, "proofs", "are late: open the offer again")
        wrong.finish()
        for number, one in enumerate(proofs):
            try:
                keys.append(_possessed(one, made.issuer, found.nonce))
            except ProofError as error:
                wrong.check(False, f"proofs.{number}", str(error))
        wrong.check(
            len({one.kid for one in keys}) == len(keys), "proofs", "must be of different keys"
        )
        wrong.finish()
        return keys

    def _issue(
        self, found: Licence, made: LicenceType, keys: Sequence[Verifying], holder: str
    ) -> Handed:
        now, key = self._clock.now(), self._keys.private(found.path)
        if found.expired(now):
            raise Conflict("the licence would have ended: ask for a new one")
        claims = json.loads(self._vault.open(found.sealed, context(found.id)))
        self._db.lock(f"exchange:licence-list:{made.issuer}")
        places = self._store.take_places(
            found.path, made.issuer, made.issuer.rpartition("/issuers/")[0], found.id, len(keys)
        )
        handed = tuple(
            _credential(found, made, claims, one, place, key, self._dated(key, now))
            for one, place in zip(keys, places, strict=True)
        )
        sealed = self._vault.seal(json.dumps(handed).encode(), context(found.id))
        self._store.save(
            replace(
                found, state=LicenceState.ISSUED, sealed=sealed, holder=holder, nonce="",
                claimed_at=now, changed_at=now,
            )
        )  # fmt: skip
        self._audit.record(
            _HOLDER, "licence.claim", subject=found.id, path=found.path,
            details={"copies": len(keys)},
        )  # fmt: skip
        # Once, however many copies: what is handed out again was counted before.
        self._meter.note(LICENCES, now, act="issued")
        return Handed(made, handed)

    def _dated(self, key: PrivateKey, now: datetime) -> int:
        """When it says that it was issued: the day, so that copies cannot be matched by time.

        A key that is younger than the day dates what it signs at its own beginning.
        """
        since = self._keys.since(key.kid)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return int(max(midnight, since).timestamp())


def _possessed(proof: str, audience: str, nonce: str) -> Verifying:
    """The key of a proof of possession (OpenID4VCI 1.0, appendix F.1).

    Raises:
        ProofError: it proves nothing.
    """
    if len(proof) > _MOST:
        raise ProofError("too long for a proof")
    taken = jws.parse(proof)
    jwk = taken.header.get("jwk")
    if not isinstance(jwk, dict):
        raise ProofError("its header has no jwk")
    key = key_of(jwk)
    told = taken.told_by(key, POSSESSION)
    if told.get("aud") != audience or told.get("nonce") != nonce:
        raise ProofError("the proof is for another issuer or nonce")
    return key


def _credential(
    found: Licence, made: LicenceType, claims: dict[str, Any], holder: Verifying,
    place: tuple[str, int], key: PrivateKey, dated: int,
) -> str:  # fmt: skip
    uri, index = place
    told: dict[str, Any] = {
        **marked(made, claims),
        "iss": made.issuer, "vct": made.vct, "vct#integrity": made.integrity, "iat": dated,
        "nbf": int(found.valid_from.timestamp()),
        "cnf": {"jwk": holder.jwk()},
        "status": {"status_list": {"idx": index, "uri": uri}},
    }  # fmt: skip
    if found.valid_until is not None:
        told["exp"] = int(found.valid_until.timestamp())
    return sdjwt.issue(told, key, decoys=secrets.randbelow(_DECOYS) + 1)
