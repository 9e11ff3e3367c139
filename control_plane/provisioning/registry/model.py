"""Revisions side by side, and what a newer one would change of what runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from control_plane.provisioning.compatibility import SchemaChange
from control_plane.provisioning.graph import Change, Op, Preview
from control_plane.provisioning.model import change_from

MOST_DEPLOYMENTS = 2000
"""How many deployments one report looks at; beyond that it says so."""
MOST_SHOWN = 20
"""How many changed resources of one deployment a report keeps."""


class SampleState(StrEnum):
    """How a sample of the newer revision compares with the older one."""

    SAME = "same"
    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SampleDifference:
    """What a sample declares in one revision and not in the other.

    Attributes:
        state: ``added`` when the older revision does not take its inputs, ``failed`` when one of
            the programs does not end well.
        changes: of the resources, those that stay the same left out.
        problem: why they could not be compared.
    """

    name: str
    state: SampleState
    changes: tuple[Change, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two revisions of a blueprint.

    Attributes:
        old: digest; empty when there is no older one.
        changes: of what it takes, gives and needs; breaking ones first.
    """

    blueprint: str
    old: str
    old_version: str
    new: str
    new_version: str
    changes: tuple[SchemaChange, ...]
    samples: tuple[SampleDifference, ...]

    @property
    def breaking(self) -> bool:
        """Whether something that worked may not work any more."""
        return any(change.breaking for change in self.changes)


@dataclass(frozen=True, slots=True)
class User:
    """A deployment that a blueprint runs in.

    Attributes:
        version: of the revision that was applied last.
        owner: what holds it, such as ``instance:ins_…``; empty when it stands alone.
    """

    deployment: str
    name: str
    path: str
    tenancy: str
    region: str
    state: str
    owner: str
    revision: str
    version: str


@dataclass(frozen=True, slots=True)
class ImpactRow:
    """What a newer revision would change of one deployment, by its program alone.

    Attributes:
        version: what it runs now.
        changes: the first of them.
        counts: how many resources are touched, by operation.
        problem: why it could not take the newer revision; empty otherwise.
    """

    deployment: str
    name: str
    path: str
    region: str
    owner: str
    version: str
    counts: Mapping[str, int]
    changes: tuple[Change, ...] = ()
    problem: str = ""

    @property
    def outcome(self) -> str:
        """``problem``, ``replace`` (something is replaced or deleted), ``change`` or ``same``."""
        if self.problem:
            return "problem"
        if self.counts.get("replace") or self.counts.get("delete"):
            return "replace"
        return "change" if self.counts else "same"

    def document(self) -> dict[str, Any]:
        """The JSON that is kept."""
        return {
            "deployment": self.deployment, "name": self.name, "path": self.path,
            "region": self.region, "owner": self.owner, "version": self.version,
            "counts": dict(self.counts), "changes": [c.document() for c in self.changes],
            "problem": self.problem,
        }  # fmt: skip

    @staticmethod
    def read(document: Mapping[str, Any]) -> "ImpactRow":
        """Read it again from what is kept."""
        return ImpactRow(
            **{**document, "changes": tuple(change_from(c) for c in document["changes"])}
        )


@dataclass(frozen=True, slots=True)
class Impact:
    """What a revision would change of everything that runs an older one.

    Attributes:
        id: of the operation that worked it out.
        totals: how many deployments have each outcome.
        truncated: whether there are more deployments than it looked at.
    """

    id: str
    blueprint: str
    revision: str
    version: str
    made_at: datetime
    totals: Mapping[str, int]
    truncated: bool


class ReferenceKind(StrEnum):
    """What of a repository is read."""

    BRANCH = "branch"
    TAG = "tag"
    COMMIT = "commit"


class SyncOutcome(StrEnum):
    """What became of one blueprint of a source."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class SyncResult:
    """One blueprint of a source as the last reading found it.

    Attributes:
        folder: in the repository; ``.`` is its root.
        problems: why it was refused, ``field: message`` each.
    """

    folder: str
    blueprint: str
    version: str
    digest: str
    outcome: SyncOutcome
    problems: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The JSON that is kept."""
        return {
            "folder": self.folder, "blueprint": self.blueprint, "version": self.version,
            "digest": self.digest, "outcome": self.outcome.value,
            "problems": list(self.problems),
        }  # fmt: skip

    @staticmethod
    def read(document: Mapping[str, Any]) -> "SyncResult":
        """Read it again from what is kept."""
        d = document
        return SyncResult(
            d["folder"], d["blueprint"], d["version"], d["digest"], SyncOutcome(d["outcome"]),
            tuple(d["problems"]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """The last reading of a source.

    Attributes:
        commit: empty when it could not be read.
        signer: who signed it, and the fingerprint of the key; empty when nobody known did.
        signed: ``commit`` or ``tag``, whichever signature was checked.
        error: why it could not be read.
    """

    at: datetime
    commit: str = ""
    committed_at: datetime | None = None
    signer: str = ""
    signed: str = ""
    error: str = ""
    results: tuple[SyncResult, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A Git repository whose blueprints are published.

    Attributes:
        kind, reference: what is read of it: a branch or tag by name, or one commit.
        folder: only what is there or below; empty for all.
        user: beside the sealed password; empty for a public repository.
        has_password: whether one is kept (sealed, never shown).
        allowed_signers: lines of ssh-keygen's ``allowed_signers``.
        signed: whether only what one of them signed is published.
        minutes: how often it is read by itself; 0 for never.
    """

    id: str
    slug: str
    url: str
    kind: ReferenceKind
    reference: str
    folder: str
    user: str
    has_password: bool
    allowed_signers: str
    signed: bool
    minutes: int
    created_at: datetime
    created_by: str
    last: Reading | None = None

    def is_due(self, at: datetime) -> bool:
        """Whether it should be read by itself now."""
        if not self.minutes:
            return False
        return self.last is None or at >= self.last.at + timedelta(minutes=self.minutes)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a published revision came from.

    Attributes:
        source: slug, as it was then.
        signed: ``commit`` or ``tag``: whose signature ``signer`` gave; empty for none.
    """

    revision: str
    source: str
    url: str
    commit: str
    signer: str
    signed: str
    at: datetime


def row_of(user: User, changes: tuple[Change, ...]) -> ImpactRow:
    """The row of a deployment that takes the newer revision."""
    effective = [c for c in changes if c.op not in {Op.SAME, Op.READ}]
    counts = Preview(tuple(effective)).counts()
    return ImpactRow(
        user.deployment, user.name, user.path, user.region, user.owner, user.version, counts,
        tuple(map(_brief, effective[:MOST_SHOWN])),
    )  # fmt: skip


def _brief(change: Change) -> Change:
    """What is created has all its properties; their values say nothing about a difference."""
    kept = () if change.op in {Op.CREATE, Op.DELETE} else change.properties
    return Change(change.urn, change.type, change.name, change.op, kept)


def refused_row(user: User, problem: str) -> ImpactRow:
    """The row of a deployment that cannot take the newer revision."""
    return ImpactRow(
        user.deployment, user.name, user.path, user.region, user.owner, user.version, {},
        problem=problem[:2000],
    )  # fmt: skip
