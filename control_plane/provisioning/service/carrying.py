"""How a stage of a plan is carried out under a hold, and what was made is returned."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from control_plane.provisioning import differences
from control_plane.provisioning.graph import ApplyResult, ApplyState, Change, Json, Op, Preview
from control_plane.provisioning.model import (
    MASK,
    Deployment,
    DeploymentState,
    Hold,
    Plan,
    RegionState,
    Revision,
    Stage,
)
from control_plane.provisioning.ports import Cancellation, OnEvent, Run
from control_plane.provisioning.service.core import Core, Place
from control_plane.provisioning.service.inventory import Inventory
from control_plane.tenancy.model import Tenancy
from foundation.kernel.errors import (
    BoroughError,
    Conflict,
    NeedsApproval,
    Unavailable,
)

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


class Carrying(Core):
    """The work on deployments; ``Deployments`` says which, and who may."""

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
        done = self._carry_out(work, judge_of(work, Preview(stage.changes)), watch)
        if done.state is not DeploymentState.ACTIVE:
            raise _PreparationFailed(
                f"the tenancy could not be prepared: {done.error}", deployment=done.id
            )
        return done

    def _check_stand_ins(self, plan: Plan, run: Run) -> None:
        """A plan that was made before its tenancy was there: does the program say the same now?"""
        if plan.preparation is None or not has_unknown_stage(plan):
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


def _has_stage(landing: Deployment, stage: Stage) -> bool:
    return (
        landing.state is DeploymentState.ACTIVE
        and landing.revision == stage.revision
        and dict(landing.inputs) == dict(stage.inputs)
    )


def has_unknown_stage(plan: Plan) -> bool:
    """Whether the plan's main stage was made with stand-ins: its tenancy was all to be created."""
    return plan.preparation is not None and all(c.op is Op.CREATE for c in plan.preparation.changes)


def judge_of(work: Work, approved: Preview) -> Judge:
    """What refuses a fresh preview that does what nobody approved (NeedsApproval)."""

    def judge(fresh: Preview, again: bool) -> None:  # noqa: FBT001 - as the port calls it
        if work.plan is not None and has_unknown_stage(work.plan):
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
