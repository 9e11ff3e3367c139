"""Batches: sent in parts, published whole or not at all, fetched in parts, each with a receipt."""

import asyncio
import base64
import hashlib
import json
import os
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.harness.agreements import SIGNER
from tests.harness.exchange import CIVIL, HOUSING, SYSTEM, TAX, person
from tests.harness.exchange_gateway import OTHER_PURPOSE
from tests.harness.exchange_transfers import OTHER, STEWARD, Post, digest, post
from tests.harness.loops import run as run_alone
from workloads.data_exchange.agreements.contracts.model import Party
from workloads.data_exchange.agreements.terms import Limits
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.proofs import jws
from workloads.data_exchange.transfers.model import (
    MANIFEST,
    SEGMENT_BYTES,
    BatchState,
    Listed,
    manifest_of,
)

pytestmark = pytest.mark.usefixtures("agencies")
Play = Callable[[Post], Coroutine[Any, Any, None]]
FILES = {"households.csv": b"id,name\n1,a\n" * 1000, "说明.txt": "读我".encode(), "empty": b""}


def play(exchange: Exchange, story: Play, **changes: Any) -> None:
    async def run() -> None:
        async with post(exchange, **changes) as there:
            await story(there)

    run_alone(run())


def told(exchange: Exchange) -> list[dict[str, Any]]:
    """What the receipts say, oldest first."""
    with exchange.base.database.transaction():
        query = sa.text("SELECT body FROM exchange_receipt ORDER BY at, number")
        return [json.loads(row.body) for row in exchange.base.database.execute(query)]


def stored(exchange: Exchange) -> set[str]:
    return {key for key, _ in exchange.handing.uploads._segments.kept()}  # noqa: SLF001


def test_a_batch_is_sent_checked_published_and_fetched(exchange: Exchange) -> None:
    async def story(there: Post) -> None:
        batch = await there.publish(FILES)
        assert batch.state is BatchState.PUBLISHED
        assert (batch.files, batch.size) == (3, sum(map(len, FILES.values())))
        listed = await there.get("/batches")
        assert [one["id"] for one in listed.json["items"]] == [batch.id]
        assert (await there.get(f"/batches?after={batch.position}")).json["items"] == []
        shown = await there.get(f"/batches/{batch.id}")
        signed = exchange.keys.verify(shown.json["manifest"], MANIFEST)
        assert signed.key.path == CIVIL
        by_name = {one["name"]: one for one in signed.payload["files"]}
        for file in shown.json["files"]:
            got = await there.get(f"/batches/{batch.id}/files/{file['id']}")
            assert got.status == 200
            assert got.body == FILES[file["name"]]
            assert got.headers["etag"] == f'"{by_name[file["name"]]["digest"]}"'

    play(exchange, story)
    said = [one for one in told(exchange) if one["kind"] == "ended"]
    assert {one["answer"] for one in said} == {digest(data) for data in FILES.values() if data}
    assert all("streamed" in one["decisions"] for one in said)
    exchange.receipts.sign_checkpoint()
    sold = {(line.dimensions["interface"], line.dimensions["size"]) for line in _lines(exchange)}
    assert sold == {("batch", "small"), ("batch", "medium"), ("query", "small")}


def _lines(exchange: Exchange) -> list[Any]:
    now = exchange.base.clock.now()
    found = exchange.usage.lines(SYSTEM, now - timedelta(days=50), now + timedelta(days=49),
                                 PageRequest())  # fmt: skip
    return list(found.items)


