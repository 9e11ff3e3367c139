"""Drawing a picture and its truth at once."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from workloads.video_analytics.vision.model import Image

Colour = tuple[int, int, int]

#: Bits after the point of the coordinates that OpenCV draws with.
_BITS = 4
_UNIT = 1 << _BITS

#: Grey levels of the ground truth of changedetection.net (CDnet 2014).
STATIC, SHADOW, MOVING = 0, 50, 255


class Canvas:
    """A BGR picture and the mask of what is not background in it.

    Positions are pixels with fractions, so that slow things move smoothly.

    Attributes:
        image: height × width × 3, drawn on in place.
        truth: height × width of ``STATIC``, ``SHADOW`` and ``MOVING``.
    """

    def __init__(self, background: Image) -> None:
        self.image = background.copy()
        self.truth: Image = np.zeros(background.shape[:2], np.uint8)

    def polygon(
        self, points: Sequence[tuple[float, float]], colour: Colour, *, truth: bool = True
    ) -> None:
        """A filled polygon."""
        corners = np.rint(np.array(points) * _UNIT).astype(np.int32)
        cv2.fillPoly(self.image, [corners], colour, cv2.LINE_AA, _BITS)
        if truth:
            cv2.fillPoly(self.truth, [corners], (MOVING,), cv2.LINE_8, _BITS)

    def rectangle(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        """A filled rectangle from its upper left."""
        self.polygon([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], colour)

    def ellipse(
        self, x: float, y: float, across: float, down: float, colour: Colour, *, truth: bool = True
    ) -> None:
        """A filled ellipse by its middle and its half axes."""
        middle = (round(x * _UNIT), round(y * _UNIT))
        axes = (max(1, round(across * _UNIT)), max(1, round(down * _UNIT)))
        cv2.ellipse(self.image, middle, axes, 0, 0, 360, colour, -1, cv2.LINE_AA, _BITS)
        if truth:
            cv2.ellipse(self.truth, middle, axes, 0, 0, 360, (MOVING,), -1, cv2.LINE_8, _BITS)

    def shadow(self, x: float, y: float, across: float, down: float, strength: float) -> None:
        """Darker ground in an ellipse."""
        left, top = max(0, int(x - across)), max(0, int(y - down))
        right, bottom = int(x + across) + 1, int(y + down) + 1
        part = self.image[top:bottom, left:right]
        if part.size == 0:
            return
        rows, columns = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
        inside = ((columns - x) / across) ** 2 + ((rows - y) / down) ** 2 <= 1
        part[inside] = (part[inside] * (1 - strength)).astype(np.uint8)
        truth = self.truth[top:bottom, left:right]
        truth[inside & (truth == STATIC)] = SHADOW

    def light(self, x: float, y: float, radius: float, gain: float) -> None:
        """Brighter ground around a point, fading away as the light of a lamp does."""
        reach = int(radius * 2.5) + 1
        left, top = max(0, int(x) - reach), max(0, int(y) - reach)
        part = self.image[top : max(0, int(y) + reach), left : max(0, int(x) + reach)]
        if part.size == 0:
            return
        rows, columns = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
        near = np.exp(-((columns - x) ** 2 + ((rows - y) * 1.6) ** 2) / (2 * radius**2))
        lit = part * (1 + gain * near[..., None]) + 14 * gain * near[..., None]
        part[:] = np.clip(lit, 0, 255).astype(np.uint8)


def noise_field(
    random: np.random.Generator, width: int, height: int, grain: float
) -> NDArray[np.float32]:
    """A smooth random surface of mean 0 and deviation 1, whose hills are ``grain`` pixels wide."""
    small = (max(2, int(width / grain) + 2), max(2, int(height / grain) + 2))
    field = random.standard_normal((small[1], small[0])).astype(np.float32)
    wide = np.asarray(cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    found: NDArray[np.float32] = (wide - wide.mean()) / (wide.std() + 1e-6)
    return found
