"""A scene: a place, what happens in it, and what should be noticed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import cv2
import numpy as np

from workloads.video_analytics.synthetic.actors import Actor
from workloads.video_analytics.synthetic.backgrounds import PLACES
from workloads.video_analytics.synthetic.canvas import Canvas
from workloads.video_analytics.synthetic.effects import Sky, Weather
from workloads.video_analytics.vision.model import (
    Box,
    Frame,
    Image,
    Point,
    RuleKind,
)

#: When scenes begin unless they say otherwise: noon in Shanghai.
NOON = datetime(2026, 6, 10, 4, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Truth:
    """Something that a rule of this kind should tell once.

    Attributes:
        began, ended: seconds of the scene; an alarm belongs between them.
        box: where, if it is at a place.
    """

    kind: RuleKind
    began: float
    ended: float
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame and what is true of it: ``truth`` has the grey levels of CDnet."""

    frame: Frame
    truth: Image


@dataclass(frozen=True)
class Scene:
    """What happens at a place; the same seed gives the same frames.

    Attributes:
        place: one of ``backgrounds.PLACES``.
        truths: what should be noticed, of each kind of rule; nothing else should.
        points: the polygon of the rule that the scene is about; none: the whole frame.
        parameters: of that rule, where they differ from the defaults.
        night: only every picture's brightness: factor on the place.
    """

    name: str
    place: str
    seconds: float
    actors: Sequence[Actor] = ()
    weather: Weather = field(default_factory=Weather)
    truths: Sequence[Truth] = ()
    kind: RuleKind = RuleKind.OBJECT_ABANDONED
    points: tuple[Point, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    seed: int = 1
    width: int = 320
    height: int = 180
    fps: float = 5.0
    began: datetime = NOON
    light: float = 1.0

    def pictures(self) -> Iterator[Picture]:
        """Frame after frame, in memory one at a time."""
        random = np.random.default_rng([self.seed, 3])
        place = PLACES[self.place](random, self.width, self.height)
        sky = Sky(self.weather, self.seed, self.width, self.height)
        for n in range(int(self.seconds * self.fps)):
            at = n / self.fps
            canvas = Canvas(place)
            for actor in sorted(self.actors, key=lambda one: one.depth(at)):
                actor.draw(canvas, at)
            if self.light != 1.0:
                canvas.image = (canvas.image * self.light).astype(np.uint8)
            sky.onto(canvas, at)
            luma = np.asarray(cv2.cvtColor(canvas.image, cv2.COLOR_BGR2GRAY), np.uint8)
            taken = self.began + timedelta(seconds=at)
            yield Picture(Frame(taken, luma, canvas.image, n == 0), canvas.truth)