def test_a_file_comes_in_parts_and_goes_on_where_it_was(exchange: Exchange) -> None:
    data = os.urandom(SEGMENT_BYTES + 4321)

    async def story(there: Post) -> None:
        batch = there.batch()
        where = (await there.announce(batch.id, "big.bin", len(data))).headers["location"]
        at = 0
        for size in (1, 1000, SEGMENT_BYTES, len(data)):
            part = data[at : min(at + size, len(data))]
            answer = await there.tus("PATCH", where, {"Upload-Offset": str(at)}, part)
            assert answer.status == 204
            at += len(part)
            assert answer.headers["upload-offset"] == str(at)
            again = await there.tus("PATCH", where, {"Upload-Offset": "0"}, b"x")
            assert again.status == (409 if at else 204)
        head = await there.tus("HEAD", where)
        assert head.headers["upload-offset"] == head.headers["upload-length"] == str(len(data))
        there.seal(batch.id, {"big.bin": data})
        file = (await there.get(f"/batches/{batch.id}")).json["files"][0]
        target = f"/batches/{batch.id}/files/{file['id']}"
        half = await there.get(target, {"Range": f"bytes=0-{SEGMENT_BYTES}"})
        assert half.status == 206
        rest = await there.get(
            target, {"Range": f"bytes={SEGMENT_BYTES + 1}-", "If-Range": half.headers["etag"]}
        )
        assert half.body + rest.body == data
        assert rest.headers["content-range"] == (
            f"bytes {SEGMENT_BYTES + 1}-{len(data) - 1}/{len(data)}"
        )

    play(exchange, story)


def test_what_breaks_off_is_kept_as_far_as_it_came(exchange: Exchange) -> None:
    async def story(there: Post) -> None:
        batch = there.batch()
        where = (await there.announce(batch.id, "a", 100_000)).headers["location"]
        reader, writer = await asyncio.open_connection("127.0.0.1", there.running.port)
        writer.write(
            f"PATCH {where} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
            f"Authorization: Bearer steward\r\nContent-Type: application/offset+octet-stream\r\n"
            "Content-Length: 100000\r\n\r\n".encode()
            + b"z" * 60_000
        )
        await writer.drain()
        await asyncio.sleep(0.3)
        writer.transport.abort()
        del reader
        for _ in range(100):
            head = await there.tus("HEAD", where)
            if head.headers["upload-offset"] != "0":
                break
            await asyncio.sleep(0.05)
        assert head.headers["upload-offset"] == "60000"
        rest = await there.tus("PATCH", where, {"Upload-Offset": "60000"}, b"z" * 40_000)
        assert rest.status == 204
        there.seal(batch.id, {"a": b"z" * 100_000})

    play(exchange, story)


RANGES = (
    ("bytes=0-0", 206, b"0"), ("bytes=5-", 206, b"56789"), ("bytes=-3", 206, b"789"),
    ("bytes=2-100", 206, b"23456789"), ("bytes=0-", 206, b"0123456789"),
    ("bytes=-100", 206, b"0123456789"), ("bytes=10-", 416, b""), ("bytes=-0", 416, b""),
    ("bytes=5-2", 200, b"0123456789"), ("bytes=0-1,3-4", 200, b"0123456789"),
    ("lines=1-2", 200, b"0123456789"), ("bytes=a-b", 200, b"0123456789"),
)  # fmt: skip


def test_ranges(exchange: Exchange) -> None:
    async def story(there: Post) -> None:
        batch = await there.publish({"ten": b"0123456789"})
        file = (await there.get(f"/batches/{batch.id}")).json["files"][0]
        target = f"/batches/{batch.id}/files/{file['id']}"
        for text, status, body in RANGES:
            got = await there.get(target, {"Range": text})
            assert (got.status, got.body) == (status, body), text
        tag = got.headers["etag"]
        ten = {"Range": "bytes=0-1"}
        assert (await there.get(target, {**ten, "If-Range": tag})).status == 206
        assert (await there.get(target, {**ten, "If-Range": '"other"'})).status == 200
        assert (await there.get(target, {"If-None-Match": tag})).status == 304
        digest_ = base64.b64encode(hashlib.sha256(b"0123456789").digest()).decode()
        assert got.headers["repr-digest"] == f"sha-256=:{digest_}:"

    play(exchange, story)


