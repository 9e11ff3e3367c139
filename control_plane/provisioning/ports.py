"""What provisioning needs from outside: engines that turn programs into resources."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from control_plane.provisioning.graph import (
    ApplyResult,
    DriftFinding,
    EngineEvent,
    Graph,
    Json,
    Preview,
)
from control_plane.provisioning.model import (
    Blueprint,
    Deployment,
    DeploymentState,
    Hold,
    Plan,
    Reachability,
    Region,
    Resource,
    Revision,
)
from control_plane.provisioning.standing import Standing
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Conflict
from foundation.kernel.paging import Page, PageRequest


class ProgramError(Conflict):
    """A blueprint's program raised, exited, hung, overran a limit, or broke the protocol.

    It concerns that one operation only. ``message`` says what happened in words for the
    blueprint's author; ``details`` may hold ``output``, the end of what the program printed.
    """

    code = "program_failed"


class EngineError(Conflict):
    """The engine itself could not do its work (CLI missing, region unreachable, state broken).

    Unlike a failed resource, which is a result, nothing is known to have been changed.
    """

    code = "engine_failed"


class StackBusyError(Conflict):
    """Another operation holds the stack. Only that operation's owner may ``recover`` it."""

    code = "stack_busy"


class NotThereError(Conflict):
    """What was to be imported is not there; ``details["missing"]`` has the URNs."""

    code = "not_there"

    def __init__(self, missing: Mapping[str, str]) -> None:
        listed = ", ".join(f"{u.rpartition('::')[2]} ({i})" for u, i in sorted(missing.items()))
        super().__init__(
            f"the region has no such objects of these types: {listed}", missing=sorted(missing)
        )


@dataclass(frozen=True, slots=True)
class Program:
    """A blueprint revision's content, unpacked.

    Attributes:
        path: Folder with ``Pulumi.yaml`` and ``__main__.py``; it is only read, and must be
            readable by any user of the machine (programs run unprivileged where possible).
        digest: ``sha256:…`` of the content; engines may cache by it.
    """

    path: Path
    digest: str


@dataclass(frozen=True, slots=True)
class StackRef:
    """The state that a deployment owns: one stack per deployment.

    Attributes:
        deployment: Id of the deployment (``dep_…``); every resource carries it as tag or name.
        project: Name in the program's ``Pulumi.yaml``; namespace of its configuration.
        stack: Name of the stack; unique within the platform. The deployment id will do.
    """

    deployment: str
    project: str
    stack: str


@dataclass(frozen=True, slots=True)
class RegionAccess:
    """A region as a program may see it.

    Attributes:
        id: Id of the region; the embedded engine keeps capacity and quota under it.
        kinds: ``openstack``, ``kubernetes`` or both.
        config: Plain facts, per kind: ``{"openstack": {"auth_url", "region_name", "domain",
            "external_network_id", "images": {name: id}, "flavors": {size: {"id", "vcpus",
            "ram_mb", "disk_gb"}}, "volume_type"}, "kubernetes": {"ingress_class",
            "storage_class", "await_pods"}}``. A kind may say ``operations_at_once``: how many
            operations change the region at a time.
        credentials: Secrets, per kind: ``{"openstack": {"user_name", "password",
            "project_name", "user_domain_name", "project_domain_name"},
            "kubernetes": {"kubeconfig"}}``. They reach the program as secret configuration and
            explicit provider arguments, never by the environment.
    """

    id: str
    kinds: frozenset[str]
    config: Mapping[str, Json] = field(default_factory=dict)
    credentials: Mapping[str, Json] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class DeploymentContext:
    """What a program may know of the deployment that it is run for.

    Attributes:
        id: Deployment id, same as ``StackRef.deployment``.
        name: Short DNS-like name (``a-z0-9-``, at most 40 characters) for names of resources.
        tenancy: The tenancy's name, same form.
        tags: Plain labels: department, system, order, …
        seed: A secret of at least 32 random characters that stays the same for the life of the
            deployment. Programs derive passwords from it, so that a retry makes the same ones.
        tenancy_outputs: Plain outputs of the tenancy's own deployment (project id, network id,
            namespace, …) when this deployment goes into a tenancy; else empty.
        tenancy_secrets: The same for its secret outputs (user's password, kubeconfig, …).
    """

    id: str
    name: str
    tenancy: str
    tags: Mapping[str, str] = field(default_factory=dict)
    seed: str = field(default="", repr=False)
    tenancy_outputs: Mapping[str, Json] = field(default_factory=dict)
    tenancy_secrets: Mapping[str, Json] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run of a program may use. A program that needs more fails alone.

    Attributes:
        seconds: Wall-clock time of the program itself; the clouds' own waiting during an apply
            is bounded by ``operation_seconds``.
        cpu_seconds: Processor time of the program.
        memory_bytes: Address space of the program's process.
        output_bytes: How much of what it prints is kept; the rest is read and dropped.
        resources: How many resources it may declare.
        operation_seconds: Wall-clock time of a whole apply or destroy.
    """

    seconds: float = 60.0
    cpu_seconds: int = 60
    memory_bytes: int = 2 * 1024**3
    output_bytes: int = 64 * 1024
    resources: int = 2000
    operation_seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that one operation on one stack needs.

    The program finds it in its Pulumi configuration, in the project's namespace: the objects
    ``inputs``, ``region`` (id, kinds and plain facts), ``deployment`` (id, name, tenancy, tags,
    tenancy outputs) and the secret object ``credentials`` (region, tenancy, seed).
    """

    stack: StackRef
    program: Program
    inputs: Mapping[str, Json]
    region: RegionAccess
    deployment: DeploymentContext
    limits: Limits = field(default_factory=Limits)

    def configuration(self) -> dict[str, Json]:
        """Return the plain part of the program's configuration."""
        return {
            "inputs": dict(self.inputs),
            "region": {
                "id": self.region.id,
                "kinds": list[Json](sorted(self.region.kinds)),
                **dict(self.region.config),
            },
            "deployment": {
                "id": self.deployment.id,
                "name": self.deployment.name,
                "tenancy": self.deployment.tenancy,
                "tags": dict(self.deployment.tags),
                "tenancy_outputs": dict(self.deployment.tenancy_outputs),
            },
        }

    def secrets(self) -> dict[str, Json]:
        """Return the secret object ``credentials`` of the program's configuration."""
        return {
            "region": dict(self.region.credentials),
            "tenancy": dict(self.deployment.tenancy_secrets),
            "seed": self.deployment.seed,
        }


