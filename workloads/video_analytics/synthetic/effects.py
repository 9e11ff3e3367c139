"""What the weather, the light and the camera do to a picture. Times are seconds of the scene."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from workloads.video_analytics.synthetic.canvas import Canvas, noise_field


@dataclass(frozen=True, slots=True)
class Weather:
    """All that is not a thing.

    Attributes:
        noise: deviation of the camera's noise in grey levels.
        clouds: how much light a passing cloud's shadow takes, 0 to 1.
        cloud_seconds: how long a cloud takes to cross the scene.
        rain: streaks in a frame.
        insects: bright blurred things before the lens, on average in a frame.
        jitter: pixels that the camera shakes.
        drift: how much the camera's exposure wanders, 0 to 1.
        switches: (at, gain): all light changes at once, as when a lamp is switched.
        patches: (since, until, x, y): a patch of light with hard edges, as through a window.
    """

    noise: float = 2.0
    clouds: float = 0.0
    cloud_seconds: float = 40.0
    rain: int = 0
    insects: float = 0.0
    jitter: float = 0.0
    drift: float = 0.0
    switches: Sequence[tuple[float, float]] = ()
    patches: Sequence[tuple[float, float, float, float]] = ()


class Sky:
    """Weather as it passes over the frames of one scene."""

    def __init__(self, weather: Weather, seed: int, width: int, height: int) -> None:
        self._weather = weather
        self._random = np.random.default_rng([seed, 7])
        self._size = (width, height)
        # One field three frames wide runs over the scene; noise is drawn from a pool, which is
        # quick.
        self._clouds = np.clip(noise_field(self._random, 3 * width, height, width / 2), 0, 1)
        self._pool = self._random.standard_normal((8, height + 16, width + 16, 1))
        self._pool = (self._pool * weather.noise).astype(np.float32)

    def onto(self, canvas: Canvas, at: float) -> None:
        """Change the picture, and the truth where the camera shakes."""
        weather = self._weather
        for since, until, x, y in weather.patches:
            if since <= at < until:
                self._patch(canvas, x, y)
        light = math.prod(gain for when, gain in weather.switches if at >= when)
        light *= 1 - weather.drift * (0.5 - 0.5 * math.cos(at / 8))
        image = canvas.image.astype(np.float32) * light
        if weather.clouds:
            image *= 1 - weather.clouds * self._cloud(at)[..., None]
        if weather.insects:
            self._insects(image)
        if weather.rain:
            image = self._rain(image)
        if weather.jitter:
            image = self._shake(canvas, image)
        row, column = self._random.integers(0, 16, 2)
        width, height = self._size
        noise = self._pool[self._random.integers(8), row : row + height, column : column + width]
        canvas.image = np.clip(image + noise, 0, 255).astype(np.uint8)

    def _cloud(self, at: float) -> np.ndarray:
        width, _ = self._size
        left = int(at / self._weather.cloud_seconds * width) % (2 * width)
        part: np.ndarray = self._clouds[:, left : left + width]
        return part

    def _patch(self, canvas: Canvas, x: float, y: float) -> None:
        width, height = self._size
        left, top = int(x * width), int(y * height)
        part = canvas.image[top : top + height // 7, left : left + width // 9]
        part[:] = np.clip(part * 1.45, 0, 255).astype(np.uint8)

    def _insects(self, image: np.ndarray) -> None:
        width, height = self._size
        layer = np.zeros((height, width), np.float32)
        for _ in range(self._random.poisson(self._weather.insects)):
            middle = (int(self._random.uniform(0, width)), int(self._random.uniform(0, height)))
            size = int(self._random.uniform(0.02, 0.07) * width)
            angle = float(self._random.uniform(0, 180))
            cv2.ellipse(layer, middle, (size, max(1, size // 3)), angle, 0, 360, (120.0,), -1)
        image += cv2.GaussianBlur(layer, (0, 0), width * 0.012)[..., None]

    def _rain(self, image: np.ndarray) -> np.ndarray:
        width, height = self._size
        layer = np.zeros((height, width), np.float32)
        starts = self._random.uniform(0, 1, (self._weather.rain, 2)) * (width, height)
        for x, y in starts:
            long = self._random.uniform(0.03, 0.08) * height
            cv2.line(layer, (int(x), int(y)), (int(x + long * 0.15), int(y + long)), (46.0,), 1)
        return image + layer[..., None]

    def _shake(self, canvas: Canvas, image: np.ndarray) -> np.ndarray:
        shift = self._random.normal(0, self._weather.jitter, 2)
        move = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
        edge = cv2.BORDER_REFLECT
        nearest = cv2.INTER_NEAREST
        truth = cv2.warpAffine(canvas.truth, move, self._size, flags=nearest, borderMode=edge)
        canvas.truth = np.asarray(truth, np.uint8)
        return np.asarray(cv2.warpAffine(image, move, self._size, borderMode=edge))
