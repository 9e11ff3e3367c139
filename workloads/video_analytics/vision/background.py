"""What is new in the picture: background subtraction that survives light, jitter and ghosts.

Zivkovic's mixture of Gaussians (MOG2, Pattern Recognition Letters 27, 2006) as OpenCV has it judges
each pixel; around it stand the things it has no means for: exposure that changes for the whole
picture, light that is switched, a mast that shakes, shadows, things that stop (MOG2 alone takes
them for background within seconds) and the ghosts that they leave when they go.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from workloads.video_analytics.vision import geometry
from workloads.video_analytics.vision.model import Image
from workloads.video_analytics.vision.shadows import without_shadows
from workloads.video_analytics.vision.steady import Steady

Floats = NDArray[np.float32]
_Part = tuple[slice, slice]

_MEMORY_SECONDS = 30.0  # how long the mixture remembers
_BACKGROUND_RATIO = 0.8  # a mode is background when the heavier ones sum up to less than this
_VARIANCE = 16.0  # squared Mahalanobis distance up to which a pixel fits a mode
_LEAST_VARIANCE = 6.0
_WARM = 12  # frames learnt fast after a start
_HELD_AFTER_SECONDS = 0.35  # continuously new for so long: a thing, not leaves that wave
_HELD_AFTER_WEIGHT = 0.06  # or when its mode weighs so much; background begins at 0.2
_GHOST_EVERY_SECONDS = 2.0
_EDGE_GAIN = 4.0  # grey levels that the outline of a real thing has more than the background there
_STANDS = 0.7  # so much of it has not changed for a while
_FAINT = 40.0  # grey levels: patches that differ by less must have an outline of their own
_FAINT_EDGE = 1.0
_SWITCHED = 0.6  # so much of the picture is new at once: light, not things
_SWITCHED_FRAMES = 3
_STILL = 7  # grey levels from the mean: the mixture, which wants ten, is not asked
_MISSED = 0.06  # of what it should have learned meanwhile: the mixture learns again
_MODES = 3  # of a pixel at most; five take a third more memory, and tell things no better
_DIFFERS = 15  # grey levels, for pixels whose model rests
_GAIN_DEAD_BAND = 0.015
_GAIN_LOOSENS = 1.0
_AGREES = 0.08
_BURNT = 240
_CREEP = 0.03
_AROUND = 3  # pixels around a patch that its outline and the edges there see


class Background:
    """The background of one camera, at the size of analysis.

    Args:
        patience_seconds: what stands still for longer becomes background.
    """

    def __init__(self, patience_seconds: float = 600.0) -> None:
        self.patience_seconds = patience_seconds
        self.mean: Floats | None = None
        self._mog = _mixture()
        self._age: Floats = np.zeros((1, 1), np.float32)
        self._seen = 0
        self._switched = 0
        self._missed = 0.0
        self._differs = float(_DIFFERS)
        self._since_ghosts = 0.0
        self._edges: Floats | None = None
        self._edges_age = 0.0
        self._steady = Steady()

    @property
    def ready(self) -> bool:
        """Whether enough was seen for a judgement."""
        return self._seen >= _WARM

    @property
    def picture(self) -> Image | None:
        """The background itself; None before the first frame."""
        return None if self.mean is None else _bytes(self.mean)

    def look(self, image: Image, seconds: float) -> Image:
        """What is new: 255, else 0.

        Args:
            image: grey or BGR, at the size of analysis; a change of size or kind starts anew.
            seconds: since the frame before.
        """
        if self.mean is None or self.mean.shape != image.shape:
            self.restart(image)
        mean = self.mean
        if mean is None:  # pragma: no cover - restart() sets it
            return np.zeros(image.shape[:2], np.uint8)
        seconds = min(max(seconds, 0.0), 10.0)
        gain = self._gain(image, mean)
        # Not quite what it was: so both models follow light that stays, too slowly to be noticed.
        picture = _times(image, min(max(gain, 1 - _CREEP), 1 + _CREEP) / gain)
        if gain > 1:  # what is burnt out now was bright before
            burnt = (image >= _BURNT) & (picture < mean)
            picture[burnt] = mean[burnt]
        self._tolerate(gain)
        picture, shift = self._steady.straighten(picture, mean, seconds)
        rate = max(1 / (self._seen + 2), 1 - math.exp(-seconds / _MEMORY_SECONDS))
        held = self._held(min(_HELD_AFTER_SECONDS, _HELD_AFTER_WEIGHT * seconds / rate))
        raw = self._judge(picture, mean, held, self._learning(rate))
        if shift is None and self._steady.suspects(cv2.countNonZero(raw) / raw.size):
            picture, shift = self._steady.find(picture, mean)
            if shift is not None:
                raw = self._judge(picture, mean, held, 0.0)
        self._seen += 1
        if self._light_switched(raw, image):
            return np.zeros(image.shape[:2], np.uint8)
        new = without_shadows(raw, picture, mean) if self.ready else np.zeros_like(raw)
        self._learn(picture, raw, seconds)
        new = self._without_faint(picture, new)
        self._drop_ghosts(picture, new, seconds)
        if self._steady.moved_for_good:
            self.restart(image)
        return new if shift is None else Steady.back(new, shift)

    def restart(self, image: Image) -> None:
        """Begin with this picture, knowing nothing else."""
        self.mean = image.astype(np.float32)
        self._mog = _mixture()
        self._mog.apply(image, learningRate=1.0)
        self._age = np.zeros(image.shape[:2], np.float32)
        self._edges = None
        self._missed = 0.0
        self._seen = 0
        self._switched = 0
        self._steady = Steady()

    def absorb(self, image: Image, where: Image) -> None:
        """Take what is there for background at once, where the mask is not 0."""
        if self.mean is None or self.mean.shape != image.shape or not cv2.countNonZero(where):
            return
        elsewhere = cv2.bitwise_not(where)
        for _ in range(2):
            self._mog.apply(image, knownForegroundMask=elsewhere, learningRate=0.7)
        inside = where > 0
        self.mean[inside] = image[inside]
        self._age[inside] = 0

    def _learning(self, rate: float) -> float:
        """How fast the mixture learns from this picture: now and then, for all that it missed.

        Between these it is only asked, and only where the picture differs from the mean: a pixel
        that is not asked costs a quarter. (To learn where it is asked, and elsewhere seldom, would
        teach it that noise is larger than it is.)
        """
        self._missed = 1 - (1 - self._missed) * (1 - rate)
        if self.ready and self._missed < _MISSED:
            return 0.0
        rate, self._missed = self._missed, 0.0
        return rate

    def _judge(self, picture: Image, mean: Floats, held: Image, rate: float) -> Image:
        """What differs: by MOG2, but where its model rests, as a thing stands there, by the mean.

        When nothing is learned, what is as the mean is not asked about.
        """
        difference = _difference(picture, mean)
        rests = held
        if rate == 0.0 and self.ready:
            _, still = cv2.threshold(difference, _STILL, 255, cv2.THRESH_BINARY_INV)
            rests = np.asarray(cv2.bitwise_or(held, still), np.uint8)
        new = self._mog.apply(picture, knownForegroundMask=rests, learningRate=rate)
        _, differs = cv2.threshold(difference, self._differs, 255, cv2.THRESH_BINARY)
        # What was not asked is 255 in OpenCV's answer.
        stands = cv2.bitwise_and(differs, held)
        return np.asarray(
            cv2.bitwise_and(new, cv2.bitwise_or(stands, cv2.bitwise_not(rests))), dtype=np.uint8
        )

    def _gain(self, image: Image, mean: Floats) -> float:
        """How much brighter the whole picture is than its background: automatic exposure.

        The median over a grid, believed when half of the grid agrees with it.
        """
        now = image[4::8, 4::8].astype(np.float32).reshape(-1)
        then = mean[4::8, 4::8].reshape(-1)
        known = (then > 12) & (now < 250) & (then < 250)  # noqa: PLR2004 - neither black nor burnt out
        if np.count_nonzero(known) < 50:  # noqa: PLR2004 - too few for a median
            return 1.0
        ratios = now[known] / then[known]
        gain = float(np.partition(ratios, ratios.size // 2)[ratios.size // 2])
        agree = np.count_nonzero(np.abs(ratios / max(gain, 1e-3) - 1) < _AGREES) / ratios.size
        if agree < 0.5 or abs(gain - 1) < _GAIN_DEAD_BAND or not 0.25 < gain < 4:  # noqa: PLR2004
            return 1.0
        return gain

    def _tolerate(self, gain: float) -> None:
        """In a picture made brighter noise, and all that is not linear, is larger as well."""
        wider = (1 + _GAIN_LOOSENS * abs(math.log(gain))) / min(gain, 1.0)
        self._mog.setVarThreshold(_VARIANCE * wider * wider)
        self._differs = _DIFFERS * wider

    def _held(self, after_seconds: float = _HELD_AFTER_SECONDS) -> Image:
        """Where the model rests, as a thing stands there; sooner while it learns fast."""
        age = self._age
        return np.asarray(cv2.inRange(age, after_seconds, self.patience_seconds), np.uint8)

    def _light_switched(self, raw: Image, image: Image) -> bool:
        """Whether most of the picture is new at once; when that stays, it is the background."""
        if not self.ready or cv2.countNonZero(raw) < _SWITCHED * raw.size:
            self._switched = 0
            return False
        self._switched += 1
        if self._switched >= _SWITCHED_FRAMES:
            self.restart(image)
            self._seen = _WARM // 2
        return True

    def _learn(self, image: Image, raw: Image, seconds: float) -> None:
        """The mean where nothing is new; for how long it has been new elsewhere."""
        mean = self.mean
        if mean is None:  # pragma: no cover - look() sets it
            return
        rate = max(1 / (self._seen + 1), 1 - math.exp(-seconds / _MEMORY_SECONDS))
        old = cv2.bitwise_not(raw) if self.ready else np.full_like(raw, 255)
        cv2.accumulateWeighted(image, mean, rate, old)
        self._edges_age += seconds
        self._age += seconds
        self._age *= raw > 0
        if cv2.minMaxLoc(self._age)[1] >= self.patience_seconds:
            worn = (self._age >= self.patience_seconds) * np.uint8(255)
            self.absorb(image, np.asarray(worn, dtype=np.uint8))

    def _drop_ghosts(self, picture: Image, new: Image, seconds: float) -> None:
        """Absorb what has no outline of its own: the place that a thing left, or a patch of light.

        The outline of a thing that is there has more edge in the picture than in the background;
        that of a ghost has its edge in the background.
        """
        self._since_ghosts += seconds
        if self._since_ghosts < _GHOST_EVERY_SECONDS or not self.ready:
            return
        self._since_ghosts = 0.0
        mean = self.mean
        standing = new & ((self._age > _GHOST_EVERY_SECONDS) * np.uint8(255))
        if mean is None or cv2.countNonZero(standing) < 12:  # noqa: PLR2004 - nothing to judge
            return
        part, wide, more, area = self._outlines(picture, mean, new)
        stands = np.bincount(wide[standing[part] > 0], minlength=len(area))
        ghost = (more < _EDGE_GAIN) & (stands > _STANDS * area)
        ghost[0] = False
        if ghost.any():
            where = np.zeros_like(new)
            where[part] = ghost[wide] * np.uint8(255)
            self.absorb(picture, where)

    def _without_faint(self, picture: Image, new: Image) -> Image:
        """Without patches that differ little and have no outline: light, not things."""
        mean = self.mean
        if mean is None or not cv2.countNonZero(new):
            return new
        part, wide, more, area = self._outlines(picture, mean, new)
        difference = _difference(picture[part], mean[part])
        inside = new[part] > 0
        sums = np.bincount(wide[inside], difference[inside], minlength=len(area))
        faint = (more < _FAINT_EDGE) & (sums / np.maximum(area, 1) < _FAINT)
        faint[0] = False
        if faint.any():
            new = new.copy()
            new[part][faint[wide]] = 0
        return new

    def _outlines(
        self, picture: Image, mean: Floats, new: Image
    ) -> tuple[_Part, NDArray[np.intp], NDArray[np.float64], NDArray[np.int32]]:
        """The patches of a mask, each with how much more edge its outline has than the background.

        Answers the part of the picture that holds them, in it labels a pixel larger than they are
        (0 is none), and for each label the grey levels of edge and the pixels.
        """
        if self._edges is None or self._edges.shape != new.shape or self._edges_age > 1:
            self._edges, self._edges_age = _edges(_bytes(mean)), 0.0
        kernel = np.ones((3, 3), np.uint8)
        part = geometry.around(new, _AROUND)
        new = new[part]
        count, labels, stats, _ = cv2.connectedComponentsWithStats(new, ltype=cv2.CV_16U)
        wide = cv2.dilate(labels, kernel).astype(np.intp)
        ring = cv2.morphologyEx(new, cv2.MORPH_GRADIENT, kernel) > 0
        where = wide[ring]
        edges = _edges(picture[part])[ring] - self._edges[part][ring]
        weight = np.bincount(where, edges, minlength=count)
        length = np.maximum(np.bincount(where, minlength=count), 1)
        return part, wide, weight / length, np.asarray(stats[:, cv2.CC_STAT_AREA], np.int32)

    def memory(self) -> dict[str, object]:
        """The background's picture and for how long things have been standing."""
        return {"mean": self.picture, "age": self._age.astype(np.uint16)}

    def recall(self, memory: dict[str, object]) -> None:
        """Go on with another one's background; what does not fit is ignored."""
        mean, age = memory.get("mean"), memory.get("age")
        if not isinstance(mean, np.ndarray) or mean.dtype != np.uint8 or not mean.size:
            return
        if mean.ndim not in {2, 3} or (mean.ndim == 3 and mean.shape[2] != 3):  # noqa: PLR2004
            return
        self.restart(mean)
        self._seen = _WARM
        if isinstance(age, np.ndarray) and age.shape == mean.shape[:2] and age.dtype == np.uint16:
            self._age = age.astype(np.float32)