class Cancellation(Protocol):
    """Asked between steps; a ``threading.Event`` is one."""

    def is_set(self) -> bool:
        """Return True once the operation should stop after its running steps."""


OnEvent = Callable[[EngineEvent], None]
Confirm = Callable[[Preview], None]


class Engine(Protocol):
    """Turns a program into resources and back. Held to ``tests/contract/engine``.

    One operation per stack at a time: a second one raises :class:`StackBusyError`. No method may be
    called inside a database transaction. ``on_event`` is called from a thread of the engine's
    choice, one call at a time.
    """

    @property
    def simulated(self) -> bool:
        """True when what it makes exists only within the platform; surfaces say so."""

    def evaluate(self, run: Run) -> Graph:
        """Return the resources that the program declares; no state, no cloud, no side effect.

        Raises:
            ProgramError: The program did not end well.
        """

    def preview(
        self, run: Run, *, on_event: OnEvent | None = None, refresh: bool = False
    ) -> Preview:
        """Return what an apply would do now.

        Args:
            run: What to run.
            on_event: Receives live progress.
            refresh: Compare with what the cloud really has instead of with the state.

        Raises:
            ProgramError: The program did not end well.
            EngineError: The engine could not compare.
            StackBusyError: Another operation holds the stack.
        """

    def apply(
        self,
        run: Run,
        *,
        confirm: Confirm,
        on_event: OnEvent | None = None,
        cancel: Cancellation | None = None,
        refresh: bool = False,
    ) -> ApplyResult:
        """Preview afresh, ask ``confirm``, then make it so.

        ``confirm`` gets the fresh preview while the stack is held and before anything is touched;
        whatever it raises ends the operation, unchanged, and reaches the caller. Steps that are
        not in that preview are refused.

        Calling it again after it was cut off (its process killed) completes the work without a
        second set of resources; call :meth:`recover` first.

        Args:
            run: What to run.
            confirm: Judges the fresh preview; returns to allow, raises to refuse.
            on_event: Receives live progress per resource.
            cancel: Asked between steps; when set, running steps end and the rest is not begun.
            refresh: First read what the cloud really has: how drift is repaired.

        Returns:
            The outcome. A resource that the cloud refused is a result (``state`` is failed), not
            an exception.

        Raises:
            ProgramError: The program did not end well, before anything was touched.
            EngineError: The engine could not begin.
            StackBusyError: Another operation holds the stack.
        """

    def refresh(
        self,
        run: Run,
        *,
        on_event: OnEvent | None = None,
        accept: bool = False,
        only: Collection[str] = (),
    ) -> tuple[DriftFinding, ...]:
        """Compare the state with what the cloud really has, ordered by URN.

        What was added is looked for inside security groups (rules) and projects (servers) of the
        stack, when all of it is looked at and nothing is accepted. The engine knows one stack:
        what another one made there is among what was added.

        Args:
            run: Whose stack; the program is not run.
            on_event: Receives live progress.
            accept: Write reality into the state; otherwise the state is left as it is, and the
                next call finds the same again.
            only: URNs of the resources to look at, and to accept; empty for all.

        Raises:
            EngineError: The region did not answer.
            StackBusyError: Another operation holds the stack.
        """

    def remove_added(self, run: Run, ids: Collection[str]) -> tuple[str, ...]:
        """Remove rules that were added to security groups of the stack.

        It looks first: what the stack made itself, what lies elsewhere, anything but a rule and
        what is gone already is left alone, so that it may be called again.

        Returns:
            The ids of what was removed.

        Raises:
            EngineError: The region did not answer, or refused.
            StackBusyError: Another operation holds the stack.
        """

    def destroy(
        self,
        run: Run,
        *,
        on_event: OnEvent | None = None,
        cancel: Cancellation | None = None,
    ) -> ApplyResult:
        """Delete everything the stack holds, dependents first; the program is not run.

        A stack that never existed, or that is gone already, succeeds with no outcomes. After
        success nothing of the stack is left, its state included.
        """

    def preview_import(
        self, run: Run, existing: Mapping[str, str], *, on_event: OnEvent | None = None
    ) -> Preview:
        """Return what :meth:`import_existing` would do now; neither state nor cloud is touched.

        An object that would be taken in is ``same``, or shows what its program wants otherwise.

        Args:
            run: What to run.
            existing: Ids of objects that somebody else made, by the URN that each is to have; in
                the form in which the provider imports them (``<server>/<volume>`` for an
                attachment). Those that the stack has taken in before may be named again.
            on_event: Receives live progress.

        Raises:
            NotThereError: The region has no such object of that type, or the program declares no
                such resource; names each of them.
            ProgramError: The program did not end well.
            EngineError: The region could not be read.
            StackBusyError: Another operation holds the stack.
        """

    def import_existing(
        self,
        run: Run,
        existing: Mapping[str, str],
        *,
        confirm: Confirm,
        on_event: OnEvent | None = None,
        cancel: Cancellation | None = None,
    ) -> ApplyResult:
        """Take objects that are there into the stack, and make them as the program says.

        Like :meth:`apply`, with the preview of :meth:`preview_import`. All objects are taken in at
        once, by one write of the state, after ``confirm`` has returned. Cut off before that, the
        stack is as it was; after it, the same call completes the work. Nothing is deleted, and
        nothing is made but what the preview shows.

        Raises:
            NotThereError, ProgramError, EngineError, StackBusyError: As :meth:`preview_import`.
        """

    def release(self, run: Run, urns: Collection[str], *, on_event: OnEvent | None = None) -> None:
        """Forget objects of a stack without touching them: they are nobody's again.

        Those that the stack does not hold, and a stack that never existed, are no error.
        """

    def recover(self, run: Run, *, on_event: OnEvent | None = None) -> None:
        """Make a stack usable again after the process that worked on it was killed.

        Ends what may still run of it, clears its lock, and resolves operations that were begun
        and never confirmed, by looking at the cloud. May only be called by the owner of the
        operation. Harmless on a stack that needs nothing.
        """

    def outputs(self, run: Run) -> tuple[dict[str, Json], dict[str, Json]]:
        """Return the stack's exported values: plain ones, and secret ones in clear.

        Raises:
            EngineError: There is no such stack.
        """


