"""What somebody changed behind the platform's back: findings, their states, and their rules."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from control_plane.provisioning import paths
from control_plane.provisioning.graph import (
    Change,
    DriftFinding,
    DriftKind,
    Json,
    Op,
    Preview,
    is_secret,
    is_unknown,
    secret_marker,
)
from control_plane.provisioning.usage_map import FLOATING_IP, LOAD_BALANCER, SERVER, VOLUME

LONGEST_IGNORED_DAYS = 366
RULE = "openstack:networking/secGroupRule:SecGroupRule"
_LONGEST_VALUE = 2000


class FindingState(StrEnum):
    """What was decided about a finding.

    ``OPEN`` waits for a decision. ``IGNORED`` is open again after its date. ``ADOPTED`` is wanted
    now: through an input, or as an accepted deviation, which stands as long as it is there.
    ``REPAIRED`` was brought back by the platform, ``GONE`` went back by itself.
    """

    OPEN = "open"
    IGNORED = "ignored"
    ADOPTED = "adopted"
    REPAIRED = "repaired"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Turn:
    """A change of a finding's state."""

    at: datetime
    state: FindingState
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One property that differs from what was applied, a resource that is not there, or one more.

    Attributes:
        path: of the organisation whose tenancy it is.
        urn: the resource's; of what was added, that of what it lies in, ``#`` and its id.
        name: the resource's, in the blueprint; of what was added, that of what it lies in.
        attribute: dotted path in the resource; empty when the resource is missing; the cloud's id
            of what was added.
        wanted: what was applied; secrets as markers.
        found: what the region has; secrets as markers.
        input: the input that took it over when it was adopted; empty otherwise.
        ignored_until: until when nobody is bothered with it.
        reason: why it was decided so.
        by: who decided; empty while nobody has.
        operation: the operation that repaired or adopted it.
        first_seen: when a look found it first.
        last_seen: when a look found it last.
        closed_at: since when it does not stand any more.
        history: its states, the oldest first.
    """

    id: str
    deployment_id: str
    region_id: str
    tenancy_id: str
    path: str
    urn: str
    type: str
    name: str
    kind: DriftKind
    attribute: str
    wanted: Json
    found: Json
    state: FindingState
    first_seen: datetime
    last_seen: datetime
    input: str = ""
    ignored_until: datetime | None = None
    reason: str = ""
    by: str = ""
    operation: str = ""
    closed_at: datetime | None = None
    history: tuple[Turn, ...] = ()

    @property
    def added(self) -> bool:
        """Whether it is something that was added to what was applied."""
        return self.kind is DriftKind.ADDED

    @property
    def removable(self) -> bool:
        """Whether it was added to what is the deployment's alone, so that a repair may remove it.

        A security group is; a project is also the department's own place.
        """
        return self.added and self.type == RULE

    @property
    def deviation(self) -> bool:
        """Whether it is accepted although no input says so: the region may stay different."""
        return self.state is FindingState.ADOPTED and self.closed_at is None

    def turned(
        self,
        state: FindingState,
        *,
        at: datetime,
        by: str,
        reason: str = "",
        closes: bool = False,
        ignored_until: datetime | None = None,
        input: str = "",  # noqa: A002 - the field's name
        operation: str = "",
    ) -> "Finding":
        """It with another state, noted in its history."""
        return replace(
            self,
            state=state,
            by=by,
            reason=reason,
            ignored_until=ignored_until,
            input=input,
            operation=operation or self.operation,
            closed_at=at if closes else None,
            history=(*self.history, Turn(at, state, by, reason)),
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look found: one property of a resource, that it is missing, or that it was added."""

    urn: str
    type: str
    name: str
    kind: DriftKind
    attribute: str
    wanted: Json
    found: Json


