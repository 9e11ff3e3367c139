"""Passwords by Argon2id (RFC 9106)."""

import functools
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_AT_ONCE = 4
_USUAL = PasswordHasher()


@functools.cache
def _nobody(hasher: PasswordHasher) -> str:
    """Compared against when there is no hash: an unknown name takes as long as a known one.

    Made when the first one comes (whose answer takes twice as long, once in a process): a tenth of
    a second of processor that most processes never need.
    """
    return hasher.hash("nobody has this password")


class Argon2Passwords:
    """Hashes with the library's present parameters (RFC 9106, low memory: 64 MiB, 3 passes).

    At most four are computed at once, so that sign-ins cannot exhaust the memory.

    Args:
        hasher: other parameters, for tests.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or _USUAL
        self._slots = threading.BoundedSemaphore(_AT_ONCE)

    def hash(self, password: str) -> str:
        """A new hash, with its salt and parameters in it."""
        with self._slots:
            return self._hasher.hash(password)

    def verify(self, hashed: str | None, password: str) -> bool:
        """Whether the password belongs to the hash; takes as long for None."""
        with self._slots:
            try:
                self._hasher.verify(hashed or _nobody(self._hasher), password)
            except (VerificationError, InvalidHashError):
                return False
        return hashed is not None

    def stale(self, hashed: str) -> bool:
        """Whether the hash was made with other parameters than those of now."""
        return self._hasher.check_needs_rehash(hashed)
