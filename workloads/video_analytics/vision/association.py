"""Which box belongs to which track: overlap and the assignment of least cost."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Array = NDArray[np.float64]
Index = NDArray[np.intp]


def overlap(ones: Array, others: Array) -> Array:
    """Intersection over union of each with each; boxes are left, top, width, height."""
    if not len(ones) or not len(others):
        return np.zeros((len(ones), len(others)))
    start = np.maximum(ones[:, None, :2], others[None, :, :2])
    end = np.minimum(
        ones[:, None, :2] + ones[:, None, 2:], others[None, :, :2] + others[None, :, 2:]
    )
    both = np.prod(np.maximum(end - start, 0), axis=2)
    areas = np.prod(ones[:, 2:], axis=1)[:, None] + np.prod(others[:, 2:], axis=1)[None]
    return np.asarray(both / np.maximum(areas - both, 1e-12))


def buffered(boxes: Array, by: float) -> Array:
    """Boxes made larger on each side by a share of their size."""
    found = np.array(boxes, dtype=np.float64)
    found[:, :2] -= by * found[:, 2:]
    found[:, 2:] *= 1 + 2 * by
    return found


def assign(likeness: Array, least: float) -> tuple[Index, Index]:
    """The pairs (row, column) of the greatest summed likeness, none below ``least``."""
    if not likeness.size:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    allowed = likeness >= least
    cost = np.where(allowed, 1 - likeness, 1e6)
    rows, columns = linear_sum_assignment(cost)
    good = allowed[rows, columns]
    return rows[good].astype(np.intp), columns[good].astype(np.intp)


def suppressed(boxes: Array, scores: Array, most: float) -> Index:
    """Non-maximum suppression: of two that overlap by more than ``most`` the better one."""
    order = np.argsort(-scores, kind="stable")
    shared = overlap(boxes, boxes)
    kept: list[int] = []
    for each in order:  # boxes of a frame: tens
        if not kept or shared[each, kept].max() <= most:
            kept.append(int(each))
    return np.array(kept, np.intp)
