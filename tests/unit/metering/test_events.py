from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.kernel.errors import Invalid
from control_plane.kernel.time import Interval
from control_plane.metering.model import (
    Observation,
    clip,
    event_of,
    parse_event,
    quantity_of,
)

START = datetime(2026, 10, 1, tzinfo=UTC)


def event(**data: Any) -> dict[str, Any]:
    base = {
        "meter": "server.instance_hours",
        "resource": "res_1",
        "start": "2026-10-01T09:12:00Z",
        "end": "2026-10-01T11:47:00Z",
        "quantity": "2.583333333",
        "dimensions": {"flavor": "m"},
    }
    return {
        "specversion": "1.0",
        "type": "dev.borough.usage.v1",
        "source": "tests",
        "id": "1",
        "data": base | data,
    }


def test_an_interval_is_split_by_clock_hours() -> None:
    parts = parse_event(event()).hours()
    assert [hour.hour for hour, _ in parts] == [9, 10, 11]
    assert parts[1][1] == Decimal("1.000000000")
    assert sum(q for _, q in parts) == Decimal("2.583333333")


@given(
    minutes=st.integers(0, 200),
    length=st.integers(1, 60 * 60 * 24 * 10),
    quantity=st.decimals(0, 10**6, places=9),
)
def test_the_hours_add_up_exactly(minutes: int, length: int, quantity: Decimal) -> None:
    start = START + timedelta(minutes=minutes)
    end = start + timedelta(seconds=length)
    parsed = parse_event(
        event(start=start.isoformat(), end=end.isoformat(), quantity=str(quantity))
    )
    assert sum((q for _, q in parsed.hours()), Decimal(0)) == quantity


def test_every_wrong_member_is_named_at_once() -> None:
    with pytest.raises(Invalid) as refused:
        parse_event(
            {
                "specversion": "0.3",
                "type": "x",
                "source": "",
                "id": 7,
                "data": {
                    "start": "yesterday",
                    "end": "2026-10-01T00:00:00",
                    "quantity": -1,
                    "dimensions": {"flavor": 3},
                    "tenancy": 5,
                },
            }
        )
    assert {p.field for p in refused.value.problems} == {
        "source", "id", "specversion", "type", "data.meter", "data.resource", "data.start",
        "data.end", "data.quantity", "data.dimensions", "data.tenancy",
    }  # fmt: skip


@pytest.mark.parametrize("value", [True, None, "NaN", "Infinity", "1e400", [], "0.0000000001"])
def test_quantities_that_are_no_numbers_are_refused(value: object) -> None:
    with pytest.raises(Invalid) as refused:
        parse_event(event(quantity=value))
    assert [p.field for p in refused.value.problems] == ["data.quantity"]


@given(cut=st.integers(1, 3 * 3600 - 1))
def test_two_windows_meter_what_one_window_does(cut: int) -> None:
    whole = Interval(START, START + timedelta(hours=3))
    middle = START + timedelta(seconds=cut)
    seen = Observation("vm", "server.instance_hours", {}, Decimal(3600), Interval(START, None))
    parts = [
        quantity_of(each.per_hour, each.interval)
        for window in (Interval(START, middle), Interval(middle, whole.end))
        for each in clip([seen], window)
    ]
    assert sum(parts) == Decimal(3 * 3600)


def test_an_observation_makes_the_same_event_each_time() -> None:
    seen = Observation(
        "vm", "m", {"a": "b"}, Decimal(2), Interval(START, START + timedelta(hours=1))
    )
    assert event_of(seen, "s") == event_of(seen, "s")
    assert parse_event(event_of(seen, "s")).quantity == Decimal(2)
