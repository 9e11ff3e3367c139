from typing import Any

import pytest
import sqlalchemy as sa

from control_plane.provisioning.model import Reachability
from control_plane.provisioning.ports import RegionAccess
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from tests.contract.provisioning.conftest import PLATFORM, World, person, text

PASSWORD = "open-sesame-0815"


def wish(**changed: Any) -> dict[str, Any]:
    return {
        "slug": "north",
        "title": text("North"),
        "kinds": ["openstack"],
        "engine": "pulumi",
        "config": {"openstack": {"auth_url": "http://127.0.0.1:5000/v3"}},
        "credentials": {
            "openstack": {"user_name": "admin", "password": PASSWORD, "project_name": "admin"}
        },
        **changed,
    }


def test_a_region_keeps_its_credentials_to_itself(world: World) -> None:
    made = world.service.add_region(PLATFORM, **wish())
    assert made.has_credentials == {"openstack"}
    assert PASSWORD not in repr(made)
    with world.database.transaction():
        row = world.database.execute(
            sa.text("SELECT * FROM provisioning_region WHERE slug = 'north'")
        ).one()
    assert PASSWORD not in repr(row)
    access = world.service.region_access("north")
    assert access.credentials["openstack"]["password"] == PASSWORD  # type: ignore[index]
    assert PASSWORD not in repr(access)
    assert PASSWORD not in repr(world.audit.entries)


def test_the_same_region_again_is_the_same_and_another_one_is_a_conflict(world: World) -> None:
    made = world.service.add_region(PLATFORM, **wish())
    assert world.service.add_region(PLATFORM, **wish()).id == made.id
    other = {"openstack": {"user_name": "admin", "password": "another", "project_name": "admin"}}
    for changed in ({"credentials": other}, {"capacity": {"vcpus": 1}}, {"engine": "embedded"}):
        with pytest.raises(Conflict):
            world.service.add_region(PLATFORM, **wish(**changed))


def test_every_wrong_field_of_a_region_is_named(world: World) -> None:
    with pytest.raises(Invalid) as caught:
        world.service.add_region(
            PLATFORM,
            **wish(
                slug="No Slug",
                kinds=["openstack", "moon"],
                config={"kubernetes": {}},
                credentials={"openstack": {"user_name": " "}},
                capacity={"servers": 1, "vcpus": -1},
                data_classes=["secret"],
            ),
        )
    assert {p.field for p in caught.value.problems} == {
        "slug",
        "kinds",
        "config.kubernetes",
        "config.openstack.auth_url",
        "credentials.openstack.user_name",
        "credentials.openstack.password",
        "credentials.openstack.project_name",
        "capacity.servers",
        "capacity.vcpus",
        "data_classes",
    }


def test_only_the_platform_adds_regions_and_all_see_them(world: World) -> None:
    with pytest.raises(Forbidden):
        world.service.add_region(person("operator"), **wish())
    page = world.service.regions(person("member", "/city/water/"), PageRequest())
    assert [r.slug for r in page.items] == ["east"]
    with pytest.raises(NotFound):
        world.service.region(PLATFORM, "west")


def test_a_region_is_asked_by_the_probe_of_each_kind(world: World) -> None:
    class Probe:
        def check(self, region: RegionAccess) -> Reachability:
            password = region.credentials["openstack"]["password"]  # type: ignore[index,call-overload]
            return Reachability("openstack", password == PASSWORD, "ok")

    assert [r.ok for r in world.service.check_region(PLATFORM, "east")] == [True, True]
    world.service.add_region(PLATFORM, **wish())
    (answer,) = world.service.check_region(PLATFORM, "north")
    assert not answer.ok
    assert "nothing on this machine" in answer.message
    world.probes["openstack"] = Probe()
    (answer,) = world.service.check_region(PLATFORM, "north")
    assert answer.ok
