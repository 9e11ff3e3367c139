"""The layout of CDnet 2014 (changedetection.net).

A video is a folder with ``input/in%06d.jpg``, ``groundtruth/gt%06d.png``, ``temporalROI.txt``
(first and last frame that count) and ``ROI.bmp`` (0 where nothing counts). A category is a folder
of videos, a data set a folder of categories; any of them may be a zip archive, with a folder or two
around it. The truth of a part of the frames is not published, so what counts is what has one.
"""

import re
from dataclasses import dataclass

import cv2
import numpy as np

from foundation.kernel.errors import Collector, Invalid, Problem
from workloads.video_analytics.evaluate.places import Place, content, inside, search, text
from workloads.video_analytics.vision.model import Image

#: Grey levels of the truth: background, shadow (background too), outside the region and unknown
#: (both not counted), moving.
STILL, SHADOW, OUTSIDE, UNKNOWN, MOVING = 0, 50, 85, 170, 255

_LEVELS = np.array([STILL, SHADOW, OUTSIDE, UNKNOWN, MOVING])
_NEAREST = _LEVELS[np.abs(np.arange(256)[:, None] - _LEVELS[None]).argmin(axis=1)].astype(np.uint8)
_HALF = 127
_DEEP = 257  # from 16 bits to 8
_PICTURES = r"(\d{1,9})\.(?:jpg|jpeg|png|bmp|tif|tiff)"
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Video:
    """One video of the layout.

    Attributes:
        folder: where it is.
        category: the name of the folder above, or empty.
        frames: the pictures in order, by their numbers.
        truths: the masks by the numbers of their frames.
        roi: where something counts; None is everywhere.
        first, last: the numbers of the frames that count.
        missing: files without which a frame that should count does not.
        notes: what of the layout is not there, and what is done without it.
    """

    folder: Place
    category: str
    frames: tuple[tuple[int, Place], ...]
    truths: dict[int, Place]
    roi: Place | None
    first: int
    last: int
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.folder.name


def find(root: Place) -> list[Video]:
    """The videos below a folder or in an archive: one video, a category, or a data set.

    Raises:
        Invalid: names all in which no frame can be measured.
    """
    problems = Collector()
    places = search(root, lambda p: (p / "input").is_dir() or (p / "groundtruth").is_dir())
    problems.check(places, str(root), "has no folder with input/ and groundtruth/ in it")
    found = [_read(place, above, problems) for place, above in places]
    problems.finish()
    return [video for video in found if video is not None]


def _read(folder: Place, category: str, problems: Collector) -> Video | None:
    """A video; what makes it useless is a problem, what is done without is noted."""
    before = len(problems.problems)
    for name in ("input", "groundtruth"):
        problems.check((folder / name).is_dir(), str(folder / name), "is missing")
    frames = _numbered(folder / "input", "in")
    truths = _numbered(folder / "groundtruth", "gt")
    problems.check(frames, str(folder / "input"), "has no frames named in000001.jpg and so on")
    problems.check(truths, str(folder / "groundtruth"), "has no masks named gt000001.png and so on")
    notes: list[str] = []
    span, roi = _span(folder / "temporalROI.txt", problems, notes), _region(folder)
    if len(problems.problems) > before:  # then the rest is named too
        problems.check(not notes, str(folder / "temporalROI.txt"), "is missing")
        problems.check(roi is not None, str(folder / "ROI.bmp"), "is missing")
        return None
    first, last = span or (min(truths), max(truths))
    wanted = range(first, last + 1)
    both = sum(1 for number in wanted if number in frames and number in truths)
    if not problems.check(both, str(folder), f"has no frame from {first} to {last} with its mask"):
        return None
    missing = [f"{folder / 'input'}: in{n:06d}" for n in wanted if n not in frames]
    missing += [f"{folder / 'groundtruth'}: gt{n:06d}" for n in wanted if n not in truths]
    if missing:
        notes.append(f"{len(wanted) - both} of {len(wanted)} frames do not count, for want of:")
        notes += [f"  {path}" for path in missing[:_MOST_NAMED]]
        notes += [f"  … and {len(missing) - _MOST_NAMED} more"] * (len(missing) > _MOST_NAMED)
    if roi is None:
        notes.append("no ROI.bmp: all of the picture counts")
    return Video(
        folder, category, tuple(sorted(frames.items())), truths, roi, first, last,
        tuple(missing), tuple(notes),
    )  # fmt: skip


def _span(path: Place, problems: Collector, notes: list[str]) -> tuple[int, int] | None:
    if not path.is_file():
        notes.append("no temporalROI.txt: all frames with a mask count")
        return None
    words = text(path).replace(",", " ").split()
    good = len(words) == 2 and all(re.fullmatch(r"\d{1,9}(\.0*)?", word) for word in words)  # noqa: PLR2004
    span = [int(float(word)) for word in words] if good else [0, 0]
    if not 1 <= span[0] <= span[1]:
        problems.check(False, str(path), "must hold two numbers: the first and the last frame")
        return None
    return span[0], span[1]


def _region(folder: Place) -> Place | None:
    """The data set has it as a bitmap and, where that was lost, as ``ROI.jpg``."""
    names = ("ROI.bmp", "ROI.png", "ROI.jpg")
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _numbered(folder: Place, prefix: str) -> dict[int, Place]:
    """Pictures by their numbers; of two with the same the first by name."""
    form = re.compile(prefix + _PICTURES, re.IGNORECASE)
    found: dict[int, Place] = {}
    for place in inside(folder):
        name = form.fullmatch(place.name)
        if name:
            found.setdefault(int(name[1]), place)
    return found


def picture(place: Place, how: int) -> Image:
    """A picture, in colour or grey, 8 bits.

    Raises:
        Invalid: it cannot be read.
    """
    data = np.frombuffer(content(place), np.uint8)
    try:
        found = cv2.imdecode(data, how) if data.size else None
    except cv2.error:
        found = None
    if found is None:
        raise Invalid([Problem(str(place), "is not a picture that can be read")])
    return np.asarray(found)


def mask(place: Place) -> Image:
    """A mask of the truth, with no other levels than those five.

    However it was written: 16 bits, a palette, three channels, 0 and 1. What lies between two
    levels, of a mask that was compressed or scaled, becomes the nearer one.

    Raises:
        Invalid: it cannot be read.
    """
    return np.asarray(cv2.LUT(_plain(picture(place, cv2.IMREAD_UNCHANGED)), _NEAREST), np.uint8)


def region(place: Place, shape: tuple[int, ...]) -> Image:
    """Where something counts: not 0. One of another size is scaled to that of the frames.

    Raises:
        Invalid: it cannot be read.
    """
    found = _plain(picture(place, cv2.IMREAD_UNCHANGED))
    if place.name.lower().endswith(".jpg"):
        found = np.asarray((found > _HALF) * np.uint8(255), np.uint8)
    if found.shape != shape:
        size = (shape[1], shape[0])
        found = np.asarray(cv2.resize(found, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    return found


def _plain(image: Image) -> Image:
    """One channel of 8 bits."""
    if image.ndim == 3:  # noqa: PLR2004 - of a mask all channels but the last, opacity, are alike
        image = image[:, :, 0]
    if image.dtype != np.uint8:
        most = float(image.max()) if image.size else 0.0
        image = np.clip(image // _DEEP if most > MOVING else image, 0, MOVING).astype(np.uint8)
    if image.size and image.max() == 1:
        image = image * np.uint8(MOVING)
    return np.ascontiguousarray(image)
