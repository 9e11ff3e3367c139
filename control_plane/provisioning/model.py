"""Regions, blueprints, plans, deployments and inventory: values and their rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NewType

from control_plane.provisioning.graph import Change, Json, Op, Preview, PropertyChange
from foundation.kernel import canonical
from foundation.kernel.text import Text
from foundation.kernel.time import format_instant, parse_instant

RegionId = NewType("RegionId", str)
DeploymentId = NewType("DeploymentId", str)
PlanId = NewType("PlanId", str)
ResourceId = NewType("ResourceId", str)

KINDS = frozenset({"openstack", "kubernetes"})
DATA_CLASSES = ("public", "internal", "sensitive")
#: Begins the owner of a tenancy that was imported: its inputs stay what it was found with.
IMPORT_OWNER = "import:"
TENANCY_BLUEPRINT = "tenancy"
"""The blueprint that prepares a tenancy in a region; its deployments are landings."""

MASK = "********"
CAPACITY = "capacity.region"
"""Names the finding that a region has no room; no policy, and nothing that a waiver is for."""


class EngineKind(StrEnum):
    """Which engine realises what is deployed in a region."""

    EMBEDDED = "embedded"
    PULUMI = "pulumi"


class RegionState(StrEnum):
    """What may be done to a region: everything, nothing new, or nothing at all."""

    ACTIVE = "active"
    CORDONED = "cordoned"
    MAINTENANCE = "maintenance"


class DeploymentState(StrEnum):
    """Where a deployment is in its life.

    ``PENDING`` has a row and nothing else. ``FAILED`` can be applied or destroyed again.
    ``UNKNOWN`` was cut off; the next operation looks first.
    """

    PENDING = "pending"
    APPLYING = "applying"
    ACTIVE = "active"
    FAILED = "failed"
    DESTROYING = "destroying"
    DESTROYED = "destroyed"
    UNKNOWN = "unknown"


class PlanAction(StrEnum):
    """What a plan is for."""

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"


class Severity(StrEnum):
    """How a policy's finding weighs.

    An advisory one is put before the approver. A waivable one forbids approval until a waiver
    holds, a mandatory one always.
    """

    ADVISORY = "advisory"
    WAIVABLE = "waivable"
    MANDATORY = "mandatory"


class InventoryState(StrEnum):
    """What the platform knows of a resource.

    ``PLANNED`` was written down before its making began and has not been confirmed.
    """

    PLANNED = "planned"
    CREATED = "created"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Region:
    """A place where resources can be made.

    Attributes:
        slug: unique name.
        kinds: ``openstack``, ``kubernetes`` or both.
        simulated: its resources exist only within the platform; surfaces say so.
        config: plain facts (addresses, images, flavors), as ``RegionAccess.config``.
        capacity: by quota resource, how much there is; what is not named is not bounded.
        data_classes: what data may be kept there.
        has_credentials: the kinds for which credentials are kept (sealed, never shown).
    """

    id: RegionId
    slug: str
    title: Text
    kinds: frozenset[str]
    engine: EngineKind
    simulated: bool
    config: Mapping[str, Json]
    capacity: Mapping[str, Decimal]
    data_classes: frozenset[str]
    state: RegionState
    has_credentials: frozenset[str]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Reachability:
    """How a region's own interface answered: one line per kind."""

    kind: str
    ok: bool
    message: str
    details: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A blueprint as the catalogue shows it: what its newest revision says."""

    name: str
    title: Text
    description: Text
    owner: str
    category: str
    latest_version: str
    latest_digest: str
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Revision:
    """One immutable content of a blueprint.

    Attributes:
        digest: ``sha256:…`` of the content.
        document: ``blueprint.yaml`` as JSON.
    """

    digest: str
    blueprint: str
    version: str
    document: Mapping[str, Any]
    published_at: datetime
    published_by: str

    @property
    def title(self) -> Text:
        """What people call it."""
        return Text(self.document["title"]["en"], self.document["title"]["zh"])

    @property
    def data_classes(self) -> frozenset[str]:
        """What data it may carry."""
        return frozenset(self.document["data_classes"])

    @property
    def in_tenancy(self) -> bool:
        """Whether it goes into a prepared tenancy and gets its outputs."""
        return bool(self.document.get("scope", "tenancy") == "tenancy")

    @property
    def inputs(self) -> Mapping[str, Any]:
        """JSON Schema of the inputs."""
        found: Mapping[str, Any] = self.document["inputs"]
        return found

    @property
    def outputs(self) -> Mapping[str, Any]:
        """JSON Schema of the outputs."""
        found: Mapping[str, Any] = self.document["outputs"]
        return found


@dataclass(frozen=True, slots=True)
class Exemption:
    """The waiver that a finding rests on, as it was granted.

    Attributes:
        id: of the waiver.
        owner: the principal who answers for it.
        owner_name: what they were called when it was granted.
        ends_at: from when on it does not hold any more.
    """

    id: str
    owner: str
    owner_name: str
    reason: str
    ends_at: datetime

    def document(self) -> dict[str, Json]:
        """Return the JSON that a plan digests."""
        return {
            "id": self.id,
            "owner": self.owner,
            "owner_name": self.owner_name,
            "reason": self.reason,
            "ends_at": format_instant(self.ends_at),
        }

    @staticmethod
    def read(document: Mapping[str, Any] | None) -> "Exemption | None":
        """Read it again from what is stored; None for none."""
        if document is None:
            return None
        d = document
        return Exemption(
            d["id"], d["owner"], d["owner_name"], d["reason"], parse_instant(d["ends_at"])
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """What a policy or a check says of a plan or a blueprint.

    Attributes:
        policy: stable name of the rule, such as ``network.public_exposure``.
        subject: the resource (its name), input or file that it is about; empty for the whole.
        waiver: what lets a waivable one pass; None for none.
    """

    policy: str
    severity: Severity
    subject: str
    message: Text
    waiver: Exemption | None = None

    @property
    def blocks(self) -> bool:
        """Whether it forbids approval."""
        if self.severity is Severity.WAIVABLE:
            return self.waiver is None
        return self.severity is Severity.MANDATORY

    def document(self) -> dict[str, Json]:
        """Return the JSON that a plan digests."""
        return {
            "policy": self.policy,
            "severity": self.severity.value,
            "subject": self.subject,
            "message": dict[str, Json](self.message.as_json()),
            "waiver": self.waiver.document() if self.waiver else None,
        }

    @staticmethod
    def read(document: Mapping[str, Any]) -> "Finding":
        """Read it again from what is stored."""
        return Finding(
            document["policy"],
            Severity(document["severity"]),
            document["subject"],
            Text(document["message"]["en"], document["message"]["zh"]),
            Exemption.read(document.get("waiver")),
        )


@dataclass(frozen=True, slots=True)
class MeterQuantity:
    """What one resource will use in an hour while it runs.

    Attributes:
        resource: URN.
        meter: name of a meter, such as ``server.instance_hours``.
        dimensions: by which quantities are kept apart, such as the flavor.
        per_hour: quantity per hour in the meter's unit.
    """

    resource: str
    meter: str
    dimensions: Mapping[str, str]
    per_hour: Decimal

    def document(self) -> dict[str, Json]:
        """Return the JSON that a plan digests."""
        return {
            "resource": self.resource,
            "meter": self.meter,
            "dimensions": dict[str, Json](self.dimensions),
            "per_hour": canonical.decimal_text(self.per_hour),
        }


@dataclass(frozen=True, slots=True)
class Estimate:
    """What inputs come to, without asking the region.

    Attributes:
        inputs: with the defaults filled in.
        resources: (type, logical name) of what would be made, in order.
        quota: amounts by quota resource.
        hourly: what it uses per hour.
        findings: what the policies say.
    """

    revision: str
    inputs: Mapping[str, Json]
    resources: tuple[tuple[str, str], ...]
    quota: Mapping[str, Decimal]
    hourly: tuple[MeterQuantity, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """The preparation of the tenancy that a plan does first.

    Attributes:
        deployment_id: the landing.
        revision: digest of the ``tenancy`` blueprint's revision.
        changes: what it makes.
    """

    deployment_id: DeploymentId
    revision: str
    inputs: Mapping[str, Json]
    changes: tuple[Change, ...]

    def document(self) -> dict[str, Json]:
        """Return the JSON that a plan digests."""
        return {
            "deployment": self.deployment_id,
            "revision": self.revision,
            "inputs": dict(self.inputs),
            "changes": [c.document() for c in self.changes],
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done, under one digest.

    Attributes:
        digest: SHA-256 of the canonical JSON of everything else but ``id`` and ``created_at``.
        inputs: with defaults; secret ones as markers.
        preparation: the stage before, when the tenancy is not in the region yet.
        changes: one per resource, those that stay the same included.
        quota: what it takes (positive) and gives back (negative), by quota resource.
        footprint: what the deployment holds afterwards.
        capacity: room that the region has left for those resources before this plan; None is
            unbounded. Not part of the digest: others use the region too.
        hourly: what the deployment uses per hour afterwards.
        imports: ids of objects that are there and are taken in, by the URN that each is to have.
    """

    id: PlanId
    digest: str
    deployment_id: DeploymentId
    tenancy_id: str
    path: str
    action: PlanAction
    region_id: RegionId
    region: Mapping[str, Json]
    blueprint: str
    revision: str
    version: str
    inputs: Mapping[str, Json]
    preparation: Stage | None
    changes: tuple[Change, ...]
    outputs: Mapping[str, Json]
    quota: Mapping[str, Decimal]
    footprint: Mapping[str, Decimal]
    capacity: Mapping[str, Decimal | None]
    hourly: tuple[MeterQuantity, ...]
    findings: tuple[Finding, ...]
    created_at: datetime
    imports: Mapping[str, str] = field(default_factory=dict)

    @property
    def preview(self) -> Preview:
        """The main stage as an engine's preview."""
        return Preview(self.changes, self.outputs)

    @property
    def counts(self) -> dict[str, int]:
        """How many resources each operation touches, preparation included."""
        staged = self.preparation.changes if self.preparation else ()
        return Preview((*staged, *self.changes)).counts()

    @property
    def blocked(self) -> tuple[Finding, ...]:
        """The findings that forbid approval."""
        return tuple(f for f in self.findings if f.blocks)

    def document(self) -> dict[str, Json]:
        """Return the JSON that is digested and stored."""
        return {
            "format": 1,
            "deployment": self.deployment_id,
            "tenancy": self.tenancy_id,
            "path": self.path,
            "action": self.action.value,
            "region": {"id": self.region_id, **dict(self.region)},
            "blueprint": {
                "name": self.blueprint,
                "revision": self.revision,
                "version": self.version,
            },
            "inputs": dict(self.inputs),
            "preparation": self.preparation.document() if self.preparation else None,
            "changes": [c.document() for c in self.changes],
            "outputs": dict(self.outputs),
            "quota": _amounts(self.quota),
            "footprint": _amounts(self.footprint),
            "hourly": [m.document() for m in self.hourly],
            "findings": [f.document() for f in self.findings],
            # Left out where there is none, so that the digests of other plans stay what they are.
            **({"imports": dict(sorted(self.imports.items()))} if self.imports else {}),
        }


