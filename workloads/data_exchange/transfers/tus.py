"""Files come in by tus 1.0.0 (https://tus.io/protocols/resumable-upload), on the gateway.

The core protocol and the extensions creation, creation-defer-length, creation-with-upload,
checksum, expiration and termination. ``POST /uploads`` names batch and file in
``Upload-Metadata`` (``batch``, ``filename``). Whoever sends shows an API token of the exchange,
``Authorization: Bearer …``.
"""

import asyncio
import base64
import binascii
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from foundation.kernel.actor import Actor
from foundation.kernel.errors import (
    BoroughError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    QuotaExceeded,
    Unauthenticated,
    Unavailable,
)
from workloads.data_exchange.gateway.bodies import BrokenOff
from workloads.data_exchange.gateway.model import Refusal
from workloads.data_exchange.gateway.server import Request, Response, problem
from workloads.data_exchange.transfers.model import (
    FILE_BYTES_MAX,
    SEGMENT_BYTES,
    File,
    Segment,
)
from workloads.data_exchange.transfers.service import until
from workloads.data_exchange.transfers.uploads import KEPT, Moved, Uploads, Writing

T = TypeVar("T")
VERSION = "1.0.0"
PREFIX = b"/uploads"
EXTENSIONS = "creation,creation-defer-length,creation-with-upload,checksum,expiration,termination"
_DIGESTS = {"sha256": hashlib.sha256, "sha1": hashlib.sha1, "md5": hashlib.md5}
_TARGET = re.compile(rb"/uploads(?:/(fil_[0-9a-z]{26}))?", re.ASCII)
_TYPE = "application/offset+octet-stream"
_METHODS = {"POST", "HEAD", "PATCH", "DELETE"}
_META_MAX = 4_096
_MISMATCH = 460
#: Files that are written at a time; each holds one segment.
_AT_ONCE = 24

#: The actor of an API token.
Bearer = Callable[[str], Actor]


@dataclass(slots=True)
class _Put:
    """One request's bytes on their way to the store."""

    writing: Writing
    offset: int
    limit: int | None


