"""Percentiles out of steps, and the map as numbers."""

import random
from collections import Counter

import pytest

from workloads.data_exchange.agencies.model import Level
from workloads.data_exchange.flows.drawing import AGENCIES, HEIGHT, WIDTH, draw
from workloads.data_exchange.flows.model import BOUNDS, Calls, Flow, Outcome, Place, percentile


def step_of(milliseconds: int) -> int:
    """As PostgreSQL's width_bucket counts."""
    return sum(milliseconds >= bound for bound in BOUNDS)


@pytest.mark.parametrize("share", [0.5, 0.95, 1.0])
def test_a_percentile_lies_in_the_step_of_the_true_one(share: float) -> None:
    chance = random.Random(1)  # noqa: S311 - the same each time
    took = sorted(int(chance.lognormvariate(4, 1)) for _ in range(2000))
    true = took[max(0, round(share * len(took)) - 1)]
    found = percentile(Counter(map(step_of, took)), share)
    step = step_of(true)
    assert (BOUNDS[step - 1] if step else 0) <= found <= BOUNDS[step]


def test_percentiles_at_the_ends() -> None:
    assert percentile({0: 10}, 0.5) == 0.5
    assert percentile({len(BOUNDS): 3}, 0.95) == 60_000
    assert Calls().p95 is None


def test_latency_is_that_of_answered_calls_where_there_are_any() -> None:
    calls = Calls()
    calls.add(Outcome.REFUSED, 0, 1000, 0, 0)
    assert calls.p50 == 0.5
    calls.add(Outcome.ANSWERED, step_of(120), 1, 1, 10)
    assert calls.p50 is not None
    assert 100 <= calls.p50 <= 150
    assert (calls.calls, calls.refused, calls.failing) == (1001, 1000, 0.0)


def flow(consumer: str, provider: str, answered: int, failed: int = 0) -> Flow:
    calls = Calls()
    calls.add(Outcome.ANSWERED, 5, answered, answered, 100)
    if failed:
        calls.add(Outcome.FAILED, 9, failed, 0, 0)
    return Flow(consumer, provider, "", calls)


def place(path: str, level: Level, district: str = "") -> Place:
    return Place(path, {"en": path, "zh": path}, level, district)


def test_agencies_stand_district_by_district_and_failures_stand_out() -> None:
    places = {
        one.path: one
        for one in (
            place("/city/tax/", Level.MUNICIPAL),
            place("/east/", Level.DISTRICT, "/east/"),
            place("/east/housing/", Level.DISTRICT, "/east/"),
            place("/west/housing/", Level.DISTRICT, "/west/"),
        )
    }
    found = draw(
        [
            flow("/east/housing/", "/city/tax/", 99, 1),
            flow("/west/housing/", "/city/tax/", 10, 10),
            flow("/east/", "/city/tax/", 1000),
            flow("/city/tax/", "/city/tax/", 5),
            flow("/gone/", "/city/tax/", 1),
        ],
        places,
    )
    assert [(one.mark, one.district) for one in found.groups] == [
        ("A", ""), ("B", ""), ("C", "/east/"), ("D", "/west/"),
    ]  # fmt: skip
    assert {one.path: one.mark for one in found.spots} == {
        "/city/tax/": "A", "/gone/": "B", "/east/": "C", "/east/housing/": "C",
        "/west/housing/": "D",
    }  # fmt: skip
    assert {one.flow.consumer: one.kind for one in found.curves} == {
        "/east/": "well", "/east/housing/": "some", "/west/housing/": "many",
        "/city/tax/": "well", "/gone/": "well",
    }  # fmt: skip
    widths = {one.flow.consumer: one.width for one in found.curves}
    assert widths["/east/"] > widths["/east/housing/"] > widths["/gone/"]
    assert all(0 < one.x < WIDTH and 0 < one.y < HEIGHT for one in found.spots)
    assert found.left_out == 0


def test_of_many_agencies_the_busiest_are_drawn() -> None:
    flows = [flow(f"/c{n}/", "/p/", n + 1) for n in range(100)]
    found = draw(flows, {})
    assert len(found.spots) == AGENCIES
    assert found.left_out == 100 - (AGENCIES - 1)
    assert "/c99/" in {one.path for one in found.spots}


def test_nothing_is_drawn_of_nothing() -> None:
    found = draw([], {})
    assert (found.spots, found.curves, found.groups, found.left_out) == ((), (), (), 0)
