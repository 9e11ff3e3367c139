"""A receipt, its one text, and the chain that it is part of.

A receipt is written by one process into its own *log*; logs of several processes grow side by side
and wait for nobody. In a log the receipts are numbered without a gap, and those of one agreement
name the hash of the one before, so that none can be taken out or changed.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from foundation.kernel import ids
from workloads.data_exchange.proofs import merkle
from workloads.data_exchange.proofs.keys import ProofError, encoded

VERSION = 1
#: ``20261121-01k9z3…``: the day, so that the partition of a receipt is known by its id.
_LOG = re.compile(r"([0-9]{8})-[0-9a-z]{26}", re.ASCII)
_ID = re.compile(r"rcp_([0-9]{8}-[0-9a-z]{26})-([1-9][0-9]{0,9})", re.ASCII)


class ReceiptKind(StrEnum):
    """What a receipt tells of."""

    #: A call that was asked and answered, written before the answer left.
    CALL = "call"
    #: A call whose effect or answer cannot wait for its end: written before it begins.
    BEGUN = "begun"
    #: How a call that had begun ended.
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Draft:
    """What a receipt says, before it has its place in a log.

    Attributes:
        kind: what it tells of.
        at: when the answer was ready.
        agreement: its id.
        terms: digest of the signed policy that was applied (``sha256:…``).
        grant: the id (``jti``) of the grant.
        consumer, provider: paths of the agencies.
        dataset, service: what was asked for.
        key: thumbprint of the consumer's key that signed the request.
        proof: the consumer's signature over the request: a DPoP proof, a compact JWS (RFC 9449).
        method: of HTTP.
        route: the interface's path as published, with its parameters unfilled.
        target: digest of the path and query as they were asked (``sha256:…``).
        request: digest of the body that came, or empty.
        purpose: the identifier of the purpose that was named.
        status: of HTTP, as handed out; 0 when it is not known yet.
        answer: digest of the body as handed out, or empty.
        rows, size: records and bytes handed out.
        milliseconds: from the request to the answer.
        decisions: what the policy did, such as ``masked:name`` or ``refused:purpose``.
        of: of an end, the id of the receipt with the beginning.
    """

    kind: ReceiptKind
    at: datetime
    agreement: str
    terms: str
    grant: str
    consumer: str
    provider: str
    dataset: str
    service: str
    key: str
    proof: str
    method: str
    route: str
    target: str
    request: str
    purpose: str
    status: int
    answer: str
    rows: int
    size: int
    milliseconds: int
    decisions: tuple[str, ...] = ()
    of: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt in its place.

    Attributes:
        log: of the process that wrote it.
        number: its place in the log, from 1.
        sequence: its place among those of its agreement in the log, from 1.
        previous: the hash of the one before it there (base64url); empty for the first.
        body: its text: canonical JSON (RFC 8785) of all it says; what is hashed.
        proof: the consumer's signature, kept beside the body, which names its digest: it can be
            taken away (it may name a person in a path) and the chain still holds.
        hash: that of a leaf of RFC 9162, so that chain and tree speak of the same.
    """

    log: str
    number: int
    sequence: int
    previous: str
    body: str
    proof: str
    hash: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hash", merkle.leaf(self.body.encode()))

    @property
    def id(self) -> str:
        """``rcp_…``: the log and the number."""
        return f"rcp_{self.log}-{self.number}"

    def told(self) -> dict[str, Any]:
        """What its body says.

        Raises:
            ProofError: it is no receipt.
        """
        try:
            found = json.loads(self.body)
        except ValueError:
            raise ProofError("a receipt is not JSON") from None
        if not isinstance(found, dict) or found.get("v") != VERSION:
            raise ProofError("not a receipt of this version")
        return found


def new_log(at: datetime) -> str:
    """The name of a new log that begins on this day (UTC)."""
    return f"{at.astimezone(UTC):%Y%m%d}-{ids.new('log').partition('_')[2]}"


