"""The use cases of officers: proposing, approving, offering, suspending, revoking."""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Conflict, Invalid, Problem
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock
from workloads.data_exchange.licences.kinds import TYPE
from workloads.data_exchange.licences.model import (
    BATCH_MAX,
    Licence,
    LicenceId,
    LicenceState,
    LicenceType,
    Reason,
    begins,
    check_claims,
    check_reference,
    ends,
)
from workloads.data_exchange.licences.ports import Audit, Keyring, LicenceStore, Vault, Work
from workloads.data_exchange.proofs.statuslist import Status

NOUN = "licence"
#: How long a holder may take, and how long a proposal may wait for a second officer.
OFFER_LASTS, PROPOSAL_LASTS = timedelta(days=14), timedelta(days=90)
#: Until when what was handed out may be fetched again by the same keys, if it did not arrive.
ARRIVES = timedelta(hours=1)
#: Until when it is known that a licence was, after it ended.
REMEMBERED = timedelta(days=400)
_PIN_DIGITS = 6
_AWAITING = {LicenceState.PROPOSED, LicenceState.OFFERED}
_HELD = {LicenceState.ISSUED, LicenceState.SUSPENDED}


@dataclass(frozen=True, slots=True)
class Wish:
    """What an officer wants to issue."""

    reference: str
    claims: Mapping[str, Any]
    valid_from: datetime | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What the holder gets once: the token in a link, the PIN on another way."""

    token: str
    pin: str


@dataclass(frozen=True, slots=True)
class Proposed:
    """A licence, and the offer when it waits for nobody else."""

    licence: Licence
    offer: Offer | None = None


class Licences:
    """Licences, as officers see them: what they say is seen by nobody once they are issued."""

    def __init__(
        self,
        store: LicenceStore,
        db: Work,
        clock: Clock,
        audit: Audit,
        keys: Keyring,
        vault: Vault,
    ) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._audit = audit
        self._keys = keys
        self._vault = vault

    def propose(self, actor: Actor, type_id: str, wish: Wish) -> Proposed:
        """Issue a licence to whoever gets the offer, or propose it where two must agree.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such type.
            Conflict: the type is retired, or its agency has no key here.
        """
        try:
            return self.propose_batch(actor, type_id, [wish])[0]
        except Invalid as error:
            raise Invalid(
                Problem(one.field.removeprefix("items.0."), one.message, one.code)
                for one in error.problems
            ) from None

    def propose_batch(self, actor: Actor, type_id: str, wishes: Sequence[Wish]) -> list[Proposed]:
        """Issue or propose up to 500 licences, all or none.

        Raises:
            Invalid: names every wrong field of every item.
            NotFound: no such type.
            Conflict: the type is retired, or its agency has no key here.
        """
        with self._db.transaction():
            made = self._type(type_id)
            policy.require(actor, "licence.issue", made.agency, TYPE)
            wrong = Collector()
            wrong.check(
                1 <= len(wishes) <= BATCH_MAX, "items", f"must be 1 to {BATCH_MAX} licences"
            )
            wrong.finish()
            for number, wish in enumerate(wishes):
                self._check(wrong, made, wish, f"items.{number}")
            wrong.finish()
            if made.retired_at is not None:
                raise Conflict("this version of the type is retired: issue a newer one")
            self._keys.private(made.agency)
            return [self._add(actor, made, wish) for wish in wishes]

    def _check(self, wrong: Collector, made: LicenceType, wish: Wish, at: str) -> None:
        now = self._clock.now()
        check_reference(wrong, wish.reference, f"{at}.reference")
        check_claims(wrong, made, wish.claims, f"{at}.claims")
        start, end = wish.valid_from or begins(now), wish.valid_until
        good = end is None or (end > start and end > now)
        wrong.check(good, f"{at}.valid_until", "must be later than its begin and than now")

    def _add(self, actor: Actor, made: LicenceType, wish: Wish) -> Proposed:
        now = self._clock.now()
        start = wish.valid_from or begins(now)
        licence = Licence(
            LicenceId(ids.new("lic")), made.id, made.agency, wish.reference,
            LicenceState.PROPOSED, str(actor.id), now, now, start,
            wish.valid_until or ends(made, start),
        )  # fmt: skip
        claims = json.dumps(dict(wish.claims), ensure_ascii=False).encode()
        licence = replace(licence, sealed=self._vault.seal(claims, context(licence.id)))
        self._store.add(licence)
        self._note(actor, "licence.propose", licence, {"type": made.id})
        if made.four_eyes:
            return Proposed(licence)
        return self._offer(actor, licence)

    def approve(self, actor: Actor, licence_id: str) -> Proposed:
        """Agree to what another officer proposed, and offer it.

        Raises:
            NotFound: no such licence.
            Conflict: it is not proposed, or the actor proposed it.
        """
        with self._db.transaction():
            found = self._held(actor, "licence.approve", licence_id)
            if found.state is not LicenceState.PROPOSED:
                raise _conflict(found)
            if found.proposed_by == str(actor.id):
                raise Conflict("somebody else must approve what you proposed")
            return self._offer(actor, found)

    def refuse(self, actor: Actor, licence_id: str) -> Licence:
        """Refuse what an officer proposed.

        Raises:
            NotFound: no such licence.
            Conflict: it is not proposed.
        """
        with self._db.transaction():
            found = self._held(actor, "licence.approve", licence_id)
            if found.state is not LicenceState.PROPOSED:
                raise _conflict(found)
            return self._be(actor, "licence.refuse", found, LicenceState.REFUSED, None)

    def offer(self, actor: Actor, licence_id: str) -> Proposed:
        """A new link and PIN for what was not claimed yet; those before count no more.

        Raises:
            NotFound: no such licence.
            Conflict: it is not offered.
        """
        with self._db.transaction():
            found = self._held(actor, "licence.issue", licence_id)
            if found.state is not LicenceState.OFFERED:
                raise _conflict(found)
            return self._offer(actor, found)

    def _offer(self, actor: Actor, found: Licence) -> Proposed:
        token = secrets.token_urlsafe(24)
        pin = f"{secrets.randbelow(10**_PIN_DIGITS):0{_PIN_DIGITS}}"
        now = self._clock.now()
        made = replace(
            found, state=LicenceState.OFFERED, offer=digest(token), pin=digest(f"{token}:{pin}"),
            offer_until=now + OFFER_LASTS, attempts=0, nonce="", changed_at=now,
        )  # fmt: skip
        self._store.save(made)
        self._note(actor, "licence.offer", made, {})
        return Proposed(made, Offer(token, pin))

    def suspend(self, actor: Actor, licence_id: str, reason: Reason) -> Licence:
        """Let it not count until it is reinstated; verifiers see it within the lists' ttl.

        Raises:
            NotFound: no such licence.
            Conflict: it is not issued.
        """
        return self._status(
            actor, "licence.suspend", licence_id, {LicenceState.ISSUED}, LicenceState.SUSPENDED,
            Status.SUSPENDED, reason,
        )  # fmt: skip

    def reinstate(self, actor: Actor, licence_id: str, reason: Reason) -> Licence:
        """Let a suspended one count again.

        Raises:
            NotFound: no such licence.
            Conflict: it is not suspended.
        """
        return self._status(
            actor, "licence.reinstate", licence_id, {LicenceState.SUSPENDED},
            LicenceState.ISSUED, Status.VALID, reason,
        )  # fmt: skip

    def revoke(self, actor: Actor, licence_id: str, reason: Reason) -> Licence:
        """End it for ever; one that nobody has yet is withdrawn.

        Raises:
            NotFound: no such licence.
            Conflict: it has ended.
        """
        with self._db.transaction():
            found = self._held(actor, "licence.revoke", licence_id)
            if found.state in _AWAITING:
                return self._be(actor, "licence.withdraw", found, LicenceState.WITHDRAWN, reason)
        return self._status(
            actor, "licence.revoke", licence_id, _HELD, LicenceState.REVOKED, Status.INVALID,
            reason,
        )  # fmt: skip

    def _status(
        self, actor: Actor, action: str, licence_id: str, states: set[LicenceState],
        state: LicenceState, status: Status, reason: Reason,
    ) -> Licence:  # fmt: skip
        with self._db.transaction():
            found = self._held(actor, "licence.revoke", licence_id)
            if found.state not in states:
                raise _conflict(found)
            self._store.set_status(found.id, status)
            return self._be(actor, action, found, state, reason, keep=True)

    def _be(
        self, actor: Actor, action: str, found: Licence, state: LicenceState,
        reason: Reason | None, *, keep: bool = False,
    ) -> Licence:  # fmt: skip
        made = replace(found, state=state, reason=reason, changed_at=self._clock.now())
        if not keep:
            made = forgotten(made)
        self._store.save(made)
        self._note(actor, action, made, {"reason": reason.value if reason else ""})
        return made

    def licence(self, actor: Actor, licence_id: str) -> Licence:
        """One licence.

        Raises:
            NotFound: no such licence.
        """
        with self._db.transaction():
            found = self._store.find(licence_id)
            if found is None:
                raise policy.unknown(NOUN)
            policy.require(actor, "licence.view", found.path, NOUN)
            return found

    def licences(
        self, actor: Actor, state: LicenceState | None, request: PageRequest
    ) -> Page[Licence]:
        """Those of the actor's agencies, newest first."""
        with self._db.transaction():
            return self._store.list(policy.visible_paths(actor, "licence.view"), state, request)

    def claims(self, actor: Actor, licence_id: str) -> Mapping[str, Any]:
        """What a proposed licence would say, for the officer who approves it; else nothing.

        Raises:
            NotFound: no such licence.
        """
        with self._db.transaction():
            found = self._held(actor, "licence.approve", licence_id)
            if found.state is not LicenceState.PROPOSED:
                return {}
            self._note(actor, "licence.read", found, {})
            told: dict[str, Any] = json.loads(self._vault.open(found.sealed, context(found.id)))
            return told

    def tidy(self) -> int:
        """Forget what is not needed any more; answers of how many licences.

        Claims go with an offer or a proposal that lapsed, what was handed out an hour after it was,
        and all of a licence 400 days after it ended.
        """
        now, count = self._clock.now(), 0
        with self._db.transaction():
            for one in self._store.forgettable(now, now - PROPOSAL_LASTS, now - ARRIVES):
                found = self._store.find(one, hold=True)
                if found is not None and found.sealed:
                    self._store.save(_tidied(found, now))
                    count += 1
            return count + self._store.forget(now - REMEMBERED)

    def _type(self, type_id: str) -> LicenceType:
        found = self._store.type(type_id)
        if found is None:
            raise policy.unknown(TYPE)
        return found

    def _held(self, actor: Actor, action: str, licence_id: str) -> Licence:
        found = self._store.find(licence_id, hold=True)
        if found is None:
            raise policy.unknown(NOUN)
        policy.require(actor, action, found.path, NOUN)
        return found

    def _note(
        self, actor: Actor, action: str, licence: Licence, details: Mapping[str, object]
    ) -> None:
        self._audit.record(actor, action, subject=licence.id, path=licence.path, details=details)


def _tidied(found: Licence, now: datetime) -> Licence:
    made = forgotten(found)
    return (
        replace(made, state=LicenceState.LAPSED, changed_at=now)
        if found.state in _AWAITING
        else made
    )


def forgotten(found: Licence) -> Licence:
    """Without what it says and without its offer."""
    return replace(
        found, sealed="", offer="", pin="", offer_until=None, nonce="", nonce_until=None, holder=""
    )


def digest(text: str) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()


def context(licence_id: str) -> str:
    """What the contents of a licence are sealed for."""
    return f"exchange_licence:{licence_id}"


def _conflict(found: Licence) -> Conflict:
    return Conflict("this licence is not in a state that allows this", state=found.state.value)
