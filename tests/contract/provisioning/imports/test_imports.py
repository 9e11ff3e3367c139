"""What somebody made by hand becomes deployments; or it is said why not, and nothing happens."""

from decimal import Decimal

import pytest

from control_plane.adapters.embedded.things import Fault
from control_plane.provisioning.model import DeploymentState
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NeedsApproval, QuotaExceeded
from tests.contract.provisioning.conftest import PLATFORM, person
from tests.contract.provisioning.imports.conftest import City


def test_what_nobody_owns_is_found_by_project(city: City) -> None:
    (project,) = city.imports.discover(PLATFORM, "east")
    assert (project.id, project.name, project.deployment) == (city.project, "Old Portal", "")
    assert project.unowned["Instance"] == 2
    found = {f.id for f in city.imports.inside(PLATFORM, "east", city.project)}
    assert city.handmade.ids["web-server"] in found


def test_a_proposal_names_blueprint_inputs_and_objects(city: City) -> None:
    ids, found = city.handmade.ids, city.proposals()
    tenancy = found["tenancy/old-portal"]
    assert tenancy.inputs["network_cidr"] == "10.9.0.0/24"
    assert (tenancy.inputs["vcpus"], tenancy.inputs["ram_gb"]) == (20, 50)
    assert tenancy.ids["network"] == ids["network"]
    assert tenancy.ids["router-subnet"] == ids["interface"]
    assert "user" in tenancy.makes
    groups = {p.ids["servers"]: p for p in found.values() if p.blueprint == "virtual-server"}
    assert set(groups) == {ids["web-group"], ids["batch-group"]}
    assert groups[ids["web-group"]].ids["server-1"] == ids["web-server"]


def test_a_project_and_its_servers_are_taken_in(city: City) -> None:
    before = city.handmade.there()
    found = city.proposals()
    landing = city.take(found["tenancy/old-portal"])
    assert landing.state is DeploymentState.ACTIVE, landing.error
    assert landing.outputs["project_id"] == city.project
    servers = [p for p in found.values() if p.blueprint == "virtual-server"]
    made = [city.take(p) for p in servers]
    assert city.handmade.there() == before
    for there in (landing, *made):
        assert there.state is DeploymentState.ACTIVE, there.error
        assert city.world.service.outlook(there).effective == ()
    inventory = {r.physical_id for d in made for r in city.world.service.resources(PLATFORM, d.id)}
    assert city.handmade.ids["web-server"] in inventory
    assert made[0].footprint["instances"] >= 1
    levels = city.world.tenancies.quota_levels_in_transaction
    with city.world.database.transaction():
        used = {q.resource: q.used for q in levels(city.world.health.id)[-1].quotas}
    assert used.get("instances", Decimal(0)) in {Decimal(0), Decimal(len(made))}
    assert {d for d, _ in city.reservations.kept} >= {d.id for d in made}
    actions = [e["action"] for e in city.world.audit.entries]
    assert {"import.plan", "import.apply"} <= set(actions)
    # It is owned by now, and an orders' preparation leaves it as it was found.
    with pytest.raises(Invalid, match="belongs to the deployment"):
        city.plan(servers[0], name="again")
    ordered = city.world.plan(blueprint="virtual-server", inputs={"servers": 1, "size": "s"})
    assert ordered.preparation is None


def test_it_is_changed_in_place_afterwards(city: City) -> None:
    found = city.proposals()
    city.take(found["tenancy/old-portal"])
    there = city.take(next(p for p in found.values() if p.blueprint == "virtual-server"))
    inputs = {**there.inputs, "ports": [80, 443]}
    plan = city.world.service.plan_deployment(PLATFORM, there.id, inputs=inputs)
    assert set(plan.counts) <= {"create", "same"}
    city.do(city.imports.request_apply(PLATFORM, plan.id, plan.digest))
    now = city.world.service.deployment(PLATFORM, there.id)
    assert (now.state, now.inputs["ports"]) == (DeploymentState.ACTIVE, [80, 443])


def test_wrong_ids_are_named_all_at_once(city: City) -> None:
    tenancy, ids = city.proposals()["tenancy/old-portal"], city.handmade.ids
    wrong = {
        **tenancy.ids, "network": "nowhere", "router": ids["subnet"], "nonsense": ids["router"],
    }  # fmt: skip
    with pytest.raises(Invalid) as raised:
        city.plan(tenancy, ids=wrong)
    said = {p.field: p.message for p in raised.value.problems}
    assert set(said) == {"ids.network", "ids.router", "ids.nonsense"}
    assert said["ids.router"] == "is a Subnet, not a Router"
    with pytest.raises(Invalid, match="at least one"):
        city.plan(tenancy, ids={})


