"""Virtual servers, object storage and physical servers in a simulated region, by the service."""

from typing import Any

import pytest

from control_plane.kernel.errors import Invalid
from control_plane.provisioning import content
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


@pytest.mark.parametrize(
    ("blueprint", "quota", "used"),
    [
        (
            "virtual-server",
            {"instances": 2, "vcpus": 2, "ram_gb": 4, "volume_gb": 20},
            {("server.instance_hours", "s"): 2, ("volume.gb_hours", "fast"): 20},
        ),
        ("object-storage", {"object_gb": 200}, {("object.gb_hours", "archive"): 200}),
        (
            "bare-server",
            {"bare_servers": 2, "instances": 2},
            {("bare_server.hours", "general"): 2},
        ),
    ],
)
def test_it_is_planned_made_and_returned(
    stocked: World, blueprint: str, quota: dict[str, int], used: dict[tuple[str, str], int]
) -> None:
    plan = stocked.plan(blueprint=blueprint, region="stocked", inputs=ORDERS[blueprint])
    assert plan.blocked == ()
    assert plan.quota == quota
    sums: dict[tuple[str, str], int] = {}
    for each in plan.hourly:
        for value in each.dimensions.values():
            sums[each.meter, value] = sums.get((each.meter, value), 0) + int(each.per_hour)
    assert sums == used
    assert stocked.apply(plan).state == "active"
    again = stocked.service.make_plan(
        tenancy=plan.tenancy_id, action="change", deployment=plan.deployment_id, inputs=plan.inputs
    )
    assert set(again.counts) == {"same"}
    gone = stocked.service.make_plan(
        tenancy=plan.tenancy_id, action="delete", deployment=plan.deployment_id
    )
    stocked.apply(gone)
    assert stocked.engine.region.things(plan.deployment_id) == []


@pytest.mark.parametrize(
    ("blueprint", "lacks"),
    [
        ("object-storage", "object storage (openstack.object_storage)"),
        ("bare-server", "bare servers (openstack.bare_servers)"),
    ],
)
def test_a_region_without_it_is_refused_before_anything_is_planned(
    stocked: World, blueprint: str, lacks: str
) -> None:
    wish = {"blueprint": blueprint, "inputs": {**ORDERS[blueprint], "colour": "red"}}
    with pytest.raises(Invalid) as caught:
        stocked.plan(region="east", **wish)
    assert {p.field: p.message for p in caught.value.problems} == {
        "region": f"the region east has no {lacks}",
        "inputs.colour": "is not an input",
    }


def test_no_more_physical_servers_than_the_region_has_left(stocked: World) -> None:
    one = {**ORDERS["bare-server"], "servers": 1}
    stocked.apply(stocked.plan(blueprint="bare-server", region="stocked", inputs=one))
    two = stocked.plan(
        blueprint="bare-server", region="stocked", inputs=ORDERS["bare-server"],
        tenancy=stocked.water.id,
    )  # fmt: skip
    assert {(f.policy, f.subject) for f in two.blocked} == {("capacity.region", "bare_servers")}
