"""What a blueprint's program says, what an engine would do about it, and what it did.

These are the values that cross the :class:`~control_plane.provisioning.ports.Engine` port. They
hold plain JSON only, so that a plan can be stored, digested and shown without an engine.

Two markers stand where a plain value may not or cannot be shown:

* ``{"$secret": "<digest>"}``: a secret. The digest is keyed (HMAC with a key of the platform), so
  that a changed secret changes the plan's digest while nobody can guess the secret from it. A
  secret whose value only the cloud will know is ``{"$secret": "unknown"}``.
* ``{"$unknown": true}``: a value that only the cloud will know, after it made the resource.

Everything is in a stable order and free of times, so that the same program with the same inputs
against the same state gives the same canonical JSON.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias, Union

# A Union and not a text, so that it can be used in other unions while the program runs.
Json: TypeAlias = Union[dict[str, "Json"], list["Json"], str, int, float, bool, None]  # noqa: UP007

UNKNOWN: dict[str, Json] = {"$unknown": True}
"""The marker of a value that only the cloud will know."""

STACK_TYPE = "pulumi:pulumi:Stack"
"""Type of the root that Pulumi gives every stack; never part of a graph or a preview."""


def secret_marker(digest: str) -> dict[str, Json]:
    """Return the marker that stands for a secret with this keyed digest."""
    return {"$secret": digest}


def is_unknown(value: object) -> bool:
    """Tell whether a value is the marker of something only the cloud will know."""
    return isinstance(value, Mapping) and value.get("$unknown") is True and len(value) == 1


def is_secret(value: object) -> bool:
    """Tell whether a value is the marker of a secret."""
    return isinstance(value, Mapping) and "$secret" in value and len(value) == 1


class Op(StrEnum):
    """What happens to a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    SAME = "same"
    READ = "read"


class ResourceState(StrEnum):
    """How an operation left a resource.

    ``UNKNOWN`` means that the engine cannot say whether the object exists: the operation was cut
    off between the order and its confirmation. A later :meth:`Engine.recover` resolves it.
    """

    CREATED = "created"
    UPDATED = "updated"
    REPLACED = "replaced"
    DELETED = "deleted"
    SAME = "same"
    FAILED = "failed"
    UNKNOWN = "unknown"


