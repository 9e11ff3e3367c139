from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from control_plane.billing.model import CENT, round_lines

costs = st.lists(
    st.decimals(min_value=-10_000, max_value=10_000, places=9, allow_nan=False), max_size=40
)


@given(costs)
def test_lines_sum_to_the_rounded_total_and_none_is_a_cent_off(values: list[Decimal]) -> None:
    amounts = round_lines(values)
    assert sum(amounts, Decimal(0)) == sum(values, Decimal(0)).quantize(CENT)
    assert all(abs(a - v) < CENT for a, v in zip(amounts, values, strict=True))


def test_the_missing_cent_goes_to_the_largest_remainder() -> None:
    assert round_lines([Decimal("0.334"), Decimal("0.333"), Decimal("0.333")]) == [
        Decimal("0.34"),
        Decimal("0.33"),
        Decimal("0.33"),
    ]
