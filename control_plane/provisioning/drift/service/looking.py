"""Use cases of drift: look, decide, and answer what stands."""

import hashlib
import hmac
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from control_plane.provisioning.drift import model
from control_plane.provisioning.drift.model import (
    LONGEST_IGNORED_DAYS,
    Finding,
    FindingState,
    LookOutcome,
    RegionSight,
    RegionSummary,
    Seen,
    Turn,
    Watched,
)
from control_plane.provisioning.drift.ports import DriftStore, Owners
from control_plane.provisioning.graph import DriftFinding, Json
from control_plane.provisioning.model import Deployment, DeploymentState, RegionState
from control_plane.provisioning.ports import Audit, EngineError, StackBusyError
from control_plane.provisioning.service import Provisioning
from control_plane.tenancy.service import TenancyService
from foundation.access import policy
from foundation.kernel import canonical, ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import (
    BoroughError,
    Collector,
    Conflict,
    Unavailable,
)
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock
from foundation.operations.model import Operation
from foundation.operations.service import Operations

_PLATFORM = Actor.system("platform")
CHECK, REPAIR, ADOPT = "drift.check", "drift.repair", "drift.adopt"

_JITTER = 0.15
_BUSY_MINUTES = 5
_FAILURES = 2
_RETRY_SECONDS = 60.0
_LONGEST_RETRY = timedelta(hours=1)


class Unseen(BoroughError):
    """A region could not be looked at; ``details`` name the deployment."""

    code = "region_unseen"


@dataclass(frozen=True, slots=True)
class Needs:
    """What the looking after drift works with.

    Attributes:
        interval: how often each deployment is looked at, give or take 15 %.
        key: keys the digests that stand for secrets.
    """

    store: DriftStore
    db: UnitOfWork
    clock: Clock
    audit: Audit
    tenancy: TenancyService
    operations: Operations
    provisioning: Provisioning
    owners: Owners
    interval: timedelta
    key: bytes


