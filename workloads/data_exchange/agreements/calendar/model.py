"""Working days: which days count, and when so many of them have passed.

The sample (``sample.json``) has the holidays and make-up working days of 2026 as the General Office
of the State Council announced them on 4 November 2025. Its periods are those of published rules of
provinces (two working days to review an application, ten for the department that holds the data to
answer it); each city enters its own.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from foundation.kernel.errors import Collector

#: The periods that a calendar gives, in working days: how long a request may wait in each state.
PERIODS = ("compliance", "review", "clarification", "offered", "refused", "disputed")
LONGEST_PERIOD = 250
#: Days that may be named: eight years of weekends and holidays.
MOST_DAYS = 1000
_WEEK = 7
#: The longest run of days off that is believed; a calendar without working days would never end.
_LONGEST_REST = 60


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """Which days count.

    Attributes:
        zone: IANA name of the city's time zone; days begin at its midnight.
        weekend: days of the week off, ISO numbers (7 is Sunday).
        holidays: further days off.
        workdays: days of a weekend on which one works, such as make-up days; they win.
        periods: working days for each of ``PERIODS``.
    """

    zone: str
    weekend: frozenset[int]
    holidays: frozenset[date]
    workdays: frozenset[date]
    periods: Mapping[str, int] = field(default_factory=dict)

    def works(self, day: date) -> bool:
        """Whether it is a working day."""
        if day in self.workdays:
            return True
        return day.isoweekday() not in self.weekend and day not in self.holidays

    def knows(self, year: int) -> bool:
        """Whether any holiday of a year was entered; else only its weekends are off."""
        return any(day.year == year for day in self.holidays)

    def day(self, at: datetime) -> date:
        """The day in the city on which a moment falls."""
        return at.astimezone(ZoneInfo(self.zone)).date()

    def due(self, since: datetime, days: int) -> datetime:
        """When so many working days are over: the midnight that ends the last of them, in UTC.

        The day of ``since`` does not count; with none to count it is the one that is over.
        """
        last, left, rest = self.day(since), days, 0
        while left > 0 and rest < _LONGEST_REST:
            last += timedelta(days=1)
            counts = self.works(last)
            left -= counts
            rest = 0 if counts else rest + 1
        midnight = datetime.combine(last + timedelta(days=1), time(), ZoneInfo(self.zone))
        return midnight.astimezone(UTC)

    def between(self, since: datetime, until: datetime) -> int:
        """The working days between the days of two moments, neither of which counts."""
        at, end, found = self.day(since) + timedelta(days=1), self.day(until), 0
        while at < end:
            found += self.works(at)
            at += timedelta(days=1)
        return found

    def as_json(self) -> dict[str, Any]:
        """As it is kept and sent; ``read`` reads it."""
        return {
            "zone": self.zone,
            "weekend": sorted(self.weekend),
            "holidays": sorted(day.isoformat() for day in self.holidays),
            "workdays": sorted(day.isoformat() for day in self.workdays),
            "periods": {name: self.periods[name] for name in PERIODS},
        }


def read(data: Mapping[str, Any]) -> WorkingCalendar:
    """A calendar from its JSON form.

    Raises:
        Invalid: names every wrong field.
    """
    wrong = Collector()
    zone, weekend = data.get("zone"), data.get("weekend")
    wrong.check(
        isinstance(zone, str) and zone in available_timezones(), "zone", "is no IANA time zone"
    )
    days: list[Any] = weekend if isinstance(weekend, list) else [None]
    plain = all(type(one) is int and 1 <= one <= _WEEK for one in days)
    wrong.check(
        plain and len(set(days)) < _WEEK,
        "weekend",
        "must name at most six days of the week, 1 to 7",
    )
    holidays = _days(data.get("holidays"), "holidays", wrong)
    workdays = _days(data.get("workdays"), "workdays", wrong)
    for day in sorted(holidays & workdays):
        wrong.check(False, "workdays", f"names {day}, which is a holiday too", "conflict")
    periods = _periods(data.get("periods"), wrong)
    wrong.finish()
    return WorkingCalendar(
        str(zone), frozenset(days), frozenset(holidays), frozenset(workdays), periods
    )


def _days(given: Any, field: str, wrong: Collector) -> set[date]:  # noqa: ANN401 - outside data
    if not isinstance(given, list) or len(given) > MOST_DAYS:
        wrong.check(False, field, f"must be a list of at most {MOST_DAYS} days")
        return set()
    found = set()
    for n, one in enumerate(given):
        try:
            found.add(date.fromisoformat(one))
        except (TypeError, ValueError):
            wrong.check(False, f"{field}.{n}", "must be a day such as 2026-10-01")
    return found


def _periods(given: Any, wrong: Collector) -> dict[str, int]:  # noqa: ANN401 - outside data
    pairs = given if isinstance(given, Mapping) else {}
    for name in PERIODS:
        days = pairs.get(name)
        wrong.check(
            type(days) is int and 1 <= days <= LONGEST_PERIOD,
            f"periods.{name}",
            f"must be 1 to {LONGEST_PERIOD} working days",
        )
    for name in sorted(set(map(str, pairs)) - set(PERIODS)):
        wrong.check(False, f"periods.{name}", "is no period of a request", "unknown")
    return {str(name): days for name, days in pairs.items()}


@functools.cache
def sample() -> WorkingCalendar:
    """The calendar until somebody enters another."""
    return read(json.loads(resources.files(__package__).joinpath("sample.json").read_text("utf-8")))