def _amounts(amounts: Mapping[str, Decimal]) -> dict[str, Json]:
    return {name: canonical.decimal_text(value) for name, value in sorted(amounts.items())}


def plan_digest(document: Mapping[str, Any]) -> str:
    """The digest of a plan's document."""
    return canonical.digest(document)


def change_from(document: Mapping[str, Any]) -> Change:
    """Read a change again from a plan's document."""
    return Change(
        document["urn"],
        document["type"],
        document["name"],
        Op(document["op"]),
        tuple(
            PropertyChange(p["path"], p["before"], p["after"], p["forces_replacement"])
            for p in document["properties"]
        ),
    )


def plan_from(
    plan_id: str,
    document: Mapping[str, Any],
    capacity: Mapping[str, Decimal | None],
    created_at: datetime,
) -> Plan:
    """Read a plan again from what is stored."""
    region = dict(document["region"])
    stage = document["preparation"]
    return Plan(
        id=PlanId(plan_id),
        digest=plan_digest(document),
        deployment_id=DeploymentId(document["deployment"]),
        tenancy_id=document["tenancy"],
        path=document["path"],
        action=PlanAction(document["action"]),
        region_id=RegionId(region.pop("id")),
        region=region,
        blueprint=document["blueprint"]["name"],
        revision=document["blueprint"]["revision"],
        version=document["blueprint"]["version"],
        inputs=document["inputs"],
        preparation=None
        if stage is None
        else Stage(
            DeploymentId(stage["deployment"]),
            stage["revision"],
            stage["inputs"],
            tuple(change_from(c) for c in stage["changes"]),
        ),
        changes=tuple(change_from(c) for c in document["changes"]),
        outputs=document["outputs"],
        quota={name: Decimal(value) for name, value in document["quota"].items()},
        footprint={name: Decimal(value) for name, value in document["footprint"].items()},
        capacity=capacity,
        hourly=tuple(
            MeterQuantity(m["resource"], m["meter"], m["dimensions"], Decimal(m["per_hour"]))
            for m in document["hourly"]
        ),
        findings=tuple(Finding.read(f) for f in document["findings"]),
        created_at=created_at,
        imports=document.get("imports", {}),
    )


