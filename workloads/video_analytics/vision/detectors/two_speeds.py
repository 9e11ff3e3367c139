"""Two backgrounds of different speeds: new to the slow one and known to the quick one stands still.

The slow background learns from what is background alone, so that a thing that was put down stays
new until it is told to be known (Porikli, "Detection of temporarily static regions by processing
video at different frame rates", AVSS 2007, had both learn blindly; then a thing melts away in
minutes). Local light is taken out first: the median ratio of neighbouring blocks, which follows a
cloud and not a bag.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workloads.video_analytics.vision.model import Image

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: Seconds: how fast the backgrounds follow, and how long the first one is learnt. The slow one is
#: quick where nothing is new: a cloud comes by small steps, which it follows; a thing at once.
QUICK_SECONDS = 1.2
SLOW_SECONDS = 4.0
#: Where the ground is only recognised in another light, which a thing may be mistaken for.
RELIT_SECONDS = 20.0
#: New for so long, it is no light that has just come.
FIRM_SECONDS = 1.5
NOISE_SECONDS = 30.0
STAY_SECONDS = 3.0
RESTLESS_SECONDS = 180.0
LEARN_SECONDS = 4.0
RELEARN_SECONDS = 2.0
#: Pixels beside what stands in which nothing is learnt.
BESIDE = 3
#: Seconds of motion, without a rest, from which the background below is not what it was.
STALE_SECONDS = 10.0
#: Share of the picture that is new at once when not things but the picture itself has changed.
UPHEAVAL = 0.45
UPHEAVAL_SECONDS = 1.0
#: Grey levels of difference that noise alone never makes, and of colour.
LEAST_STEP = 7.0
CALM_STEP = 4.0
COLOUR_STEP = 11.0
#: The longest step of time that a picture stands for, seconds; a gap in the stream is no evidence.
LONGEST_STEP = 2.0
#: Grey levels: what differs by more is no noise; a deviation is this much more than a mean
#: difference.
_NOISIEST, _DEVIATION = 20.0, 1.25
_SMALL = np.ones((3, 3), np.uint8)
#: Share of new pixels from which it is asked whether they are old ones in another light.
_FEW = 0.004
#: Grey levels: the least texture by which ground can be recognised, and how alike it must be then.
_TEXTURE = 2.0
_ALIKE = 0.75
#: Blocks across and down in which the light is compared, and pixels taken of each either way.
_BLOCKS = (16, 9)
_SAMPLES = 10


@dataclass(frozen=True, slots=True)
class Layers:
    """What a picture is against both backgrounds.

    Attributes:
        new: differs from the slow background.
        calm: is as it was a moment ago.
        held: seconds for which a pixel was new and calm.
        presence: 0 to 1: how much of the last seconds a pixel was new.
        ground: the slow background in the present light, a plane per channel.
        planes: the present picture.
        noise: deviation per pixel, grey levels.
    """

    new: Mask
    calm: Mask
    held: Plane
    presence: Plane
    ground: Sequence[Plane]
    planes: Sequence[Plane]
    noise: Plane


class TwoSpeeds:
    """Both backgrounds of one camera. Times are seconds on any clock that does not go back.

    Args:
        restless_seconds: how slowly what never comes to rest, such as leaves, becomes background.
    """

    def __init__(self, restless_seconds: float = RESTLESS_SECONDS) -> None:
        self._restless = restless_seconds
        self._at: float | None = None
        self._learning: list[Sequence[Plane]] = []
        self._learnt_from = 0.0
        self._learn_for = LEARN_SECONDS
        self._slow: list[Plane] = []
        self._quick: list[Plane] = []
        self._upheaval = 0.0
        #: Grows whenever the slow background was learnt anew.
        self.learnt = 0
        self._noise: Plane = np.empty((0, 0), np.float32)
        self._held: Plane = np.empty((0, 0), np.float32)
        self._stale: Plane = np.empty((0, 0), np.float32)
        self._presence: Plane = np.empty((0, 0), np.float32)
        self.known_since: NDArray[np.float64] = np.empty((0, 0))

    def feed(self, at: float, pictures: Sequence[Image]) -> Layers | None:
        """Look at a picture, a plane per channel; None while it learns."""
        planes = [cv2.GaussianBlur(one, (3, 3), 0).astype(np.float32) for one in pictures]
        step = 0.0 if self._at is None else max(0.0, min(at - self._at, LONGEST_STEP))
        self._at = at
        if self._slow and (
            len(planes) != len(self._slow) or planes[0].shape != self._slow[0].shape
        ):
            self._slow = []
        if not self._slow or self._learning:
            self._learn(at, planes)
            return None
        return self._compare(at, step, planes)

    def _learn(self, at: float, planes: Sequence[Plane]) -> None:
        if not self._learning:
            self._learnt_from = at
        if len(self._learning) < 24:  # noqa: PLR2004 - enough for a median, and bounded
            self._learning.append(planes)
        if at - self._learnt_from < self._learn_for or len(self._learning) < 5:  # noqa: PLR2004
            return
        count = len(planes)
        stacks = [np.stack([sample[n] for sample in self._learning]) for n in range(count)]
        self._slow = [np.median(stack, axis=0).astype(np.float32) for stack in stacks]
        self._quick = [plane.copy() for plane in planes]
        shape = planes[0].shape
        self._noise = np.full(shape, 1.5, np.float32)
        self._held = np.zeros(shape, np.float32)
        self._stale = np.zeros(shape, np.float32)
        self._presence = np.zeros(shape, np.float32)
        if self.known_since.shape != shape:
            self.known_since = np.full(shape, -np.inf)
        self._learning = []
        self._learn_for = RELEARN_SECONDS
        self.learnt += 1
        self._upheaval = 0.0

    def _light(self, luma: Plane) -> Plane:
        """How much brighter each place is than the slow background."""
        size = (_SAMPLES * _BLOCKS[0], _SAMPLES * _BLOCKS[1])
        now, before = (
            cv2.resize(plane, size, interpolation=cv2.INTER_NEAREST)
            for plane in (luma, self._slow[0])
        )
        ratio = (now + 4.0) / (before + 4.0)
        blocks = ratio.reshape(_BLOCKS[1], _SAMPLES, _BLOCKS[0], _SAMPLES).transpose(0, 2, 1, 3)
        middle = np.median(blocks.reshape(_BLOCKS[1], _BLOCKS[0], -1), axis=2).astype(np.float32)
        # Over five by five blocks: a thing smaller than half of that does not pass for light.
        smooth = cv2.blur(cv2.medianBlur(middle, 5), (3, 3))
        wide = cv2.resize(smooth, (luma.shape[1], luma.shape[0]), interpolation=cv2.INTER_LINEAR)
        found: Plane = np.clip(wide, 0.4, 2.5)
        return found

    def _compare(self, at: float, step: float, planes: Sequence[Plane]) -> Layers | None:
        gain = self._light(planes[0])
        ground = lit(self._slow, gain)
        limit = LEAST_STEP + 3.5 * self._noise
        other: Mask = cv2.absdiff(planes[0], ground[0]) > limit
        # A pixel's shake of the camera is no change: compared with the neighbours' range.
        over = planes[0] - cv2.dilate(ground[0], _SMALL)
        under = cv2.erode(ground[0], _SMALL) - planes[0]
        new: Mask = np.maximum(over, under) > limit
        for plane, known in zip(planes[1:], ground[1:], strict=True):
            tinted = cv2.absdiff(plane, known) > COLOUR_STEP
            other |= tinted
            new |= tinted
        if float(new.mean()) > _FEW:
            new &= ~relit(planes, ground)
        # What has been new for a while stays so as long as it differs: the rim of a thing is mixed
        # with the ground, and would be learnt from there inwards.
        new |= other & (self._held > FIRM_SECONDS)
        calm: Mask = np.abs(planes[0] - self._quick[0]) < CALM_STEP + 3.5 * self._noise
        if float(new.mean()) > UPHEAVAL:
            self._upheaval += step
            if self._upheaval >= UPHEAVAL_SECONDS:
                self._learning, self._learnt_from = [planes], at
            return None
        self._upheaval = 0.0
        self._follow(step, planes, ground, other, new, calm)
        return Layers(new, calm, self._held, self._presence, ground, planes, self._noise)

    def _follow(
        self,
        step: float,
        planes: Sequence[Plane],
        ground: Sequence[Plane],
        other: Mask,
        new: Mask,
        calm: Mask,
    ) -> None:
        # Who stands sways by small steps, as light comes; nothing is learnt beside what stands.
        beside = grown(self._held > FIRM_SECONDS, BESIDE)
        moving = (new & ~calm).view(np.uint8)
        known, alike = (~other & ~beside).view(np.uint8), (other & ~new & ~beside).view(np.uint8)
        covered = (new | beside).view(np.uint8)
        follows, restless = _share(step, SLOW_SECONDS), _share(step, self._restless)
        off = np.minimum(cv2.absdiff(planes[0], self._slow[0]), _NOISIEST) * _DEVIATION
        cv2.accumulateWeighted(off, self._noise, _share(step, NOISE_SECONDS), (~new).view(np.uint8))
        for kept, recent, plane, under in zip(self._slow, self._quick, planes, ground, strict=True):
            cv2.accumulateWeighted(under, kept, follows, covered)  # the light around it
            cv2.accumulateWeighted(plane, kept, follows, known)
            cv2.accumulateWeighted(plane, kept, _share(step, RELIT_SECONDS), alike)
            cv2.accumulateWeighted(plane, kept, restless, moving)
            cv2.accumulateWeighted(plane, recent, _share(step, QUICK_SECONDS))
        np.add(self._held, step, out=self._held, where=new & calm)
        np.multiply(self._held, 0.35**step, out=self._held, where=~new)
        cv2.accumulateWeighted(new.astype(np.float32), self._presence, _share(step, STAY_SECONDS))
        self._grow_stale(step, moving.view(np.bool_), ~new)

    def _grow_stale(self, step: float, moving: Mask, known: Mask) -> None:
        """Where somebody moved for long, the background has taken on something of them."""
        np.add(self._stale, step, out=self._stale, where=moving)
        np.multiply(self._stale, math.exp(-step / SLOW_SECONDS), out=self._stale, where=known)
        if self._at is not None:
            self.known_since[self._stale > STALE_SECONDS] = self._at

    @property
    def luma(self) -> Plane:
        """The slow background's brightness."""
        return self._slow[0]

    def unknow(
        self, where: tuple[slice, slice], mask: Mask, ground: Sequence[Plane], held: float
    ) -> None:
        """What is there now is no background: that is the ground below it, new for so long."""
        if len(ground) != len(self._slow):
            return
        for kept, patch in zip(self._slow, ground, strict=True):
            kept[where][mask] = patch[mask]
        self._held[where][mask] = held

    def know(self, where: Mask) -> None:
        """What is there now belongs to the background from here on."""
        for kept, recent in zip(self._slow, self._quick, strict=True):
            kept[where] = recent[where]
        self._held[where] = 0.0
        self._presence[where] = 0.0
        if self._at is not None:
            self.known_since[where] = self._at

    def memory(self) -> dict[str, object]:
        """The slow background, for another worker."""
        return {
            "slow": [np.clip(plane, 0, 255).astype(np.uint8) for plane in self._slow],
            "known_since": self.known_since,
        }

    def recall(self, memory: dict[str, object]) -> bool:
        """Go on with a background; False if it is nonsense."""
        slow, since = memory.get("slow"), memory.get("known_since")
        if not isinstance(slow, list) or not slow or not isinstance(since, np.ndarray):
            return False
        if any(not isinstance(p, np.ndarray) or p.shape != since.shape for p in slow):
            return False
        if since.ndim != 2:  # noqa: PLR2004 - a picture
            return False
        self._slow = [plane.astype(np.float32) for plane in slow]
        self._quick = [plane.copy() for plane in self._slow]
        self._noise = np.full(since.shape, 2.0, np.float32)
        self._held = np.zeros(since.shape, np.float32)
        self._stale = np.zeros(since.shape, np.float32)
        self._presence = np.zeros(since.shape, np.float32)
        self.known_since = since.astype(np.float64)
        self._learning = []
        return True


