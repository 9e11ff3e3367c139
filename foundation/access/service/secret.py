"""Secrets of sessions and tokens: how they look and how they are looked up."""

import hashlib
import secrets
import string
import zlib

TOKEN_PREFIX = "borough_pat_"  # noqa: S105 - not a secret
_ALPHABET = string.digits + string.ascii_letters
_SECRET_LENGTH = 36
_CHECKSUM_LENGTH = 6


def new_secret() -> str:
    """A token's secret: prefix, 36 random characters (214 bits) and a checksum of six.

    The prefix lets scanners of leaked secrets find it; the checksum tells a typing error or a
    guess without the database.
    """
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
    return TOKEN_PREFIX + body + _checksum(body)


def well_formed(secret: str) -> bool:
    """Whether a text has the form and the checksum of a token."""
    body = secret.removeprefix(TOKEN_PREFIX)
    if body == secret or len(body) != _SECRET_LENGTH + _CHECKSUM_LENGTH or not body.isascii():
        return False
    return _checksum(body[:_SECRET_LENGTH]) == body[_SECRET_LENGTH:]


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


def hashed(secret: str) -> str:
    """The hash under which a secret is stored."""
    # Secrets are random and long: a fast hash is enough, and lets them be looked up.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
