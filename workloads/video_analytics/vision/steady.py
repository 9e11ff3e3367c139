"""A mast that shakes in the wind: the picture is laid back upon its background."""

import cv2
import numpy as np
from numpy.typing import NDArray

from workloads.video_analytics.vision.model import Image

Floats = NDArray[np.float32]
Shift = tuple[float, float]

_SUSPECT = 0.04  # of the picture is new: it may be the camera that moves
_WATCHED_SECONDS = 10.0
_LEAST = 0.3  # pixels; less does no harm
_MOST = 0.04  # of the width; more is another view, not shaking
_LEAST_RESPONSE = 0.12
_MOVED_SECONDS = 15.0
_MOVED = 1.0


class Steady:
    """Finds by how many pixels a picture is shifted, by phase correlation with the background."""

    def __init__(self) -> None:
        self._watch = 0.0
        self._window: Floats | None = None
        self._mean_shift = np.zeros(2)
        self._moved = 0.0

    @property
    def moved_for_good(self) -> bool:
        """Whether the shift has stayed: it is no shaking but another view."""
        return self._moved > _MOVED_SECONDS

    def suspects(self, share: float) -> bool:
        """Whether so much that is new may come of the camera's own movement."""
        return self._watch <= 0 and share > _SUSPECT

    def straighten(
        self, picture: Image, mean: Floats, seconds: float
    ) -> tuple[Image, Shift | None]:
        """The picture laid back while the camera is known to shake; else as it is."""
        if self._watch <= 0:
            return picture, None
        self._watch -= seconds
        straight, shift = self.find(picture, mean)
        rate = min(1.0, seconds / 5)
        self._mean_shift += rate * (np.array(shift or (0.0, 0.0)) - self._mean_shift)
        stays = float(np.hypot(*self._mean_shift)) > _MOVED
        self._moved = self._moved + seconds if stays else 0.0
        return straight, shift

    def find(self, picture: Image, mean: Floats) -> tuple[Image, Shift | None]:
        """The picture laid back, and the shift that was found; None when there is none."""
        now, then = _grey(picture), _grey(mean)
        if min(now.shape) < 32:  # noqa: PLR2004 - too small for a correlation
            return picture, None
        if self._window is None or self._window.shape != now.shape:
            size = (now.shape[1], now.shape[0])
            self._window = np.asarray(cv2.createHanningWindow(size, cv2.CV_32F), np.float32)
        (across, down), response = cv2.phaseCorrelate(then, now, self._window)
        shift = (across * 2, down * 2)
        length = float(np.hypot(*shift))
        if response < _LEAST_RESPONSE or not _LEAST < length < _MOST * picture.shape[1]:
            return picture, None
        self._watch = _WATCHED_SECONDS
        return _shifted(picture, -shift[0], -shift[1], cv2.INTER_LINEAR), shift

    @staticmethod
    def back(mask: Image, shift: Shift) -> Image:
        """A mask found in a straightened picture, as it lies in the picture that was taken."""
        return _shifted(mask, shift[0], shift[1], cv2.INTER_NEAREST)


def _grey(picture: Image | Floats) -> Floats:
    if picture.ndim == 3:  # noqa: PLR2004 - colour: green is near to brightness
        picture = picture[:, :, 1]
    half = (max(1, picture.shape[1] // 2), max(1, picture.shape[0] // 2))
    return np.asarray(cv2.resize(picture, half, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _shifted(picture: Image, across: float, down: float, how: int) -> Image:
    matrix = np.array([[1, 0, across], [0, 1, down]], np.float32)
    size = (picture.shape[1], picture.shape[0])
    edge = cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(picture, matrix, size, flags=how, borderMode=edge), np.uint8)
