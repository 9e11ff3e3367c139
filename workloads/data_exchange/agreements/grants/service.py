"""The use cases of grants; README.md has the claims."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import (
    Collector,
    Conflict,
    Invalid,
    NotFound,
    Problem,
    Unauthenticated,
)
from foundation.kernel.time import Clock
from workloads.data_exchange.agreements.contracts.model import Agreement, AgreementState, Version
from workloads.data_exchange.agreements.grants.model import (
    AUDIENCE,
    GRANT,
    ISSUER,
    LONGEST,
    REQUEST,
    SKEW,
    Given,
)
from workloads.data_exchange.agreements.ports import Audit
from workloads.data_exchange.agreements.terms import Terms
from workloads.data_exchange.keys.model import Key
from workloads.data_exchange.keys.service import Signed
from workloads.data_exchange.proofs.keys import ProofError

_SYSTEM = Actor.system("grants")
_ASKED = {"agreement", "purposes", "seconds", "iat"}


class Contracts(Protocol):
    """The agreements."""

    def agreement(self, actor: Actor, agreement: str) -> Agreement: ...

    def version(self, actor: Actor, agreement: str, number: int | None = None) -> Version: ...

    def terms(self, version: Version) -> Terms: ...


class Ring(Protocol):
    """The keys of agencies and of the exchange."""

    def key(self, actor: Actor, kid: str) -> Key: ...

    def sign(self, path: str, payload: dict[str, Any], typ: str) -> str: ...

    def verify(self, compact: str, typ: str, *, at: datetime | None = None) -> Signed: ...


class Grants:
    """Hands out grants."""

    def __init__(
        self, contracts: Contracts, keys: Ring, db: UnitOfWork, clock: Clock, audit: Audit
    ) -> None:
        self._contracts = contracts
        self._keys = keys
        self._db = db
        self._clock = clock
        self._audit = audit

    def issue(
        self,
        actor: Actor,
        agreement: str,
        kid: str,
        *,
        purposes: Sequence[str] = (),
        seconds: int = LONGEST,
    ) -> Given:
        """Give whoever may use an agreement for its consumer a grant, bound to a key.

        Args:
            actor: a service account of the consumer, or a person of it.
            agreement: its id.
            kid: a key of the consumer that signs now; whoever uses the grant must hold it.
            purposes: for which; all of the agreement if empty.
            seconds: how long, at most 15 minutes.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such agreement, or none that the actor may know of.
            Forbidden: they may not use it.
            Conflict: it is not in force.
        """
        with self._db.transaction():
            there = self._contracts.agreement(actor, agreement)
            policy.require(actor, "agreement.use", there.consumer, "agreement")
            try:
                key: Key | None = self._keys.key(_SYSTEM, kid)
            except NotFound:
                key = None
            return self._give(there, key, purposes, seconds, actor)

    def issue_signed(self, agreement: str, compact: str) -> Given:
        """Give a grant to whoever shows by a signature that they hold a key of the consumer.

        Args:
            agreement: its id.
            compact: a JWS of type ``REQUEST`` over ``agreement``, ``iat`` (seconds since 1970, at
                most a minute from now) and, if wanted, ``purposes`` and ``seconds``. The grant is
                bound to the key that signed, so what is recorded and sent again gives nothing.

        Raises:
            Unauthenticated: no key here signed it.
            Invalid: names every wrong field.
            NotFound: the key's agency has no such agreement as its consumer.
            Conflict: it is not in force.
        """
        with self._db.transaction():
            try:
                found = self._keys.verify(compact, REQUEST)
            except ProofError:
                raise Unauthenticated("this is not signed by a key that signs here") from None
            asked = found.payload
            wrong = Collector()
            for name in sorted(set(asked) - _ASKED):
                wrong.check(False, name, "is not known here", "unknown")
            wrong.check(
                asked.get("agreement") == agreement, "agreement", "is not that of the address"
            )
            iat = asked.get("iat")
            skew = abs(iat - self._clock.now().timestamp()) if type(iat) is int else SKEW + 1
            wrong.check(skew <= SKEW, "iat", "must be now, give or take a minute")
            purposes = asked.get("purposes", [])
            plain = isinstance(purposes, list) and all(isinstance(one, str) for one in purposes)
            wrong.check(plain, "purposes", "must be a list of purposes")
            wrong.finish()
            there = self._contracts.agreement(_SYSTEM, agreement)
            if there.consumer != found.key.path:
                raise policy.unknown("agreement")
            return self._give(there, found.key, purposes, asked.get("seconds", LONGEST), _SYSTEM)

    def _give(
        self, there: Agreement, key: Key | None, asked: Sequence[str], seconds: int, actor: Actor
    ) -> Given:
        now = self._clock.now()
        version = self._contracts.version(_SYSTEM, there.id)
        terms = self._contracts.terms(version)
        wrong = Collector()
        wrong.check(
            key is not None and key.path == there.consumer and key.signs_at(now),
            "kid",
            "is no key of the consumer that signs now",
        )
        for n, one in enumerate(asked):
            wrong.check(one in terms.purposes, f"purposes.{n}", "is not agreed on", "not_agreed")
        wrong.check(
            type(seconds) is int and 0 < seconds <= LONGEST, "seconds", f"must be 1 to {LONGEST}"
        )
        wrong.finish()
        if there.state(now) is not AgreementState.IN_FORCE:
            raise Conflict(f"the agreement is {there.state(now)}", state=there.state(now))
        if key is None:
            raise Invalid([Problem("kid", "is required")])
        ends = min(now + timedelta(seconds=seconds), terms.ends)
        purposes = tuple(sorted(set(asked) or terms.purposes))
        claims = {
            "iss": ISSUER, "sub": there.consumer, "aud": AUDIENCE, "client_id": actor.id,
            "jti": ids.new("gnt"), "iat": int(now.timestamp()), "exp": int(ends.timestamp()),
            "cnf": {"jkt": key.kid}, "agreement": there.id, "version": version.number,
            "digest": version.digest, "purposes": list(purposes),
        }  # fmt: skip
        token = self._keys.sign(policy.ROOT, claims, GRANT)
        self._audit.record(
            actor, "agreement.grant", subject=there.id, path=there.consumer,
            details={"jti": claims["jti"], "kid": key.kid, "purposes": list(purposes)},
        )  # fmt: skip
        return Given(token, int(ends.timestamp()) - int(now.timestamp()), purposes)
