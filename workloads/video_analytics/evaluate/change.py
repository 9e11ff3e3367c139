"""Change detection against masks in the layout of CDnet 2014.

Figures and averages are those of Wang et al., "CDnet 2014: An Expanded Change Detection Benchmark
Dataset": the figures of a video from its pixels, then their means over videos and over categories.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from foundation.kernel.errors import Collector
from workloads.video_analytics.evaluate.cdnet import (
    MOVING,
    OUTSIDE,
    SHADOW,
    UNKNOWN,
    Video,
    mask,
    picture,
    region,
)
from workloads.video_analytics.evaluate.places import Place
from workloads.video_analytics.vision.background import Background
from workloads.video_analytics.vision.gate import small
from workloads.video_analytics.vision.model import Image
from workloads.video_analytics.vision.stages import ANALYSIS_PIXELS

#: What ``change`` measures, in its order.
MEASURES = ("recall", "specificity", "fpr", "fnr", "pwc", "f_measure", "precision")


@dataclass(slots=True)
class Counts:
    """Pixels: true and false, positive and negative; false positives in shadow among them."""

    tp: int = 0
    fp: int = 0
    fn: int = 0
    tn: int = 0
    shadow: int = 0

    def add(self, found: Image, truth: Image, counted: Image | None) -> None:
        """Count a frame: both masks of one size; ``counted`` is 0 where nothing counts."""
        counts = (truth != OUTSIDE) & (truth != UNKNOWN)
        if counted is not None:
            counts &= counted > 0
        moving, seen = truth == MOVING, found > 0
        self.tp += int(np.count_nonzero(counts & moving & seen))
        self.fn += int(np.count_nonzero(counts & moving & ~seen))
        self.fp += int(np.count_nonzero(counts & ~moving & seen))
        self.tn += int(np.count_nonzero(counts & ~moving & ~seen))
        self.shadow += int(np.count_nonzero(counts & (truth == SHADOW) & seen))

    def measures(self) -> dict[str, float | None]:
        """CDnet's seven figures; None where a denominator is zero."""
        tp, fp, fn, tn = self.tp, self.fp, self.fn, self.tn
        recall, precision = _share(tp, tp + fn), _share(tp, tp + fp)
        return {
            "recall": recall,
            "specificity": _share(tn, tn + fp),
            "fpr": _share(fp, fp + tn),
            "fnr": _share(fn, tp + fn),
            "pwc": None if not (tp + fp + fn + tn) else 100 * (fn + fp) / (tp + fp + fn + tn),
            "f_measure": _share(2 * tp, 2 * tp + fp + fn),
            "precision": precision,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of a video, a category or everything.

    Attributes:
        frames, missing: how many were counted, and how many were not as a file is missing.
    """

    name: str
    category: str
    kind: str
    frames: int
    measures: dict[str, float | None]
    counts: Counts = field(default_factory=Counts)
    missing: int = 0

    def as_json(self) -> dict[str, object]:
        """For output; videos with their pixels, so that anything else can be computed."""
        counts = self.counts
        pixels = {"tp": counts.tp, "fp": counts.fp, "fn": counts.fn, "tn": counts.tn,
                  "shadow": counts.shadow}  # fmt: skip
        return {
            "name": self.name, "category": self.category, "kind": self.kind,
            "frames": self.frames, "missing": self.missing, **self.measures,
            **({"pixels": pixels} if self.kind == "video" else {}),
        }  # fmt: skip


def masks(video: Video, rate: float, *, colour: bool = True) -> Iterator[tuple[int, Image]]:
    """The masks that the product finds in a video, at the size of its frames, from the first on.

    Args:
        video: which; frames before the first that counts are seen too, to learn from.
        rate: frames per second; the layout does not say it.
        colour: as at the full tier; else brightness alone, as at the lower ones.

    Raises:
        Invalid: a frame cannot be read.
    """
    background = Background()
    before = video.frames[0][0] - 1
    for number, path in video.frames:
        if number > video.last:
            return
        frame = picture(path, cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE)
        found = background.look(small(frame, ANALYSIS_PIXELS), (number - before) / rate)
        before = number
        size = (frame.shape[1], frame.shape[0])
        if found.shape != frame.shape[:2]:
            larger = cv2.resize(found, size, interpolation=cv2.INTER_LINEAR)
            found = np.asarray((larger > 127) * np.uint8(255), np.uint8)  # noqa: PLR2004 - half
        yield number, found


def measure(
    video: Video,
    rate: float,
    *,
    colour: bool = True,
    keep: Callable[[Video, int, Image], None] | None = None,
) -> Result:
    """The figures of a video; ``keep`` is shown each mask.

    Raises:
        Invalid: a picture cannot be read, or a mask is not of the size of its frame.
    """
    counts, frames = Counts(), 0
    roi: Image | None = None
    for number, found in masks(video, rate, colour=colour):
        if keep is not None:
            keep(video, number, found)
        if number < video.first or number not in video.truths:
            continue
        truth = mask(video.truths[number])
        _same_size(truth, found, video.truths[number])
        if video.roi is not None and roi is None:
            roi = region(video.roi, found.shape)
        counts.add(found, truth, roi)
        frames += 1
    wanted = video.last - video.first + 1
    return Result(
        video.name, video.category, "video", frames, counts.measures(), counts, wanted - frames
    )


def averages(results: Sequence[Result]) -> list[Result]:
    """As CDnet does: of the videos of each category, and of the categories."""
    names = sorted({result.category for result in results})
    categories = [
        _average(name, name, "category", [r for r in results if r.category == name])
        for name in names
    ]
    return [*categories, _average("overall", "", "overall", categories)]


def _average(name: str, category: str, kind: str, parts: Sequence[Result]) -> Result:
    """The mean of each figure over the parts that have it."""
    means: dict[str, float | None] = {}
    for measure_ in MEASURES:
        values = [p.measures[measure_] for p in parts]
        known = [value for value in values if value is not None]
        means[measure_] = sum(known) / len(known) if known else None
    frames, missing = sum(p.frames for p in parts), sum(p.missing for p in parts)
    return Result(name, category, kind, frames, means, missing=missing)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _same_size(one: Image, other: Image, path: Place) -> None:
    problems = Collector()
    tall, wide = other.shape[:2]
    problems.check(
        one.shape == (tall, wide), str(path), f"is not {wide} × {tall} as its frames are"
    )
    problems.finish()
