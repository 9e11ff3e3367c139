"""``borough-exchange archive`` is killed at each of its steps: a day is in one place, whole."""

import gzip
import hashlib
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect

from foundation.adapters.clock import SystemClock
from foundation.adapters.postgres.embedded import EmbeddedPostgres
from tests.conftest import SettableClock
from tests.harness.exchange import exchange_database, furnish
from tests.harness.exchange_receipts import draft, written
from tests.harness.killing import Fatal, killed, label_of
from workloads.data_exchange.bootstrap import Exchange, open_exchange
from workloads.data_exchange.entrypoints.archive import archive
from workloads.data_exchange.receipts.archive_store import PostgresArchive
from workloads.data_exchange.receipts.archiving import Archiving, lines_of
from workloads.data_exchange.receipts.verify import verify
from workloads.data_exchange.settings import Settings

pytestmark = pytest.mark.rehearsal
_EACH = 5
#: What is killed before and after, and how often it comes while a day is archived.
_STEPS: tuple[tuple[Any, str, int], ...] = (
    (gzip.GzipFile, "write", 2), (os, "fsync", 2), (Archiving, "_verified", 1),
    (Path, "replace", 1), (PostgresArchive, "drop_day", 1), (Archiving, "archive", 1),
)  # fmt: skip


class City:
    """An exchange with a day of receipts after another, and its archive."""

    def __init__(self, exchange: Exchange, clock: SettableClock, settings: Settings) -> None:
        self.exchange, self.clock, self.settings = exchange, clock, settings
        self.folder = Path(settings.receipt_archive)

    def day(self) -> str:
        """A day of receipts that is over; answers its date."""
        self.exchange.receipts.keep_house()
        day = self.clock.now().date()
        written(self.exchange, [draft(self.clock.now()) for _ in range(_EACH)])
        self.exchange.receipts.sign_checkpoint()
        self.clock.advance(days=6)
        self.exchange.receipts.sign_checkpoint()
        return f"{day}"

    def work(self, fatal: Fatal) -> None:
        """What the command does, in a child."""
        for owner, name, _ in _STEPS:
            fatal.around(owner, name)
        fatal.around(PGDialect, "do_commit")
        archive(self.settings)

    def place(self, day: str) -> str:
        """Where a day is: in the database or in its file, and whole there."""
        with self.exchange.base.database.transaction():
            rows = self.exchange.base.database.execute(
                sa.text("SELECT count(*) FROM exchange_receipt WHERE day = :day"), {"day": day}
            ).scalar()
            listed = PostgresArchive(self.exchange.base.database).archived()
        found = next((one for one in listed if f"{one.day}" == day), None)
        if found is None:
            assert rows == _EACH, day
            return "database"
        assert rows == 0, day
        data = (self.folder / found.file).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (found.size, found.sha256)
        with gzip.open(self.folder / found.file) as packed:
            report = verify(lines_of(packed), self.exchange.receipts.own_keys())
        assert (report.problems, report.proven, found.receipts) == ([], _EACH, _EACH)
        return "file"


@pytest.fixture
def city(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[City]:
    # The command's clock is the machine's: the days of the test lie before it.
    clock = SettableClock(SystemClock().now() - timedelta(days=600))
    with exchange_database(postgres) as url:
        settings = Settings(
            home=tmp_path, database_url=url, receipt_archive=str(tmp_path / "archive"),
            receipt_days=2,
        )  # fmt: skip
        with open_exchange(settings, upgrade=False, clock=clock) as exchange:
            furnish(exchange)
            yield City(exchange, clock, settings)


def test_a_day_is_in_the_database_or_in_its_file(city: City) -> None:
    at: dict[str, str] = {}
    for owner, name, times in _STEPS:
        for when in ("before", "after"):
            for time in range(1, times + 1):
                step, day = f"{when} {label_of(owner, name)}", city.day()
                assert killed(city.work, step, time), (step, time)
                at[f"{step} {time}"] = city.place(day)
                assert not killed(city.work)
                assert city.place(day) == "file", (step, time)
    # Of its commits none may be left out, however many there are.
    for when in ("before", "after"):
        time, step = 1, f"{when} {label_of(PGDialect, 'do_commit')}"
        day = city.day()
        while killed(city.work, step, time):
            at[f"{step} {time}"] = city.place(day)
            assert not killed(city.work)
            assert city.place(day) == "file", (step, time)
            day, time = city.day(), time + 1
        assert time > 1
    assert set(at.values()) == {"database", "file"}
    assert at["before PostgresArchive.drop_day 1"] == at["after Path.replace 1"] == "database"
    assert at["after Archiving.archive 1"] == "file"
    # Whatever was left half done was done again: a file for each day, and nothing else.
    with city.exchange.base.database.transaction():
        days = PostgresArchive(city.exchange.base.database).archived()
    assert sorted(one.file for one in days) == sorted(one.name for one in city.folder.iterdir())
    assert all(city.place(f"{one.day}") == "file" for one in days)
    checkpoints = verify(city.exchange.receipts.export_checkpoints(1, 0))
    assert checkpoints.problems == []
    print(f"killed {len(at)} times: {sorted(at.items())}")