class LookOutcome(StrEnum):
    """How a look at a deployment ended.

    ``UNSEEN``: the region could not be looked at. ``BUSY``: something works on the deployment.
    """

    CLEAN = "clean"
    DRIFTED = "drifted"
    UNSEEN = "unseen"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Watched:
    """How a deployment stands with looks.

    Attributes:
        next_at: when it is looked at next.
        checked_at: when it was last seen; None before.
        attempted_at: when it was last tried.
        outcome: how the last try ended; None before.
        error: why it could not be looked at.
        looking: a look has begun and not ended.
    """

    deployment_id: str
    region_id: str
    next_at: datetime
    checked_at: datetime | None = None
    attempted_at: datetime | None = None
    outcome: LookOutcome | None = None
    error: str = ""
    looking: bool = False


@dataclass(frozen=True, slots=True)
class RegionSight:
    """Whether a region can be looked at.

    Attributes:
        failures: looks that failed one after another.
        unseen_since: since when it could not be looked at; None when it can.
        retry_at: nobody asks it before then.
    """

    region_id: str
    failures: int = 0
    unseen_since: datetime | None = None
    retry_at: datetime | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class RegionSummary:
    """What is known of the drift in one region, as far as the asker may see.

    Attributes:
        counts: standing findings by state, then by kind.
        watched: deployments that are looked at.
        never: of these, those that no look has reached yet.
        unseen: of these, those whose last look failed.
        oldest: the oldest of their last looks.
    """

    region_id: str
    counts: Mapping[str, Mapping[str, int]]
    watched: int
    never: int
    unseen: int
    oldest: datetime | None
    sight: RegionSight


# What is no drift, and what nobody may read ---------------------------------------------------

_KUBERNETES_NOISE = re.compile(
    r"status(\.|$)|metadata\.(managedFields|resourceVersion|generation|uid|creationTimestamp|"
    r"annotations\.(deployment\.kubernetes\.io/|kubectl\.kubernetes\.io/last-applied|"
    r"control-plane\.alpha\.kubernetes\.io/|pv\.kubernetes\.io/))"
)
_OPENSTACK_NOISE = re.compile(r"(powerState|updatedAt|createdAt|allMetadata|allTags)(\W|$)")
_SECRET = re.compile(
    r"pass(word|wd|phrase)|pass(?![a-z])|secret|token|credential|private_?key|kubeconfig|user_?data",
    re.IGNORECASE,
)


def is_noise(type_: str, path: str) -> bool:
    """Whether a property moves by itself and is nobody's deed."""
    plain = paths.plain(path)
    if plain.startswith("__"):
        return True
    if type_.startswith("kubernetes:"):
        return bool(_KUBERNETES_NOISE.match(plain))
    return type_.startswith("openstack:") and bool(_OPENSTACK_NOISE.match(plain))


def masked(type_: str, path: str, value: Json, mark: Callable[[Json], str]) -> Json:
    """A property's value as it may be kept and shown.

    Args:
        type_: of the resource.
        path: of the property.
        value: as the engine says it.
        mark: a keyed digest, so that another secret is seen to be another.
    """
    if value is None or is_secret(value):
        return value
    hidden = type_.endswith(":Secret") and paths.plain(path).startswith(("data", "stringData"))
    if hidden or _SECRET.search(path):
        return secret_marker(mark(value))
    if isinstance(value, dict):
        return {name: masked(type_, f"{path}.{name}", v, mark) for name, v in value.items()}
    if isinstance(value, list):
        return [masked(type_, path, item, mark) for item in value]
    if isinstance(value, str) and len(value) > _LONGEST_VALUE:
        return value[:_LONGEST_VALUE] + "…"
    return value


def seen(found: Iterable[DriftFinding], mark: Callable[[Json], str]) -> tuple[Seen, ...]:
    """An engine's findings by property, without what is no drift, secrets masked."""
    each: list[Seen] = []
    for one in found:
        if one.kind is DriftKind.MISSING:
            each.append(Seen(one.urn, one.type, one.name, one.kind, "", None, None))
            continue
        if one.beside is not None:
            there = masked(one.type, "", dict(one.beside.found), mark)
            each.append(Seen(one.urn, one.type, one.name, one.kind, one.beside.id, None, there))
            continue
        each += [
            Seen(
                one.urn, one.type, one.name, one.kind, p.path,
                masked(one.type, p.path, p.before, mark), masked(one.type, p.path, p.after, mark),
            )
            for p in one.properties
            if not is_noise(one.type, p.path)
        ]  # fmt: skip
    return tuple(each)


