"""Verifies a bundle of receipts, or finds what is wrong with it. Pure: no service, no network."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from foundation.kernel import canonical
from foundation.kernel.errors import Invalid
from foundation.kernel.time import parse_instant
from workloads.data_exchange.proofs import jws, merkle
from workloads.data_exchange.proofs.keys import ProofError, PublicKey, decoded, encoded
from workloads.data_exchange.receipts import checkpoints
from workloads.data_exchange.receipts.bundle import SEAL
from workloads.data_exchange.receipts.checkpoints import Checkpoint, Ring
from workloads.data_exchange.receipts.model import VERSION, Receipt, digest

#: What a request's signature is made as (RFC 9449, 4.2).
PROOF = "dpop+jwt"
#: The longest line: a checkpoint of a thousand logs.
LONGEST = 2_000_000


@dataclass(slots=True)
class Report:
    """What was found.

    Attributes:
        agreement: whose receipts they are said to be.
        receipts, checkpoints: how many were read.
        proven: receipts that a checkpoint has.
        signed: receipts with the consumer's signature over the request.
        keys: thumbprints of the exchange's keys that signed, to be compared with known ones.
        problems: what is wrong, in the order of the lines; none if all holds.
        notes: what is not wrong and limits what is proven.
    """

    agreement: str = ""
    receipts: int = 0
    checkpoints: int = 0
    proven: int = 0
    signed: int = 0
    keys: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(lines: Iterable[bytes], trusted: "list[Mapping[str, Any]] | None" = None) -> Report:
    """Read a bundle and check all of it.

    Args:
        lines: of the file, each with its end.
        trusted: the exchange's keys as known from elsewhere; those in the file if left out.
    """
    return _Verifier(trusted).run(lines)


class _Verifier:
    def __init__(self, trusted: "list[Mapping[str, Any]] | None") -> None:
        self._trusted = trusted
        self._ring: Ring | None = None
        self._hashed = hashlib.sha256()
        self._checkpoints: dict[int, Checkpoint] = {}
        self._heads: dict[str, tuple[int, int, str]] = {}
        self._grown: set[tuple[str, int, int]] = set()
        self._used: set[str] = set()
        self._sealed = False
        self.report = Report()

    def run(self, lines: Iterable[bytes]) -> Report:
        number = 0
        for number, line in enumerate(lines, 1):
            try:
                self._line(number, line)
            except ProofError as error:
                self.report.problems.append(f"line {number}: {error}")
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                self.report.problems.append(f"line {number}: cannot be read")
        if not self._sealed:
            self.report.problems.append("the seal at the end is missing")
        self._chain()
        self._growth()
        self.report.keys = tuple(sorted(self._used))
        if self._trusted is None and number:
            self.report.notes.append("verified with the keys that the file itself names")
        return self.report

    def _line(self, number: int, line: bytes) -> None:
        if self._sealed:
            raise ProofError("something follows the seal")
        if len(line) > LONGEST:
            raise ProofError("too long")
        told = json.loads(line)
        # One text for each content: what is not signed cannot be written in two ways either.
        if (canonical.dumps(told) + "\n").encode() != line or not isinstance(told, dict):
            raise ProofError("not canonical JSON of one object")
        ((kind, value),) = told.items()
        if (number == 1) != (kind == "bundle") or (number == 2) != (kind == "keys"):  # noqa: PLR2004
            raise ProofError("not in its place")
        if kind == "seal":
            self._seal(value)
            return
        self._hashed.update(line)
        known: dict[str, Callable[[Any], None]] = {
            "bundle": self._begin, "keys": self._keys, "checkpoint": self._checkpoint,
            "receipt": self._receipt, "grown": self._growing,
        }  # fmt: skip
        known[kind](value)

    def _begin(self, told: Mapping[str, Any]) -> None:
        if set(told) != {"v", "agreement", "at"} or told["v"] != VERSION:
            raise ProofError("not a bundle of this version")
        self.report.agreement = str(told["agreement"])

    def _keys(self, told: "list[Mapping[str, Any]]") -> None:
        given = Ring(told)
        self._ring = given if self._trusted is None else Ring(self._trusted)

    def _known(self) -> Ring:
        if self._ring is None:
            raise ProofError("there are no keys to verify with")
        return self._ring

    def _checkpoint(self, told: str) -> None:
        found = checkpoints.read(told, self._known())
        if found.number in self._checkpoints:
            raise ProofError(f"checkpoint {found.number} stands twice")
        self._checkpoints[found.number] = found
        self._used.add(found.kid)
        self.report.checkpoints += 1

    def _receipt(self, told: Mapping[str, Any]) -> None:
        self.report.receipts += 1
        if set(told) != {"body", "proof", "checkpoint", "path"}:
            raise ProofError("not a receipt")
        said = json.loads(told["body"])
        if canonical.dumps(said) != told["body"] or said["v"] != VERSION:
            raise ProofError("the body of a receipt is not canonical JSON")
        receipt = Receipt(
            said["log"], said["number"], said["sequence"], said["previous"], told["body"],
            told["proof"],
        )  # fmt: skip
        if self.report.agreement and said["agreement"] != self.report.agreement:
            raise ProofError(f"{receipt.id} is of another agreement")
        self._link(receipt, said["agreement"])
        self._asked(receipt, said)
        self._included(receipt, told)

    def _link(self, receipt: Receipt, agreement: str) -> None:
        """It follows the one before it in its chain, with which the file began or not."""
        key = f"{receipt.log} {agreement}"
        number, sequence, hashed = self._heads.get(key, (0, 0, ""))
        here = (receipt.number, receipt.sequence, encoded(receipt.hash))
        self._heads[key] = here
        if receipt.sequence != sequence + 1 or receipt.number <= number:
            raise ProofError(f"{receipt.id}: receipts before it are missing")
        if receipt.previous != hashed:
            raise ProofError(f"{receipt.id} does not follow the receipt before it")

    def _asked(self, receipt: Receipt, said: Mapping[str, Any]) -> None:
        """The consumer's signature is over what the receipt says was asked."""
        if not receipt.proof:
            if said["proof"]:
                self.report.notes.append(f"{receipt.id}: the request's signature was taken away")
            return
        if said["proof"] != digest(receipt.proof.encode()):
            raise ProofError(f"{receipt.id}: another signature of the request")
        taken = jws.parse(receipt.proof)
        key = PublicKey.of_jwk(taken.header.get("jwk") or {})
        if key.kid != said["key"]:
            raise ProofError(f"{receipt.id}: the request was signed with another key")
        if taken.header.get("alg") != "EdDSA" or taken.header.get("typ") != PROOF:
            raise ProofError(f"{receipt.id}: the request's signature is no DPoP proof")
        claims = taken.signed_by(key)
        told = (claims["htm"], claims["target"], claims.get("body", ""), claims.get("purpose", ""))
        if told != (said["method"], said["target"], said["request"], said["purpose"]):
            raise ProofError(f"{receipt.id}: something else was asked than it says")
        self.report.signed += 1

    def _included(self, receipt: Receipt, told: Mapping[str, Any]) -> None:
        number = told["checkpoint"]
        if number == 0:
            if told["path"]:
                raise ProofError(f"{receipt.id}: a path to no checkpoint")
            self.report.notes.append(f"{receipt.id}: no checkpoint has it yet")
            return
        found = self._checkpoints.get(number)
        head = found.logs.get(receipt.log) if found else None
        if head is None:
            raise ProofError(f"{receipt.id}: the checkpoint of its log is missing")
        path = [decoded(one) for one in told["path"]]
        if not merkle.included(receipt.hash, receipt.number - 1, head.size, path, head.root):
            raise ProofError(f"{receipt.id} is not what checkpoint {number} has in its place")
        self.report.proven += 1

    def _growing(self, told: Mapping[str, Any]) -> None:
        log, earlier, later = told["log"], told["from"], told["to"]
        first, second = self._head(log, earlier), self._head(log, later)
        path = [decoded(one) for one in told["path"]]
        if set(told) != {"log", "from", "to", "path"} or not merkle.consistent(
            first.size, second.size, path, first.root, second.root
        ):
            raise ProofError(f"log {log} was changed between checkpoints {earlier} and {later}")
        self._grown.add((log, earlier, later))

    def _head(self, log: str, number: int) -> checkpoints.Head:
        found = self._checkpoints.get(number)
        if found is None or log not in found.logs:
            raise ProofError(f"checkpoint {number} has no log {log}")
        return found.logs[log]

    def _chain(self) -> None:
        """Checkpoints that stand side by side name each other and do not go back in time."""
        for number, one in sorted(self._checkpoints.items()):
            before = self._checkpoints.get(number - 1)
            if number == 1 and one.previous:
                self.report.problems.append("checkpoint 1 follows something")
            if before is None:
                continue
            if one.previous != before.digest or one.at < before.at:
                self.report.problems.append(f"checkpoint {number} does not follow {number - 1}")

    def _growth(self) -> None:
        """Every log that stands in several checkpoints is proven to have only grown."""
        last: dict[str, int] = {}
        for number, one in sorted(self._checkpoints.items()):
            for log in one.logs:
                if log in last and (log, last[log], number) not in self._grown:
                    self.report.problems.append(
                        f"nothing proves that log {log} only grew from checkpoint {last[log]} "
                        f"to {number}"
                    )
                last[log] = number

    def _seal(self, signed: str) -> None:
        taken = jws.parse(signed)
        told = taken.verify(self._known().key(taken.kid), SEAL)
        self._sealed = True
        self._used.add(taken.kid)
        if set(told) != {"sha256", "at"} or told["sha256"] != self._hashed.hexdigest():
            raise ProofError("the lines are not those that were sealed")
        try:
            at = parse_instant(told["at"])
        except Invalid:
            raise ProofError("the seal has no time") from None
        if not self._known().signs_at(taken.kid, at):
            raise ProofError("the seal's key did not sign at that time")