def test_checksums_of_parts(exchange: Exchange) -> None:
    async def story(there: Post) -> None:
        batch = there.batch()
        where = (await there.announce(batch.id, "a", 10)).headers["location"]
        for name in ("sha256", "sha1", "md5"):
            wrong = base64.b64encode(hashlib.new(name, b"other").digest()).decode()
            answer = await there.tus(
                "PATCH", where, {"Upload-Offset": "0", "Upload-Checksum": f"{name} {wrong}"},
                b"01234",
            )  # fmt: skip
            assert answer.status == 460
            assert answer.code == "checksum"
        assert stored(exchange) == set()
        head = await there.tus("HEAD", where)
        assert head.headers["upload-offset"] == "0"
        right = base64.b64encode(hashlib.sha256(b"01234").digest()).decode()
        given = {"Upload-Offset": "0", "Upload-Checksum": f"sha256 {right}"}
        assert (await there.tus("PATCH", where, given, b"01234")).status == 204
        for text in ("crc32 AAAA", "sha256 AAAA", "sha256"):
            given = {"Upload-Offset": "5", "Upload-Checksum": text}
            assert (await there.tus("PATCH", where, given, b"56789")).status == 400

    play(exchange, story)


def test_the_rest_of_tus(exchange: Exchange) -> None:
    async def story(there: Post) -> None:
        options = await there.running.send("OPTIONS", "/uploads", {})
        assert options.status == 204
        assert options.headers["tus-version"] == "1.0.0"
        assert "creation-with-upload" in options.headers["tus-extension"]
        old = await there.tus("POST", "/uploads", {"Tus-Resumable": "0.2.2"})
        assert (old.status, old.headers["tus-version"]) == (412, "1.0.0")
        batch = there.batch()
        # creation-with-upload, with the length said later
        body = await there.tus(
            "POST", "/uploads",
            {"Upload-Defer-Length": "1",
             "Upload-Metadata": f"batch {_b64(batch.id)},filename {_b64('a')}"},
            b"01234",
        )  # fmt: skip
        assert (body.status, body.headers["upload-offset"]) == (201, "5")
        where = body.headers["location"]
        head = await there.tus("HEAD", where)
        assert head.headers["upload-defer-length"] == "1"
        assert "upload-length" not in head.headers
        assert head.headers["cache-control"] == "no-store"
        assert "upload-expires" in head.headers
        override = {"X-HTTP-Method-Override": "PATCH", "Upload-Offset": "5", "Upload-Length": "8"}
        assert (await there.tus("POST", where, override, b"567")).status == 204
        later = {"Upload-Offset": "8", "Upload-Length": "9"}
        assert (await there.tus("PATCH", where, later, b"8")).status == 409
        plain = await there.tus("PATCH", where, {"Content-Type": "text/plain"}, b"8")
        assert plain.status == 415
        assert (await there.tus("DELETE", where)).status == 204
        gone = await there.tus("HEAD", where)
        assert (gone.status, gone.headers["tus-resumable"]) == (404, "1.0.0")
        assert "upload-offset" not in gone.headers
        both = {"Upload-Length": "1", "Upload-Defer-Length": "2"}
        assert (await there.tus("POST", "/uploads", both)).status == 400
        assert exchange.handing.batches.batch(STEWARD, batch.id).files == 0

    play(exchange, story)


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


NAMES = (
    "", ".", "..", "../a", "/etc/passwd", "a/b", "a\\b", "C:evil", "a\x00b", "a\nb", " a", "a ",
    "a.", "~root", "NUL", "con.txt", "x" * 201, "语" * 90, "\u202etxt.exe", "a\u2028b", "e\u0301",
    "a\uff0fb", "a\u2215b"[:0] + "a\u200bb", "file?.txt", "\ue000",
)  # fmt: skip


def test_names_that_are_tricks(exchange: Exchange) -> None:
    async def story(there: Post) -> None:
        batch = there.batch()
        for name in NAMES:
            answer = await there.announce(batch.id, name, 1)
            assert answer.status == 400, name
            assert answer.code == "invalid"
            assert answer.headers["content-type"] == "application/problem+json"
        assert (await there.announce(batch.id, "Straße.csv", 1)).status == 201
        for twin in ("Straße.csv", "STRASSE.CSV", "ｓtraße.csv"):
            assert (await there.announce(batch.id, twin, 1)).status == 409
        for target in ("/uploads/../a", "/uploads/fil_..%2f", "/uploads/x", "/uploads//"):
            assert (await there.tus("HEAD", target)).status == 404
        for target in ("/batches/../x", "/batches/bat_1", "/batchesx", "/batches?after=-1"):
            assert (await there.get(target)).status == 404

    play(exchange, story)


