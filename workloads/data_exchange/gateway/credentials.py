"""Checks grants and the signature of each request: who asks, with what right, for what.

A grant is a JWT access token (RFC 9068) bound to a key (RFC 9449, 6.1); each request carries a DPoP
proof made with that key (RFC 9449, 4). Beyond its text, the claims ``target``, ``body`` and
``purpose`` are required (``proofs/requests.py``).
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from workloads.data_exchange.gateway.model import WINDOW, Grant, Proof, Refusal
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import ProofError, PublicKey, encoded
from workloads.data_exchange.proofs.requests import TYP as PROOF
from workloads.data_exchange.receipts.checkpoints import Ring

#: What a grant is (RFC 9068, 2.1).
GRANT = "at+jwt"
ISSUER, AUDIENCE = "urn:borough:exchange", "exchange-gateway"
#: The longest life of a grant that is taken, and the longest text of grant and proof.
LONGEST = timedelta(hours=1)
_GRANT_CHARACTERS, _PROOF_CHARACTERS = 4_096, 4_096
_NONCE = range(8, 129)
_KEPT = 10_000


def _grant_refused(detail: str) -> Refusal:
    return Refusal(401, "grant", detail, challenge="invalid_token")


def _proof_refused(detail: str) -> Refusal:
    return Refusal(401, "proof", detail, challenge="invalid_dpop_proof")


class Grants:
    """Verifies grants; one that was verified is known for its life."""

    def __init__(self) -> None:
        self._ring = Ring([])
        self._told: list[Any] = []
        self._known: OrderedDict[str, Grant] = OrderedDict()

    def trust(self, keys: "list[Any]") -> None:
        """The exchange's keys from now on; what earlier ones signed is verified again."""
        if keys != self._told:
            self._ring, self._told = Ring(keys), keys
            self._known.clear()

    def verify(self, token: str, now: datetime) -> Grant:
        """The grant in a token.

        Raises:
            Refusal: it is none of the exchange, or not now.
        """
        found = self._known.get(token)
        if found is None:
            found = self._checked(token, now)
            self._known[token] = found
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        if now >= found.expires:
            raise _grant_refused("the grant has ended: ask for a new one")
        return found

    def _checked(self, token: str, now: datetime) -> Grant:
        if len(token) > _GRANT_CHARACTERS:
            raise _grant_refused("not a grant of this exchange")
        try:
            taken = jws.parse(token)
            told = taken.verify(self._ring.key(taken.kid), GRANT)
            issued, expires = _time(told["iat"]), _time(told["exp"])
            grant = Grant(
                _text(told["jti"]), _text(told["agreement"]), _text(told["sub"]),
                _text(told["cnf"]["jkt"]), expires,
                encoded(hashlib.sha256(token.encode()).digest()),
                frozenset(map(_text, told["purposes"])),
            )  # fmt: skip
            audience = told["aud"]
            meant = audience == AUDIENCE or (isinstance(audience, list) and AUDIENCE in audience)
            in_time = issued <= now + WINDOW and issued < expires <= issued + LONGEST
            if (
                told["iss"] != ISSUER
                or not meant
                or not in_time
                or not self._ring.signs_at(taken.kid, issued)
            ):
                raise _grant_refused("the grant is not for here, or not for now")
        except (ProofError, KeyError, TypeError, ValueError, OverflowError):
            raise _grant_refused("not a grant of this exchange") from None
        return grant


class Proofs:
    """Verifies the consumers' signatures of requests."""

    def __init__(self) -> None:
        # By the text of the header: a consumer's is the same in each of its proofs.
        self._heads: OrderedDict[str, _Head] = OrderedDict()

    def verify(
        self, text: str, grant: Grant, method: str, url: str, target: str, body: str, now: datetime
    ) -> Proof:
        """The proof of one request.

        Args:
            text: the ``DPoP`` header.
            grant: the grant beside it.
            method: of the request.
            url: where it was sent, without query.
            target: digest of path and query, as they came.
            body: digest of the body; empty when there is none.
            now: the present.

        Raises:
            Refusal: it is not the grant's key that signed it, or it is for another request.
        """
        if len(text) > _PROOF_CHARACTERS:
            raise _proof_refused("too long for a proof")
        try:
            known = self._heads.get(text.partition(".")[0])
            taken = jws.parse(text, None if known is None else known.header)
            head = known or _head(taken.header)
            if head.kid != grant.key:
                raise _proof_refused("the grant is bound to another key")
            told = taken.signed_by(head.key)
            if known is None:
                self._keep(text.partition(".")[0], head)
            issued, nonce, purpose = _time(told["iat"]), _text(told["jti"]), told["purpose"]
            said = (told["htm"], told["htu"], told["ath"], told["target"], told.get("body", ""))
        except (ProofError, KeyError, TypeError, ValueError, OverflowError):
            raise _proof_refused("not a proof of the grant's key") from None
        if said != (method, url, grant.digest, target, body):
            raise _proof_refused("the proof is for another request")
        if abs(now - issued) > WINDOW or len(nonce) not in _NONCE or not isinstance(purpose, str):
            raise _proof_refused("the proof is not of now: look at the clock, and sign again")
        return Proof(text, nonce, issued, purpose)

    def _keep(self, text: str, head: "_Head") -> None:
        self._heads[text] = head
        if len(self._heads) > _KEPT:
            self._heads.popitem(last=False)


class _Head(NamedTuple):
    """The header of a proof that was looked at: nothing in it is wrong."""

    header: Mapping[str, Any]
    key: PublicKey
    kid: str


def _head(header: Mapping[str, Any]) -> _Head:
    if header.get("typ") != PROOF or header.get("alg") != "EdDSA" or "crit" in header:
        raise _proof_refused("not a DPoP proof with EdDSA")
    key = PublicKey.of_jwk(header["jwk"])
    return _Head(header, key, key.kid)


class Seen:
    """The requests of the last minutes in this process; bounded, so that it cannot be filled up.

    The receipts keep the same for all gateways. This only answers sooner, before the provider is
    asked again.
    """

    def __init__(self, most: int = 200_000) -> None:
        self._most = most
        self._until: OrderedDict[tuple[str, str], datetime] = OrderedDict()

    def take(self, key: str, nonce: str, issued: datetime, now: datetime) -> None:
        """Note a request.

        Raises:
            Refusal: it came before, or more came than can be remembered.
        """
        known = self._until
        while known and next(iter(known.values())) < now:
            known.popitem(last=False)
        if (key, nonce) in known:
            raise replayed()
        if len(known) >= self._most:
            raise Refusal(503, "busy", "too many requests at once", retry_after=5)
        # From now, not from ``issued``: they leave in the order in which they came.
        known[key, nonce] = max(issued, now) + 2 * WINDOW


def replayed() -> Refusal:
    """What is said of a request that came before."""
    return _proof_refused("this request came before: sign each one anew")


def _time(value: object) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a time")
    return datetime.fromtimestamp(value, UTC)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > 500:  # noqa: PLR2004
        raise TypeError("not a text")
    return value
