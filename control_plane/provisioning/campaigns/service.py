"""The use cases of campaigns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from control_plane.provisioning.campaigns.model import (
    AGAIN,
    MOST_MEMBERS,
    SETTLED,
    Campaign,
    CampaignState,
    Member,
    MemberState,
    beyond,
    check_waves,
    digest_of,
    part,
)
from control_plane.provisioning.campaigns.ports import CampaignStore
from control_plane.provisioning.model import DeploymentState, InventoryState, Revision
from control_plane.provisioning.ports import Audit, OnEvent
from control_plane.provisioning.registry.model import User
from control_plane.provisioning.registry.ports import UserStore
from control_plane.provisioning.service import Provisioning
from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import (
    BoroughError,
    Collector,
    Conflict,
    Forbidden,
    Invalid,
    NeedsApproval,
    NotFound,
    Problem,
    Unavailable,
)
from foundation.kernel.paging import Page, PageRequest, everything
from foundation.kernel.time import Clock
from foundation.operations.model import Operation
from foundation.operations.service import Operations

PLAN, RUN = "campaign.plan", "campaign.run"
_SYSTEM = Actor.system("campaigns")
_LONGEST_TITLE = 120
_LONGEST_REASON = 2000
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Needs:
    """What campaigns work with."""

    store: CampaignStore
    users: UserStore
    db: UnitOfWork
    clock: Clock
    audit: Audit
    operations: Operations
    provisioning: Provisioning


@dataclass(frozen=True, slots=True)
class Wish:
    """Which deployments get which version, and how.

    Attributes:
        version: that they get; empty takes the highest.
        versions: only those that run one of them; empty takes every other version.
        path: only those of this organisation and below.
        region: only those in this region (id).
    """

    title: str
    blueprint: str
    version: str = ""
    versions: tuple[str, ...] = ()
    path: str = policy.ROOT
    region: str = ""
    waves: tuple[str, ...] = ("1", "10%", "rest")
    automatic: bool = False


class Campaigns:
    """Newer revisions for many deployments, wave by wave."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self._store = needs.store
        self._db = needs.db
        self._clock = needs.clock
        self._provisioning = needs.provisioning

    def create(self, actor: Actor, wish: Wish) -> Campaign:
        """Choose the deployments and start planning; nothing of them is changed.

        Raises:
            Invalid: names every wrong field; also when no deployment fits.
            NotFound: no such blueprint or version.
        """
        policy.require(actor, "campaign.create", policy.ROOT)
        target = self._provisioning.find_revision(wish.blueprint, wish.version or None)
        found = Collector()
        title = wish.title.strip()
        found.check(
            title and len(title) <= _LONGEST_TITLE and title.isprintable(), "title",
            f"must be 1 to {_LONGEST_TITLE} characters",
        )  # fmt: skip
        try:
            check_waves(wish.waves)
        except Invalid as error:
            found.include(error)
        found.finish()
        chosen = self._chosen(wish, target)
        at = self._clock.now()
        made = Campaign(
            ids.new("cam"), title, target.blueprint, target.digest, target.version, wish.waves,
            wish.automatic, CampaignState.PLANNING, 0, 0, False, "", "", "", "", at, actor.id, at,
        )  # fmt: skip
        members = [
            Member(user.deployment, user.name, user.path, user.owner, wave, user.version)
            for user, wave in zip(chosen, part(len(chosen), wish.waves), strict=True)
        ]
        with self._db.transaction():
            self._store.add(made, members)
            started = self._plan(actor, made)
            details = {"blueprint": target.blueprint, "version": target.version,
                       "deployments": len(members)}  # fmt: skip
            self._note(actor, "campaign.create", made.id, details)
            return started

    def campaigns(self, actor: Actor, request: PageRequest) -> Page[Campaign]:
        """All campaigns, the newest first."""
        policy.require(actor, "campaign.view", policy.ROOT)
        with self._db.transaction():
            return self._store.campaigns(request)

    def campaign(self, actor: Actor, campaign_id: str) -> tuple[Campaign, list[Member], str]:
        """A campaign, its deployments, and the digest that its next approval would stand for.

        Raises:
            NotFound: there is none.
        """
        policy.require(actor, "campaign.view", policy.ROOT)
        with self._db.transaction():
            found = self._campaign(campaign_id)
            members = self._store.members(campaign_id)
        return found, members, digest_of(found, members)

    def approve(self, actor: Actor, campaign_id: str, digest: str) -> Operation:
        """Let the next wave begin (of an automatic campaign all that are left), as planned.

        Raises:
            Conflict: it does not wait for approval.
            Forbidden: who made a campaign does not approve it.
            NeedsApproval: the digest is not that of the plans as they are now.
        """
        policy.require(actor, "campaign.approve", policy.ROOT)
        with self._db.transaction():
            there = self._campaign(campaign_id, lock=True)
            if there.state is not CampaignState.WAITING:
                raise Conflict(f"the campaign is {there.state.value}: nothing waits for approval")
            if there.created_by == actor.id:
                raise Forbidden("who made a campaign does not approve it")
            now = digest_of(there, self._store.members(there.id))
            if digest != now:
                raise NeedsApproval(
                    "the plans are not those that you saw", difference=[], approved=digest,
                    planned=now,
                )  # fmt: skip
            last = len(there.waves) - 1 if there.automatic else there.wave
            inputs = {"campaign": there.id, "waves": [there.wave, last], "digest": digest}
            started = self._needs.operations.start(
                RUN, subject=there.id, path=policy.ROOT, inputs=inputs, actor=actor,
                key=f"{RUN}:{there.id}:{there.rounds}:{there.wave}",
            )  # fmt: skip
            self._save(
                there, state=CampaignState.RUNNING, stop=False, why="", approved_by=actor.id,
                approved_digest=digest, operation=started.id,
            )  # fmt: skip
            details = {"wave": there.wave + 1, "digest": digest, "operation": started.id}
            self._note(actor, "campaign.approve", there.id, details)
            return started

    def stop(self, actor: Actor, campaign_id: str) -> Campaign:
        """Begin no further deployment; the one that is worked on is finished.

        Raises:
            Conflict: it has ended or stopped already.
        """
        policy.require(actor, "campaign.stop", policy.ROOT)
        with self._db.transaction():
            there = self._campaign(campaign_id, lock=True)
            if there.state in {CampaignState.DONE, CampaignState.STOPPED}:
                raise Conflict(f"the campaign is {there.state.value}")
            running = there.state is CampaignState.RUNNING
            state = there.state if running else CampaignState.STOPPED
            self._note(actor, "campaign.stop", there.id, {})
            return self._save(there, state=state, stop=True, why="it was asked to stop")

    def retry(self, actor: Actor, campaign_id: str) -> Campaign:
        """Plan anew what failed, was overtaken or had no plan; then it waits for approval.

        Raises:
            Conflict: it is planned or worked on now, or it has ended.
        """
        policy.require(actor, "campaign.create", policy.ROOT)
        with self._db.transaction():
            there = self._campaign(campaign_id, lock=True)
            if there.state not in {CampaignState.STOPPED, CampaignState.WAITING}:
                raise Conflict(f"the campaign is {there.state.value}: it cannot be planned anew")
            again = [
                replace(m, state=MemberState.SELECTED, plan="", digest="", counts=None, reason="")
                for m in self._store.members(there.id)
                if m.wave <= there.wave and m.state in AGAIN
            ]
            self._store.save_members(there.id, again)
            self._note(actor, "campaign.retry", there.id, {"deployments": len(again)})
            return self._plan(actor, replace(there, rounds=there.rounds + 1))

    # For operations, which were authorised --------------------------------------------------------

    def unplanned(self, campaign_id: str) -> list[str]:
        """The deployments that have to be planned."""
        with self._db.transaction():
            members = self._store.members(campaign_id)
        return [m.deployment for m in members if m.state is MemberState.SELECTED]

    def plan_members(self, campaign_id: str, deployments: Sequence[str]) -> int:
        """Plan some deployments; answers how many. What cannot be planned says why."""
        with self._db.transaction():
            there = self._campaign(campaign_id)
            members = {m.deployment: m for m in self._store.members(campaign_id)}
        for deployment in deployments:
            planned = self._planned(there, members[deployment])
            with self._db.transaction():
                self._store.save_members(campaign_id, [planned])
        return len(deployments)

    def end_planning(self, campaign_id: str) -> dict[str, Any]:
        """Wait for approval, unless somebody stopped it meanwhile."""
        with self._db.transaction():
            there = self._campaign(campaign_id, lock=True)
            if there.state is CampaignState.PLANNING:
                there = self._save(there, state=CampaignState.WAITING, why="")
            return {"state": there.state.value}

    def planned_members(self, campaign_id: str, wave: int) -> list[dict[str, str]]:
        """What is to be applied of a wave."""
        with self._db.transaction():
            members = self._store.members(campaign_id)
        return [
            {"deployment": m.deployment, "plan": m.plan, "digest": m.digest}
            for m in members
            if m.wave == wave and m.state is MemberState.PLANNED
        ]

    def apply_member(
        self,
        campaign_id: str,
        member: Mapping[str, str],
        *,
        operation: str,
        on_event: OnEvent | None = None,
    ) -> str:
        """Apply one deployment's plan; again, it completes what was cut off.

        Returns:
            Its state afterwards; ``planned`` when the campaign was asked to stop before.

        Raises:
            Unavailable: another operation works on the deployment, or the region does not answer.
        """
        deployment = member["deployment"]
        with self._db.transaction():
            there = self._campaign(campaign_id, lock=True)
            now = self._member(campaign_id, deployment)
            if there.stop and now.state is MemberState.PLANNED:
                return MemberState.PLANNED.value
            self._store.save_members(campaign_id, [replace(now, state=MemberState.APPLYING)])
        try:
            done = self._provisioning.apply(
                member["plan"], operation=operation, digest=member["digest"], on_event=on_event
            )
        except NeedsApproval as error:
            return self._settle(campaign_id, deployment, MemberState.CHANGED, error.message)
        except Unavailable:
            raise
        except BoroughError as error:
            return self._settle(campaign_id, deployment, MemberState.FAILED, error.message)
        failed = done.state is not DeploymentState.ACTIVE
        state = MemberState.FAILED if failed else MemberState.DONE
        return self._settle(campaign_id, deployment, state, done.error if failed else "")

    def give_up(self, campaign_id: str, deployment: str, reason: str) -> str:
        """Note that a deployment could not be reached."""
        return self._settle(campaign_id, deployment, MemberState.FAILED, reason)

    def close_wave(self, campaign_id: str, wave: int, last: int) -> dict[str, Any]:
        """The gate behind a wave: only a healthy one is followed by another.

        Healthy: every deployment that was to be upgraded is, runs the revision, and all its
        resources are known to be there.
        """
        with self._db.transaction():
            there = self._campaign(campaign_id)
            members = [m for m in self._store.members(campaign_id) if m.wave == wave]
        sick = [m.name for m in members if not self._is_healthy(there, m)]
        with self._db.transaction():
            there = self._campaign(campaign_id, lock=True)
            if sick:
                named = ", ".join(sick[:_NAMED])
                why = there.why if there.stop else f"not healthy: {named}"
                self._save(there, state=CampaignState.STOPPED, why=why)
            elif wave == len(there.waves) - 1:
                self._save(there, state=CampaignState.DONE, why="")
            elif there.stop:
                self._save(there, state=CampaignState.STOPPED, wave=wave + 1)
            else:
                state = CampaignState.RUNNING if wave < last else CampaignState.WAITING
                self._save(there, state=state, wave=wave + 1)
            goes_on = not sick and not there.stop and wave < last
            return {"healthy": not sick, "go": goes_on}

    # Inside -------------------------------------------------------------------------------------

    def _campaign(self, campaign_id: str, *, lock: bool = False) -> Campaign:
        found = self._store.campaign(campaign_id, lock=lock)
        if found is None:
            raise NotFound("there is no such campaign")
        return found

    def _member(self, campaign_id: str, deployment: str) -> Member:
        return next(m for m in self._store.members(campaign_id) if m.deployment == deployment)

    def _save(self, campaign: Campaign, **changes: Any) -> Campaign:  # noqa: ANN401 - attributes
        changed = replace(campaign, updated_at=self._clock.now(), **changes)
        self._store.save(changed)
        return changed

    def _plan(self, actor: Actor, campaign: Campaign) -> Campaign:
        started = self._needs.operations.start(
            PLAN, subject=campaign.id, path=policy.ROOT, inputs={"campaign": campaign.id},
            actor=actor, key=f"{PLAN}:{campaign.id}:{campaign.rounds}",
        )  # fmt: skip
        return self._save(
            campaign, state=CampaignState.PLANNING, stop=False, why="", operation=started.id
        )

    def _chosen(self, wish: Wish, target: Revision) -> list[User]:
        found: list[User] = []
        users, path = self._needs.users, (wish.path,)
        with self._db.transaction():
            for user in everything(lambda request: users.users(target.blueprint, path, request)):
                if _fits(user, wish, target):
                    found.append(user)
                if len(found) > MOST_MEMBERS:
                    message = f"are more than {MOST_MEMBERS}: choose by path, region or version"
                    raise Invalid([Problem("deployments", message)])
        if not found:
            raise Invalid([Problem("deployments", "are none that run another version there")])
        return found

    def _planned(self, campaign: Campaign, member: Member) -> Member:
        try:
            with self._db.transaction():
                there = self._provisioning.deployment_in_transaction(member.deployment)
            plan = self._provisioning.make_plan(
                tenancy=there.tenancy_id, action="change", deployment=there.id,
                blueprint=campaign.revision, inputs=there.inputs,
            )  # fmt: skip
        except BoroughError as error:
            reason = error.message[:_LONGEST_REASON]
            return replace(member, state=MemberState.UNPLANNABLE, reason=reason)
        resources = self._provisioning.resources(_SYSTEM, there.id)
        why = beyond(plan, [each for r in resources for each in r.hourly])
        counts = {op: n for op, n in plan.counts.items() if op not in {"same", "read"}}
        state = MemberState.NEEDS_ORDER if why else MemberState.PLANNED
        return replace(
            member, state=state, plan=plan.id, digest=plan.digest, counts=counts, beyond=why,
            reason="",
        )  # fmt: skip

    def _settle(self, campaign_id: str, deployment: str, state: MemberState, reason: str) -> str:
        with self._db.transaction():
            now = self._member(campaign_id, deployment)
            settled = replace(now, state=state, reason=reason[:_LONGEST_REASON])
            self._store.save_members(campaign_id, [settled])
        return state.value

    def _is_healthy(self, campaign: Campaign, member: Member) -> bool:
        if member.state not in SETTLED:
            return False
        if member.state is not MemberState.DONE:
            return True
        with self._db.transaction():
            there = self._provisioning.deployment_in_transaction(member.deployment)
        resources = self._provisioning.resources(_SYSTEM, member.deployment)
        return (
            there.state is DeploymentState.ACTIVE
            and there.revision == campaign.revision
            and all(r.state is InventoryState.CREATED for r in resources)
        )

    def _note(self, actor: Actor, action: str, subject: str, details: Mapping[str, Any]) -> None:
        self._needs.audit.record(actor, action, subject=subject, path=policy.ROOT, details=details)


def _fits(user: User, wish: Wish, target: Revision) -> bool:
    return (
        user.revision != target.digest
        and user.state == DeploymentState.ACTIVE.value
        and (not wish.versions or user.version in wish.versions)
        and (not wish.region or user.region == wish.region)
    )
