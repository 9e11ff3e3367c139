"""An agreement, its versions and their signatures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from foundation.kernel.actor import PrincipalId
from workloads.data_exchange.agreements.terms import Terms

AgreementId = NewType("AgreementId", str)
#: What a signature of an agreement, and the exchange's record of both, are made as.
AGREEMENT, RECORD = "exchange-agreement+jws", "exchange-agreement-record+jws"
REASON_MAX = 500


class AgreementState(StrEnum):
    """Where an agreement stands at a moment."""

    #: Not yet signed by both.
    PROPOSED = "proposed"
    #: Signed by both; its term has not begun.
    SIGNED = "signed"
    IN_FORCE = "in_force"
    ENDED = "ended"
    REVOKED = "revoked"


class Party(StrEnum):
    """Who signs."""

    PROVIDER = "provider"
    CONSUMER = "consumer"

    @property
    def other(self) -> "Party":
        """The other one."""
        return Party.CONSUMER if self is Party.PROVIDER else Party.PROVIDER


@dataclass(frozen=True, slots=True)
class Signature:
    """The signature of one side.

    Attributes:
        jws: compact, type ``AGREEMENT``; its payload is the policy.
        kid: the agency's key that made it.
        at: when it came in, by the exchange's clock: the key had to be good then.
        by, name: who signed, or brought what was signed elsewhere.
    """

    party: Party
    jws: str
    kid: str
    at: datetime
    by: PrincipalId
    name: str


@dataclass(frozen=True, slots=True)
class Version:
    """One text of an agreement; it is never changed, only signed.

    Attributes:
        number: from 1.
        policy: the canonical JSON (RFC 8785) of the policy: the very bytes that are signed.
        digest: of it, ``sha256:…``.
        answers: the JSON Schema whose digest the policy names.
        request: where it came from.
        in_force_at: when the second side signed.
        record: the exchange's JWS (type ``RECORD``) over digest, signatures and their times, by
            which others know when they were made.
    """

    agreement: AgreementId
    number: int
    policy: str
    digest: str
    answers: Mapping[str, Any] | None
    request: str
    created_at: datetime
    signatures: Mapping[Party, Signature] = field(default_factory=dict)
    in_force_at: datetime | None = None
    record: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two agencies agreed, or are about to.

    Attributes:
        provider, consumer: paths of the agencies.
        latest: number of the newest version.
        current: number of the one that counts; None before both have signed one.
        begins, ends: the term of the current version, else of the newest.
        revoked_at: from when on it counts no more; by which side, and why.
        position: where its last change stands among those of all agreements; 0 before any.
        ended_told: whether its end was told.
    """

    id: AgreementId
    provider: str
    consumer: str
    dataset: str
    service: str
    created_at: datetime
    latest: int
    begins: datetime
    ends: datetime
    current: int | None = None
    revoked_at: datetime | None = None
    revoked_by: Party | None = None
    reason: str = ""
    position: int = 0
    ended_told: bool = False

    def path(self, party: Party) -> str:
        """The agency of a side."""
        return self.provider if party is Party.PROVIDER else self.consumer

    def state(self, at: datetime) -> AgreementState:
        """Where it stands at a moment."""
        if self.revoked_at is not None and self.revoked_at <= at:
            return AgreementState.REVOKED
        if at >= self.ends:
            return AgreementState.ENDED
        if self.current is None:
            return AgreementState.PROPOSED
        return AgreementState.SIGNED if at < self.begins else AgreementState.IN_FORCE


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Terms for those who enforce them.

    Attributes:
        position: ask for what changed since this next time.
        terms: each of an agreement in the version that counts, with when it was revoked.
    """

    position: int
    terms: tuple[Terms, ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether a signature holds.

    Attributes:
        holds: it is the agency's, over this policy, by a key that was good when it was made.
        problem: why not; empty when it holds.
    """

    party: Party
    kid: str
    at: datetime
    name: str
    holds: bool
    problem: str = ""
