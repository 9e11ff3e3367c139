"""What a gateway answers about batches: lists and manifests, files in parts, and uploads.

``GET /batches``, ``/batches/ID`` and ``/batches/ID/files/ID`` are asked as services are: with a
grant and a proof. Files answer ``Range`` and ``If-Range`` (RFC 9110, 14), with the file's digest as
their strong entity tag.
"""

import asyncio
import base64
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from functools import partial

from foundation.kernel.errors import NotFound
from workloads.data_exchange.gateway.documents import dump
from workloads.data_exchange.gateway.entrance import Entrance, Visit
from workloads.data_exchange.gateway.model import Refusal
from workloads.data_exchange.gateway.server import Request, Response
from workloads.data_exchange.gateway.signed import with_receipt
from workloads.data_exchange.receipts.model import ReceiptKind
from workloads.data_exchange.transfers.checking import Reading
from workloads.data_exchange.transfers.model import Batch, File, Segment
from workloads.data_exchange.transfers.service import Batches, until
from workloads.data_exchange.transfers.tus import PREFIX as UPLOADS
from workloads.data_exchange.transfers.tus import Tus

_TARGET = re.compile(
    rb"(/batches(?:/(bat_[0-9a-z]{26})(?:/files/(fil_[0-9a-z]{26}))?)?)(?:\?after=([0-9]{1,15}))?",
    re.ASCII,
)
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII)
_PAGE = 100
#: So many segments are handed out between two looks at what is agreed.
_LOOK_EVERY = 8
_PART = 262_144


