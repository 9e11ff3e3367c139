import itertools
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control_plane.metering.model import (
    Observation,
    clip,
    event_of,
    months,
    parse_event,
    payload_digest,
    quantity_of,
)
from foundation.kernel.errors import Invalid
from foundation.kernel.time import Interval

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


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)  # fmt: skip


@given(json_values)
def test_equal_json_has_equal_digests(value: object) -> None:
    assert payload_digest(value) == payload_digest(json.loads(json.dumps(value)))
    assert payload_digest({"a": value, "b": 1}) == payload_digest({"b": 1.0, "a": value})


@given(json_values, json_values)
def test_other_json_has_another_digest(one: object, other: object) -> None:
    same = json.dumps(_typed(one), sort_keys=True) == json.dumps(_typed(other), sort_keys=True)
    assert (payload_digest(one) == payload_digest(other)) is same


def _typed(value: object) -> object:
    """Numbers by their value, for 1 == 1.0 == True in Python."""
    if isinstance(value, dict):
        return {k: _typed(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_typed(v) for v in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return ["number", str(Fraction(value))]
    return value


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


@given(cuts=st.lists(st.integers(1, 3600 * 24 * 400), unique=True, max_size=20))
def test_months_add_up_however_the_time_is_cut(cuts: list[int]) -> None:
    year = datetime(2027, 10, 1, tzinfo=UTC)
    ends = [START, *(START + timedelta(seconds=c) for c in sorted(cuts))]
    ends = [*(at for at in ends if at < year), year]
    parts = [months(Interval(a, b)) for a, b in itertools.pairwise(ends)]
    assert sum(parts, Decimal(0)) == 12


def test_a_part_of_a_month_goes_by_the_months_length() -> None:
    february = datetime(2027, 2, 1, tzinfo=UTC)
    assert months(Interval(february, february + timedelta(days=14))) == Decimal("0.5")
    assert months(Interval(START, START + timedelta(days=1))) == Decimal("0.032258065")
    with pytest.raises(Invalid):
        months(Interval(START, None))


@pytest.mark.parametrize("units", ["3", "0.25", "100"])
def test_many_units_a_month_add_up_exactly(units: str) -> None:
    per_month = Decimal(units)
    cuts = [START + timedelta(hours=hour, seconds=hour * 7) for hour in range(40)]
    ends = [*cuts, datetime(2026, 12, 1, tzinfo=UTC)]
    parts = [months(Interval(a, b), per_month) for a, b in itertools.pairwise(ends)]
    assert sum(parts) == months(Interval(ends[0], ends[-1]), per_month) == 2 * per_month