def test_what_would_replace_or_create_is_refused_and_named(city: City) -> None:
    tenancy = city.proposals()["tenancy/old-portal"]
    with pytest.raises(Conflict, match=r"user \(User\) would be created"):
        city.plan(tenancy, creations=False)
    other = {**tenancy.inputs, "network_cidr": "10.8.0.0/24"}
    with pytest.raises(Conflict) as raised:
        city.plan(tenancy, inputs=other)
    assert (
        "subnet would be replaced (cidr: 10.9.0.0/24 → 10.8.0.0/24)" in raised.value.details["harm"]
    )
    # Nothing is left of what was refused, and an earlier plan is not in the way of a later one.
    first, second = (city.plan(tenancy) for _ in "12")
    assert sorted(first.imports.values()) == sorted(second.imports.values()) != []


def test_servers_before_their_project_are_refused(city: City) -> None:
    servers = next(p for p in city.proposals().values() if p.blueprint == "virtual-server")
    with pytest.raises(Conflict, match="import or order it first"):
        city.plan(servers)


def test_another_size_would_disturb_a_server(city: City) -> None:
    found = city.proposals()
    city.take(found["tenancy/old-portal"])
    servers = next(p for p in found.values() if p.blueprint == "virtual-server")
    with pytest.raises(Conflict, match=r"rebuilt or resized \(flavorId: 1 → 3\)"):
        city.plan(servers, inputs={**servers.inputs, "size": "l"})


def test_an_object_that_went_meanwhile_stops_the_import(city: City) -> None:
    tenancy = city.proposals()["tenancy/old-portal"]
    plan = city.plan(tenancy)
    region = city.world.engine.region
    (router,) = [t for t in region.outside(city.world.region.id) if t.name == "out"]
    region.end(router)
    with pytest.raises(Conflict, match="no such objects"):
        city.do(city.imports.request_apply(PLATFORM, plan.id, plan.digest))
    there = city.world.service.deployment(PLATFORM, plan.deployment_id)
    assert there.state is DeploymentState.PENDING
    assert city.world.service.resources(PLATFORM, there.id) == []


def test_an_import_that_failed_is_retried_or_abandoned(city: City) -> None:
    before = city.handmade.there()
    tenancy = city.proposals()["tenancy/old-portal"]
    plan = city.plan(tenancy)
    where = city.world.region.id
    city.world.engine.region.add_fault(where, Fault(name="inside", kind="fail", message="no"))
    with pytest.raises(Exception, match="no"):
        city.do(city.imports.request_apply(PLATFORM, plan.id, plan.digest))
    service = city.world.service
    assert service.deployment(PLATFORM, plan.deployment_id).state is DeploymentState.FAILED
    # Whoever destroys or abandons it deletes nothing that was there.
    operation = city.imports.request_abandon(PLATFORM, plan.deployment_id, reason="not now")
    city.do(operation)
    gone = service.deployment(PLATFORM, plan.deployment_id)
    assert gone.state is DeploymentState.DESTROYED
    assert city.handmade.there() == before
    # Again, and this time it is completed after the failure.
    plan = city.plan(tenancy)
    with pytest.raises(Exception, match="no"):
        city.do(city.imports.request_apply(PLATFORM, plan.id, plan.digest))
    city.world.engine.region.clear_faults(where)
    city.do(city.imports.request_apply(PLATFORM, plan.id, plan.digest))
    assert service.deployment(PLATFORM, plan.deployment_id).state is DeploymentState.ACTIVE
    assert city.handmade.there() == before
    with pytest.raises(Conflict, match="its import is not open"):
        city.imports.request_abandon(PLATFORM, plan.deployment_id, reason="too late")


def test_quota_is_held_before_anything_is_taken_in(city: City) -> None:
    found = city.proposals()
    city.take(found["tenancy/old-portal"])
    city.world.tenancies.set_quota(
        PLATFORM, scope="/city/health/", limits={"instances": Decimal(0)}
    )
    plan = city.plan(next(p for p in found.values() if p.blueprint == "virtual-server"))
    with pytest.raises(QuotaExceeded):
        city.do(city.imports.request_apply(PLATFORM, plan.id, plan.digest))
    there = city.world.service.deployment(PLATFORM, plan.deployment_id)
    assert there.state is DeploymentState.PENDING


def test_only_what_was_approved_and_by_whom(city: City) -> None:
    tenancy = city.proposals()["tenancy/old-portal"]
    with pytest.raises(Forbidden):
        city.imports.discover(person("member"), "east")
    with pytest.raises(Forbidden):
        city.imports.plan(person("member"), city.wish(tenancy))
    plan = city.plan(tenancy)
    with pytest.raises(NeedsApproval):
        city.imports.request_apply(PLATFORM, plan.id, "sha256:other")
    with pytest.raises(Conflict, match="complete or abandon that first"):
        city.world.plan()
    city.do(city.imports.request_abandon(PLATFORM, plan.deployment_id, reason="not today"))
    other = city.world.plan()
    with pytest.raises(Conflict, match="not imported"):
        city.imports.request_apply(PLATFORM, other.id, other.digest)
