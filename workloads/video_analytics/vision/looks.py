"""How a camera's picture is: dark, blurred, moved or frozen, against what it used to be."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from workloads.video_analytics.vision.gate import PIXELS, small
from workloads.video_analytics.vision.model import Image, Look

Floats = NDArray[np.float32]

_EVERY_SECONDS = 1.0
_LEARNING = 5  # looks before there is anything to compare with
_KEEPS_SECONDS = 300.0  # how slowly the memory of the normal picture follows
_ADOPTED_SECONDS = 120.0  # another view for so long is the view
_FREE_SHARE = 0.3
_LIT = 0.05  # of the picture is brighter than the dark level
_NORMAL = 4.16  # 99.5th to 50th percentile of the absolute value of normal noise


@dataclass(frozen=True, slots=True)
class Limits:
    """From where a picture is not fine; as the parameters of the tampering rule."""

    dark_level: float = 24.0
    sharpness_percent: float = 30.0
    likeness_percent: float = 35.0
    frozen_seconds: float = 30.0


class Looker:
    """Judges the picture about once a second."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._next = 0.0
        self._looks = 0
        self._sharpness = 0.0
        self._outline: Floats | None = None
        self._last: Image | None = None
        self._changed_at: float | None = None
        self._other_since: float | None = None
        self._found = frozenset[Look]()

    def look(self, luma: Image, foreground: Image, at: float) -> frozenset[Look]:
        """What is wrong now; empty when it is fine.

        Args:
            luma, foreground: of the same size; ``foreground`` is 0 where the background is.
            at: seconds.
        """
        self._frozen(luma, at)
        if at >= self._next or at < self._next - 10 * _EVERY_SECONDS:
            self._next = at + _EVERY_SECONDS
            self._found = self._judge(luma, foreground, at)
        frozen = self._changed_at is not None and (
            at - self._changed_at >= self._limits.frozen_seconds
        )
        return self._found | {Look.FROZEN} if frozen else self._found

    def _frozen(self, luma: Image, at: float) -> None:
        """Note when the picture was last not exactly the same; every camera has some noise."""
        last = self._last
        same = last is not None and last.shape == luma.shape and np.array_equal(last, luma)
        if not same or self._changed_at is None or at < self._changed_at:
            self._changed_at = at
            self._last = luma

    def _judge(self, luma: Image, foreground: Image, at: float) -> frozenset[Look]:
        picture = small(luma, PIXELS)
        if np.count_nonzero(picture >= self._limits.dark_level) <= _LIT * picture.size:
            return frozenset({Look.DARK})
        soft = np.asarray(cv2.GaussianBlur(picture, (3, 3), 0), np.uint8)
        sharpness, outline = _sharpness(soft), _outline(soft)
        if self._outline is None or self._outline.shape != outline.shape:
            self._outline, self._sharpness, self._looks = outline, sharpness, 0
        self._looks += 1
        blurred = 100 * sharpness < self._limits.sharpness_percent * self._sharpness
        free = _free(foreground, outline.shape)
        moved = 100 * _likeness(outline, self._outline, free) < self._limits.likeness_percent
        known = self._looks > _LEARNING
        wrong = (blurred or moved) and known
        self._remember(outline, sharpness, at, wrong=wrong)
        if not wrong:
            return frozenset()
        return frozenset({Look.BLURRED if blurred else Look.MOVED})

    def _remember(self, outline: Floats, sharpness: float, at: float, *, wrong: bool) -> None:
        """Follow the normal picture slowly; take another one for normal when it stays."""
        if wrong:
            self._other_since = at if self._other_since is None else self._other_since
            if at - self._other_since >= _ADOPTED_SECONDS:
                self._outline, self._sharpness, self._looks = outline, sharpness, 0
            return
        self._other_since = None
        rate = max(1 / (self._looks + 1), _EVERY_SECONDS / _KEEPS_SECONDS)
        if self._outline is not None:
            cv2.accumulateWeighted(outline, self._outline, rate)
        self._sharpness += rate * (sharpness - self._sharpness)

    def memory(self) -> dict[str, object]:
        """The normal picture."""
        outline = None if self._outline is None else self._outline.astype(np.float16)
        return {"outline": outline, "sharpness": self._sharpness, "looks": self._looks}

    def recall(self, memory: dict[str, object]) -> None:
        """Go on with another one's; what does not fit is ignored."""
        outline, sharpness, looks = (memory.get(n) for n in ("outline", "sharpness", "looks"))
        fits = isinstance(outline, np.ndarray) and outline.ndim == 2 and outline.size  # noqa: PLR2004
        if fits and isinstance(sharpness, float) and isinstance(looks, int):
            self._outline = np.array(outline, np.float32)
            self._sharpness, self._looks = sharpness, looks


def _sharpness(soft: Image) -> float:
    """How much detail there is beyond the noise, for its brightness.

    Noise is the same all over, detail is not: what the strongest two hundredth of the picture
    has more than noise with the median's strength would have.
    """
    detail = cv2.convertScaleAbs(cv2.Laplacian(soft, cv2.CV_16S))
    # Whole numbers: counting them is quicker than sorting.
    upto = np.cumsum(cv2.calcHist([detail], [0], None, [256], [0, 256]))
    usual, strong = np.searchsorted(upto, (0.5 * detail.size, 0.995 * detail.size))
    return max(0.0, float(strong) - _NORMAL * float(usual)) / (cv2.mean(soft)[0] + 16)


def _outline(soft: Image) -> Floats:
    """Where edges are, roughly; strong light counts no more than weak."""
    across = cv2.Sobel(soft, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    strength = cv2.sqrt(cv2.magnitude(across, down))
    return np.asarray(cv2.GaussianBlur(strength, (5, 5), 0), np.float32)


def _free(foreground: Image, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where nothing stands before the background."""
    size = (shape[1], shape[0])
    return np.asarray(cv2.resize(foreground, size, interpolation=cv2.INTER_NEAREST) == 0)


def _likeness(outline: Floats, usual: Floats, free: NDArray[np.bool_]) -> float:
    """Correlation of two outlines where nothing stands in the way, −1 to 1."""
    there = np.count_nonzero(free)
    whole = there == free.size or there < _FREE_SHARE * free.size
    now, then = (outline, usual) if whole else (outline[free], usual[free])
    now, then = now - now.mean(), then - then.mean()
    scale = cv2.norm(now) * cv2.norm(then)
    return float(np.vdot(now, then)) / scale if scale > 1e-6 else 1.0  # noqa: PLR2004 - flat
