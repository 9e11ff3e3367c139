"""Between the stages that look at a frame and the detectors that judge what they found."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from workloads.video_analytics.vision.model import (
    Box,
    Frame,
    Image,
    Point,
    RuleSpec,
    Signal,
    Tier,
)


@dataclass(frozen=True, slots=True)
class Tracked:
    """A moving thing in the present frame.

    Attributes:
        id: the same as long as it is followed; unique for the camera.
        box: now, smoothed; ``seen`` is False while it is only predicted.
        began: when it was first seen.
        velocity: fractions of the frame per second.
        still_seconds: for how long its foot has not moved beyond a tenth of its height.
        kind: class by a model, or empty; ``score`` of the last detection, 0 to 1.
    """

    id: str
    box: Box
    seen: bool
    began: datetime
    velocity: Point
    still_seconds: float
    kind: str = ""
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Sight:
    """What the stages before found in a frame.

    Attributes:
        frame: as it was decoded, masked where privacy wants it.
        luma: at the size of analysis (as many pixels as 320 × 180 at most, in the shape of the
            frame), masked where privacy wants it.
        foreground: 255 where it moves or is new, 0 else; the same size.
        moving: whether the gate saw motion at all; without it ``foreground`` is empty.
        tracks: what is followed, predicted ones too.
    """

    frame: Frame
    luma: Image
    foreground: Image
    moving: bool
    tracks: Sequence[Tracked] = ()


class Detector(Protocol):
    """Judges one rule of one camera. Fed in the order of time; never raises for what it sees."""

    rule: RuleSpec

    def look(self, sight: Sight) -> list[Signal]:
        """What the rule has to say of a frame."""
        ...

    def close(self, at: datetime) -> list[Signal]:
        """The rule is watched no more: what is active ends."""
        ...

    def memory(self) -> dict[str, object]:
        """What it must not forget when another worker goes on; plain JSON values and arrays."""
        ...

    def recall(self, memory: dict[str, object]) -> None:
        """Go on with what another one knew; nonsense is ignored."""
        ...


class Maker(Protocol):
    """Makes the detectors that need more than a rule: models, watch lists. One for each camera."""

    def make(self, rule: RuleSpec) -> Detector | None:
        """The detector of a rule; None when it cannot be had."""
        ...

    def missing(self, rules: Sequence[RuleSpec], tier: Tier) -> Sequence[str]:
        """What these rules ask for and is not there, such as ``no model: plate``."""
        ...


class Finder(Protocol):
    """A model that finds things of known classes in a picture."""

    def find(self, frame: Frame) -> Sequence[tuple[Box, str, float]]:
        """Where, which class, and how sure, 0 to 1; the frame has its colours."""
        ...
