"""The fleet on real PostgreSQL, with the embedded engine and a region that a fake answers for."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from control_plane.provisioning.fleet.model import Measured
from control_plane.provisioning.fleet.service import Fleet, Needs
from control_plane.provisioning.fleet.store import PostgresFleet
from control_plane.provisioning.model import Reachability, RegionState
from control_plane.provisioning.ports import RegionAccess
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from tests.contract.provisioning.conftest import PLATFORM, SMALL, World, person, text

OPERATOR = person("operator")
MEMBER = person("member", "/city/health/")


class Cloud:
    """A cloud that answers as it is told: its probe and its reader."""

    def __init__(self) -> None:
        self.ok = True
        self.has: Mapping[str, Measured] = {"vcpus": Measured(Decimal(16), Decimal(10))}
        self.silent = False

    def check(self, region: RegionAccess) -> Reachability:
        return Reachability("openstack", self.ok, f"{region.id} said so")

    def read(self, region: RegionAccess) -> Mapping[str, Measured]:
        if self.silent:
            raise Unavailable("away", 1, region=region.id)
        return self.has


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def fleet(world: World, cloud: Cloud) -> Fleet:
    world.probes["openstack"] = cloud
    return Fleet(
        Needs(
            PostgresFleet(world.database), world.service, world.tenancies, world.database,
            world.clock, world.audit, {"openstack": cloud},
        )
    )  # fmt: skip


def add_real(world: World, slug: str = "west", **config: Any) -> None:
    world.service.add_region(
        PLATFORM, slug=slug, title=text(slug), kinds=["openstack"], engine="pulumi",
        config={"openstack": {"auth_url": "https://west.example/v3", **config}},
        credentials={"openstack": {"user_name": "a", "password": "b", "project_name": "c"}},
    )  # fmt: skip


def test_a_region_is_looked_at(fleet: Fleet, world: World, cloud: Cloud, clock: Any) -> None:
    add_real(world, overcommit={"vcpus": "1.5"})
    assert fleet.condition(MEMBER, "west").answers is None
    seen = fleet.look(PLATFORM, "west")
    assert seen.answers is True
    (room,) = seen.rooms
    assert (room.total, room.free, room.at) == (Decimal(24), Decimal(14), clock.now())
    began = clock.now()
    clock.advance(minutes=5)
    assert fleet.look(PLATFORM, "west").sights[0].since == began
    cloud.ok = False
    clock.advance(minutes=5)
    gone = fleet.look(PLATFORM, "west")
    assert (gone.answers, gone.sights[0].since) == (False, clock.now())
    # What was measured stands, with its age.
    assert gone.rooms[0].at == began + timedelta(minutes=5)


def test_a_cloud_that_ends_in_the_middle_keeps_its_last_room(
    fleet: Fleet, world: World, cloud: Cloud
) -> None:
    add_real(world)
    before = fleet.look(PLATFORM, "west").rooms
    cloud.silent = True
    assert fleet.look(PLATFORM, "west").rooms == before


@pytest.mark.parametrize("odd", ["many", "-1", "0", "NaN", None, [1]])
def test_an_odd_overcommit_is_once(fleet: Fleet, world: World, odd: Any) -> None:
    add_real(world, overcommit={"vcpus": odd})
    assert fleet.look(PLATFORM, "west").rooms[0].overcommit == 1


def test_a_simulated_region_says_so(fleet: Fleet) -> None:
    seen = fleet.look(PLATFORM, "east")
    assert seen.answers
    assert all("simulated" in one.message for one in seen.sights)
    assert seen.rooms == ()


def test_a_cordoned_region_takes_nothing_new(fleet: Fleet, world: World) -> None:
    there = world.apply(world.plan())
    closed = fleet.close(OPERATOR, "east", state="cordoned", reason="Full by spring.")
    assert closed.closure is not None
    assert (closed.closure.reason, closed.closure.by) == ("Full by spring.", OPERATOR.id)
    with pytest.raises(Conflict, match="takes nothing new"):
        world.plan(name="second")
    changed = world.plan(
        action="change", deployment=there.id, inputs={**SMALL, "servers": 3}, region=""
    )
    assert world.apply(changed).state == "active"
    world.apply(world.plan(action="delete", deployment=there.id, region="", inputs={}))
    fleet.open(OPERATOR, "east")
    assert fleet.condition(MEMBER, "east").closure is None
    world.plan(name="second")


def test_nothing_is_done_to_a_region_under_maintenance(
    fleet: Fleet, world: World, clock: Any
) -> None:
    plan = world.plan()
    until = clock.now() + timedelta(hours=2)
    fleet.close(OPERATOR, "east", state="maintenance", reason="New switches.", until=until)
    with pytest.raises(Unavailable, match="under maintenance"):
        world.apply(plan)
    clock.advance(hours=1)
    fleet.look_at_all()
    assert fleet.condition(MEMBER, "east").region.state is RegionState.MAINTENANCE
    clock.advance(hours=1)
    fleet.look_at_all()
    assert fleet.condition(MEMBER, "east").region.state is RegionState.ACTIVE
    assert world.apply(plan).state == "active"
    assert [e["action"] for e in world.audit.entries if e["subject"] == world.region.id][-2:] == [
        "region.close", "region.close",
    ]  # fmt: skip


def test_a_cordon_does_not_end_by_itself(fleet: Fleet, clock: Any) -> None:
    until = clock.now() + timedelta(hours=1)
    fleet.close(OPERATOR, "east", state="cordoned", reason="For now.", until=until)
    clock.advance(hours=2)
    fleet.look_at_all()
    assert fleet.condition(MEMBER, "east").region.state is RegionState.CORDONED


def test_every_wrong_field_is_named(fleet: Fleet, clock: Any) -> None:
    with pytest.raises(Invalid) as caught:
        fleet.close(OPERATOR, "east", state="gone", reason=" ", until=clock.now())
    assert {p.field for p in caught.value.problems} == {"state", "reason", "until"}


def test_who_may(fleet: Fleet) -> None:
    with pytest.raises(Forbidden):
        fleet.close(MEMBER, "east", state="cordoned", reason="mine")
    with pytest.raises(Forbidden):
        fleet.look(MEMBER, "east")
    with pytest.raises(NotFound):
        fleet.condition(MEMBER, "nowhere")


def test_a_wish_is_placed(fleet: Fleet, world: World) -> None:
    wish: dict[str, Any] = {
        "blueprint": "web-application", "inputs": SMALL, "tenancy": world.health.slug,
    }  # fmt: skip
    (only,) = fleet.placements(MEMBER, **wish)
    assert (only.region.slug, only.fits, only.is_home) == ("east", True, False)
    assert only.left == Decimal(18) / 20  # two of twenty servers are the tightest
    world.apply(world.plan())
    (home,) = fleet.placements(MEMBER, **wish)
    assert home.is_home
    big = {**SMALL, "servers": 16, "size": "l"}
    (full,) = fleet.placements(MEMBER, **{**wish, "inputs": big})
    assert not full.fits
    assert any("vcpus" in one.en for one in full.against)
    with pytest.raises(Invalid):
        fleet.placements(MEMBER, **{**wish, "inputs": {"servers": "many"}})
    with pytest.raises(NotFound):
        fleet.placements(MEMBER, **{**wish, "tenancy": world.water.slug})
