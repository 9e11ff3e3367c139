"""Use cases of deployments: apply a plan, return what was made, and say what there is."""

import hmac
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from control_plane.provisioning import differences
from control_plane.provisioning.derived import PLATFORM, derive
from control_plane.provisioning.graph import ApplyResult, ApplyState, Change, Json, Op, Preview
from control_plane.provisioning.model import (
    CAPACITY,
    MASK,
    Deployment,
    DeploymentState,
    Hold,
    Plan,
    PlanAction,
    RegionState,
    Resource,
    Revision,
    Stage,
)
from control_plane.provisioning.ports import Cancellation, OnEvent, Run
from control_plane.provisioning.service.core import Core, Place
from control_plane.provisioning.service.inventory import Inventory
from control_plane.tenancy.model import Tenancy
from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.errors import (
    BoroughError,
    Conflict,
    Forbidden,
    Invalid,
    NeedsApproval,
    NotFound,
    Problem,
    Unavailable,
)
from foundation.kernel.paging import Page, PageRequest
from foundation.operations.model import Operation

_TENANCY_PATIENCE = 900.0
_POLL_SECONDS = 1.0
_PROVIDERS = "pulumi:"
_MAKES = {Op.CREATE, Op.UPDATE, Op.REPLACE}

Judge = Callable[[Preview, bool], None]


@dataclass(frozen=True, slots=True)
class Watch:
    """How an operation follows what it started.

    Attributes:
        operation: its id: names the holder of the deployment.
        on_event: receives live progress.
        cancel: asked between steps.
    """

    operation: str
    on_event: OnEvent | None = None
    cancel: Cancellation | None = None


