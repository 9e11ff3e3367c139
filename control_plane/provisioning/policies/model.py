"""Policies, packs and waivers: values and their rules."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, NewType

from control_plane.provisioning.graph import Graph, Json
from control_plane.provisioning.model import Exemption, Finding, Severity
from foundation.kernel.money import Money
from foundation.kernel.text import Text

WaiverId = NewType("WaiverId", str)

LONGEST = timedelta(days=366)
"""How long a waiver may hold at most; a longer need is a case for another pack."""

Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose deployment is judged; every part is empty where it is not known yet.

    Attributes:
        deployment: id.
        tenancy: id.
        path: of the tenancy's organisation.
        data_class: of the tenancy.
    """

    deployment: str = ""
    tenancy: str = ""
    path: str = ""
    data_class: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What policies of a graph look at.

    Attributes:
        graph: the resources that the program declares.
        holder: whose they are; its data class is empty for a blueprint's samples.
        facts: what the region says of itself, as ``RegionAccess.config``.
        region_data_classes: what may be kept in the region; empty for samples.
        blueprint_data_classes: what the blueprint may carry.
    """

    graph: Graph
    holder: Holder
    facts: Mapping[str, Json]
    region_data_classes: frozenset[str]
    blueprint_data_classes: frozenset[str]

    @property
    def data_class(self) -> str:
        """The class of the data that the deployment carries."""
        return self.holder.data_class

    def facts_of(self, kind: str) -> Mapping[str, Any]:
        """The facts of one kind of region."""
        found = self.facts.get(kind)
        return found if isinstance(found, Mapping) else {}


@dataclass(frozen=True, slots=True)
class Priced:
    """What policies of a price look at.

    Attributes:
        month: what the whole service costs in a month.
    """

    holder: Holder
    month: Money


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that a policy found, before a pack says how it weighs.

    Attributes:
        subject: name of the resource; empty for the whole.
    """

    subject: str
    message: Text


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy that packs can switch on.

    Attributes:
        id: stable name, ``<family>.<what>``.
        title: in a few words.
        meaning: what it asks for and why, in a sentence or two.
        settings: JSON Schema of an object; every property has a default.
        graph: looks at a program's resources; None for a policy of prices.
        price: looks at what it costs; None for a policy of resources.
    """

    id: str
    title: Text
    meaning: Text
    settings: Mapping[str, Any]
    graph: Callable[[Subject, Settings], Iterator[Issue]] | None = None
    price: Callable[[Priced, Settings], Iterator[Issue]] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A policy as a pack has it.

    Attributes:
        settings: complete, defaults filled in.
    """

    policy: str
    severity: Severity
    settings: Settings


@dataclass(frozen=True, slots=True)
class Condition:
    """One test of a resource's inputs; ``policies/rules.py`` says what each operator means.

    Attributes:
        path: steps from the inputs; ``*`` goes through all members.
    """

    path: tuple[str, ...]
    op: str
    value: Json


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy of a city's own, as data.

    Attributes:
        id: ``rule.<pack>.<name>``.
        type: pattern of the resource types that it is about.
        when: all must hold for a resource to be looked at.
        require: all must hold, or the resource is a finding.
    """

    id: str
    title: Text
    message: Text
    severity: Severity
    type: str
    when: tuple[Condition, ...]
    require: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Pack:
    """A named, versioned set of policies with their weights and settings.

    Attributes:
        version: counts up; another content is another version.
        paths: the parts of the city that it is for; empty for all.
        data_classes: the classes of data that it is for; empty for all.
        enabled: whether plans are held to it.
        bundled: whether it comes with the platform as it is.
        document: what was published.
        published_at: None for a bundled one.
        published_by: who; empty for a bundled one.
    """

    name: str
    version: int
    title: Text
    description: Text
    paths: tuple[str, ...]
    data_classes: tuple[str, ...]
    entries: tuple[Entry, ...]
    rules: tuple[Rule, ...]
    document: Mapping[str, Any]
    enabled: bool = True
    bundled: bool = False
    published_at: datetime | None = None
    published_by: str = ""

    def concerns(self, holder: Holder) -> bool:
        """Whether it is for a deployment of that tenancy."""
        here = not self.paths or any(holder.path.startswith(path) for path in self.paths)
        return here and (not self.data_classes or holder.data_class in self.data_classes)

    def severity_of(self, policy: str) -> Severity | None:
        """How it weighs a policy; None when it does not have it."""
        weights = {e.policy: e.severity for e in self.entries}
        weights |= {r.id: r.severity for r in self.rules}
        return weights.get(policy)

    def settings_of(self, policy: str) -> Settings:
        """The settings that it gives a policy; empty for a rule."""
        return next((e.settings for e in self.entries if e.policy == policy), {})


class WaiverState(StrEnum):
    """Whether a waiver holds."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class SubjectKind(StrEnum):
    """What a waiver is for."""

    DEPLOYMENT = "deployment"
    TENANCY = "tenancy"
    PATH = "path"


@dataclass(frozen=True, slots=True)
class Waiver:
    """A policy's finding that may pass until a day, and who answers for that.

    Attributes:
        policy: which.
        kind: what ``subject`` is.
        subject: id of the deployment or the tenancy, or a path with all below it.
        path: of the organisation that it belongs to.
        resource: pattern of the names of resources; ``*`` for all.
        owner: the principal who answers for it.
        ends_at: from when on it does not hold; always set.
    """

    id: WaiverId
    policy: str
    kind: SubjectKind
    subject: str
    path: str
    resource: str
    owner: str
    owner_name: str
    reason: str
    ends_at: datetime
    granted_at: datetime
    granted_by: str
    granted_by_name: str
    revoked_at: datetime | None = None
    revoked_by: str = ""
    revoked_by_name: str = ""
    revoked_because: str = ""

    def state(self, at: datetime) -> WaiverState:
        """Whether it holds at a time."""
        if self.revoked_at is not None and self.revoked_at <= at:
            return WaiverState.REVOKED
        return WaiverState.ACTIVE if at < self.ends_at else WaiverState.EXPIRED

    def covers(self, finding: Finding) -> bool:
        """Whether a finding of what it is for is the one that it lets pass."""
        named = fnmatchcase(finding.subject, self.resource)
        return finding.policy == self.policy and named

    def exemption(self) -> Exemption:
        """How a finding shows it."""
        return Exemption(self.id, self.owner, self.owner_name, self.reason, self.ends_at)


@dataclass(frozen=True, slots=True)
class Use:
    """A policy with how the packs weigh it.

    Attributes:
        packs: the newest version of every pack that has it.
    """

    id: str
    title: Text
    meaning: Text
    rule: bool
    settings: Mapping[str, Any]
    packs: tuple[Pack, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class WaiverRequest:
    """What somebody asks to have waived.

    Attributes:
        deployment, tenancy, path: for what; exactly one of the three, ids or slugs.
        resource: pattern of names of resources.
        owner: id or login of who answers for it.
    """

    policy: str
    owner: str
    reason: str
    ends_at: datetime
    deployment: str = ""
    tenancy: str = ""
    path: str = ""
    resource: str = "*"
