"""Shadows taken out of what is new, noise and holes with them.

A cast shadow dims the background and leaves its texture and its colour: the ratio of the picture to
the background is below one, smooth, and the same in all channels. A dark thing hides the texture.
What is enclosed by a thing belongs to it, so a grey car keeps its bonnet.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from workloads.video_analytics.vision.model import Image

Floats = NDArray[np.float32]

_DIMMEST, _BRIGHTEST = 0.45, 0.97
_FLAT_DIMMEST = 0.55  # without texture to prove it, only a mild shadow is believed
_CHROMA = 0.07
_SPREAD = 0.05
_WINDOW = (5, 5)
_TEXTURE = 2.5  # grey levels: less is noise
_LIKE = 0.55
_LARGE = 240 * 130  # pixels; smaller pictures have smaller things in them


def without_shadows(raw: Image, picture: Image, mean: Floats, held: Image) -> Image:
    """What is new and is no shadow, cleaned: 255, else 0.

    Args:
        raw: what differs from the background.
        picture, mean: of now and of the background, grey or BGR.
        held: where things are known to stand; there is no shadow.
    """
    raw = np.asarray(cv2.medianBlur(raw, 3), np.uint8)  # single pixels are noise
    box = cv2.boundingRect(raw)
    if not box[2] or not box[3]:
        return raw
    grown = _grown(box, raw.shape)
    part = np.zeros_like(raw)
    new, dim, proven = _shade(raw[grown], picture[grown], mean[grown])
    dim &= held[grown] == 0
    proven &= dim
    sure = _cleaned(np.asarray((new & ~dim) * np.uint8(255), np.uint8), raw.size)
    thing = _filled(sure)
    part[grown] = thing | _loose(dim & ~proven, thing, raw.size)
    return part


def _shade(
    raw: Image, picture: Image, mean: Floats
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """New, dimmed like a shadow, and dimmed with the texture of the background to prove it."""
    new = raw > 0
    ratio = (picture.astype(np.float32) + 2) / (mean + 2)
    chroma_same: NDArray[np.bool_] | bool = True
    if ratio.ndim == 3:  # noqa: PLR2004 - colour
        whole = ratio.mean(axis=2)
        chroma_same = (ratio.max(axis=2) - ratio.min(axis=2)) < 2 * _CHROMA
        grey_now, grey_then = _luma(picture.astype(np.float32)), _luma(mean)
    else:
        whole = ratio
        grey_now, grey_then = picture.astype(np.float32), mean
    local = cv2.blur(whole, _WINDOW)
    spread = cv2.blur(whole * whole, _WINDOW) - local * local
    now_mean, then_mean = cv2.blur(grey_now, _WINDOW), cv2.blur(grey_then, _WINDOW)
    both = cv2.blur(grey_now * grey_then, _WINDOW) - now_mean * then_mean
    now_var = np.maximum(cv2.blur(grey_now * grey_now, _WINDOW) - now_mean**2, 1e-3)
    then_var = np.maximum(cv2.blur(grey_then * grey_then, _WINDOW) - then_mean**2, 1e-3)
    like = both / np.sqrt(now_var * then_var)
    textured = then_var > _TEXTURE**2
    proven = textured & (like > _LIKE) & (local > _DIMMEST) & (local < _BRIGHTEST)
    flat = ~textured & (spread < _SPREAD**2) & (local > _FLAT_DIMMEST) & (local < _BRIGHTEST)
    dim = new & (proven | flat) & chroma_same
    return new, dim, proven & dim


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


def _grown(box: Sequence[int], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The part of the picture around a box, a little larger than it."""
    left, top, width, height = box
    return (
        slice(max(0, top - 6), min(shape[0], top + height + 6)),
        slice(max(0, left - 6), min(shape[1], left + width + 6)),
    )


def _luma(picture: Floats) -> Floats:
    """Brightness after ITU-R BT.601."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.float32)