class Deployments(Core):
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
        return self._carry_out(work, _judge(work, approved.preview), watch)

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

    def _check_landing(self, landing: Deployment) -> None:
        inside = self._store.residents(landing)
        if inside:
            names = ", ".join(d.name for d in inside)
            raise Conflict(
                f"return what is in the tenancy first: {names}",
                deployments=[d.id for d in inside],
            )

    @staticmethod
    def _check_idle(there: Deployment) -> None:
        if there.operation:
            raise Conflict(
                f"the operation {there.operation} works on the deployment",
                operation=there.operation,
            )

    def _check_may_work(self, there: Deployment) -> None:
        region = self._region(there.region_id)
        if region.state is RegionState.MAINTENANCE:
            raise Unavailable(f"the region {region.slug} is under maintenance", 30.0)

    def _take(self, there: Deployment, operation: str, state: DeploymentState) -> Hold:
        hold = self._store.take(there.id, operation, state, self._clock.now())
        if hold is None:
            if self._deployment(there.id).state is DeploymentState.DESTROYED:
                raise Conflict("the deployment is destroyed: plan it anew")
            raise Unavailable("another operation works on the deployment", deployment=there.id)
        return hold

    def _prepared(self, plan: Plan, watch: Watch) -> Place:
        """Do the plan's first stage unless it is done; answer what the tenancy offers."""
        with self._db.transaction():
            revision = self._revision(plan.revision)
            landing = self._store.landing(plan.tenancy_id, plan.region_id)
        if not revision.in_tenancy:
            return Place()
        if plan.preparation is None:
            if landing is None or landing.state is not DeploymentState.ACTIVE:
                raise NeedsApproval(
                    "the tenancy is not prepared in the region any more", difference=[]
                )
            return self._place(landing)
        return self._prepare(plan, plan.preparation, watch)

    def _prepare(self, plan: Plan, stage: Stage, watch: Watch) -> Place:
        end = time.monotonic() + _TENANCY_PATIENCE
        while True:
            with self._db.transaction():
                landing = self._deployment(stage.deployment_id)
            if _has_stage(landing, stage):
                return self._place(landing)
            if landing.state is DeploymentState.DESTROYED:
                raise NeedsApproval(
                    "the tenancy is not in the region as it was planned any more", difference=[]
                )
            try:
                return self._place(self._apply_stage(plan, landing, stage, watch))
            except Unavailable:
                # Another order of the same tenancy prepares it right now.
                if time.monotonic() > end or (watch.cancel and watch.cancel.is_set()):
                    raise
                time.sleep(_POLL_SECONDS)

    def _apply_stage(
        self, plan: Plan, landing: Deployment, stage: Stage, watch: Watch
    ) -> Deployment:
        with self._db.transaction():
            revision = self._revision(stage.revision)
            tenancy = self._with.tenancy.tenancy_in_transaction(plan.tenancy_id)
        run = self._run(landing, revision, stage.inputs, tenancy, Place())
        work = Work(landing, revision, tenancy, run, stage.inputs, None)
        done = self._carry_out(work, _judge(work, Preview(stage.changes)), watch)
        if done.state is not DeploymentState.ACTIVE:
            raise _PreparationFailed(
                f"the tenancy could not be prepared: {done.error}", deployment=done.id
            )
        return done

    def _check_stand_ins(self, plan: Plan, run: Run) -> None:
        """A plan that was made before its tenancy was there: does the program say the same now?"""
        if plan.preparation is None or not _has_unknown_stage(plan):
            return
        self._db.assert_no_transaction()
        with self._db.transaction():
            region = self._region(plan.region_id)
        graph = self._engine(region.engine).evaluate(run)
        fresh = Preview(differences.creations(graph))
        beyond = fresh.beyond(Preview(plan.changes))
        if beyond:
            raise needs_approval(plan.changes, fresh.changes)

    def _carry_out(
        self, work: "Work", judge: Judge, watch: Watch, *, refresh: bool = False
    ) -> Deployment:
        """Apply one stage.

        Args:
            work: the stage.
            judge: raises when the fresh preview does what nobody approved; it is told whether
                part of it may be done already.
            watch: who does it.
            refresh: first look at what the region really has.
        """
        with self._db.transaction():
            self._check_may_work(work.deployment)
            hold = self._take(work.deployment, watch.operation, DeploymentState.APPLYING)
            if work.plan is None and not hold.resumed:
                self._check_as_seen(work.deployment, hold)
            started = work.plan is not None and work.deployment.plan_id == work.plan.id
            values: dict[str, Any] = {"error": ""}
            imports = {} if work.plan is None or refresh else dict(work.plan.imports)
            if work.plan is not None:
                values["plan_id"] = work.plan.id
            if imports:
                self._check_unclaimed(work.deployment, imports)
            self._store.write(hold, self._clock.now(), values)
        again = hold.resumed or started or hold.before is DeploymentState.FAILED
        inventory = Inventory(self._store, work.deployment, self._clock.now)
        with self._db.transaction():
            region = self._region(work.deployment.region_id)
        engine = self._engine(region.engine)

        def confirm(fresh: Preview) -> None:
            judge(fresh, again)
            with self._db.transaction():
                self._store.write(hold, self._clock.now(), {})  # only the holder goes on
                inventory.announce(fresh, work.hourly)

        with self._undone(hold):
            if again:
                engine.recover(work.run, on_event=watch.on_event)

            def work_on() -> ApplyResult:
                if imports:
                    return engine.import_existing(
                        work.run, imports, confirm=confirm,
                        on_event=watch.on_event, cancel=watch.cancel,
                    )  # fmt: skip
                return engine.apply(
                    work.run, confirm=confirm,
                    on_event=watch.on_event, cancel=watch.cancel, refresh=refresh,
                )  # fmt: skip

            result = self._when_free(
                work_on,
                # It is held by nobody else: what stands in the way was left by a killed look.
                mend=lambda: engine.recover(work.run, on_event=watch.on_event),
            )
        return self._applied(work, hold, inventory, result)

    def _check_as_seen(self, seen: Deployment, hold: Hold) -> None:
        """Refuse a stage whose deployment another order has worked on since it was looked at."""
        now = self._deployment(seen.id)
        same = (hold.before, now.revision, dict(now.inputs)) == (
            seen.state, seen.revision, dict(seen.inputs)
        )  # fmt: skip
        if not same:
            raise Unavailable("another operation worked on the deployment", deployment=seen.id)

    def _check_unclaimed(self, there: Deployment, imports: Mapping[str, str]) -> None:
        """Refuse to take in what another deployment has, or is taking in."""
        claimed = self._store.claimed(there.region_id, tuple(imports.values()))
        others = {i: d for i, d in claimed.items() if d != there.id}
        if others:
            listed = ", ".join(f"{i} ({d})" for i, d in sorted(others.items()))
            raise Conflict(f"other deployments own some of it: {listed}", owned=others)

    @contextmanager
    def _undone(self, hold: Hold) -> Iterator[None]:
        """Give the deployment back as it was when nothing could be done."""
        self._db.assert_no_transaction()
        try:
            yield
        except BoroughError as error:
            state = DeploymentState.FAILED if hold.resumed else hold.before
            refused = isinstance(error, NeedsApproval)
            with self._db.transaction():
                values = {"state": state.value, "error": "" if refused else error.message}
                self._store.let_go(hold, self._clock.now(), values)
            raise

    def _applied(
        self, work: "Work", hold: Hold, inventory: Inventory, result: ApplyResult
    ) -> Deployment:
        at = self._clock.now()
        succeeded = result.state is ApplyState.SUCCEEDED
        values: dict[str, Any] = {
            "state": (DeploymentState.ACTIVE if succeeded else DeploymentState.FAILED).value,
            "error": "" if succeeded else _why(result),
        }
        if succeeded:
            values |= self._outputs(work, result)
            values |= {"inputs": dict(work.inputs), "revision": work.revision.digest}
            if work.plan is not None:
                values["footprint"] = dict(work.plan.footprint)
        with self._db.transaction():
            self._store.let_go(hold, at, values)
            inventory.settle(result.outcomes, work.hourly)
            return self._deployment(work.deployment.id)

    def _outputs(self, work: "Work", result: ApplyResult) -> dict[str, Any]:
        """Outputs as they are kept: secret ones sealed, masks in their place."""
        properties = work.revision.outputs.get("properties", {})
        secret = dict(result.secret_outputs)
        plain = dict(result.outputs)
        for name, schema in properties.items():
            if schema.get("x-secret") and name in plain:
                secret[name] = plain.pop(name)
        values: dict[str, Any] = {
            "outputs": {**plain, **dict.fromkeys(secret, MASK)},
            "secret_outputs": sorted(secret),
            "sealed_outputs": None,
        }
        if secret:
            context = f"provisioning_deployment:{work.deployment.id}:outputs"
            values["sealed_outputs"] = self._secrets.seal(json.dumps(secret).encode(), context)
        return values

    def _return(self, there: Deployment, watch: Watch, plan: Plan | None) -> Deployment:
        with self._db.transaction():
            self._check_may_work(there)
            if there.is_landing:
                self._check_landing(there)
            revision = self._revision(there.revision)
            tenancy = self._with.tenancy.tenancy_in_transaction(there.tenancy_id)
            if plan is not None and there.state is not DeploymentState.DESTROYING:
                self._check_unchanged(plan, there)
            landing = self._store.landing(there.tenancy_id, there.region_id)
            hold = self._take(there, watch.operation, DeploymentState.DESTROYING)
            values = {"error": "", **({} if plan is None else {"plan_id": plan.id})}
            self._store.write(hold, self._clock.now(), values)
            region = self._region(there.region_id)
            taken = self._store.imported(there.id)
        inside = revision.in_tenancy
        place = self._place(landing) if inside and landing is not None else Place()
        run = self._run(there, revision, there.inputs, tenancy, place)
        engine = self._engine(region.engine)
        with self._undone(hold):
            if hold.resumed or hold.before is not DeploymentState.ACTIVE:
                engine.recover(run, on_event=watch.on_event)
            if taken and not there.outputs and not there.footprint:
                # The import was never completed: what others made is given back, not deleted.
                engine.release(run, tuple(taken), on_event=watch.on_event)
            result = self._when_free(
                lambda: engine.destroy(run, on_event=watch.on_event, cancel=watch.cancel)
            )
        return self._returned(there, hold, result)

    def _returned(self, there: Deployment, hold: Hold, result: ApplyResult) -> Deployment:
        at = self._clock.now()
        inventory = Inventory(self._store, there, self._clock.now)
        gone = result.state is ApplyState.SUCCEEDED
        values: dict[str, Any] = {
            "state": (DeploymentState.DESTROYED if gone else DeploymentState.FAILED).value,
            "error": "" if gone else _why(result),
        }
        if gone:
            values |= {
                "footprint": {}, "outputs": {}, "secret_outputs": [], "sealed_outputs": None,
            }  # fmt: skip
        with self._db.transaction():
            self._store.let_go(hold, at, values)
            inventory.settle(result.outcomes, {}, emptied=gone)
            return self._deployment(there.id)

    def _check_unchanged(self, plan: Plan, there: Deployment) -> None:
        """What is returned is what was approved to be returned."""
        present = self._store.resources(there.id)
        approved = {c.urn for c in plan.changes}
        now = tuple(Change(r.urn, r.type, r.name, Op.DELETE) for r in present)
        if any(c.urn not in approved for c in now):
            raise needs_approval(plan.changes, now)


