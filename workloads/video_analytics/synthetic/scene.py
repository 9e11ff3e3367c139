"""A scene: a place, what happens in it, and what should be noticed."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from av import VideoFrame
from av.video.codeccontext import VideoCodecContext

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


def compressed(pictures: Iterable[Picture], crf: int, fps: float) -> Iterator[Picture]:
    """The same pictures after H.264 of this quality; key frames every four seconds."""
    encoder: VideoCodecContext | None = None
    decoder = VideoCodecContext.create("h264", "r")
    decoder.thread_count = 1
    waiting: deque[Picture] = deque()
    for picture in pictures:
        assert picture.frame.colour is not None  # noqa: S101 - scenes have colour
        if encoder is None:
            encoder = VideoCodecContext.create("libx264", "w")
            encoder.height, encoder.width = picture.frame.luma.shape
            encoder.pix_fmt, encoder.thread_count = "yuv420p", 1
            encoder.time_base = Fraction(1, 1000)
            encoder.options = {"crf": str(crf), "preset": "superfast", "tune": "zerolatency",
                               "g": str(max(1, round(4 * fps)))}  # fmt: skip
        drawn = VideoFrame.from_ndarray(picture.frame.colour, format="bgr24")
        drawn.pts = round(picture.frame.at.timestamp() * 1000) % 10**9
        waiting.append(picture)
        for packet in encoder.encode(drawn):
            for frame in decoder.decode(packet):
                yield _as_received(waiting.popleft(), frame)


def _as_received(picture: Picture, frame: VideoFrame) -> Picture:
    colour = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    luma = np.asarray(cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY), np.uint8)
    return Picture(replace(picture.frame, luma=luma, colour=colour), picture.truth)


@dataclass(frozen=True)
class Scene:
    """What happens at a place; the same seed gives the same frames.

    Attributes:
        place: one of ``backgrounds.PLACES``.
        truths: what should be noticed, of each kind of rule; nothing else should.
        points: the polygon of the rule that the scene is about; none: the whole frame.
        parameters: of that rule, where they differ from the defaults.
        light: factor on every picture's brightness.
        crf: how badly the pictures were compressed by H.264 on their way (its constant rate
            factor: 23 is usual, 35 poor); 0: not at all.
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
    crf: int = 0

    def pictures(self) -> Iterator[Picture]:
        """Frame after frame, in memory one at a time."""
        return compressed(self._drawn(), self.crf, self.fps) if self.crf else self._drawn()

    def _drawn(self) -> Iterator[Picture]:
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