class Tus:
    """Answers what senders of files ask.

    Args:
        uploads: the use cases.
        bearer: the actor of an API token.
        url: the gateway's own address; empty: locations are paths.
    """

    def __init__(self, uploads: Uploads, bearer: Bearer, url: str = "") -> None:
        self._uploads = uploads
        self._bearer = bearer
        self._url = url
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def handle(self, request: Request) -> Response:
        """The answer to a request; refusals are problem+json, and name the version too."""
        try:
            response = await self._handle(request)
        except Refusal as refusal:
            response = problem(refusal)
        response.headers |= {"tus-resumable": VERSION, "cache-control": "no-store"}
        return response

    async def _handle(self, request: Request) -> Response:
        found = _TARGET.fullmatch(request.target)
        if found is None:
            raise Refusal(404, "address", "there is no such upload")
        if request.method == "OPTIONS":
            return _options()
        method = request.headers.get("x-http-method-override", request.method).upper()
        if request.headers.get("tus-resumable") != VERSION:
            return Response(412, {"tus-version": VERSION})
        allowed = {"POST"} if found[1] is None else _METHODS - {"POST"}
        if method not in allowed:
            raise Refusal(405, "method", "this is not done here")
        try:
            actor = await self._actor(request)
            response = await self._done(method, request, actor, (found[1] or b"").decode())
        except BoroughError as error:
            raise _refused(error) from None
        except Moved as error:
            raise Refusal(
                409, "offset", f"the file has {error.offset} bytes: go on from there"
            ) from None
        return response

    async def _done(self, method: str, request: Request, actor: Actor, file_id: str) -> Response:
        match method:
            case "POST":
                return await self._create(request, actor)
            case "HEAD":
                return await self._head(actor, file_id)
            case "DELETE":
                await _apart(self._uploads.remove, actor, file_id)
                return Response(204)
            case _:
                return await self._patch(request, actor, file_id)

    async def _actor(self, request: Request) -> Actor:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("an API token is needed: Authorization: Bearer …")
        return await _apart(self._bearer, token)

    async def _create(self, request: Request, actor: Actor) -> Response:
        headers = request.headers
        size = _number(headers, "upload-length")
        deferred = headers.get("upload-defer-length")
        if deferred not in {None, "1"} or (deferred is None) == (size is None):
            raise Refusal(400, "length", "Upload-Length is needed, or Upload-Defer-Length: 1")
        if size is not None and size > FILE_BYTES_MAX:
            raise Refusal(413, "length", "the file is too large")
        meta = headers.get("upload-metadata", "")
        told = _metadata(meta)
        with_body = headers.get("content-type", "") == _TYPE
        file = await _apart(
            partial(
                self._uploads.create, actor, told.get("batch", ""), name=told.get("filename", ""),
                size=size, meta=meta,
            )
        )  # fmt: skip
        sent = {"location": f"{self._url}/uploads/{file.id}", **_expires(file)}
        if with_body:
            sent["upload-offset"] = str(await self._append(request, actor, file.id, 0, None))
        return Response(201, sent)

    async def _head(self, actor: Actor, file_id: str) -> Response:
        file, _ = await _apart(self._uploads.file, actor, file_id)
        headers = {"upload-offset": str(file.received), **_expires(file)}
        if file.size is None:
            headers["upload-defer-length"] = "1"
        else:
            headers["upload-length"] = str(file.size)
        if file.meta:
            headers["upload-metadata"] = file.meta
        return Response(200, headers)

    async def _patch(self, request: Request, actor: Actor, file_id: str) -> Response:
        headers = request.headers
        if headers.get("content-type", "") != _TYPE:
            raise Refusal(415, "type", f"the content type must be {_TYPE}")
        offset, size = _number(headers, "upload-offset"), _number(headers, "upload-length")
        if offset is None:
            raise Refusal(400, "offset", "Upload-Offset is needed")
        done = await self._append(request, actor, file_id, offset, size)
        file, _ = await _apart(self._uploads.file, actor, file_id)
        return Response(204, {"upload-offset": str(done), **_expires(file)})

    async def _append(
        self, request: Request, actor: Actor, file_id: str, offset: int, size: int | None
    ) -> int:
        """Take what comes: segment by segment, or all at once when it has a digest."""
        check = _checksum(request.headers)
        more = _number(request.headers, "content-length")
        if self._turns.locked():
            raise Refusal(503, "busy", "too many files are sent at once", retry_after=5)
        async with self._turns:
            file, writing = await _apart(
                partial(self._uploads.begin, actor, file_id, offset=offset, more=more, size=size)
            )
            limit = None if file.size is None else file.size - offset
            put = _Put(writing, offset, limit)
            if check is not None:
                return await self._checked(request, put, *check)
            return await self._as_it_comes(request, put)

    async def _as_it_comes(self, request: Request, put: _Put) -> int:
        at = put.offset
        try:
            async for data in _segments(request, put.limit):
                segment = await _apart(self._uploads.keep, at, data)
                at = await self._counted(put.writing, [segment])
        except _TooLong:
            raise Refusal(413, "length", "more came than was announced") from None
        return at

    async def _checked(self, request: Request, put: _Put, name: str, wanted: bytes) -> int:
        hashed, at, kept = _DIGESTS[name](usedforsecurity=False), put.offset, list[Segment]()
        done = False
        try:
            async for data in _segments(request, put.limit, whole=True):
                hashed.update(data)
                kept.append(await _apart(self._uploads.keep, at, data))
                at += len(data)
            if hashed.digest() != wanted:
                raise Refusal(_MISMATCH, "checksum", "what came has another checksum")
            at = await self._counted(put.writing, kept)
            done = True
        except _TooLong:
            raise Refusal(413, "length", "more came than was announced") from None
        except BrokenOff:
            raise Refusal(400, "checksum", "it broke off, so nothing of it counts") from None
        finally:
            if not done and kept:
                await _apart(self._uploads.drop, kept)
        return at

    async def _counted(self, writing: Writing, segments: list[Segment]) -> int:
        try:
            return await _apart(self._uploads.append, writing, segments)
        except (Moved, BoroughError):
            await _apart(self._uploads.drop, segments)
            raise


