"""Many approvals at once on a real PostgreSQL: the last of anything goes to exactly one."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from foundation.kernel.database import Database
from foundation.kernel.errors import BoroughError, Conflict, QuotaExceeded
from foundation.kernel.paging import PageRequest
from marketplace.model import Order, OrderState
from tests.conftest import SettableClock
from tests.contract.marketplace.conftest import FINANCE, PLATFORM, World, build, yuan
from tests.contract.marketplace.test_orders import MONTH, MONTHS

MANY = 100


@pytest.fixture
def wide(database_url: str, clock: SettableClock) -> Iterator[World]:
    """A world whose pool lets threescore approvals run at the same moment."""
    database = Database(database_url, pool_size=30)
    yield build(database, clock)
    database.close()


def race(world: World, orders: list[Order]) -> Counter[str]:
    """Approve all at the same moment; counts what became of them."""
    gate = threading.Barrier(len(orders))

    def approve(order: Order) -> str:
        gate.wait()
        try:
            return world.market.approve(FINANCE, order.id, order.digest).state.value
        except BoroughError as error:
            return error.code

    with ThreadPoolExecutor(len(orders)) as pool:
        return Counter(pool.map(approve, orders))


def orders(world: World, count: int) -> list[Order]:
    return [world.planned(name=f"web-{n}") for n in range(count)]


def check(world: World, outcome: Counter[str]) -> None:
    assert outcome == {"approved": 1, QuotaExceeded.code: MANY - 1}
    states = Counter(
        order.state for order in (world.market.order(PLATFORM, o) for o in _all_orders(world))
    )
    assert states == {OrderState.APPROVED: 1, OrderState.IN_APPROVAL: MANY - 1}


def _all_orders(world: World) -> list[str]:
    page = world.market.orders(PLATFORM, PageRequest(limit=200))
    return [order.id for order in page.items]


def test_the_last_money_of_a_contract_goes_to_exactly_one(wide: World, run: int) -> None:
    waiting = orders(wide, MANY)
    terms = replace(wide.contract.terms, ceiling=yuan(MONTH * MONTHS * 2 - 1))
    wide.market.amend_contract(FINANCE, wide.contract.id, terms=terms, reason=f"run {run}")
    check(wide, race(wide, waiting))
    assert wide.money() == (MONTH * MONTHS, 0, MONTH * MONTHS - 1)
    assert wide.quota("vcpus", "/city/") == (4, 0)


def test_the_last_unit_of_quota_goes_to_exactly_one(wide: World, run: int) -> None:
    del run
    ceiling = yuan(1_000_000)
    wide.market.amend_contract(
        FINANCE, wide.contract.id, terms=replace(wide.contract.terms, ceiling=ceiling), reason="x"
    )
    wide.tenancies.set_quota(PLATFORM, scope="/city/", limits={"vcpus": 7})
    check(wide, race(wide, orders(wide, MANY)))
    assert wide.quota("vcpus", "/city/") == (4, 0)
    assert wide.money()[:2] == (MONTH * MONTHS, 0)


def test_one_order_approved_by_many_at_once_is_approved_once(wide: World) -> None:
    order = wide.planned()
    outcome = race(wide, [order] * 20)
    assert outcome == {"approved": 1, Conflict.code: 19}
    assert wide.quota("vcpus") == (4, 0)
    assert wide.money()[0] == MONTH * MONTHS
