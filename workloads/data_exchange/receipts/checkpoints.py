"""Checkpoints: what the exchange signs about its logs, each naming the one before it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from foundation.kernel.errors import Invalid
from foundation.kernel.time import parse_instant
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey, ProofError, PublicKey, decoded, encoded
from workloads.data_exchange.receipts.model import VERSION, day_of, digest, instant

#: What a checkpoint is signed as.
TYP = "exchange-checkpoint+jws"
_HASH = 32
_NAMES = {"v", "number", "previous", "at", "logs"}


@dataclass(frozen=True, slots=True)
class Head:
    """How far a log had grown: the root over its first ``size`` receipts."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The heads of the logs that had grown, at a moment.

    Attributes:
        number: from 1, without a gap.
        previous: digest of the checkpoint before it, as it was signed; empty for the first. So a
            key that signs today vouches for all that earlier keys signed.
        at: when.
        logs: by name.
        signed: the JWS itself.
        kid: whose signature it is.
    """

    number: int
    previous: str
    at: datetime
    logs: Mapping[str, Head]
    signed: str = ""
    kid: str = ""

    @property
    def digest(self) -> str:
        """What the next one names."""
        return digest(self.signed.encode())


def sign(
    number: int, previous: str, at: datetime, logs: Mapping[str, Head], key: PrivateKey
) -> Checkpoint:
    """A checkpoint with its signature."""
    payload = {
        "v": VERSION, "number": number, "previous": previous, "at": instant(at),
        "logs": {
            log: {"size": head.size, "root": encoded(head.root)} for log, head in logs.items()
        },
    }  # fmt: skip
    return Checkpoint(number, previous, at, logs, jws.sign(payload, key, TYP), key.kid)


def read(signed: str, keys: "Ring") -> Checkpoint:
    """A checkpoint whose signature is one of the exchange's, made in that key's time.

    Raises:
        ProofError: it is none.
    """
    taken = jws.parse(signed)
    told = taken.verify(keys.key(taken.kid), TYP)
    try:
        if set(told) != _NAMES or told["v"] != VERSION or not isinstance(told["number"], int):
            raise ProofError("not a checkpoint of this version")
        at = parse_instant(told["at"])
        logs = {log: _head(log, one) for log, one in told["logs"].items()}
        made = Checkpoint(told["number"], str(told["previous"]), at, logs, signed, taken.kid)
    except (KeyError, TypeError, AttributeError, Invalid):
        raise ProofError("not a checkpoint") from None
    if not keys.signs_at(taken.kid, at):
        raise ProofError(f"checkpoint {made.number}: its key did not sign at that time")
    return made


def _head(log: str, told: Mapping[str, Any]) -> Head:
    day_of(log)
    root, size = decoded(told["root"]), told["size"]
    if set(told) != {"size", "root"} or len(root) != _HASH or type(size) is not int or size < 1:
        raise ProofError("not the head of a log")
    return Head(size, root)


class Ring:
    """The exchange's public keys, with the times in which they signed.

    Args:
        keys: a JWK set's; ``nbf`` and ``exp`` are seconds since 1970, half-open.

    Raises:
        ProofError: one of them is no public Ed25519 key, or is not named by its thumbprint.
    """

    def __init__(self, keys: "list[Mapping[str, Any]]") -> None:
        self._keys: dict[str, tuple[PublicKey, float, float]] = {}
        for one in keys:
            if not isinstance(one, Mapping):
                raise ProofError("not a JWK set")
            key = PublicKey.of_jwk(one)
            if one.get("kid", key.kid) != key.kid:
                raise ProofError("a key is not named by its thumbprint")
            begins, ends = one.get("nbf", 0), one.get("exp", float("inf"))
            if not isinstance(begins, int | float) or not isinstance(ends, int | float):
                raise ProofError("a key has no such times")
            self._keys[key.kid] = (key, begins, ends)

    @property
    def kids(self) -> tuple[str, ...]:
        """Their names, sorted."""
        return tuple(sorted(self._keys))

    def key(self, kid: str) -> PublicKey:
        """The key of a name.

        Raises:
            ProofError: it is not the exchange's.
        """
        if kid not in self._keys:
            raise ProofError("signed with a key that is not among the exchange's")
        return self._keys[kid][0]

    def signs_at(self, kid: str, at: datetime) -> bool:
        """Whether a signature of that moment counts."""
        _, begins, ends = self._keys[kid]
        return begins <= at.timestamp() < ends
