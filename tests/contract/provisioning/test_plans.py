from decimal import Decimal
from typing import Any

import pytest
import yaml

from control_plane.provisioning import content
from control_plane.provisioning.model import DifferenceKind, Plan, Severity, plan_from
from foundation.kernel.canonical import digest
from foundation.kernel.errors import Conflict, Invalid, NotFound
from foundation.kernel.paging import PageRequest
from tests.contract.provisioning.conftest import (
    BUNDLED,
    FACTS,
    PLATFORM,
    SMALL,
    World,
    person,
    text,
)

BOTH = ["openstack", "kubernetes"]


def wrong(world: World, **changed: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        world.plan(**changed)
    return {p.field: p.message for p in caught.value.problems}


def newer_blueprint(world: World, **changed: Any) -> str:
    files = content.read_folder(BUNDLED[1])
    document = yaml.safe_load(files["blueprint.yaml"])
    program = changed.pop("program", None)
    document.update(version="9.0.0", **changed)
    files["blueprint.yaml"] = yaml.safe_dump(document, allow_unicode=True).encode()
    if program:
        files["cloud.py"] = files["cloud.py"].replace(*(part.encode() for part in program))
    return world.service.publish(PLATFORM, files).digest


def test_the_same_wish_has_the_same_digest_and_is_one_plan(world: World) -> None:
    plan = world.plan()
    again = world.again(plan)
    assert (again.id, again.digest) == (plan.id, plan.digest)
    assert again.created_at == plan.created_at


def test_a_stored_plan_is_the_plan(world: World) -> None:
    plan = world.plan()
    with world.database.transaction():
        kept = world.service.plan_in_transaction(plan.id)
    assert kept == plan
    assert digest(plan.document()) == plan.digest
    assert plan_from(plan.id, plan.document(), plan.capacity, plan.created_at) == plan


def test_a_plan_says_what_it_makes_takes_and_uses(world: World) -> None:
    plan = world.plan(inputs={**SMALL, "servers": 3, "size": "m", "volume_gb": 40})
    names = [c.name for c in plan.changes]
    assert {"server-1", "server-2", "server-3"} <= set(names)
    assert plan.quota == plan.footprint
    assert plan.quota["instances"] == 3
    assert plan.quota["vcpus"] == 6
    assert plan.quota["ram_gb"] == 12
    used = {(m.meter, m.dimensions.get("flavor")): m.per_hour for m in plan.hourly}
    assert used["server.instance_hours", "m"] == 1
    assert plan.capacity["vcpus"] == Decimal(40)
    assert plan.blocked == ()
    assert plan.counts["create"] == len(plan.changes) + len(plan.preparation.changes)  # type: ignore[union-attr]


def test_a_plan_has_no_effect_but_its_rows(world: World) -> None:
    plan = world.plan()
    assert world.service.resources(PLATFORM, plan.deployment_id) == []
    assert world.engine.region.things(plan.deployment_id) == []
    assert world.service.deployment(PLATFORM, plan.deployment_id).state == "pending"


def test_every_wrong_input_is_named_and_nothing_is_written_down(world: World) -> None:
    assert set(wrong(world, inputs={"servers": 0, "size": "xxl", "colour": "red"})) == {
        "inputs.servers",
        "inputs.size",
        "inputs.colour",
    }
    assert world.service.deployments(PLATFORM, PageRequest()).items == ()


def test_a_region_must_have_what_the_inputs_ask_for(world: World) -> None:
    world.service.add_region(
        PLATFORM, slug="servers", title=text("Servers"), kinds=["openstack"], engine="embedded",
        config={"openstack": FACTS["openstack"]},
    )  # fmt: skip
    assert wrong(world, region="servers", inputs={**SMALL, "platform": "kubernetes"}) == {
        "inputs.platform": "the region servers has no kubernetes"
    }
    assert set(wrong(world, region="servers", blueprint=newer_blueprint(world, kinds=BOTH))) == {
        "region"
    }


def test_a_blueprint_for_either_kind_goes_into_a_region_of_one(world: World) -> None:
    """What was left out is what the region has; the tenancy is prepared there alone."""
    small = {name: value for name, value in SMALL.items() if name != "platform"}
    for slug, kind in (("servers", "openstack"), ("pods", "kubernetes")):
        world.service.add_region(
            PLATFORM, slug=slug, title=text(slug), kinds=[kind], engine="embedded",
            config={kind: FACTS[kind]},
        )  # fmt: skip
        plan = world.plan(region=slug, name=slug, inputs=small)
        assert plan.inputs["platform"] == kind
        assert plan.preparation is not None
        assert plan.preparation.inputs["platforms"] == [kind]
        made = {c.type.partition(":")[0] for c in (*plan.changes, *plan.preparation.changes)}
        assert made == {kind}
        estimate = world.service.evaluate(
            PLATFORM, blueprint="web-application", inputs=small, region=slug
        )
        assert estimate.inputs == plan.inputs
        world.apply(plan)
        assert world.service.deployment(PLATFORM, plan.deployment_id).state == "active"
    assert wrong(world, region="pods", inputs={**SMALL, "platform": "openstack"}) == {
        "inputs.platform": "the region pods has no openstack"
    }
    wanted = {"platforms": ["openstack"], "vcpus": 4, "ram_gb": 8, "volume_gb": 50}
    assert wrong(world, region="pods", blueprint="tenancy", inputs=wanted) == {
        "inputs.platforms": "the region pods has none of openstack"
    }


@pytest.mark.parametrize("name", ["Web", "web_1", "-web", "a" * 41, "网站"])
def test_names_that_clouds_would_refuse_are_refused_here(world: World, name: str) -> None:
    assert set(wrong(world, name=name)) == {"name"}


def test_two_of_one_name_do_not_live_in_one_tenancy(world: World) -> None:
    world.plan(name="web")
    with pytest.raises(Conflict, match="has a deployment web"):
        world.plan(name="web")
    assert world.plan(name="web", tenancy=world.water.id).path == "/city/water/"


def test_a_wish_needs_things_that_are_there(world: World) -> None:
    for changed in ({"tenancy": "none"}, {"region": "none"}, {"blueprint": "none"},
                    {"deployment": "dep_none"}):  # fmt: skip
        with pytest.raises(NotFound):
            world.plan(**changed)


def test_a_deployment_of_another_tenancy_is_unknown(world: World) -> None:
    plan = world.plan()
    with pytest.raises(NotFound):
        world.plan(tenancy=world.water.id, deployment=plan.deployment_id)
    with pytest.raises(NotFound):
        world.service.plan(person("member", "/city/water/"), plan.id)
    with pytest.raises(NotFound):
        world.service.plan(person("member", "/city/water/"), plan.digest)


# What changes a digest ---------------------------------------------------------------------------


def kinds(world: World, old: Plan, new: Plan) -> set[DifferenceKind]:
    assert old.digest != new.digest
    found = world.service.difference(old, new)
    assert all(d.message.en and d.message.zh for d in found)
    return {d.kind for d in found}


def test_another_input_is_shown_as_one(world: World) -> None:
    plan = world.plan()
    new = world.again(plan, inputs={**plan.inputs, "servers": 3})
    found = kinds(world, plan, new)
    assert {DifferenceKind.INPUT, DifferenceKind.RESOURCE, DifferenceKind.QUOTA} <= found
    inputs = [d for d in world.service.difference(plan, new) if d.kind is DifferenceKind.INPUT]
    assert [(d.subject, d.before, d.after) for d in inputs] == [("servers", 2, 3)]
    assert inputs[0].message.en == "The input servers was 2 and is now 3."


def test_another_revision_is_shown_as_one(world: World) -> None:
    plan = world.plan()
    program = ("The application", "The application, better")
    new = world.again(plan, blueprint=newer_blueprint(world, program=program))
    found = world.service.difference(plan, new)
    assert found[0].kind is DifferenceKind.REVISION
    changed = [d for d in found if d.kind is DifferenceKind.RESOURCE]
    assert [d.subject for d in changed] == ["web-http"]
    assert changed[0].message.en == "web-http differs in description."


def test_another_limit_of_the_tenancy_changes_its_preparation(world: World) -> None:
    plan = world.plan()
    world.tenancies.set_quota(PLATFORM, scope=world.health.id, limits={"vcpus": 8})
    new = world.again(plan)
    assert kinds(world, plan, new) == {DifferenceKind.PREPARATION}
    assert new.preparation is not None
    assert new.preparation.inputs["vcpus"] == 8


def test_what_others_hold_in_the_region_changes_no_digest(world: World) -> None:
    plan = world.plan()
    world.apply(world.plan(tenancy=world.water.id))
    again = world.again(plan)
    assert again.digest == plan.digest


def test_a_region_without_room_blocks_the_plan(world: World) -> None:
    plan = world.plan(inputs={**SMALL, "servers": 8, "size": "l"})
    assert plan.blocked == ()
    world.apply(plan)
    other = world.plan(tenancy=world.water.id, inputs={**SMALL, "servers": 8, "size": "l"})
    assert {(f.policy, f.subject) for f in other.blocked} == {
        ("capacity.region", "vcpus"),
        ("capacity.region", "ram_gb"),
    }
    assert {f.severity for f in other.blocked} == {Severity.MANDATORY}


def test_what_the_internet_reaches_is_put_before_the_approver(world: World) -> None:
    plan = world.plan(inputs={**SMALL, "exposure": "internet"})
    assert "network.public_exposure" in {f.policy for f in plan.findings}
    assert plan.blocked == ()


def test_data_of_a_class_that_the_region_may_not_keep_block_the_plan(world: World) -> None:
    closed = world.tenancies.create_tenancy(
        PLATFORM, organisation="/city/health/", slug="records", name=text("Records"),
        data_class="sensitive",
    )  # fmt: skip
    plan = world.plan(tenancy=closed.id)
    severe = {f.policy for f in plan.blocked if f.severity is Severity.MANDATORY}
    assert severe == {"residency.region", "residency.blueprint"}


# Estimates ---------------------------------------------------------------------------------------


def test_an_estimate_is_what_the_plan_says_later(world: World) -> None:
    estimate = world.service.evaluate(
        person("member", "/city/health/"), blueprint="web-application", inputs=SMALL, region="east"
    )
    plan = world.plan()
    assert estimate.quota == plan.quota
    assert estimate.inputs == plan.inputs
    usage = [(m.meter, dict(m.dimensions), m.per_hour) for m in estimate.hourly]
    assert usage == [(m.meter, dict(m.dimensions), m.per_hour) for m in plan.hourly]
    assert len(estimate.resources) == len(plan.changes)


def test_an_estimate_names_every_wrong_input(world: World) -> None:
    with pytest.raises(Invalid) as caught:
        world.service.evaluate(
            PLATFORM, blueprint="web-application", region="east",
            inputs={"servers": 99, "size": "s", "volume_gb": 1},
        )  # fmt: skip
    assert {p.field for p in caught.value.problems} == {"inputs.servers", "inputs.volume_gb"}
