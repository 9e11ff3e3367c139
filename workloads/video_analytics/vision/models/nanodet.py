"""Classes of things with NanoDet (https://github.com/RangiLyu/nanodet).

For each cell of three grids (strides 8, 16, 32) the network gives a score for each class and, for
each side of the box, a distribution over 0 to 10 strides from the cell's centre: Generalized Focal
Loss, https://arxiv.org/abs/2006.04388. The side is the distribution's mean.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from workloads.video_analytics.vision.model import Image
from workloads.video_analytics.vision.models import pictures
from workloads.video_analytics.vision.models.classes import CLASSES
from workloads.video_analytics.vision.models.ports import Found

_SIDE = 416
_STRIDES = (8, 16, 32)
_BINS = 11
_MEAN = np.array([103.53, 116.28, 123.675], np.float32)
_SPREAD = np.array([57.375, 57.12, 58.395], np.float32)
_OVERLAP = 0.5
#: Below this nothing is said at all; rules ask for more.
_LEAST = 0.3
_OUTPUTS = [f"{what}_{stride}" for what in ("scores", "sides") for stride in _STRIDES]


class NanoDet:
    """Implements ``ObjectModel``.

    Args:
        content: the model file.
        side: pixels of the longer side that the network sees.
    """

    classes: Sequence[str] = CLASSES

    def __init__(self, content: bytes, *, side: int = _SIDE) -> None:
        self._session = pictures.session(content)
        self._side = side

    def detect(self, bgr: Image) -> list[Found]:
        """What is in the picture, the surest first."""
        seen, scale = pictures.fit(bgr, self._side, _MEAN.tolist())
        tensor = pictures.channels_first((seen.astype(np.float32) - _MEAN) / _SPREAD)
        outputs = pictures.run(self._session, _OUTPUTS, tensor)
        levels = [
            _level(scores[0], sides[0], stride, seen.shape[1] // stride)
            for scores, sides, stride in zip(outputs[:3], outputs[3:], _STRIDES, strict=True)
        ]
        corners = np.vstack([level[0] for level in levels])
        scores = np.concatenate([level[1] for level in levels])
        kinds = np.concatenate([level[2] for level in levels])
        return [
            Found(pictures.box_of(corners[i], scale, bgr), CLASSES[int(kinds[i])], float(scores[i]))
            for i in pictures.distinct(corners, scores, kinds, _OVERLAP)
        ]


def _level(
    scores: NDArray[np.float32], sides: NDArray[np.float32], stride: int, columns: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.intp]]:
    """Corners, scores and classes of the cells of a grid that say something."""
    kinds = scores.argmax(axis=1)
    best = scores.max(axis=1)
    cells = np.flatnonzero(best >= _LEAST)
    spread = sides[cells].reshape(-1, 4, _BINS)
    spread = np.exp(spread - spread.max(axis=2, keepdims=True))
    spread /= spread.sum(axis=2, keepdims=True)
    far = (spread @ np.arange(_BINS, dtype=np.float32)) * stride  # left, top, right, bottom
    centre = (np.stack([cells % columns, cells // columns], axis=1) + 0.5) * stride
    corners = np.hstack([centre - far[:, :2], centre + far[:, 2:]]).astype(np.float32)
    return corners, best[cells], kinds[cells]
