"""What is brought back, what is wanted from now on, and what neither may do."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from control_plane.provisioning.model import Deployment
from foundation.kernel.errors import Conflict, Invalid, NeedsApproval, QuotaExceeded
from foundation.kernel.paging import PageRequest
from tests.contract.provisioning.conftest import PLATFORM, SMALL
from tests.contract.provisioning.drift.conftest import City


def hourly(city: City, deployment: Deployment, name: str) -> dict[str, Any]:
    (found,) = [r for r in city.world.service.resources(PLATFORM, deployment.id) if r.name == name]
    return {m.meter: m.per_hour for m in found.hourly}


# Repair ------------------------------------------------------------------------------------------


def test_six_kinds_are_repaired(city: City, web: Deployment, app: Deployment) -> None:
    city.tamper(web, "server-1", "flavorId", "2")
    city.tamper(web, "server-2", "metadata.colour", "green")
    city.tamper(web, "web-http", "remoteIpPrefix", "0.0.0.0/0")
    city.remove(web, "member-2")
    city.tamper(app, "application", "spec.replicas", 5)
    city.check(web)
    city.check(app)
    open_before = {f.id for f in city.standing(web)}
    done = city.repair(web, reason="nobody ordered that")
    assert done == {"repaired": 4, "outcome": "clean"}
    assert city.standing(web) == []
    repaired = city.every(web, "repaired")
    assert {f.id for f in repaired} == open_before
    assert {f.by for f in repaired} == {PLATFORM.name}
    assert {f.reason for f in repaired} == {"nobody ordered that"}
    assert city.repair(app)["outcome"] == "clean"
    things = {t.name: t for t in city.world.engine.region.things(web.id)}
    assert things["server-1"].inputs["flavorId"] == "1"
    assert "member-2" in things
    after = city.now(web)
    assert (after.inputs, after.footprint, after.plan_id) == (
        web.inputs, web.footprint, web.plan_id,
    )  # fmt: skip
    actions = [e["action"] for e in city.world.audit.entries if e["subject"] == web.id]
    assert actions == ["drift.check", "drift.repair"]


def test_a_server_that_was_removed_is_made_again_with_what_hangs_on_it(
    city: City, web: Deployment
) -> None:
    city.remove(web, "server-1")
    city.check(web)
    assert city.repair(web)["outcome"] == "clean"
    assert hourly(city, web, "server-1")["server.vcpu_hours"] == 1


def test_a_volume_that_would_be_lost_is_not_repaired(city: City, web: Deployment) -> None:
    city.tamper(web, "data", "volumeType", "fast")
    city.tamper(web, "server-2", "metadata.colour", "green")
    city.check(web)
    with pytest.raises(NeedsApproval) as refused:
        city.repair(web)
    (difference,) = refused.value.details["difference"]
    assert difference["subject"] == "data"
    assert "is replaced" in difference["message"]["en"]
    assert {f.state.value for f in city.standing(web)} == {"open"}  # nothing was touched
    assert city.now(web).state.value == "active"


def test_what_was_not_approved_is_not_repaired_along(city: City, web: Deployment) -> None:
    city.tamper(web, "server-1", "flavorId", "2")
    city.check(web)
    with city.world.database.transaction():
        city.world.database.execute(
            sa.text(
                "UPDATE provisioning_region SET config = jsonb_set(config,"
                " '{openstack,images,default}', '\"debian-13\"')"
            )
        )
    with pytest.raises(NeedsApproval) as refused:
        city.repair(web)
    assert {d["subject"] for d in refused.value.details["difference"]} == {"server-1", "server-2"}


def test_what_is_ignored_is_repaired_only_with_everything(city: City, web: Deployment) -> None:
    city.tamper(web, "server-1", "flavorId", "2")
    city.tamper(web, "server-2", "metadata.colour", "green")
    city.check(web)
    ignored = next(f for f in city.standing(web) if f.name == "server-2")
    until = city.world.clock.now() + timedelta(days=2)
    city.drift.ignore(PLATFORM, ignored.id, until=until, reason="known")
    with pytest.raises(Conflict, match="server-2"):
        city.repair(web)
    assert city.repair(web, everything=True)["repaired"] == 2


def test_a_killed_repair_is_completed(city: City, web: Deployment) -> None:
    class Killed(BaseException):
        pass

    city.tamper(web, "server-1", "flavorId", "2")
    city.check(web)
    operation = city.drift.request_repair(PLATFORM, web.id)

    def kill(step: str) -> None:
        if step == "record":
            raise Killed

    with pytest.raises(Killed):
        city.do(operation, kill)
    city.drift.look(web.id)  # a lane comes by
    city.drift.repair(web.id, _watch(operation.id))
    kept = [f.id for f in city.every(web, "gone")]
    city.drift.record_repair(web.id, operation.id, kept, by="x", reason="")
    assert [f.state.value for f in city.every(web, "repaired")] == ["repaired"]


def _watch(operation: str) -> Any:
    from control_plane.provisioning.service.carrying import Watch  # noqa: PLC0415

    return Watch(operation)


# Adopt -------------------------------------------------------------------------------------------


def test_a_larger_volume_is_wanted_from_now_on(city: City, web: Deployment) -> None:
    city.limit(volume_gb="100")
    city.tamper(web, "data", "size", 40)
    city.world.clock.advance(hours=1)  # type: ignore[attr-defined]
    city.check(web)
    assert city.adopt(web) == {"adopted": 1, "deviations": 0, "inputs": ["volume_gb"]}
    now = city.now(web)
    assert now.inputs == {**web.inputs, "volume_gb": 40}
    assert now.footprint["volume_gb"] == 40
    assert hourly(city, web, "data") == {"volume.gb_hours": 40}
    assert city.quota("volume_gb") == 20  # the order's own 20 are not reserved in this world
    assert city.owners.told == [(web.owner, now.inputs, {"volume_gb": Decimal(20)})]
    (adopted,) = city.every(web, "adopted")
    assert (adopted.input, adopted.reason) == ("volume_gb", "it is wanted")
    assert city.check(web) == "clean"
    assert city.world.service.plan_deployment(PLATFORM, web.id).counts.keys() == {"same"}


@pytest.mark.parametrize(
    ("which", "tampered", "name"),
    [
        ("web", [("server-1", "flavorId", "2"), ("server-2", "flavorId", "2")], "size"),
        ("web", [("web-http", "remoteIpPrefix", "0.0.0.0/0")], "exposure"),
        ("app", [("application", "spec.replicas", 5)], "servers"),
        (
            "app",
            [("data", "spec.resources.requests.storage", "30Gi")],
            "volume_gb",
        ),
    ],
    ids=["flavor", "rule", "replicas", "claim"],
)
def test_the_input_is_found_by_trying(
    city: City,
    request: pytest.FixtureRequest,
    which: str,
    tampered: list[tuple[str, str, Any]],
    name: str,
) -> None:
    there: Deployment = request.getfixturevalue(which)
    for each in tampered:
        city.tamper(there, *each)
    city.check(there)
    assert city.adopt(there)["inputs"] == [name]
    assert city.check(there) == "clean"
    assert city.now(there).inputs[name] != there.inputs[name]
    assert city.world.service.plan_deployment(PLATFORM, there.id).counts.keys() == {"same"}


def test_a_server_that_is_gone_with_its_member_is_one_server_less(
    city: City, web: Deployment
) -> None:
    for name in ("server-2", "member-2"):
        city.remove(web, name)
    city.check(web)
    city.limit(instances="10")
    city.world.tenancies.reserve("order", web.tenancy_id, web.footprint)
    city.world.tenancies.consume("order")
    assert city.adopt(web)["inputs"] == ["servers"]
    assert city.now(web).outputs["server_ids"] == [web.outputs["server_ids"][0]]  # type: ignore[index]
    assert city.quota("instances") == 1
    gone = city.world.service.inventory(
        PLATFORM, PageRequest(limit=200), {"state": "deleted", "deployment_id": web.id}
    )
    assert {r.name for r in gone.items} == {"server-2", "member-2"}


def test_more_than_the_quota_is_refused_and_nothing_changes(city: City, web: Deployment) -> None:
    city.limit(volume_gb="10")
    city.tamper(web, "data", "size", 40)
    city.check(web)
    with pytest.raises(QuotaExceeded) as refused:
        city.adopt(web)
    assert refused.value.details["exceeded"][0]["resource"] == "volume_gb"
    assert city.now(web).inputs == web.inputs
    assert [f.state.value for f in city.standing(web)] == ["open"]
    assert city.quota("volume_gb") == 0
    assert city.check(web) == "drifted"


def test_what_no_input_describes_is_an_accepted_deviation(city: City, web: Deployment) -> None:
    city.tamper(web, "server-1", "metadata.colour", "green")
    city.check(web)
    assert city.adopt(web) == {"adopted": 0, "deviations": 1, "inputs": []}
    (kept,) = city.standing(web)
    assert kept.deviation
    assert city.check(web) == "drifted"  # it stands, and is shown
    (still,) = city.standing(web)
    assert (still.id, still.state.value) == (kept.id, "adopted")
    # An ordinary change does not undo it.
    larger = city.world.service.plan_deployment(
        PLATFORM, web.id, inputs={**SMALL, "exposure": "internet"}
    )
    assert "server-1" not in {c.name for c in larger.changes if c.op.value != "same"}
    city.world.apply(larger)
    city.check(web)
    assert [f.id for f in city.standing(web)] == [kept.id]
    with pytest.raises(Conflict, match="ignored or accepted"):
        city.repair(web)


def test_what_is_counted_and_no_input_describes_is_refused(city: City, web: Deployment) -> None:
    city.tamper(web, "server-1", "flavorId", "2")  # only one of two
    city.tamper(web, "server-2", "metadata.colour", "green")
    city.check(web)
    with pytest.raises(Conflict, match="no input of the blueprint describes what server-1 is now"):
        city.adopt(web)
    (other,) = [f for f in city.standing(web) if f.name == "server-2"]
    assert city.adopt(web, other)["deviations"] == 1
    assert {f.name: f.state.value for f in city.standing(web)} == {
        "server-1": "open",
        "server-2": "adopted",
    }


def test_part_of_the_drift_is_adopted_and_the_rest_repaired(city: City, web: Deployment) -> None:
    city.tamper(web, "data", "size", 40)
    city.tamper(web, "server-1", "flavorId", "3")
    city.check(web)
    volume = next(f for f in city.standing(web) if f.name == "data")
    assert city.adopt(web, volume)["inputs"] == ["volume_gb"]
    assert [f.name for f in city.standing(web)] == ["server-1"]
    assert city.repair(web)["outcome"] == "clean"
    assert city.now(web).inputs == {**web.inputs, "volume_gb": 40}


def test_a_shrunken_volume_is_no_wish(city: City, web: Deployment) -> None:
    city.tamper(web, "data", "size", 15)
    city.check(web)
    with pytest.raises(Conflict, match="no input"):
        city.adopt(web)


@pytest.mark.parametrize("step", ["reserve", "adopt", "record"])
def test_a_killed_adoption_is_done_once(city: City, web: Deployment, step: str) -> None:
    class Killed(BaseException):
        pass

    city.tamper(web, "data", "size", 40)
    city.check(web)
    operation = city.drift.request_adopt(PLATFORM, web.id, reason="wanted")
    kept: dict[str, Any] = {}

    def run(before: Callable[[str], None]) -> Any:
        return _replayed(city, operation, kept, before)

    def kill(name: str) -> None:
        if name == step:
            raise Killed

    with pytest.raises(Killed):
        run(kill)
    if step == "record":
        city.drift.look(web.id)  # a lane closes the findings, as gone by themselves
    assert run(lambda _: None)["adopted"] == 1
    assert run(lambda _: None)["adopted"] == 1
    assert city.quota("volume_gb") == 20
    assert len(city.owners.told) == 1
    assert [f.state.value for f in city.every(web, "adopted")] == ["adopted"]


def _replayed(
    city: City, operation: Any, kept: dict[str, Any], before: Callable[[str], None]
) -> Any:
    """Run it as a second worker does: finished steps answer what they answered."""
    from control_plane.provisioning.drift import jobs  # noqa: PLC0415
    from tests.contract.provisioning.drift.conftest import _Now  # noqa: PLC0415

    class Replay(_Now):
        def step(self, name: str, work: Callable[[], Any], **_: Any) -> Any:
            if name not in kept:
                before(name)
                kept[name] = work()
            if name == "record":
                return kept.pop(name)  # its worker died before the note of it
            return kept[name]

        cleanup = step

    ctx: Any = Replay(operation, lambda _: None)
    return jobs.handlers(city.drift)[operation.kind].run(ctx)


def test_without_an_order_the_growth_is_given_back_with_the_deployment(city: City) -> None:
    alone = city.deploy(inputs=SMALL)
    city.tamper(alone, "data", "size", 40)
    city.check(alone)
    city.adopt(alone)
    assert city.quota("volume_gb") == 20
    assert city.owners.told == []
    city.world.service.destroy(alone.id, operation="op_end")
    city.drift.tidy()
    assert city.quota("volume_gb") == 0


def test_adopting_says_all_that_is_wrong_at_once(city: City, web: Deployment) -> None:
    with pytest.raises(Invalid) as refused:
        city.drift.request_adopt(PLATFORM, web.id, findings=["drf_1"], reason=" ")
    assert {p.field for p in refused.value.problems} == {"reason", "findings"}
    with pytest.raises(Conflict, match="nothing is known to differ"):
        city.drift.request_adopt(PLATFORM, web.id, reason="x")
    with pytest.raises(Conflict, match="nothing is known to differ"):
        city.drift.request_repair(PLATFORM, web.id)
