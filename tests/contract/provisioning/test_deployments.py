import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from control_plane.adapters.embedded.region import Fault
from control_plane.provisioning.graph import EngineEvent, EventKind, Op
from control_plane.provisioning.model import MASK, Deployment, DeploymentState, Plan
from foundation.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NeedsApproval,
    NotFound,
    Unavailable,
)
from foundation.kernel.paging import PageRequest
from foundation.operations.model import Superseded
from tests.contract.provisioning.conftest import PLATFORM, SMALL, World, person


class Killed(BaseException):
    """The process is gone: nothing after it runs."""


def names(world: World, deployment: str) -> list[str]:
    return sorted(r.name for r in world.service.resources(PLATFORM, deployment))


def real(world: World, deployment: str) -> list[str]:
    """What the region itself has."""
    with world.database.transaction():
        things = world.engine.region.things(deployment)
    return sorted(t.name for t in things if t.custom and not t.type.startswith("pulumi:"))


@pytest.fixture
def deployed(world: World) -> Deployment:
    done = world.apply(world.plan())
    assert done.state is DeploymentState.ACTIVE, done.error
    return done


def test_the_inventory_is_what_the_region_has(world: World, deployed: Deployment) -> None:
    assert names(world, deployed.id) == real(world, deployed.id)
    resources = world.service.resources(PLATFORM, deployed.id)
    assert all(r.state == "created" and r.physical_id for r in resources)
    servers = [r for r in resources if r.type.endswith(":Instance")]
    assert [m.meter for m in servers[0].hourly] == [
        "server.instance_hours",
        "server.ram_gb_hours",
        "server.vcpu_hours",
    ]
    found = world.service.resolve_resources([servers[0].physical_id, servers[0].id, "none"])
    assert {r.id for r in found.values()} == {servers[0].id}
    assert len(found) == 2


def test_events_tell_of_every_resource(world: World, deployed: Deployment) -> None:
    told = {e.name for e in world.events if e.kind is EventKind.RESOURCE}
    assert set(names(world, deployed.id)) <= told


def test_applying_the_same_again_changes_nothing(world: World) -> None:
    plan = world.plan()
    done = world.apply(plan, "op_1")
    before = real(world, done.id)
    assert world.apply(plan, "op_1") == done
    assert real(world, done.id) == before
    nothing = world.again(plan, action="change")
    assert nothing.counts == {"same": len(plan.changes)}
    assert nothing.quota == {}


def test_a_change_changes_what_it_says(world: World, deployed: Deployment) -> None:
    plan = world.service.plan_deployment(PLATFORM, deployed.id, inputs={**SMALL, "servers": 3})
    created = {c.name for c in plan.changes if c.op is Op.CREATE}
    assert "server-3" in created
    assert plan.quota == {"instances": 1, "vcpus": 1, "ram_gb": 2}
    world.clock.advance(hours=1)  # type: ignore[attr-defined]
    done = world.apply(plan)
    assert done.inputs["servers"] == 3
    assert done.footprint["instances"] == 3
    assert names(world, done.id) == real(world, done.id)


def test_what_only_grows_does_not_shrink(world: World, deployed: Deployment) -> None:
    with pytest.raises(Invalid, match="cannot become smaller than 20"):
        world.service.plan_deployment(PLATFORM, deployed.id, inputs={**SMALL, "volume_gb": 10})


def test_a_replaced_resource_is_another_one_in_the_inventory(
    world: World, deployed: Deployment
) -> None:
    before = {r.name: r for r in world.service.resources(PLATFORM, deployed.id)}
    with world.database.transaction():
        world.database.execute(
            sa.text(
                "UPDATE provisioning_region SET config = jsonb_set(config,"
                " '{openstack,volume_type}', '\"fast\"')"
            )
        )
    plan = world.service.plan_deployment(PLATFORM, deployed.id)
    replaced = {c.name for c in plan.changes if c.op is Op.REPLACE}
    assert "data" in replaced
    world.clock.advance(hours=1)  # type: ignore[attr-defined]
    assert world.apply(plan).state is DeploymentState.ACTIVE
    after = {r.name: r for r in world.service.resources(PLATFORM, deployed.id)}
    assert after["data"].id != before["data"].id
    old = world.service.resolve_resources([before["data"].physical_id])
    (gone,) = old.values()
    assert gone.deleted_at == world.clock.now()
    assert after["data"].created_at == world.clock.now()
    assert after["balancer"].id == before["balancer"].id


