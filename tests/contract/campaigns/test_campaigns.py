"""Campaigns on the embedded engine: waves, gates, stops, and workers that die."""

from collections.abc import Callable
from typing import Any

import pytest

from control_plane.provisioning.campaigns.jobs import handlers
from control_plane.provisioning.campaigns.model import Beyond, Campaign, CampaignState, MemberState
from control_plane.provisioning.campaigns.service import Campaigns, Needs, Wish
from control_plane.provisioning.campaigns.store import PostgresCampaigns
from control_plane.provisioning.model import Deployment, DeploymentState
from control_plane.provisioning.registry.store import PostgresRegistry
from foundation.kernel.errors import Conflict, Forbidden, Invalid, NeedsApproval, NotFound
from foundation.operations.model import Operation
from tests.contract.provisioning.conftest import PLATFORM, person
from tests.contract.registry.conftest import (
    Shelf,
    cache,
    empty,
    furnished,
    host,
    note,
    repositories,
    shelf,
    world,
)
from tests.fakes.context import FakeContext

__all__ = ["cache", "empty", "furnished", "host", "repositories", "shelf", "world"]

OPERATOR = person("operator")


class KilledError(BaseException):
    """The worker is gone."""


class DyingContext(FakeContext):
    """Dies after a step's effect, before anybody knows of it; what was kept before stays."""

    die_after = ""

    def _run(self, name: str, work: Callable[[], Any]) -> Any:
        if name == self.die_after and name not in self.kept:
            work()
            raise KilledError(name)
        return super()._run(name, work)


class Drive:
    """A shelf with campaigns."""

    def __init__(self, on: Shelf) -> None:
        self.shelf = on
        self.world = on.world
        self.service = on.world.service
        self.campaigns = Campaigns(
            Needs(
                store=PostgresCampaigns(self.world.database),
                users=PostgresRegistry(self.world.database),
                db=self.world.database,
                clock=self.world.clock,
                audit=self.world.audit,
                operations=self.world.operations,
                provisioning=self.service,
            )
        )

    def deployments(self, number: int) -> list[Deployment]:
        return [self.shelf.deploy(text=f"text {n}") for n in range(number)]

    def operation(self, operation_id: str) -> Operation:
        return self.world.operations.get(PLATFORM, operation_id)

    def run(self, operation: Operation, context: FakeContext | None = None) -> Any:
        return handlers(self.campaigns)[operation.kind].run(
            context or FakeContext(operation)  # type: ignore[arg-type]
        )

    def planned(self, *waves: str, **wish: Any) -> Campaign:
        made = self.campaigns.create(
            OPERATOR, Wish("Upgrade", "note", waves=waves or ("rest",), **wish)
        )
        self.run(self.operation(made.operation))
        return made

    def approve(self, campaign: Campaign) -> Operation:
        _, _, digest = self.campaigns.campaign(PLATFORM, campaign.id)
        return self.campaigns.approve(PLATFORM, campaign.id, digest)

    def state(self, campaign: Campaign) -> Campaign:
        return self.campaigns.campaign(PLATFORM, campaign.id)[0]

    def members(self, campaign: Campaign) -> dict[str, MemberState]:
        return {m.deployment: m.state for m in self.campaigns.campaign(PLATFORM, campaign.id)[1]}

    def versions(self) -> dict[str, int]:
        return self.shelf.registry.user_counts(PLATFORM, "note")


@pytest.fixture
def drive(shelf: Shelf) -> Drive:
    return Drive(shelf)


def test_waves_one_after_another_with_an_approval_each(drive: Drive) -> None:
    there = drive.deployments(4)
    target = drive.service.publish(PLATFORM, note("1.1.0", format="rich"))
    campaign = drive.planned("1", "50%", "rest")
    now, members, digest = drive.campaigns.campaign(PLATFORM, campaign.id)
    assert now.state is CampaignState.WAITING
    assert [m.wave for m in members] == [0, 1, 1, 2]
    assert all(m.state is MemberState.PLANNED and m.counts == {"update": 1} for m in members)
    assert drive.versions() == {"1.0.0": 4}
    result = drive.run(drive.campaigns.approve(PLATFORM, campaign.id, digest))
    assert result["waves"][0]["healthy"]
    assert (drive.state(campaign).state, drive.state(campaign).wave) == (CampaignState.WAITING, 1)
    assert drive.versions() == {"1.0.0": 3, "1.1.0": 1}
    with pytest.raises(NeedsApproval):
        drive.campaigns.approve(PLATFORM, campaign.id, digest)
    for _ in range(2):
        drive.run(drive.approve(campaign))
    assert drive.state(campaign).state is CampaignState.DONE
    assert drive.versions() == {"1.1.0": 4}
    for each in there:
        found = drive.service.deployment(PLATFORM, each.id)
        assert (found.revision, found.state) == (target.digest, DeploymentState.ACTIVE)
        assert found.inputs == each.inputs
    actions = [entry["action"] for entry in drive.world.audit.entries]
    assert actions.count("campaign.approve") == 3


