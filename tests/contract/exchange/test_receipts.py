"""Receipts on PostgreSQL: written once, chained, in checkpoints, and provable without a service."""

import asyncio
import json
import os
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
import sqlalchemy as sa

from foundation.kernel.errors import NotFound
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.harness.exchange import CIVIL, SYSTEM, TAX, person
from tests.harness.exchange_receipts import draft, request, writing, written
from tests.harness.loops import run as run_alone
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.proofs.keys import PrivateKey
from workloads.data_exchange.receipts import bundle, checkpoints
from workloads.data_exchange.receipts.bundle import About
from workloads.data_exchange.receipts.model import Chains, Receipt
from workloads.data_exchange.receipts.ports import Filter
from workloads.data_exchange.receipts.verify import verify
from workloads.data_exchange.receipts.writer import NotWritten, Replayed, Writer

pytestmark = pytest.mark.usefixtures("agencies")


def bundled(exchange: Exchange, agreement: str = "agr_1") -> list[bytes]:
    return list(exchange.receipts.export(SYSTEM, agreement))


def test_whatever_stands_in_a_receipt_is_kept_as_it_is(
    exchange: Exchange, clock: SettableClock
) -> None:
    """Nothing in it ends a field or a row of the copy that it is written by."""
    odd = 'a\tb\nc\\d\\N\\.\r"é中\x1f\u2028'
    told = replace(draft(clock.now(), "agr\\t\t1"), purpose=odd, route=odd, decisions=(odd,),
                   consumer="/a\\b/", proof="x\\y\tz")  # fmt: skip
    (made,) = written(exchange, [told])
    kept = exchange.receipts.receipt(SYSTEM, made.id).receipt
    assert kept == made
    assert kept.told()["purpose"] == odd
    assert kept.proof == told.proof


def test_receipts_are_written_chained_and_proven(exchange: Exchange, clock: SettableClock) -> None:
    made = written(exchange, [draft(clock.now(), f"agr_{n % 3}") for n in range(600)])
    assert sorted(one.number for one in made) == list(range(1, 601))
    checkpoint = exchange.receipts.sign_checkpoint()
    assert checkpoint is not None
    assert checkpoint.logs[made[0].log].size == 600
    assert exchange.receipts.sign_checkpoint() is None
    report = verify(bundled(exchange))
    assert report.problems == []
    assert (report.receipts, report.proven, report.signed, report.checkpoints) == (200, 200, 200, 1)
    proven = exchange.receipts.receipt(SYSTEM, made[5].id)
    assert proven.receipt == made[5]
    assert proven.checkpoint == 1


def test_several_writers_do_not_wait_for_each_other(
    exchange: Exchange, clock: SettableClock
) -> None:
    async def run() -> None:
        url = exchange.base.database.url
        async with writing(url, clock) as one, writing(url, clock) as other:
            for _ in range(3):
                both = [one.write(draft(clock.now())), other.write(draft(clock.now()))]
                await asyncio.gather(*both)

    run_alone(run())
    exchange.receipts.sign_checkpoint()
    report = verify(bundled(exchange))
    assert report.problems == []
    assert report.proven == 6
    found = exchange.receipts.receipts(SYSTEM, Filter(), PageRequest())
    assert len({one.log for _, one in found.items}) == 2


def test_logs_that_stand_in_several_checkpoints_of_a_bundle_are_proven_to_have_grown(
    exchange: Exchange, clock: SettableClock
) -> None:
    async def run() -> None:
        url = exchange.base.database.url
        async with writing(url, clock) as one, writing(url, clock) as other:
            for writers in ((one, other), (one,), (one, other)):
                for writer in writers:
                    await writer.write(draft(clock.now()))
                exchange.receipts.sign_checkpoint()
            await other.write(draft(clock.now()))
            exchange.receipts.sign_checkpoint()

    run_alone(run())
    lines = bundled(exchange)
    report = verify(lines)
    assert report.problems == []
    assert report.checkpoints == 2
    grown = [line for line in lines if line.startswith(b'{"grown"')]
    assert len(grown) == 1
    report = verify([line for line in lines if line not in grown])
    assert any("only grew" in one for one in report.problems)


