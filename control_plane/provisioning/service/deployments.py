"""Use cases of deployments: apply a plan, return what was made, and say what there is."""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from control_plane.provisioning import differences
from control_plane.provisioning.derived import PLATFORM, derive
from control_plane.provisioning.graph import Json
from control_plane.provisioning.model import (
    CAPACITY,
    Deployment,
    DeploymentState,
    Plan,
    PlanAction,
    Resource,
)
from control_plane.provisioning.ports import Cancellation, OnEvent
from control_plane.provisioning.service.carrying import (
    Carrying,
    Watch,
    Work,
    judge_of,
)
from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NeedsApproval,
    NotFound,
    Problem,
)
from foundation.kernel.paging import Page, PageRequest
from foundation.operations.model import Operation


class Deployments(Carrying):
    """What was deployed."""

    # Doing it ---------------------------------------------------------------------------------

    def apply(
        self,
        plan: str,
        *,
        operation: str,
        digest: str | None = None,
        on_event: OnEvent | None = None,
        cancel: Cancellation | None = None,
    ) -> Deployment:
        """Make a plan true; for features above and jobs, which have authorised.

        No transaction may be open. Called again by the same operation after its process was cut
        off, it completes the work without a second set of resources; called again after it
        succeeded, it changes nothing.

        Args:
            plan: id or digest.
            operation: the id of the operation that does it; nobody else works on the deployment
                meanwhile.
            digest: what was approved; another digest of the plan is refused.
            on_event: receives live progress per resource.
            cancel: asked between steps; when set, the running steps end and the rest is not begun.

        Returns:
            The deployment: ``active`` (or ``destroyed``), or ``failed`` with ``error`` when a cloud
            refused something or it was cancelled; then it can be applied or destroyed again.

        Raises:
            NeedsApproval: what would happen is not what the plan shows, or a waiver that it rests
                on holds no longer; ``details["difference"]`` says how. Nothing was done beyond
                what is said there.
            Conflict: a policy forbids the plan.
            Unavailable: another operation works on it.
            Superseded: another process took over meanwhile; it writes the result.
            ProgramError: the program did not end well; nothing was touched.
            EngineError: the engine could not begin; nothing was touched.
        """
        self._db.assert_no_transaction()
        with self._db.transaction():
            approved = self._approved(plan, digest)
            there = self._deployment(approved.deployment_id)
            self._check_may_work(there)
        if _is_done(there, approved, operation):
            return there
        if there.operation != operation:  # what was begun under a waiver is completed
            self._check_policies(approved)
        watch = Watch(operation, on_event, cancel)
        if approved.action is PlanAction.DELETE:
            return self._return(there, watch, approved)
        place = self._prepared(approved, watch)
        with self._db.transaction():
            revision = self._revision(approved.revision)
            tenancy = self._with.tenancy.tenancy_in_transaction(approved.tenancy_id)
        run = self._run(there, revision, approved.inputs, tenancy, place)
        self._check_stand_ins(approved, run)
        work = Work(there, revision, tenancy, run, approved.inputs, approved)
        return self._carry_out(work, judge_of(work, approved.preview), watch)

    def destroy(
        self,
        deployment: str,
        *,
        operation: str,
        on_event: OnEvent | None = None,
        cancel: Cancellation | None = None,
    ) -> Deployment:
        """Return everything of a deployment; for features above and jobs, which have authorised.

        Repeatable like ``apply``; a deployment that is destroyed already is answered as it is.

        Raises:
            Conflict: it is a tenancy's own and something is in it.
            Unavailable: another operation works on it.
            EngineError: the engine could not begin; nothing was touched.
        """
        self._db.assert_no_transaction()
        with self._db.transaction():
            there = self._deployment(deployment)
        if there.state is DeploymentState.DESTROYED:
            return there
        return self._return(there, Watch(operation, on_event, cancel), None)

    def discard(self, deployment: str) -> None:
        """Forget a deployment that nothing was ever done for; for features above.

        Raises:
            Conflict: something was done.
        """
        with self._db.transaction():
            there = self._deployment(deployment)
            if there.state is DeploymentState.DESTROYED:
                return
            if there.state is not DeploymentState.PENDING:
                raise Conflict(f"the deployment is {there.state.value}")
            hold = self._take(there, "discard", DeploymentState.DESTROYING)
            values = {"state": DeploymentState.DESTROYED.value}
            self._store.let_go(hold, self._clock.now(), values)

    def request_destroy(
        self, actor: Actor, deployment: str, *, reason: str = "", force: bool = False
    ) -> Operation:
        """Start an operation that returns a deployment.

        Raises:
            Conflict: it belongs to a service that was ordered: then an order returns it, unless an
                operator forces it and says why; or it is a tenancy's own and not empty.
            Invalid: it is forced without a reason.
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._seen(actor, deployment, "deployment.destroy")
            if not there.stands_alone and not force:
                raise Conflict(
                    f"the deployment belongs to {there.owner}: order its return, or force it and "
                    "say why",
                    owner=there.owner,
                )
            if force and not reason.strip():
                raise Invalid([Problem("reason", "is required to force it")])
            if there.is_landing:
                self._check_landing(there)
            self._check_idle(there)
            inputs = {"reason": reason, "force": force}
            started = self._start_once(actor, "deployment.destroy", there, inputs)
            details = {"reason": reason, "force": force, "operation": started.id}
            self._note(actor, "deployment.destroy", there.id, there.path, details)
            return started

    def request_apply(self, actor: Actor, deployment: str) -> Operation:
        """Start an operation that applies a deployment's last plan again: a failed one is retried.

        Raises:
            Conflict: there is no plan to apply again, or it belongs to an order, or the deployment
                was imported: then its import is carried out again, which holds its quota.
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._seen(actor, deployment, "deployment.apply")
            if not there.stands_alone:
                message = f"the deployment belongs to {there.owner}: retry its order"
                raise Conflict(message, owner=there.owner)
            if there.plan_id is None or there.state is DeploymentState.DESTROYED:
                raise Conflict(f"the deployment is {there.state.value}: there is nothing to apply")
            if self._store.imported(there.id):
                raise Conflict("the deployment was imported: carry out its plan as an import")
            self._check_idle(there)
            plan = self._approved(there.plan_id, None)
            inputs = {"plan": plan.id, "digest": plan.digest}
            started = self._start_once(actor, "deployment.apply", there, inputs)
            self._note(
                actor, "deployment.apply", there.id, there.path,
                {"plan": plan.digest, "operation": started.id},
            )  # fmt: skip
            return started

    def _start_once(
        self, actor: Actor, kind: str, there: Deployment, inputs: Mapping[str, Any]
    ) -> Operation:
        """Start work on a deployment; while it waits or runs, the same work is answered."""
        key = f"{kind}:{there.id}"
        while True:
            started = self._with.operations.start(
                kind, subject=there.id, path=there.path, inputs=inputs, actor=actor, key=key
            )
            if not started.state.ended:
                return started
            key = f"{kind}:{there.id}:{started.id}"

    # Showing it -------------------------------------------------------------------------------

    def deployment(self, actor: Actor, deployment_id: str) -> Deployment:
        """One deployment; secret outputs are masked.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._seen(actor, deployment_id, "deployment.view")

    def deployment_in_transaction(self, deployment_id: str) -> Deployment:
        """The same for features above; they have authorised."""
        return self._deployment(deployment_id)

    def deployments(
        self, actor: Actor, request: PageRequest, filters: Mapping[str, str] | None = None
    ) -> Page[Deployment]:
        """The deployments that the actor may see, newest first.

        Args:
            actor: who asks.
            request: which part of the list.
            filters: any of ``tenancy_id``, ``region_id``, ``blueprint``, ``state``, ``owner``;
                ``imported`` for those alone that were or are being taken in.
        """
        paths = policy.visible_paths(actor, "deployment.view")
        with self._db.transaction():
            return self._store.deployments(paths, filters or {}, request)

    def resources(self, actor: Actor, deployment_id: str) -> list[Resource]:
        """What a deployment has in its region, by URN.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            there = self._seen(actor, deployment_id, "deployment.view")
            return self._store.resources(there.id)

    def inventory(
        self, actor: Actor, request: PageRequest, filters: Mapping[str, str] | None = None
    ) -> Page[Resource]:
        """All resources that the actor may see, newest first; deleted ones only by their state.

        Args:
            actor: who asks.
            request: which part of the list.
            filters: any of ``deployment_id``, ``tenancy_id``, ``region_id``, ``type``, ``state``.
        """
        paths = policy.visible_paths(actor, "resource.view")
        with self._db.transaction():
            return self._store.inventory(paths, filters or {}, request)

    def reveal_outputs(self, actor: Actor, deployment_id: str) -> dict[str, Json]:
        """A deployment's outputs with its secrets in clear; it is written into the audit log.

        Raises:
            NotFound: there is none, or none that the actor may know of.
            Forbidden: the actor may see it and not its secrets.
        """
        with self._db.transaction():
            there = self._seen(actor, deployment_id, "deployment.reveal")
            # Who holds a project's own credentials goes around orders and quotas.
            if there.is_landing and not policy.allows(actor, "region.add", policy.ROOT):
                raise Forbidden("only the platform sees a tenancy's own credentials")
            names = list(there.secret_outputs)
            self._note(actor, "deployment.reveal", there.id, there.path, {"outputs": names})
        return {**there.outputs, **self._secret_outputs(there.id)}

    # For features above -----------------------------------------------------------------------

    def secret_output(self, deployment_id: str, name: str) -> Json:
        """A secret output in clear; they have authorised, and write down that it was shown.

        None where there is no such output.
        """
        return self._secret_outputs(deployment_id).get(name)

    def bearer(self, deployment_id: str, key: str) -> Deployment | None:
        """The deployment whose program derived this key for its workload; None for any other key.

        Both derive it from the deployment's seed: no token is made, kept or handed over, and it
        ends with the deployment.
        """
        with self._db.transaction():
            there = self._store.deployment(deployment_id)
        if there is None or there.state is DeploymentState.DESTROYED:
            return None
        expected = derive(self._seed(there.id), PLATFORM)
        return there if hmac.compare_digest(expected.encode(), key.encode()) else None

    def resolve_resources(self, names: Iterable[str]) -> Mapping[str, Resource]:
        """Resources by platform id or physical id, deleted ones too; unknown names are left out."""
        with self._db.transaction():
            return self._store.resolve(sorted(names))

    def resources_in_region(self, region: str, since: datetime) -> Sequence[Resource]:
        """What lived in a region at that time or later, for collectors."""
        with self._db.transaction():
            return self._store.in_region(self._region(region).id, since)

    def landing_in_transaction(self, tenancy_id: str, region_id: str) -> Deployment | None:
        """A tenancy's own deployment in a region; for features above, which have authorised."""
        return self._store.landing(tenancy_id, region_id)

    def named_in_transaction(self, tenancy_id: str, region_id: str, name: str) -> Deployment | None:
        """The living deployment of a name; for features above, which have authorised."""
        return self._store.named(tenancy_id, region_id, name)

    def imported_in_transaction(self, deployment_id: str) -> Mapping[str, str]:
        """Ids of what a deployment took in, or is to, by URN; for features above."""
        return self._store.imported(deployment_id)

    def claimed_in_transaction(
        self, region_id: str, physical_ids: Iterable[str]
    ) -> Mapping[str, str]:
        """The deployments that own objects of a region, by the objects' ids; for features above."""
        return self._store.claimed(region_id, tuple(physical_ids))

    def deployments_at_work(self, region: str) -> frozenset[str]:
        """The deployments of a region that an operation works on now, for collectors."""
        with self._db.transaction():
            return self._store.at_work(self._region(region).id)

    # Inside -----------------------------------------------------------------------------------

    def _seen(self, actor: Actor, deployment_id: str, action: str) -> Deployment:
        there = self._deployment(deployment_id)
        policy.require(actor, action, there.path, "deployment")
        return there

    def _approved(self, reference: str, digest: str | None) -> Plan:
        found = self._store.plan(reference)
        if found is None:
            raise NotFound("there is no such plan")
        if digest is not None and digest != found.digest:
            raise NeedsApproval(
                "the plan is not the one that was approved", difference=[],
                approved=digest, current=found.digest,
            )  # fmt: skip
        return found

    def _check_policies(self, plan: Plan) -> None:
        """Refuse what a policy forbids, by now or from the beginning.

        The region's room is not among it: the region itself refuses what it has no room for.
        """
        forbidden = [f for f in plan.blocked if f.policy != CAPACITY]
        if forbidden:
            listed = "; ".join(f"{f.policy}: {f.message.en}" for f in forbidden)
            raise Conflict(
                f"policies forbid the plan: {listed}", findings=[f.document() for f in forbidden]
            )
        ended = self._with.policies.ended(plan.findings)
        if ended:
            now = replace(
                plan,
                findings=tuple(replace(f, waiver=None) if f in ended else f for f in plan.findings),
            )
            raise NeedsApproval(
                "a waiver that the plan rests on holds no longer",
                difference=[d.document() for d in differences.changed_findings(plan, now)],
            )

    @staticmethod
    def _check_idle(there: Deployment) -> None:
        if there.operation:
            raise Conflict(
                f"the operation {there.operation} works on the deployment",
                operation=there.operation,
            )


def _is_done(there: Deployment, plan: Plan, operation: str) -> bool:
    ended = {PlanAction.DELETE: DeploymentState.DESTROYED}.get(plan.action, DeploymentState.ACTIVE)
    return there.state is ended and there.plan_id == plan.id and there.last_operation == operation