def test_returning_it_leaves_nothing(world: World, deployed: Deployment) -> None:
    plan = world.service.plan_deployment(PLATFORM, deployed.id, destroy=True)
    assert set(plan.counts) == {"delete"}
    assert {name: -amount for name, amount in plan.quota.items()} == dict(deployed.footprint)
    gone = world.apply(plan, "op_9")
    assert gone.state is DeploymentState.DESTROYED
    assert gone.outputs == {}
    assert real(world, deployed.id) == []
    assert world.service.resources(PLATFORM, deployed.id) == []
    assert world.apply(plan, "op_9") == gone
    page = world.service.inventory(PLATFORM, PageRequest(limit=200), {"state": "deleted"})
    assert {r.deployment_id for r in page.items} == {deployed.id}


def test_a_name_is_free_again_after_the_return(world: World) -> None:
    first = world.apply(world.plan(name="web"))
    world.service.destroy(first.id, operation="op_2")
    second = world.apply(world.plan(name="web"))
    assert second.id != first.id


# What was not approved is not done ---------------------------------------------------------------


def test_a_digest_that_was_not_approved_is_refused(world: World) -> None:
    plan = world.plan()
    with pytest.raises(NeedsApproval):
        world.service.apply(plan.id, operation="op_1", digest="sha256:" + "0" * 64)
    assert real(world, plan.deployment_id) == []


def test_a_world_that_has_changed_is_refused_and_shown(world: World, deployed: Deployment) -> None:
    plan = world.service.plan_deployment(PLATFORM, deployed.id, inputs={**SMALL, "servers": 3})
    other = world.service.plan_deployment(PLATFORM, deployed.id, inputs={**SMALL, "size": "m"})
    assert world.apply(other).state is DeploymentState.ACTIVE
    before = real(world, deployed.id)
    with pytest.raises(NeedsApproval) as caught:
        world.apply(plan)
    differing = {d["subject"] for d in caught.value.details["difference"]}
    assert "server-1" in differing
    assert all(d["message"]["en"] and d["message"]["zh"]
               for d in caught.value.details["difference"])  # fmt: skip
    there = world.service.deployment(PLATFORM, deployed.id)
    assert (there.state, there.operation) == (DeploymentState.ACTIVE, "")
    assert there.inputs["size"] == "m"
    assert real(world, deployed.id) == before


def test_what_is_returned_is_what_was_approved_to_be(world: World, deployed: Deployment) -> None:
    plan = world.service.plan_deployment(PLATFORM, deployed.id, destroy=True)
    world.apply(
        world.service.plan_deployment(PLATFORM, deployed.id, inputs={**SMALL, "servers": 3})
    )
    with pytest.raises(NeedsApproval) as caught:
        world.apply(plan)
    assert {d["subject"] for d in caught.value.details["difference"]} >= {"server-3"}
    assert "server-1" in real(world, deployed.id)


# The tenancy's own deployment --------------------------------------------------------------------


def test_the_first_plan_prepares_the_tenancy_and_the_next_does_not(world: World) -> None:
    first = world.plan()
    assert first.preparation is not None
    world.apply(first)
    landing = world.service.deployment(PLATFORM, first.preparation.deployment_id)
    assert (landing.state, landing.name) == (DeploymentState.ACTIVE, "health-test")
    assert "project" in names(world, landing.id)
    second = world.plan()
    assert second.preparation is None
    assert world.apply(second).state is DeploymentState.ACTIVE


def test_a_plan_from_before_the_preparation_is_still_the_same_plan(world: World) -> None:
    first, second = world.plan(), world.plan()
    world.apply(first)
    anew = world.again(second)
    assert anew.digest != second.digest
    same = world.again(second, like=second)
    assert same.digest == second.digest
    assert world.apply(second).state is DeploymentState.ACTIVE