@dataclass(frozen=True, slots=True)
class Deployment:
    """A blueprint's revision with inputs, in a region, for a tenancy.

    Attributes:
        name: DNS-like, unique among the living in its tenancy and region; in names of resources.
        path: of the tenancy's organisation.
        revision: digest of the applied (or, while pending, wanted) revision.
        inputs: plain; secret ones as masks.
        outputs: plain; secret ones as masks.
        secret_outputs: their names.
        plan_id: the plan that was applied last, or is being applied.
        owner: what holds it, such as ``instance:ins_…``; empty when it stands alone.
        operation: the operation that works on it now; empty for none.
        last_operation: the one that ended on it last.
        error: why the last operation did not succeed; empty otherwise.
        footprint: the quota amounts that it holds.
    """

    id: DeploymentId
    tenancy_id: str
    path: str
    region_id: RegionId
    blueprint: str
    revision: str
    name: str
    inputs: Mapping[str, Json]
    state: DeploymentState
    outputs: Mapping[str, Json]
    secret_outputs: tuple[str, ...]
    plan_id: PlanId | None
    owner: str
    operation: str
    last_operation: str
    error: str
    footprint: Mapping[str, Decimal]
    tags: Mapping[str, str]
    created_at: datetime
    updated_at: datetime

    @property
    def stands_alone(self) -> bool:
        """Whether no ordered service holds it: an operator's own, or imported."""
        return not self.owner or self.owner.startswith(IMPORT_OWNER)

    @property
    def is_landing(self) -> bool:
        """Whether this is the tenancy's own preparation in the region."""
        return self.blueprint == TENANCY_BLUEPRINT


