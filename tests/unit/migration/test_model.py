"""Figures of migration: shares, days, targets."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from control_plane.tenancy.migration.model import (
    STEPS,
    Count,
    MigrationState,
    Past,
    Target,
    TargetState,
    count,
    progress,
)

S = MigrationState


def at(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 12, tzinfo=UTC)


def past(*states: tuple[datetime, S], path: str = "/city/a/", wave: str = "") -> Past:
    return Past(path, wave, at(2026, 1, 1), states)


FOUR = [
    past((at(2026, 1, 10), S.MOVED), (at(2026, 2, 10), S.VERIFIED), wave="one"),
    past((at(2026, 3, 10), S.MOVED), (at(2026, 3, 20), S.IN_PROGRESS)),
    past((at(2026, 4, 10), S.MOVED), path="/city/b/office/"),
    past(),
]


def test_every_state_can_be_reached_and_left() -> None:
    assert set(STEPS) == set(S)
    assert {to for ways in STEPS.values() for to in ways} == set(S) - {S.OPEN}


def test_a_system_that_went_back_counts_as_it_is_then() -> None:
    assert count(FOUR, at(2026, 3, 15)).arrived == 2
    assert count(FOUR, at(2026, 3, 25)).arrived == 1


def test_a_system_is_counted_from_when_it_was_known() -> None:
    early = Past("/city/", "", at(2026, 6, 1), ((at(2026, 2, 1), S.MOVED),))
    late = Past("/city/", "", at(2026, 6, 1), ())
    assert count([early, late], at(2026, 3, 1)).total == 1
    assert count([early, late], at(2026, 7, 1)).total == 2


def test_exempt_systems_are_not_waited_for() -> None:
    found = Count({**dict.fromkeys(S, 0), S.MOVED: 2, S.EXEMPT: 5, S.OPEN: 1})
    assert (found.total, found.arrived, found.percent) == (3, 2, Decimal("66.6"))


def test_a_share_is_never_rounded_up_to_a_target() -> None:
    found = Count({**dict.fromkeys(S, 0), S.MOVED: 1999, S.OPEN: 1})
    assert found.percent == Decimal("99.9")
    assert Count(dict.fromkeys(S, 0)).percent == 0


def test_the_series_has_each_month_and_now() -> None:
    found = progress("/city/", FOUR, (), at(2026, 4, 15))
    assert [(day, c.arrived) for day, c in found.series] == [
        (date(2026, 1, 31), 1), (date(2026, 2, 28), 1), (date(2026, 3, 31), 1),
        (date(2026, 4, 15), 2),
    ]  # fmt: skip


def test_groups_are_just_below_the_path() -> None:
    found = progress("/city/", [*FOUR, past(path="/city/")], (), at(2026, 4, 15))
    assert {name: c.total for name, c in found.organisations.items()} == {
        "/city/": 1, "/city/a/": 3, "/city/b/": 1,
    }  # fmt: skip
    assert {name: c.total for name, c in found.waves.items()} == {"": 4, "one": 1}


@pytest.mark.parametrize(
    ("due", "percent", "state", "missing"),
    [
        (date(2026, 2, 28), 25, TargetState.MET, 0),
        (date(2026, 2, 28), 26, TargetState.MISSED, 1),
        (date(2026, 4, 9), 50, TargetState.MISSED, 1),
        # The day itself counts until its end.
        (date(2026, 4, 10), 50, TargetState.MET, 0),
        (date(2026, 12, 31), 50, TargetState.MET, 0),
        (date(2026, 12, 31), 51, TargetState.OPEN, 1),
        (date(2026, 12, 31), 100, TargetState.OPEN, 2),
    ],
)
def test_a_target(due: date, percent: int, state: TargetState, missing: int) -> None:
    wanted = Target("/city/", due, Decimal(percent))
    (found,) = progress("/city/", FOUR, [wanted], at(2026, 4, 15)).targets
    assert (found.state, found.missing) == (state, missing)
    assert (found.per_week is None) == (due < date(2026, 4, 15))


def test_what_is_missing_is_spread_over_the_weeks_that_are_left() -> None:
    wanted = Target("/city/", date(2026, 4, 28), Decimal(100))
    (found,) = progress("/city/", FOUR, [wanted], at(2026, 4, 15)).targets
    assert (found.missing, found.per_week) == (2, Decimal("1.0"))