class _PreparationFailed(BoroughError):
    """The tenancy that something goes into could not be prepared."""

    code = "preparation_failed"


@dataclass(frozen=True, slots=True)
class Work:
    """One stage of a plan, ready to be applied; the tenancy's own stage has no plan."""

    deployment: Deployment
    revision: Revision
    tenancy: Tenancy
    run: Run
    inputs: Mapping[str, Json]
    plan: Plan | None

    @property
    def hourly(self) -> dict[str, list[Any]]:
        """What each resource will use, by URN."""
        found: dict[str, list[Any]] = {}
        for each in self.plan.hourly if self.plan else ():
            found.setdefault(each.resource, []).append(each)
        return found


def _is_done(there: Deployment, plan: Plan, operation: str) -> bool:
    ended = {PlanAction.DELETE: DeploymentState.DESTROYED}.get(plan.action, DeploymentState.ACTIVE)
    return there.state is ended and there.plan_id == plan.id and there.last_operation == operation


def _has_stage(landing: Deployment, stage: Stage) -> bool:
    return (
        landing.state is DeploymentState.ACTIVE
        and landing.revision == stage.revision
        and dict(landing.inputs) == dict(stage.inputs)
    )


def _has_unknown_stage(plan: Plan) -> bool:
    """Whether the plan's main stage was made with stand-ins: its tenancy was all to be created."""
    return plan.preparation is not None and all(c.op is Op.CREATE for c in plan.preparation.changes)


