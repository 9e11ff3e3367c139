"""Old days of receipts become files that prove them, and leave the database."""

import gzip
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from foundation.kernel.errors import Conflict, NotFound
from tests.conftest import SettableClock
from tests.harness.exchange import SYSTEM
from tests.harness.exchange_receipts import draft, written
from workloads.data_exchange.bootstrap import Exchange
from workloads.data_exchange.receipts.archive_store import PostgresArchive
from workloads.data_exchange.receipts.archiving import Archiving, lines_of
from workloads.data_exchange.receipts.commands import verify as command
from workloads.data_exchange.receipts.model import Receipt
from workloads.data_exchange.receipts.verify import Report, verify


@pytest.fixture
def archiving(exchange: Exchange, clock: SettableClock, tmp_path: Path) -> Archiving:
    base = exchange.base
    return Archiving(
        PostgresArchive(base.database), exchange.receipts, base.database, clock, base.audit,
        tmp_path / "archive", 5,
    )  # fmt: skip


def called(exchange: Exchange, clock: SettableClock, *sizes: int) -> list[Receipt]:
    """Receipts with a checkpoint after each so many."""
    exchange.receipts.keep_house()
    made: list[Receipt] = []
    for size in sizes:
        made += written(exchange, [draft(clock.now()) for _ in range(size)])
        exchange.receipts.sign_checkpoint()
        clock.advance(seconds=10)
    return made


def grown_old(exchange: Exchange, clock: SettableClock) -> None:
    clock.advance(days=6)
    exchange.receipts.sign_checkpoint()  # closes what nobody writes into any more


def verified(file: Path) -> Report:
    with gzip.open(file) as packed:
        return verify(lines_of(packed))


def test_a_day_leaves_and_stays_proven(
    exchange: Exchange, clock: SettableClock, archiving: Archiving, tmp_path: Path
) -> None:
    made = called(exchange, clock, 3, 300, 70)
    day = clock.now().date()
    assert archiving.due() == []
    grown_old(exchange, clock)
    assert list(archiving.due()) == [day]
    done = archiving.archive(SYSTEM, day)
    assert (done.day, done.receipts) == (day, 373)
    file = tmp_path / "archive" / done.file
    report = verified(file)
    assert (report.problems, report.proven, report.signed) == ([], 373, 373)
    assert list(archiving.due()) == []
    with pytest.raises(NotFound):
        exchange.receipts.receipt(SYSTEM, made[0].id)
    with exchange.base.database.transaction():
        names = exchange.base.database.execute(
            sa.text("SELECT to_regclass(:n)"), {"n": f"exchange_receipt_{day:%Y%m%d}"}
        )
        assert names.scalar() is None
    # Later proofs still hold: what was dropped and what came after is one history.
    called(exchange, clock, 2)
    checkpoints = verify(exchange.receipts.export_checkpoints(1, 0))
    assert checkpoints.problems == []
    assert checkpoints.checkpoints >= 3
    assert [one.file for one in archived(exchange)] == [done.file]


def archived(exchange: Exchange) -> list[object]:
    with exchange.base.database.transaction():
        return list(PostgresArchive(exchange.base.database).archived())


def test_a_flipped_byte_of_a_packed_day_is_found(
    exchange: Exchange, clock: SettableClock, archiving: Archiving, tmp_path: Path
) -> None:
    called(exchange, clock, 2)
    day = clock.now().date()
    grown_old(exchange, clock)
    file = tmp_path / "archive" / archiving.archive(SYSTEM, day).file
    good, damaged = file.read_bytes(), tmp_path / "damaged.gz"
    said = gzip.decompress(good)
    for at in range(0, len(good), 17):
        damaged.write_bytes(good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1 :])
        done = CliRunner().invoke(command, [str(damaged)])
        if done.exit_code == 0:  # of the header of gzip some bytes say nothing
            assert gzip.decompress(damaged.read_bytes()) == said, at
        else:
            assert isinstance(done.exception, SystemExit), (at, done.exception)
    for end in (0, 1, 10, len(good) // 2, len(good) - 1):
        damaged.write_bytes(good[:end])
        done = CliRunner().invoke(command, [str(damaged)])
        assert isinstance(done.exception, SystemExit), (end, done.exception)


def test_a_day_that_is_not_over_stays(
    exchange: Exchange, clock: SettableClock, archiving: Archiving
) -> None:
    called(exchange, clock, 2)
    clock.advance(days=6)
    # Nobody has closed its logs yet: a checkpoint may be missing.
    assert list(archiving.due()) == []


def test_what_does_not_hold_is_not_dropped(
    exchange: Exchange, clock: SettableClock, archiving: Archiving, tmp_path: Path
) -> None:
    made = called(exchange, clock, 5)
    day = clock.now().date()
    grown_old(exchange, clock)
    with exchange.base.database.transaction():
        table = f"exchange_receipt_{day:%Y%m%d}"
        for said in (
            f"ALTER TABLE {table} DISABLE TRIGGER USER",
            f"UPDATE {table} SET body = replace(body, 'rows', 'rowz') WHERE number = 3",  # noqa: S608
        ):
            exchange.base.database.execute(sa.text(said))
    with pytest.raises(Conflict, match="does not hold"):
        archiving.archive(SYSTEM, day)
    assert exchange.receipts.receipt(SYSTEM, made[0].id)
    assert not list((tmp_path / "archive").glob("*.gz"))


def test_a_day_without_a_partition_of_its_own_stays(
    exchange: Exchange, clock: SettableClock, archiving: Archiving
) -> None:
    made = written(exchange, [draft(clock.now())])
    exchange.receipts.sign_checkpoint()
    day = clock.now().date()
    grown_old(exchange, clock)
    with pytest.raises(Conflict, match="partition"):
        archiving.archive(SYSTEM, day)
    assert exchange.receipts.receipt(SYSTEM, made[0].id)
    assert archived(exchange) == []


def test_what_was_left_half_done_is_done_again(
    exchange: Exchange, clock: SettableClock, archiving: Archiving, tmp_path: Path
) -> None:
    called(exchange, clock, 4)
    day = clock.now().date()
    grown_old(exchange, clock)
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / f"receipts-{day}.ndjson.new").write_bytes(b"half")
    (folder / f"receipts-{day}.ndjson.gz").write_bytes(b"of an earlier try")
    done = archiving.archive(SYSTEM, day)
    assert verified(folder / done.file).proven == 4
    assert [one.name for one in folder.iterdir()] == [done.file]
    assert clock.now() - done.at < timedelta(seconds=1)
