"""Working days of 2026, and calendars that are none."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.kernel.errors import Invalid
from workloads.data_exchange.agreements.calendar.model import PERIODS, read, sample


def noon(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00+08:00")


@pytest.mark.parametrize(
    ("since", "days", "last"),
    [
        ("2026-02-13", 2, "2026-02-24"),  # the 14th is a make-up Saturday, then nine days off
        ("2026-02-13", 1, "2026-02-14"),
        ("2026-09-30", 1, "2026-10-08"),
        ("2026-10-08", 2, "2026-10-10"),
        ("2026-11-20", 10, "2026-12-04"),
        ("2026-11-20", 0, "2026-11-20"),
        ("2026-01-01", 1, "2026-01-04"),  # a Sunday on which one works
    ],
)
def test_due_dates(since: str, days: int, last: str) -> None:
    ends = datetime.fromisoformat(f"{last}T00:00:00+08:00") + timedelta(days=1)
    due = sample().due(noon(since), days)
    assert due == ends
    assert due.tzinfo is UTC


def test_2026_has_its_days() -> None:
    year = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    # 261 days from Monday to Friday; 19 of them are off, and six days of weekends are worked.
    weekdays_off = [d for d in year if d.isoweekday() < 6 and not sample().works(d)]
    assert len(weekdays_off) == 19
    assert sum(map(sample().works, year)) == 261 - 19 + 6
    assert sample().knows(2026)
    assert not sample().knows(2027)


def test_the_day_is_that_of_the_city() -> None:
    # Half past four in the afternoon of the 20th in UTC is already Saturday there.
    assert sample().day(datetime(2026, 11, 20, 16, 30, tzinfo=UTC)) == date(2026, 11, 21)


@given(
    st.integers(0, 334 * 24).map(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n)),
    st.integers(0, 40),
)
def test_as_many_working_days_pass_as_were_given(since: datetime, days: int) -> None:
    due = sample().due(since, days)
    assert sample().between(since, due) == days
    if days:
        # Not a day more than was needed: the last one counted.
        assert sample().between(since, due - timedelta(days=1)) == days - 1


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"zone": "Mars/Olympus"}, {"zone"}),
        ({"weekend": [1, 2, 3, 4, 5, 6, 7]}, {"weekend"}),
        ({"weekend": [True]}, {"weekend"}),
        ({"weekend": None}, {"weekend"}),
        ({"holidays": ["2026-13-01", 4], "workdays": "x"},
         {"holidays.0", "holidays.1", "workdays"}),
        ({"holidays": ["2026-10-10"]}, {"workdays"}),
        ({"periods": {}}, {f"periods.{name}" for name in PERIODS}),
        ({"periods": {**sample().periods, "review": 0, "tea": 1}},
         {"periods.review", "periods.tea"}),
        ({"periods": {**sample().periods, "review": True}}, {"periods.review"}),
    ],
)  # fmt: skip
def test_every_wrong_field_is_named(change: dict[str, Any], wrong: set[str]) -> None:
    with pytest.raises(Invalid) as error:
        read({**sample().as_json(), **change})
    assert {one.field for one in error.value.problems} == wrong


def test_a_calendar_without_working_days_ends() -> None:
    data = sample().as_json()
    start = date(2026, 11, 1)
    data["holidays"] = [(start + timedelta(days=n)).isoformat() for n in range(900)]
    data["workdays"] = []
    assert read(data).due(noon("2026-11-02"), 5) > noon("2026-11-02")


def test_it_is_read_as_it_was_written() -> None:
    assert read(sample().as_json()) == sample()
