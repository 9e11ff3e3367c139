"""What goes into the analysis of a camera and what comes out of it.

All positions are fractions of the frame's width and height, 0 to 1 from the upper left, so that a
rule outlives a change of resolution. All times are UTC and are those of the frames.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


class Tier(StrEnum):
    """How closely a camera is watched; the lower one gives way first when there is too much."""

    ACCESS = "access"  # live view and health only
    KEY_FRAMES = "key_frames"  # key frames of the stream, one every second or so
    LOW_RATE = "low_rate"  # about five frames a second, behind a motion gate
    FULL = "full"  # every frame that the rules can use, with models


class RuleKind(StrEnum):
    """What a rule looks for."""

    MOTION = "motion"
    LINE_CROSSING = "line_crossing"
    FIELD_ENTRY = "field_entry"
    FIELD_PRESENCE = "field_presence"
    LOITERING = "loitering"
    COUNTING = "counting"
    CROWD = "crowd"
    OBJECT_ABANDONED = "object_abandoned"
    OBJECT_REMOVED = "object_removed"
    TAMPERING = "tampering"
    VEGETATION = "vegetation"
    CONSTRUCTION = "construction"
    OBJECT_CLASS = "object_class"  # needs a model
    FACE = "face"  # needs a model and an authorised watch list
    PLATE = "plate"  # needs a model


class Point(NamedTuple):
    """A position in the frame."""

    x: float
    y: float


class Box(NamedTuple):
    """A rectangle in the frame."""

    x: float
    y: float
    width: float
    height: float

    @property
    def foot(self) -> Point:
        """Where a thing stands: the middle of the lower edge."""
        return Point(self.x + self.width / 2, self.y + self.height)


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """One version of a rule, as the analysis needs it.

    Attributes:
        id: of the rule.
        version: grows with every change; an event names the version that produced it.
        points: a line (two or more), a polygon (three or more), or none for the whole frame.
        parameters: by name, checked by ``rules.model``; units are in their names (``seconds``).
    """

    id: str
    version: int
    kind: RuleKind
    points: tuple[Point, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CameraView:
    """What the analysis must know of a camera.

    Attributes:
        timezone: IANA name, for hours of the day.
        latitude, longitude: degrees, for twilight; None when unknown.
        masks: polygons that are never analysed, kept or shown (privacy).
        overhead: it looks straight down: no classes are claimed there.
    """

    id: str
    timezone: str = "Asia/Shanghai"
    latitude: float | None = None
    longitude: float | None = None
    masks: tuple[tuple[Point, ...], ...] = ()
    overhead: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded picture.

    Attributes:
        at: when it was taken, UTC.
        luma: brightness, height × width.
        colour: the same in BGR, height × width × 3; None when the tier decodes brightness only.
        key: whether it is a key frame of the stream.
    """

    at: datetime
    luma: Image
    colour: Image | None = None
    key: bool = False


class Phase(StrEnum):
    """How far something noticed is: the life of an event."""

    CANDIDATE = "candidate"  # seen, not yet believed; never told to anybody
    ACTIVE = "active"
    UPDATED = "updated"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that a rule noticed, or what became of it.

    Attributes:
        rule: id; ``version``: of the rule.
        key: tells the subjects of a rule apart; with rule it names one event until it has ended.
        at: the time of the frame.
        began: the time of the first frame of it.
        box: where; None when it is about the whole frame.
        score: 0 to 1; None where the detector has no measure of it.
        track: the id of the tracked object, where there is one.
        data: by name: ``count``, ``direction``, ``cover``, ``class``, ``text``, …
    """

    rule: str
    version: int
    key: str
    phase: Phase
    at: datetime
    began: datetime
    box: Box | None = None
    score: float | None = None
    track: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrackPiece:
    """A moving thing as far as it was followed: written when it is gone, or every so often.

    Attributes:
        id: unique for the camera; a later piece of the same id continues the earlier.
        path: (time, foot of the box), thinned to what a search needs.
        size: median area of its box as a fraction of the frame.
        colour: name of its main colour, or empty.
        kind: class by a model, or empty.
        dwell_seconds: from first to last seen.
        ended: whether it is gone.
        box: its largest box, for a thumbnail.
    """

    id: str
    path: tuple[tuple[datetime, Point], ...]
    size: float
    colour: str
    kind: str
    dwell_seconds: float
    ended: bool
    box: Box


class Look(StrEnum):
    """How a camera's picture is; ``online`` and what is wrong with it."""

    FINE = "fine"
    DARK = "dark"
    BLURRED = "blurred"
    MOVED = "moved"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class Analysis:
    """What a frame brought.

    Attributes:
        signals: in the order in which they happened.
        tracks: pieces to be kept.
        look: how the picture is.
        moving: whether the motion gate let the frame through.
        missing: what rules asked for and is not there, such as ``no model: plate``.
    """

    signals: tuple[Signal, ...] = ()
    tracks: tuple[TrackPiece, ...] = ()
    look: Look = Look.FINE
    moving: bool = False
    missing: tuple[str, ...] = ()


class Analyser(Protocol):
    """Watches one camera. Not thread-safe; frames come in the order of their times.

    Implemented by ``vision.analyser.CameraAnalyser``.
    """

    def feed(self, frame: Frame) -> Analysis:
        """Look at a frame. A frame older than the one before it is passed over."""
        ...

    def change(self, rules: Sequence[RuleSpec], tier: Tier) -> Analysis:
        """Other rules or another tier from now on; events of rules that are gone end."""
        ...

    def close(self, at: datetime) -> Analysis:
        """The camera is watched no more: what is active ends."""
        ...

    def memory(self) -> bytes:
        """What it knows (backgrounds, tracks, days of cover), for another worker to go on with."""
        ...

    def recall(self, memory: bytes) -> None:
        """Go on with what another one knew; nonsense and other versions are ignored."""
        ...
