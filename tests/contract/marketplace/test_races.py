"""Many approvals at once on a real PostgreSQL: the last of anything goes to exactly one."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from foundation.kernel.database import Database
from foundation.kernel.errors import BoroughError, Conflict, QuotaExceeded
from marketplace.model import Order, OrderState
from tests.conftest import SettableClock
from tests.contract.marketplace.conftest import FINANCE, PLATFORM, World, build, yuan
from tests.contract.marketplace.test_orders import MONTH, MONTHS

#: How many race once, and how many in each of the rounds that are repeated: what differs there is
#: the order in which they come, and each refused one costs as much as the one that wins.
MANY, SOME = 100, 30


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


def orders(world: World, rounds: int) -> list[Order]:
    """So many that each round has enough."""
    count = MANY if rounds == 1 else SOME
    return [world.planned(name=f"web-{n}") for n in range(count + rounds - 1)]


def left(world: World, waiting: list[Order]) -> list[Order]:
    """Race; exactly one is approved, and the others wait as they did."""
    outcome = race(world, waiting)
    assert outcome == {"approved": 1, QuotaExceeded.code: len(waiting) - 1}
    now = [world.market.order(PLATFORM, order.id) for order in waiting]
    states = Counter(order.state for order in now)
    assert states == {OrderState.APPROVED: 1, OrderState.IN_APPROVAL: len(waiting) - 1}
    return [order for order in now if order.state is OrderState.IN_APPROVAL]


def test_the_last_money_of_a_contract_goes_to_exactly_one(wide: World, rounds: int) -> None:
    waiting = orders(wide, rounds)
    for given in range(1, rounds + 1):
        terms = replace(wide.contract.terms, ceiling=yuan(MONTH * MONTHS * (given + 1) - 1))
        wide.market.amend_contract(FINANCE, wide.contract.id, terms=terms, reason=f"{given}")
        waiting = left(wide, waiting)
        assert wide.money() == (MONTH * MONTHS * given, 0, MONTH * MONTHS - 1)
        assert wide.quota("vcpus", "/city/") == (4 * given, 0)


def test_the_last_unit_of_quota_goes_to_exactly_one(wide: World, rounds: int) -> None:
    ceiling = yuan(1_000_000)
    wide.market.amend_contract(
        FINANCE, wide.contract.id, terms=replace(wide.contract.terms, ceiling=ceiling), reason="x"
    )
    waiting = orders(wide, rounds)
    for given in range(1, rounds + 1):
        wide.tenancies.set_quota(PLATFORM, scope="/city/", limits={"vcpus": 4 * given + 3})
        waiting = left(wide, waiting)
        assert wide.quota("vcpus", "/city/") == (4 * given, 0)
        assert wide.money()[:2] == (MONTH * MONTHS * given, 0)


def test_one_order_approved_by_many_at_once_is_approved_once(wide: World) -> None:
    order = wide.planned()
    outcome = race(wide, [order] * 20)
    assert outcome == {"approved": 1, Conflict.code: 19}
    assert wide.quota("vcpus") == (4, 0)
    assert wide.money()[0] == MONTH * MONTHS
