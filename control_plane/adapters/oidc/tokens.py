"""Signed tokens (RFC 7515, 7519), read and verified with joserfc."""

import base64
import binascii
import json
import logging
from collections.abc import Container, Mapping, Sequence
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from control_plane.adapters.oidc.keys import IssuerKeys, Key, by_id
from foundation.access.workload_identity.model import (
    KEYS_MAX,
    TOKEN_MAX,
    Issuer,
    TokenNotAccepted,
)

#: Asymmetric ones alone: with HS256 a public key would be a secret that everybody knows.
ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
     "Ed25519"}
)  # fmt: skip
_CURVES = frozenset({"P-256", "P-384", "P-521", "Ed25519"})
_TYPES: Mapping[str, type[RSAKey | ECKey | OKPKey]] = {
    "RSA": RSAKey,
    "EC": ECKey,
    "OKP": OKPKey,
}
_SMALLEST_RSA = 2048
_LARGEST_RSA = 8192
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "k", "oth"})
_KID_MAX = 256
_SEGMENTS = 3
_REASON = "the token is not accepted: "

_log = logging.getLogger("borough.workload_identity")


class _Registry(JWSRegistry):
    """joserfc's rules without its warning that EdDSA has a newer name, which issuers still use."""

    max_header_length = TOKEN_MAX  # chains of certificates, which nobody reads

    def get_alg(self, name: str) -> Any:  # noqa: ANN401 - joserfc's own model
        if name not in ALGORITHMS:
            raise TokenNotAccepted(f"{_REASON}the algorithm is not one that is accepted")
        return self.algorithms[name]


class JoseTokens:
    """The ``Tokens`` of workload identity."""

    def __init__(self, keys: IssuerKeys) -> None:
        self._keys = keys

    def issuer_of(self, token: str) -> str:
        """The issuer that a token claims to be of; nothing of it is proven."""
        _, claims = _parts(token)
        issuer = claims.get("iss")
        if not isinstance(issuer, str) or "\x00" in issuer:
            raise TokenNotAccepted(f"{_REASON}it names no issuer")
        return issuer

    def claims(self, token: str, issuer: Issuer) -> Mapping[str, Any]:
        """The claims of a token that this issuer signed; asks the issuer for its keys."""
        header, claims = _parts(token)
        try:
            _verify(token, header, self._key(issuer, _checked(header)))
        except TokenNotAccepted as error:
            _log.warning("issuer %s: %s", issuer.slug, error.message)
            raise
        return claims

    def _key(self, issuer: Issuer, key_id: str) -> Key:
        key = self._keys.key(issuer, key_id)
        if key is None or _wrong_with(key):
            raise TokenNotAccepted(f"{_REASON}its key is not one of the issuer's")
        return key

    def check_keys(self, keys: Mapping[str, Any]) -> Sequence[str]:
        """What is wrong with a set of public keys; nothing for one that can be used."""
        listed = keys.get("keys")
        if not isinstance(listed, list) or not 1 <= len(listed) <= KEYS_MAX:
            return [f"must be a JWK set of 1 to {KEYS_MAX} keys"]
        problems = [
            f"key {index} {wrong}"
            for index, one in enumerate(listed)
            if (wrong := _wrong_with(one))
        ]
        if len(by_id(keys)) != len(listed):
            problems.append("must have keys with different ids (kid)")
        return problems

    def key_ids(self, issuer: Issuer) -> Sequence[str]:
        """The ids of the issuer's usable keys as they are now; asks the issuer."""
        found = self._keys.read(issuer)
        return sorted(key_id for key_id, key in found.items() if not _wrong_with(key))


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token, not verified.

    Raises:
        TokenNotAccepted: it is no compact JWS of two JSON objects.
    """
    segments = token.split(".")
    if len(token) > TOKEN_MAX or not token.isascii() or len(segments) != _SEGMENTS:
        raise TokenNotAccepted(f"{_REASON}it is no signed JSON Web Token")
    return _object(segments[0]), _object(segments[1])


def _object(segment: str) -> dict[str, Any]:
    try:
        text = base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
        found = json.loads(text, object_pairs_hook=_unique)
        json.dumps(found, ensure_ascii=False).encode()  # no half of a surrogate pair
    except (binascii.Error, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise TokenNotAccepted(f"{_REASON}it is no signed JSON Web Token")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated")
    return found


def _checked(header: Mapping[str, Any]) -> str:
    """The id of the key that a header names; keys that it brings along are not looked at."""
    algorithm, kind = header.get("alg"), header.get("typ", "JWT")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise TokenNotAccepted(f"{_REASON}the algorithm is not one that is accepted")
    if not isinstance(kind, str) or kind.upper() != "JWT":
        raise TokenNotAccepted(f"{_REASON}it is of another type (typ)")
    if "crit" in header or "b64" in header or "zip" in header:
        raise TokenNotAccepted(f"{_REASON}its header asks for what is not supported")
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= _KID_MAX:
        raise TokenNotAccepted(f"{_REASON}it names no key (kid)")
    return key_id


def _wrong_with(key: object) -> str:
    """Why a key cannot be used for verifying; empty when it can."""
    if not isinstance(key, Mapping) or not _one_of(key, "kty", _TYPES):
        return "is no public key of type RSA, EC or OKP"
    return _wrong_purpose(key) or _wrong_material(key)


def _wrong_purpose(key: Key) -> str:
    if _PRIVATE & set(key):
        return "is a private key"
    uses = key.get("key_ops", ["verify"])
    if key.get("use", "sig") != "sig" or not isinstance(uses, list) or "verify" not in uses:
        return "is not for signatures"
    fits = "alg" not in key or _one_of(key, "alg", ALGORITHMS)
    return "" if fits else "is for another algorithm"


def _wrong_material(key: Key) -> str:
    if key["kty"] == "RSA" and not _SMALLEST_RSA <= _bits(key.get("n")) <= _LARGEST_RSA:
        return f"must have {_SMALLEST_RSA} to {_LARGEST_RSA} bits"
    if key["kty"] != "RSA" and not _one_of(key, "crv", _CURVES):
        return "is of another curve"
    try:
        _imported(key)
    except (JoseError, ValueError, TypeError, KeyError):
        return "cannot be read"
    return ""


def _one_of(key: Mapping[str, Any], name: str, known: Container[str]) -> bool:
    value = key.get(name)
    return isinstance(value, str) and value in known


def _imported(key: Key) -> RSAKey | ECKey | OKPKey:
    # What else the issuer publishes of a key (x5c, x5t, alg) decides nothing here.
    kept = {name: key[name] for name in ("kty", "crv", "n", "e", "x", "y") if name in key}
    return _TYPES[key["kty"]].import_key(kept)


def _bits(modulus: object) -> int:
    try:
        return len(base64.urlsafe_b64decode(f"{modulus}==")) * 8
    except (binascii.Error, ValueError):
        return 0


def _verify(token: str, header: Mapping[str, Any], key: Key) -> None:
    algorithm = str(header["alg"])
    registry = _Registry(algorithms=ALGORITHMS, strict_check_header=False)
    if key.get("alg", algorithm) != algorithm:
        raise TokenNotAccepted(f"{_REASON}its key is for another algorithm")
    try:
        # The whole token, not its parts: what is verified is what was read.
        jws.deserialize_compact(token, _imported(key), registry=registry)
    except (JoseError, ValueError, TypeError, KeyError):
        raise TokenNotAccepted(f"{_REASON}the signature is wrong") from None
