from decimal import Decimal

import pytest

from control_plane.tenancy.model import (
    RESOURCES,
    DataClass,
    Reservation,
    ReservationState,
    TenancyId,
    ancestors,
    check_amounts,
    check_slug,
    depth_of,
    parse_amount,
)
from foundation.kernel.errors import Collector, Invalid


@pytest.mark.parametrize("slug", ["a", "a1", "health-bureau", "a" * 40])
def test_slugs(slug: str) -> None:
    found = Collector()
    check_slug(found, slug)
    assert found.problems == []


@pytest.mark.parametrize("slug", ["", "A", "-a", "a-", "a--b", "1a", "a" * 41, "a\n", "a/b", "名"])
def test_no_slugs(slug: str) -> None:
    found = Collector()
    check_slug(found, slug)
    assert [p.field for p in found.problems] == ["slug"]


def test_paths() -> None:
    assert depth_of("/city/") == 0
    assert ancestors("/city/health/clinics/") == (
        "/city/",
        "/city/health/",
        "/city/health/clinics/",
    )


def test_data_classes_are_ordered() -> None:
    assert [c.rank for c in (DataClass.PUBLIC, DataClass.INTERNAL, DataClass.SENSITIVE)] == [
        0,
        1,
        2,
    ]


def test_resources_have_both_languages_and_are_sorted() -> None:
    assert list(RESOURCES) == sorted(RESOURCES)
    assert all(r.title.en and r.title.zh for r in RESOURCES.values())


@pytest.mark.parametrize("value", [0, 3, "0.5", 2.25, Decimal("1e3")])
def test_amounts(value: object) -> None:
    assert parse_amount(value, "x") == Decimal(str(value))


@pytest.mark.parametrize("value", [True, "", "x", "NaN", "1e99", -1, "0.0001", None, [1]])
def test_no_amounts(value: object) -> None:
    with pytest.raises(Invalid) as error:
        parse_amount(value, "limits.vcpus")
    assert [p.field for p in error.value.problems] == ["limits.vcpus"]


def test_all_wrong_amounts_are_named() -> None:
    with pytest.raises(Invalid) as error:
        check_amounts({"gold": Decimal(1), "vcpus": Decimal("NaN"), "ram_gb": Decimal(1)})
    assert [p.field for p in error.value.problems] == ["amounts.gold", "amounts.vcpus"]
    assert check_amounts({"vcpus": Decimal(0), "ram_gb": Decimal(-1)}) == {"ram_gb": Decimal(-1)}


def test_only_what_is_taken_is_held_beforehand() -> None:
    amounts = {"vcpus": Decimal(2), "ram_gb": Decimal(-3)}
    effects = {
        state: Reservation("k", TenancyId("ten_1"), amounts, state).effect()
        for state in ReservationState
    }
    assert effects == {
        ReservationState.RESERVED: {"vcpus": (2, 0), "ram_gb": (0, 0)},
        ReservationState.CONSUMED: {"vcpus": (0, 2), "ram_gb": (0, -3)},
        ReservationState.RELEASED: {"vcpus": (0, 0), "ram_gb": (0, 0)},
    }
