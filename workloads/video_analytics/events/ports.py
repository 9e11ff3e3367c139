"""What events need from outside."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias

from foundation.kernel.actor import Actor
from foundation.kernel.errors import Conflict
from foundation.kernel.paging import Page, PageRequest
from workloads.video_analytics.events.model import (
    Change,
    Entry,
    Event,
    EventFilter,
    EvidenceRef,
    RuleRate,
    Severity,
)
from workloads.video_analytics.vision.model import Point, RuleKind, Signal


class Fenced(Conflict):
    """Another worker holds the shard now: what this one reports is refused."""

    code = "fenced"


@dataclass(frozen=True, slots=True)
class Fence:
    """A worker's right to write for a shard.

    Attributes:
        shard: which, see ``cameras.model.shard_of``.
        token: grows with every change of hands.
    """

    shard: int
    token: int


class Fences(Protocol):
    """Who may write for which shard."""

    def check(self, fence: Fence) -> None:
        """Refuse an old token, and hold the shard's row until the transaction ends.

        Called inside the open transaction: nobody is given a newer token before it has committed.

        Raises:
            Fenced: a newer token is out, or nobody was ever given this one.
        """
        ...

    def current(self, fences: Collection[Fence]) -> set[Fence]:
        """Those that ``check`` would let pass; their shards are held in the same way."""
        ...


class EvidenceFiles(Protocol):
    """Files by the SHA-256 of their content."""

    def put(self, content: bytes | Path, kind: str) -> EvidenceRef:
        """Keep a file; it is on the disk when this returns. The same content is kept once.

        Raises:
            ValueError: not a kind of evidence.
            OSError: the disk is full or broken.
        """
        ...

    def open(self, sha256: str) -> BinaryIO:
        """The content.

        Raises:
            NotFound: it is not there.
        """
        ...

    def remove(self, sha256: str, *, untouched_for: float = 0.0) -> bool:
        """Take a file away.

        Args:
            sha256: which.
            untouched_for: leave it when somebody put it within so many seconds.

        Returns:
            Whether it was there and is gone.
        """
        ...

    def matches(self, sha256: str) -> bool:
        """Whether it is there and its content is what its name says."""
        ...

    def names(self) -> Iterator[str]:
        """All files, in no order."""
        ...

    def forget_drafts(self, older_than_seconds: float) -> int:
        """Take away what a killed process left half written; answers how many."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What events know of a camera.

    Attributes:
        path: of the department that owns it.
        data_class: decides how long its evidence is kept.
        masks: polygons that are never shown.
        latitude, longitude: degrees; None when unknown.
    """

    id: str
    name: str
    path: str
    timezone: str = "Asia/Shanghai"
    data_class: str = "internal"
    groups: tuple[str, ...] = ()
    latitude: float | None = None
    longitude: float | None = None
    masks: tuple[tuple[Point, ...], ...] = ()
    clock_offset_seconds: float | None = None


class CameraBook(Protocol):
    """The cameras, as events and the timeline need them; called in the open transaction."""

    def seen(self, camera_ids: Collection[str]) -> Mapping[str, Seen]:
        """Those of them that exist."""
        ...

    def below(self, paths: Sequence[str]) -> Sequence[Seen]:
        """All cameras of these departments and below, by name."""
        ...


@dataclass(frozen=True, slots=True)
class RuleAbout:
    """What events know of a version of a rule.

    Attributes:
        severity: None: the usual one of its kind.
    """

    kind: RuleKind
    name: str = ""
    severity: Severity | None = None


class RuleBook(Protocol):
    """The rules, as events need them; called in the open transaction."""

    def about(self, rules: Collection[tuple[str, int]]) -> Mapping[tuple[str, int], RuleAbout]:
        """By (rule, version); versions that are not in force any more are there too."""
        ...


#: Hears a signal in the transaction that keeps it: of which camera, by which kind of rule.
Listener: TypeAlias = Callable[[Seen, RuleKind, Signal], None]


class CameraActions(Protocol):
    """What a linked action may do with a camera; speaks to the camera, so in no transaction."""

    def go_to(self, camera_id: str, preset: str) -> None:
        """Turn a camera to a preset (ONVIF PTZ ``GotoPreset``).

        Raises:
            NotFound: there is no such camera or preset.
            Unavailable: it does not answer; trying later may help.
            Conflict: it cannot be turned.
        """
        ...


class Publisher(Protocol):
    """The outbox of the foundation."""

    def publish(self, topic: str, payload: dict[str, object]) -> str:
        """Write a message in the open transaction; answers its id."""
        ...


class Audit(Protocol):
    """Where deeds are written down (``access``)."""

    def record(
        self,
        actor: Actor,
        action: str,
        *,
        path: str,
        subject: str = "",
        details: Mapping[str, object] | None = None,
    ) -> None:
        """Note a deed in the open transaction."""
        ...


@dataclass(frozen=True, slots=True)
class Fact:
    """What a report adds to an event's history."""

    change: Change
    by: str = ""
    data: Mapping[str, object] = field(default_factory=dict)


class EventStore(Protocol):
    """Events, their evidence and their history; inside the open transaction."""

    def add(self, event: Event) -> bool:
        """Keep a new one; False when there is one of the same rule, version, key and beginning."""
        ...

    def get(self, event_id: str, *, lock: bool = False) -> Event | None:
        """One with its evidence."""
        ...

    def of(self, signal: Signal) -> Event | None:
        """The one that a signal is about, locked."""
        ...

    def put(self, event: Event) -> None:
        """Keep what changed; evidence is added by ``attach``."""
        ...

    def attach(self, event_id: str, evidence: EvidenceRef, at: datetime) -> bool:
        """Add evidence; False when it is there."""
        ...

    def detach(self, event_id: str, sha256s: Collection[str]) -> None:
        """Take evidence from an event."""
        ...

    def note(self, event_id: str, fact: Fact, at: datetime) -> None:
        """Add to its history."""
        ...

    def history(self, event_id: str) -> list[Entry]:
        """Its entries in order."""
        ...

    def changes(self, paths: Sequence[str], after: str, limit: int) -> list[Entry]:
        """Entries of all events below these paths after a cursor, in order."""
        ...

    def last_change(self) -> str:
        """The cursor of the latest entry that everybody sees."""
        ...

    def page(self, paths: Sequence[str], wanted: EventFilter, request: PageRequest) -> Page[Event]:
        """Those below one of the paths, the latest beginning first."""
        ...

    def rates(self, paths: Sequence[str], since: datetime) -> list[RuleRate]:
        """By rule and version, of events that began since then."""
        ...

    def owner_of(self, sha256: str) -> list[Event]:
        """The events that a file is evidence of."""
        ...
