"""Compact JWS (RFC 7515) with EdDSA (RFC 8037); those of holders also with ES256 (RFC 7518)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foundation.kernel import canonical
from workloads.data_exchange.proofs.keys import PrivateKey, ProofError, PublicKey, decoded, encoded
from workloads.data_exchange.proofs.others import Signing, Verifying

#: The largest JWS that is looked at: an agreement is a few thousand characters.
LONGEST = 1_000_000
_PARTS = 3


@dataclass(frozen=True, slots=True)
class Unverified:
    """A JWS that was taken apart; nothing of it is true until ``verify``.

    Attributes:
        header: the protected header.
        payload: its bytes.
    """

    header: Mapping[str, Any]
    payload: bytes
    _signed: bytes
    _signature: bytes

    @property
    def kid(self) -> str:
        """The name of the key that is said to have signed it."""
        return str(self.header.get("kid", ""))

    def verify(self, key: PublicKey, typ: str) -> dict[str, Any]:
        """Its payload, a JSON object.

        Args:
            key: whose signature it must be; the caller chose it, not the header.
            typ: what the signature must have been made for.

        Raises:
            ProofError: it is not that key's, or was made for something else.
        """
        if self.header.get("alg") != "EdDSA" or "crit" in self.header or "b64" in self.header:
            raise ProofError("only EdDSA is accepted, without critical extensions")
        if self.header.get("typ") != typ:
            raise ProofError(f"signed as {self.header.get('typ')!r}, not as {typ!r}")
        if self.kid != key.kid:
            raise ProofError("the signature is not that of the key")
        return self.signed_by(key)

    def told_by(self, key: Verifying, typ: str) -> dict[str, Any]:
        """Its payload, if a key of either kind signed it as that type.

        The header names no key that would count: whose it must be was decided before.

        Raises:
            ProofError: it is not that key's, or was made for something else.
        """
        if self.header.get("alg") != key.alg or "crit" in self.header or "b64" in self.header:
            raise ProofError("signed with another algorithm than the key's, or with extensions")
        if self.header.get("typ") != typ:
            raise ProofError(f"signed as {self.header.get('typ')!r}, not as {typ!r}")
        return self.signed_by(key)

    def signed_by(self, key: Verifying) -> dict[str, Any]:
        """Its payload, if the key signed it; the caller has looked at the header.

        For signatures whose header names no ``kid``, such as DPoP proofs (RFC 9449).

        Raises:
            ProofError: it is not that key's.
        """
        if not key.verify(self._signature, self._signed):
            raise ProofError("the signature is not that of the key")
        return _object(self.payload, "payload")


def sign(payload: Mapping[str, Any], key: PrivateKey, typ: str) -> str:
    """Sign an object; its canonical form (RFC 8785) is what is signed.

    Args:
        payload: JSON values.
        key: that signs.
        typ: what it is signed as, such as ``exchange-agreement+jws``.
    """
    header = {"alg": "EdDSA", "kid": key.kid, "typ": typ}
    body = canonical.dumps(payload).encode()
    signed = f"{encoded(canonical.dumps(header).encode())}.{encoded(body)}"
    return f"{signed}.{encoded(key.sign(signed.encode()))}"


def sign_as_holder(payload: Mapping[str, Any], key: Signing, typ: str, **header: object) -> str:
    """Sign with a key of either kind that is known from elsewhere; the header names no ``kid``.

    Args:
        payload: JSON values.
        key: that signs.
        typ: what it is signed as.
        header: what else the header says, such as the ``jwk`` of a key that is not known yet.
    """
    told = {"alg": key.public.alg, "typ": typ, **header}
    parts = (canonical.dumps(one).encode() for one in (told, payload))
    signed = ".".join(encoded(one) for one in parts)
    return f"{signed}.{encoded(key.sign(signed.encode()))}"


def parse(compact: str, header: Mapping[str, Any] | None = None) -> Unverified:
    """Take a JWS apart.

    Args:
        compact: its text.
        header: when the same text of a header was taken apart before: what was in it.

    Raises:
        ProofError: it is none.
    """
    if len(compact) > LONGEST:
        raise ProofError("too long for a signature")
    parts = compact.split(".")
    if len(parts) != _PARTS or not compact.isascii():
        raise ProofError("not a compact JWS")
    if header is None:
        header = _object(decoded(parts[0]), "header")
    signed = compact[: -1 - len(parts[2])].encode()
    return Unverified(header, decoded(parts[1]), signed, decoded(parts[2]))


def _object(data: bytes, what: str) -> dict[str, Any]:
    try:
        found = decode(data.decode())
    except (ValueError, RecursionError):
        raise ProofError(f"the {what} is not JSON") from None
    if not isinstance(found, dict):
        raise ProofError(f"the {what} is no object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers must not read two things: no name stands twice (RFC 7515, 4)."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _constant(name: str) -> float:
    # Python's reader takes NaN, which is smaller and larger than no time at all.
    raise ValueError(f"{name} is not JSON")


#: Reads JSON as RFC 8259 has it, with each name once.
decode = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_constant).decode