def _share(step: float, seconds: float) -> float:
    """The weight of what is new after a step of time."""
    return 1 - math.exp(-step / seconds)


def grown(mask: Mask, pixels: int = 1) -> Mask:
    """A mask and as many pixels around it."""
    return _mask(cv2.dilate(mask.view(np.uint8), _SMALL, iterations=pixels))


def shrunk(mask: Mask) -> Mask:
    """A mask without the pixels at its rim."""
    return _mask(cv2.erode(mask.view(np.uint8), _SMALL))


def closed(mask: Mask, wide: int, high: int) -> Mask:
    """A mask whose gaps of so many pixels are filled."""
    kernel = np.ones((high, wide), np.uint8)
    return _mask(cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_CLOSE, kernel))


def spots(mask: Mask) -> tuple[NDArray[np.int32], list[tuple[int, int, int, int, int]]]:
    """The connected spots of a mask: labels, and for each its left, top, width, height and pixels.

    The first, of label 0, is what is not in the mask; it is counted within the spots' box only.
    """
    image = mask.view(np.uint8)
    left, top, wide, high = cv2.boundingRect(image)
    labels = np.zeros(mask.shape, np.int32)
    if not wide:
        return labels, [(0, 0, mask.shape[1], mask.shape[0], mask.size)]
    part = (slice(top, top + high), slice(left, left + wide))
    _, found, stats, _ = cv2.connectedComponentsWithStats(image[part], connectivity=8)
    labels[part] = found
    return labels, [(x + left, y + top, w, h, area) for x, y, w, h, area in stats.tolist()]


