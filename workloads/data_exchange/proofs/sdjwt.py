"""SD-JWT (RFC 9901): claims of which the holder shows as many as needed, and the key binding.

The compact form is ``<JWT>~<disclosure>~…~<disclosure>~`` and, with a key binding, a JWT of type
``kb+jwt`` behind it. Digests are SHA-256; which algorithm a signature is of follows from the key
(``others``).

What is to be disclosed selectively is marked when a licence is made: ``Sd(value)`` in place of the
value of a claim or of an element of an array, on any level. Nested marks make recursive
disclosures (section 4.2.6).
"""

import hashlib
import json
import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey, ProofError, decoded, encoded
from workloads.data_exchange.proofs.others import Signing, Verifying, key_of

#: The type of a verifiable credential (draft-ietf-oauth-sd-jwt-vc, 2.2.1) and of a key binding.
CREDENTIAL = "dc+sd-jwt"
BINDING = "kb+jwt"
ALGORITHM = "sha-256"
#: Claims that are never hidden (draft-ietf-oauth-sd-jwt-vc, 2.2.2.2).
PLAIN = frozenset({"iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "status"})
#: The longest text, the most disclosures and the deepest nesting that are looked at.
LONGEST = 200_000
DISCLOSURES_MAX = 500
DEPTH = 16
_SALT_BYTES = 16
_ELEMENT, _CLAIM = 2, 3
_RESERVED = frozenset({"_sd", "...", "_sd_alg"})
#: The last second that counts as a time: the year 9999.
_LAST = 253_402_300_799


@dataclass(frozen=True, slots=True)
class Sd:
    """A value that the holder may keep back."""

    value: Any


def digest(text: str) -> str:
    """Base64url of the SHA-256 of a text (4.2.3)."""
    return encoded(hashlib.sha256(text.encode("ascii")).digest())


def hidden(
    claims: Mapping[str, Any],
    *,
    decoys: int = 0,
    salt: Callable[[], str] = lambda: encoded(secrets.token_bytes(_SALT_BYTES)),
) -> tuple[dict[str, Any], list[str]]:
    """The payload to sign, and the disclosures.

    Args:
        claims: JSON values, with ``Sd`` around what is hidden.
        decoys: how many digests of nothing stand in each object that hides something (4.2.5).
        salt: makes the salt of one disclosure: 128 random bits, base64url.

    Raises:
        ProofError: a reserved name is used, or a claim is hidden that never is.
    """
    taken = sorted(name for name in PLAIN & set(claims) if isinstance(claims[name], Sd))
    if taken:
        raise ProofError(f"these claims are never hidden: {', '.join(taken)}")
    hider = _Hider(decoys, salt)
    payload = hider.hide(claims)
    return {**payload, "_sd_alg": ALGORITHM}, hider.found


class _Hider:
    """Takes away what is hidden, the innermost first."""

    def __init__(self, decoys: int, salt: Callable[[], str]) -> None:
        self._decoys, self._salt = decoys, salt
        self.found: list[str] = []

    def hide(self, value: Any) -> Any:  # noqa: ANN401 - JSON with marks
        if isinstance(value, Mapping):
            return self._object(value)
        if isinstance(value, list | tuple):
            return [self._element(one) for one in value]
        return value

    def _object(self, value: Mapping[str, Any]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        digests = []
        for name, one in value.items():
            if name in _RESERVED:
                raise ProofError(f"the name {name} is reserved")
            if isinstance(one, Sd):
                inner = self.hide(one.value)
                digests.append(self._disclosure([self._salt(), name, inner]))
            else:
                kept[name] = self.hide(one)
        if digests:
            digests += [digest(self._salt()) for _ in range(self._decoys)]
            # Sorted, so that the order tells nothing (4.2.4.1).
            kept["_sd"] = sorted(digests)
        return kept

    def _element(self, one: Any) -> Any:  # noqa: ANN401 - JSON with marks
        if not isinstance(one, Sd):
            return self.hide(one)
        inner = self.hide(one.value)
        return {"...": self._disclosure([self._salt(), inner])}

    def _disclosure(self, parts: Sequence[Any]) -> str:
        text = encoded(json.dumps(parts, ensure_ascii=False).encode())
        self.found.append(text)
        return digest(text)


def issue(claims: Mapping[str, Any], key: PrivateKey, *, decoys: int = 0) -> str:
    """A signed SD-JWT of type ``dc+sd-jwt`` with all its disclosures.

    Raises:
        ProofError: as ``hidden``.
    """
    payload, disclosures = hidden(claims, decoys=decoys)
    return "~".join([jws.sign(payload, key, CREDENTIAL), *disclosures, ""])


@dataclass(frozen=True, slots=True)
class Parts:
    """An SD-JWT taken apart; nothing of it is true yet.

    Attributes:
        signed: the issuer's JWT.
        disclosures: as they came.
        binding: the key binding JWT, or empty.
    """

    signed: str
    disclosures: tuple[str, ...]
    binding: str = ""

    @property
    def bound(self) -> str:
        """What the digest of the key binding is over (4.3.1)."""
        return "~".join([self.signed, *self.disclosures, ""])


def parse(text: str) -> Parts:
    """Take an SD-JWT apart.

    Raises:
        ProofError: it is none.
    """
    if len(text) > LONGEST or not text.isascii():
        raise ProofError("too long for an SD-JWT, or not ASCII")
    signed, *rest = text.split("~")
    if not rest or len(rest) > DISCLOSURES_MAX:
        raise ProofError("not an SD-JWT, or with too many disclosures")
    *disclosures, binding = rest
    if not all(disclosures):
        raise ProofError("an empty disclosure")
    return Parts(signed, tuple(disclosures), binding)


def peek(taken: jws.Unverified) -> dict[str, Any]:
    """What a JWT says without being verified: only good to find the key that it is verified with.

    Raises:
        ProofError: its payload is no object.
    """
    try:
        found = jws.decode(taken.payload.decode())
    except (ValueError, RecursionError):
        raise ProofError("the payload is not JSON") from None
    if not isinstance(found, dict):
        raise ProofError("the payload is no object")
    return found


def disclosed(payload: Mapping[str, Any], disclosures: Sequence[str]) -> dict[str, Any]:
    """The claims of a payload with what was disclosed put in place (7.1, step 3 and after).

    Raises:
        ProofError: a disclosure is malformed or belongs nowhere, a digest stands twice, a claim
            would be overwritten, or the digests are of an unknown algorithm.
    """
    if payload.get("_sd_alg", ALGORITHM) != ALGORITHM:
        raise ProofError(f"only {ALGORITHM} is accepted")
    reader = _Reader(disclosures)
    found: dict[str, Any] = reader.read({k: v for k, v in payload.items() if k != "_sd_alg"}, 0)
    if reader.unused:
        raise ProofError("a disclosure belongs nowhere")
    return found


class _Reader:
    def __init__(self, disclosures: Sequence[str]) -> None:
        self._known = {digest(one): _contents(one) for one in disclosures}
        if len(self._known) != len(disclosures):
            raise ProofError("a disclosure stands twice")
        self._seen: set[str] = set()
        self.unused = set(self._known)

    def read(self, value: Any, depth: int) -> Any:  # noqa: ANN401 - JSON
        if depth > DEPTH:
            raise ProofError("nested too deeply")
        if isinstance(value, dict):
            return self._object(value, depth)
        if isinstance(value, list):
            return self._array(value, depth)
        return value

    def _object(self, value: dict[str, Any], depth: int) -> dict[str, Any]:
        if "..." in value or (depth and "_sd_alg" in value):
            raise ProofError("a reserved name stands where it must not")
        kept = {n: self.read(v, depth + 1) for n, v in value.items() if n != "_sd"}
        digests = value.get("_sd", [])
        if not isinstance(digests, list):
            raise ProofError("_sd must be an array of digests")
        for one in digests:
            parts = self._take(one)
            if parts is None:
                continue
            if len(parts) != _CLAIM or not isinstance(parts[1], str) or parts[1] in _RESERVED:
                raise ProofError("the disclosure of a claim is malformed")
            if parts[1] in kept:
                raise ProofError(f"the claim {parts[1]} stands twice")
            kept[parts[1]] = self.read(parts[2], depth + 1)
        return kept

    def _array(self, value: list[Any], depth: int) -> list[Any]:
        kept = []
        for one in value:
            if not (isinstance(one, dict) and set(one) == {"..."}):
                kept.append(self.read(one, depth + 1))
                continue
            parts = self._take(one["..."])
            if parts is None:
                continue
            if len(parts) != _ELEMENT:
                raise ProofError("the disclosure of an element is malformed")
            kept.append(self.read(parts[1], depth + 1))
        return kept

    def _take(self, one: object) -> list[Any] | None:
        """The contents behind a digest; none behind a decoy or what was kept back."""
        if not isinstance(one, str):
            raise ProofError("a digest is no text")
        if one in self._seen:
            raise ProofError("a digest stands twice")
        self._seen.add(one)
        self.unused.discard(one)
        return self._known.get(one)


def _contents(disclosure: str) -> list[Any]:
    try:
        found = jws.decode(decoded(disclosure).decode())
    except (ValueError, RecursionError):
        raise ProofError("a disclosure is not JSON") from None
    if not isinstance(found, list) or not found or not isinstance(found[0], str):
        raise ProofError("a disclosure is malformed")
    return found


def present(
    text: str, wanted: Callable[[str], bool], key: Signing, *, nonce: str, aud: str, at: datetime
) -> str:
    """A presentation of some disclosures, bound to the holder's key, a verifier and a nonce.

    Args:
        text: the SD-JWT as it was issued.
        wanted: whether a disclosure is shown; those that it needs must be wanted too.
        key: the holder's.
        nonce: of the verifier.
        aud: who the verifier is.
        at: now.

    Raises:
        ProofError: a wanted disclosure hangs on one that is not.
    """
    parts = parse(text)
    shown = Parts(parts.signed, tuple(one for one in parts.disclosures if wanted(one)))
    disclosed(json.loads(jws.parse(parts.signed).payload), shown.disclosures)
    told = {
        "iat": int(at.timestamp()), "aud": aud, "nonce": nonce, "sd_hash": digest(shown.bound),
    }  # fmt: skip
    return shown.bound + jws.sign_as_holder(told, key, BINDING)


@dataclass(frozen=True, slots=True)
class Binding:
    """What a verifier wants of a key binding (7.3).

    Attributes:
        nonce: the one that it gave.
        aud: who it is.
        fresh: how old it may be; as much ahead is taken for a wrong clock.
    """

    nonce: str
    aud: str
    fresh: timedelta = timedelta(minutes=5)


def verified(text: str, key: Verifying, *, at: datetime, binding: Binding | None) -> dict[str, Any]:
    """The claims of an SD-JWT that holds; its status is for the caller to look up.

    Args:
        text: with or without a key binding.
        key: of the issuer; the caller found it, not the text.
        at: now.
        binding: what the verifier wants; None when it asks for no key binding, whatever was sent.

    Raises:
        ProofError: it does not hold, is not valid now, or is not bound as wanted.
    """
    parts = parse(text)
    payload = jws.parse(parts.signed).told_by(key, CREDENTIAL)
    claims = disclosed(payload, parts.disclosures)
    if any(name in claims and name not in payload for name in PLAIN):
        raise ProofError("a claim was hidden that never is")
    if not isinstance(claims.get("vct"), str):
        raise ProofError("a credential names its type")
    _valid_at(claims, at)
    if binding is not None:
        bound(parts, claims, at, binding)
    return claims


def _valid_at(claims: Mapping[str, Any], at: datetime) -> None:
    now = at.timestamp()
    times = {name: _time(claims, name) for name in ("iat", "nbf", "exp") if name in claims}
    if times.get("nbf", now) > now:
        raise ProofError("it is not valid yet")
    if "exp" in times and times["exp"] <= now:
        raise ProofError("it is valid no more")


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProofError(f"{name} is no time")
    if not math.isfinite(value) or not 0 <= value <= _LAST:
        raise ProofError(f"{name} is no time")
    return value


def bound(parts: Parts, claims: Mapping[str, Any], at: datetime, wanted: Binding) -> None:
    """Check the key binding of a presentation (7.3).

    Args:
        parts: the presentation.
        claims: of the licence; its ``cnf`` says whose binding it must be.
        at: now.
        wanted: by the verifier.

    Raises:
        ProofError: it is missing, another key's, old, or for something else.
    """
    if not parts.binding:
        raise ProofError("a key binding is asked for")
    confirmed = claims.get("cnf")
    jwk = confirmed.get("jwk") if isinstance(confirmed, dict) else None
    if not isinstance(jwk, dict):
        raise ProofError("it is bound to no key")
    told = jws.parse(parts.binding).told_by(key_of(jwk), BINDING)
    made = _time(told, "iat")
    if abs(at.timestamp() - made) > wanted.fresh.total_seconds():
        raise ProofError("the key binding is not fresh")
    if told.get("nonce") != wanted.nonce or told.get("aud") != wanted.aud:
        raise ProofError("the key binding is for another nonce or verifier")
    if told.get("sd_hash") != digest(parts.bound):
        raise ProofError("the key binding is for other disclosures")
    _valid_at(told, at)
