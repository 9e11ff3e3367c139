"""Use cases of plans: what would be done, what it takes, and what policies say of it."""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from control_plane.provisioning import differences, region_kinds, usage_map
from control_plane.provisioning.graph import Change, Graph, Json, Op, PropertyChange
from control_plane.provisioning.inputs import checked
from control_plane.provisioning.model import (
    CAPACITY,
    IMPORT_OWNER,
    TENANCY_BLUEPRINT,
    Deployment,
    DeploymentId,
    DeploymentState,
    Difference,
    Estimate,
    Finding,
    Plan,
    PlanAction,
    PlanId,
    Region,
    RegionState,
    Revision,
    Severity,
    Stage,
    plan_digest,
)
from control_plane.provisioning.policies.model import Holder, Priced, Subject
from control_plane.provisioning.ports import DeploymentContext, Run, StackRef
from control_plane.provisioning.service.core import PENDING, Core, Place
from control_plane.tenancy.model import RESOURCES, Tenancy, TenancyState
from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.canonical import decimal_text
from foundation.kernel.errors import Collector, Conflict, Invalid, NotFound, Problem
from foundation.kernel.money import Money
from foundation.kernel.text import Text

_ESTIMATE_ID = "dep_estimate0000000000000000000"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_NAME = 40
_UNFINISHED = frozenset({DeploymentState.PENDING, DeploymentState.FAILED})
#: The limits of a tenancy that become limits of its project and namespace: inputs of one name.
_LANDING_LIMITS = (
    "vcpus", "ram_gb", "instances", "volume_gb", "load_balancers", "floating_ips"
)  # fmt: skip
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a plan is made of."""

    action: PlanAction
    deployment: Deployment
    tenancy: Tenancy
    region: Region
    revision: Revision
    inputs: Mapping[str, Json]
    imports: Mapping[str, str] = field(default_factory=dict)


class Planning(Core):
    """Plans."""

    def check_inputs(
        self, actor: Actor, *, blueprint: str, inputs: Mapping[str, Any], region: str
    ) -> None:
        """Whether a blueprint takes inputs in a region; its program is not run.

        Raises:
            Invalid: names every wrong input.
            NotFound: no such blueprint or region.
        """
        policy.require(actor, "blueprint.view", policy.ROOT)
        with self._db.transaction():
            chosen = self._region(region)
            revision = self._wanted_revision(blueprint, None)
        self._checked_inputs(revision, inputs, chosen)

    def evaluate(
        self,
        actor: Actor,
        *,
        blueprint: str,
        inputs: Mapping[str, Any],
        region: str,
        version: str | None = None,
        data_class: str = "",
        tenancy: str = "",
    ) -> Estimate:
        """What inputs come to, fast and without asking the region; for forms.

        Args:
            actor: who asks.
            blueprint: name, or digest of a revision.
            inputs: as far as they are filled in; defaults are added.
            region: id or slug.
            version: None takes the highest.
            data_class: of the tenancy it would go into, so that its policies speak too.
            tenancy: id or slug of that tenancy, if it is known; then its waivers count.

        Raises:
            Invalid: names every wrong input.
            NotFound: no such blueprint or region.
            ProgramError: the program did not end well.
        """
        policy.require(actor, "blueprint.view", policy.ROOT)
        with self._db.transaction():
            chosen = self._region(region)
            revision = self._wanted_revision(blueprint, version)
        full = self._checked_inputs(revision, inputs, chosen)
        place = self._pending_place() if revision.in_tenancy else Place()
        run = Run(
            stack=StackRef(_ESTIMATE_ID, revision.blueprint, _ESTIMATE_ID),
            program=self._program(revision),
            inputs=full,
            region=self._access(chosen),
            deployment=DeploymentContext(
                _ESTIMATE_ID, "estimate", "estimate", {}, "estimate-" * 4,
                place.outputs, place.secrets,
            ),
            limits=self._with.limits,
        )  # fmt: skip
        self._db.assert_no_transaction()
        graph = self._engine(chosen.engine).evaluate(run)
        with self._db.transaction():
            said = self._store.standing(revision.blueprint).finding()
            holder = self._estimated(tenancy, data_class)
        return Estimate(
            revision=revision.digest,
            inputs=full,
            resources=tuple((n.type, n.logical_name) for n in graph.resources),
            quota=usage_map.quota_of(graph, chosen.config),
            hourly=usage_map.usage_of(graph, chosen.config),
            findings=(
                *((said,) if said else ()),
                *self._judged(graph, holder, chosen, revision),
            ),
        )

    def sketch(self, *, blueprint: str, inputs: Mapping[str, Any], region: str, name: str) -> Graph:
        """The graph of a deployment that is not there; for features above.

        Raises:
            Invalid: names every wrong input.
            NotFound: no such blueprint or region.
            ProgramError: the program did not end well.
        """
        with self._db.transaction():
            chosen = self._region(region)
            revision = self._wanted_revision(blueprint, None)
        full = self._checked_inputs(revision, inputs, chosen)
        place = self._pending_place() if revision.in_tenancy else Place()
        run = Run(
            stack=StackRef(_ESTIMATE_ID, revision.blueprint, _ESTIMATE_ID),
            program=self._program(revision),
            inputs=full,
            region=self._access(chosen),
            deployment=DeploymentContext(
                _ESTIMATE_ID, name, name, {}, "estimate-" * 4, place.outputs, place.secrets
            ),
            limits=self._with.limits,
        )
        self._db.assert_no_transaction()
        return self._engine(chosen.engine).evaluate(run)

    def make_plan(  # noqa: PLR0913 - all by name
        self,
        *,
        tenancy: str,
        action: str,
        region: str = "",
        blueprint: str = "",
        version: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        deployment: str | None = None,
        name: str = "",
        owner: str = "",
        tags: Mapping[str, str] | None = None,
        like: Plan | None = None,
        imports: Mapping[str, str] | None = None,
        on_row: Callable[[str], None] | None = None,
    ) -> Plan:
        """Plan with the engine's own preview; for features above, which have authorised.

        No transaction may be open. The plan is stored; the same plan again is the same row.

        Args:
            tenancy: id or slug.
            action: ``create``, ``change`` or ``delete``.
            region: id or slug; only to create.
            blueprint: name, or digest of a revision; to change, empty keeps the revision.
            version: with a name; None takes the highest.
            inputs: to change, all of them, not only the new ones.
            deployment: which; None to create makes the row, which has no effect outside. Give
                ``plan.deployment_id`` when planning anew.
            name: for names of resources; only to create. Empty: the blueprint's, made unique.
            owner: what the deployment belongs to, such as an instance's id.
            tags: labels for the resources.
            like: an earlier plan that this one will be compared with: a tenancy that was prepared
                in between is then no difference.
            imports: ids of objects that are there and are taken in, by the logical name (or URN)
                that each is to have; only to create.
            on_row: told the deployment as soon as it is written down, also when planning fails.

        Raises:
            Invalid: names every wrong input or import, and a name or region that does not do.
            NotFound: no such tenancy, region, blueprint or deployment.
            Conflict: the deployment or its tenancy's is not in a state that allows it, or the
                blueprint takes nothing new.
            ProgramError: the program did not end well.
            EngineError: the region could not be compared with.
            StackBusyError: another operation works on the deployment.
        """
        self._db.assert_no_transaction()
        with self._db.transaction():
            wish = self._wish(
                PlanAction(action), tenancy, region, blueprint, version, inputs or {},
                deployment, name, owner, tags or {},
            )  # fmt: skip
            wish = replace(wish, imports=dict(imports or {}))
        if on_row is not None:
            on_row(wish.deployment.id)
        plan = (
            self._deletion(wish) if wish.action is PlanAction.DELETE else self._making(wish, like)
        )
        with self._db.transaction():
            return self._store.add_plan(plan)

    def plan_deployment(
        self,
        actor: Actor,
        deployment: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        destroy: bool = False,
    ) -> Plan:
        """What would be done to a deployment now; the plan is kept, nothing else happens.

        Args:
            actor: who asks.
            deployment: which.
            inputs: all of them; None takes those that it has.
            destroy: plan its return instead.

        Raises:
            Invalid: names every wrong input.
            NotFound: there is none, or none that the actor may know of.
            Conflict: it is destroyed, or an operation works on it.
        """
        with self._db.transaction():
            there = self._deployment(deployment)
            policy.require(actor, "deployment.plan", there.path, "deployment")
        if there.operation:
            raise Conflict(
                f"the operation {there.operation} works on the deployment",
                operation=there.operation,
            )
        if there.state is DeploymentState.DESTROYED:
            raise Conflict("the deployment is destroyed")
        made = there.state is DeploymentState.ACTIVE or there.last_operation
        action = PlanAction.CHANGE if made else PlanAction.CREATE
        return self.make_plan(
            tenancy=there.tenancy_id,
            action=PlanAction.DELETE if destroy else action,
            deployment=there.id,
            inputs=there.inputs if inputs is None else inputs,
        )

    def plan(self, actor: Actor, reference: str) -> Plan:
        """A plan by id or digest.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            found = self._plan(reference)
            policy.require(actor, "deployment.view", found.path, "plan")
            return found

    def newest_plan_in_transaction(self, deployment_id: str) -> Plan | None:
        """The plan of a deployment that was made last; for features above, which authorised."""
        return self._store.newest_plan(deployment_id)

    def plan_in_transaction(self, reference: str) -> Plan:
        """The same for features above; they have authorised."""
        return self._plan(reference)

    @staticmethod
    def difference(old: Plan, new: Plan) -> tuple[Difference, ...]:
        """In what a newer plan differs from an older one; nothing when their digests are equal."""
        return differences.difference(old, new)

    def _plan(self, reference: str) -> Plan:
        found = self._store.plan(reference)
        if found is None:
            raise NotFound("there is no such plan")
        return found

    # What is wished for -----------------------------------------------------------------------

    def _wanted_revision(self, blueprint: str, version: str | None) -> Revision:
        if blueprint.startswith("sha256:"):
            return self._revision(blueprint)
        found = self._store.revision_of(blueprint, version)
        if found is None:
            raise NotFound(f"there is no blueprint {' '.join(filter(None, (blueprint, version)))}")
        return found

    def _wish(  # noqa: PLR0913, PLR0917 - it gathers them
        self,
        action: PlanAction,
        tenancy_ref: str,
        region_ref: str,
        blueprint: str,
        version: str | None,
        inputs: Mapping[str, Any],
        deployment_id: str | None,
        name: str,
        owner: str,
        tags: Mapping[str, str],
    ) -> _Wish:
        tenancy = self._with.tenancy.tenancy_in_transaction(tenancy_ref)
        if deployment_id is None:
            if action is not PlanAction.CREATE:
                raise Invalid([Problem("deployment", "is required")])
            region = self._region(region_ref)
            _check_open(tenancy, region)
            revision = self._wanted_revision(blueprint, version)
            self._check_standing(revision)
            full = self._checked_inputs(revision, inputs, region)
            made = self._create_row(tenancy, region, revision, full, name, owner, tags)
            return _Wish(action, made, tenancy, region, revision, full)
        there = self._deployment(deployment_id)
        if there.tenancy_id != tenancy.id:
            raise NotFound("there is no such deployment in this tenancy")
        _check_state(action, there)
        unfinished = there.state in _UNFINISHED and not (there.outputs or there.footprint)
        if unfinished and self._store.imported(there.id):
            # Without what it is to take in, its program would make everything a second time.
            raise Conflict("the deployment is being imported: complete or abandon that first")
        region = self._region(there.region_id)
        revision = (
            self._wanted_revision(blueprint, version)
            if blueprint
            else self._revision(there.revision)
        )
        if action is PlanAction.DELETE:
            return _Wish(action, there, tenancy, region, self._revision(there.revision), {})
        if revision.blueprint != there.blueprint:
            raise Invalid([Problem("blueprint", f"the deployment is of {there.blueprint}")])
        full = self._checked_inputs(revision, inputs, region)
        if action is PlanAction.CHANGE:
            _check_growth(revision, there.inputs, full)
        return _Wish(action, there, tenancy, region, revision, full)

    def _check_standing(self, revision: Revision) -> None:
        """Refuse something new from a blueprint that takes nothing new."""
        standing = self._store.standing(revision.blueprint)
        if standing.refuses(self._clock.now()):
            raise Conflict(standing.refusal(), successor=standing.successor)

    def _checked_inputs(
        self, revision: Revision, inputs: Mapping[str, Any], region: Region
    ) -> dict[str, Json]:
        """The inputs with defaults, for a region that has what they ask for."""
        found = Collector()
        full: dict[str, Json] = {}
        try:
            chosen = region_kinds.with_choice(revision.inputs, inputs, region.kinds)
            full = checked(revision.inputs, chosen)
        except Invalid as error:
            found.include(error)
        found.problems.extend(
            region_kinds.region_problem(revision.document["kinds"], region.slug, region.kinds)
        )
        needs = revision.document.get("needs", ())
        found.problems.extend(region_kinds.lacking(needs, region.slug, region.config))
        found.problems.extend(
            region_kinds.input_problems(revision.inputs, full, region.slug, region.kinds)
        )
        found.finish()
        return full

    def _create_row(
        self,
        tenancy: Tenancy,
        region: Region,
        revision: Revision,
        inputs: Mapping[str, Json],
        name: str,
        owner: str,
        tags: Mapping[str, str],
    ) -> Deployment:
        """Write a new deployment down; nothing outside knows of it."""
        found = Collector()
        check_name(found, name)
        found.finish()
        deployment_id = ids.new("dep")
        # The last characters of an id are random: two of one blueprint never meet.
        short = f"{revision.blueprint[:31]}-{deployment_id[-8:]}"
        at = self._clock.now()
        made = Deployment(
            DeploymentId(deployment_id), tenancy.id, tenancy.path, region.id, revision.blueprint,
            revision.digest, name or short, dict(inputs), DeploymentState.PENDING, {}, (), None,
            owner, "", "", "", {}, dict(tags), at, at,
        )  # fmt: skip
        seed = self._secrets.seal(
            secrets.token_hex(32).encode(),
            f"provisioning_deployment:{deployment_id}:seed",
        )
        if not self._store.add_deployment(made, seed):
            raise Conflict(
                f"the tenancy {tenancy.slug} has a deployment {made.name} in {region.slug} already"
                if revision.blueprint != TENANCY_BLUEPRINT
                else f"the tenancy {tenancy.slug} is in {region.slug} already"
            )
        return made

    # Plans that make something ----------------------------------------------------------------

    def _making(self, wish: _Wish, like: Plan | None) -> Plan:
        stage, place, prepared_graph = self._preparation(wish, like)
        run = self._run(wish.deployment, wish.revision, wish.inputs, wish.tenancy, place)
        engine = self._engine(wish.region.engine)
        self._db.assert_no_transaction()
        graph = engine.evaluate(run)
        existing = _by_urn(graph, wish.imports)
        if existing:
            preview = self._when_free(lambda: engine.preview_import(run, existing))
            changes, outputs = preview.changes, dict(preview.outputs)
        elif stage is not None and place.outputs and _stands_in(place):
            changes = stand_in_changes(graph)
            outputs = differences.without_stand_ins(graph.outputs, PENDING)
        else:
            preview = self._when_free(lambda: engine.preview(run))
            changes, outputs = preview.changes, dict(preview.outputs)
        footprint = usage_map.quota_of(graph, wish.region.config)
        findings = [
            *self._findings(wish, graph),
            *self._prepared_findings(wish, stage, prepared_graph),
        ]
        with self._db.transaction():
            held = self._store.held(wish.region.id)
            measured = self._with.measured(wish.region.id)
            said = self._store.standing(wish.revision.blueprint).finding()
        findings.extend([said] if said else [])
        quota = _delta(wish.deployment.footprint, footprint)
        room = {name: total - held.get(name, _ZERO) for name, total in wish.region.capacity.items()}
        room |= {name: min(room.get(name, left), left) for name, left in measured.items()}
        findings.extend(_room_findings(quota, room))
        return _plan(
            wish,
            stage=stage,
            changes=changes,
            outputs=outputs,
            quota=quota,
            footprint=footprint,
            capacity={name: room.get(name) for name in footprint},
            hourly=usage_map.usage_of(graph, wish.region.config),
            findings=tuple(findings),
            imports=existing,
            at=self._clock.now(),
        )

    def _findings(self, wish: _Wish, graph: Graph) -> tuple[Finding, ...]:
        holder = _holder(wish.tenancy, wish.deployment.id)
        return self._judged(graph, holder, wish.region, wish.revision)

    def _prepared_findings(
        self, wish: _Wish, stage: Stage | None, graph: Graph | None
    ) -> list[Finding]:
        if stage is None or graph is None:
            return []
        with self._db.transaction():
            revision = self._revision(stage.revision)
        holder = _holder(wish.tenancy, stage.deployment_id)
        return list(self._judged(graph, holder, wish.region, revision, under="tenancy/"))

    def _judged(
        self, graph: Graph, holder: Holder, region: Region, revision: Revision, *, under: str = ""
    ) -> tuple[Finding, ...]:
        """What the city's policies say."""
        subject = Subject(graph, holder, region.config, region.data_classes, revision.data_classes)
        return self._with.policies.judge(subject, under=under)

    def _estimated(self, tenancy: str, data_class: str) -> Holder:
        """Whose it would be."""
        if not tenancy:
            return Holder(deployment=_ESTIMATE_ID, data_class=data_class)
        there = self._with.tenancy.tenancy_in_transaction(tenancy)
        return Holder(_ESTIMATE_ID, there.id, there.path, data_class or there.data_class.value)

    def judge_price(
        self, *, tenancy: str, month: Money, deployment: str = ""
    ) -> tuple[Finding, ...]:
        """What policies say of a service's price, where it is known; for features above.

        Within the open transaction.

        Args:
            tenancy: id or slug of the tenancy that it is in.
            month: what it costs in a month.
            deployment: if there is one already.
        """
        there = self._with.tenancy.tenancy_in_transaction(tenancy)
        return self._with.policies.judge_price(Priced(_holder(there, deployment), month))

    # The tenancy's own deployment -------------------------------------------------------------

    def _preparation(
        self, wish: _Wish, like: Plan | None
    ) -> tuple[Stage | None, Place, Graph | None]:
        """What has to be done to the tenancy first, and what it offers afterwards."""
        if not wish.revision.in_tenancy:
            return None, Place(), None
        if wish.imports:
            with self._db.transaction():
                there = self._store.landing(wish.tenancy.id, wish.region.id)
            if there is None or there.state is not DeploymentState.ACTIVE:
                raise Conflict("the tenancy is not in the region yet: import or order it first")
            # An import changes nothing but what it takes in.
            return None, self._place(there), None
        with self._db.transaction():
            landing = self._landing(wish)
            revision = self._landing_revision(landing)
            wanted = self._landing_inputs(landing, revision, wish)
        ready = landing.state is DeploymentState.ACTIVE
        if ready and like is not None and like.preparation and _was_prepared(like, landing):
            made = all(c.op is Op.CREATE for c in like.preparation.changes)
            place = self._pending_place() if made else self._place(landing)
            return like.preparation, place, None
        if ready and wanted == landing.inputs:
            return None, self._place(landing), None
        run = self._run(landing, revision, wanted, wish.tenancy, Place())
        engine = self._engine(wish.region.engine)
        self._db.assert_no_transaction()
        preview = self._when_free(lambda: engine.preview(run))
        stage = Stage(landing.id, revision.digest, wanted, preview.effective)
        place = self._place(landing) if ready else self._pending_place()
        return stage, place, engine.evaluate(run)

    def _landing(self, wish: _Wish) -> Deployment:
        """The tenancy's deployment in the region; written down when there is none."""
        there = self._store.landing(wish.tenancy.id, wish.region.id)
        if there is None:
            revision = self._wanted_revision(TENANCY_BLUEPRINT, None)
            inputs = self._limits_as_inputs(revision, wish.tenancy, wish.region)
            return self._create_row(
                wish.tenancy, wish.region, revision, inputs, wish.tenancy.slug, "", {}
            )
        if there.state is DeploymentState.DESTROYING:
            raise Conflict(f"the tenancy {wish.tenancy.slug} is being removed from the region")
        if there.owner.startswith(IMPORT_OWNER) and there.state is not DeploymentState.ACTIVE:
            raise Conflict(
                f"the tenancy {wish.tenancy.slug} is being imported in {wish.region.slug}: "
                "complete or abandon that first",
                deployment=there.id,
            )
        if there.owner and there.state is not DeploymentState.ACTIVE:
            raise Conflict(
                f"the tenancy {wish.tenancy.slug} was ordered for {wish.region.slug} and is "
                f"{there.state.value} there; that order has to succeed first",
                deployment=there.id,
            )
        return there

    def _landing_revision(self, landing: Deployment) -> Revision:
        """An active one keeps its revision until somebody changes it; others take the newest."""
        if landing.state is DeploymentState.ACTIVE:
            return self._revision(landing.revision)
        return self._wanted_revision(TENANCY_BLUEPRINT, None)

    def _landing_inputs(
        self, landing: Deployment, revision: Revision, wish: _Wish
    ) -> Mapping[str, Json]:
        """What the tenancy should be in the region; one that was ordered stays so."""
        if landing.owner:
            return landing.inputs
        return self._limits_as_inputs(revision, wish.tenancy, wish.region)

    def _limits_as_inputs(
        self, revision: Revision, tenancy: Tenancy, region: Region
    ) -> dict[str, Json]:
        """The tenancy's own quota as limits of its project and namespace.

        The platform's reservations are the real limit; the region's are a second belt, and as wide
        as the blueprint allows where the tenancy has none.
        """
        levels = self._with.tenancy.quota_levels_in_transaction(tenancy.id)
        limits = {q.resource: q.limit for q in levels[-1].quotas}
        properties = revision.inputs["properties"]
        inputs: dict[str, Json] = {"platforms": list[Json](sorted(region.kinds))}
        for name in _LANDING_LIMITS:
            schema = properties.get(name)
            if schema is None:
                continue
            low, high = schema.get("minimum", 0), schema.get("maximum", 2**31 - 1)
            limit = limits.get(name)
            whole = high if limit is None else int(limit.to_integral_value(ROUND_FLOOR))
            inputs[name] = max(low, min(high, whole))
        return checked(revision.inputs, inputs)

    # Plans that return something --------------------------------------------------------------

    def _deletion(self, wish: _Wish) -> Plan:
        with self._db.transaction():
            if wish.deployment.is_landing:
                self._check_empty(wish.deployment)
            there = self._store.resources(wish.deployment.id)
        changes = tuple(Change(r.urn, r.type, r.name, Op.DELETE) for r in there)
        return _plan(
            wish,
            stage=None,
            changes=changes,
            outputs={},
            quota=_delta(wish.deployment.footprint, {}),
            footprint={},
            capacity={},
            hourly=(),
            findings=(),
            at=self._clock.now(),
        )

    def _check_empty(self, landing: Deployment) -> None:
        inside = self._store.residents(landing)
        if inside:
            names = ", ".join(d.name for d in inside)
            raise Conflict(
                f"return what is in the tenancy first: {names}",
                deployments=[d.id for d in inside],
            )


