"""From a mask to boxes: the connected things in it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from workloads.video_analytics.vision import geometry
from workloads.video_analytics.vision.model import Image

Boxes = NDArray[np.float64]  # n × 4: left, top, width, height in pixels

_LEAST_SHARE = 0.0004  # of the picture; smaller is noise
_LEAST_PIXELS = 12
_MOST = 200
_JOIN = 2  # pixels on each side: parts of one thing that nearly touch


def find(mask: Image) -> tuple[Boxes, NDArray[np.float64]]:
    """The boxes of things in a mask, and for each a score of 0.3 to 0.95.

    Larger and fuller ones are surer. At most 200, the largest; parts that nearly touch are one.
    """
    rows, columns = geometry.around(mask, _JOIN)
    part = mask[rows, columns]
    if not part.size:
        return np.empty((0, 4)), np.empty(0)
    kernel = np.ones((2 * _JOIN + 1, 2 * _JOIN + 1), np.uint8)
    joined = cv2.dilate(part, kernel)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, ltype=cv2.CV_16U)
    stats[:, :2] += (columns.start, rows.start)
    filled = np.bincount(labels[part > 0], minlength=count)[1:]
    boxes = stats[1:, :4].astype(np.float64)
    height, width = mask.shape
    right = np.minimum(boxes[:, 0] + boxes[:, 2] - _JOIN, width)
    bottom = np.minimum(boxes[:, 1] + boxes[:, 3] - _JOIN, height)
    boxes[:, 0] = np.where(boxes[:, 0] > 0, boxes[:, 0] + _JOIN, 0)
    boxes[:, 1] = np.where(boxes[:, 1] > 0, boxes[:, 1] + _JOIN, 0)
    right = np.where(stats[1:, 0] + stats[1:, 2] >= width, width, right)
    bottom = np.where(stats[1:, 1] + stats[1:, 3] >= height, height, bottom)
    boxes[:, 2], boxes[:, 3] = right - boxes[:, 0], bottom - boxes[:, 1]
    least = max(_LEAST_PIXELS, _LEAST_SHARE * mask.size)
    kept = np.flatnonzero((filled >= least) & (boxes[:, 2] > 1) & (boxes[:, 3] > 1))
    kept = kept[np.argsort(-filled[kept])][:_MOST]
    boxes, filled = boxes[kept], filled[kept]
    full = filled / (boxes[:, 2] * boxes[:, 3])
    score = 0.3 + 0.35 * np.minimum(filled / (4 * least), 1) + 0.3 * np.minimum(full / 0.6, 1)
    return boxes, score
