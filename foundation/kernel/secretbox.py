"""Secrets at rest: AES-256-GCM under a ring of keys.

A sealed value is ``v1.<key id>.<base64url(nonce + ciphertext + tag)>``. The context (for example
``access_token:tok_…``) is authenticated with it, so that a value copied to another row does not
open. Rotation: put the new key first in the ring; what is read may be sealed again with it.
"""

import base64
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from foundation.kernel.files import own_folder

_KEY_BYTES = 32
_NONCE_BYTES = 12


class SecretError(Exception):
    """A sealed value that does not open: wrong key, wrong context or damaged."""


class SecretBox:
    """Seals and opens secrets.

    Args:
        keys: one or more keys of 32 bytes; the first seals, all open.

    Raises:
        ValueError: no key, or one of another length.
    """

    def __init__(self, keys: list[bytes]) -> None:
        if not keys or any(len(key) != _KEY_BYTES for key in keys):
            raise ValueError("a key ring is one or more keys of 32 bytes")
        self._ring = {_key_id(key): AESGCM(key) for key in keys}
        self._sealing = _key_id(keys[0])
        self._mac_key = hashlib.sha256(b"borough mac" + keys[-1]).digest()

    def seal(self, plaintext: bytes, context: str) -> str:
        """The secret, encrypted and bound to its context."""
        nonce = os.urandom(_NONCE_BYTES)
        body = nonce + self._ring[self._sealing].encrypt(nonce, plaintext, context.encode())
        return f"v1.{self._sealing}.{base64.urlsafe_b64encode(body).decode()}"

    def open(self, sealed: str, context: str) -> bytes:
        """The secret again.

        Raises:
            SecretError: the key is not in the ring, the context differs or the value is damaged.
        """
        try:
            version, key_id, text = sealed.split(".")
            body = base64.urlsafe_b64decode(text)
            if version != "v1":
                raise SecretError(f"unknown version {version}")
            return self._ring[key_id].decrypt(
                body[:_NONCE_BYTES], body[_NONCE_BYTES:], context.encode()
            )
        except KeyError:
            raise SecretError("sealed with a key that is not in the ring") from None
        except (ValueError, InvalidTag):
            raise SecretError("does not open: damaged, or bound to another context") from None

    def stale(self, sealed: str) -> bool:
        """Whether it was sealed with another key than the one that seals now."""
        return sealed.split(".")[1:2] != [self._sealing]

    def derive(self, purpose: str) -> bytes:
        """A key of 32 bytes for one purpose, from the oldest key (so it outlives a rotation)."""
        return hashlib.sha256(self._mac_key + purpose.encode()).digest()


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"borough key id" + key).hexdigest()[:8]


def load_ring(path: Path) -> list[bytes]:
    """Read a key ring, one base64 key a line, newest first; make it (mode 0600) if it is missing.

    Raises:
        ValueError: a line is not a key.
    """
    if not path.exists():
        if not path.parent.exists():
            own_folder(path.parent)
        # Written whole beside it and linked: two first starts agree on one ring.
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(os.urandom(_KEY_BYTES)) + b"\n")
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return parse_ring(path.read_text())


def parse_ring(text: str) -> list[bytes]:
    """Keys from text, one base64 key of 32 bytes a line (or separated by commas), newest first.

    Raises:
        ValueError: a part is not a key, or there is none.
    """
    parts = [part.strip() for part in text.replace(",", "\n").splitlines() if part.strip()]
    keys = [base64.b64decode(part, validate=True) for part in parts]
    if not keys or any(len(key) != _KEY_BYTES for key in keys):
        raise ValueError("a key ring is lines of base64, each a key of 32 bytes")
    return keys
