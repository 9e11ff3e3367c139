"""A version with all that is needed to verify it without the exchange: pure, off-line.

One thing must be known from elsewhere: the thumbprint of a key of the exchange, which signed the
record of when both sides signed.
"""

from collections.abc import Mapping
from typing import Any

from foundation.kernel import canonical
from foundation.kernel.errors import Invalid
from foundation.kernel.time import parse_instant
from workloads.data_exchange.agreements.contracts.model import (
    AGREEMENT,
    RECORD,
    Agreement,
    Party,
    Version,
)
from workloads.data_exchange.agreements.policy import profile
from workloads.data_exchange.agreements.terms import Terms
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import ProofError, PublicKey

_EXCHANGE = "exchange"


def bundle(
    there: Agreement, version: Version, policy: object, keys: Mapping[str, object]
) -> dict[str, Any]:
    """The evidence of a version.

    Args:
        there: the agreement.
        version: of it.
        policy: its JSON.
        keys: JWK sets of ``provider``, ``consumer`` and ``exchange``.
    """
    return {
        "agreement": there.id,
        "version": version.number,
        "policy": policy,
        "answers": version.answers,
        "signatures": {party.value: one.jws for party, one in version.signatures.items()},
        "record": version.record,
        "keys": dict(keys),
    }


def check(data: Mapping[str, Any], trusted: str = "") -> tuple[Terms, str]:
    """The terms that both sides signed, and the key of the exchange that says so.

    Args:
        data: from ``bundle``.
        trusted: thumbprint of the exchange's key that must have signed the record; any if empty.

    Raises:
        ProofError: something of it does not hold; its text says what.
    """
    try:
        return _checked(data, trusted)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise ProofError("this is no evidence of an agreement") from error
    except Invalid as error:
        raise ProofError(f"the policy: {error}") from error


def _checked(data: Mapping[str, Any], trusted: str) -> tuple[Terms, str]:
    policy, record = data["policy"], jws.parse(data["record"])
    terms = profile.compile_terms(policy, data["answers"])
    if trusted and record.kid != trusted:
        raise ProofError(f"the record is signed with {record.kid}, which you do not trust")
    told = record.verify(_key(data, _EXCHANGE, record.kid)[0], RECORD)
    named = (told["agreement"], told["version"], told["digest"])
    if named != (data["agreement"], data["version"], terms.digest) or (
        terms.agreement != data["agreement"]
    ):
        raise ProofError("the record is that of another text")
    if not _signs(_key(data, _EXCHANGE, record.kid)[1], told["in_force_at"]):
        raise ProofError("the key of the record did not sign at that time")
    for party in Party:
        _check_signature(data, party, told["signatures"][party.value], canonical.dumps(policy))
    return terms, record.kid


def _check_signature(
    data: Mapping[str, Any], party: Party, noted: Mapping[str, Any], policy: str
) -> None:
    text = data["signatures"][party.value]
    if canonical.digest(text) != noted["digest"]:
        raise ProofError(f"the signature of the {party} is not the one in the record")
    taken = jws.parse(text)
    key, jwk = _key(data, party.value, taken.kid)
    if canonical.dumps(taken.verify(key, AGREEMENT)) != policy:
        raise ProofError(f"the {party} signed another text")
    if not _signs(jwk, noted["at"]):
        raise ProofError(f"the key of the {party} did not sign at that time")


def _key(data: Mapping[str, Any], whose: str, kid: str) -> tuple[PublicKey, Mapping[str, Any]]:
    for jwk in data["keys"][whose]["keys"]:
        key = PublicKey.of_jwk(jwk)
        if key.kid == kid:
            return key, jwk
    raise ProofError(f"the key {kid} is none of the {whose}")


def _signs(jwk: Mapping[str, Any], at: str) -> bool:
    """Whether a key of a set signs at an instant: half-open, in seconds with their fraction."""
    moment = parse_instant(at).timestamp()
    return bool(jwk["nbf"] <= moment < jwk.get("exp", float("inf")))