def test_orders_at_once_prepare_one_tenancy(world: World) -> None:
    plans = [world.plan() for _ in range(3)]
    assert len({p.preparation.deployment_id for p in plans if p.preparation}) == 1
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(world.apply, plans))
    assert [d.state for d in done] == [DeploymentState.ACTIVE] * 3
    page = world.service.deployments(PLATFORM, PageRequest(), {"blueprint": "tenancy"})
    assert len(page.items) == 1


def test_an_order_finds_prepared_what_another_prepared_at_the_last_moment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, quick = world.plan(), world.plan()
    store = world.service._store  # noqa: SLF001 - between its look and its hold is no other way in
    take = store.take

    def late(*arguments: Any) -> Any:
        monkeypatch.setattr(store, "take", take)
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(world.apply, quick).result().state is DeploymentState.ACTIVE
        return take(*arguments)

    monkeypatch.setattr(store, "take", late)
    assert world.apply(slow).state is DeploymentState.ACTIVE
    page = world.service.deployments(PLATFORM, PageRequest(), {"blueprint": "tenancy"})
    assert [d.state for d in page.items] == [DeploymentState.ACTIVE]


def test_a_new_limit_reaches_the_project_with_the_next_plan(world: World) -> None:
    world.apply(world.plan())
    world.tenancies.set_quota(PLATFORM, scope=world.health.id, limits={"vcpus": 16})
    plan = world.plan()
    assert plan.preparation is not None
    assert {c.op for c in plan.preparation.changes} == {Op.UPDATE}
    same = world.again(plan, like=plan)
    assert same.digest == plan.digest
    assert world.apply(plan).state is DeploymentState.ACTIVE
    landing = world.service.deployment(PLATFORM, plan.preparation.deployment_id)
    assert landing.inputs["vcpus"] == 16
    assert world.again(plan, action="change").preparation is None


def test_a_tenancy_that_cannot_be_prepared_stops_the_order_and_is_tried_again(
    world: World,
) -> None:
    plan = world.plan()
    with world.database.transaction():
        world.engine.region.add_fault(world.region.id, Fault(name="network"))
    with pytest.raises(Exception, match="the tenancy could not be prepared"):
        world.apply(plan, "op_1")
    assert real(world, plan.deployment_id) == []
    heal(world)
    assert world.apply(plan, "op_2").state is DeploymentState.ACTIVE


def test_a_tenancy_is_returned_last(world: World, deployed: Deployment) -> None:
    page = world.service.deployments(PLATFORM, PageRequest(), {"blueprint": "tenancy"})
    (landing,) = page.items
    with pytest.raises(Conflict, match="return what is in the tenancy first"):
        world.service.destroy(landing.id, operation="op_1")
    with pytest.raises(Conflict, match=deployed.name):
        world.service.request_destroy(PLATFORM, landing.id)
    world.service.destroy(deployed.id, operation="op_2")
    assert world.service.destroy(landing.id, operation="op_3").state is DeploymentState.DESTROYED
    assert real(world, landing.id) == []


# Failure and retry -------------------------------------------------------------------------------


def heal(world: World) -> None:
    with world.database.transaction():
        world.engine.region.clear_faults(world.region.id)


def test_a_failure_leaves_everything_known_and_can_be_retried(world: World) -> None:
    plan = world.plan()
    with world.database.transaction():
        world.engine.region.add_fault(world.region.id, Fault(name="server-2"))
    failed = world.apply(plan, "op_1")
    assert failed.state is DeploymentState.FAILED
    assert "server-2" in failed.error
    assert failed.operation == ""
    states = {r.name: r.state.value for r in world.service.resources(PLATFORM, failed.id)}
    assert states["server-2"] == "failed"
    assert states["server-1"] == "created"
    assert "planned" not in states.values()
    heal(world)
    done = world.apply(plan, "op_2")
    assert done.state is DeploymentState.ACTIVE
    assert done.error == ""
    assert names(world, done.id) == real(world, done.id)
    assert len(real(world, done.id)) == len(plan.changes)


def test_a_failed_deployment_can_be_returned(world: World) -> None:
    with world.database.transaction():
        world.engine.region.add_fault(world.region.id, Fault(name="balancer"))
    failed = world.apply(world.plan())
    assert failed.state is DeploymentState.FAILED
    heal(world)
    gone = world.service.destroy(failed.id, operation="op_2")
    assert gone.state is DeploymentState.DESTROYED
    assert real(world, failed.id) == []