class TransferFront:
    """The addresses of batches and uploads.

    Args:
        entrance: lets consumers in.
        batches: the use cases.
        reading: of what is stored.
        tus: answers senders.
    """

    prefixes = (b"/batches", UPLOADS)

    def __init__(self, entrance: Entrance, batches: Batches, reading: Reading, tus: Tus) -> None:
        self._entrance = entrance
        self._batches = batches
        self._reading = reading
        self._tus = tus

    def streams(self, method: str, target: bytes) -> bool:
        """Bodies of uploads."""
        return method in {"POST", "PATCH"} and target.startswith(UPLOADS)

    async def run(self) -> None:
        """Nothing goes on by itself."""

    async def handle(self, request: Request) -> Response:
        """The answer."""
        if request.target.startswith(UPLOADS):
            return await self._tus.handle(request)
        found = _TARGET.fullmatch(request.target)
        if found is None:
            raise Refusal(404, "address", "there is no such batch")
        path, batch, file, after = (None if one is None else one.decode() for one in found.groups())
        route = "/batches" + ("/{batch}" if batch else "") + ("/files/{file}" if file else "")
        if request.method not in {"GET", "HEAD"}:
            raise Refusal(405, "method", "batches are only read here")
        visit = await self._entrance.visit(request, path or "", route)
        return await self._entrance.finished(
            visit,
            partial(self._answer, request, batch or "", file or "", int(after or 0)),
        )

    async def _answer(
        self, request: Request, batch_id: str, file_id: str, after: int, visit: Visit
    ) -> Response:
        await self._entrance.let_through(visit)
        agreement = visit.ruling.terms.agreement
        if not batch_id:
            found = await asyncio.to_thread(self._batches.offered, agreement, after, _PAGE)
            return await self._told(visit, {"items": [_summary(one) for one in found]})
        try:
            batch, file = await asyncio.to_thread(
                self._batches.opened, agreement, batch_id, file_id
            )
        except NotFound:
            raise Refusal(404, "batch", "there is no such batch or file") from None
        if file is not None:
            return await self._file(request, visit, batch, file)
        files = await asyncio.to_thread(self._batches.listing, batch.id)
        told = {
            **_summary(batch), "manifest": batch.manifest,
            "files": [
                {"id": one.id, "name": one.name, "size": one.size, "digest": one.digest}
                for one in files
            ],
        }  # fmt: skip
        return await self._told(visit, told)

    async def _told(self, visit: Visit, value: object) -> Response:
        headers = {"content-type": "application/json", "cache-control": "no-store"}
        return await self._entrance.handed(visit, Response(200, headers, dump(value).encode()))

    async def _file(self, request: Request, visit: Visit, batch: Batch, file: File) -> Response:
        size, tag = file.size or 0, f'"{file.digest}"'
        modified = until(batch.published_at or batch.created_at)
        headers = {
            "content-type": "application/octet-stream", "x-content-type-options": "nosniff",
            "cache-control": "no-store", "accept-ranges": "bytes", "etag": tag,
            "last-modified": modified, "content-disposition": "attachment",
            "repr-digest": _repr_digest(file.digest),
        }  # fmt: skip
        if _matches(request.headers.get("if-none-match", ""), tag):
            return await self._entrance.handed(visit, Response(304, headers))
        wanted = request.headers.get("range", "") if request.method == "GET" else ""
        if request.headers.get("if-range", tag) not in {tag, modified}:
            wanted = ""
        chosen = _range(wanted, size)
        if chosen is None:
            headers["content-range"] = f"bytes */{size}"
            refusal = Refusal(416, "range", "the file has no such part")
            visit.decisions.append(f"refused:{refusal.code}")
            answer = Response(416, headers)
            return await self._entrance.handed(visit, answer)
        start, end, part = chosen
        status = 206 if part else 200
        if part:
            headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
        if request.method == "HEAD":
            return await self._entrance.handed(visit, Response(200, headers, length=size))
        if start == end:
            return await self._entrance.handed(visit, Response(status, headers))
        visit.begun = await self._entrance.write(visit, ReceiptKind.BEGUN, status, "", 0)
        stream = self._entrance.poured(visit, status, self._read(visit, file, start, end))
        return with_receipt(
            Response(status, headers, stream=stream, length=end - start), visit.begun
        )

    async def _read(
        self, visit: Visit, file: File, start: int, end: int
    ) -> AsyncGenerator[bytes, None]:
        """Bytes of a file, one segment ahead of whoever takes them."""
        places = self._reading.located(file.id, start, end)
        ahead = asyncio.create_task(self._next(places))
        served = 0
        try:
            while True:
                found = await ahead
                if found is None:
                    return
                served += 1
                if served % _LOOK_EVERY == 0:
                    await self._entrance.still(visit)
                ahead = asyncio.create_task(self._next(places))
                segment, data = found
                first, last = max(start - segment.start, 0), min(end - segment.start, segment.size)
                view = memoryview(data)[first:last]
                for at in range(0, len(view), _PART):
                    yield bytes(view[at : at + _PART])
        finally:
            ahead.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await ahead

    async def _next(self, places: Iterator[Segment]) -> tuple[Segment, bytes] | None:
        def read() -> tuple[Segment, bytes] | None:
            found = next(places, None)
            return None if found is None else (found, self._reading.read(found))

        return await asyncio.to_thread(read)


def _summary(one: Batch) -> dict[str, object]:
    return {
        "id": one.id, "agreement": one.agreement, "title": one.title, "files": one.files,
        "size": one.size, "published_at": one.published_at.isoformat() if one.published_at else "",
        "expires_at": one.expires_at.isoformat(), "position": one.position,
    }  # fmt: skip


def _matches(given: str, tag: str) -> bool:
    return given == "*" or tag in {one.strip().removeprefix("W/") for one in given.split(",")}


def _range(text: str, size: int) -> tuple[int, int, bool] | None:
    """The bytes that are asked for, half-open, and whether a part was; None: there are none such.

    Of several parts, and of what is no range of bytes, the whole is answered, as RFC 9110 (14.2)
    lets a server do.
    """
    found = _RANGE.fullmatch(text)
    if found is None or found[1] == found[2] == "":
        return 0, size, False
    if not found[1]:
        last = min(int(found[2]), size)
        return (size - last, size, True) if last else None
    start = int(found[1])
    end = min(int(found[2]) + 1, size) if found[2] else size
    if found[2] and int(found[2]) < start:
        return 0, size, False  # not a range at all
    return (start, end, True) if start < size else None


def _repr_digest(digest: str) -> str:
    """RFC 9530."""
    value = base64.b64encode(bytes.fromhex(digest.removeprefix("sha256:"))).decode()
    return f"sha-256=:{value}:"