# What a look means for what stands ------------------------------------------------------------

PLATFORM = "platform"


def after_look(
    standing: Iterable[Finding],
    looked: Iterable[Seen],
    at: datetime,
    make: Callable[[Seen], Finding],
) -> list[Finding]:
    """The findings as they are after a look: those that stood before, and new ones.

    Args:
        standing: those that stand, with any state.
        looked: what the look found.
        at: when.
        make: a new finding of what was found.
    """
    there = {(s.urn, s.attribute): s for s in looked}
    result = []
    for old in standing:
        new = there.get((old.urn, old.attribute))
        if new is None or new.kind is not old.kind:
            result.append(
                old.turned(FindingState.GONE, at=at, by=PLATFORM, closes=True, reason=old.reason)
            )
            continue
        if new.found != old.found and old.state is not FindingState.OPEN:
            # What was ignored or accepted is not what is there now.
            why = "it was changed again"
            result.append(
                old.turned(FindingState.GONE, at=at, by=PLATFORM, closes=True, reason=why)
            )
            continue
        del there[old.urn, old.attribute]
        result.append(reopened(replace(old, wanted=new.wanted, found=new.found, last_seen=at), at))
    return [*result, *(make(new) for new in there.values())]


def reopened(finding: Finding, at: datetime) -> Finding:
    """It, open again when it was ignored until now."""
    until = finding.ignored_until
    if finding.state is not FindingState.IGNORED or until is None or until > at:
        return finding
    return finding.turned(FindingState.OPEN, at=at, by=PLATFORM, reason="it was ignored until now")


# What a repair may do --------------------------------------------------------------------------

#: What would be lost with a resource that is replaced: data, an address, or all that is in it.
KEEPING = frozenset(
    {
        SERVER,
        VOLUME,
        FLOATING_IP,
        LOAD_BALANCER,
        "openstack:blockstorage/volumeV3:VolumeV3",
        "openstack:identity/project:Project",
        "openstack:identity/user:User",
        "openstack:networking/network:Network",
        "openstack:networking/subnet:Subnet",
        "openstack:networking/port:Port",
        "openstack:objectstorage/container:Container",
        "kubernetes:apps/v1:StatefulSet",
        "kubernetes:core/v1:Namespace",
        "kubernetes:core/v1:PersistentVolumeClaim",
        "kubernetes:core/v1:PersistentVolume",
    }
)


def beyond_repair(fresh: Preview, drifted: Mapping[str, DriftKind]) -> tuple[Change, ...]:
    """What of a preview would do more than bring back what was applied.

    A missing resource may be made, a changed one changed back, and what hangs on one that is made
    anew may follow it. What keeps data or an address is never replaced, and nothing is deleted.
    """
    return tuple(c for c in fresh.effective if not _brings_back(c, drifted))


def _brings_back(change: Change, drifted: Mapping[str, DriftKind]) -> bool:
    if change.type.startswith("pulumi:"):
        return True
    if change.op is Op.CREATE:
        return drifted.get(change.urn) is DriftKind.MISSING
    if change.op is Op.DELETE or (change.op is Op.REPLACE and change.type in KEEPING):
        return False
    follows = bool(change.properties) and all(_has_unknown(p.after) for p in change.properties)
    return change.urn in drifted or follows


def _has_unknown(value: Json) -> bool:
    if is_unknown(value):
        return True
    if isinstance(value, dict):
        return any(map(_has_unknown, value.values()))
    return isinstance(value, list) and any(map(_has_unknown, value))
