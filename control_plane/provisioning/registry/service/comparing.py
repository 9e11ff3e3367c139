"""Use cases of revisions side by side: what differs, who runs which, and what would change."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from control_plane.provisioning.compatibility import document_changes
from control_plane.provisioning.content import Content
from control_plane.provisioning.graph import Graph
from control_plane.provisioning.model import Revision
from control_plane.provisioning.ports import EngineError, ProgramError
from control_plane.provisioning.registry.comparing import graph_changes
from control_plane.provisioning.registry.model import (
    MOST_DEPLOYMENTS,
    Comparison,
    Impact,
    ImpactRow,
    SampleDifference,
    SampleState,
    User,
    refused_row,
    row_of,
)
from control_plane.provisioning.registry.service.core import Core
from control_plane.provisioning.service import Validation
from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Conflict, Invalid, NotFound
from foundation.kernel.paging import Page, PageRequest, everything
from foundation.operations.model import Operation

IMPACT = "blueprint.impact"
_ANYWHERE = (policy.ROOT,)
_REFUSALS = (Invalid, ProgramError, EngineError)


class Comparing(Core):
    """What a newer revision changes."""

    def compare(self, actor: Actor, blueprint: str, *, new: str = "", old: str = "") -> Comparison:
        """Two published versions of a blueprint. No transaction may be open: programs run.

        Args:
            actor: who asks.
            blueprint: name.
            new: version; empty takes the highest.
            old: version; empty takes the one before ``new``.

        Raises:
            NotFound: there is no such blueprint or version.
        """
        policy.require(actor, "blueprint.view", policy.ROOT)
        self._db.assert_no_transaction()
        newer = self._provisioning.find_revision(blueprint, new or None)
        older = (
            self._provisioning.find_revision(blueprint, old)
            if old
            else self._provisioning.predecessor(blueprint, newer.version)
        )
        graphs = self._graphs(newer)
        return self._compared(older, newer.digest, newer.version, newer.document, graphs)

    def review(self, actor: Actor, content: Content) -> tuple[Validation, Comparison | None]:
        """What publishing would say of files, and in what they differ from the version before.

        Raises:
            Invalid: the files cannot be a blueprint at all.
        """
        found = self._provisioning.validate_blueprint(actor, content)
        if not found.samples:
            return found, None
        older = self._provisioning.predecessor(found.name, found.version)
        graphs: dict[str, Graph | str] = {s.name: s.graph for s in found.samples}
        compared = self._compared(older, found.digest, found.version, found.document, graphs)
        return found, compared

    def users(
        self, actor: Actor, blueprint: str, request: PageRequest, *, version: str = ""
    ) -> Page[User]:
        """The living deployments of a blueprint that the actor may see.

        Raises:
            NotFound: no such blueprint or version.
        """
        policy.require(actor, "blueprint.view", policy.ROOT)
        self._provisioning.find_revision(blueprint, version or None)
        paths = policy.visible_paths(actor, "deployment.view")
        with self._db.transaction():
            return self._store.users(blueprint, paths, request, version=version)

    def user_counts(self, actor: Actor, blueprint: str) -> dict[str, int]:
        """How many of them run each version."""
        policy.require(actor, "blueprint.view", policy.ROOT)
        paths = policy.visible_paths(actor, "deployment.view")
        with self._db.transaction():
            return self._store.counts(blueprint, paths)

    # What would change of what runs -------------------------------------------------------------

    def request_impact(self, actor: Actor, blueprint: str, version: str = "") -> Operation:
        """Start working out what a version would change of everything that runs another one.

        Raises:
            NotFound: no such blueprint or version.
        """
        policy.require(actor, "blueprint.publish", policy.ROOT)
        revision = self._provisioning.find_revision(blueprint, version or None)
        with self._db.transaction():
            return self._needs.operations.start(
                IMPACT, subject=revision.digest, path=policy.ROOT,
                inputs={"revision": revision.digest}, actor=actor,
            )  # fmt: skip

    def impact(self, actor: Actor, blueprint: str, version: str = "") -> Impact:
        """The newest report of a version.

        Raises:
            NotFound: no such blueprint or version, or nobody has asked for a report.
        """
        policy.require(actor, "blueprint.publish", policy.ROOT)
        revision = self._provisioning.find_revision(blueprint, version or None)
        with self._db.transaction():
            found = self._store.impact(revision.digest)
        if found is None:
            raise NotFound(f"nobody has asked yet what {blueprint} {revision.version} would change")
        return found

    def impact_rows(
        self, actor: Actor, blueprint: str, version: str, request: PageRequest
    ) -> Page[ImpactRow]:
        """Its rows, those that cannot take the version first."""
        found = self.impact(actor, blueprint, version)
        with self._db.transaction():
            return self._store.impact_rows(found.id, request)

    # For the operation, which was authorised ------------------------------------------------------

    def list_affected(self, revision: str) -> dict[str, Any]:
        """What runs another revision of the blueprint, and whether there is more."""
        target = self._provisioning.find_revision(revision)
        read = partial(self._store.users, target.blueprint, _ANYWHERE)
        with self._db.transaction():
            others = (user.deployment for user in everything(read) if user.revision != revision)
            found = list(islice(others, MOST_DEPLOYMENTS + 1))
        return {
            "deployments": found[:MOST_DEPLOYMENTS],
            "truncated": len(found) > MOST_DEPLOYMENTS,
        }

    def affect(self, revision: str, deployments: Iterable[str]) -> list[dict[str, Any]]:
        """What a revision would change of some deployments; asks no region."""
        return [self._affected(revision, each).document() for each in deployments]

    def keep_impact(
        self, operation: str, revision: str, rows: Sequence[Mapping[str, Any]], *, truncated: bool
    ) -> dict[str, Any]:
        """Write a report down; answers its totals."""
        target = self._provisioning.find_revision(revision)
        read = [ImpactRow.read(row) for row in rows]
        totals = dict(Counter(row.outcome for row in read))
        made = Impact(
            operation, target.blueprint, revision, target.version, self._clock.now(), totals,
            truncated,
        )  # fmt: skip
        with self._db.transaction():
            self._store.put_impact(made, read)
        return {"totals": totals, "truncated": truncated}

    # Inside -------------------------------------------------------------------------------------

    def _affected(self, revision: str, deployment: str) -> ImpactRow:
        with self._db.transaction():
            there = self._provisioning.deployment_in_transaction(deployment)
        now = self._provisioning.find_revision(there.revision)
        user = User(
            there.id, there.name, there.path, there.tenancy_id, there.region_id,
            there.state.value, there.owner, there.revision, now.version,
        )  # fmt: skip
        try:
            old = self._provisioning.try_deployment(deployment, there.revision)
            new = self._provisioning.try_deployment(deployment, revision)
        except _REFUSALS as error:
            return refused_row(user, error.message)
        return row_of(user, graph_changes(old, new, self._needs.forces))

    def _graphs(self, revision: Revision) -> dict[str, Graph | str]:
        """What each sample of a revision declares, or why it declares nothing."""
        return {
            sample["name"]: self._tried(revision, sample["inputs"])
            for sample in revision.document["samples"]
        }

    def _tried(self, revision: Revision, inputs: Mapping[str, Any]) -> Graph | str:
        try:
            return self._provisioning.try_sample(revision, inputs)
        except (*_REFUSALS, Conflict) as error:
            return error.message

    def _compared(
        self,
        older: Revision | None,
        digest: str,
        version: str,
        document: Mapping[str, Any],
        graphs: Mapping[str, Graph | str],
    ) -> Comparison:
        name = document["name"]
        if older is None:
            return Comparison(name, "", "", digest, version, (), ())
        changes = document_changes(older.document, document)
        samples = [
            self._sample(older, sample, graphs.get(sample["name"], "was not tried"))
            for sample in document["samples"]
        ]
        here = {sample["name"] for sample in document["samples"]}
        samples += [
            SampleDifference(sample["name"], SampleState.REMOVED)
            for sample in older.document["samples"]
            if sample["name"] not in here
        ]
        return Comparison(
            name, older.digest, older.version, digest, version, changes, tuple(samples)
        )

    def _sample(
        self, older: Revision, sample: Mapping[str, Any], new: Graph | str
    ) -> SampleDifference:
        """A sample of the newer revision, tried on the older one with the same inputs."""
        name = sample["name"]
        if isinstance(new, str):
            return SampleDifference(name, SampleState.FAILED, problem=new)
        try:
            old = self._provisioning.try_sample(older, sample["inputs"])
        except Invalid as error:
            text = f"{older.version} does not take these inputs: {error.message}"
            return SampleDifference(name, SampleState.ADDED, problem=text)
        except (ProgramError, EngineError, Conflict) as error:
            return SampleDifference(name, SampleState.FAILED, problem=error.message)
        changes = graph_changes(old, new, self._needs.forces)
        state = SampleState.CHANGED if changes else SampleState.SAME
        return SampleDifference(name, state, changes)
