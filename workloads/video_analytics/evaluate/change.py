"""Change detection against masks in the layout of CDnet 2014 (changedetection.net).

A video is a folder with ``input/in%06d.jpg``, ``groundtruth/gt%06d.png``, ``temporalROI.txt``
(first and last frame that count) and ``ROI.bmp`` (0 where nothing counts). Grey levels of the
truth: 0 background, 50 shadow (background too), 85 outside the region, 170 unknown (both not
counted), 255 moving. A category is a folder of videos, a data set a folder of categories. Figures
and averages are those of Wang et al., "CDnet 2014: An Expanded Change Detection Benchmark Dataset".
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from foundation.kernel.errors import Collector
from workloads.video_analytics.vision.background import Background
from workloads.video_analytics.vision.gate import small
from workloads.video_analytics.vision.model import Image
from workloads.video_analytics.vision.stages import ANALYSIS_PIXELS

_SHADOW, _OUTSIDE, _UNKNOWN, _MOVING = 50, 85, 170, 255
_MOST_NAMED = 20

#: What ``change`` measures, in its order.
MEASURES = ("recall", "specificity", "fpr", "fnr", "pwc", "f_measure", "precision")


@dataclass(frozen=True, slots=True)
class Video:
    """One video of the layout.

    Attributes:
        category: the name of the folder above, or empty.
        frames: the pictures in order, by their numbers.
        first, last: the numbers of the frames that count.
    """

    folder: Path
    category: str
    frames: tuple[tuple[int, Path], ...]
    first: int
    last: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.folder.name

    def truth(self, number: int) -> Path:
        """Where the mask of a frame is."""
        return self.folder / "groundtruth" / f"gt{number:06d}.png"


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
        counts = (truth != _OUTSIDE) & (truth != _UNKNOWN)
        if counted is not None:
            counts &= counted > 0
        moving, seen = truth == _MOVING, found > 0
        self.tp += int(np.count_nonzero(counts & moving & seen))
        self.fn += int(np.count_nonzero(counts & moving & ~seen))
        self.fp += int(np.count_nonzero(counts & ~moving & seen))
        self.tn += int(np.count_nonzero(counts & ~moving & ~seen))
        self.shadow += int(np.count_nonzero(counts & (truth == _SHADOW) & seen))

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
    """The figures of a video, a category or everything."""

    name: str
    category: str
    kind: str
    frames: int
    measures: dict[str, float | None]
    counts: Counts = field(default_factory=Counts)

    def as_json(self) -> dict[str, object]:
        """For output; videos with their pixels, so that anything else can be computed."""
        counts = self.counts
        pixels = {"tp": counts.tp, "fp": counts.fp, "fn": counts.fn, "tn": counts.tn,
                  "shadow": counts.shadow}  # fmt: skip
        return {
            "name": self.name, "category": self.category, "kind": self.kind,
            "frames": self.frames, **self.measures,
            **({"pixels": pixels} if self.kind == "video" else {}),
        }  # fmt: skip


def find(root: Path) -> list[Video]:
    """The videos below a folder: one video, a category, or a data set.

    Raises:
        Invalid: names all that is missing or wrong in any of them.
    """
    problems = Collector()
    folders = _folders(root)
    problems.check(folders, str(root), "has no folder with input/ and groundtruth/ in it")
    found = [_read(folder, root, problems) for folder in folders]
    problems.finish()
    return [video for video in found if video is not None]


def _folders(root: Path) -> list[Path]:
    """Those that look like a video: the folder itself, or up to two below."""
    if not root.is_dir():
        return []
    for pattern in (".", "*", "*/*"):
        found = sorted(
            folder
            for folder in ([root] if pattern == "." else root.glob(pattern))
            if (folder / "input").is_dir() or (folder / "groundtruth").is_dir()
        )
        if found:
            return found
    return []


def _read(folder: Path, root: Path, problems: Collector) -> Video | None:
    """A video, with what is missing in it noted."""
    before = len(problems.problems)
    span = _span(folder / "temporalROI.txt", problems)
    for name in ("input", "groundtruth"):
        problems.check((folder / name).is_dir(), str(folder / name), "is missing")
    roi = folder / "ROI.bmp"
    problems.check(roi.is_file(), str(roi), "is missing")
    frames = _frames(folder / "input")
    problems.check(frames, str(folder / "input"), "has no frames named in000001.jpg and so on")
    if len(problems.problems) > before or span is None:
        return None
    first, last = span
    there = {number for number, _ in frames}
    category = folder.parent.name if folder != root else ""
    video = Video(folder, category, tuple(frames), first, last)
    wanted = range(first, last + 1)
    absent = [folder / "input" / f"in{n:06d}.jpg" for n in wanted if n not in there]
    absent += [video.truth(n) for n in wanted if not video.truth(n).is_file()]
    for path in absent[:_MOST_NAMED]:
        problems.check(False, str(path), "is missing")
    more = len(absent) - _MOST_NAMED
    problems.check(more <= 0, str(folder), f"{more} more files are missing")
    return video


def _span(path: Path, problems: Collector) -> tuple[int, int] | None:
    try:
        words = path.read_text(encoding="ascii", errors="replace").split()
    except OSError:
        problems.check(False, str(path), "is missing")
        return None
    good = len(words) == 2 and all(re.fullmatch(r"\d{1,9}", word) for word in words)  # noqa: PLR2004
    if not good or not 1 <= int(words[0]) <= int(words[1]):
        problems.check(False, str(path), "must hold two numbers: the first and the last frame")
        return None
    return int(words[0]), int(words[1])


def _frames(folder: Path) -> list[tuple[int, Path]]:
    paths = folder.glob("in*.*") if folder.is_dir() else ()
    form = re.compile(r"in(\d{1,9})\.(jpg|jpeg|png)", re.IGNORECASE)
    return sorted((int(found[1]), path) for path in paths if (found := form.fullmatch(path.name)))


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
    for number, path in video.frames:
        if number > video.last:
            return
        frame = _picture(path, cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE)
        found = background.look(small(frame, ANALYSIS_PIXELS), 1 / rate)
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
        if number < video.first:
            continue
        truth = _picture(video.truth(number), cv2.IMREAD_GRAYSCALE)
        _same_size(truth, found, video.truth(number))
        if roi is None:
            roi = _picture(video.folder / "ROI.bmp", cv2.IMREAD_GRAYSCALE)
            _same_size(roi, found, video.folder / "ROI.bmp")
        counts.add(found, truth, roi)
        frames += 1
    return Result(video.name, video.category, "video", frames, counts.measures(), counts)


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
    return Result(name, category, kind, sum(p.frames for p in parts), means)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _picture(path: Path, how: int) -> Image:
    found = cv2.imread(str(path), how)
    if found is None:
        problems = Collector()
        problems.check(False, str(path), "is not a picture that can be read")
        problems.finish()
    return np.asarray(found, np.uint8)


def _same_size(one: Image, other: Image, path: Path) -> None:
    problems = Collector()
    tall, wide = other.shape[:2]
    problems.check(
        one.shape == (tall, wide), str(path), f"is not {wide} × {tall} as its frames are"
    )
    problems.finish()
