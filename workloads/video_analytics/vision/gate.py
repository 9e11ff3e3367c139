"""The motion gate: does anything move at all? The costly stages look at a frame only then."""

import cv2
import numpy as np
from numpy.typing import NDArray

from workloads.video_analytics.vision.model import Image

#: The gate looks at no more pixels than this.
PIXELS = 160 * 90
_FORGETS_SECONDS = 4.0
_HOLDS_SECONDS = 1.5
_LEAST_LEVEL = 8.0  # below this a difference is noise of any camera
_NOISE_FACTOR = 5.0
_LEAST_SHARE = 0.0003


def small(image: Image, pixels: int) -> Image:
    """The picture with at most so many pixels, of the same shape; never enlarged.

    Very large pictures are thinned out first: averaging over 33 million pixels costs more than
    all that comes after it.
    """
    height, width = image.shape[:2]
    scale = (pixels / (height * width)) ** 0.5
    if scale >= 1:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    step = int(1 / scale) // 4
    if step > 1:
        image = np.ascontiguousarray(image[::step, ::step])
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


class Gate:
    """A running average of a small picture, and how many pixels differ from it.

    What counts as different follows the noise of the camera, measured while nothing moves.
    """

    def __init__(self) -> None:
        self._average: NDArray[np.float32] | None = None
        self._noise = 2.0
        self._open_for = 0.0

    def look(self, picture: Image, seconds: float) -> bool:
        """Whether something moves, or did a moment ago.

        Args:
            picture: of ``small(luma, PIXELS)``.
            seconds: since the frame before.
        """
        now = picture.astype(np.float32)
        if self._average is None or self._average.shape != now.shape:
            self._average = now
            self._open_for = _HOLDS_SECONDS
            return True
        difference = cv2.absdiff(now, self._average)
        level = max(_LEAST_LEVEL, _NOISE_FACTOR * self._noise)
        _, over = cv2.threshold(difference, level, 1, cv2.THRESH_BINARY)
        moved = cv2.countNonZero(over) > max(2.0, _LEAST_SHARE * now.size)
        rate = 1 - float(np.exp(-max(seconds, 1e-3) / _FORGETS_SECONDS))
        cv2.accumulateWeighted(now, self._average, rate)
        if moved:
            self._open_for = _HOLDS_SECONDS
        else:
            self._open_for -= seconds
            self._noise += 0.05 * (cv2.mean(difference)[0] - self._noise)
        return self._open_for > 0

    def memory(self) -> dict[str, object]:
        """What it knows of the still picture, to an eighth of a grey level."""
        average = None if self._average is None else self._average.astype(np.float16)
        return {"average": average, "noise": self._noise}

    def recall(self, memory: dict[str, object]) -> None:
        """Go on with another one's average; what does not fit is ignored."""
        average, noise = memory.get("average"), memory.get("noise")
        if isinstance(average, np.ndarray) and average.ndim == 2 and average.size:  # noqa: PLR2004
            self._average = average.astype(np.float32)
        if isinstance(noise, int | float) and 0 <= noise < 255:  # noqa: PLR2004 - a grey level
            self._noise = float(noise)
