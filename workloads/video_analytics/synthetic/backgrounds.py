"""Places without anybody in them. Each is a BGR picture made of a seed."""

from collections.abc import Callable

import cv2
import numpy as np

from workloads.video_analytics.synthetic.canvas import Canvas, Colour, noise_field
from workloads.video_analytics.vision.model import Image

#: Where people and cars of no size would stand: the share of the height that the horizon is at.
HORIZON = 0.12


def _ground(random: np.random.Generator, width: int, height: int, base: Colour) -> Canvas:
    coarse = noise_field(random, width, height, 40)
    middle = noise_field(random, width, height, 7)
    fine = noise_field(random, width, height, 1.5)
    shade = (coarse * 6 + middle * 4 + fine * 3)[..., None]
    return Canvas(np.clip(np.array(base, np.float32) + shade, 0, 255).astype(np.uint8))


def _fronts(random: np.random.Generator, canvas: Canvas, low: float) -> None:
    """Houses with windows above the ground."""
    height, width = canvas.truth.shape
    left = 0.0
    while left < width:
        wide = width * random.uniform(0.12, 0.25)
        top = height * random.uniform(0.0, 0.06)
        base = random.integers(70, 170)
        colour = tuple(int(base + random.integers(-18, 18)) for _ in range(3))
        canvas.rectangle(left, top, wide, low * height - top, (colour[0], colour[1], colour[2]))
        step = width * 0.03
        for x in np.arange(left + step / 2, left + wide - step / 2, step):
            for y in np.arange(top + step / 2, low * height - step, step):
                glass = int(random.integers(25, 80))
                canvas.rectangle(x, y, step * 0.5, step * 0.55, (glass + 12, glass, glass))
        left += wide


def square(random: np.random.Generator, width: int, height: int) -> Image:
    """A paved square with benches and a kiosk."""
    canvas = _ground(random, width, height, (140, 146, 150))
    for n in range(1, 14):
        y = height * (HORIZON + 0.12 + (1 - HORIZON) * (n / 14) ** 1.6)
        canvas.polygon([(0, y), (width, y), (width, y + 0.7), (0, y + 0.7)], (118, 122, 126))
    for n in range(-10, 22):
        foot, head = width * (n / 10 - 0.05), width * (0.5 + (n / 10 - 0.55) * 0.25)
        top = height * (HORIZON + 0.1)
        canvas.polygon(
            [(head, top), (head + 0.5, top), (foot + 1, height), (foot, height)], (122, 126, 130)
        )
    _fronts(random, canvas, HORIZON + 0.13)
    for _ in range(3):
        x, y = width * random.uniform(0.1, 0.85), height * random.uniform(0.34, 0.45)
        canvas.rectangle(x, y, width * 0.06, height * 0.018, (52, 74, 96))
        canvas.rectangle(x, y + height * 0.02, width * 0.004, height * 0.02, (40, 40, 40))
        canvas.rectangle(
            x + width * 0.055, y + height * 0.02, width * 0.004, height * 0.02, (40,) * 3
        )
    return canvas.image


def street(random: np.random.Generator, width: int, height: int) -> Image:
    """A street with pavements before and behind it, seen from the side."""
    canvas = _ground(random, width, height, (128, 132, 134))
    top, low = height * 0.42, height * 0.74
    road = _ground(random, width, height, (84, 84, 86)).image
    canvas.image[int(top) : int(low)] = road[int(top) : int(low)]
    for y in (top, low):
        canvas.rectangle(0, y - 1, width, 2, (168, 172, 174))
    for x in np.arange(0, width, width * 0.1):
        canvas.rectangle(x, (top + low) / 2, width * 0.05, 1.6, (196, 200, 200))
    _fronts(random, canvas, HORIZON + 0.1)
    for x in (0.2, 0.55, 0.9):
        canvas.rectangle(width * x, height * 0.1, 2, height * 0.3, (46, 50, 50))
    return canvas.image


def hall(random: np.random.Generator, width: int, height: int) -> Image:
    """The floor of a station: bright, smooth, with pillars and reflections."""
    canvas = _ground(random, width, height, (168, 172, 170))
    canvas = Canvas(np.asarray(cv2.GaussianBlur(canvas.image, (0, 0), 2.0), np.uint8))
    _fronts(random, canvas, HORIZON + 0.08)
    for x in (0.15, 0.5, 0.85):
        canvas.rectangle(width * x, 0, width * 0.03, height * 0.4, (120, 124, 130))
        canvas.rectangle(width * (x + 0.008), 0, width * 0.006, height * 0.4, (190, 194, 198))
    for n in range(5):
        y = height * (0.4 + 0.13 * n)
        canvas.rectangle(0, y, width, 1.2, (150, 152, 152))
    return canvas.image


def site(random: np.random.Generator, width: int, height: int) -> Image:
    """A building site: earth, a fence, a container, a shell of concrete."""
    canvas = _ground(random, width, height, (92, 116, 138))
    canvas.rectangle(0, 0, width, height * 0.28, (168, 160, 150))
    for n in range(6):
        for m in range(3):
            canvas.rectangle(
                width * (0.55 + n * 0.07), height * (0.02 + m * 0.09), width * 0.05, height * 0.06,
                (96, 98, 100),
            )  # fmt: skip
    canvas.rectangle(width * 0.06, height * 0.26, width * 0.18, height * 0.13, (120, 88, 40))
    for _ in range(30):
        x, y = random.uniform(0, width), random.uniform(height * 0.45, height)
        size = random.uniform(1, 5) * y / height
        tone = int(random.integers(60, 130))
        canvas.ellipse(x, y, size * 2, size, (tone - 20, tone, tone + 14))
    for x in np.arange(0, width, width * 0.02):
        canvas.rectangle(x, height * 0.9, 1.2, height * 0.1, (150, 152, 150))
    return canvas.image


PLACES: dict[str, Callable[[np.random.Generator, int, int], Image]] = {
    "square": square,
    "street": street,
    "hall": hall,
    "site": site,
}