class RegionProbe(Protocol):
    """Asks one kind of region whether it answers and accepts the platform's credentials."""

    def check(self, region: RegionAccess) -> Reachability:
        """Return how it answered; an answer that is no is a result, not an exception."""
        ...


class Audit(Protocol):
    """Where every change is written down, in the transaction that makes it."""

    def record(
        self, actor: Actor, action: str, *, subject: str, path: str, details: Mapping[str, Any]
    ) -> None: ...


class RegionStore(Protocol):
    """Regions; every call joins the open transaction."""

    def add_region(self, region: Region, sealed_credentials: str | None) -> bool:
        """Keep a new region; False when its slug is taken."""
        ...

    def region(self, reference: str) -> Region | None:
        """By id or slug."""
        ...

    def regions(self, request: PageRequest) -> Page[Region]:
        """All, by slug."""
        ...

    def sealed_credentials(self, region_id: str) -> str | None: ...

    def held(self, region_id: str) -> dict[str, Decimal]:
        """What the deployments of a region hold together, by quota resource."""
        ...


class RevisionStore(Protocol):
    """Blueprints and their revisions; every call joins the open transaction."""

    def add_revision(self, revision: Revision, archive: bytes) -> bool:
        """Keep a new revision; False when its digest, or its version of the name, is known."""
        ...

    def revision(self, digest: str) -> Revision | None: ...

    def revision_of(self, blueprint: str, version: str | None) -> Revision | None:
        """A version of a blueprint; None means the highest."""
        ...

    def archive(self, digest: str) -> bytes | None: ...

    def blueprints(self, request: PageRequest) -> Page[Blueprint]:
        """The highest version of each, by name."""
        ...

    def revisions(self, blueprint: str, request: PageRequest) -> Page[Revision]:
        """All versions, the highest first."""
        ...


