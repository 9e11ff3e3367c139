"""Many at once on a real PostgreSQL: the last unit goes to exactly one, and nobody deadlocks."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from control_plane.tenancy.model import Tenancy
from control_plane.tenancy.service import TenancyService
from control_plane.tenancy.store import PostgresTenancy
from foundation.kernel.database import Database
from foundation.kernel.errors import QuotaExceeded
from foundation.kernel.time import Clock
from tests.contract.tenancy.conftest import PLATFORM
from tests.fakes.audit import FakeAudit

THREADS = 100


def together(attempts: list[Callable[[], object]]) -> Counter[str]:
    """Run all at the same moment; counts what became of them."""
    gate = threading.Barrier(len(attempts))

    def attempt(act: Callable[[], object]) -> str:
        gate.wait()
        try:
            act()
        except QuotaExceeded:
            return "refused"
        return "won"

    with ThreadPoolExecutor(len(attempts)) as pool:
        return Counter(pool.map(attempt, attempts))


def reserved(service: TenancyService) -> Decimal:
    """The city's reserved virtual CPUs."""
    (city,) = service.quota_view(PLATFORM, "/city/")
    return {q.resource: q.reserved for q in city.quotas}["vcpus"]


@pytest.fixture
def wide(database_url: str, clock: Clock) -> Iterator[TenancyService]:
    database = Database(database_url, pool_size=10)
    yield TenancyService(PostgresTenancy(database), database, clock, FakeAudit())
    database.close()


def test_the_last_unit_goes_to_exactly_one(
    service: TenancyService, wide: TenancyService, city: dict[str, Tenancy]
) -> None:
    service.set_quota(PLATFORM, scope="/city/", limits={"vcpus": 10})
    service.reserve("before", city["duckweed"].id, {"vcpus": Decimal(9)})
    ids = [city[slug].id for slug in ("appointments", "records", "duckweed")]
    outcome = together(
        [
            lambda n=n: wide.reserve(f"order-{n}", ids[n % 3], {"vcpus": Decimal(1)})
            for n in range(THREADS)
        ]
    )
    assert outcome == {"won": 1, "refused": THREADS - 1}
    (vcpus,) = [
        q for q in service.quota_view(PLATFORM, "/city/")[0].quotas if q.resource == "vcpus"
    ]
    assert (vcpus.reserved, vcpus.used) == (10, 0)


def test_the_same_key_at_once_is_one_reservation(
    wide: TenancyService, city: dict[str, Tenancy]
) -> None:
    outcome = together(
        [lambda: wide.reserve("one", city["records"].id, {"vcpus": Decimal(1)})] * 30
    )
    assert outcome == {"won": 30}
    assert reserved(wide) == 1


def test_mixed_resources_and_tenancies_do_not_deadlock(
    wide: TenancyService, city: dict[str, Tenancy]
) -> None:
    slugs = ("appointments", "records", "duckweed")
    mixes = ({"vcpus": 1, "ram_gb": 2}, {"ram_gb": 1, "instances": 1}, {"volume_gb": 5, "vcpus": 1})

    def life(n: int) -> None:
        mix = {name: Decimal(amount) for name, amount in mixes[n % 3].items()}
        wide.reserve(f"k{n}", city[slugs[n % 3]].id, mix)
        wide.consume(f"k{n}")
        if n % 2:
            wide.release(f"k{n}")

    outcome = together([lambda n=n: life(n) for n in range(60)])
    assert outcome == {"won": 60}
