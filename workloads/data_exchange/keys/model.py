"""A key, whose it is, and when it signs."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from workloads.data_exchange.proofs.keys import PublicKey

#: What a new key signs to show that somebody holds it: ``{"agency": id, "kid": kid}``.
POSSESSION = "exchange-key+jws"
REASON_MAX = 500


class KeyState(StrEnum):
    """What a key is at a moment."""

    ACTIVE = "active"
    RETIRED = "retired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Key:
    """A key of an agency; those of the path ``/`` are the exchange's own.

    Attributes:
        path: of the agency.
        hosted: whether the private key is kept here.
        created_at: from when on it signs.
        not_after: when it was replaced; it signs no more from then on.
        revoked_at: from when on it may have been in other hands.
        reason: why it was revoked.
    """

    path: str
    public: PublicKey
    hosted: bool
    created_at: datetime
    not_after: datetime | None = None
    revoked_at: datetime | None = None
    reason: str = ""

    @property
    def kid(self) -> str:
        """Its name: the thumbprint of RFC 7638."""
        return self.public.kid

    def signs_at(self, at: datetime) -> bool:
        """Whether a signature of that moment counts."""
        ends = [end for end in (self.not_after, self.revoked_at) if end is not None]
        return self.created_at <= at and all(at < end for end in ends)

    def state(self, at: datetime) -> KeyState:
        """What it is at a moment."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        return KeyState.ACTIVE if self.signs_at(at) else KeyState.RETIRED

    def jwk(self) -> dict[str, object]:
        """For a JWK set: with the times between which it signs, in seconds since 1970.

        With their fraction: a signature may be of the same second.
        """
        found: dict[str, object] = {**self.public.jwk(), "nbf": _seconds(self.created_at)}
        ends = [end for end in (self.not_after, self.revoked_at) if end is not None]
        if ends:
            found["exp"] = _seconds(min(ends))
        return found


def _seconds(at: datetime) -> float:
    found = at.timestamp()
    return int(found) if found.is_integer() else found