class StandingStore(Protocol):
    """Which blueprints are deprecated or retired."""

    def standing(self, blueprint: str) -> Standing:
        """Where a blueprint is in its life; published when nothing was said."""
        ...

    def standings(self) -> list[Standing]:
        """All that was said, by name."""
        ...

    def put_standing(self, standing: Standing) -> None:
        """Write down what holds from now on."""
        ...


class DeploymentStore(Protocol):
    """Deployments, plans and inventory; every call joins the open transaction."""

    def add_deployment(self, deployment: Deployment, sealed_seed: str) -> bool:
        """Keep a new one; False when the name (or the tenancy's landing) is taken there."""
        ...

    def deployment(self, deployment_id: str) -> Deployment | None: ...

    def named(self, tenancy_id: str, region_id: str, name: str) -> Deployment | None:
        """The one of that name that is not destroyed."""
        ...

    def landing(self, tenancy_id: str, region_id: str) -> Deployment | None:
        """The tenancy's own deployment in a region, unless it is destroyed."""
        ...

    def residents(self, landing: Deployment) -> list[Deployment]:
        """What is in a landing: deployments of its tenancy and region that may hold something."""
        ...

    def deployments(
        self, paths: Sequence[str], filters: Mapping[str, str], request: PageRequest
    ) -> Page[Deployment]:
        """Those at or below any of the paths, newest first."""
        ...

    def sealed_seed(self, deployment_id: str) -> str: ...

    def sealed_outputs(self, deployment_id: str) -> str | None: ...

    def take(
        self, deployment_id: str, operation: str, state: DeploymentState, at: datetime
    ) -> Hold | None:
        """Give an operation the hold; None while another one has it.

        None too to apply to what is destroyed: another deployment may have its place by now.
        """
        ...

    def write(self, hold: Hold, at: datetime, values: Mapping[str, Any]) -> None:
        """Set columns.

        Raises:
            Superseded: the hold is not the newest any more.
        """
        ...

    def let_go(self, hold: Hold, at: datetime, values: Mapping[str, Any]) -> None:
        """Set columns and end the hold.

        Raises:
            Superseded: the hold is not the newest any more.
        """
        ...

    def add_plan(self, plan: Plan) -> Plan:
        """Keep a plan; the one that is there when its deployment has one of this digest."""
        ...

    def plan(self, reference: str) -> Plan | None:
        """By id or digest."""
        ...

    def newest_plan(self, deployment_id: str) -> Plan | None:
        """The plan of a deployment that was made last."""
        ...

    def resources(self, deployment_id: str) -> list[Resource]:
        """The living ones of a deployment, by URN."""
        ...

    def put_resource(self, resource: Resource) -> None:
        """Keep a resource, new or changed."""
        ...

    def forget_resource(self, resource_id: str) -> None:
        """Drop a resource that never came to be."""
        ...

    def inventory(
        self, paths: Sequence[str], filters: Mapping[str, str], request: PageRequest
    ) -> Page[Resource]:
        """Resources at or below any of the paths, newest first."""
        ...

    def resolve(self, names: Sequence[str]) -> dict[str, Resource]:
        """Resources by id or physical id, deleted ones too; unknown names are left out."""
        ...

    def imported(self, deployment_id: str) -> dict[str, str]:
        """What its plans would take in, or have taken in: ids by URN; empty for most."""
        ...

    def claimed(self, region_id: str, physical_ids: Collection[str]) -> dict[str, str]:
        """The deployments that have, or are importing, objects of a region, by their ids.

        Nobody else may claim something there until the transaction ends.
        """
        ...

    def at_work(self, region_id: str) -> frozenset[str]:
        """The deployments of a region that an operation works on now."""
        ...

    def in_region(self, region_id: str, since: datetime) -> list[Resource]:
        """The resources of a region that lived at that time or later, by id."""
        ...


class ProvisioningStore(RegionStore, RevisionStore, StandingStore, DeploymentStore, Protocol):
    """All that provisioning keeps."""
