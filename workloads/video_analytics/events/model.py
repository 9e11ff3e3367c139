"""Events: what a rule noticed, from its first to its last frame, and what people made of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from foundation.kernel.errors import Collector
from workloads.video_analytics.vision.model import Box, Phase, RuleKind, Signal

EventId = NewType("EventId", str)

#: The kinds of evidence, as media types (RFC 6838): a picture, and a clip of the seconds around it.
JPEG = "image/jpeg"
CLIP = "video/mp4"
#: What exports are kept as.
ARCHIVE = "application/zip"
KINDS = frozenset({JPEG, CLIP, ARCHIVE})

NOTE_MAX = 2000
_ORDER = {Phase.CANDIDATE: 0, Phase.ACTIVE: 1, Phase.UPDATED: 2, Phase.ENDED: 3}


class Severity(StrEnum):
    """How grave an event is (the perceived severities of ITU-T X.733), the gravest first."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    WARNING = "warning"


#: How grave an event of a kind is when its rule does not say.
USUAL = {
    RuleKind.OBJECT_ABANDONED: Severity.CRITICAL,
    RuleKind.FACE: Severity.MAJOR,
    RuleKind.OBJECT_REMOVED: Severity.MAJOR,
    RuleKind.TAMPERING: Severity.MAJOR,
    RuleKind.CROWD: Severity.MAJOR,
    RuleKind.CONSTRUCTION: Severity.MINOR,
    RuleKind.FIELD_ENTRY: Severity.MINOR,
    RuleKind.FIELD_PRESENCE: Severity.MINOR,
    RuleKind.LOITERING: Severity.MINOR,
    RuleKind.VEGETATION: Severity.MINOR,
}


def severity_of(kind: RuleKind) -> Severity:
    """How grave an event of this kind is when its rule does not say."""
    return USUAL.get(kind, Severity.WARNING)


class EventState(StrEnum):
    """Where an event is. Candidates are not kept, so there is no state for them."""

    ACTIVE = "active"
    UPDATED = "updated"
    ENDED = "ended"


class Verdict(StrEnum):
    """What people found an event to be."""

    TRUE = "true"
    FALSE_ALARM = "false_alarm"


class Change(StrEnum):
    """What may happen to an event; each is one entry of its history."""

    ACTIVE = "active"
    ENDED = "ended"
    EVIDENCE = "evidence"
    ACKNOWLEDGED = "acknowledged"
    JUDGED = "judged"
    LINKED = "linked"
    HELD = "held"
    RELEASED = "released"
    EXPORTED = "exported"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class EvidenceRef:
    """A file of the evidence store.

    Attributes:
        sha256: 64 hexadecimal digits of its content; its name.
        size: bytes.
        kind: one of ``KINDS``.
    """

    sha256: str
    size: int
    kind: str


@dataclass(frozen=True, slots=True)
class Reported:
    """A signal with the picture of its frame, which is on the disk already."""

    signal: Signal
    picture: EvidenceRef | None = None


@dataclass(frozen=True, slots=True)
class EventRef:
    """What became of a reported signal.

    Attributes:
        id: the event's; the same however often the signal is reported.
        made: whether this report made it.
        state: of the event now.
    """

    id: EventId
    rule: str
    key: str
    began: datetime
    made: bool
    state: EventState


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody said of an event, and when."""

    by: str
    name: str
    at: datetime
    text: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold: nothing of it is erased until it is released."""

    by: str
    name: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Event:
    """An event: one row, however often it is reported.

    Attributes:
        rule, version, key, began: identify it.
        camera_id: that saw it; ``path`` is the department that owned the camera then.
        at: the time of the latest frame of it, by the camera's stream.
        clock_offset_seconds: the camera's clock minus ours when it was reported; None if unknown.
        revision: counts the reports that changed it.
    """

    id: EventId
    rule: str
    version: int
    key: str
    began: datetime
    camera_id: str
    camera: str
    path: str
    kind: RuleKind
    rule_name: str
    severity: Severity
    state: EventState
    at: datetime
    ended_at: datetime | None = None
    box: Box | None = None
    score: float | None = None
    track: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    clock_offset_seconds: float | None = None
    received_at: datetime | None = None
    revision: int = 1
    acknowledged: Note | None = None
    verdict: Verdict | None = None
    judged: Note | None = None
    hold: Hold | None = None
    erased_at: datetime | None = None
    evidence: tuple[EvidenceRef, ...] = ()

    @property
    def picture(self) -> EvidenceRef | None:
        """Its first picture."""
        return next((e for e in self.evidence if e.kind == JPEG), None)

    @property
    def clip(self) -> EvidenceRef | None:
        """Its clip, the latest when it was made again."""
        return next((e for e in reversed(self.evidence) if e.kind == CLIP), None)

    @property
    def seconds(self) -> float:
        """From the first to the latest frame of it."""
        return ((self.ended_at or self.at) - self.began).total_seconds()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an event's history.

    Attributes:
        number: grows; with ``xact`` it orders the entries of all events (see ``store``).
    """

    xact: int
    number: int
    event_id: EventId
    at: datetime
    change: Change
    by: str
    data: Mapping[str, Any]

    @property
    def cursor(self) -> str:
        """Where a stream goes on after this entry."""
        return f"{self.xact}-{self.number}"


@dataclass(frozen=True, slots=True)
class RuleRate:
    """How often a version of a rule was wrong.

    Attributes:
        events: how many it made; ``judged`` of them people have looked at.
        false_alarms: those that people found false.
    """

    rule: str
    version: int
    rule_name: str
    kind: RuleKind
    events: int
    judged: int
    false_alarms: int

    @property
    def rate(self) -> float | None:
        """The part of the judged ones that was false; None when nobody judged any."""
        return self.false_alarms / self.judged if self.judged else None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a list shows; empty fields filter nothing."""

    kinds: tuple[RuleKind, ...] = ()
    severities: tuple[Severity, ...] = ()
    state: EventState | None = None
    camera_id: str = ""
    rule: str = ""
    verdict: Verdict | None = None
    acknowledged: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


def state_of(phase: Phase) -> EventState:
    """The state that a believed signal brings.

    Raises:
        ValueError: a candidate, which is never kept.
    """
    return EventState(phase.value)


def is_news(event: Event, signal: Signal) -> bool:
    """Whether a signal says more than is known: a later phase, or the same one at a later time."""
    known = (_ORDER[Phase(event.state.value)], event.at)
    if event.state is EventState.ENDED:
        return False
    told = _ORDER[signal.phase]
    if signal.phase is Phase.ENDED:
        return True
    return told >= known[0] and signal.at > known[1]


def check_note(text: str, field_name: str = "note", *, required: bool = False) -> str:
    """A note without blanks around it.

    Raises:
        Invalid: it is too long, or empty where one is needed.
    """
    found = Collector()
    note = text.strip()
    found.check(len(note) <= NOTE_MAX, field_name, f"must be at most {NOTE_MAX} characters long")
    found.check(note or not required, field_name, "is required")
    found.finish()
    return note
