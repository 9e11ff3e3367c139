"""What a region really has of a deployment: looked at, accepted into the state, brought back.

For features above and jobs, which have authorised; no transaction may be open.
"""

from collections.abc import Collection, Mapping

from control_plane.provisioning.graph import DriftFinding, Graph, Json, Preview
from control_plane.provisioning.model import Deployment, DeploymentState
from control_plane.provisioning.ports import Engine, Run
from control_plane.provisioning.service.carrying import Judge, Watch, Work
from control_plane.provisioning.service.core import Place
from control_plane.provisioning.service.deployments import Deployments
from control_plane.provisioning.service.inventory import Inventory
from foundation.kernel.errors import Conflict


class Reality(Deployments):
    """Deployments as they really are."""

    def look_at(self, deployment: Deployment, *, cut_off: bool = False) -> tuple[DriftFinding, ...]:
        """In what the region differs from what is recorded of an active deployment; by URN.

        Args:
            deployment: which; nothing works on it.
            cut_off: an earlier look was killed: what it left is cleared first.

        Raises:
            EngineError: the region did not answer.
            StackBusyError: something works on it.
        """
        run, engine = self._present(deployment)
        if cut_off:
            engine.recover(run)
        return self._unclaimed(deployment, engine.refresh(run))

    def take_away(self, deployment: Deployment, ids: Collection[str]) -> tuple[str, ...]:
        """Remove what was added to a deployment; harmless again.

        Args:
            deployment: which.
            ids: the cloud's, of what is to go; what belongs to a deployment by now stays.

        Returns:
            The ids of what was removed.

        Raises:
            EngineError: the region did not answer, or refused.
            StackBusyError: something works on it for longer than a look takes.
        """
        run, engine = self._present(deployment)
        ours = self._known(ids)
        return self._when_free(lambda: engine.remove_added(run, sorted(set(ids) - ours)))

    def _unclaimed(
        self, deployment: Deployment, found: tuple[DriftFinding, ...]
    ) -> tuple[DriftFinding, ...]:
        """Findings without what another deployment made, or is making, in a place of this one."""
        ids = [f.beside.id for f in found if f.beside is not None]
        if not ids:
            return found
        ours = self._known(ids)
        with self._db.transaction():
            at_work = self._store.at_work(deployment.region_id)
        return tuple(
            f
            for f in found
            if f.beside is None or not (f.beside.id in ours or f.beside.deployment in at_work)
        )

    def _known(self, ids: Collection[str]) -> frozenset[str]:
        """Which of these objects the inventory has as there."""
        with self._db.transaction():
            found = self._store.resolve(sorted(ids))
        return frozenset(name for name, resource in found.items() if resource.deleted_at is None)

    def declared(self, deployment: Deployment, inputs: Mapping[str, Json]) -> Graph:
        """What the deployment's program says with these inputs.

        Raises:
            ProgramError: it does not end well with them.
        """
        run, engine = self._present(deployment, inputs)
        return engine.evaluate(run)

    def outlook(
        self,
        deployment: Deployment,
        *,
        inputs: Mapping[str, Json] | None = None,
        real: bool = False,
    ) -> Preview:
        """What an apply would do now.

        Args:
            deployment: which.
            inputs: others than it has.
            real: compare with what the region really has instead of with what is recorded.

        Raises:
            ProgramError: the program did not end well.
            EngineError: the region did not answer.
            StackBusyError: something works on it.
        """
        run, engine = self._present(deployment, inputs)
        return self._when_free(lambda: engine.preview(run, refresh=real))

    def accept(
        self,
        deployment: Deployment,
        urns: Collection[str],
        operation: str,
        *,
        missing: Collection[str] = (),
    ) -> None:
        """Write what the region really has of some resources into the recorded state.

        Args:
            deployment: which.
            urns: of the resources.
            operation: who does it.
            missing: those of them that are not there any more; the inventory forgets them.

        Raises:
            Conflict: the deployment has changed since it was read.
            Unavailable: another operation works on it.
            EngineError: the region did not answer.
        """
        run, engine = self._present(deployment)
        with self._db.transaction():
            hold = self._take(deployment, operation, DeploymentState.APPLYING)
            there = self._deployment(deployment.id)
            if (there.plan_id, there.inputs) != (deployment.plan_id, deployment.inputs):
                raise Conflict("the deployment was changed meanwhile")
        with self._undone(hold):
            if hold.resumed:
                engine.recover(run)
            self._when_free(lambda: engine.refresh(run, accept=True, only=urns))
        with self._db.transaction():
            self._store.let_go(hold, self._clock.now(), {"state": hold.before.value})
            Inventory(self._store, deployment, self._clock.now).lose(missing)

    def bring_back(self, deployment: Deployment, judge: Judge, watch: Watch) -> Deployment:
        """Make the region have again what was applied last.

        Args:
            deployment: which.
            judge: raises when the fresh preview does what nobody approved.
            watch: who does it.

        Raises:
            NeedsApproval: as the judge says; nothing was touched.
            Unavailable: another operation works on it.
            EngineError: the region did not answer; nothing was touched.
        """
        run, _ = self._present(deployment)
        with self._db.transaction():
            plan = None if deployment.plan_id is None else self._store.plan(deployment.plan_id)
            revision = self._revision(deployment.revision)
            tenancy = self._with.tenancy.tenancy_in_transaction(deployment.tenancy_id)
        work = Work(deployment, revision, tenancy, run, deployment.inputs, plan)
        return self._carry_out(work, judge, watch, refresh=True)

    def _present(
        self, deployment: Deployment, inputs: Mapping[str, Json] | None = None
    ) -> tuple[Run, Engine]:
        """The run and the engine of a deployment as it stands."""
        self._db.assert_no_transaction()
        with self._db.transaction():
            revision = self._revision(deployment.revision)
            tenancy = self._with.tenancy.tenancy_in_transaction(deployment.tenancy_id)
            region = self._region(deployment.region_id)
            landing = self._store.landing(deployment.tenancy_id, deployment.region_id)
        inside = revision.in_tenancy and landing is not None
        place = self._place(landing) if inside and landing is not None else Place()
        used = deployment.inputs if inputs is None else inputs
        return self._run(deployment, revision, used, tenancy, place), self._engine(region.engine)
