"""Usage to charges: intake of events by the service, rating of a month, and beside them in the same
run what PostgreSQL needs to copy the same rows and to sum them."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NoReturn

import psutil
import sqlalchemy as sa

from control_plane.billing.model import Origin, Price, PriceBook, Terms
from control_plane.billing.service import Billing
from control_plane.billing.store import PostgresBilling
from control_plane.metering.model import Aggregation, Meter, ResourceRef
from control_plane.metering.service import Metering
from control_plane.metering.store import PostgresMetering
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import Database
from foundation.kernel.text import Text
from foundation.kernel.time import Interval
from foundation.operations.service import Operations
from foundation.operations.store import PostgresOperations
from tests.conftest import SettableClock

OCTOBER = datetime(2026, 10, 1, tzinfo=UTC)
METERS = 5
#: Servers of the whole city would be 4,717; the time grows with them, so a tenth is enough.
SERVERS = 470
DEPARTMENTS = 24
BATCH = 1000
DAYS = 5
ADMIN = Actor.system("benchmark")


class Directory:
    def __init__(self) -> None:
        self.known = {
            f"res_{n}": ResourceRef(
                f"res_{n}", None, f"ten_{n % 50}", f"/city/d{n % DEPARTMENTS}/", OCTOBER
            )
            for n in range(SERVERS)
        }

    def resolve(self, names: object) -> dict[str, ResourceRef]:
        del names
        return self.known


class SilentAudit:
    def record(self, actor: Actor, action: str, **details: Any) -> None:
        del actor, action, details


class NoRegions:
    def regions(self) -> list[tuple[str, datetime]]:
        return []

    def collector(self, region_id: str) -> NoReturn:
        raise LookupError(region_id)


class NoOrigin:
    def origin(self, resource_id: str) -> Origin:
        return Origin({"id": resource_id}, {}, {}, {}, ())


def test_intake_and_rating(database: Database, clock: SettableClock) -> None:
    _, metering, billing = features(database, clock)
    events = _events()
    began = time.perf_counter()
    for first in range(0, len(events), BATCH):
        metering.ingest(ADMIN, events[first : first + BATCH])
    intake = time.perf_counter() - began
    with database.transaction():
        database.execute(sa.text("ANALYZE"))
        records = database.execute(sa.text("SELECT count(*) FROM metering_record")).scalar_one()
    spent = _processor(database)
    began = time.perf_counter()
    made = billing.rate("2026-10").charges
    rating = time.perf_counter() - began
    spent = _processor(database) - spent
    began = time.perf_counter()
    billing.rate("2026-10")
    again = time.perf_counter() - began
    began = time.perf_counter()
    with database.transaction():
        database.execute(sa.text("CREATE TEMP TABLE copied AS SELECT * FROM billing_charge"))
    copied = time.perf_counter() - began
    assert made == records
    print(
        f"\nintake   {len(events):>9,} events of a day, batches of {BATCH}: "
        f"{len(events) / intake:>9,.0f} events/s, {records / intake:,.0f} hourly records/s"
        f"\nrating   {records:>9,} points: {records / rating:>9,.0f} points/s"
        f"\n         {records / spent:>9,.0f} points per second of one processor; "
        f"PostgreSQL's largest process holds {_memory(database):,.0f} MB of its own"
        f"\nagain    {records:>9,} points, nothing new: {records / again:>9,.0f} points/s"
        f"\ncopy     {records:>9,} charges by CREATE TABLE AS: {records / copied:>9,.0f} rows/s"
        f"\nratio    rating takes {rating / copied:.1f} times the copy of its own result"
    )


def _backends(database: Database) -> list[psutil.Process]:
    with database.transaction():
        rows = database.execute(
            sa.text(
                "SELECT pid FROM pg_stat_activity"
                " WHERE datname = current_database() AND backend_type = 'client backend'"
            )
        )
        return [psutil.Process(row.pid) for row in rows]


def _processor(database: Database) -> float:
    """Processor seconds of the connections that are open, which the pool keeps."""
    return sum(sum(process.cpu_times()[:2]) for process in _backends(database))


def _memory(database: Database) -> float:
    return max(process.memory_full_info().uss for process in _backends(database)) / 2**20


def features(database: Database, clock: SettableClock) -> tuple[Operations, Metering, Billing]:
    """Metering and billing of the city on a database, with its meters, prices and contracts."""
    operations = Operations(PostgresOperations(database), database, clock, SilentAudit())
    metering = Metering(
        db=database, clock=clock, store=PostgresMetering(database), directory=Directory(),
        regions=NoRegions(), operations=operations,
    )  # fmt: skip
    billing = Billing(
        db=database, clock=clock, store=PostgresBilling(database), metering=metering,
        provenance=NoOrigin(), operations=operations,
    )  # fmt: skip
    _city(metering, billing)
    return operations, metering, billing


def _city(metering: Metering, billing: Billing) -> None:
    metering.define_meters(
        ADMIN,
        [
            Meter(f"meter.{n}", Text("Meter", "计量"), "h", Aggregation.SUM, ("kind",))
            for n in range(METERS)
        ],
    )
    billing.define_book(ADMIN, PriceBook("city", Text("City", "市"), "CNY"))
    billing.add_prices(
        ADMIN,
        [
            Price(
                ids.new("pri"), "city", f"meter.{n}", {"kind": kind}, Decimal("0.123"), OCTOBER,
                reason="first",
            )
            for n in range(METERS)
            for kind in ("a", "b")
        ],
    )  # fmt: skip
    for n in range(DEPARTMENTS):
        billing.set_terms(
            Terms(f"/city/d{n}/", f"con_{n}", 1, "city", Decimal(0), Interval(OCTOBER, None))
        )


def _events() -> list[dict[str, object]]:
    return [
        _event(f"{server}-{meter}-{day}", meter, server, OCTOBER + timedelta(days=day), 24)
        for day in range(DAYS)
        for server in range(SERVERS)
        for meter in range(METERS)
    ]


def _event(name: str, meter: int, server: int, start: datetime, hours: int) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "type": "dev.borough.usage.v1",
        "source": "benchmark",
        "id": name,
        "data": {
            "meter": f"meter.{meter}",
            "resource": f"res_{server}",
            "start": start.isoformat(),
            "end": (start + timedelta(hours=hours)).isoformat(),
            "quantity": hours,
            "dimensions": {"kind": "a" if server % 2 else "b"},
        },
    }


def events_of_a_day(count: int) -> list[dict[str, object]]:
    """Events of an hour each."""
    return [
        _event(f"{n}", n % METERS, n // METERS % SERVERS, OCTOBER + timedelta(hours=hour), 1)
        for n in range(count)
        for hour in [n // (METERS * SERVERS)]
    ]
