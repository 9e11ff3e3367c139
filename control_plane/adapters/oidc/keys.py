"""The public keys of issuers, kept for a while; an unknown one is asked for anew, but not often."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from control_plane.adapters.oidc.fetch import Fetcher
from foundation.access.workload_identity.model import Issuer, usable
from foundation.kernel.errors import Unavailable

Key = Mapping[str, Any]

#: Keys are asked for again after this long, seconds; a key that was withdrawn counts no longer.
_FRESH = 600.0
#: While the issuer does not answer, keys are believed for this long, seconds.
_STALE = 3600.0
#: However many unknown keys are named: the issuer is not asked more often, seconds.
_PAUSE = 30.0
_KEYS = 100
_DISCOVERY = "/.well-known/openid-configuration"


@dataclass
class _Kept:
    """What is known of one issuer, and when it was asked (in seconds of the process's clock)."""

    keys: dict[str, Key] = field(default_factory=dict)
    read_at: float = float("-inf")
    asked_at: float = float("-inf")
    failure: Unavailable | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class IssuerKeys:
    """Finds the key of an issuer by its id.

    Args:
        fetch: reads a document.
        monotonic: a clock that never goes back, seconds.
    """

    def __init__(self, fetch: Fetcher, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def key(self, issuer: Issuer, key_id: str) -> Key | None:
        """The key of that id; None when the issuer has none.

        Raises:
            Unavailable: the issuer does not tell its keys.
        """
        if issuer.keys is not None:
            return by_id(issuer.keys).get(key_id)
        kept = self._of(issuer)
        known = kept.keys.get(key_id)
        if known is not None and self._monotonic() - kept.read_at < _FRESH:
            return known  # whoever asks for another one meanwhile holds up nobody
        with kept.lock:  # one asks, the others wait for its answer
            now = self._monotonic()
            if key_id in kept.keys and now - kept.read_at < _FRESH:
                return kept.keys[key_id]
            if now - kept.asked_at >= _PAUSE:
                self._ask(issuer, kept, now)
            if kept.failure is not None and now - kept.read_at >= _STALE:
                raise Unavailable(kept.failure.message, kept.failure.retry_after)
            return kept.keys.get(key_id)

    def read(self, issuer: Issuer) -> Mapping[str, Key]:
        """All keys of an issuer, asked for now.

        Raises:
            Unavailable: the issuer does not tell them.
        """
        if issuer.keys is not None:
            return by_id(issuer.keys)
        kept = self._of(issuer)
        with kept.lock:
            self._ask(issuer, kept, self._monotonic())
            if kept.failure is not None:
                raise Unavailable(kept.failure.message, kept.failure.retry_after)
            return dict(kept.keys)

    def _of(self, issuer: Issuer) -> _Kept:
        # By id: an issuer that is removed and added again has another one.
        with self._lock:
            return self._kept.setdefault(issuer.id, _Kept())

    def _ask(self, issuer: Issuer, kept: _Kept, now: float) -> None:
        kept.asked_at, kept.failure = now, None
        try:
            kept.keys = self._discover(issuer)
        except Unavailable as error:
            kept.failure = error
        else:
            kept.read_at = now

    def _discover(self, issuer: Issuer) -> dict[str, Key]:
        """The keys as OpenID Connect Discovery 1.0, section 4, finds them."""
        about = self._fetch(issuer.url.rstrip("/") + _DISCOVERY)
        if about.get("issuer") != issuer.url:
            raise Unavailable(f"the discovery document of {issuer.url} names another issuer", 60)
        where = about.get("jwks_uri")
        if not isinstance(where, str) or not usable(where):
            raise Unavailable(f"the discovery document of {issuer.url} names no keys", 60)
        return by_id(self._fetch(where))


def by_id(keys: Mapping[str, Any]) -> dict[str, Key]:
    """The keys of a JWK set (RFC 7517, section 5) by their ids; those without one are left out."""
    found: dict[str, Key] = {}
    listed = keys.get("keys")
    for one in listed[:_KEYS] if isinstance(listed, list) else ():
        key_id = one.get("kid") if isinstance(one, dict) else None
        if isinstance(key_id, str) and key_id and key_id not in found:
            found[key_id] = one
    return found