def test_lengths_that_lie(exchange: Exchange) -> None:
    async def story(there: Post) -> None:
        batch = there.batch()
        where = (await there.announce(batch.id, "a", 10)).headers["location"]
        more = await there.tus("PATCH", where, {"Upload-Offset": "0"}, b"0" * 11)
        assert more.status == 400
        chunks = b"b\r\n" + b"0" * 11 + b"\r\n0\r\n\r\n"
        chunked = await there.running.raw(
            f"PATCH {where} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
            "Authorization: Bearer steward\r\nContent-Type: application/offset+octet-stream\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
            + chunks
        )
        assert (chunked.status, chunked.code) == (413, "length")
        assert (await there.tus("HEAD", where)).headers["upload-offset"] == "0"
        for size in ("-1", "x", "1e3", "9" * 19):
            assert (await there.announce(batch.id, "b", 1, **{"Upload-Length": size})).status == 400
        for at in ("-1", "+0", "0x0", "1e3", "9" * 19, " "):
            assert (await there.tus("PATCH", where, {"Upload-Offset": at}, b"0")).status == 400, at
        assert (await there.tus("PATCH", where, {"Upload-Offset": "9" * 18}, b"0")).status == 409
        huge = await there.announce(batch.id, "b", 1, **{"Upload-Length": str(2**50)})
        assert huge.status == 413
        for meta in ("batch", "batch !!!", f"batch {_b64('x')},batch {_b64('x')}", "x" * 5000):
            answer = await there.announce(batch.id, "b", 1, **{"Upload-Metadata": meta})
            assert answer.status in {400, 404}, meta

    play(exchange, story)


def test_who_may_send(exchange: Exchange) -> None:
    async def story(there: Post) -> None:
        batch = there.batch()
        where = (await there.announce(batch.id, "a", 10)).headers["location"]
        for method in ("HEAD", "PATCH", "DELETE"):
            given = {"Upload-Offset": "0"}
            assert (await there.tus(method, where, given, token="nobody")).status == 401
            assert (await there.tus(method, where, given, token="other")).status == 404
        refused = await there.tus("PATCH", where, {"Upload-Offset": "0"}, b"1", token="none")
        assert refused.code == "token"
        assert b"steward" not in refused.body

    play(exchange, story)
    with pytest.raises(Forbidden):
        exchange.handing.batches.create(OTHER, in_force_of(exchange), title="x", days=1)
    for stranger in (person("steward", TAX), person("officer", TAX)):
        with pytest.raises(NotFound):
            exchange.handing.batches.batch(stranger, batch_of(exchange))


def batch_of(exchange: Exchange) -> str:
    return exchange.handing.batches.batches(SYSTEM, PageRequest()).items[0].id


def in_force_of(exchange: Exchange) -> str:
    return exchange.handing.batches.batches(SYSTEM, PageRequest()).items[0].agreement


