"""Pictures as models want them, and where what they found lies."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from workloads.video_analytics.vision.model import Box, Image, Point

Tensor = NDArray[np.float32]

#: Both sides of what a network sees are multiples of its largest stride.
STRIDE = 32
_ERROR = 3  # onnxruntime's level of severity


def session(content: bytes) -> ort.InferenceSession:
    """A model that runs on one thread: workers share the machine's cores between cameras."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERROR
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def run(model: ort.InferenceSession, outputs: Sequence[str], tensor: Tensor) -> list[Tensor]:
    """Ask a model with one input."""
    found: Any = model.run(list(outputs), {model.get_inputs()[0].name: tensor})
    return [np.asarray(each, np.float32) for each in found]


def fit(bgr: Image, side: int, filled: Sequence[float]) -> tuple[Image, float]:
    """A picture scaled so that its longer side is ``side``, filled up to the right and below.

    Returns:
        The picture, its sides multiples of ``STRIDE``, and by what it was scaled.
    """
    height, width = bgr.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(bgr, size, interpolation=way)
    below, right = -size[1] % STRIDE, -size[0] % STRIDE
    grown = cv2.copyMakeBorder(small, 0, below, 0, right, cv2.BORDER_CONSTANT, value=list(filled))
    return np.asarray(grown, np.uint8), scale


def channels_first(picture: NDArray[Any]) -> Tensor:
    """A batch of one picture, channels × height × width."""
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None], dtype=np.float32)


def box_of(corners: NDArray[Any], scale: float, like: Image) -> Box:
    """A box within the frame, in fractions, from (left, top, right, bottom) in scaled pixels."""
    height, width = like.shape[:2]
    left, right = np.clip(corners[[0, 2]] / (scale * width), 0, 1)
    top, bottom = np.clip(corners[[1, 3]] / (scale * height), 0, 1)
    return Box(float(left), float(top), float(right - left), float(bottom - top))


def points_of(points: NDArray[Any], scale: float, like: Image) -> tuple[Point, ...]:
    """Points in fractions of the frame, from (x, y) in scaled pixels; they may lie outside."""
    height, width = like.shape[:2]
    return tuple(Point(float(x), float(y)) for x, y in points / scale / (width, height))


def distinct(
    corners: NDArray[Any], scores: NDArray[Any], kinds: NDArray[Any] | None, overlap: float
) -> list[int]:
    """The surest of each group of boxes of a kind that overlap by more (IoU), the surest first."""
    if not len(corners):
        return []
    boxes = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]]).astype(np.float64)
    ids = np.zeros(len(boxes), np.int32) if kinds is None else kinds.astype(np.int32)
    kept = cv2.dnn.NMSBoxesBatched(
        boxes.tolist(), scores.astype(np.float64).tolist(), ids.tolist(), 0.0, overlap
    )
    return sorted((int(index) for index in np.ravel(kept)), key=lambda i: -float(scores[i]))
