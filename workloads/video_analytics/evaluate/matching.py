"""How well tracks follow the truth.

CLEAR MOT: Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance" (2008);
identities: Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera
Tracking" (2016), by one global assignment. Details (a match of the frame before is kept while it
overlaps by a half) as the MOTChallenge evaluates.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from workloads.video_analytics.vision.association import Array, Index, overlap

#: Of each frame: ids and boxes of the truth, ids and boxes of the tracks.
Frames = list[tuple[Index, Array, Index, Array]]

#: Overlap from which a track is on a thing.
LEAST = 0.5
_KEEPS = 1000.0
_MOSTLY, _HARDLY = 0.8, 0.2


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts that can be added up over sequences.

    Attributes:
        tp, fp, fn: boxes matched, invented and missed.
        idsw: how often a thing of the truth changed its track.
        similarity: sum of the overlaps of matches.
        mt, pt, ml: things mostly (over 80 %), partly and hardly (under 20 %) tracked.
        idtp, idfp, idfn: boxes right, invented and missed under the best naming of tracks.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0
    idsw: int = 0
    similarity: float = 0.0
    mt: int = 0
    pt: int = 0
    ml: int = 0
    idtp: int = 0
    idfp: int = 0
    idfn: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Tally)))

    def measures(self) -> dict[str, float | int | None]:
        """MOTA, MOTP (mean overlap of matches), IDF1 and the counts; None without a truth."""
        truth = self.tp + self.fn
        named = 2 * self.idtp + self.idfp + self.idfn
        return {
            "mota": (self.tp - self.fp - self.idsw) / truth if truth else None,
            "motp": self.similarity / self.tp if self.tp else None,
            "idf1": 2 * self.idtp / named if named else None,
            "idsw": self.idsw,
            "fp": self.fp,
            "fn": self.fn,
            "mt": self.mt,
            "ml": self.ml,
            "pt": self.pt,
            "truth": truth,
        }


def tally(frames: Frames) -> Tally:
    """Compare tracks with the truth."""
    truths, tracks = _numbers(f[0] for f in frames), _numbers(f[2] for f in frames)
    seen, matched = np.zeros(len(truths), int), np.zeros(len(truths), int)
    last = np.full(len(truths), -1)  # the track each was last matched with
    before = np.full(len(truths), -1)  # the same, in the frame before alone
    shared = np.zeros((len(truths), len(tracks)))
    counts = np.zeros(len(tracks))
    tp = fp = fn = idsw = 0
    similarity = 0.0
    for truth_ids, truth_boxes, track_ids, track_boxes in frames:
        rows = np.array([truths[int(i)] for i in truth_ids], np.intp)
        columns = np.array([tracks[int(i)] for i in track_ids], np.intp)
        likeness = overlap(truth_boxes, track_boxes)
        good = likeness >= LEAST - np.finfo(float).eps
        shared[np.ix_(rows, columns)] += good
        seen[rows] += 1
        counts[columns] += 1
        if not len(rows) or not len(columns):
            # As TrackEval has it: a frame in which one of both is empty ends no match.
            fn, fp = fn + len(rows), fp + len(columns)
            continue
        kept = before[rows][:, None] == columns[None]
        found, taken = linear_sum_assignment(-np.where(good, likeness + _KEEPS * kept, 0.0))
        real = good[found, taken]
        found, taken = found[real], taken[real]
        things, names = rows[found], columns[taken]
        idsw += int(np.count_nonzero((last[things] >= 0) & (last[things] != names)))
        before[:] = -1
        last[things] = before[things] = names
        matched[things] += 1
        similarity += float(likeness[found, taken].sum())
        tp += len(found)
        fn += len(rows) - len(found)
        fp += len(columns) - len(found)
    share = matched / np.maximum(seen, 1)
    most, least = int((share > _MOSTLY).sum()), int((share < _HARDLY).sum())
    right = _identities(shared, seen, counts)
    return Tally(
        tp, fp, fn, idsw, similarity, most, len(truths) - most - least, least,
        right, int(counts.sum()) - right, int(seen.sum()) - right,
    )  # fmt: skip


def _identities(shared: Array, seen: NDArray[np.int_], counts: Array) -> int:
    """Boxes that are right under the naming of tracks that makes the fewest wrong.

    A thing may have no track and a track no thing: then all of its boxes are wrong.
    """
    things, tracks = shared.shape
    if not things or not tracks:
        return 0
    far = 1e12
    cost = np.full((things + tracks, things + tracks), far)
    cost[:things, :tracks] = seen[:, None] + counts[None] - 2 * shared
    cost[:things, tracks:][np.diag_indices(things)] = seen
    cost[things:, :tracks][np.diag_indices(tracks)] = counts
    cost[things:, tracks:] = 0
    rows, columns = linear_sum_assignment(cost)
    real = (rows < things) & (columns < tracks)
    return int(shared[rows[real], columns[real]].sum())


def _numbers(ids: Iterable[Index]) -> dict[int, int]:
    """Each id with its place among all of them."""
    known: dict[int, int] = {}
    for some in ids:
        for each in some:
            known.setdefault(int(each), len(known))
    return known