def test_a_manifest_that_lies_publishes_nothing(exchange: Exchange) -> None:
    async def story(there: Post) -> None:
        batch, batches = there.batch(), exchange.handing.batches
        await there.put(batch.id, "a", b"aaa")
        await there.put(batch.id, "b", b"bbb")
        right = [Listed("a", 3, digest(b"aaa")), Listed("b", 3, digest(b"bbb"))]
        for wrong, field in (
            (right[:1], "files"),
            ([*right, Listed("c", 0, digest(b""))], "files.2.name"),
            ([right[0], replace(right[1], size=4)], "files.1.size"),
            ([], "files"),
            ([right[0], right[0]], "files.1.name"),
            ([right[0], replace(right[1], digest="sha256:xx")], "files.1.digest"),
        ):
            with pytest.raises(Invalid) as caught:
                batches.seal(STEWARD, batch.id, files=[one.told() for one in wrong])
            assert field in {one.field for one in caught.value.problems}
        lie = [right[0], replace(right[1], digest=digest(b"other"))]
        batches.seal(STEWARD, batch.id, files=[one.told() for one in lie])
        assert (await there.announce(batch.id, "late", 1)).status == 409
        there.check(batch.id)
        found = batches.batch(STEWARD, batch.id)
        assert found.state is BatchState.OPEN
        assert [one.name for one in found.wrong] == ["b"]
        assert (await there.get("/batches")).json["items"] == []
        assert (await there.get(f"/batches/{batch.id}")).status == 404
        # Signed by the consumer, for another batch, and then as it should be.
        forged = exchange.keys.sign(HOUSING, manifest_of(found, right), MANIFEST)
        other = exchange.keys.sign(CIVIL, manifest_of(replace(found, id="bat_x"), right), MANIFEST)
        for bad in (forged, other, "no.jws.here", forged[:-3]):
            with pytest.raises(Invalid):
                batches.seal(STEWARD, batch.id, jws=bad)
        made = jws.sign(manifest_of(found, right), exchange.keys.private(CIVIL), MANIFEST)
        batches.seal(STEWARD, batch.id, jws=made)
        there.check(batch.id)
        assert (await there.get(f"/batches/{batch.id}")).json["manifest"] == made
        with pytest.raises(Conflict):
            batches.seal(STEWARD, batch.id, jws=made)

    play(exchange, story)


def test_what_was_changed_in_the_store_is_not_handed_out(exchange: Exchange) -> None:
    async def story(there: Post) -> None:
        store = exchange.handing.uploads._segments  # noqa: SLF001
        batch = there.batch()
        await there.put(batch.id, "a", b"a" * 100)
        (key,) = stored(exchange)
        store.put(key, b"b" * 100)
        there.seal(batch.id, {"a": b"b" * 100})
        assert "send it again" in exchange.handing.batches.batch(STEWARD, batch.id).wrong[0].why
        published = await there.publish({"c": b"c" * 100})
        (fresh,) = stored(exchange) - {key}
        store.put(fresh, b"d" * 100)
        file = (await there.get(f"/batches/{published.id}")).json["files"][0]
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await there.get(f"/batches/{published.id}/files/{file['id']}")

    play(exchange, story)
    assert told(exchange)[-1]["decisions"][-1] == "broken-off"


def test_terms_are_kept(exchange: Exchange) -> None:
    async def story(there: Post) -> None:
        batch = await there.publish({"a": b"a"})
        target = f"/batches/{batch.id}"
        wrong = await there.get(target, purpose=OTHER_PURPOSE)
        assert (wrong.status, wrong.code) == (403, "purpose")
        assert (await there.get(target, token=_of("agr_other"))).status == 403
        nobody = await there.running.send("GET", target, {})
        assert (nobody.status, nobody.code) == (401, "grant")
        assert (await there.get(target)).status == 200
        nonce = "once-and-no-more"
        assert (await there.get("/batches", nonce=nonce)).status == 200
        assert (await there.get("/batches", nonce=nonce)).code == "proof"
        used = await there.get(target)
        assert (used.status, used.code) == (403, "count")
        held = there.running.told.terms[there.agreement]
        there.running.told.terms[there.agreement] = replace(
            held, limits=Limits(), revoked_at=held.begins
        )
        await asyncio.sleep(1.3)
        gone = await there.get(target)
        assert (gone.status, gone.code) == (403, "term")

    play(exchange, story, limits=Limits(calls=2))
    refused = [one["decisions"][-1] for one in told(exchange) if one["status"] == 403]
    assert refused == ["refused:purpose", "refused:count", "refused:term"]


def _of(agreement: str) -> str:
    from tests.harness.exchange_gateway import grant  # noqa: PLC0415

    return grant(agreement=agreement)


def test_without_a_receipt_nothing_is_handed_out(exchange: Exchange) -> None:
    async def story(there: Post) -> None:
        batch = await there.publish({"a": b"secret"})
        file = (await there.get(f"/batches/{batch.id}")).json["files"][0]
        with exchange.base.database.transaction():
            exchange.base.database.execute(
                sa.text("ALTER TABLE exchange_receipt RENAME TO exchange_receipt_away")
            )
        got = await there.get(f"/batches/{batch.id}/files/{file['id']}")
        assert (got.status, got.code) == (503, "receipt")
        assert b"secret" not in got.body

    play(exchange, story)


