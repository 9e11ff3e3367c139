"""Whatever is reserved, consumed, changed and released: the sums hold at every level."""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.tenancy.model import ReservationState, Tenancy
from control_plane.tenancy.service import TenancyService
from control_plane.tenancy.store import PostgresTenancy
from foundation.kernel.database import Database
from foundation.kernel.errors import Conflict, NotFound, QuotaExceeded
from tests.contract.tenancy.conftest import PLATFORM, build_city
from tests.fakes.audit import FakeAudit

SLUGS = ("appointments", "records", "duckweed")
NAMES = ("vcpus", "ram_gb")
KEYS = ("a", "b", "c", "d", "e")

amounts = st.dictionaries(
    st.sampled_from(NAMES), st.decimals(-6, 12, places=1).map(lambda d: d.normalize()), max_size=2
)
key = st.sampled_from(KEYS)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), key, st.sampled_from(SLUGS), amounts),
        st.tuples(st.just("change"), key, st.none(), amounts),
        st.tuples(st.sampled_from(("consume", "release")), key, st.none(), st.none()),
    ),
    min_size=1,
    max_size=20,
)


class _UndoError(Exception):
    """Ends an example: its transaction is rolled back."""


class _StillClock:
    def now(self) -> datetime:
        return datetime(2026, 11, 3, tzinfo=UTC)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=steps)
def test_the_sums_hold_at_every_level(database: Database, steps: list[tuple]) -> None:  # type: ignore[type-arg]
    store = PostgresTenancy(database)
    service = TenancyService(store, database, _StillClock(), FakeAudit())
    with contextlib.suppress(_UndoError), database.transaction():
        city = build_city(service)
        service.set_quota(PLATFORM, scope="/city/", limits={"vcpus": 20})
        service.set_quota(PLATFORM, scope="/city/health/", limits={"vcpus": 12, "ram_gb": 9})
        service.set_quota(PLATFORM, scope="appointments", limits={"ram_gb": 5})
        for step in steps:
            _take(service, city, step)
            _check(service, store, city)
        raise _UndoError


def _take(service: TenancyService, city: dict[str, Tenancy], step: tuple) -> None:  # type: ignore[type-arg]
    verb, name, slug, wanted = step
    act: Callable[[], object] = {
        "reserve": lambda: service.reserve(name, city[slug].id, wanted),
        "change": lambda: service.change(name, wanted),
        "consume": lambda: service.consume(name),
        "release": lambda: service.release(name),
    }[verb]
    # A refusal writes nothing, so the same transaction goes on.
    with contextlib.suppress(QuotaExceeded, Conflict, NotFound):
        act()


def _check(service: TenancyService, store: PostgresTenancy, city: dict[str, Tenancy]) -> None:
    kept = [found for name in KEYS if (found := store.reservation(name))]
    below = {
        "/city/": SLUGS,
        "/city/health/": ("appointments", "records"),
        "/city/health/clinics/": ("appointments",),
        "/city/water/": ("duckweed",),
        **{slug: (slug,) for slug in SLUGS},
    }
    for scope, slugs in below.items():
        ids = {city[slug].id for slug in slugs}
        for quota in service.quota_view(PLATFORM, scope)[-1].quotas:
            mine = [r for r in kept if r.tenancy_id in ids and quota.resource in r.amounts]
            used = sum(
                (r.amounts[quota.resource] for r in mine if r.state is ReservationState.CONSUMED),
                Decimal(0),
            )
            reserved = sum(
                (
                    max(r.amounts[quota.resource], Decimal(0))
                    for r in mine
                    if r.state is ReservationState.RESERVED
                ),
                Decimal(0),
            )
            assert (quota.used, quota.reserved) == (used, reserved)
            assert quota.limit is None or used + reserved <= quota.limit
