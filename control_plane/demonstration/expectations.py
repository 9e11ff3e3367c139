"""What the story must come to, computed from the files alone.

This is on purpose another way than billing's: it knows no events, records or database, only the
quantities that the story states and the prices of the files. The demonstration compares the two.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from control_plane.demonstration.model import (
    HOURS_PER_MONTH,
    City,
    ComponentKind,
    Input,
    Plan,
    StoryOrder,
    month_start,
)
from foundation.kernel.time import Interval

_CENT = Decimal("0.01")
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ExpectedLine:
    """What an order's resources together use of a meter at one price, and what that costs.

    Attributes:
        quantity: in the meter's unit.
        unit_price, cost: in the price book's currency, with the contract's discount, unrounded.
    """

    meter: str
    dimensions: Mapping[str, str]
    quantity: Decimal
    price_id: str
    unit_price: Decimal

    @property
    def cost(self) -> Decimal:
        """Quantity times price, unrounded."""
        return self.quantity * self.unit_price


@dataclass(frozen=True, slots=True)
class ExpectedStatement:
    """The lines of a window, by meter and price; resources of the same kind are together."""

    lines: tuple[ExpectedLine, ...]
    currency: str

    @property
    def total(self) -> Decimal:
        """The sum, rounded once to the cent."""
        return round_total(line.cost for line in self.lines)


def round_total(costs: Iterator[Decimal]) -> Decimal:
    """The sum of unrounded costs, half even to the cent."""
    return sum(costs, Decimal(0)).quantize(_CENT, ROUND_HALF_EVEN)


def usage_window(city: City, now: datetime) -> Interval:
    """The whole month whose usage the story bills.

    Raises:
        ValueError: the city has no story.
    """
    if city.story is None:
        raise ValueError("this city has no story")
    month = city.story.usage_month
    return Interval(month_start(now, month), month_start(now, month + 1))


def expected_statement(
    city: City, order: StoryOrder, window: Interval, now: datetime
) -> ExpectedStatement:
    """What an order's resources cost when they ran throughout a window that has an end.

    Raises:
        ValueError: the window has no end, or a meter has no price at some time within it.
    """
    book = city.price_book_of(order.contract)
    share = 1 - city.contract(order.contract).discount
    lines = []
    for part in _months(window, now):
        hours = _hours(part)
        for use in order.expected.per_hour:
            price = book.price_at(use.meter, use.dimensions, part.start, now)
            if price is None:
                raise ValueError(f"{use.meter} has no price in {book.slug} at {part.start}")
            quantity = use.quantity * hours
            lines.append(
                ExpectedLine(use.meter, use.dimensions, quantity, price.id, price.amount * share)
            )
    return ExpectedStatement(tuple(_together(lines)), book.currency)


def monthly_price(
    city: City, contract: str, plan: Plan, inputs: Mapping[str, Input], now: datetime
) -> Decimal:
    """What a plan with these inputs costs in a month of 730 hours, unrounded; not what is once.

    Raises:
        ValueError: a component has no price now.
    """
    book = city.price_book_of(contract)
    chosen = {**plan.inputs, **inputs}
    share = 1 - city.contract(contract).discount
    total = Decimal(0)
    for component in plan.components:
        if component.kind is ComponentKind.ONE_TIME:
            continue
        price = book.price_at(component.meter, component.dimensions, now, now)
        if price is None:
            raise ValueError(f"{component.slug} has no price in {book.slug}")
        times = HOURS_PER_MONTH if component.kind is ComponentKind.PER_USE else Decimal(1)
        total += component.units(chosen) * times * price.amount * share
    return total


def _months(window: Interval, now: datetime) -> Iterator[Interval]:
    """The window cut where prices can change: at the first of each month."""
    if window.end is None:
        raise ValueError("the window must have an end")
    months = (window.start.year - now.year) * 12 + window.start.month - now.month
    at = window.start
    while at < window.end:
        months += 1
        following = min(month_start(now, months), window.end)
        yield Interval(at, following)
        at = following


def _hours(part: Interval) -> Decimal:
    length = part.duration()
    if length is None:
        raise ValueError("the window must have an end")
    return Decimal(length // timedelta(microseconds=1)) / Decimal(
        _HOUR // timedelta(microseconds=1)
    )


def _together(lines: list[ExpectedLine]) -> Iterator[ExpectedLine]:
    """One line per price."""
    by_price: dict[str, ExpectedLine] = {}
    for line in lines:
        before = by_price.get(line.price_id)
        quantity = line.quantity + (before.quantity if before else 0)
        by_price[line.price_id] = ExpectedLine(
            line.meter, line.dimensions, quantity, line.price_id, line.unit_price
        )
    yield from by_price.values()
