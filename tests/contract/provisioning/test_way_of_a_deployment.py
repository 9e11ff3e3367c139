from tests.contract.provisioning.conftest import PLATFORM, SMALL, World

from control_plane.kernel.paging import PageRequest


def test_smoke(world: World) -> None:
    import time
    t=time.time()
    plan = world.plan()
    print("plan", time.time()-t, plan.digest, plan.counts, plan.quota, plan.findings, plan.capacity)
    print([ (m.meter, m.per_hour, m.dimensions) for m in plan.hourly])
    print(plan.preparation and len(plan.preparation.changes), plan.preparation.inputs)
    again = world.again(plan)
    print(world.service.difference(plan, again))
    assert again.digest == plan.digest
    done = world.apply(plan)
    print(done)
    assert done.state == "active", done.error
    for r in world.service.resources(PLATFORM, done.id): print(r.type, r.name, r.physical_id, r.state, [m.meter for m in r.hourly])
    again = world.again(plan, action="change", inputs={**SMALL, "servers": 3})
    print(again.counts, again.quota)
    done = world.apply(again)
    assert done.state == "active", done.error
    gone = world.plan(action="delete", deployment=done.id, region="", blueprint="", inputs={})
    print(gone.counts, gone.quota)
    done = world.apply(gone)
    print(done)
    assert done.state == "destroyed"
    assert world.service.resources(PLATFORM, done.id) == []
