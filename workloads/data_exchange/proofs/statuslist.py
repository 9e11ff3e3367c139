"""Token Status List (draft-ietf-oauth-status-list-17), JWT form: what became of many tokens."""

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, TypeGuard

from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey, ProofError, decoded, encoded
from workloads.data_exchange.proofs.others import Verifying

TYP = "statuslist+jwt"
BITS = (1, 2, 4, 8)
#: The longest list that is unpacked: a hundred million bits (the draft warns of bombs, 11.x).
LONGEST = 12_500_000
#: The last second that counts as a time (the year 9999), the longest ttl, and by how much the
#: issuer's clock may be ahead.
_LAST = 253_402_300_799
_LONGEST_TTL = 10 * 366 * 86_400
_AHEAD = timedelta(minutes=5)


class Status(IntEnum):
    """What a value means (7.1)."""

    VALID = 0
    INVALID = 1
    SUSPENDED = 2


class Expired(ProofError):
    """A status list that was one and counts no more.

    Attributes:
        at: when it was signed.
    """

    def __init__(self, at: datetime) -> None:
        super().__init__("the status list has expired")
        self.at = at


class StatusList:
    """The statuses of so many tokens, packed from the lowest bit of each byte on (4.1).

    Args:
        size: how many tokens.
        bits: of each: 1, 2, 4 or 8.
    """

    def __init__(self, size: int, bits: int = 2) -> None:
        if bits not in BITS:
            raise ProofError("a status has 1, 2, 4 or 8 bits")
        self.bits = bits
        self._bytes = bytearray(-(-size * bits // 8))

    def __getitem__(self, index: int) -> int:
        place, shift = self._place(index)
        return self._bytes[place] >> shift & (1 << self.bits) - 1

    def __setitem__(self, index: int, value: int) -> None:
        place, shift = self._place(index)
        mask = (1 << self.bits) - 1
        if not 0 <= value <= mask:
            raise ProofError("this status does not fit into the list")
        self._bytes[place] = self._bytes[place] & ~(mask << shift) | value << shift

    def _place(self, index: int) -> tuple[int, int]:
        each = 8 // self.bits
        if not 0 <= index < len(self._bytes) * each:
            raise ProofError("the list has no such index")
        return index // each, index % each * self.bits

    def claim(self) -> dict[str, Any]:
        """The claim ``status_list`` (4.2)."""
        return {"bits": self.bits, "lst": encoded(zlib.compress(bytes(self._bytes), 9))}

    @staticmethod
    def of_claim(claim: Mapping[str, Any]) -> "StatusList":
        """Read the claim.

        Raises:
            ProofError: it is none, or unpacks to more than is looked at.
        """
        bits, text = claim.get("bits"), claim.get("lst")
        if type(bits) is not int or not isinstance(text, str):
            raise ProofError("not a status list")
        found = StatusList(0, bits)
        unpacking = zlib.decompressobj()
        try:
            data = unpacking.decompress(decoded(text), LONGEST)
        except zlib.error:
            raise ProofError("the status list is not packed with zlib") from None
        if not unpacking.eof or unpacking.unused_data:
            raise ProofError("the status list is cut off, or too long")
        found._bytes = bytearray(data)
        return found


def signed(
    statuses: StatusList,
    key: PrivateKey,
    *,
    uri: str,
    at: datetime,
    lasts: timedelta,
    ttl: timedelta,
) -> str:
    """A status list token (5.1).

    Args:
        statuses: the list.
        key: of the issuer.
        uri: where it is; the tokens that it is about name the same.
        at: now.
        lasts: until when it counts.
        ttl: how long it may be kept before a fresh one is fetched.
    """
    now = int(at.timestamp())
    told = {
        "sub": uri, "iat": now, "exp": now + int(lasts.total_seconds()),
        "ttl": int(ttl.total_seconds()), "status_list": statuses.claim(),
    }  # fmt: skip
    return jws.sign(told, key, TYP)


@dataclass(frozen=True, slots=True)
class Opened:
    """A status list token that holds.

    Attributes:
        statuses: the list.
        at: when it was signed: it says nothing of what happened later.
        until: when it counts no more; None when it does not say.
        ttl: how long it may be kept before a fresh one should be fetched; None for no word.
    """

    statuses: StatusList
    at: datetime
    until: datetime | None
    ttl: timedelta | None

    def stale(self, at: datetime) -> bool:
        """Whether a fresh one should have been fetched by then."""
        return self.ttl is not None and at > self.at + self.ttl


def place_of(claims: Mapping[str, Any]) -> tuple[str, int]:
    """Where a token says that its status stands: the list's address, and the index in it (6.2).

    Raises:
        ProofError: it names no place in a status list.
    """
    named = claims.get("status")
    named = named.get("status_list") if isinstance(named, dict) else None
    index = named.get("idx") if isinstance(named, dict) else None
    if (
        not isinstance(named, dict)
        or type(index) is not int
        or not isinstance(named.get("uri"), str)
    ):
        raise ProofError("it names no place in a status list")
    return named["uri"], index


def opened(token: str, key: Verifying, *, uri: str, at: datetime) -> Opened:
    """The list of a status list token (8.3).

    Args:
        token: as it was fetched or kept.
        key: of the status list's issuer.
        uri: whose list it must be; the ``uri`` of the tokens that it is asked about.
        at: now.

    Raises:
        Expired: it counts no more.
        ProofError: it is not that key's, is another list, of the future or damaged.
    """
    told = jws.parse(token).told_by(key, TYP)
    if told.get("sub") != uri:
        raise ProofError("the status list is another one")
    made, ends, ttl = told.get("iat"), told.get("exp"), told.get("ttl")
    if not _is_time(made) or not (ends is None or _is_time(ends)):
        raise ProofError("the status list has no time")
    if not (ttl is None or (_is_time(ttl) and 0 < ttl <= _LONGEST_TTL)):
        raise ProofError("the ttl of the status list is no positive number")
    if made > at.timestamp() + _AHEAD.total_seconds():
        raise ProofError("the status list is of the future")
    if ends is not None and ends <= at.timestamp():
        raise Expired(datetime.fromtimestamp(made, UTC))
    if not isinstance(told.get("status_list"), dict):
        raise ProofError("not a status list")
    return Opened(
        StatusList.of_claim(told["status_list"]),
        datetime.fromtimestamp(made, UTC),
        None if ends is None else datetime.fromtimestamp(ends, UTC),
        None if ttl is None else timedelta(seconds=ttl),
    )


def status_of(claims: Mapping[str, Any], token: str, key: Verifying, at: datetime) -> int:
    """The status of a token by its claim ``status`` and a status list token (8.3).

    Args:
        claims: of the token that is asked about.
        token: the status list token that its ``uri`` names.
        key: of the status list's issuer.
        at: now.

    Raises:
        ProofError: it names no status, or the list is another one, expired, or too short.
    """
    uri, index = place_of(claims)
    return opened(token, key, uri=uri, at=at).statuses[index]


def _is_time(value: object) -> TypeGuard[float]:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and 0 <= value <= _LAST
    )
