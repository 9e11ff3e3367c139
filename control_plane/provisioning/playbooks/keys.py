"""Keys by which the platform signs in to servers."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from foundation.kernel.errors import Invalid, Problem

_Key = Ed25519PrivateKey | RSAPrivateKey | EllipticCurvePrivateKey
_LEAST_BITS = 2048


def make() -> tuple[str, str]:
    """A new Ed25519 key: the private one in OpenSSH's format, and the public one in a line."""
    return _written(Ed25519PrivateKey.generate())


def read(text: str) -> tuple[str, str]:
    """Somebody's own key, in the same form.

    Raises:
        Invalid: it is none, is encrypted, or is too weak.
    """
    try:
        key = load_ssh_private_key(text.strip().encode() + b"\n", password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        message = "is no private key in OpenSSH's format without a passphrase"
        raise Invalid([Problem("private_key", message)]) from None
    if not isinstance(key, _Key):
        raise Invalid([Problem("private_key", "must be Ed25519, ECDSA or RSA")])
    if isinstance(key, RSAPrivateKey) and key.key_size < _LEAST_BITS:
        raise Invalid([Problem("private_key", f"must have {_LEAST_BITS} bits or more")])
    return _written(key)


def _written(key: _Key) -> tuple[str, str]:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return private, f"{public} borough"