class Looking:
    """Looks at deployments, and answers what stands."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self._store = needs.store
        self._db = needs.db
        self._clock = needs.clock
        self._provisioning = needs.provisioning

    @property
    def interval(self) -> timedelta:
        """How often each deployment is looked at; zero for never."""
        return self._needs.interval

    # Showing it -------------------------------------------------------------------------------

    def findings(
        self, actor: Actor, request: PageRequest, filters: Mapping[str, str] | None = None
    ) -> Page[Finding]:
        """The findings that the actor may see, newest first; those that stand without ``state``.

        Args:
            actor: who asks.
            request: which part of the list.
            filters: any of ``region_id``, ``tenancy_id``, ``deployment_id``, ``kind``, ``state``,
                ``type``.
        """
        paths = policy.visible_paths(actor, "drift.view")
        with self._db.transaction():
            return self._store.findings(paths, filters or {}, request)

    def finding(self, actor: Actor, finding_id: str) -> Finding:
        """One finding with its history.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._seen_finding(actor, finding_id, "drift.view")

    def summary(self, actor: Actor) -> list[RegionSummary]:
        """By region: what stands, and how old the looks are, as far as the actor may see."""
        paths = policy.visible_paths(actor, "drift.view")
        with self._db.transaction():
            return self._store.summary(paths)

    def of_deployment(
        self, actor: Actor, deployment: str
    ) -> tuple[Watched | None, Sequence[Finding]]:
        """How a deployment stands with looks, and what stands of it.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._seen(actor, deployment, "drift.view")
            return self._store.watched(there.id), tuple(self._store.standing(there.id))

    # Asking for it ----------------------------------------------------------------------------

    def request_check(self, actor: Actor, deployment: str) -> Operation:
        """Start an operation that looks at a deployment now.

        Raises:
            Conflict: it is not active, or an operation works on it.
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._idle(actor, deployment, CHECK)
            started = self._start(actor, CHECK, there, {})
            self._note(actor, CHECK, there, {"operation": started.id})
            return started

    def request_checks(self, actor: Actor, region: str | None = None) -> int:
        """Let everything that the actor may check be looked at as soon as the lanes come to it.

        Args:
            actor: who asks.
            region: only there (id); None for all.

        Returns:
            How many deployments were moved up.
        """
        paths = policy.visible_paths(actor, CHECK)
        with self._db.transaction():
            many = self._store.due(paths, region, self._clock.now())
            for path in paths:
                details = {"region": region, "deployments": many}
                self._needs.audit.record(actor, CHECK, subject="", path=path, details=details)
            return many

    def ignore(self, actor: Actor, finding_id: str, *, until: datetime, reason: str) -> Finding:
        """Let nobody be bothered with a finding until a date; then it is open again.

        Raises:
            Invalid: names a date that is past or too far, and a missing reason.
            Conflict: it does not stand any more, or was accepted.
            NotFound: there is none, or none that the actor may know of.
        """
        now = self._clock.now()
        found = Collector()
        if found.check(until.tzinfo is not None, "until", "must carry a time zone"):
            latest = now + timedelta(days=LONGEST_IGNORED_DAYS)
            found.check(until > now, "until", "must be in the future")
            found.check(until <= latest, "until", "must be within a year")
        found.check(reason.strip(), "reason", "is required")
        found.finish()
        with self._db.transaction():
            seen = self._seen_finding(actor, finding_id, "drift.ignore")
            self._store.standing(seen.deployment_id, lock=True)
            there = self._existing(finding_id)
            if there.state not in {FindingState.OPEN, FindingState.IGNORED}:
                raise Conflict(f"the finding is {there.state.value}", state=there.state.value)
            turned = there.turned(
                FindingState.IGNORED, at=now, by=actor.name, reason=reason.strip(),
                ignored_until=until,
            )  # fmt: skip
            self._store.put([turned])
            self._needs.audit.record(
                actor, "drift.ignore", subject=there.id, path=there.path,
                details={"deployment": there.deployment_id, "resource": there.name,
                         "property": there.attribute, "until": until, "reason": reason.strip()},
            )  # fmt: skip
            return turned

    # Looking ----------------------------------------------------------------------------------

    def look(self, deployment: str) -> LookOutcome:
        """Look at a deployment and write down what is found; for jobs, which have authorised.

        No transaction may be open. A look that was killed is begun again by the next one.

        Returns:
            How it ended; why a region could not be looked at is noted beside the deployment.
        """
        self._db.assert_no_transaction()
        with self._db.transaction():
            there = self._provisioning.deployment_in_transaction(deployment)
            if there.state is not DeploymentState.ACTIVE or there.operation:
                return self._end(there, LookOutcome.BUSY)
            region = self._provisioning.region(_PLATFORM, there.region_id)
            if region.state is RegionState.MAINTENANCE:
                return self._end(there, LookOutcome.BUSY)
            cut_off = self._store.begin(there.id, self._clock.now())
        try:
            found = self._provisioning.look_at(there, cut_off=cut_off)
        except StackBusyError:
            return self._end(there, LookOutcome.BUSY)
        except (EngineError, Unavailable) as error:
            return self._failed(there, error)
        with self._db.transaction():
            now = self._provisioning.deployment_in_transaction(deployment)
            if (now.operation, now.last_operation) != ("", there.last_operation):
                return self._end(there, LookOutcome.BUSY)
            standing = self._write(there, found)
            seen = self._store.sight(there.region_id)
            if seen.failures:
                self._store.put_sight(RegionSight(there.region_id))
            return self._end(there, LookOutcome.DRIFTED if standing else LookOutcome.CLEAN)

    def _write(self, there: Deployment, found: Sequence[DriftFinding]) -> list[Finding]:
        at = self._clock.now()
        known = self._store.standing(there.id, lock=True)
        looked = model.seen(found, self._mark)

        def make(new: Seen) -> Finding:
            return Finding(
                ids.new("drf"), there.id, there.region_id, there.tenancy_id, there.path, new.urn,
                new.type, new.name, new.kind, new.attribute, new.wanted, new.found,
                FindingState.OPEN, at, at,
                history=(Turn(at, FindingState.OPEN, model.PLATFORM),),
            )  # fmt: skip

        after = model.after_look(known, looked, at, make)
        self._store.put(after)
        return [f for f in after if f.closed_at is None]

    def _mark(self, value: Json) -> str:
        text = canonical.dumps(value).encode()
        return hmac.new(self._needs.key, text, hashlib.sha256).hexdigest()[:32]

    def _failed(self, there: Deployment, error: BoroughError) -> LookOutcome:
        """Note that a region could not be looked at, and leave it alone for a while."""
        at = self._clock.now()
        with self._db.transaction():
            seen = self._store.sight(there.region_id)
            failures = seen.failures + 1
            pause = min(timedelta(seconds=_RETRY_SECONDS) * 2 ** min(failures, 10), _LONGEST_RETRY)
            unseen = failures >= _FAILURES
            self._store.put_sight(
                RegionSight(
                    there.region_id, failures,
                    (seen.unseen_since or at) if unseen else None,
                    at + pause if unseen else None,
                    error.message[:1000],
                )
            )  # fmt: skip
            self._end(there, LookOutcome.UNSEEN, error.message[:1000], pause if unseen else None)
        return LookOutcome.UNSEEN

    def why_unseen(self, deployment: str) -> str:
        """Why the last look at a deployment failed."""
        with self._db.transaction():
            watched = self._store.watched(deployment)
        return watched.error if watched is not None else ""

    def give_up(self, deployment: str) -> None:
        """Note that a look ended by a defect of the platform; for the lanes."""
        with self._db.transaction():
            there = self._provisioning.deployment_in_transaction(deployment)
            self._end(there, LookOutcome.UNSEEN, "the platform failed; its log has more")

    def _end(
        self,
        there: Deployment,
        outcome: LookOutcome,
        error: str = "",
        pause: timedelta | None = None,
    ) -> LookOutcome:
        at = self._clock.now()
        if outcome is LookOutcome.BUSY:
            pause = timedelta(minutes=_BUSY_MINUTES)
        wait = pause or self._needs.interval
        spread = 1 + _JITTER * (2 * random.random() - 1)  # noqa: S311 - spreads load, no secret
        with self._db.transaction():
            self._store.ended(there.id, outcome, at, at + wait * spread, error)
        return outcome

    def hold_quota(self, deployment: str, key: str) -> None:
        """Give a reservation back when a deployment is gone; for features above.

        Within the open transaction; the deployment is active.
        """
        self._store.enlist(self._clock.now(), self._needs.interval)
        self._store.keep_reservation(deployment, key)

    def tidy(self) -> None:
        """Watch what is new, and give back what was held for what is gone; for the lanes."""
        with self._db.transaction():
            self._store.enlist(self._clock.now(), self._needs.interval)
            for keys in self._store.left_reservations():
                self._needs.tenancy.release_together(keys)

    def free(self, lane: str) -> None:
        """Give back what a killed process of this lane had taken."""
        with self._db.transaction():
            self._store.free(lane)

    def claim(self, lane: str, *, batch: int, lanes: int, seconds: float) -> list[str]:
        """Take deployments of one region that are due; for the lanes."""
        with self._db.transaction():
            return self._store.claim(
                lane, self._clock.now(), batch=batch, lanes=lanes, seconds=seconds
            )

    # Inside -----------------------------------------------------------------------------------

    def _start(
        self, actor: Actor, kind: str, there: Deployment, inputs: Mapping[str, Any]
    ) -> Operation:
        """Start work on a deployment; while the same waits or runs, it is answered."""
        plain = json.loads(canonical.dumps(inputs))
        key = f"{kind}:{there.id}"
        while True:
            started = self._needs.operations.start(
                kind, subject=there.id, path=there.path, inputs=plain, actor=actor, key=key
            )
            if not started.state.ended:
                if dict(started.inputs) != plain:
                    raise Conflict(
                        f"the operation {started.id} does something else", operation=started.id
                    )
                return started
            key = f"{kind}:{there.id}:{started.id}"

    def _note(
        self, actor: Actor, action: str, there: Deployment, details: Mapping[str, Any]
    ) -> None:
        self._needs.audit.record(actor, action, subject=there.id, path=there.path, details=details)

    def _seen(self, actor: Actor, deployment: str, action: str) -> Deployment:
        there = self._provisioning.deployment_in_transaction(deployment)
        policy.require(actor, action, there.path, "deployment")
        return there

    def _idle(self, actor: Actor, deployment: str, action: str) -> Deployment:
        there = self._seen(actor, deployment, action)
        if there.state is not DeploymentState.ACTIVE:
            raise Conflict(f"the deployment is {there.state.value}: only an active one can drift")
        if there.operation:
            raise Conflict(
                f"the operation {there.operation} works on the deployment",
                operation=there.operation,
            )
        return there

    def _existing(self, finding_id: str) -> Finding:
        found = self._store.finding(finding_id)
        if found is None:
            raise policy.unknown("finding")
        return found

    def _seen_finding(self, actor: Actor, finding_id: str, action: str) -> Finding:
        found = self._existing(finding_id)
        policy.require(actor, action, found.path, "finding")
        return replace(found)