@dataclass(frozen=True, slots=True)
class Hold:
    """An operation's hold on a deployment: only with the newest fence may it write.

    Attributes:
        operation: who holds it.
        fence: grows with every take.
        before: the state when the operation first took it, to return to if nothing is done.
        resumed: the same operation held it already: its process was cut off.
    """

    deployment_id: DeploymentId
    operation: str
    fence: int
    before: DeploymentState
    resumed: bool


@dataclass(frozen=True, slots=True)
class Resource:
    """A thing in a region, as the inventory knows it.

    Attributes:
        urn: the engine's name; unique in its deployment among what is not deleted.
        physical_id: the cloud's own id; empty when there is none yet.
        hourly: (meter, dimensions, quantity per hour) that it should emit.
        created_at: when it was written down, just before its making began.
        deleted_at: when its deletion was confirmed.
        history: what it used before, each until when, the oldest first.
    """

    id: ResourceId
    deployment_id: DeploymentId
    region_id: RegionId
    tenancy_id: str
    path: str
    urn: str
    type: str
    name: str
    physical_id: str
    state: InventoryState
    error: str
    hourly: tuple[MeterQuantity, ...]
    created_at: datetime
    deleted_at: datetime | None = None
    history: tuple["PastUsage", ...] = ()


@dataclass(frozen=True, slots=True)
class PastUsage:
    """What a resource used per hour until it was changed."""

    until: datetime
    hourly: tuple[MeterQuantity, ...]


class DifferenceKind(StrEnum):
    """What part of a plan differs from another."""

    REVISION = "revision"
    REGION = "region"
    INPUT = "input"
    RESOURCE = "resource"
    PREPARATION = "preparation"
    QUOTA = "quota"
    USAGE = "usage"
    FINDING = "finding"
    PRICE = "price"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two plans differ.

    Attributes:
        subject: the input, resource, quota resource, meter or policy.
        before: in the older plan; None when it was not there.
        after: in the newer plan; None when it is gone.
        message: a sentence for people.
    """

    kind: DifferenceKind
    subject: str
    before: Json
    after: Json
    message: Text

    def document(self) -> dict[str, Json]:
        """Return it as JSON, for an error's details and for surfaces."""
        return {
            "kind": self.kind.value,
            "subject": self.subject,
            "before": self.before,
            "after": self.after,
            "message": dict[str, Json](self.message.as_json()),
        }
