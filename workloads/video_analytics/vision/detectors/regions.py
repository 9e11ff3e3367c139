"""Polygons of rules as masks of pixels, and pictures as planes."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from workloads.video_analytics.vision import geometry
from workloads.video_analytics.vision.detectors.two_speeds import Mask
from workloads.video_analytics.vision.model import Image, Point
from workloads.video_analytics.vision.ports import Sight


def field_mask(
    points: Sequence[Point], hidden: Iterable[Sequence[Point]], size: tuple[int, int]
) -> Mask:
    """Where a rule looks: within its polygon (none: everywhere), without what is hidden.

    Args:
        points: fractions of the frame.
        hidden: polygons that are never analysed.
        size: width and height of the mask in pixels.
    """
    shape = (size[1], size[0])
    found: Mask = geometry.mask(points, shape) > 0
    for polygon in hidden:
        if len(polygon) > 2:  # noqa: PLR2004 - no polygon
            found &= geometry.mask(polygon, shape) == 0
    return found


def planes_of(sight: Sight) -> list[Image]:
    """Brightness, and where there is colour also both differences of colour."""
    if sight.frame.colour is None:
        return [sight.luma]
    high, wide = sight.luma.shape
    small = sight.frame.colour
    if small.shape[:2] != (high, wide):
        small = np.asarray(cv2.resize(small, (wide, high), interpolation=cv2.INTER_AREA), np.uint8)
    parts = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2YCrCb), np.uint8)
    return [sight.luma, parts[:, :, 1], parts[:, :, 2]]
