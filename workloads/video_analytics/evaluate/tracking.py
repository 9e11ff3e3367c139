"""The product's tracker on given detections, compared with the truth."""

import itertools

import numpy as np

from workloads.video_analytics.evaluate.matching import Tally, tally
from workloads.video_analytics.evaluate.motchallenge import Sequence, comparable
from workloads.video_analytics.vision.association import Array, suppressed
from workloads.video_analytics.vision.tracker import Knobs, Tracker

MEASURES = ("mota", "motp", "idf1", "idsw", "fp", "fn", "mt", "ml", "pt", "truth")

#: The tracker as it is with a model's detections.
KNOBS = Knobs(
    lost_seconds=1.0,
    still_seconds=1.0,
    follow_camera=True,
    starts=0.55,
    confirm_hits=2,
    overlap_sure=0.2,
)

_DUPLICATE = 0.75
_MARGIN = 10.0


def track(
    sequence: Sequence, *, fill: float = 1.0, least: float | None = None, knobs: Knobs = KNOBS
) -> Array:
    """Rows of frame, id, left, top, width, height.

    Args:
        sequence: its detections are used, nothing else.
        fill: gaps of up to so many seconds within a track are filled with a straight line, as they
            can be when a track is written after its end; 0 leaves what was known at each frame.
        least: detections with a lower score, as the file has it, are not given to the tracker.
        knobs: of the tracker.
    """
    tracker = Tracker(knobs)
    scale = sequence.height
    scores = _scores(sequence.detections[:, 6])
    rows: list[tuple[float, ...]] = []
    pending: dict[int, list[tuple[float, ...]]] = {}
    for frame in range(1, sequence.length + 1):
        here = sequence.detections[:, 0] == frame
        boxes, sure = sequence.detections[here, 2:6], scores[here]
        good = (boxes[:, 2:] > 0).all(axis=1)
        if least is not None:
            good &= sequence.detections[here, 6] >= least
        boxes, sure = boxes[good], sure[good]
        kept = suppressed(boxes, sure, _DUPLICATE)
        tracks = tracker.step(frame / sequence.rate, boxes[kept] / scale, sure[kept])
        places = tracker.boxes * scale
        for each, place in zip(tracks, places, strict=True):
            if each.detection < 0:
                continue
            row = (float(frame), float(each.number), *(float(value) for value in place))
            if each.confirmed:
                rows += [*pending.pop(each.number, []), row]
            elif fill:
                pending.setdefault(each.number, []).append(row)
    found = np.array(rows, np.float64).reshape(-1, 6)
    return _filled(found, round(fill * sequence.rate)) if fill else found


def measure(sequence: Sequence, *, fill: float = 1.0, knobs: Knobs = KNOBS) -> Tally:
    """How well the tracker does on a sequence."""
    return tally(comparable(sequence, track(sequence, fill=fill, knobs=knobs)))


def _scores(raw: Array) -> Array:
    """Scores of any detector as 0 to 1.

    Those from 0 to 1 are taken as they are, and those that are all the same tell nothing. Up to ten
    they are margins of a classifier, around 0 (DPM), and go through the logistic function; those
    that go farther are sums over many weak classifiers (ACF in MOT15: a third of a hundred is a
    person for sure, a tenth is not), or per cent.
    """
    if not len(raw) or raw.min() == raw.max():
        return np.ones(len(raw))
    if raw.min() >= 0 and raw.max() <= 1:
        return raw
    if raw.max() <= _MARGIN:
        return np.asarray(1 / (1 + np.exp(-2 * np.clip(raw, -20, 20))))
    return np.asarray(np.sqrt(np.clip(raw / 100, 0, 1)))


def _filled(rows: Array, most: int) -> Array:
    """With gaps of up to ``most`` frames filled by straight lines."""
    parts = [rows]
    for number in np.unique(rows[:, 1]):
        mine = rows[rows[:, 1] == number]
        mine = mine[np.argsort(mine[:, 0])]
        for before, after in itertools.pairwise(mine):
            gap = int(after[0] - before[0])
            if 1 < gap <= most:
                part = np.arange(1, gap)[:, None] / gap
                parts.append(before + part * (after - before))
    found = np.concatenate(parts)
    return found[np.lexsort((found[:, 1], found[:, 0]))]
