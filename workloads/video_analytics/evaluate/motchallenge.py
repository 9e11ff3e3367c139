"""Sequences in the layout of MOTChallenge (motchallenge.net), MOT15 to MOT20.

A sequence is a folder with ``seqinfo.ini``, ``det/det.txt`` (frame, −1, left, top, width, height,
score) and ``gt/gt.txt`` (frame, id, left, top, width, height, counts, class, visibility); it may
lie in a zip archive. Of the truth only class 1 (pedestrians) with the flag counts, however little
of it is visible. Tracks that lie on a person on a vehicle (2), a static person (7), a distractor
(8) or a reflection (12) are neither right nor wrong; with MOT20 that holds for non-motorized
vehicles (6) too. MOT15 has no classes: where later years have them stand places on the ground.
Rules as Dendorfer et al., "MOTChallenge: A Benchmark for Single-Camera Multiple Target Tracking"
(2021), and TrackEval have them.
"""

import configparser
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from foundation.kernel.errors import Collector
from workloads.video_analytics.evaluate.matching import LEAST, Frames
from workloads.video_analytics.evaluate.places import Place, search, text
from workloads.video_analytics.vision.association import Array, Index, overlap

_PEDESTRIAN = 1
_DISTRACTORS = (2, 7, 8, 12)
_MOT20_DISTRACTORS = (*_DISTRACTORS, 6)
_LEAST_COLUMNS = 7
_CLASS_COLUMN = 7
_CLASSES = range(14)


@dataclass(frozen=True, slots=True)
class Sequence:
    """One sequence.

    Attributes:
        rate: frames per second.
        length: how many frames it has.
        width, height: of the picture, in pixels.
        detections: rows of ``det.txt``, n × 7 or more.
        truth: rows of ``gt.txt``, n × 7 or more.
    """

    name: str
    rate: float
    length: int
    width: int
    height: int
    detections: Array
    truth: Array


def find(root: Place) -> tuple[list[Sequence], list[str]]:
    """The sequences below a folder or in an archive, and the folders left out as without truth.

    Raises:
        Invalid: names all that is missing or wrong in any of them.
    """
    problems = Collector()
    parts = ("seqinfo.ini", "det", "gt")
    folders = search(root, lambda place: any((place / part).exists() for part in parts))
    problems.check(folders, str(root), "has no folder with seqinfo.ini, det/ and gt/ in it")
    # Of the folder ``test`` the truth is not published.
    measured = [folder for folder, _ in folders if (folder / "gt").exists()]
    untold = [str(folder) for folder, _ in folders if not (folder / "gt").exists()]
    if folders and not measured:
        problems.check(False, str(folders[0][0] / "gt" / "gt.txt"), "is missing")
    found = [_read(folder, problems) for folder in measured]
    problems.finish()
    return [sequence for sequence in found if sequence is not None], untold


def _read(folder: Place, problems: Collector) -> Sequence | None:
    before = len(problems.problems)
    info = _info(folder / "seqinfo.ini", problems)
    detections = _rows(folder / "det" / "det.txt", problems)
    truth = _rows(folder / "gt" / "gt.txt", problems)
    if len(problems.problems) > before or info is None:
        return None
    rate, length, width, height = info
    return Sequence(folder.name, rate, length, width, height, detections, truth)


def _info(path: Place, problems: Collector) -> tuple[float, int, int, int] | None:
    """Rate, length, width and height."""
    parser = configparser.ConfigParser(interpolation=None)
    if not path.is_file():
        problems.check(False, str(path), "is missing")
        return None
    try:
        parser.read_string(text(path))
    except configparser.Error:
        problems.check(False, str(path), "is not an .ini file")
        return None
    found: list[float] = []
    for key in ("frameRate", "seqLength", "imWidth", "imHeight"):
        try:
            value = float(parser.get("Sequence", key))
        except (configparser.Error, ValueError):
            value = 0.0
        if problems.check(0 < value < 1e7, f"{path}.{key}", "must be a number above 0"):  # noqa: PLR2004
            found.append(value)
    if len(found) < 4:  # noqa: PLR2004 - one was wrong
        return None
    return found[0], int(found[1]), int(found[2]), int(found[3])


def _rows(path: Place, problems: Collector) -> Array:
    """The numbers of a file, one row a line; what is wrong is noted."""
    nothing = np.empty((0, _LEAST_COLUMNS))
    if not path.is_file():
        problems.check(False, str(path), "is missing")
        return nothing
    rows: list[list[float]] = []
    for number, line in enumerate(text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = [float(word) for word in line.replace(",", " ").split()]
        except ValueError:
            row = []
        if len(row) < _LEAST_COLUMNS or not np.isfinite(row).all() or row[0] < 1:
            problems.check(
                False, f"{path}:{number}", "must have 7 numbers or more, the first a frame"
            )
            return nothing
        rows.append(row)
    width = max((len(row) for row in rows), default=_LEAST_COLUMNS)
    if any(len(row) != width for row in rows):
        width = min(len(row) for row in rows)
    return np.array([row[:width] for row in rows], np.float64).reshape(-1, width)


def comparable(sequence: Sequence, tracks: Array) -> Frames:
    """Truth and tracks of each frame, without what does not count.

    Args:
        sequence: with its truth.
        tracks: rows of frame, id, left, top, width, height.
    """
    truth = sequence.truth
    classes = _classes(truth)
    distractors = _MOT20_DISTRACTORS if sequence.name.startswith("MOT20") else _DISTRACTORS
    frames: Frames = []
    for frame in range(1, sequence.length + 1):
        here, there = truth[truth[:, 0] == frame], tracks[tracks[:, 0] == frame]
        counts = here[:, 6] != 0
        if classes is not None:
            kinds = classes[truth[:, 0] == frame]
            counts &= kinds == _PEDESTRIAN
            rows, columns = _lying(overlap(here[:, 2:6], there[:, 2:6]))
            ignored = columns[np.isin(kinds[rows], distractors)]
            there = np.delete(there, ignored, axis=0)
        here = here[counts]
        frames.append((
            here[:, 1].astype(np.intp), here[:, 2:6], there[:, 1].astype(np.intp), there[:, 2:6],
        ))  # fmt: skip
    return frames


def _classes(truth: Array) -> Array | None:
    """The column of classes; None where it holds something else, as in MOT15."""
    if truth.shape[1] <= _CLASS_COLUMN:
        return None
    column = truth[:, _CLASS_COLUMN]
    return column if np.isin(column, _CLASSES).all() else None


def _lying(likeness: Array) -> tuple[Index, Index]:
    """Which track lies on which box of the truth: all of it, by the greatest sum."""
    good = likeness >= LEAST - np.finfo(float).eps
    rows, columns = linear_sum_assignment(-np.where(good, likeness, 0.0))
    real = good[rows, columns]
    return rows[real].astype(np.intp), columns[real].astype(np.intp)