def test_an_automatic_campaign_is_approved_once(drive: Drive) -> None:
    drive.deployments(3)
    drive.service.publish(PLATFORM, note("1.1.0", format="rich"))
    campaign = drive.planned("1", "1", "rest", automatic=True)
    drive.run(drive.approve(campaign))
    assert drive.state(campaign).state is CampaignState.DONE
    assert drive.versions() == {"1.1.0": 3}


def test_what_does_more_than_update_is_left_to_an_order(drive: Drive) -> None:
    drive.deployments(2)
    drive.service.publish(PLATFORM, note("1.1.0", prefix="x-"))
    campaign = drive.planned()
    _, members, _ = drive.campaigns.campaign(PLATFORM, campaign.id)
    assert {m.state for m in members} == {MemberState.NEEDS_ORDER}
    assert all(m.beyond == (Beyond.REPLACES,) for m in members)
    drive.run(drive.approve(campaign))
    assert drive.state(campaign).state is CampaignState.DONE
    assert drive.versions() == {"1.0.0": 2}


CLAIM = b"""
k8s.core.v1.PersistentVolumeClaim(
    "more",
    metadata={"name": f"{deployment['name']}-more", "labels": {"borough": deployment["id"]}},
    spec={"accessModes": ["ReadWriteOnce"], "storageClassName": "standard",
          "resources": {"requests": {"storage": "5Gi"}}},
)
"""


def test_more_quota_or_usage_is_never_a_campaigns(drive: Drive) -> None:
    drive.deployments(1)
    files = note("1.1.0", format="rich")
    drive.service.publish(PLATFORM, {**files, "__main__.py": files["__main__.py"] + CLAIM})
    campaign = drive.planned()
    [member] = drive.campaigns.campaign(PLATFORM, campaign.id)[1]
    assert member.state is MemberState.NEEDS_ORDER
    assert set(member.beyond) == {Beyond.CREATES, Beyond.QUOTA, Beyond.USAGE}


def test_what_cannot_take_the_version_says_why_and_holds_nobody_back(drive: Drive) -> None:
    long = drive.shelf.deploy(text="a" * 30)
    short = drive.shelf.deploy(text="short")
    narrow = {"text": {"type": "string", "maxLength": 10, "title": "T", "x-zh": {"title": "文"}}}
    drive.service.publish(PLATFORM, note("2.0.0", format="rich", more=narrow))
    campaign = drive.planned()
    _, members, _ = drive.campaigns.campaign(PLATFORM, campaign.id)
    said = {m.deployment: (m.state, m.reason) for m in members}
    assert said[short.id] == (MemberState.PLANNED, "")
    assert said[long.id][0] is MemberState.UNPLANNABLE
    assert "inputs.text: must have 10 characters or fewer" in said[long.id][1]
    drive.run(drive.approve(campaign))
    assert drive.state(campaign).state is CampaignState.DONE
    assert drive.versions() == {"1.0.0": 1, "2.0.0": 1}


def test_what_was_changed_meanwhile_is_not_touched_and_ends_the_wave(drive: Drive) -> None:
    first, second = drive.deployments(2)
    drive.service.publish(PLATFORM, note("1.1.0", format="rich"))
    campaign = drive.planned()
    operation = drive.approve(campaign)
    # Somebody changes it between the approval and the work.
    plan = drive.world.again(
        drive.service.plan(PLATFORM, str(first.plan_id)), action="change", deployment=first.id,
        inputs={"text": "other", "copies": 2},
    )  # fmt: skip
    drive.world.apply(plan)
    drive.run(operation)
    states = drive.members(campaign)
    assert states == {first.id: MemberState.CHANGED, second.id: MemberState.PLANNED}
    stopped = drive.state(campaign)
    assert stopped.state is CampaignState.STOPPED
    assert "not healthy" in stopped.why
    assert drive.service.deployment(PLATFORM, first.id).inputs["text"] == "other"
    again = drive.campaigns.retry(OPERATOR, campaign.id)
    drive.run(drive.operation(again.operation))
    drive.run(drive.approve(campaign))
    assert drive.state(campaign).state is CampaignState.DONE
    assert drive.versions() == {"1.1.0": 2}
    assert drive.service.deployment(PLATFORM, first.id).inputs["copies"] == 2


def test_a_stop_begins_no_other_and_can_go_on(drive: Drive) -> None:
    drive.deployments(3)
    drive.service.publish(PLATFORM, note("1.1.0", format="rich"))
    campaign = drive.planned()
    operation = drive.approve(campaign)
    begun: list[str] = []

    def before(name: str) -> None:
        begun.append(name)
        if sum(n.startswith("upgrade.") for n in begun) == 2 and name.startswith("upgrade."):
            drive.campaigns.stop(OPERATOR, campaign.id)

    drive.run(operation, FakeContext(operation, before))
    stopped = drive.state(campaign)
    assert (stopped.state, stopped.why) == (CampaignState.STOPPED, "it was asked to stop")
    assert drive.versions() == {"1.0.0": 2, "1.1.0": 1}
    with pytest.raises(Conflict, match="stopped"):
        drive.campaigns.stop(OPERATOR, campaign.id)
    again = drive.campaigns.retry(OPERATOR, campaign.id)
    drive.run(drive.operation(again.operation))
    drive.run(drive.approve(campaign))
    assert drive.versions() == {"1.1.0": 3}


