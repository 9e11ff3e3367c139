"""The name of a thing's main colour, for searches such as "a red car"."""

import cv2
import numpy as np

from workloads.video_analytics.vision.model import Image

NAMES = (
    "black", "grey", "white", "red", "orange", "brown", "yellow", "green", "cyan", "blue",
    "purple", "pink",
)  # fmt: skip

_HUES = (  # upper bounds in OpenCV's half degrees, and the name below each
    (8, "red"), (20, "orange"), (34, "yellow"), (84, "green"), (98, "cyan"), (128, "blue"),
    (148, "purple"), (170, "pink"), (181, "red"),
)  # fmt: skip
_BLACK, _WHITE = 50, 170
_PALE = 45  # saturation below which there is no hue
_PALE_DARK = 70  # dark pixels seem more saturated than they are
_BROWN = 140
_LEAST = 12  # pixels
_HUE_WEIGHS = 2.0  # glass and tyres are grey on every car


def shares(colour: Image, where: Image) -> np.ndarray:
    """How much of each name of ``NAMES`` there is, hues counting double.

    Args:
        colour: BGR.
        where: not 0 on the thing; the same size.
    """
    pixels = colour[where > 0]
    if len(pixels) < _LEAST:
        return np.zeros(len(NAMES))
    hsv = cv2.cvtColor(pixels[None], cv2.COLOR_BGR2HSV)[0].astype(np.int16)
    hue, saturation, value = hsv[:, 0], hsv[:, 1], hsv[:, 2]
    bounds = np.array([bound for bound, _ in _HUES])
    names = np.array([NAMES.index(name) for _, name in _HUES])
    found = names[np.searchsorted(bounds, hue, side="right")]
    brown = (found == NAMES.index("orange")) & (value < _BROWN)
    found = np.where(brown, NAMES.index("brown"), found)
    pale = saturation < np.where(value < 2 * _BLACK, _PALE_DARK, _PALE)
    greys = np.where(value > _WHITE, NAMES.index("white"), NAMES.index("grey"))
    found = np.where(pale, greys, found)
    found = np.where(value < _BLACK, NAMES.index("black"), found)
    counts = np.bincount(found, minlength=len(NAMES)).astype(float)
    counts[NAMES.index("red") :] *= _HUE_WEIGHS
    return np.asarray(counts / len(pixels))


def name(found: np.ndarray) -> str:
    """The name with the largest share; empty when there is none."""
    return NAMES[int(np.argmax(found))] if found.any() else ""
