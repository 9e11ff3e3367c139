"""Virtual servers, object storage and physical servers in a simulated region, by the service."""

from typing import Any

import pytest

from control_plane.provisioning import content
from foundation.kernel.errors import Invalid
from tests.contract.provisioning.conftest import BLUEPRINTS, FACTS, PLATFORM, World, text

MORE: dict[str, Any] = {
    "volume_types": {"standard": "standard", "fast": "fast"},
    "object_storage": {"s3_url": "https://objects.region.example", "policies": {"archive": "cold"}},
    "bare_servers": {"general": {"id": "metal", "cores": 64, "registered": 2}},
}
ORDERS: dict[str, dict[str, Any]] = {
    "virtual-server": {"servers": 2, "size": "s", "volume_gb": 10, "storage": "fast"},
    "object-storage": {"containers": ["in", "out"], "size_gb": 100, "storage_class": "archive"},
    "bare-server": {"servers": 2, "model": "general"},
}


@pytest.fixture
def stocked(world: World) -> World:
    """A world with these blueprints and a region that has all they need."""
    for name in ORDERS:
        world.service.publish(PLATFORM, content.read_folder(BLUEPRINTS / name))
    world.service.add_region(
        PLATFORM,
        slug="stocked",
        title=text("Stocked"),
        kinds=["openstack"],
        engine="embedded",
        config={"openstack": {**FACTS["openstack"], **MORE}},
        capacity={"bare_servers": 2, "object_gb": 1000, "instances": 10},
        data_classes=["internal"],
    )
    return world


def lives(
    world: World, blueprint: str, quota: dict[str, int], used: dict[tuple[str, str], int]
) -> None:
    plan = world.plan(blueprint=blueprint, region="stocked", inputs=ORDERS[blueprint])
    assert plan.blocked == ()
    assert plan.quota == quota
    sums: dict[tuple[str, str], int] = {}
    for each in plan.hourly:
        for value in each.dimensions.values():
            sums[each.meter, value] = sums.get((each.meter, value), 0) + int(each.per_hour)
    assert sums == used
    assert world.apply(plan).state == "active"
    wish = {"tenancy": plan.tenancy_id, "deployment": plan.deployment_id}
    again = world.service.make_plan(**wish, action="change", inputs=plan.inputs)
    assert set(again.counts) == {"same"}
    world.apply(world.service.make_plan(**wish, action="delete"))
    assert world.engine.region.things(plan.deployment_id) == []


def test_they_are_planned_made_and_returned(stocked: World) -> None:
    servers = {("server.instance_hours", "s"): 2, ("volume.gb_hours", "fast"): 20}
    quota = {"instances": 2, "vcpus": 2, "ram_gb": 4, "volume_gb": 20}
    lives(stocked, "virtual-server", quota, servers)
    stored = {("object.gb_hours", "archive"): 200}
    lives(stocked, "object-storage", {"object_gb": 200}, stored)
    machines = {("bare_server.hours", "general"): 2}
    lives(stocked, "bare-server", {"bare_servers": 2, "instances": 2}, machines)

    # No more physical servers than the region has left.
    wish = {"blueprint": "bare-server", "region": "stocked"}
    stocked.apply(stocked.plan(**wish, inputs={**ORDERS["bare-server"], "servers": 1}))
    two = stocked.plan(**wish, inputs=ORDERS["bare-server"], tenancy=stocked.water.id)
    assert {(f.policy, f.subject) for f in two.blocked} == {("capacity.region", "bare_servers")}


def test_a_region_without_it_is_refused_before_anything_is_planned(stocked: World) -> None:
    for blueprint, lacks in (
        ("object-storage", "object storage (openstack.object_storage)"),
        ("bare-server", "bare servers (openstack.bare_servers)"),
    ):
        wrong = {**ORDERS[blueprint], "colour": "red"}
        with pytest.raises(Invalid) as caught:
            stocked.plan(region="east", blueprint=blueprint, inputs=wrong)
        assert {p.field: p.message for p in caught.value.problems} == {
            "region": f"the region east has no {lacks}",
            "inputs.colour": "is not an input",
        }