class _TooLong(Exception):
    pass


async def _segments(
    request: Request, limit: int | None, *, whole: bool = False
) -> AsyncIterator[bytes]:
    """What comes, in parts as large as are stored; what broke off is a smaller last one.

    Args:
        request: with a body.
        limit: bytes that may come.
        whole: whether what broke off is good for nothing.
    """
    held, size = bytearray(), 0
    try:
        async for part in _parts(request):
            size += len(part)
            if limit is not None and size > limit:
                raise _TooLong
            held += part
            while len(held) >= SEGMENT_BYTES:
                yield bytes(memoryview(held)[:SEGMENT_BYTES])
                del held[:SEGMENT_BYTES]
    except BrokenOff:
        if whole:
            raise
    if held:
        yield bytes(held)


async def _parts(request: Request) -> AsyncIterator[bytes]:
    if request.stream is None:
        yield request.body
        return
    async for part in request.stream.parts():
        yield part


async def _apart(work: Callable[..., T], *given: object) -> T:
    return await asyncio.to_thread(work, *given)


def _options() -> Response:
    return Response(
        204,
        {
            "tus-resumable": VERSION, "tus-version": VERSION, "tus-extension": EXTENSIONS,
            "tus-max-size": str(FILE_BYTES_MAX), "tus-checksum-algorithm": ",".join(_DIGESTS),
        },
    )  # fmt: skip


def _number(headers: "dict[str, str]", name: str) -> int | None:
    text = headers.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 18:  # noqa: PLR2004
        raise Refusal(400, "request", f"{name} must be a whole number of bytes")
    return int(text)


def _metadata(text: str) -> dict[str, str]:
    """``Upload-Metadata``: names, each with a value in base64, separated by commas."""
    refusal = Refusal(400, "metadata", "Upload-Metadata is names with values in base64")
    if len(text) > _META_MAX or not text.isascii():
        raise refusal
    found: dict[str, str] = {}
    for pair in text.split(",") if text.strip() else ():
        name, _, value = pair.strip().partition(" ")
        if not name or name in found:
            raise refusal
        try:
            found[name] = base64.b64decode(value, validate=True).decode()
        except (ValueError, binascii.Error, UnicodeDecodeError):
            raise refusal from None
    return found


def _checksum(headers: "dict[str, str]") -> tuple[str, bytes] | None:
    text = headers.get("upload-checksum")
    if text is None:
        return None
    name, _, value = text.partition(" ")
    try:
        wanted = base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        wanted = b""
    if name not in _DIGESTS or len(wanted) != _DIGESTS[name]().digest_size:
        raise Refusal(400, "checksum", f"Upload-Checksum is one of {', '.join(_DIGESTS)} in base64")
    return name, wanted


def _expires(file: File) -> dict[str, str]:
    """Only what is not whole goes by itself before its batch."""
    return {} if file.whole else {"upload-expires": until(file.touched_at + KEPT)}


_STATUS: "tuple[tuple[type[BoroughError], int, str], ...]" = (
    (Unauthenticated, 401, "token"),
    (NotFound, 404, "upload"),
    (Forbidden, 403, "permission"),
    (Conflict, 409, "state"),
    (Invalid, 400, "invalid"),
    (QuotaExceeded, 413, "quota"),
)


def _refused(error: BoroughError) -> Refusal:
    """What went wrong, as this protocol says it."""
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            return Refusal(status, code, error.message)
    if isinstance(error, Unavailable):
        return Refusal(507 if "room" in error.message else 503, "store", error.message,
                       retry_after=int(error.retry_after))  # fmt: skip
    return Refusal(500, "failure", "the gateway has failed")
