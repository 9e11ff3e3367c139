"""Placement, and the room of regions."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from control_plane.provisioning.fleet.model import (
    Candidate,
    Condition,
    Measured,
    Room,
    Sight,
    free,
    rank,
)
from control_plane.provisioning.model import EngineKind, Region, RegionId, RegionState
from foundation.kernel.text import Text

NOW = datetime(2026, 11, 3, tzinfo=UTC)
ALL = frozenset({"public", "internal", "sensitive"})


def region(slug: str, **changed: Any) -> Region:
    values: dict[str, Any] = {
        "id": RegionId(f"reg_{slug}"), "slug": slug, "title": Text(slug, slug),
        "kinds": frozenset({"openstack"}), "engine": EngineKind.PULUMI, "simulated": False,
        "config": {}, "capacity": {"vcpus": Decimal(100)}, "data_classes": ALL,
        "state": RegionState.ACTIVE, "has_credentials": frozenset(), "created_at": NOW,
    }  # fmt: skip
    return Region(**{**values, **changed})


def candidate(slug: str, **changed: Any) -> Candidate:
    own = {"rooms": (), "sights": (), "problem": None, "held": {}, "needs": {}, "is_home": False}
    given = {name: changed.pop(name, default) for name, default in own.items()}
    condition = Condition(region(slug, **changed), None, given["sights"], given["rooms"])
    needs = given["needs"] or {"vcpus": Decimal(10)}
    return Candidate(condition, given["problem"], needs, given["held"], given["is_home"])


def room(total: int, used: int, overcommit: str = "1", resource: str = "vcpus") -> Room:
    return Room(resource, Measured(Decimal(total), Decimal(used)), Decimal(overcommit), NOW)


def sight(*, ok: bool) -> Sight:
    return Sight(RegionId("reg_a"), "openstack", ok, "", {}, NOW, NOW)


def names(*candidates: Candidate, data_class: str = "internal") -> list[tuple[str, bool]]:
    return [(p.region.slug, p.fits) for p in rank(candidates, data_class, ALL)]


def test_the_region_that_is_left_with_the_most_comes_first() -> None:
    full = candidate("full", held={"vcpus": Decimal(80)})
    empty = candidate("empty")
    assert names(full, empty) == [("empty", True), ("full", True)]


def test_the_tenancys_own_region_comes_before_an_emptier_one() -> None:
    home = candidate("home", held={"vcpus": Decimal(80)}, is_home=True)
    assert names(candidate("empty"), home) == [("home", True), ("empty", True)]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"held": {"vcpus": Decimal("90.5")}}, "It has 9.5 of vcpus left, 10 are needed."),
        ({"rooms": (room(16, 7),)}, "It has 9 of vcpus left, 10 are needed."),
        ({"data_classes": frozenset({"public"})}, "It may not keep internal data."),
        ({"state": RegionState.CORDONED}, "It takes nothing new."),
        ({"state": RegionState.MAINTENANCE}, "It is under maintenance."),
        ({"sights": (sight(ok=False),)}, "It does not answer (openstack)."),
        ({"problem": Text("no image", "无镜像")}, "no image"),
    ],
)
def test_why_a_region_does_not_suit(changed: dict[str, Any], said: str) -> None:
    (found,) = rank([candidate("a", **changed)], "internal", ALL)
    assert not found.fits
    assert [text.en for text in found.against] == [said]
    assert all(text.zh for text in found.against)


def test_every_reason_is_named() -> None:
    bad = candidate("a", data_classes=frozenset(), held={"vcpus": Decimal(100)})
    (found,) = rank([bad], "sensitive", frozenset({"public"}))
    assert len(found.against) == 3


def test_what_is_given_back_needs_no_room() -> None:
    full = candidate("a", held={"vcpus": Decimal(100)}, needs={"vcpus": Decimal(-4)})
    assert names(full) == [("a", True)]


def test_what_nobody_bounds_fits() -> None:
    (found,) = rank([candidate("a", capacity={})], "internal", ALL)
    assert (found.fits, found.left) == (True, None)


def test_room_is_the_smaller_of_declared_and_measured() -> None:
    condition = candidate(
        "a", rooms=(room(60, 50, "2"), room(500, 20, resource="ram_gb"))
    ).condition
    assert free(condition, {"vcpus": Decimal(10)}) == {"vcpus": Decimal(70), "ram_gb": Decimal(480)}
    assert free(condition, {"vcpus": Decimal(95)})["vcpus"] == Decimal(5)


def test_more_in_use_than_there_is_is_no_room() -> None:
    assert room(4, 9).free == 0
