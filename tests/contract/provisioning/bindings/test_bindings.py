"""Bindings: made, shown once, renewed with an overlap, taken away; and cut off in between."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from control_plane.adapters.embedded.things import Fault
from control_plane.provisioning.bindings.model import Binding, BindingState
from control_plane.provisioning.jobs import DeploymentFailed
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NeedsApproval, NotFound
from foundation.kernel.paging import PageRequest
from tests.conftest import SettableClock
from tests.contract.provisioning.bindings.conftest import Killed, Office
from tests.contract.provisioning.conftest import PLATFORM, person

JOB = "kubernetes:batch/v1:Job"


def passwords(office: Office) -> dict[str, str]:
    """All passwords that the service has now, by login."""
    kept = office.world.service.secret_output(office.deployment.id, "user_credentials")
    users = json.loads(str(kept))
    return {each["login"]: each["password"] for u in users.values() for each in u["logins"]}


def test_one_is_made_and_shown_once(office: Office) -> None:
    begun = office.bindings.create(PLATFORM, office.deployment.id, name="portal")
    assert begun.state is BindingState.CHANGING
    assert (begun.target, begun.access) == ("app", "owner")
    with pytest.raises(Conflict, match="no credential yet"):
        office.bindings.reveal(PLATFORM, begun.id)
    made = office.do(begun)
    assert (made.state, made.valid, made.revealable) == (BindingState.ACTIVE, (1,), True)
    assert office.users() == {"legacy": [1], "portal": [1]}
    shown = office.bindings.reveal(PLATFORM, made.id)
    assert shown.facts["login"] == "portal_1"
    assert shown.facts["host"] == "data.health-test.svc"
    assert shown.password == passwords(office)["portal_1"]
    with pytest.raises(Conflict, match="was shown already"):
        office.bindings.reveal(PLATFORM, made.id)
    entries = office.world.audit.entries
    (note,) = [e for e in entries if e["action"] == "binding.reveal"]
    assert note["details"]["credential"] == 1
    assert shown.password not in repr(entries)
    # The service that was ordered knows what it is now.
    owner, inputs, change = office.owners.told[-1]
    assert owner == "instance:ins_data"
    assert {u["name"] for u in inputs["users"]} == {"legacy", "portal"}  # type: ignore[index, union-attr, call-overload]
    assert change == {}


def test_every_wrong_field_is_named(office: Office) -> None:
    with pytest.raises(Invalid) as wrong:
        office.bindings.create(
            PLATFORM, office.deployment.id, name="Portal-1", target="none", access="all"
        )
    assert {p.field for p in wrong.value.problems} == {"name", "target", "access"}
    with pytest.raises(Invalid, match="taken"):
        office.bindings.create(PLATFORM, office.deployment.id, name="legacy")
    with pytest.raises(Invalid) as longest:
        office.bindings.rotate(PLATFORM, office.known().id, overlap_hours=169)
    assert [p.field for p in longest.value.problems] == ["overlap_hours"]


def test_a_renewal_leaves_the_old_one_for_a_while(office: Office, clock: SettableClock) -> None:
    made = office.made()
    first = passwords(office)["portal_1"]
    office.bindings.reveal(PLATFORM, made.id)
    renewed = office.do(office.bindings.rotate(PLATFORM, made.id, overlap_hours=2))
    assert (renewed.valid, renewed.revealable) == ((1, 2), True)
    assert passwords(office)["portal_1"] == first
    assert office.bindings.reveal(PLATFORM, made.id).password not in {"", first}
    assert office.bindings.tidy() == 0
    clock.advance(hours=1, minutes=59)
    assert office.bindings.tidy() == 0
    clock.advance(minutes=1)
    assert office.bindings.tidy() == 1
    assert office.bindings.tidy() == 0  # it is under way
    ended = office.do(office.now(made))
    assert (ended.valid, ended.overlap_until) == ((2,), None)
    assert "portal_1" not in passwords(office)
    assert office.users() == {"legacy": [1], "portal": [2]}


def _dies_before(step: str) -> Callable[[str], None]:
    def before(name: str) -> None:
        if name == step:
            raise Killed

    return before


def test_a_worker_that_dies_in_a_renewal_leaves_the_old_one_working(office: Office) -> None:
    made = office.made()
    first = passwords(office)["portal_1"]
    begun = office.bindings.rotate(PLATFORM, made.id)
    for step in ("plan", "apply", "record"):
        with pytest.raises(Killed):
            office.do(begun, _dies_before(step))
        assert passwords(office)["portal_1"] == first
        assert 1 in office.users()["portal"]
        assert office.now(made).valid == (1,)
    # Another worker takes the same operation up.
    again = office.do(begun)
    assert again.valid == (1, 2)
    assert passwords(office).keys() == {"legacy_1", "portal_1", "portal_2"}


def test_a_renewal_that_the_region_refuses_can_be_tried_again(office: Office) -> None:
    made = office.made()
    first = passwords(office)["portal_1"]
    region = office.world.engine.region
    region.add_fault(office.world.region.id, Fault(type=JOB, op="any", message="no room"))
    begun = office.bindings.rotate(PLATFORM, made.id)
    with pytest.raises(DeploymentFailed):
        office.do(begun)
    failed = office.now(made)
    assert (failed.state, failed.valid) == (BindingState.FAILED, (1,))
    assert "no room" in failed.error
    with pytest.raises(Conflict, match="try again what failed"):
        office.bindings.rotate(PLATFORM, made.id)
    region.clear_faults(office.world.region.id)
    done = office.do(office.bindings.retry(PLATFORM, made.id))
    assert (done.state, done.valid) == (BindingState.ACTIVE, (1, 2))
    assert passwords(office)["portal_1"] == first
    with pytest.raises(Conflict, match="nothing to try again"):
        office.bindings.retry(PLATFORM, made.id)


def test_what_was_taken_away_does_not_come_back(office: Office) -> None:
    made = office.made()
    first = passwords(office)["portal_1"]
    renewed = office.do(office.bindings.rotate(PLATFORM, made.id, overlap_hours=0))
    assert (renewed.valid, renewed.overlap_until) == ((2,), None)
    assert "portal_1" not in passwords(office)
    gone = office.do(office.bindings.delete(PLATFORM, made.id))
    assert gone.state is BindingState.DELETED
    assert office.users() == {"legacy": [1]}
    with pytest.raises(Conflict, match="deleted"):
        office.bindings.rotate(PLATFORM, made.id)
    anew = office.made()
    assert anew.valid == (3,)
    assert first not in passwords(office).values()


def test_one_at_a_time(office: Office) -> None:
    begun = office.bindings.create(PLATFORM, office.deployment.id, name="portal")
    with pytest.raises(Conflict, match="portal is being changed"):
        office.bindings.create(PLATFORM, office.deployment.id, name="other")
    office.do(begun)
    other = office.made("other", target="reports", access="readonly")
    assert (other.target, other.access) == ("reports", "readonly")
    listed = office.bindings.bindings(PLATFORM, PageRequest(), {}).items
    assert [b.name for b in listed] == ["other", "portal"]


def test_more_than_credentials_needs_an_approval(office: Office) -> None:
    """A newer program of the blueprint, or anything else that a plan would bring along."""
    there = office.deployment
    office.alter(reach="city")
    begun = office.bindings.create(PLATFORM, there.id, name="portal")
    with pytest.raises(NeedsApproval, match="reach-primary"):
        office.do(begun)
    assert office.now(begun).state is BindingState.FAILED


def test_what_offers_none_is_not_bound_to(office: Office) -> None:
    with office.world.database.transaction():
        landing = office.world.store.landing(office.world.health.id, office.world.region.id)
    assert landing is not None
    with pytest.raises(Conflict, match="tenancy offers no bindings"):
        office.bindings.create(PLATFORM, landing.id, name="portal")
    _, offer, found = office.bindings.offer(PLATFORM, landing.id)
    assert (offer, found) == (None, [])


def test_bindings_end_with_their_service(office: Office) -> None:
    made = office.known()
    office.world.service.destroy(office.deployment.id, operation="op_end")
    office.bindings.tidy()
    assert office.now(made).state is BindingState.DELETED


def test_who_may_what(office: Office) -> None:
    made = office.known()
    stranger = person("department_administrator", "/city/water/")
    with pytest.raises(NotFound):
        office.bindings.binding(stranger, made.id)
    with pytest.raises(NotFound):
        office.bindings.create(stranger, office.deployment.id, name="mine")
    auditor = person("auditor")
    assert office.bindings.binding(auditor, made.id).name == "legacy"
    for forbidden in (
        lambda: office.bindings.reveal(auditor, made.id),
        lambda: office.bindings.rotate(auditor, made.id),
        lambda: office.bindings.delete(auditor, made.id),
    ):
        with pytest.raises(Forbidden):
            forbidden()
    member = person("member", "/city/health/")
    assert office.bindings.reveal(member, made.id).facts["login"] == "legacy_1"


def test_current_is_the_newest_that_works() -> None:
    at = SettableClock().now()
    one = Binding(
        "b", "d", "t", "/", "n", "app", "owner", BindingState.ACTIVE, (1, 2), (1,), 2, 0, 0, None,
        "", "", "p", at, at, None,
    )  # fmt: skip
    assert (one.current, one.revealable) == (1, True)
    assert replace(one, revealed=1).revealable is False
