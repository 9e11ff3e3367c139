"""What a revision's program says, without asking a region: for comparing revisions."""

from collections.abc import Mapping
from typing import Any

from control_plane.provisioning.graph import Graph, Json
from control_plane.provisioning.model import Deployment, DeploymentState, Region, Revision
from control_plane.provisioning.service.blueprints import Blueprints
from control_plane.provisioning.service.core import Place
from control_plane.provisioning.service.planning import Planning


class Trials(Blueprints, Planning):
    """For features above, which have authorised. No transaction may be open."""

    def try_deployment(self, deployment: str, revision: str) -> Graph:
        """What a revision's program declares for a deployment with the inputs that it has.

        Args:
            deployment: which.
            revision: digest.

        Raises:
            Invalid: the revision does not take these inputs, or the region lacks what it needs.
            NotFound: no such deployment or revision.
            ProgramError: the program did not end well.
        """
        self._db.assert_no_transaction()
        with self._db.transaction():
            there = self._deployment(deployment)
            chosen = self._revision(revision)
            region = self._region(there.region_id)
            tenancy = self._with.tenancy.tenancy_in_transaction(there.tenancy_id)
            landing = self._store.landing(there.tenancy_id, there.region_id)
        inputs = self._inputs_of(there, chosen, region)
        run = self._run(there, chosen, inputs, tenancy, self._place_of(chosen, landing))
        return self._engine(region.engine).evaluate(run)

    def try_sample(self, revision: Revision, inputs: Mapping[str, Any]) -> Graph:
        """What a revision's program declares for inputs in a made-up region.

        Raises:
            Invalid: the revision does not take these inputs.
            ProgramError: the program did not end well.
        """
        self._db.assert_no_transaction()
        program = self._program(revision)
        run = self._sample_run(
            revision.digest, revision.document, program.path, inputs,
            self._sample_place(revision.document),
        )  # fmt: skip
        return self._any_engine().evaluate(run)

    def _inputs_of(self, there: Deployment, chosen: Revision, region: Region) -> Mapping[str, Json]:
        if there.revision == chosen.digest:
            return there.inputs
        return self._checked_inputs(chosen, there.inputs, region)

    def _place_of(self, chosen: Revision, landing: Deployment | None) -> Place:
        if not chosen.in_tenancy:
            return Place()
        if landing is not None and landing.state is DeploymentState.ACTIVE:
            return self._place(landing)
        return self._pending_place()