def test_a_campaign_that_waits_is_stopped_at_once(drive: Drive) -> None:
    drive.deployments(1)
    drive.service.publish(PLATFORM, note("1.1.0", format="rich"))
    campaign = drive.planned()
    # What waits may be planned anew, too: what had no plan may have one by now.
    again = drive.campaigns.retry(OPERATOR, campaign.id)
    with pytest.raises(Conflict, match="cannot be planned anew"):
        drive.campaigns.retry(OPERATOR, campaign.id)
    drive.run(drive.operation(again.operation))
    _, _, digest = drive.campaigns.campaign(PLATFORM, campaign.id)
    assert drive.campaigns.stop(OPERATOR, campaign.id).state is CampaignState.STOPPED
    with pytest.raises(Conflict, match="nothing waits"):
        drive.campaigns.approve(PLATFORM, campaign.id, digest)


def test_a_worker_that_dies_is_followed_by_another(drive: Drive) -> None:
    """At every step: its effect is there, nothing knows it, and all is done anew."""
    there = drive.deployments(2)
    drive.service.publish(PLATFORM, note("1.1.0", format="rich"))
    campaign = drive.planned("1", "rest", automatic=True)
    operation = drive.approve(campaign)
    kept: dict[str, dict[str, Any]] = {}
    names = ["wave.1", f"upgrade.{there[0].id}", "gate.1", "wave.2", f"upgrade.{there[1].id}",
             "gate.2"]  # fmt: skip
    for name in names:
        context = DyingContext(operation)
        context.kept, context.die_after = kept, name
        with pytest.raises(KilledError):
            drive.run(operation, context)
        kept = context.kept
    last = FakeContext(operation)
    last.kept = kept
    result = drive.run(operation, last)
    assert [wave["healthy"] for wave in result["waves"]] == [True, True]
    assert drive.state(campaign).state is CampaignState.DONE
    assert drive.versions() == {"1.1.0": 2}
    for each in there:
        resources = drive.service.resources(PLATFORM, each.id)
        assert len(resources) == 1
        assert drive.service.deployment(PLATFORM, each.id).operation == ""


def test_who_made_it_does_not_approve_it(drive: Drive) -> None:
    drive.deployments(1)
    drive.service.publish(PLATFORM, note("1.1.0", format="rich"))
    made = drive.campaigns.create(PLATFORM, Wish("Mine", "note", waves=("rest",)))
    drive.run(drive.operation(made.operation))
    _, _, digest = drive.campaigns.campaign(PLATFORM, made.id)
    with pytest.raises(Forbidden, match="does not approve it"):
        drive.campaigns.approve(PLATFORM, made.id, digest)
    with pytest.raises(Forbidden):
        drive.campaigns.approve(OPERATOR, made.id, digest)
    for role in ("member", "department_administrator", "finance"):
        with pytest.raises(Forbidden):
            drive.campaigns.campaign(person(role), made.id)
        with pytest.raises(Forbidden):
            drive.campaigns.create(person(role), Wish("x", "note"))
    with pytest.raises(Forbidden):
        drive.campaigns.stop(person("auditor"), made.id)
    with pytest.raises(NotFound):
        drive.campaigns.campaign(PLATFORM, "cam_none")


def test_what_is_chosen(drive: Drive) -> None:
    mine = drive.shelf.deploy()
    other = drive.shelf.deploy(drive.world.water.id)
    drive.service.publish(PLATFORM, note("1.1.0", format="rich"))
    newer = drive.shelf.deploy(text="newer")

    def chosen(**wish: Any) -> set[str]:
        made = drive.campaigns.create(OPERATOR, Wish("x", "note", waves=("rest",), **wish))
        return set(drive.members(made))

    assert chosen() == {mine.id, other.id}
    assert chosen(path="/city/water/") == {other.id}
    assert chosen(version="1.0.0") == {newer.id}
    assert chosen(versions=("1.0.0",)) == {mine.id, other.id}
    with pytest.raises(Invalid, match="are none"):
        chosen(versions=("0.9.0",))
    with pytest.raises(Invalid, match="are none"):
        chosen(region="reg_none")
    with pytest.raises(Invalid) as caught:
        drive.campaigns.create(OPERATOR, Wish("", "note", waves=("0", "rest", "200%")))
    assert {p.field for p in caught.value.problems} == {"title", "waves.0", "waves.1", "waves.2"}
