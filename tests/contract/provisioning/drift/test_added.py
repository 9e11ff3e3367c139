"""What somebody added by hand to something of ours: found, removed by its id, accepted."""

from datetime import timedelta

import pytest

from control_plane.provisioning.drift.model import RULE
from control_plane.provisioning.graph import Beside, DriftKind
from control_plane.provisioning.model import Deployment
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from tests.contract.provisioning.conftest import PLATFORM, person
from tests.contract.provisioning.drift.conftest import City

GROUP = "openstack:networking/secGroup:SecGroup"
PROJECT = "openstack:identity/project:Project"
SERVER = "openstack:compute/instance:Instance"
OPEN = {"direction": "ingress", "portRangeMin": 22, "remoteIpPrefix": "0.0.0.0/0"}


def open_ssh(city: City, web: Deployment, name: str = "rule-1") -> None:
    city.add(web, GROUP, RULE, Beside(name, OPEN))


@pytest.fixture
def landing(city: City) -> Deployment:
    """The tenancy itself: a project among others."""
    world = city.world
    with world.database.transaction():
        found = world.store.landing(world.health.id, world.region.id)
    assert found is not None
    return found


def test_a_rule_is_found_with_its_id(city: City, web: Deployment) -> None:
    open_ssh(city, web)
    assert city.check(web) == "drifted"
    (found,) = city.standing(web)
    assert (found.kind, found.attribute, found.wanted) == (DriftKind.ADDED, "rule-1", None)
    assert (found.type, found.found) == (RULE, OPEN)
    assert found.urn.endswith("#rule-1")
    assert found.removable
    (summary,) = city.drift.summary(PLATFORM)
    assert summary.counts == {"open": {"added": 1}}
    city.world.engine.region.remove_beside(city.world.region.id, ["rule-1"])
    assert city.check(web) == "clean"
    assert [f.state.value for f in city.every(web, "gone")] == ["gone"]


def test_it_is_only_removed_by_its_id(city: City, web: Deployment) -> None:
    open_ssh(city, web)
    open_ssh(city, web, "rule-2")
    city.check(web)
    with pytest.raises(Conflict, match="only removed by its id"):
        city.repair(web, everything=True)
    city.tamper(web, "server-1", "metadata.colour", "green")
    city.check(web)
    assert city.repair(web) == {"repaired": 1, "outcome": "drifted"}
    assert {f.attribute for f in city.standing(web)} == {"rule-1", "rule-2"}
    assert city.repair(web, remove=["rule-2"], reason="ssh is closed")["repaired"] == 1
    assert [f.attribute for f in city.standing(web)] == ["rule-1"]
    (gone,) = [f for f in city.every(web, "repaired") if f.added]
    assert (gone.attribute, gone.by, gone.reason) == ("rule-2", PLATFORM.name, "ssh is closed")
    assert city.repair(web, remove=["rule-1"]) == {"repaired": 1, "outcome": "clean"}
    (*_, noted) = [e for e in city.world.audit.entries if e["action"] == "drift.repair"]
    assert noted["details"]["remove"] == ["rule-1"]


def test_nothing_else_is_removed(city: City, web: Deployment) -> None:
    open_ssh(city, web)
    city.check(web)
    rule = next(t for t in city.world.engine.region.things(web.id) if t.type == RULE)
    with pytest.raises(Invalid) as refused:
        city.repair(web, remove=[rule.physical_id, "rule-1", "rule-9"])
    assert {p.field for p in refused.value.problems} == {"remove"}
    assert len(refused.value.problems) == 2
    # Neither by the service nor by the engine: it looks by itself.
    assert city.world.service.take_away(web, [rule.physical_id, "rule-9"]) == ()
    assert city.check(web) == "drifted"


def test_a_removal_that_was_killed_is_completed(city: City, web: Deployment) -> None:
    class Killed(BaseException):
        pass

    open_ssh(city, web)
    city.check(web)
    operation = city.drift.request_repair(PLATFORM, web.id, remove=["rule-1"])

    def kill(step: str) -> None:
        if step == "record":
            raise Killed

    with pytest.raises(Killed):
        city.do(operation, kill)
    (found,) = city.standing(web)
    assert city.drift.remove(web.id, ["rule-1"]) == {"removed": []}  # again
    city.drift.record_repair(web.id, operation.id, [found.id], by="x", reason="")
    assert city.standing(web) == []


def test_an_accepted_rule_stands_and_is_kept(city: City, web: Deployment) -> None:
    open_ssh(city, web)
    city.check(web)
    assert city.adopt(web, *city.standing(web)) == {"adopted": 0, "deviations": 1, "inputs": []}
    city.check(web)
    (found,) = city.standing(web)
    assert found.deviation
    assert city.now(web).inputs == web.inputs
    city.tamper(web, "server-1", "metadata.colour", "green")
    city.check(web)
    assert city.repair(web)["repaired"] == 1
    assert [f.id for f in city.standing(web)] == [found.id]
    assert city.repair(web, remove=["rule-1"]) == {"repaired": 1, "outcome": "clean"}


def test_an_ignored_rule_is_open_again_after_its_date(city: City, web: Deployment) -> None:
    open_ssh(city, web)
    city.check(web)
    (found,) = city.standing(web)
    until = city.world.clock.now() + timedelta(days=1)
    city.drift.ignore(PLATFORM, found.id, until=until, reason="maintenance")
    city.world.clock.advance(days=2)
    city.check(web)
    (again,) = city.standing(web)
    assert (again.id, again.state.value) == (found.id, "open")


def test_a_server_in_the_project_is_found_and_left(city: City, landing: Deployment) -> None:
    city.add(landing, PROJECT, SERVER, Beside("server-9", {"name": "mine", "flavor": "m1"}))
    city.check(landing)
    (found,) = city.standing(landing)
    assert (found.attribute, found.removable) == ("server-9", False)
    with pytest.raises(Invalid, match="others work too"):
        city.repair(landing, remove=["server-9"])
    with pytest.raises(Conflict, match="quota and usage would be wrong"):
        city.adopt(landing)
    until = city.world.clock.now() + timedelta(days=1)
    city.drift.ignore(PLATFORM, found.id, until=until, reason="being moved in")


def test_what_another_deployment_made_there_is_not_added(
    city: City, web: Deployment, landing: Deployment
) -> None:
    server = next(t for t in city.world.engine.region.things(web.id) if t.type == SERVER)
    beside = Beside(server.physical_id, {"name": "server-1", "flavor": "1"})
    city.add(landing, PROJECT, SERVER, beside)
    assert city.check(landing) == "clean"


def test_who_may_not_repair_may_not_remove(city: City, web: Deployment) -> None:
    open_ssh(city, web)
    city.check(web)
    neighbour = person("platform_administrator", "/city/water/")
    with pytest.raises(NotFound):
        city.drift.request_repair(neighbour, web.id, remove=["rule-1"])
    department = person("department_administrator", "/city/health/")
    with pytest.raises(Forbidden):
        city.drift.request_repair(department, web.id, remove=["rule-1"])


def test_what_lay_in_a_group_goes_with_it(city: City, web: Deployment) -> None:
    open_ssh(city, web)
    city.check(web)
    group = next(t for t in city.world.engine.region.things(web.id) if t.type == GROUP)
    city.remove(web, group.name)
    city.check(web)
    assert {f.kind for f in city.standing(web)} == {DriftKind.MISSING}
