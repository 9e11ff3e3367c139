"""What orders expect of provisioning: the fake of the tests and the real service alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from control_plane.provisioning.model import DeploymentState, InventoryState, Plan
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Conflict, Invalid, NeedsApproval, NotFound
from foundation.kernel.paging import PageRequest
from marketplace.ports import Provisioner
from tests.contract.provisioning.conftest import cache, empty, furnished, host, world

__all__ = ["cache", "empty", "furnished", "host", "world"]

SYSTEM = Actor.system("test")
OWNER = "instance:ins_test"


@dataclass
class Place:
    """A provisioner with a tenancy to order for."""

    service: Provisioner
    tenancy: str
    inputs: Mapping[str, Any]

    def plan(self, **changed: Any) -> Plan:
        wish: dict[str, Any] = {
            "tenancy": self.tenancy, "action": "create", "region": "east",
            "blueprint": "web-application", "inputs": self.inputs, "name": "web", "owner": OWNER,
        }  # fmt: skip
        return self.service.make_plan(**{**wish, **changed})

    def again(self, plan: Plan, **changed: Any) -> Plan:
        return self.plan(**{"region": "", "deployment": plan.deployment_id, **changed})

    def apply(self, plan: Plan, operation: str = "") -> Any:
        return self.service.apply(plan.id, operation=operation or ids.new("op"), digest=plan.digest)

    def owned(self) -> list[str]:
        page = self.service.deployments(SYSTEM, PageRequest(), {"owner": OWNER})
        return [d.id for d in page.items if d.state is not DeploymentState.DESTROYED]


@pytest.fixture(params=["fake", "real"])
def place(request: pytest.FixtureRequest) -> Place:
    inputs = {"servers": 2, "size": "s", "volume_gb": 20}
    if request.param == "real":
        made = request.getfixturevalue("world")
        return Place(made.service, made.health.id, {"platform": "openstack", **inputs})
    from tests.contract.marketplace.conftest import build  # noqa: PLC0415 - only for the fake

    city = build(request.getfixturevalue("database"), request.getfixturevalue("clock"))
    return Place(city.provisioner, city.health.id, inputs)


def test_an_estimate_names_every_wrong_input(place: Place) -> None:
    def evaluate(inputs: Mapping[str, Any]) -> Any:
        return place.service.evaluate(
            SYSTEM, blueprint="web-application", inputs=inputs, region="east"
        )

    found = evaluate(place.inputs)
    assert found.quota["instances"] == 2
    assert {m.meter for m in found.hourly} >= {"server.instance_hours", "volume.gb_hours"}
    with pytest.raises(Invalid) as error:
        evaluate({**place.inputs, "servers": 99, "colour": 1})
    fields = [problem.field for problem in error.value.problems]
    assert sorted(fields) == ["inputs.colour", "inputs.servers"]
    # Looking at the inputs alone says the same of them.
    place.service.check_inputs(
        SYSTEM, blueprint="web-application", inputs=place.inputs, region="east"
    )
    with pytest.raises(Invalid) as alone:
        place.service.check_inputs(
            SYSTEM, blueprint="web-application", region="east",
            inputs={**place.inputs, "servers": 99, "colour": 1},
        )  # fmt: skip
    assert alone.value.problems == error.value.problems


def test_what_is_not_there_is_not_found(place: Place) -> None:
    for act in (
        lambda: place.service.find_revision("unknown"),
        lambda: place.service.region(SYSTEM, "unknown"),
    ):
        with pytest.raises(NotFound):
            act()
    assert place.service.find_revision("web-application").inputs["properties"]
    assert place.service.region(SYSTEM, "east").simulated


def test_planning_writes_one_deployment_down_and_repeats_itself(place: Place) -> None:
    plan = place.plan()
    assert place.owned() == [plan.deployment_id]
    assert plan.footprint["instances"] == 2
    again = place.again(plan)
    assert (again.digest, again.id) == (plan.digest, plan.id)
    assert place.owned() == [plan.deployment_id]
    assert place.again(plan, inputs={**place.inputs, "servers": 3}).digest != plan.digest
    with pytest.raises(Conflict):
        place.plan(owner="instance:ins_other")


def test_applying_twice_for_one_operation_makes_one_set(place: Place) -> None:
    plan = place.plan()
    with pytest.raises(NeedsApproval):
        place.service.apply(plan.id, operation="op_1", digest="sha256:" + "0" * 64)
    first = place.apply(plan, "op_1")
    assert (first.state, first.footprint["instances"]) == (DeploymentState.ACTIVE, 2)
    resources = place.service.resources(SYSTEM, plan.deployment_id)
    assert {r.state for r in resources} == {InventoryState.CREATED}
    assert place.apply(plan, "op_1").state is DeploymentState.ACTIVE
    assert place.service.resources(SYSTEM, plan.deployment_id) == resources
    with_id = next(r for r in resources if r.physical_id)
    known = place.service.resolve_resources([with_id.id, with_id.physical_id, "nothing"])
    assert {name: r.id for name, r in known.items()} == {
        with_id.id: with_id.id, with_id.physical_id: with_id.id,
    }  # fmt: skip


def test_a_change_and_a_return(place: Place) -> None:
    plan = place.plan()
    place.apply(plan)
    larger = place.again(plan, action="change", inputs={**place.inputs, "servers": 3})
    assert (larger.footprint["instances"], larger.quota["instances"]) == (3, 1)
    assert place.apply(larger).footprint["instances"] == 3
    back = place.service.make_plan(
        tenancy=place.tenancy, action="delete", deployment=plan.deployment_id
    )
    assert (back.footprint, back.hourly) == ({}, ())
    assert place.apply(back).state is DeploymentState.DESTROYED
    assert place.service.resources(SYSTEM, plan.deployment_id) == []
    assert place.owned() == []
    place.plan()  # the name is free again


def test_only_what_was_never_made_is_discarded(place: Place) -> None:
    plan = place.plan()
    place.service.discard(plan.deployment_id)
    assert place.owned() == []
    second = place.plan()
    place.apply(second)
    with pytest.raises(Conflict):
        place.service.discard(second.deployment_id)
