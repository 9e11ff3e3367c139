"""Use cases of plans: what would be done, what it takes, and what policies say of it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from control_plane.provisioning import differences, usage_map
from control_plane.provisioning.graph import Graph
from control_plane.provisioning.model import (
    DeploymentState,
    Difference,
    Estimate,
    Plan,
    PlanAction,
)
from control_plane.provisioning.ports import DeploymentContext, Run, StackRef
from control_plane.provisioning.service.core import Place
from control_plane.provisioning.service.making import Making
from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Conflict, NotFound

_ESTIMATE_ID = "dep_estimate0000000000000000000"


class Planning(Making):
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
