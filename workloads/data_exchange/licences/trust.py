"""What a verifier must have at hand to verify without a network: keys, types and status lists.

A trust document is JSON::

    {"as_of": "2026-11-03T09:00:00Z",
     "issuers": [{"issuer": "https://…/issuers/agy_…", "name": {"en": …, "zh": …},
                  "jwks": {"keys": […]},
                  "types": [{"vct": "https://…/vct/lty_…", "metadata": "{…}"}],
                  "lists": [{"uri": "https://…/status-lists/lst_…", "token": "eyJ…"}]}]}

Each issuer stands for its own types and lists alone. Where it comes from is the verifier's choice:
whoever writes it decides whose licences count.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from foundation.kernel.errors import BoroughError
from foundation.kernel.text import Text
from foundation.kernel.time import parse_instant
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import ProofError
from workloads.data_exchange.proofs.others import Verifying, key_of

#: The largest document that is read, characters.
LONGEST = 64_000_000


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key of an issuer, and between which seconds since 1970 it signs."""

    key: Verifying
    begins: float
    ends: float

    def signs_at(self, second: float) -> bool:
        """Whether a signature of that moment counts; a signature says only whole seconds."""
        return int(self.begins) <= second < self.ends


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer that is trusted.

    Attributes:
        keys: by ``kid``.
        types: metadata as it was served, by ``vct``.
        lists: status list tokens, by address.
    """

    issuer: str
    name: Text
    keys: Mapping[str, TrustedKey]
    types: Mapping[str, str]
    lists: Mapping[str, str]

    def key(self, taken: jws.Unverified) -> TrustedKey:
        """The key that a signature names; the only one, when it names none.

        Raises:
            ProofError: there is no such key.
        """
        if "kid" not in taken.header and len(self.keys) == 1:
            return next(iter(self.keys.values()))
        found = self.keys.get(taken.kid)
        if found is None:
            raise ProofError("the issuer has no such key, or it was revoked")
        return found


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose licences count.

    Attributes:
        as_of: when it was fetched.
        issuers: by their address.
    """

    as_of: datetime
    issuers: Mapping[str, Issuer]


def read(text: str) -> Trust:
    """A trust document.

    Raises:
        ProofError: it is none.
    """
    if len(text) > LONGEST:
        raise ProofError("too long for a trust document")
    try:
        found = jws.decode(text)
        issuers = [_issuer(one) for one in found["issuers"]]
        return Trust(parse_instant(found["as_of"], "as_of"), {one.issuer: one for one in issuers})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, BoroughError):
        raise ProofError("not a trust document") from None


def _issuer(told: Mapping[str, Any]) -> Issuer:
    keys = {}
    for jwk in told["jwks"]["keys"]:
        key = key_of(jwk)
        keys[str(jwk.get("kid", key.kid))] = TrustedKey(
            key, float(jwk.get("nbf", 0)), float(jwk.get("exp", "inf"))
        )
    return Issuer(
        str(told["issuer"]), Text(told["name"]["en"], told["name"]["zh"]), keys,
        {str(one["vct"]): str(one["metadata"]) for one in told["types"]},
        {str(one["uri"]): str(one["token"]) for one in told["lists"]},
    )  # fmt: skip


def metadata(text: str) -> dict[str, Any]:
    """Type metadata; an empty object when it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
