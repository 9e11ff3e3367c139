"""The use cases of agreements."""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from foundation.access import policy
from foundation.kernel import canonical, ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Conflict, Forbidden, Invalid, Problem
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock, format_instant
from workloads.data_exchange.agreements.contracts.model import (
    AGREEMENT,
    REASON_MAX,
    RECORD,
    Agreement,
    AgreementId,
    AgreementState,
    Party,
    Signature,
    Snapshot,
    Verified,
    Version,
)
from workloads.data_exchange.agreements.contracts.ports import (
    AgreementQuery,
    AgreementStore,
    Ring,
)
from workloads.data_exchange.agreements.policy import profile
from workloads.data_exchange.agreements.ports import Audit, Offered, Outbox, Work
from workloads.data_exchange.agreements.requests.drafting import terms_of
from workloads.data_exchange.agreements.requests.model import Request
from workloads.data_exchange.agreements.terms import Terms
from workloads.data_exchange.proofs.keys import ProofError

NOUN = "agreement"
#: The topics under which the outbox tells of agreements.
DRAFTED, SIGNED = "exchange.agreement.drafted", "exchange.agreement.signed"
IN_FORCE, REVOKED = "exchange.agreement.in_force", "exchange.agreement.revoked"
ENDED = "exchange.agreement.ended"
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service works with."""

    store: AgreementStore
    db: Work
    clock: Clock
    audit: Audit
    outbox: Outbox
    keys: Ring


class Agreements:
    """What was agreed, who signed it, and until when it counts."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store
        self._db = parts.db

    # --- where they come from

    def check_amends(self, agreement: str, request: Request) -> bool:
        """Whether it is an agreement of these two agencies on this data set that still counts."""
        found = self._store.find(agreement)
        return found is not None and self._amendable(found, request)

    def _amendable(self, there: Agreement, request: Request) -> bool:
        same = (there.provider, there.consumer, there.dataset, there.service) == (
            request.provider, request.consumer, request.dataset, request.service,
        )  # fmt: skip
        over = {AgreementState.REVOKED, AgreementState.ENDED}
        return same and there.state(self._parts.clock.now()) not in over

    def draft(self, request: Request, offered: Offered) -> str:
        """Draft an agreement, or the next version of the one that the request amends.

        Called in the open transaction of the approval.

        Raises:
            Conflict: what was to be amended was revoked or has ended.
        """
        now = self._parts.clock.now()
        there = self._store.find(request.amends, hold=True) if request.amends else None
        if request.amends and (there is None or not self._amendable(there, request)):
            raise Conflict("the agreement that this would amend counts no more")
        agreement = there or Agreement(
            AgreementId(ids.new("agr")), request.provider, request.consumer, offered.dataset,
            offered.service, now, 0, request.given.begins, request.given.ends,
        )  # fmt: skip
        number = agreement.latest + 1
        about = profile.About(number, now, request.id, request.legal_basis)
        text = profile.write(terms_of(request, offered, agreement.id), about)
        # Whoever enforces it will read it so: what cannot be read is not signed.
        profile.read(text, offered.answers)
        version = Version(
            agreement.id, number, canonical.dumps(text), canonical.digest(text), offered.answers,
            request.id, now,
        )  # fmt: skip
        if there is None:
            self._store.add(replace(agreement, latest=number))
        else:
            self._store.update(replace(agreement, latest=number))
        self._store.add_version(version)
        self._tell(DRAFTED, agreement, {"version": number, "digest": version.digest})
        return agreement.id

    # --- signing

    def sign(self, actor: Actor, agreement: str, party: Party, digest: str) -> Version:
        """Sign the newest version with the agency's key that is kept here.

        Args:
            actor: who signs for the agency.
            agreement: its id.
            party: for which side.
            digest: of the version that they read.

        Raises:
            NotFound: no such agreement, or none that the actor may know of.
            Forbidden: they may not sign for this side, or signed for the other one.
            Conflict: there is another version, it counts no more, or the agency has no key here.
        """
        with self._db.transaction():
            there, version = self._to_sign(actor, agreement, party)
            if digest != version.digest:
                raise Conflict("there is another version than the one you read")
            if party in version.signatures:
                return version
            jws = self._parts.keys.sign(there.path(party), json.loads(version.policy), AGREEMENT)
            return self._signed(actor, there, version, party, jws)

    def submit(self, actor: Actor, agreement: str, party: Party, jws: str) -> Version:
        """Take a signature that the agency made with its own key.

        Args:
            actor: who brings it; they must be allowed to sign for the agency.
            agreement: its id.
            party: for which side.
            jws: compact, of type ``exchange-agreement+jws``, over the policy.

        Raises:
            Invalid: it is not a signature of that agency over the newest version.
            NotFound: no such agreement, or none that the actor may know of.
            Forbidden: they may not sign for this side, or signed for the other one.
            Conflict: it counts no more.
        """
        with self._db.transaction():
            there, version = self._to_sign(actor, agreement, party)
            if party in version.signatures:
                return version
            return self._signed(actor, there, version, party, jws)

    def _to_sign(self, actor: Actor, agreement: str, party: Party) -> tuple[Agreement, Version]:
        there = self._find(actor, agreement, hold=True)
        self._require(actor, "agreement.sign", there.path(party))
        state = there.state(self._parts.clock.now())
        if state in {AgreementState.REVOKED, AgreementState.ENDED}:
            raise Conflict(f"the agreement is {state}: nobody signs it any more")
        version = self._version(there, there.latest)
        other = version.signatures.get(party.other)
        if other is not None and other.by == actor.id:
            raise Forbidden("who signed for one side does not sign for the other as well")
        return there, version

    def _signed(
        self, actor: Actor, there: Agreement, version: Version, party: Party, jws: str
    ) -> Version:
        now = self._parts.clock.now()
        try:
            found = self._parts.keys.verify(jws, AGREEMENT, at=now)
        except ProofError as error:
            raise Invalid([Problem("signature", str(error))]) from None
        wrong = Collector()
        wrong.check(
            found.key.path == there.path(party), "signature", f"is not by a key of the {party}"
        )
        wrong.check(
            canonical.dumps(found.payload) == version.policy,
            "signature",
            "is not over the newest version",
        )
        wrong.finish()
        signature = Signature(party, jws, found.key.kid, now, actor.id, actor.name)
        self._store.sign(version, signature)
        version = replace(version, signatures={**version.signatures, party: signature})
        details = {"version": version.number, "digest": version.digest, "kid": signature.kid}
        self._note(actor, "agreement.sign", there, party, details)
        self._tell(SIGNED, there, {**details, "party": party.value})
        if len(version.signatures) == len(Party):
            version = self._in_force(there, version)
        return version

    def _in_force(self, there: Agreement, version: Version) -> Version:
        # A record must not be dated before the key that it makes the exchange make.
        self._parts.keys.ready()
        now = self._parts.clock.now()
        terms = _compiled(version.policy, _text(version))
        made = {
            "agreement": there.id, "version": version.number, "digest": version.digest,
            "in_force_at": format_instant(now),
            "signatures": {
                party.value: {
                    "kid": one.kid, "at": format_instant(one.at),
                    "digest": canonical.digest(one.jws),
                }
                for party, one in version.signatures.items()
            },
        }  # fmt: skip
        record = self._parts.keys.sign(policy.ROOT, made, RECORD)
        version = replace(version, in_force_at=now, record=record)
        self._store.seal(version)
        there = replace(there, current=version.number, begins=terms.begins, ends=terms.ends)
        self._store.update(there)
        self._store.publish(there)
        self._tell(IN_FORCE, there, {"version": version.number, "digest": version.digest})
        return version

    def revoke(self, actor: Actor, agreement: str, party: Party, reason: str) -> Agreement:
        """End an agreement now; either side may, without the other.

        Args:
            actor: who revokes for the agency.
            agreement: its id.
            party: for which side.
            reason: why, for the record.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such agreement, or none that the actor may know of.
            Forbidden: they may not revoke for this side.
            Conflict: its term has ended.
        """
        with self._db.transaction():
            there, now = self._find(actor, agreement, hold=True), self._parts.clock.now()
            self._require(actor, "agreement.revoke", there.path(party))
            wrong = Collector()
            wrong.check(reason.strip() and len(reason) <= REASON_MAX, "reason",
                        f"must be 1 to {REASON_MAX} characters")  # fmt: skip
            wrong.finish()
            if there.revoked_at is not None:
                return there
            if there.state(now) is AgreementState.ENDED:
                raise Conflict("the agreement has ended")
            there = replace(there, revoked_at=now, revoked_by=party, reason=reason.strip())
            self._store.update(there)
            position = self._store.publish(there)
            self._note(actor, "agreement.revoke", there, party, {"reason": there.reason})
            self._tell(REVOKED, there, {"party": party.value})
            return replace(there, position=position)

    def end(self) -> None:
        """Tell of every term that has ended, each once."""
        while True:
            with self._db.transaction():
                now = self._parts.clock.now()
                over = self._store.over(now, _BATCH)
                for one in over:
                    there = self._store.find(one, hold=True)
                    if there is None or there.ended_told or there.ends > now:
                        continue
                    self._store.update(replace(there, ended_told=True))
                    self._tell(ENDED, there, {})
            if len(over) < _BATCH:
                return

    # --- reading

    def agreement(self, actor: Actor, agreement: str) -> Agreement:
        """One agreement.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._find(actor, agreement)

    def agreements(
        self,
        actor: Actor,
        page: PageRequest,
        *,
        state: AgreementState | None = None,
        party: str = "",
    ) -> Page[Agreement]:
        """The agreements that the actor may see, newest first."""
        with self._db.transaction():
            query = AgreementQuery(self._parts.clock.now(), state, party)
            return self._store.list(policy.visible_paths(actor, "agreement.view"), query, page)

    def versions(self, actor: Actor, agreement: str) -> Sequence[Version]:
        """The versions of an agreement with their signatures, newest first.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._store.versions(self._find(actor, agreement).id)

    def version(self, actor: Actor, agreement: str, number: int | None = None) -> Version:
        """One version; the one that counts, else the newest, without a number.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._find(actor, agreement)
            return self._version(there, number or there.current or there.latest)

    def verify(self, actor: Actor, agreement: str, number: int) -> list[Verified]:
        """Verify the signatures of a version again, each at the time at which it was made.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._find(actor, agreement)
            version = self._version(there, number)
            return [
                self._verified(there, version, version.signatures[party])
                for party in Party
                if party in version.signatures
            ]

    def _verified(self, there: Agreement, version: Version, one: Signature) -> Verified:
        problem = ""
        try:
            found = self._parts.keys.verify(one.jws, AGREEMENT, at=one.at)
            if found.key.path != there.path(one.party):
                problem = f"is not by a key of the {one.party}"
            elif canonical.dumps(found.payload) != version.policy:
                problem = "is not over this version"
        except ProofError as error:
            problem = str(error)
        return Verified(one.party, one.kid, one.at, one.name, not problem, problem)

    # --- for those who enforce

    def terms(self, version: Version) -> Terms:
        """What a version allows."""
        return _compiled(version.policy, _text(version))

    def in_force(self) -> Snapshot:
        """All terms that count now, or will, and where to go on with ``changes``."""
        with self._db.transaction():
            position = self._store.position()
            found = self._store.counting(self._parts.clock.now())
            return Snapshot(position, tuple(_terms(*one) for one in found))

    def changes(self, since: int) -> Snapshot:
        """What changed after a position: new versions, and those that were revoked."""
        with self._db.transaction():
            position = self._store.position()
            found = self._store.changed(since)
            return Snapshot(position, tuple(_terms(*one) for one in found))

    # --- below

    def _find(self, actor: Actor, agreement: str, *, hold: bool = False) -> Agreement:
        found = self._store.find(agreement, hold=hold)
        if found is None or not any(
            policy.allows(actor, "agreement.view", path)
            for path in (found.provider, found.consumer)
        ):
            raise policy.unknown(NOUN)
        return found

    def _require(self, actor: Actor, action: str, path: str) -> None:
        """Refuse who may know of the agreement and not do this for that side."""
        if not policy.allows(actor, action, path):
            raise Forbidden(f"this needs the permission {action} on {path}", action=action)

    def _version(self, there: Agreement, number: int) -> Version:
        found = self._store.version(there.id, number)
        if found is None:
            raise policy.unknown(NOUN)
        return found

    def _note(
        self, actor: Actor, action: str, there: Agreement, party: Party, details: dict[str, object]
    ) -> None:
        self._parts.audit.record(
            actor, action, subject=there.id, path=there.path(party), details=details
        )

    def _tell(self, topic: str, there: Agreement, more: dict[str, object]) -> None:
        self._parts.outbox.publish(
            topic,
            {
                "agreement": there.id, "provider": there.provider, "consumer": there.consumer,
                "dataset": there.dataset, **more,
            },
        )  # fmt: skip


def _terms(there: Agreement, version: Version) -> Terms:
    return replace(_compiled(version.policy, _text(version)), revoked_at=there.revoked_at)


def _text(version: Version) -> str | None:
    return None if version.answers is None else canonical.dumps(version.answers)


@functools.lru_cache(maxsize=4096)
def _compiled(text: str, answers: str | None) -> Terms:
    """Versions never change, so each is read once."""
    return profile.compile_terms(json.loads(text), None if answers is None else json.loads(answers))