def test_a_log_ends_with_its_day_and_checkpoints_go_on(
    exchange: Exchange, clock: SettableClock
) -> None:
    async def run() -> list[str]:
        logs = []
        async with writing(exchange.base.database.url, clock) as writer:
            for _ in range(4):
                logs.append((await writer.write(draft(clock.now()))).log)
                exchange.receipts.sign_checkpoint()
                clock.advance(hours=13)
        return logs

    logs = run_alone(run())
    assert len(set(logs)) == 3
    clock.advance(days=3)
    exchange.receipts.sign_checkpoint()
    with exchange.base.database.transaction():
        query = sa.text("SELECT count(*) FROM exchange_receipt_log WHERE NOT closed")
        assert exchange.base.database.execute(query).scalar() == 0
    assert verify(bundled(exchange)).proven == 4
    report = verify(exchange.receipts.export_checkpoints(1, 0))
    assert report.problems == []
    assert report.checkpoints == 4


def test_the_same_request_is_taken_once_by_all_gateways(
    exchange: Exchange, clock: SettableClock
) -> None:
    at = clock.now()

    async def run() -> list[object]:
        url = exchange.base.database.url
        async with writing(url, clock) as one, writing(url, clock) as other:
            twice = [
                writer.write(draft(at, nonce=f"n{n}"), request(f"n{n}", at))
                for writer in (one, other)
                for n in range(20)
            ]
            return list(await asyncio.gather(*twice, return_exceptions=True))

    answers = run_alone(run())
    taken = [one for one in answers if isinstance(one, Receipt)]
    assert len(taken) == 20
    assert sum(isinstance(one, Replayed) for one in answers) == 20
    exchange.receipts.sign_checkpoint()
    report = verify(bundled(exchange))
    assert (report.problems, report.proven) == ([], 20)


def test_nothing_is_written_without_a_database(clock: SettableClock) -> None:
    async def connect() -> psycopg.AsyncConnection:
        raise psycopg.OperationalError("away")

    async def run() -> None:
        writer = Writer(connect, clock)
        task = asyncio.create_task(writer.run())
        with pytest.raises(NotWritten):
            await writer.write(draft(clock.now()))
        task.cancel()

    run_alone(run())


