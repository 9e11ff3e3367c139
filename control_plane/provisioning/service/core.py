"""What the parts of the service share: collaborators, and the ways from rows to runs."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from control_plane.provisioning import content
from control_plane.provisioning.graph import Json
from control_plane.provisioning.model import (
    TENANCY_BLUEPRINT,
    Deployment,
    EngineKind,
    Region,
    Revision,
)
from control_plane.provisioning.policies.service import Policies
from control_plane.provisioning.ports import (
    Audit,
    DeploymentContext,
    Engine,
    Limits,
    Program,
    ProvisioningStore,
    RegionAccess,
    RegionProbe,
    Run,
    StackBusyError,
    StackRef,
)
from control_plane.tenancy.model import Tenancy
from control_plane.tenancy.service import TenancyService
from foundation.kernel import canonical
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Conflict, NotFound, Problem, Unavailable
from foundation.kernel.secretbox import SecretBox
from foundation.kernel.time import Clock
from foundation.operations.service import Operations

T = TypeVar("T")
_LOOK_SECONDS = 30.0
_PAUSE_SECONDS = 0.2

PENDING = "borough-pending-"
"""Begins the stand-in for an output of a tenancy that is not prepared yet."""


@dataclass(frozen=True, slots=True)
class Collaborators:
    """What provisioning works with.

    Attributes:
        engines: by kind of engine; one that is missing cannot be used by a region.
        probes: by kind of region.
        cache: folder for unpacked blueprints; readable by all users of the machine.
        limits: of one run of a program.
        measured: what a region's machines have left, by quota resource, as far as it is known;
            asked within a transaction.
        playbooks: what is wrong with the playbooks that a blueprint names, as (field, message).
    """

    store: ProvisioningStore
    db: UnitOfWork
    clock: Clock
    audit: Audit
    tenancy: TenancyService
    operations: Operations
    secrets: SecretBox
    policies: Policies
    engines: Mapping[EngineKind, Engine]
    probes: Mapping[str, RegionProbe]
    cache: Path
    limits: Limits = field(default_factory=Limits)
    measured: Callable[[str], Mapping[str, Decimal]] = lambda _region: {}
    playbooks: Callable[[Sequence[Any]], Sequence[Problem]] = lambda _named: ()


@dataclass(frozen=True, slots=True)
class Place:
    """The outputs of the tenancy's own deployment, real or standing in."""

    outputs: Mapping[str, Json] = field(default_factory=dict)
    secrets: Mapping[str, Json] = field(default_factory=dict, repr=False)


