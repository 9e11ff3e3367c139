"""What somebody made by hand becomes deployments; or it is said why not, and nothing happens."""

from decimal import Decimal

import pytest

from control_plane.adapters.embedded.things import Fault
from control_plane.provisioning.model import DeploymentState
from foundation.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NeedsApproval,
    NotFound,
    QuotaExceeded,
)
from foundation.kernel.paging import PageRequest
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
        city.plan(tenancy, ids=wrong, name="Old Portal")
    said = {p.field: p.message for p in raised.value.problems}
    assert set(said) == {"name", "ids.network", "ids.router", "ids.nonsense"}
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


def test_servers_before_their_project_leave_nothing_in_its_way(city: City) -> None:
    found = city.proposals()
    servers = next(p for p in found.values() if p.blueprint == "virtual-server")
    with pytest.raises(Conflict, match="import or order it first"):
        city.plan(servers)
    assert city.take(found["tenancy/old-portal"]).state is DeploymentState.ACTIVE


def test_a_project_that_an_order_would_have_made_gives_way(city: City) -> None:
    """The order then finds the tenancy there, and is planned anew."""
    service = city.world.service
    ordered = city.world.plan(blueprint="virtual-server", inputs={"servers": 1, "size": "s"})
    assert ordered.preparation is not None
    landing = city.take(city.proposals()["tenancy/old-portal"])
    assert landing.id != ordered.preparation.deployment_id
    with pytest.raises(NeedsApproval, match="not in the region as it was planned"):
        service.apply(ordered.id, operation="op_1", digest=ordered.digest)
    again = service.make_plan(
        tenancy="health-test", action="create", deployment=ordered.deployment_id,
        inputs=ordered.inputs,
    )  # fmt: skip
    assert again.preparation is None
    made = service.apply(again.id, operation="op_2", digest=again.digest)
    assert made.state is DeploymentState.ACTIVE, made.error


def test_a_tenancy_whose_quota_changed_takes_servers_in_as_it_is(city: City) -> None:
    found, service = city.proposals(), city.world.service
    other = city.world.plan(blueprint="virtual-server", inputs={"servers": 1, "size": "s"})
    service.apply(other.id, operation="op_1", digest=other.digest)
    landing = service.deployment(PLATFORM, other.preparation.deployment_id)  # type: ignore[union-attr]
    home = str(landing.outputs["project_id"])
    inside = city.handmade.region.plant(
        city.world.region.id, "openstack:networking/secGroup:SecGroup", {"name": "late"},
        place=home,
    )  # fmt: skip
    city.world.tenancies.set_quota(PLATFORM, scope="health-test", limits={"instances": Decimal(9)})
    servers = next(p for p in found.values() if p.blueprint == "virtual-server")
    plan = city.plan(servers, ids={"servers": inside.physical_id}, name="late")
    assert plan.preparation is None


def test_a_departments_operator_imports_nothing(city: City) -> None:
    """Whose an unowned object is, nobody has said: no department takes it for itself."""
    tenancy = city.proposals()["tenancy/old-portal"]
    local = person("operator", "/city/health/")
    for attempt in (
        lambda: city.imports.discover(local, "east"),
        lambda: city.imports.propose(local, "east", city.project),
        lambda: city.imports.plan(local, city.wish(tenancy)),
    ):
        with pytest.raises(Forbidden):
            attempt()


def test_a_plan_to_return_is_no_import(city: City) -> None:
    landing = city.take(city.proposals()["tenancy/old-portal"])
    service, before = city.world.service, city.handmade.there()
    plan = service.plan_deployment(PLATFORM, landing.id, destroy=True)
    with pytest.raises(Conflict, match="return it like any other"):
        city.imports.request_apply(PLATFORM, plan.id, plan.digest)
    # Nor is it applied around its import, which holds its quota.
    with pytest.raises(Conflict, match="carry out its plan as an import"):
        service.request_apply(PLATFORM, landing.id)
    assert city.handmade.there() == before


def test_a_plan_that_was_forgotten_is_not_carried_out(city: City) -> None:
    tenancy, service = city.proposals()["tenancy/old-portal"], city.world.service
    first = city.plan(tenancy)
    begun = city.imports.request_apply(PLATFORM, first.id, first.digest)
    second = city.plan(tenancy)  # the operation had not begun: its deployment gives way
    with pytest.raises(Conflict, match="plan it anew"):
        city.do(begun)
    assert service.deployment(PLATFORM, first.deployment_id).state is DeploymentState.DESTROYED
    with pytest.raises(Conflict, match="plan the import anew"):
        city.imports.request_apply(PLATFORM, first.id, first.digest)
    city.do(city.imports.request_apply(PLATFORM, second.id, second.digest))
    assert service.deployment(PLATFORM, second.deployment_id).state is DeploymentState.ACTIVE


def test_how_an_import_stands(city: City) -> None:
    tenancy = city.proposals()["tenancy/old-portal"]
    plan = city.plan(tenancy)
    planned = city.imports.standing(PLATFORM, plan.deployment_id)
    assert planned is not None
    assert (planned.objects, planned.complete, planned.ready) == (len(tenancy.ids), False, True)
    assert planned.plan == plan.id
    service = city.world.service
    assert service.deployments(PLATFORM, PageRequest(), {"imported": "true"}).items
    city.do(city.imports.request_apply(PLATFORM, plan.id, plan.digest))
    done = city.imports.standing(PLATFORM, plan.deployment_id)
    assert done is not None
    assert (done.complete, done.ready) == (True, False)
    other = city.world.plan()
    assert city.imports.standing(PLATFORM, other.deployment_id) is None
    with pytest.raises(NotFound):
        city.imports.standing(person("member", "/city/water/"), plan.deployment_id)
    (listed,) = service.deployments(PLATFORM, PageRequest(), {"imported": "true"}).items
    assert listed.id == plan.deployment_id


def test_what_is_being_imported_is_planned_by_its_import_alone(city: City) -> None:
    """Any other plan of it, such as a campaign's, would make everything a second time."""
    before, service = city.handmade.there(), city.world.service
    plan = city.plan(city.proposals()["tenancy/old-portal"])
    for action in ("planned", "failed"):
        with pytest.raises(Conflict, match="complete or abandon that first"):
            service.plan_deployment(PLATFORM, plan.deployment_id)
        with pytest.raises(Conflict, match=r"cannot be planned|complete or abandon that first"):
            service.make_plan(
                tenancy=plan.tenancy_id, action="change", deployment=plan.deployment_id,
                blueprint=plan.revision, inputs=plan.inputs,
            )  # fmt: skip
        if action == "planned":
            fault = Fault(name="inside", kind="fail", message="no")
            city.world.engine.region.add_fault(city.world.region.id, fault)
            with pytest.raises(Exception, match="no"):
                city.do(city.imports.request_apply(PLATFORM, plan.id, plan.digest))
    standing = city.imports.standing(PLATFORM, plan.deployment_id)
    assert standing is not None
    assert (standing.complete, standing.ready, standing.plan) == (False, True, plan.id)
    assert city.handmade.there() == before
