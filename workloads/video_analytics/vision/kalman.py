"""Constant-velocity Kalman filters for many boxes at once.

Each of centre x, centre y, width and height moves by itself, so a box is four filters of two values
(place, speed) and all boxes of a frame are one array. Noise grows with the height of a box, as in
Wojke et al., "Simple online and realtime tracking with a deep association metric" (2017); it is
given per second here, as frames come at any rate.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_PLACE_NOISE = 0.25  # heights per square root of a second
_SPEED_NOISE = 1.0  # heights per second, per square root of a second
_MEASURE_NOISE = 0.05  # heights
_FIRST_SPEED = 2.0  # heights per second


class Filters:
    """The state of n boxes.

    Attributes:
        mean: n × 4 × 2: (x, y, width, height) of centre and size, each with its speed per second.
        covariance: n × 4 × 2 × 2.
    """

    def __init__(self) -> None:
        self.mean: Array = np.empty((0, 4, 2))
        self.covariance: Array = np.empty((0, 4, 2, 2))

    def add(self, boxes: Array) -> None:
        """Begin with more boxes (left, top, width, height), standing still."""
        mean = np.zeros((len(boxes), 4, 2))
        mean[:, :, 0] = centred(boxes)
        height = np.maximum(boxes[:, 3], 1e-6)[:, None]
        covariance = np.zeros((len(boxes), 4, 2, 2))
        covariance[:, :, 0, 0] = (2 * _MEASURE_NOISE * height) ** 2
        covariance[:, :, 1, 1] = (_FIRST_SPEED * height) ** 2
        covariance[:, 2:, 1, 1] *= 0.04  # sizes change slowly
        self.mean = np.concatenate([self.mean, mean])
        self.covariance = np.concatenate([self.covariance, covariance])

    def keep(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> None:
        """Forget all others."""
        self.mean, self.covariance = self.mean[which], self.covariance[which]

    def predict(self, seconds: float) -> None:
        """Let time pass."""
        if not len(self.mean) or seconds <= 0:
            return
        step = np.array([[1.0, seconds], [0.0, 1.0]])
        height = np.maximum(np.abs(self.mean[:, 3, 0]), 1e-6)[:, None]
        self.mean = self.mean @ step.T
        self.covariance = step @ self.covariance @ step.T
        self.covariance[:, :, 0, 0] += (_PLACE_NOISE * height) ** 2 * seconds
        self.covariance[:, :, 1, 1] += (_SPEED_NOISE * height) ** 2 * seconds
        self.mean[:, 2:, 0] = np.maximum(self.mean[:, 2:, 0], 1e-6)

    def correct(self, which: NDArray[np.intp], boxes: Array, scores: Array) -> None:
        """Take boxes that were seen for some of them; a lower score weighs less."""
        if not len(which):
            return
        mean, covariance = self.mean[which], self.covariance[which]
        height = np.maximum(boxes[:, 3], 1e-6)
        noise = (_MEASURE_NOISE * height * (2.0 - np.clip(scores, 0, 1))) ** 2
        error = centred(boxes) - mean[:, :, 0]
        total = covariance[:, :, 0, 0] + noise[:, None]
        gain = covariance[:, :, :, 0] / total[:, :, None]
        self.mean[which] = mean + gain * error[:, :, None]
        first = covariance[:, :, 0, :]
        self.covariance[which] = covariance - gain[:, :, :, None] * first[:, :, None, :]

    @property
    def boxes(self) -> Array:
        """Left, top, width, height of all."""
        found = self.mean[:, :, 0].copy()
        found[:, :2] -= found[:, 2:] / 2
        return found


def centred(boxes: Array) -> Array:
    """Left, top, width, height as centre and size."""
    found = np.array(boxes, dtype=np.float64)
    found[:, :2] += found[:, 2:] / 2
    return found