def check_name(found: Collector, name: str) -> None:
    """Note a problem when a deployment cannot be called so; empty stands for a made-up name."""
    fits = not name or (_NAME.fullmatch(name) and len(name) <= _LONGEST_NAME)
    message = f"must be 1 to {_LONGEST_NAME} lower-case letters, digits and inner hyphens"
    found.check(fits, "name", message)


def _by_urn(graph: Graph, imports: Mapping[str, str]) -> dict[str, str]:
    """Ids of what is imported by URN.

    Raises:
        Invalid: a name stands for no resource of the program, or for several.
    """
    found = Collector()
    by_urn: dict[str, str] = {}
    for name, physical in sorted(imports.items()):
        named = [
            n.urn
            for n in graph.resources
            if n.custom and name in {n.urn, n.logical_name}
            and not n.type.startswith("pulumi:providers:")
        ]  # fmt: skip
        known = ", ".join(sorted(n.logical_name for n in graph.resources if n.custom))
        field_ = f"ids.{name}"
        if found.check(bool(named), field_, f"is no resource of the blueprint; it has {known}"):
            found.check(len(named) == 1, field_, "stands for several resources: give the URN")
            by_urn[named[0]] = physical
    found.finish()
    return by_urn


def stand_in_changes(graph: Graph) -> tuple[Change, ...]:
    """What a program would make, with everything unknown that its tenancy will only tell later."""
    return tuple(
        replace(
            change,
            properties=tuple(
                PropertyChange(p.path, None, differences.without_stand_ins(p.after, PENDING))
                for p in change.properties
            ),
        )
        for change in differences.creations(graph)
    )


