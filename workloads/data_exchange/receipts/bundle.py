"""Bundles: a file that proves receipts to anybody, without this service.

A bundle is NDJSON, one object a line, each line canonical JSON. First ``{"bundle": {...}}``, what
it is; then ``{"keys": [...]}``, the exchange's public keys; then ``{"checkpoint": JWS}``,
``{"receipt": {"body", "proof", "checkpoint", "path"}}`` and
``{"grown": {"log", "from", "to", "path"}}``; last ``{"seal": JWS}``, which signs the digest of all
lines before it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from foundation.kernel import canonical
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.proofs.keys import PrivateKey, encoded
from workloads.data_exchange.receipts.checkpoints import Checkpoint
from workloads.data_exchange.receipts.model import VERSION, Receipt, instant

#: What the last line is signed as.
SEAL = "exchange-bundle+jws"


@dataclass(frozen=True, slots=True)
class Proven:
    """A receipt with what proves it.

    Attributes:
        checkpoint: the number of the checkpoint that has its log; 0 when there is none yet.
        path: the hashes from its leaf to that root.
    """

    receipt: Receipt
    checkpoint: int
    path: tuple[bytes, ...]

    def line(self) -> dict[str, Any]:
        """As it stands in a bundle."""
        return {
            "receipt": {
                "body": self.receipt.body, "proof": self.receipt.proof,
                "checkpoint": self.checkpoint, "path": [encoded(one) for one in self.path],
            }
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Grown:
    """The proof that a log at one checkpoint became that of a later one."""

    log: str
    earlier: int
    later: int
    path: tuple[bytes, ...]

    def line(self) -> dict[str, Any]:
        """As it stands in a bundle."""
        path = [encoded(one) for one in self.path]
        return {"grown": {"log": self.log, "from": self.earlier, "to": self.later, "path": path}}


@dataclass(frozen=True, slots=True)
class About:
    """What a bundle is.

    Attributes:
        agreement: whose receipts it holds; empty for checkpoints alone.
        at: when it was made.
    """

    agreement: str
    at: datetime


def write(
    about: About,
    keys: Mapping[str, Any],
    parts: Iterable[Checkpoint | Proven | Grown],
    key: PrivateKey,
) -> Iterator[bytes]:
    """The lines of a bundle, each with its end.

    Args:
        about: what it is.
        keys: the JWK set of the exchange.
        parts: in order; a checkpoint before what names it.
        key: the exchange's, for the seal.
    """
    hashed = hashlib.sha256()
    head = {"bundle": {"v": VERSION, "agreement": about.agreement, "at": instant(about.at)}}
    for one in (head, {"keys": keys["keys"]}):
        yield _line(one, hashed)
    for part in parts:
        told = {"checkpoint": part.signed} if isinstance(part, Checkpoint) else part.line()
        yield _line(told, hashed)
    payload = {"sha256": hashed.hexdigest(), "at": instant(about.at)}
    yield (canonical.dumps({"seal": jws.sign(payload, key, SEAL)}) + "\n").encode()


def _line(told: Mapping[str, Any], hashed: Any) -> bytes:  # noqa: ANN401 - hashlib has no type
    made = (canonical.dumps(told) + "\n").encode()
    hashed.update(made)
    return made
