"""Ed25519 keys, written as JWKs of type OKP (RFC 8037), named by their thumbprint (RFC 7638).

OpenSSL signs; libsodium verifies, in half the time, and takes nothing that OpenSSL would refuse: of
keys and points it refuses those of small order too (``docs/decisions/0255``).
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

_BYTES = 32
_SIGNATURE = 64


class ProofError(Exception):
    """A key, a signature or a proof that is none, or does not hold; its text says what."""


def encoded(data: bytes) -> str:
    """Base64url without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The bytes of base64url without padding, in its one canonical form.

    Raises:
        ProofError: it is something else.
    """
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ProofError("not base64url") from None
    # Stray bits in the last character would give one signature many texts.
    if encoded(found) != text:
        raise ProofError("not base64url")
    return found


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public Ed25519 key.

    Attributes:
        x: its 32 bytes.
    """

    x: bytes

    def __post_init__(self) -> None:
        if len(self.x) != _BYTES:
            raise ProofError("an Ed25519 key has 32 bytes")

    @staticmethod
    def of_jwk(jwk: Mapping[str, object]) -> "PublicKey":
        """The key of a JWK.

        Raises:
            ProofError: it is no public Ed25519 key, or a private one, which nobody should send.
        """
        if "d" in jwk:
            raise ProofError("this is a private key")
        x = jwk.get("x")
        if jwk.get("kty") != "OKP" or jwk.get("crv") != "Ed25519" or not isinstance(x, str):
            raise ProofError("only keys of kty OKP and crv Ed25519 are taken")
        return PublicKey(decoded(x))

    @property
    def alg(self) -> str:
        """The one algorithm of its signatures (RFC 8037)."""
        return "EdDSA"

    @property
    def kid(self) -> str:
        """Its thumbprint: base64url of the SHA-256 of its required members (RFC 7638)."""
        members = f'{{"crv":"Ed25519","kty":"OKP","x":"{encoded(self.x)}"}}'
        return encoded(hashlib.sha256(members.encode()).digest())

    def jwk(self) -> dict[str, str]:
        """As a JWK, with its name and use."""
        return {
            "kty": "OKP", "crv": "Ed25519", "x": encoded(self.x), "kid": self.kid,
            "use": "sig", "alg": "EdDSA",
        }  # fmt: skip

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Whether it is this key's signature of these bytes."""
        if len(signature) != _SIGNATURE:
            return False
        try:
            crypto_sign_open(signature + data, self.x)
        except BadSignatureError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A private Ed25519 key; never shown, never logged.

    Attributes:
        seed: its 32 bytes.
    """

    seed: bytes = field(repr=False)
    public: PublicKey = field(init=False)
    _key: Ed25519PrivateKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.seed) != _BYTES:
            raise ProofError("an Ed25519 key has 32 bytes")
        key = Ed25519PrivateKey.from_private_bytes(self.seed)
        object.__setattr__(self, "_key", key)
        object.__setattr__(self, "public", PublicKey(key.public_key().public_bytes_raw()))

    @staticmethod
    def generate() -> "PrivateKey":
        """A new one."""
        return PrivateKey(Ed25519PrivateKey.generate().private_bytes_raw())

    @property
    def kid(self) -> str:
        """The name of its public key."""
        return self.public.kid

    def sign(self, data: bytes) -> bytes:
        """The signature of some bytes: 64 bytes, the same each time (RFC 8032)."""
        return self._key.sign(data)
