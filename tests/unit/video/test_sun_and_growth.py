"""Where the sun stands, and how fast something grows."""

import math
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from workloads.video_analytics.vision.growth import FEWEST_DAYS, fit
from workloads.video_analytics.vision.sun import is_night, sun_elevation

DAY = date(2026, 6, 1)


def crossing(day: datetime, latitude: float, longitude: float, level: float, hours: range) -> float:
    """Minutes after ``day`` at which the sun passes a height."""
    before = None
    for minute in range(hours.start * 60, hours.stop * 60):
        height = sun_elevation(day + timedelta(minutes=minute), latitude, longitude) - level
        if before is not None and (before > 0) != (height > 0):
            return minute
        before = height
    raise AssertionError("it does not pass it")


@pytest.mark.parametrize(
    ("day", "place", "rise", "set_"),
    [  # published times in UTC, to the minute; the horizon is at −0.833° with refraction
        ("2024-06-21", (51.48, 0.0), "03:43", "20:21"),  # Greenwich
        ("2024-12-21", (51.48, 0.0), "08:04", "15:53"),
    ],
)
def test_sunrise_and_sunset_are_those_of_the_almanac(
    day: str, place: tuple[float, float], rise: str, set_: str
) -> None:
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    for when, hours in ((rise, range(12)), (set_, range(12, 24))):
        hour, minute = map(int, when.split(":"))
        found = crossing(start, *place, -0.833, hours)
        assert abs(found - (hour * 60 + minute)) <= 2


def test_the_noon_sun_of_the_solstices_is_right_and_years_do_not_matter() -> None:
    for year in (2000, 2026, 2060):
        for month, tilt in ((6, 23.44), (12, -23.44)):
            day = datetime(year, month, 21, tzinfo=UTC)
            height = max(sun_elevation(day + timedelta(minutes=n), 31.0, 0.0) for n in range(1440))
            assert height == pytest.approx(90 - 31.0 + tilt, abs=0.03)


def test_civil_night_is_shorter_than_the_suns_absence_and_poles_have_none_or_nothing_else() -> None:
    day = datetime(2026, 3, 20, tzinfo=UTC)
    minutes = [day + timedelta(minutes=n) for n in range(1440)]
    night = sum(is_night(at, 31.2, 121.5) for at in minutes)
    dark = sum(sun_elevation(at, 31.2, 121.5) < -0.833 for at in minutes)
    assert 660 < night < dark < 730
    midsummer = datetime(2026, 6, 21, tzinfo=UTC)
    hours = [midsummer + timedelta(hours=n) for n in range(24)]
    assert not any(is_night(at, 78.0, 15.0) for at in hours)
    assert all(is_night(at, -85.0, 15.0) for at in hours)


def test_the_sun_does_not_care_for_the_zone_that_a_time_is_given_in() -> None:
    at = datetime(2026, 6, 10, 4, 0, tzinfo=UTC)
    shanghai = at.astimezone(ZoneInfo("Asia/Shanghai"))
    assert sun_elevation(at, 31.2, 121.5) == sun_elevation(shanghai, 31.2, 121.5)


def days(rate: float, count: int, wobble: float, seed: int) -> list[tuple[date, float]]:
    random = np.random.default_rng(seed)
    return [
        (DAY + timedelta(n), 0.05 * (1 + rate) ** n * math.exp(random.normal(0, wobble)))
        for n in range(count)
    ]


def test_growth_without_noise_is_found_and_the_day_of_the_threshold_with_it() -> None:
    growth = fit(days(0.08, 8, 0.0, 1), 0.2)
    assert growth is not None
    assert growth.rate == pytest.approx(0.08, abs=1e-9)
    assert growth.low == pytest.approx(0.08, abs=1e-6)
    # 0.05 × 1.08^n reaches 0.2 between the 18th and the 19th day after the first.
    assert growth.crossing == growth.earliest == growth.latest == DAY + timedelta(19)


@pytest.mark.parametrize("count", [4, 10])
def test_the_interval_holds_the_true_rate_as_often_as_it_says(count: int) -> None:
    inside = 0
    for seed in range(1000):
        growth = fit(days(0.08, count, 0.05, seed), 0.3)
        assert growth is not None
        inside += growth.low <= 0.08 <= growth.high
    assert 0.93 <= inside / 1000 <= 0.97  # 95 % ± 3 deviations of 1,000 trials


def test_shrinking_never_reaches_a_threshold_above_it() -> None:
    growth = fit(days(-0.1, 8, 0.01, 3), 0.2)
    assert growth is not None
    assert growth.high < 0
    assert (growth.crossing, growth.latest) == (None, None)


def test_a_threshold_that_is_passed_is_reached_today() -> None:
    given = days(0.08, 10, 0.0, 1)
    growth = fit(given, 0.06)
    assert growth is not None
    assert growth.crossing == given[-1][0]


@pytest.mark.parametrize(
    "given",
    [[], days(0.1, FEWEST_DAYS - 1, 0, 1), [(DAY + timedelta(n), 0.0) for n in range(9)],
     [(DAY + timedelta(n), 0.9) for n in range(9)], [(DAY, 0.1)] * 9],
)  # fmt: skip
def test_too_little_to_fit_says_nothing(given: list[tuple[date, float]]) -> None:
    assert fit(given, 0.3) is None