def _stands_in(place: Place) -> bool:
    return any(isinstance(v, str) and v.startswith(PENDING) for v in place.outputs.values())


def _was_prepared(like: Plan, landing: Deployment) -> bool:
    stage = like.preparation
    return (
        stage is not None
        and stage.deployment_id == landing.id
        and stage.revision == landing.revision
        and dict(stage.inputs) == dict(landing.inputs)
    )


def _check_open(tenancy: Tenancy, region: Region) -> None:
    if tenancy.state is TenancyState.CLOSED:
        raise Conflict(f"the tenancy {tenancy.slug} is closed")
    if region.state is not RegionState.ACTIVE:
        raise Conflict(f"the region {region.slug} takes nothing new", state=region.state.value)


_ALLOWED = {
    PlanAction.CREATE: {DeploymentState.PENDING, DeploymentState.FAILED, DeploymentState.UNKNOWN},
    PlanAction.CHANGE: {DeploymentState.ACTIVE, DeploymentState.FAILED, DeploymentState.UNKNOWN},
    PlanAction.DELETE: {DeploymentState.ACTIVE, DeploymentState.FAILED, DeploymentState.UNKNOWN,
                        DeploymentState.PENDING},
}  # fmt: skip


def _check_state(action: PlanAction, there: Deployment) -> None:
    # A plan that is worked on now is planned again by the operation that does so.
    busy = {DeploymentState.APPLYING, DeploymentState.DESTROYING}
    if there.state not in _ALLOWED[action] | busy:
        raise Conflict(f"the deployment is {there.state.value}: it cannot be planned to {action}")