def test_a_cancelled_operation_says_what_is_left(world: World) -> None:
    stop = threading.Event()

    def after_first_server(event: EngineEvent) -> None:
        if event.name == "server-1":
            stop.set()

    plan = world.plan()
    left = world.service.apply(plan.id, operation="op_1", on_event=after_first_server, cancel=stop)
    assert left.state is DeploymentState.FAILED
    assert names(world, left.id) == real(world, left.id)
    assert len(real(world, left.id)) < len(plan.changes)
    assert world.apply(plan, "op_2").state is DeploymentState.ACTIVE


def test_a_resource_that_was_never_begun_is_not_in_the_inventory(world: World) -> None:
    with world.database.transaction():
        world.engine.region.add_fault(world.region.id, Fault(name="web"))
    failed = world.apply(world.plan())
    assert "server-1" not in real(world, failed.id) or "server-1" in names(world, failed.id)
    assert set(names(world, failed.id)) - set(real(world, failed.id)) <= {"web"}


# Processes that are killed -----------------------------------------------------------------------


def kill_at(world: World, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Let the process end at a point of the next main stage."""
    store, engine = world.store, world.engine
    if where == "taken":
        patched(monkeypatch, engine, "recover", before=True)
        patched(monkeypatch, engine, "apply", before=True)
    elif where == "done":
        patched(monkeypatch, engine, "apply", before=False)
    elif where == "noted":
        patched(monkeypatch, store, "let_go", before=False)


def patched(monkeypatch: pytest.MonkeyPatch, thing: Any, name: str, *, before: bool) -> None:
    whole = getattr(thing, name)

    def ending(*args: Any, **kwargs: Any) -> Any:
        if not before:
            whole(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(thing, name, ending)


@pytest.fixture
def prepared(world: World) -> Plan:
    """A plan in a tenancy that is there already."""
    world.service.destroy(world.apply(world.plan()).id, operation="op_0")
    return world.plan()


@pytest.mark.parametrize("where", ["taken", "done", "noted"])
def test_an_apply_that_was_killed_is_completed_once(
    world: World, prepared: Plan, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        kill_at(world, patch, where)
        with pytest.raises(Killed):
            world.apply(prepared, "op_1")
    with pytest.raises(Unavailable, match="another operation"):
        world.apply(prepared, "op_2")
    done = world.apply(prepared, "op_1")
    assert done.state is DeploymentState.ACTIVE
    assert names(world, done.id) == real(world, done.id)
    assert len(real(world, done.id)) == len(prepared.changes)


def test_an_apply_that_was_killed_between_two_resources_is_completed_once(
    world: World, prepared: Plan
) -> None:
    def die(event: EngineEvent) -> None:
        if event.name == "server-2":
            raise Killed

    with pytest.raises(Killed):
        world.service.apply(prepared.id, operation="op_1", on_event=die)
    done = world.apply(prepared, "op_1")
    assert done.state is DeploymentState.ACTIVE
    assert names(world, done.id) == real(world, done.id)
    assert len(real(world, done.id)) == len(prepared.changes)


def test_a_destroy_that_was_killed_is_completed(
    world: World, deployed: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patched(patch, world.engine, "destroy", before=False)
        with pytest.raises(Killed):
            world.service.destroy(deployed.id, operation="op_1")
    gone = world.service.destroy(deployed.id, operation="op_1")
    assert gone.state is DeploymentState.DESTROYED
    assert world.service.resources(PLATFORM, deployed.id) == []


def test_a_worker_that_was_overtaken_writes_nothing(world: World, prepared: Plan) -> None:
    """Two processes think that they hold the same operation: the later one is right."""
    overtaken = threading.Event()

    def overtake(event: EngineEvent) -> None:
        if event.name == "server-1" and not overtaken.is_set():
            overtaken.set()
            with world.database.transaction():
                hold = world.store.take(
                    prepared.deployment_id, "op_1", DeploymentState.APPLYING, world.clock.now()
                )
            assert hold is not None
            assert hold.resumed

    with pytest.raises(Superseded):
        world.service.apply(prepared.id, operation="op_1", on_event=overtake)
    there = world.service.deployment(PLATFORM, prepared.deployment_id)
    assert there.state is DeploymentState.APPLYING
    done = world.apply(prepared, "op_1")
    assert done.state is DeploymentState.ACTIVE
    assert len(real(world, done.id)) == len(prepared.changes)


def test_two_operations_never_work_on_one_deployment(world: World, prepared: Plan) -> None:
    seen: list[type[Exception]] = []

    def intrude(event: EngineEvent) -> None:
        if event.name == "server-1" and not seen:
            try:
                world.service.apply(prepared.id, operation="op_2")
            except Unavailable as error:
                seen.append(type(error))

    world.service.apply(prepared.id, operation="op_1", on_event=intrude)
    assert seen == [Unavailable]


# Secrets -----------------------------------------------------------------------------------------


def test_secret_outputs_are_sealed_masked_and_revealed_to_few(
    world: World, deployed: Deployment
) -> None:
    page = world.service.deployments(PLATFORM, PageRequest(), {"blueprint": "tenancy"})
    (landing,) = page.items
    assert landing.secret_outputs == ("user_password",)
    assert landing.outputs["user_password"] == MASK
    revealed = world.service.reveal_outputs(PLATFORM, landing.id)
    password = revealed["user_password"]
    assert isinstance(password, str)
    assert password.startswith("Bo1-")
    assert world.audit.entries[-1]["action"] == "deployment.reveal"
    with pytest.raises(Forbidden):
        world.service.reveal_outputs(person("department_administrator", "/city/"), landing.id)
    with pytest.raises(Forbidden):
        world.service.reveal_outputs(person("member", "/city/"), deployed.id)
    with world.database.transaction():
        tables = world.database.execute(
            sa.text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ).scalars()
        for table in list(tables):
            query = f"SELECT t::text FROM {table} t"  # noqa: S608 - names of our own tables
            rows = world.database.execute(sa.text(query)).scalars()
            assert not any(password in row for row in rows), table


# Requests ----------------------------------------------------------------------------------------


def test_an_ordered_deployment_is_returned_by_an_order(world: World) -> None:
    done = world.apply(world.plan(owner="ins_01"))
    operator = person("operator")
    with pytest.raises(Conflict, match="order its return"):
        world.service.request_destroy(operator, done.id)
    with pytest.raises(Invalid) as caught:
        world.service.request_destroy(operator, done.id, force=True, reason=" ")
    assert [p.field for p in caught.value.problems] == ["reason"]
    started = world.service.request_destroy(operator, done.id, force=True, reason="fire")
    assert started.kind == "deployment.destroy"
    assert world.service.request_destroy(operator, done.id, force=True, reason="x").id == started.id
    assert world.audit.entries[-1]["details"]["reason"] == "x"
    with pytest.raises(Conflict, match="retry its order"):
        world.service.request_apply(operator, done.id)


def test_others_do_not_learn_of_it(world: World, deployed: Deployment) -> None:
    stranger = person("department_administrator", "/city/water/")
    service = world.service
    for ask in (
        *(service.deployment, service.resources, service.request_destroy),
        *(service.request_apply, service.plan_deployment, service.reveal_outputs),
    ):
        with pytest.raises(NotFound):
            ask(stranger, deployed.id)  # type: ignore[operator]
    assert service.deployments(stranger, PageRequest()).items == ()
    assert service.inventory(stranger, PageRequest()).items == ()


@pytest.mark.usefixtures("deployed")
def test_the_inventory_is_paged_without_loss(world: World) -> None:
    seen: list[str] = []
    request = PageRequest(limit=7)
    while True:
        page = world.service.inventory(PLATFORM, request)
        seen += [r.id for r in page.items]
        if page.next is None:
            break
        request = PageRequest(page.next, 7)
    everything = world.service.inventory(PLATFORM, PageRequest(limit=200))
    assert seen == [r.id for r in everything.items]
    assert len(seen) == len(set(seen)) > 14


def test_a_pending_deployment_is_discarded_without_a_trace(world: World) -> None:
    plan = world.plan(name="web")
    world.service.discard(plan.deployment_id)
    world.service.discard(plan.deployment_id)
    assert world.plan(name="web").deployment_id != plan.deployment_id
    with pytest.raises(Conflict):
        world.service.discard(world.apply(world.plan()).id)
