"""Receipts and checkpoints over HTTP."""

import json
import tempfile
from collections.abc import Iterable
from datetime import date
from typing import IO, Annotated, Any

from flask import Response, send_file
from pydantic import Field

from foundation.kernel.errors import Invalid, Problem
from foundation.kernel.paging import Page
from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Instant,
    PageOut,
    PageQuery,
    Schema,
    current_actor,
    public,
    requires,
    use,
)
from workloads.data_exchange.proofs.keys import encoded
from workloads.data_exchange.receipts.bundle import Proven
from workloads.data_exchange.receipts.checkpoints import Checkpoint
from workloads.data_exchange.receipts.model import Receipt, ReceiptKind, summary
from workloads.data_exchange.receipts.ports import Filter
from workloads.data_exchange.receipts.service import Receipts

api = ApiBlueprint("receipts", __name__, tag="Receipts")

Identifier = Annotated[str, Field(max_length=100)]


class ReceiptOut(Schema):
    """What was asked, and what was handed out."""

    id: str
    at: Annotated[str, Field(description="When the answer was ready (RFC 3339).")]
    kind: Annotated[
        ReceiptKind, Field(description="call; or begun and ended of a long or single one.")
    ]
    agreement: str
    consumer: str
    provider: str
    service: str
    method: str
    route: str
    purpose: str
    status: Annotated[int, Field(description="Of HTTP; 0: not known yet, or broken off.")]
    rows: int
    size: Annotated[int, Field(description="Bytes of the body that was handed out.")]
    milliseconds: int
    decisions: list[str]


class ReceiptProof(Schema):
    """A receipt with all that proves it."""

    id: str
    body: Annotated[dict[str, Any], Field(description="All it says.")]
    text: Annotated[str, Field(description="The same as canonical JSON: what is hashed.")]
    hash: Annotated[str, Field(description="base64url; that of a leaf of RFC 9162.")]
    proof: Annotated[str, Field(description="The consumer's DPoP proof; empty if taken away.")]
    checkpoint: Annotated[int, Field(description="Which one has it; 0: none yet.")]
    path: Annotated[list[str], Field(description="From the leaf to the checkpoint's root.")]


class ReceiptQuery(PageQuery):
    """Which receipts."""

    agreement: Identifier = ""
    log: Identifier = ""
    since: Instant | None = None
    until: Instant | None = None


class ExportQuery(Input):
    """Whose receipts."""

    agreement: Annotated[str, Field(min_length=1, max_length=100)]


class ArchiveQuery(Input):
    """The day on which the logs began, UTC."""

    day: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


class CheckpointExportQuery(Input):
    """Which checkpoints: from ``first`` to ``last``, 0 for the newest."""

    first: Annotated[int, Field(ge=1)] = 1
    last: Annotated[int, Field(ge=0)] = 0


class Redaction(Input):
    """Why a request's signature is taken away."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]


class CheckpointOut(Schema):
    """How far the logs had grown, signed by the exchange."""

    number: int
    at: Instant
    previous: Annotated[str, Field(description="Digest of the one before it.")]
    kid: Annotated[str, Field(description="Thumbprint of the key that signed it.")]
    logs: Annotated[dict[str, int], Field(description="Receipts in each log that had grown.")]
    signed: Annotated[str, Field(description="The JWS.")]


@api.get("/receipts")
@requires("receipt.view")
@api.input(ReceiptQuery, location="query")
@api.output(PageOut[ReceiptOut])
def list_receipts(query_data: ReceiptQuery) -> Answer:
    """The receipts of your agencies, newest first."""
    chosen = Filter(query_data.agreement, query_data.log, query_data.since, query_data.until)
    found = use(Receipts).receipts(current_actor(), chosen, query_data.page())
    return Page(tuple(shown(one) for _, one in found.items), found.next)


@api.get("/receipts/export")
@requires("receipt.view")
@api.input(ExportQuery, location="query")
@api.output({}, 200, content_type="application/x-ndjson")
def export_receipts(query_data: ExportQuery) -> Response:
    """All receipts of an agreement with their proofs, as a bundle that is verified off-line."""
    lines = use(Receipts).export(current_actor(), query_data.agreement)
    return _file(lines, f"receipts-{query_data.agreement}.ndjson")


@api.get("/receipts/archive")
@requires("receipt.archive")
@api.input(ArchiveQuery, location="query")
@api.output({}, 200, content_type="application/x-ndjson")
def archive_receipts(query_data: ArchiveQuery) -> Response:
    """All receipts of a day's logs, as a bundle to be kept elsewhere."""
    try:
        day = date.fromisoformat(query_data.day)
    except ValueError:
        raise Invalid([Problem("day", "must be a day such as 2026-11-21")]) from None
    return _file(use(Receipts).archive(current_actor(), day), f"receipts-{day}.ndjson")


@api.get("/receipts/<receipt_id>")
@requires("receipt.view")
@api.output(ReceiptProof)
def get_receipt(receipt_id: str) -> Answer:
    """One receipt with its proof."""
    return proven(use(Receipts).receipt(current_actor(), receipt_id))


@api.post("/receipts/<receipt_id>/redact")
@requires("receipt.redact")
@api.input(Redaction)
@api.output(ReceiptOut)
def redact_receipt(receipt_id: str, json_data: Redaction) -> Answer:
    """Take away the request's signature, which may name a person; the chain still holds."""
    return shown(use(Receipts).take_proof(current_actor(), receipt_id, reason=json_data.reason))


@api.get("/checkpoints")
@public
@api.input(PageQuery, location="query")
@api.output(PageOut[CheckpointOut])
def list_checkpoints(query_data: PageQuery) -> Answer:
    """The checkpoints, newest first; for everybody, as they name nobody."""
    found = use(Receipts).checkpoints(query_data.page())
    return Page(tuple(_checkpoint(one) for one in found.items), found.next)


@api.get("/checkpoints/export")
@public
@api.input(CheckpointExportQuery, location="query")
@api.output({}, 200, content_type="application/x-ndjson")
def export_checkpoints(query_data: CheckpointExportQuery) -> Response:
    """Checkpoints with the proofs that each log only grew, as a bundle."""
    lines = use(Receipts).export_checkpoints(query_data.first, query_data.last)
    return _file(lines, "checkpoints.ndjson")


def shown(one: Receipt) -> dict[str, Any]:
    """A receipt as lists show it."""
    return {"id": one.id, **summary(one.told())}


def proven(one: Proven) -> dict[str, Any]:
    """A receipt with its proof."""
    receipt = one.receipt
    return {
        "id": receipt.id, "body": json.loads(receipt.body), "text": receipt.body,
        "hash": encoded(receipt.hash), "proof": receipt.proof, "checkpoint": one.checkpoint,
        "path": [encoded(each) for each in one.path],
    }  # fmt: skip


def _checkpoint(one: Checkpoint) -> dict[str, Any]:
    logs = {log: head.size for log, head in one.logs.items()}
    return {"number": one.number, "at": one.at, "previous": one.previous, "kid": one.kid,
            "logs": logs, "signed": one.signed}  # fmt: skip


def _file(lines: Iterable[bytes], name: str) -> Response:
    """Written to a file first: a bundle may be large, and half of one must not be sent."""
    file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed when it was sent
    try:
        file.writelines(lines)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    answer = send_file(
        file, mimetype="application/x-ndjson", as_attachment=True, download_name=name, max_age=0
    )
    answer.call_on_close(file.close)
    answer.headers["Cache-Control"] = "private, no-store"
    return answer
