"""What rules need of the outside."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from foundation.kernel.actor import Actor
from foundation.kernel.paging import Page, PageRequest
from workloads.video_analytics.rules.model import Permit, Rule
from workloads.video_analytics.vision.model import RuleKind
from workloads.video_analytics.watchlists.model import WatchList


@dataclass(frozen=True, slots=True)
class RuleQuery:
    """Which rules are wanted; None wants all."""

    camera_id: str | None = None
    kind: RuleKind | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class PermitQuery:
    """Which permits are wanted; None wants all.

    Attributes:
        since, until: those that cover a day of these, both included.
    """

    rule_id: str | None = None
    since: date | None = None
    until: date | None = None


class RuleStore(Protocol):
    """Keeps rules in versions, and permits."""

    def add(self, rule: Rule) -> None:
        """Keep a new rule and its first version."""
        ...

    def find(self, rule_id: str, *, locked: bool = False) -> Rule | None:
        """The newest version of one that is not removed."""
        ...

    def list(self, paths: Sequence[str], query: RuleQuery, request: PageRequest) -> Page[Rule]:
        """Those of cameras at or below any of the paths, by id."""
        ...

    def count(self, camera_id: str) -> int:
        """How many a camera has."""
        ...

    def of_cameras(self, camera_ids: Collection[str]) -> Sequence[Rule]:
        """The enabled ones of cameras, by id."""
        ...

    def known(self, rule_ids: Collection[str]) -> Sequence[Rule]:
        """The newest versions of these, of removed ones too."""
        ...

    def add_version(self, rule: Rule) -> None:
        """Keep a newer version."""
        ...

    def enable(self, rule_id: str, *, enabled: bool) -> None:
        """Switch it on or off."""
        ...

    def remove(self, rule_id: str, now: datetime) -> None:
        """Take it away; its versions stay."""
        ...

    def versions(self, rule_id: str) -> Sequence[Rule]:
        """All of one, removed or not, the newest first."""
        ...

    def add_permit(self, permit: Permit) -> bool:
        """Keep a permit; False when its rule has one of that number."""
        ...

    def permit(self, permit_id: str, *, locked: bool = False) -> Permit | None:
        """One permit."""
        ...

    def permits(
        self, paths: Sequence[str], query: PermitQuery, request: PageRequest
    ) -> Page[Permit]:
        """Those of cameras at or below any of the paths, the newest first."""
        ...

    def permits_of(self, rule_ids: Collection[str], since: date) -> Sequence[Permit]:
        """Those of rules that are not over on a day."""
        ...

    def revoke(self, permit_id: str, now: datetime) -> None:
        """Let it count no more."""
        ...


class Audit(Protocol):
    """Where every change is written down, in the transaction that makes it."""

    def record(
        self, actor: Actor, action: str, *, subject: str, path: str, details: Mapping[str, Any]
    ) -> None: ...


class Models(Protocol):
    """Which models are there."""

    def present(self, name: str) -> bool:
        """Whether the model of this purpose (``classes``, ``faces``, ``plates``) is installed."""
        ...


class Lists(Protocol):
    """The watch lists (``watchlists.service.Watchlists``)."""

    def known(self, list_ids: Collection[str]) -> Mapping[str, WatchList]: ...
