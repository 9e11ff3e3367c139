"""Shadows taken out of what is new, noise and holes with them.

A cast shadow dims the background and leaves its texture and its colour: the ratio of the picture to
the background is below one, smooth, and the same in all channels. A dark thing hides the texture.
What is enclosed by a thing belongs to it, so a grey car keeps its bonnet.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from workloads.video_analytics.vision import geometry
from workloads.video_analytics.vision.model import Image

Floats = NDArray[np.float32]

_DIMMEST, _BRIGHTEST = 0.45, 0.97
_FLAT_DIMMEST = 0.55  # without texture to prove it, only a mild shadow is believed
_CHROMA = 0.07
_SMOOTH = 0.035  # standard deviation of the ratio within a shadow,
_NOISE = 3.5  # and the grey levels of noise in it
_WINDOW = (5, 5)
_AROUND = 6  # pixels that the windows see around what is new
_LARGE = 240 * 130  # pixels; smaller pictures have smaller things in them


def without_shadows(raw: Image, picture: Image, mean: Floats) -> Image:
    """What is new and is no shadow, cleaned: 255, else 0.

    Args:
        raw: what differs from the background.
        picture, mean: of now and of the background, grey or BGR.
    """
    raw = np.asarray(cv2.medianBlur(raw, 3), np.uint8)  # single pixels are noise
    grown = geometry.around(raw, _AROUND)
    if not raw[grown].size:
        return raw
    part = np.zeros_like(raw)
    new, dim, proven = _shade(raw[grown], picture[grown], mean[grown])
    sure = _cleaned(np.asarray((new & ~dim) * np.uint8(255), np.uint8), raw.size)
    thing = _filled(sure)
    part[grown] = thing | _loose(dim & ~proven, thing, raw.size)
    return part


def _shade(
    raw: Image, picture: Image, mean: Floats
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """New, dimmed like a shadow, and dimmed with the texture of the background to prove it."""
    new = raw > 0
    weight = new.astype(np.float32)
    share = cv2.blur(weight, _WINDOW) + np.float32(1e-6)
    ratio = (picture.astype(np.float32) + 2) / (mean + 2)
    chroma_same: NDArray[np.bool_] | bool = True
    if ratio.ndim == 3:  # noqa: PLR2004 - colour
        one, two, three = cv2.split(ratio)
        most_of = cv2.max(cv2.max(one, two), three)
        least_of = cv2.min(cv2.min(one, two), three)
        chroma_same = (most_of - least_of) < 2 * _CHROMA
        ratio, mean = (one + two + three) / 3, _luma(mean)
    ratio *= weight  # what is not new tells nothing of a shadow
    local = cv2.blur(ratio, _WINDOW) / share
    spread = cv2.blur(ratio * ratio, _WINDOW) / share - local * local
    ground = cv2.blur(mean, _WINDOW)
    texture = cv2.blur(mean * mean, _WINDOW) - ground * ground
    most = _SMOOTH + _NOISE / (ground + 2)
    smooth = new & (spread < most * most) & (local < _BRIGHTEST) & chroma_same
    textured = texture > (2 * most * ground) ** 2
    proven = smooth & textured & (local > _DIMMEST)
    dim = proven | (smooth & (local > _FLAT_DIMMEST))
    # The windows at its rim see the thing beside it: what is as dim as the shadow next to it is it.
    beside = cv2.dilate(np.where(dim, local, np.float32(0)), np.ones(_WINDOW, np.uint8))
    dim |= new & (np.abs(ratio - beside) < most) & (beside > 0)
    return new, dim, proven


def _loose(dim: NDArray[np.bool_], thing: Image, pixels: int) -> Image:
    """Dimmed patches that touch no thing and nothing proves to be shadows: dark things."""
    mask = _cleaned(np.asarray(dim * np.uint8(255), np.uint8), pixels)
    if not cv2.countNonZero(mask):
        return mask
    count, labels = cv2.connectedComponents(mask)
    near = cv2.dilate(thing, np.ones((5, 5), np.uint8)) > 0
    touching = np.unique(labels[near])
    keep = np.ones(count, bool)
    keep[touching] = False
    keep[0] = False
    return np.asarray(keep[labels] * np.uint8(255), np.uint8)


def _cleaned(mask: Image, pixels: int) -> Image:
    """Without single pixels, small gaps closed."""
    mask = np.asarray(cv2.medianBlur(mask, 5 if pixels > _LARGE else 3), np.uint8)
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)), np.uint8)


def _filled(mask: Image) -> Image:
    """With its holes filled."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = np.zeros_like(mask)
    cv2.drawContours(whole, outlines, -1, 255, cv2.FILLED)
    return whole


def _luma(picture: Floats) -> Floats:
    """Brightness after ITU-R BT.601."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.float32)
