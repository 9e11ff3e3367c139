"""Keys that others choose: those of holders, and of issuers elsewhere.

The exchange itself signs with Ed25519 alone (``keys``). Wallets hold P-256 keys, because that is
what phones and browsers keep safe (ES256, RFC 7518, 3.4), or Ed25519 ones. Which algorithm a
signature must be of is a property of the key, which the verifier has from elsewhere; a header is
only compared with it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from workloads.data_exchange.proofs.keys import ProofError, PublicKey, decoded, encoded

_BYTES = 32
_ECDSA = ec.ECDSA(hashes.SHA256())


class Verifying(Protocol):
    """A public key of either kind."""

    @property
    def alg(self) -> str:
        """The one algorithm of its signatures (RFC 7518, RFC 8037)."""
        ...

    @property
    def kid(self) -> str:
        """Its thumbprint (RFC 7638)."""
        ...

    def jwk(self) -> dict[str, str]:
        """As a public JWK."""
        ...

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Whether it is this key's signature of these bytes."""
        ...


class Signing(Protocol):
    """A private key of either kind."""

    @property
    def public(self) -> Verifying:
        """Its other half."""
        ...

    def sign(self, data: bytes) -> bytes:
        """The signature of some bytes."""
        ...


@dataclass(frozen=True, slots=True)
class P256PublicKey:
    """A public key on the curve P-256.

    Attributes:
        x, y: its point, 32 bytes each.
    """

    x: bytes
    y: bytes
    _key: ec.EllipticCurvePublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.x) != _BYTES or len(self.y) != _BYTES:
            raise ProofError("a coordinate of P-256 has 32 bytes")
        try:
            key = ec.EllipticCurvePublicKey.from_encoded_point(
                ec.SECP256R1(), b"\x04" + self.x + self.y
            )
        except ValueError:
            raise ProofError("this is no point of P-256") from None
        object.__setattr__(self, "_key", key)

    @property
    def alg(self) -> str:
        """ES256."""
        return "ES256"

    @property
    def kid(self) -> str:
        """Its thumbprint (RFC 7638)."""
        members = f'{{"crv":"P-256","kty":"EC","x":"{encoded(self.x)}","y":"{encoded(self.y)}"}}'
        return encoded(hashlib.sha256(members.encode()).digest())

    def jwk(self) -> dict[str, str]:
        """As a public JWK."""
        return {"kty": "EC", "crv": "P-256", "x": encoded(self.x), "y": encoded(self.y)}

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Whether it is this key's signature: r and s, 32 bytes each (RFC 7518, 3.4)."""
        if len(signature) != 2 * _BYTES:
            return False
        r, s = (int.from_bytes(part) for part in (signature[:_BYTES], signature[_BYTES:]))
        try:
            self._key.verify(encode_dss_signature(r, s), data, _ECDSA)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class P256PrivateKey:
    """A private key on P-256, of a holder; the exchange itself holds none."""

    _key: ec.EllipticCurvePrivateKey = field(repr=False)
    public: P256PublicKey = field(init=False)

    def __post_init__(self) -> None:
        point = self._key.public_key().public_numbers()
        x, y = (one.to_bytes(_BYTES) for one in (point.x, point.y))
        object.__setattr__(self, "public", P256PublicKey(x, y))

    @staticmethod
    def generate() -> "P256PrivateKey":
        """A new one."""
        return P256PrivateKey(ec.generate_private_key(ec.SECP256R1()))

    def sign(self, data: bytes) -> bytes:
        """A signature: r and s, 32 bytes each."""
        r, s = decode_dss_signature(self._key.sign(data, _ECDSA))
        return r.to_bytes(_BYTES) + s.to_bytes(_BYTES)


def key_of(jwk: Mapping[str, object]) -> Verifying:
    """The key of a JWK: Ed25519 or P-256.

    Raises:
        ProofError: it is neither, is for something else, or is a private one.
    """
    if jwk.get("kty") != "EC":
        key: Verifying = PublicKey.of_jwk(jwk)
    else:
        if "d" in jwk:
            raise ProofError("this is a private key")
        x, y = jwk.get("x"), jwk.get("y")
        if jwk.get("crv") != "P-256" or not isinstance(x, str) or not isinstance(y, str):
            raise ProofError(
                "only keys of kty OKP and crv Ed25519, or kty EC and crv P-256, are taken"
            )
        key = P256PublicKey(decoded(x), decoded(y))
    if jwk.get("alg", key.alg) != key.alg or jwk.get("use", "sig") != "sig":
        raise ProofError("this key is for something else")
    return key
