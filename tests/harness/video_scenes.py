"""Small moving pictures with known truth, drawn from a seed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np

from workloads.video_analytics.vision.model import Frame, Image

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
Floats = np.ndarray


def street(width: int, height: int, seed: int = 1, texture: float = 18.0) -> Floats:
    """A background: soft patches, some edges, grain."""
    rng = np.random.default_rng(seed)
    patches = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), max(2, width / 25))
    ground = 110 + texture * patches / patches.std()
    grain = cv2.GaussianBlur(rng.normal(0, 1, (height, width)), (0, 0), 1.0)
    ground += 4 * grain / grain.std()
    for _ in range(8):
        x, y = rng.integers(0, width), rng.integers(0, height)
        w, h = max(1, width // 12), max(1, height // 10)
        grey = float(rng.uniform(60, 170))
        cv2.rectangle(ground, (int(x), int(y)), (int(x + w), int(y + h)), grey, 1)
    return ground


@dataclass(frozen=True)
class Mover:
    """A rounded thing: centre at ``start`` seconds, speed in pixels per second, its brightness."""

    x: float
    y: float
    width: int
    height: int
    vx: float = 0.0
    vy: float = 0.0
    grey: float = 200.0
    start: float = 0.0
    end: float = 1e9
    stops: float = 1e9  # it stands from then on
    shadow: bool = False

    def draw(self, picture: Floats, truth: Image, seconds: float, seed: int) -> None:
        """Onto a picture and its mask."""
        if not self.start <= seconds <= self.end:
            return
        moved = min(seconds, self.stops) - self.start
        centre = (round(self.x + self.vx * moved), round(self.y + self.vy * moved))
        axes = (self.width // 2, self.height // 2)
        if self.shadow:
            shade = np.zeros(picture.shape, np.uint8)
            at = (centre[0] + self.width // 2, centre[1] + self.height // 2)
            cv2.ellipse(shade, at, (self.width // 2, max(2, self.height // 5)), 0, 0, 360, 255, -1)
            picture[shade > 0] *= 0.65
            truth[(shade > 0) & (truth == 0)] = 50
        mask = np.zeros(picture.shape, np.uint8)
        cv2.ellipse(mask, centre, axes, 0, 0, 360, 255, -1)
        stripes = 18 * np.sin(np.arange(picture.shape[0])[:, None] * 0.9 + seed)
        picture[mask > 0] = (self.grey + stripes + 0 * picture)[mask > 0]
        truth[mask > 0] = 255


def play(
    ground: Floats,
    movers: Sequence[Mover],
    seconds: float,
    rate: float,
    *,
    noise: float = 3.0,
    gain: dict[float, float] | None = None,
    jitter: float = 0.0,
    seed: int = 7,
) -> Iterator[tuple[Frame, Image]]:
    """Frames and their masks (255 a thing, 50 a shadow).

    Args:
        gain: from these seconds on the picture is so much brighter.
        jitter: standard deviation of the camera's shaking, pixels.
    """
    rng = np.random.default_rng(seed)
    for number in range(round(seconds * rate)):
        at = number / rate
        picture, truth = ground.copy(), np.zeros(ground.shape, np.uint8)
        for index, mover in enumerate(movers):
            mover.draw(picture, truth, at, index)
        factors = [factor for since, factor in sorted((gain or {}).items()) if at >= since]
        picture = picture * factors[-1] if factors else picture
        if jitter:
            shift = np.array([[1, 0, rng.normal(0, jitter)], [0, 1, rng.normal(0, jitter)]])
            size = (ground.shape[1], ground.shape[0])
            picture = cv2.warpAffine(picture, shift, size, borderMode=cv2.BORDER_REFLECT)
            truth = cv2.warpAffine(truth, shift, size, flags=cv2.INTER_NEAREST)
        picture = picture + rng.normal(0, noise, picture.shape)
        luma = np.clip(picture, 0, 255).astype(np.uint8)
        yield Frame(START + timedelta(seconds=at), luma), truth


def f_measure(found: Image, truth: Image) -> tuple[int, int, int]:
    """True positives, false positives, false negatives."""
    thing, seen = truth == 255, found > 0
    return int((thing & seen).sum()), int((~thing & seen).sum()), int((thing & ~seen).sum())