def _judge(work: Work, approved: Preview) -> Judge:
    """What refuses a fresh preview that does what nobody approved (NeedsApproval)."""

    def judge(fresh: Preview, again: bool) -> None:  # noqa: FBT001 - as the port calls it
        if work.plan is not None and _has_unknown_stage(work.plan):
            # Values were compared before (``_check_stand_ins``); here it is what is touched.
            allowed = {c.urn: c.type for c in approved.changes}
            strange = [
                c
                for c in fresh.effective
                if not c.type.startswith(_PROVIDERS)
                and (c.op not in _MAKES or allowed.get(c.urn) != c.type)
            ]
            if strange:
                raise needs_approval(approved.changes, strange)
            return
        wanted, found = approved.document()["changes"], fresh.document()["changes"]
        if wanted == found or (again and not fresh.beyond(approved)):
            return
        raise needs_approval(approved.effective, fresh.effective)

    return judge


def needs_approval(approved: Iterable[Change], fresh: Iterable[Change]) -> NeedsApproval:
    """The refusal of what nobody approved, with the difference."""
    found = differences.changed_resources(approved, fresh)
    return NeedsApproval(
        "what would be done now is not what was approved",
        difference=[d.document() for d in found],
    )


def _why(result: ApplyResult) -> str:
    parts = [f"{o.name}: {o.error}" for o in result.failed if o.error]
    return "; ".join(parts) or result.error or f"the operation {result.state.value}"
