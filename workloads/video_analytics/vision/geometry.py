"""Lines and polygons in the frame; positions are fractions of its width and height."""

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from workloads.video_analytics.vision.model import Image, Point

Array = NDArray[np.float64]


def mask(polygon: Sequence[Point], shape: tuple[int, ...]) -> Image:
    """255 inside the polygon, 0 else; everything when there is no polygon.

    Args:
        polygon: three points or more, or none.
        shape: height and width of the picture.
    """
    height, width = shape[:2]
    if len(polygon) < 3:  # noqa: PLR2004 - no area
        return np.full((height, width), 255, np.uint8)
    found = np.zeros((height, width), np.uint8)
    corners = np.array([(x * width - 0.5, y * height - 0.5) for x, y in polygon])
    fine = np.round(np.clip(corners, -32_000, 32_000) * 16).astype(np.int32)
    cv2.fillPoly(found, [fine], 255, shift=4)
    return found


def masked(image: Image, polygons: Sequence[Sequence[Point]]) -> Image:
    """A copy of a picture, grey or colour, with polygons made black; itself when there are none."""
    found = image
    for polygon in polygons:
        if len(polygon) < 3:  # noqa: PLR2004 - no area
            continue
        if found is image:
            found = image.copy()
        found[mask(polygon, image.shape) > 0] = 0
    return found


def around(mask: Image, margin: int) -> tuple[slice, slice]:
    """Rows and columns of the least part of a mask that holds all of it, and a margin around.

    Args:
        mask: 0 where there is nothing; of nothing at all the part is empty.
        margin: pixels, as far as the picture goes.
    """
    left, top, width, height = cv2.boundingRect(mask)
    if not width or not height:
        return slice(0, 0), slice(0, 0)
    return (
        slice(max(0, top - margin), min(mask.shape[0], top + height + margin)),
        slice(max(0, left - margin), min(mask.shape[1], left + width + margin)),
    )


def inside(point: Point, polygon: Sequence[Point]) -> bool:
    """Whether a point is in a polygon (even-odd rule); anything is, when there is no polygon."""
    if len(polygon) < 3:  # noqa: PLR2004 - no area
        return True
    within = False
    before = polygon[-1]
    for here in polygon:
        if (here.y > point.y) != (before.y > point.y):
            across = (before.x - here.x) * (point.y - here.y) / (before.y - here.y) + here.x
            within ^= point.x < across
        before = here
    return within


def distance(point: Point, line: Sequence[Point], aspect: float) -> float:
    """From a point to the nearest place of a line, in heights of the frame.

    Args:
        aspect: the frame's width divided by its height.
    """
    scale = np.array([aspect, 1.0])
    here = np.array(point) * scale
    start, end = np.array(line[:-1]) * scale, np.array(line[1:]) * scale
    along = end - start
    length = np.maximum((along**2).sum(axis=1), 1e-12)
    part = np.clip(((here - start) * along).sum(axis=1) / length, 0, 1)
    nearest = start + part[:, None] * along
    return float(np.sqrt(((here - nearest) ** 2).sum(axis=1)).min())


def crossing(before: Point, after: Point, line: Sequence[Point]) -> int:
    """Which way a step crosses a line: 1 to its right as drawn, −1 to its left, 0 not at all.

    A step that crosses a bent line there and back crosses it not at all.
    """
    total = 0
    for start, end in itertools.pairwise(line):
        from_side, to_side = _side(start, end, before), _side(start, end, after)
        if (from_side > 0) == (to_side > 0):
            continue
        if (_side(before, after, start) > 0) != (_side(before, after, end) > 0):
            total += 1 if to_side > 0 else -1
    return (total > 0) - (total < 0)


def _side(start: Point, end: Point, point: Point) -> float:
    """Positive to the right of start → end, with y going down."""
    return (end.x - start.x) * (point.y - start.y) - (end.y - start.y) * (point.x - start.x)