def test_after_a_fault_a_new_log_begins(exchange: Exchange, clock: SettableClock) -> None:
    async def run() -> tuple[Receipt, Receipt]:
        async with writing(exchange.base.database.url, clock) as writer:
            first = await writer.write(draft(clock.now()))
            with exchange.base.database.engine.begin() as connection:
                connection.execute(
                    sa.text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                        "datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )
            with pytest.raises(NotWritten):
                await writer.write(draft(clock.now()))
            return first, await writer.write(draft(clock.now()))

    first, second = run_alone(run())
    assert first.log != second.log
    assert second.number == second.sequence == 1


def sample(exchange: Exchange, clock: SettableClock) -> bytes:
    for _ in range(2):
        written(exchange, [draft(clock.now())])
        exchange.receipts.sign_checkpoint()
        clock.advance(seconds=10)
    return b"".join(bundled(exchange))


def test_a_flipped_byte_is_found_wherever_it_is(exchange: Exchange, clock: SettableClock) -> None:
    data = sample(exchange, clock)
    assert verify(data.splitlines(keepends=True)).problems == []
    for position in range(len(data)):
        for flip in (0x01, 0x20, 0x80) if os.environ.get("THOROUGH") else (0x01,):
            bad = bytearray(data)
            bad[position] ^= flip
            report = verify(bytes(bad).splitlines(keepends=True))
            assert report.problems, f"byte {position} ^ {flip:#x}"


def resealed(exchange: Exchange, clock: SettableClock, parts: list[object]) -> list[bytes]:
    """A bundle that somebody with the key of the seal, and no other, could make."""
    keys = exchange.keys.jwks("/")
    private = exchange.keys.private("/")
    return list(bundle.write(About("agr_1", clock.now()), keys, parts, private))  # type: ignore[arg-type]


def test_what_the_seal_would_cover_up_is_found_by_the_chain(
    exchange: Exchange, clock: SettableClock
) -> None:
    written(exchange, [draft(clock.now()) for _ in range(4)])
    exchange.receipts.sign_checkpoint()
    parts = list(exchange.receipts.parts(Filter(agreement="agr_1")))
    assert verify(resealed(exchange, clock, parts)).problems == []
    # One left out.
    report = verify(resealed(exchange, clock, parts[:2] + parts[3:]))
    assert any("missing" in one for one in report.problems)
    # One changed: its hash, and all behind it, differ.
    proven = parts[2]
    assert isinstance(proven, bundle.Proven)
    body = proven.receipt.body.replace('"rows":1', '"rows":9')
    changed = bundle.Proven(
        Receipt(proven.receipt.log, 2, 2, proven.receipt.previous, body, proven.receipt.proof),
        proven.checkpoint, proven.path,
    )  # fmt: skip
    report = verify(resealed(exchange, clock, [*parts[:2], changed, *parts[3:]]))
    assert len(report.problems) >= 2
    # The request's signature may go; another one may not stand there.
    gone = bundle.Proven(
        Receipt(proven.receipt.log, 2, 2, proven.receipt.previous, proven.receipt.body, ""),
        proven.checkpoint, proven.path,
    )  # fmt: skip
    report = verify(resealed(exchange, clock, [*parts[:2], gone, *parts[3:]]))
    assert report.problems == []
    assert any("taken away" in one for one in report.notes)


def test_a_receipt_must_say_what_the_consumer_signed(
    exchange: Exchange, clock: SettableClock
) -> None:
    """A gateway that wrote another request than the one that came is found out."""
    lied = replace(draft(clock.now()), purpose="dpv:Marketing")
    written(exchange, [lied])
    report = verify(bundled(exchange))
    assert any("something else was asked" in one for one in report.problems)


def test_ten_years_of_keys(exchange: Exchange, clock: SettableClock) -> None:
    for year in range(10):
        exchange.keys.generate(SYSTEM, "/")
        written(exchange, [draft(clock.now()) for _ in range(2)])
        exchange.receipts.sign_checkpoint()
        clock.advance(days=365)
        if year == 4:
            # One is lost later: what it signed before counts on.
            kid = exchange.keys.private("/").kid
            exchange.keys.revoke(SYSTEM, kid, reason="lost")
    report = verify(bundled(exchange))
    assert report.problems == []
    assert (report.proven, report.checkpoints) == (20, 10)
    assert len(report.keys) >= 10
    report = verify(exchange.receipts.export_checkpoints(1, 0))
    assert report.problems == []


def test_a_key_that_is_replaced_within_a_second_signed_what_it_signed(
    exchange: Exchange, clock: SettableClock
) -> None:
    clock.advance(microseconds=200_000)
    exchange.keys.generate(SYSTEM, "/")
    written(exchange, [draft(clock.now())])
    exchange.receipts.sign_checkpoint()
    clock.advance(microseconds=500_000)
    exchange.keys.generate(SYSTEM, "/")
    written(exchange, [draft(clock.now())])
    exchange.receipts.sign_checkpoint()
    report = verify(bundled(exchange))
    assert (report.problems, report.proven) == ([], 2)


def test_a_checkpoint_of_a_lost_key_is_found_by_its_time(
    exchange: Exchange, clock: SettableClock
) -> None:
    written(exchange, [draft(clock.now())])
    exchange.receipts.sign_checkpoint()
    stolen = exchange.keys.private("/")
    clock.advance(days=1)
    exchange.keys.revoke(SYSTEM, stolen.kid, reason="stolen", since=clock.now())
    clock.advance(hours=1)
    log = Chains("20261103-" + "0" * 26).log
    forged = checkpoints.sign(2, "", clock.now(), {log: checkpoints.Head(1, bytes(32))}, stolen)
    report = verify(resealed(exchange, clock, [forged]))
    assert any("did not sign at that time" in one for one in report.problems)


def test_known_keys_expose_a_bundle_of_somebody_else(
    exchange: Exchange, clock: SettableClock
) -> None:
    data = sample(exchange, clock).splitlines(keepends=True)
    own = exchange.keys.jwks("/")["keys"]
    assert verify(data, own).problems == []  # type: ignore[arg-type]
    other = [PrivateKey.generate().public.jwk()]
    assert any("not among" in one for one in verify(data, other).problems)


def test_who_sees_which_receipts(exchange: Exchange, clock: SettableClock) -> None:
    made = written(exchange, [draft(clock.now())])
    page = PageRequest()
    for actor, sees in (
        (person("steward", CIVIL), 1), (person("officer", TAX), 0), (person("auditor"), 1),
    ):  # fmt: skip
        assert len(exchange.receipts.receipts(actor, Filter(), page).items) == sees
        if sees:
            assert exchange.receipts.receipt(actor, made[0].id)
            assert list(exchange.receipts.export(actor, "agr_1"))
        else:
            with pytest.raises(NotFound):
                exchange.receipts.receipt(actor, made[0].id)
            with pytest.raises(NotFound):
                exchange.receipts.export(actor, "agr_1")


def test_lists_go_on_where_they_ended(exchange: Exchange, clock: SettableClock) -> None:
    drafts = [draft(clock.now() + timedelta(seconds=n // 2)) for n in range(9)]
    made = {one.id for one in written(exchange, drafts)}
    found, cursor = [], None
    while True:
        page = exchange.receipts.receipts(SYSTEM, Filter(), PageRequest(cursor, 2))
        found += [one.id for _, one in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert len(found) == 9
    assert set(found) == made


def test_receipts_are_only_added(exchange: Exchange, clock: SettableClock) -> None:
    (made,) = written(exchange, [draft(clock.now())])
    for sql in (
        "UPDATE exchange_receipt SET body = '{}'",
        "UPDATE exchange_receipt SET proof = '', number = 7",
        "DELETE FROM exchange_receipt",
        "TRUNCATE exchange_receipt",
    ):
        with (
            pytest.raises(sa.exc.DBAPIError, match="only added"),
            exchange.base.database.transaction(),
        ):
            exchange.base.database.execute(sa.text(sql))
    exchange.receipts.take_proof(SYSTEM, made.id, reason="names a person")
    assert exchange.receipts.receipt(SYSTEM, made.id).receipt.proof == ""
    exchange.receipts.sign_checkpoint()
    assert verify(bundled(exchange)).problems == []


def test_days_get_partitions(exchange: Exchange, clock: SettableClock) -> None:
    exchange.receipts.keep_house()
    exchange.receipts.keep_house()
    written(exchange, [draft(clock.now())])
    name = f"exchange_receipt_{clock.now():%Y%m%d}"
    with exchange.base.database.transaction():
        found = exchange.base.database.execute(sa.text(f"SELECT count(*) FROM {name}")).scalar()  # noqa: S608
    assert found == 1


def test_the_body_tells_what_was_asked_and_answered(
    exchange: Exchange, clock: SettableClock
) -> None:
    (made,) = written(exchange, [draft(clock.now())])
    told = json.loads(made.body)
    assert told["purpose"] == "dpv:PublicBenefit"
    assert told["decisions"] == ["masked:name"]
    assert told["at"].endswith(".000000Z")
