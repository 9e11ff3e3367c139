from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.kernel.errors import Collector, Conflict
from foundation.kernel.money import Money
from foundation.kernel.text import Text
from marketplace.model import (
    OPEN,
    TRANSITIONS,
    Component,
    ComponentKind,
    OrderState,
    Plan,
    PriceLine,
    PriceTag,
    begun_months,
    whole_months,
)
from marketplace.service.wishes import encumbrance

START = datetime(2026, 11, 3, 9, tzinfo=UTC)
NAME = Text("a", "b")


def price(monthly: str, once: str = "0") -> PriceTag:
    lines = tuple(
        PriceLine("x", kind, "m", {}, Decimal(1), "pri", Decimal(amount), Decimal(amount))
        for kind, amount in (("per_use", monthly), ("one_time", once))
    )
    return PriceTag("con", 1, "CNY", lines)


@pytest.mark.parametrize(
    ("hours", "begun", "whole"), [(0, 0, 0), (1, 1, 0), (730, 1, 1), (731, 2, 1), (8760, 12, 12)]
)
def test_months(hours: int, begun: int, whole: int) -> None:
    end = START + timedelta(hours=hours)
    assert (begun_months(START, end), whole_months(START, end)) == (begun, whole)
    assert begun_months(end, START) == 0


@given(st.integers(0, 10**6))
def test_a_begun_month_is_at_most_one_more_than_a_whole_one(minutes: int) -> None:
    end = START + timedelta(minutes=minutes)
    assert 0 <= begun_months(START, end) - whole_months(START, end) <= 1


def test_only_a_rise_is_encumbered() -> None:
    def held(monthly: str, before: str, once: str = "0") -> Decimal:
        return encumbrance(price(monthly, once), Money(Decimal(before)), 3).amount

    assert held("100", "0") == 300
    assert held("100", "40", "7") == 187
    assert held("40", "100", "7") == 7


def test_one_time_parts_are_no_part_of_a_month() -> None:
    tag = price("10.5", "3")
    assert (tag.month.amount, tag.year.amount, tag.one_time.amount) == (
        Decimal("10.5"), Decimal(126), Decimal(3),
    )  # fmt: skip


def test_every_state_has_a_way_and_a_name() -> None:
    assert set(TRANSITIONS) == set(OrderState)
    assert all(state.label.en and state.label.zh for state in OrderState)
    reached = {after for following in TRANSITIONS.values() for after in following}
    assert reached == set(OrderState)
    assert TRANSITIONS[OrderState.ACTIVE] == frozenset()
    assert OrderState.DRAFT not in OPEN


def test_a_move_that_is_not_there_is_a_conflict() -> None:
    for before, following in TRANSITIONS.items():
        for after in OrderState:
            order = _Order(before)
            if after in following:
                order.check(after)
            else:
                with pytest.raises(Conflict):
                    order.check(after)


class _Order:
    def __init__(self, state: OrderState) -> None:
        self.state = state

    def check(self, to: OrderState) -> None:
        from marketplace.model import Order  # noqa: PLC0415 - its rule alone, without an order

        Order.check_move(self, to)  # type: ignore[arg-type]


def test_a_plan_fixes_what_it_does_not_bound() -> None:
    plan = Plan("m", NAME, NAME, (), {"size": "m", "servers": 2}, {"servers": (1, 4)})
    assert plan.fixed == {"size"}
    found = Collector()
    plan.check_inputs({"size": "l", "servers": 5}, found)
    assert [p.field for p in found.problems] == ["inputs.size", "inputs.servers"]
    found = Collector()
    plan.check_inputs({"servers": "many"}, found)  # the blueprint's schema speaks of types
    assert found.problems == []


def test_components_count_an_input() -> None:
    part = Component("a", ComponentKind.PER_USE, NAME, "m", {}, Decimal("0.5"), "servers")
    assert part.amount({"servers": 3}) == Decimal("1.5")
    assert part.amount({}) == 0
    assert part.amount({"servers": True}) == 0