class ApplyState(StrEnum):
    """How an operation on a whole stack ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ResourceNode:
    """One resource that a program declares.

    Attributes:
        urn: The engine's name of it, stable over the life of the deployment.
        logical_name: The name in the program.
        type: Pulumi type token, for example ``openstack:compute/instance:Instance``.
        inputs: What the program asked for, with markers for secrets and unknowns. Names are
            Pulumi's own (camelCase).
        depends_on: URNs of the resources that come before it, sorted.
        parent: URN of the component it belongs to, or None directly under the stack.
        provider: Type of its provider (``pulumi:providers:openstack``); empty for components.
        custom: True for a real resource, False for a component that only groups.
    """

    urn: str
    logical_name: str
    type: str
    inputs: Mapping[str, Json]
    depends_on: tuple[str, ...] = ()
    parent: str | None = None
    provider: str = ""
    custom: bool = True

    @property
    def kind(self) -> str:
        """The family of the provider: ``openstack``, ``kubernetes``, or another package's name.

        A provider itself belongs to the family it serves.
        """
        package, _, rest = self.type.partition(":")
        if package == "pulumi" and rest.startswith("providers:"):
            return rest.removeprefix("providers:")
        return package

    @property
    def is_provider(self) -> bool:
        """True when this is the connection to a cloud rather than something in it."""
        return self.type.startswith("pulumi:providers:")


@dataclass(frozen=True, slots=True)
class Graph:
    """All resources of a program, ordered by URN, and what it exports."""

    nodes: tuple[ResourceNode, ...]
    outputs: Mapping[str, Json] = field(default_factory=dict)

    @property
    def resources(self) -> tuple[ResourceNode, ...]:
        """The nodes that stand for things in a cloud: neither components nor providers."""
        return tuple(n for n in self.nodes if n.custom and not n.is_provider)


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """One property that differs.

    Attributes:
        path: Dotted path from the resource's inputs, ``networks[0].uuid``.
        before: Value in the state, or None when it was not set.
        after: Value that the program asks for, or None when it is removed.
        forces_replacement: True when this property cannot change in place.
    """

    path: str
    before: Json
    after: Json
    forces_replacement: bool = False

    def document(self) -> dict[str, Json]:
        """Return the JSON that a plan digests."""
        return {
            "path": self.path,
            "before": self.before,
            "after": self.after,
            "forces_replacement": self.forces_replacement,
        }


@dataclass(frozen=True, slots=True)
class Change:
    """What would happen to one resource; ``properties`` are ordered by path."""

    urn: str
    type: str
    name: str
    op: Op
    properties: tuple[PropertyChange, ...] = ()

    def document(self) -> dict[str, Json]:
        """Return the JSON that a plan digests."""
        return {
            "urn": self.urn,
            "type": self.type,
            "name": self.name,
            "op": self.op.value,
            "properties": [p.document() for p in self.properties],
        }


def fits(approved: Json, fresh: Json) -> bool:
    """Tell whether a fresh value is what was approved, given that unknowns become known."""
    if is_unknown(approved) or approved == {"$secret": "unknown"}:
        return True
    if isinstance(approved, dict) and isinstance(fresh, dict):
        return approved.keys() == fresh.keys() and all(
            fits(v, fresh[k]) for k, v in approved.items()
        )
    if isinstance(approved, list) and isinstance(fresh, list):
        return len(approved) == len(fresh) and all(map(fits, approved, fresh))
    return approved == fresh


def _covers(approved: Change | None, fresh: Change) -> bool:
    """Tell whether one approval allows one fresh change of the same resource."""
    if approved is None or approved.type != fresh.type:
        return False
    allowed = {
        Op.CREATE: {Op.CREATE, Op.UPDATE, Op.REPLACE},
        Op.REPLACE: {Op.CREATE, Op.REPLACE, Op.UPDATE},
        Op.UPDATE: {Op.UPDATE},
        Op.DELETE: {Op.DELETE},
    }.get(approved.op, {approved.op})
    if fresh.op not in allowed:
        return False
    if fresh.op is Op.DELETE:
        return True
    wanted = {p.path: p.after for p in approved.properties}
    return all(p.path in wanted and fits(wanted[p.path], p.after) for p in fresh.properties)


@dataclass(frozen=True, slots=True)
class Preview:
    """What an apply would do: one change per resource, ordered by URN.

    Resources that stay the same are listed too (``Op.SAME``, no properties), so that a plan
    shows the whole deployment.
    """

    changes: tuple[Change, ...]
    outputs: Mapping[str, Json] = field(default_factory=dict)

    @property
    def effective(self) -> tuple[Change, ...]:
        """The changes that do something."""
        return tuple(c for c in self.changes if c.op not in {Op.SAME, Op.READ})

    def counts(self) -> dict[str, int]:
        """Return how many resources each operation touches, without the zeroes."""
        found = [c.op.value for c in self.changes]
        return {op.value: found.count(op.value) for op in Op if op.value in found}

    def document(self) -> dict[str, Json]:
        """Return the JSON that a plan digests: the effective changes and the outputs."""
        return {
            "changes": [c.document() for c in self.effective],
            "outputs": dict(self.outputs),
        }

    def beyond(self, approved: "Preview") -> tuple[Change, ...]:
        """Return the changes of this preview that an approved one does not cover.

        For an operation that is taken up again after it was cut off: part of what was approved is
        done, so the previews differ, but nothing may be done that nobody approved. What was
        unknown when it was approved may by now be known. A create that was cut off half way may
        come back as an update or a replacement of what it left behind.
        """
        by_urn = {c.urn: c for c in approved.changes}
        return tuple(c for c in self.effective if not _covers(by_urn.get(c.urn), c))


@dataclass(frozen=True, slots=True)
class ResourceOutcome:
    """How an operation left one resource.

    Attributes:
        urn: The engine's name of it.
        type: Pulumi type token.
        name: Logical name in the program.
        state: How it was left.
        physical_id: The cloud's own id; empty when there is none (any more).
        error: What the cloud said, for ``FAILED``; without secrets.
        outputs: What the cloud reports of it, secrets as markers.
        depends_on: URNs it depends on, sorted.
    """

    urn: str
    type: str
    name: str
    state: ResourceState
    physical_id: str = ""
    error: str = ""
    outputs: Mapping[str, Json] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """How an apply or a destroy ended.

    Attributes:
        state: Succeeded, failed, or cancelled (stopped after the running steps).
        outcomes: Every resource of the stack, ordered by URN, those that stay the same included;
            after a failure this says what is left.
        outputs: Exported values that are not secret.
        secret_outputs: Exported secrets **in clear**: the caller seals them at once and never
            logs them. Their names do not occur in ``outputs``.
        error: Why it did not succeed, in words for people; empty on success.
    """

    state: ApplyState
    outcomes: tuple[ResourceOutcome, ...]
    outputs: Mapping[str, Json] = field(default_factory=dict)
    secret_outputs: Mapping[str, Json] = field(default_factory=dict, repr=False)
    error: str = ""

    @property
    def failed(self) -> tuple[ResourceOutcome, ...]:
        """The resources that are not as they were ordered."""
        bad = {ResourceState.FAILED, ResourceState.UNKNOWN}
        return tuple(o for o in self.outcomes if o.state in bad)


class DriftKind(StrEnum):
    """In what way reality differs from the state."""

    CHANGED = "changed"
    MISSING = "missing"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Beside:
    """An object that lies in something of the stack, and that the stack did not make.

    Attributes:
        id: the cloud's.
        found: what it is, for who reads it; nothing that moves by itself.
        deployment: whose it is by its own marks; empty when it carries none.
    """

    id: str
    found: Mapping[str, Json]
    deployment: str = ""


@dataclass(frozen=True, slots=True)
class DriftFinding:
    """A resource that somebody changed, removed or added behind the platform's back.

    Attributes:
        urn: the resource's; of what was added, that of what it lies in, ``#`` and its id.
        type: Pulumi type token.
        name: the resource's in the blueprint; of what was added, that of what it lies in.
        properties: with the recorded value as ``before`` and reality as ``after``.
        beside: what was added; only with that kind.
    """

    urn: str
    type: str
    name: str
    kind: DriftKind
    properties: tuple[PropertyChange, ...] = ()
    beside: Beside | None = None

    @staticmethod
    def added(urn: str, type_: str, name: str, beside: Beside) -> "DriftFinding":
        """The finding of what was added to the resource of this URN and name."""
        return DriftFinding(f"{urn}#{beside.id}", type_, name, DriftKind.ADDED, beside=beside)


class EventKind(StrEnum):
    """What a live event of a running operation is about."""

    PHASE = "phase"
    RESOURCE = "resource"
    LOG = "log"


class Progress(StrEnum):
    """Where a resource's step is."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """Live progress of an operation; the receiver gives it its time.

    Attributes:
        kind: ``phase`` (message is evaluate, preview, apply, refresh, destroy or recover),
            ``resource`` (a step of one resource) or ``log`` (something the program or the engine
            said; secrets masked, length bounded).
        message: Words for people; for a failed resource what the cloud said.
        urn, type, name, op, progress: Only of ``resource`` events.
    """

    kind: EventKind
    message: str = ""
    urn: str = ""
    type: str = ""
    name: str = ""
    op: Op | None = None
    progress: Progress | None = None


def by_urn(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return changes in the stable order that previews keep."""
    return tuple(sorted(changes, key=lambda c: c.urn))
