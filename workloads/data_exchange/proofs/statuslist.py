"""Token Status List (draft-ietf-oauth-status-list-17), JWT form: what became of many tokens."""

import zlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey, ProofError, PublicKey, decoded, encoded

TYP = "statuslist+jwt"
BITS = (1, 2, 4, 8)
#: The longest list that is unpacked: a hundred million bits (the draft warns of bombs, 11.x).
LONGEST = 12_500_000


class Status(IntEnum):
    """What a value means (7.1)."""

    VALID = 0
    INVALID = 1
    SUSPENDED = 2


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


def status_of(claims: Mapping[str, Any], token: str, key: PublicKey, at: datetime) -> int:
    """The status of a token by its claim ``status`` and a status list token (8.3).

    Args:
        claims: of the token that is asked about.
        token: the status list token that its ``uri`` names.
        key: of the status list's issuer.
        at: now.

    Raises:
        ProofError: it names no status, or the list is another one, expired, or too short.
    """
    named = claims.get("status")
    named = named.get("status_list") if isinstance(named, dict) else None
    if not isinstance(named, dict) or type(named.get("idx")) is not int:
        raise ProofError("it names no place in a status list")
    told = jws.parse(token).verify(key, TYP)
    if told.get("sub") != named.get("uri"):
        raise ProofError("the status list is another one")
    if type(told.get("iat")) is not int or type(told.get("exp", 0)) is not int:
        raise ProofError("the status list has no time")
    if told.get("exp", at.timestamp() + 1) <= at.timestamp():
        raise ProofError("the status list has expired")
    if not isinstance(told.get("status_list"), dict):
        raise ProofError("not a status list")
    return StatusList.of_claim(told["status_list"])[named["idx"]]