def _mask(image: Any) -> Mask:  # noqa: ANN401 - OpenCV's pictures have no type
    found: Mask = np.asarray(image, np.uint8).view(np.bool_)
    return found


def lit(planes: Sequence[Plane], gain: Plane | float) -> list[Plane]:
    """Planes in another light: brightness grows with it, and so does the distance from grey."""
    return [planes[0] * gain, *(128.0 + (plane - 128.0) * gain for plane in planes[1:])]


def relit(planes: Sequence[Plane], ground: Sequence[Plane]) -> Mask:
    """Where the texture and the colour of the ground are still seen: only the light has changed."""
    window = (7, 7)
    now = planes[0] - cv2.blur(planes[0], window)
    before = ground[0] - cv2.blur(ground[0], window)
    common = cv2.blur(now * before, window)
    rough = cv2.blur(before * before, window)
    limit = _ALIKE * np.sqrt(np.maximum(cv2.blur(now * now, window) * rough, 1e-6))
    found: Mask = (rough > _TEXTURE**2) & (common > limit)
    if len(planes) > 1:
        gain = (planes[0] + 4.0) / (ground[0] + 4.0)
        for plane, known in zip(planes[1:], ground[1:], strict=True):
            found &= np.abs((plane - 128.0) - (known - 128.0) * gain) < COLOUR_STEP
    return found