def _mixture() -> cv2.BackgroundSubtractorMOG2:
    mixture = cv2.createBackgroundSubtractorMOG2(500, _VARIANCE, detectShadows=False)
    mixture.setBackgroundRatio(_BACKGROUND_RATIO)
    mixture.setVarMin(_LEAST_VARIANCE)
    mixture.setNMixtures(_MODES)
    return mixture


def _bytes(values: Floats) -> Image:
    return np.asarray(cv2.convertScaleAbs(values), dtype=np.uint8)


def _times(image: Image, factor: float) -> Image:
    if factor == 1.0:
        return image
    return np.asarray(cv2.convertScaleAbs(image, alpha=factor), dtype=np.uint8)


def _difference(picture: Image, mean: Floats) -> Image:
    """Grey levels from the mean; of three channels the most."""
    found = cv2.absdiff(picture, _bytes(mean))
    if found.ndim == 3:  # noqa: PLR2004 - colour; NumPy takes long over so short an axis
        one, two, three = cv2.split(found)
        found = cv2.max(cv2.max(one, two), three)
    return np.asarray(found, dtype=np.uint8)


def _edges(image: Image) -> Floats:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image  # noqa: PLR2004
    across = cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=0.25)
    down = cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=0.25)
    return np.asarray(cv2.magnitude(across, down), dtype=np.float32)