def test_quota_and_room(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(there: Post) -> None:
        uploads = exchange.handing.uploads
        batch = there.batch()
        monkeypatch.setattr(uploads, "_quota", 1000)
        first = await there.announce(batch.id, "a", 600)
        assert first.status == 201
        over = await there.announce(batch.id, "b", 401)
        assert (over.status, over.code) == (413, "quota")
        assert str(CIVIL).encode() not in over.body
        with pytest.raises(QuotaExceeded):
            uploads.create(STEWARD, batch.id, name="c", size=401, meta="")
        deferred = await there.tus(
            "POST", "/uploads",
            {"Upload-Defer-Length": "1",
             "Upload-Metadata": f"batch {_b64(batch.id)},filename {_b64('d')}"},
            b"0" * 401,
        )  # fmt: skip
        assert deferred.status == 413
        assert (await there.tus("DELETE", first.headers["location"])).status == 204
        assert (await there.announce(batch.id, "e", 900)).status == 201
        monkeypatch.setattr(uploads, "_quota", 10**9)
        monkeypatch.setattr(uploads._segments, "free", lambda: 10)  # noqa: SLF001
        full = await there.announce(batch.id, "f", 11)
        assert (full.status, full.code) == (507, "store")

    play(exchange, story)


def test_batches_end_and_leave_nothing(exchange: Exchange, clock: SettableClock) -> None:
    async def story(there: Post) -> None:
        short = await there.publish({"a": b"a"})
        kept = await there.publish({"b": b"b"})
        begun = there.batch()
        await there.put(begun.id, "whole", b"w")
        half = (await there.announce(begun.id, "half", 10)).headers["location"]
        await there.tus("PATCH", half, {"Upload-Offset": "0"}, b"01")
        checking, batches = exchange.handing.checking, exchange.handing.batches
        assert len(stored(exchange)) == 4
        batches.delete(STEWARD, short.id)
        assert (await there.get(f"/batches/{short.id}")).status == 404
        checking.clean()
        assert len(stored(exchange)) == 3
        with pytest.raises(Forbidden):
            batches.delete(OTHER, kept.id)
        # An orphan: stored, and the process died before it counted.
        exchange.handing.uploads.keep(0, b"orphan")
        assert checking.sweep() == 0
        clock.set(exchange_now() + timedelta(days=2))
        assert checking.sweep() == 1
        assert len(stored(exchange)) == 3

    play(exchange, story)
    assert batch_of(exchange)


def exchange_now() -> Any:
    from foundation.adapters.clock import SystemClock  # noqa: PLC0415

    return SystemClock().now()


def test_expiry(exchange: Exchange, clock: SettableClock) -> None:
    async def story(there: Post) -> None:
        batch = await there.publish({"a": b"a"})
        begun = there.batch(days=300)
        half = (await there.announce(begun.id, "half", 10)).headers["location"]
        await there.tus("PATCH", half, {"Upload-Offset": "0"}, b"01")
        clock.advance(days=8)
        assert (await there.get(f"/batches/{batch.id}")).status == 404
        exchange.handing.checking.clean()
        assert exchange.handing.batches.batch(SYSTEM, batch.id).state is BatchState.GONE
        assert exchange.handing.uploads.forget_stale() == 1
        assert (await there.tus("HEAD", half)).status == 404

    play(exchange, story)


def test_a_batch_needs_an_agreement_in_force(exchange: Exchange) -> None:
    async def story(there: Post) -> None:
        with pytest.raises(Invalid) as caught:
            there.batch(title="", days=0)
        assert {one.field for one in caught.value.problems} == {"title", "days"}
        exchange.agreeing.agreements.revoke(SIGNER, there.agreement, Party.CONSUMER, "over")
        with pytest.raises(Conflict):
            there.batch()

    play(exchange, story)