def _check_growth(
    revision: Revision, before: Mapping[str, Json], after: Mapping[str, Json]
) -> None:
    found = Collector()
    for name, schema in revision.inputs["properties"].items():
        if not schema.get("x-grows-only"):
            continue
        was, now = before.get(name), after.get(name)
        if isinstance(was, int | float) and isinstance(now, int | float):
            found.check(now >= was, f"inputs.{name}", f"cannot become smaller than {was}")
    found.finish()


def _holder(tenancy: Tenancy, deployment_id: str) -> Holder:
    return Holder(deployment_id, tenancy.id, tenancy.path, tenancy.data_class.value)


def _delta(before: Mapping[str, Decimal], after: Mapping[str, Decimal]) -> dict[str, Decimal]:
    names = sorted({*before, *after})
    found = {name: after.get(name, _ZERO) - before.get(name, _ZERO) for name in names}
    return {name: amount for name, amount in found.items() if amount}


def _room_findings(quota: Mapping[str, Decimal], room: Mapping[str, Decimal]) -> list[Finding]:
    found = []
    for name, amount in sorted(quota.items()):
        left = room.get(name)
        if left is not None and amount > max(left, _ZERO):
            title = RESOURCES[name].title
            text = (decimal_text(amount), decimal_text(max(left, _ZERO)))
            found.append(
                Finding(
                    CAPACITY,
                    Severity.MANDATORY,
                    name,
                    Text(
                        f"{title.en}: {text[0]} are needed, the region has {text[1]} left.",
                        f"{title.zh}：需要 {text[0]}，资源区仅余 {text[1]}。",
                    ),
                )
            )
    return found


def _plan(wish: _Wish, *, stage: Stage | None, **parts: Any) -> Plan:  # noqa: ANN401
    at = parts.pop("at")
    region = wish.region
    made = Plan(
        id=PlanId(ids.new("plan")),
        digest="",
        deployment_id=wish.deployment.id,
        tenancy_id=wish.tenancy.id,
        path=wish.tenancy.path,
        action=wish.action,
        region_id=region.id,
        region={
            "slug": region.slug,
            "kinds": list[Json](sorted(region.kinds)),
            "engine": region.engine.value,
            "simulated": region.simulated,
        },
        blueprint=wish.revision.blueprint,
        revision=wish.revision.digest,
        version=wish.revision.version,
        inputs=dict(wish.inputs),
        preparation=stage,
        created_at=at,
        **parts,
    )
    return replace(made, digest=plan_digest(made.document()))