class Core:
    """The base of the service's parts."""

    def __init__(self, with_: Collaborators) -> None:
        self._with = with_
        self._store = with_.store
        self._db = with_.db
        self._clock = with_.clock
        self._secrets = with_.secrets

    @staticmethod
    def _when_free(work: Callable[[], T], mend: Callable[[], None] | None = None) -> T:
        """What ``work`` answers; it waits for a look at the stack, such as a check for drift.

        Args:
            work: what needs the stack.
            mend: frees the stack of what a killed look has left; only the holder of the
                deployment may give one.

        Raises:
            StackBusyError: something works on the stack for longer than a look takes.
        """
        end = time.monotonic() + _LOOK_SECONDS
        while True:
            try:
                return work()
            except StackBusyError:
                if time.monotonic() <= end:
                    time.sleep(_PAUSE_SECONDS)
                elif mend is None:
                    raise
                else:
                    mend()
                    return work()

    def _note(
        self,
        actor: Actor,
        action: str,
        subject: str,
        path: str,
        details: Mapping[str, Any],
    ) -> None:
        self._with.audit.record(actor, action, subject=subject, path=path, details=details)

    def _check_landing(self, landing: Deployment) -> None:
        """Refuse to return a tenancy that something is in."""
        inside = self._store.residents(landing)
        if inside:
            names = ", ".join(d.name for d in inside)
            raise Conflict(
                f"return what is in the tenancy first: {names}",
                deployments=[d.id for d in inside],
            )

    def _region(self, reference: str) -> Region:
        found = self._store.region(reference)
        if found is None:
            raise NotFound(f"there is no region {reference}")
        return found

    def _engine(self, kind: EngineKind) -> Engine:
        found = self._with.engines.get(kind)
        if found is None:
            raise Unavailable(f"the {kind.value} engine is not available on this machine", 60.0)
        return found

    def _revision(self, digest: str) -> Revision:
        found = self._store.revision(digest)
        if found is None:
            raise NotFound(f"there is no blueprint revision {digest}")
        return found

    def _deployment(self, deployment_id: str) -> Deployment:
        found = self._store.deployment(deployment_id)
        if found is None:
            raise NotFound("there is no such deployment")
        return found

    def _program(self, revision: Revision) -> Program:
        """The revision's content in this machine's cache."""
        with self._db.transaction():
            archive = self._store.archive(revision.digest)
        if archive is None:
            raise NotFound(f"there is no blueprint revision {revision.digest}")
        folder = content.materialise(content.unpack(archive), revision.digest, self._with.cache)
        return Program(folder, revision.digest)

    def _access(self, region: Region) -> RegionAccess:
        with self._db.transaction():
            sealed = self._store.sealed_credentials(region.id)
        credentials: Mapping[str, Json] = {}
        if sealed is not None:
            opened = self._secrets.open(sealed, f"provisioning_region:{region.id}")
            credentials = json.loads(opened)
        config = dict(region.config)
        if region.engine is EngineKind.EMBEDDED:
            # What a real cloud knows of itself, the simulated one is told.
            config["embedded"] = {"capacity": canonical.plain(region.capacity)}
        return RegionAccess(region.id, region.kinds, config, credentials)

    def _seed(self, deployment_id: str) -> str:
        with self._db.transaction():
            sealed = self._store.sealed_seed(deployment_id)
        return self._secrets.open(sealed, f"provisioning_deployment:{deployment_id}:seed").decode()

    def _secret_outputs(self, deployment_id: str) -> dict[str, Json]:
        with self._db.transaction():
            sealed = self._store.sealed_outputs(deployment_id)
        if sealed is None:
            return {}
        opened = self._secrets.open(sealed, f"provisioning_deployment:{deployment_id}:outputs")
        found: dict[str, Json] = json.loads(opened)
        return found

    def _place(self, landing: Deployment) -> Place:
        outputs = {k: v for k, v in landing.outputs.items() if k not in landing.secret_outputs}
        return Place(outputs, self._secret_outputs(landing.id))

    def _pending_place(self) -> Place:
        """Stand-ins for the outputs of a tenancy that is not there yet."""
        with self._db.transaction():
            landing = self._store.revision_of(TENANCY_BLUEPRINT, None)
        if landing is None:
            raise NotFound("the blueprint of tenancies is not published")
        return pending_place(landing)

    def _run(
        self,
        deployment: Deployment,
        revision: Revision,
        inputs: Mapping[str, Json],
        tenancy: Tenancy,
        place: Place,
    ) -> Run:
        """Everything that an engine needs for a deployment."""
        with self._db.transaction():
            region = self._region(deployment.region_id)
        context = DeploymentContext(
            id=deployment.id,
            name=deployment.name,
            tenancy=tenancy.slug,
            tags=deployment.tags,
            seed=self._seed(deployment.id),
            tenancy_outputs=place.outputs,
            tenancy_secrets=place.secrets,
        )
        return Run(
            stack=StackRef(deployment.id, revision.blueprint, deployment.id),
            program=self._program(revision),
            inputs=inputs,
            region=self._access(region),
            deployment=context,
            limits=self._with.limits,
        )


def pending_place(landing: Revision) -> Place:
    """Stand-ins by the output schema of a revision of the tenancy blueprint."""
    properties = landing.outputs.get("properties", {})
    outputs: dict[str, Json] = {}
    secrets: dict[str, Json] = {}
    for name, schema in properties.items():
        target = secrets if schema.get("x-secret") else outputs
        target[name] = PENDING + name.replace("_", "-")
    return Place(outputs, secrets)