def day_of(log: str) -> date:
    """The day on which a log began; all its receipts are kept with that day.

    Raises:
        ProofError: it is no name of a log.
    """
    found = _LOG.fullmatch(log)
    try:
        if found is not None:
            return datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        pass
    raise ProofError("not a log of receipts")


def place_of(receipt_id: str) -> tuple[str, int]:
    """The log and the number in an id.

    Raises:
        ProofError: it is no id of a receipt.
    """
    found = _ID.fullmatch(receipt_id)
    if found is None:
        raise ProofError("not a receipt")
    day_of(found[1])
    return found[1], int(found[2])


class Chains:
    """Gives receipts their places in one log; nothing is kept until ``keep``.

    Args:
        log: its name.
    """

    def __init__(self, log: str) -> None:
        self.log = log
        self.size = 0
        self._heads: dict[str, tuple[int, str]] = {}
        self._tried: dict[str, tuple[int, str]] = {}

    def place(self, drafts: "list[Draft]") -> list[Receipt]:
        """The receipts of some drafts, in their order, behind all that were kept."""
        made, number, self._tried = [], self.size, {}
        for draft in drafts:
            number += 1
            head = self._tried.get(draft.agreement) or self._heads.get(draft.agreement, (0, ""))
            body = body_of(draft, self.log, number, head[0] + 1, head[1])
            receipt = Receipt(self.log, number, head[0] + 1, head[1], body, draft.proof)
            self._tried[draft.agreement] = (receipt.sequence, encoded(receipt.hash))
            made.append(receipt)
        return made

    def keep(self, count: int) -> None:
        """The receipts of the last ``place`` are written: the next ones follow them."""
        self.size += count
        self._heads.update(self._tried)


def body_of(draft: Draft, log: str, number: int, sequence: int, previous: str) -> str:
    """The text of a receipt: canonical JSON (RFC 8785).

    Only strings, whole numbers, and names in ASCII occur, so it is written as it stands, its names
    in their order; a test holds that it is the canonical form. It takes a fifteenth of the time.
    """
    proof = digest(draft.proof.encode()) if draft.proof else ""
    return (
        f'{{"agreement":{_text(draft.agreement)},"answer":{_text(draft.answer)},'
        f'"at":"{instant(draft.at)}","consumer":{_text(draft.consumer)},'
        f'"dataset":{_text(draft.dataset)},'
        f'"decisions":[{",".join(map(_text, draft.decisions))}],"grant":{_text(draft.grant)},'
        f'"key":{_text(draft.key)},"kind":"{draft.kind.value}","log":{_text(log)},'
        f'"method":{_text(draft.method)},"milliseconds":{draft.milliseconds:d},'
        f'"number":{number:d},"of":{_text(draft.of)},"previous":{_text(previous)},'
        f'"proof":{_text(proof)},"provider":{_text(draft.provider)},'
        f'"purpose":{_text(draft.purpose)},"request":{_text(draft.request)},'
        f'"route":{_text(draft.route)},"rows":{draft.rows:d},"sequence":{sequence:d},'
        f'"service":{_text(draft.service)},"size":{draft.size:d},"status":{draft.status:d},'
        f'"target":{_text(draft.target)},"terms":{_text(draft.terms)},"v":{VERSION:d}}}'
    )


#: A string of JSON, with all but quotes, backslashes and controls as they are.
_text = json.encoder.encode_basestring


def instant(at: datetime) -> str:
    """RFC 3339 in UTC with six decimals: all of one length, so that they sort as text."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def digest(data: bytes) -> str:
    """``sha256:`` and the hexadecimal SHA-256."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def summary(told: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown of a receipt in lists."""
    names = (
        "agreement", "consumer", "provider", "service", "method", "route", "purpose", "status",
        "rows", "size", "milliseconds", "kind", "at", "decisions",
    )  # fmt: skip
    return {name: told[name] for name in names}
