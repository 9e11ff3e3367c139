"""Following things from frame to frame.

Own Kalman filters, overlap and assignment, in two stages by score as Zhang et al., "ByteTrack:
Multi-Object Tracking by Associating Every Detection Box" (2022), describe it: sure detections are
given to tracks first, then the doubtful ones to tracks that are left, which carries a track
through an occlusion without starting tracks from noise. A third look with boxes made larger finds
fast small things at low rates. When most tracks are off in the same direction the camera has
moved, and they are moved along.

Boxes are left, top, width, height in any unit that is the same across and down.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workloads.video_analytics.vision.association import Array, Index, assign, buffered, overlap
from workloads.video_analytics.vision.kalman import Filters


@dataclass(frozen=True, slots=True)
class Knobs:
    """How the tracker decides.

    Attributes:
        sure: a score from which a detection is sure; ``least``: below it is not looked at.
        starts: a score from which an unmatched detection starts a track.
        lost_seconds: for how long a track is kept that is not seen.
        still_seconds: the same for one that had been standing still.
        confirm_hits: so often a track is seen before it counts.
        overlap_sure, overlap_doubtful, overlap_new: least overlaps of the stages.
        reach: by how much of their size boxes are made larger in the third look; 0: none.
        follow_camera: whether a shift common to most tracks is the camera's.
    """

    sure: float = 0.5
    least: float = 0.1
    starts: float = 0.5
    lost_seconds: float = 1.2
    still_seconds: float = 4.0
    confirm_hits: int = 3
    overlap_sure: float = 0.15
    overlap_doubtful: float = 0.4
    overlap_new: float = 0.2
    reach: float = 0.4
    follow_camera: bool = False


@dataclass(slots=True)
class Track:
    """One followed thing; its filter has the same place in the list of filters.

    Attributes:
        number: unique in this tracker.
        began, seen_at: seconds, first and last seen.
        hits: how often it was seen.
        confirmed: whether it is believed.
        kind: class by a model or empty; ``score`` of the last detection.
        anchor: where its foot was when it last moved; ``anchored`` since when.
        detection: the index of this frame's detection; −1 while it is only predicted.
    """

    number: int
    began: float
    seen_at: float
    anchor: tuple[float, float]
    anchored: float
    hits: int = 1
    confirmed: bool = False
    kind: str = ""
    score: float = 1.0
    detection: int = -1


class Tracker:
    """Follows things of one camera."""

    def __init__(self, knobs: Knobs | None = None, first: int = 1) -> None:
        self.knobs = knobs or Knobs()
        self.tracks: list[Track] = []
        self.filters = Filters()
        self.gone: list[Track] = []
        self._next = first
        self._at = 0.0

    @property
    def boxes(self) -> Array:
        """Of all tracks now, smoothed or predicted."""
        return self.filters.boxes

    def step(
        self, at: float, boxes: Array, scores: Array, kinds: list[str] | None = None
    ) -> list[Track]:
        """Take the detections of a frame; answers all tracks, ``gone`` holds those that ended.

        Args:
            at: seconds; never less than before.
            boxes, scores: n × 4 and n.
            kinds: class of each, or nothing.
        """
        self.filters.predict(at - self._at)
        self._at = at
        for track in self.tracks:
            track.detection = -1
        self._associate(at, boxes, scores, kinds)
        self._forget(at)
        self._begin(at, boxes, scores, kinds)
        self._anchor(at)
        return self.tracks

    def _associate(self, at: float, boxes: Array, scores: Array, kinds: list[str] | None) -> None:
        knobs = self.knobs
        sure = np.flatnonzero(scores >= knobs.sure)
        doubtful = np.flatnonzero((scores >= knobs.least) & (scores < knobs.sure))
        believed = np.array([i for i, t in enumerate(self.tracks) if t.confirmed], np.intp)
        fresh = np.array([i for i, t in enumerate(self.tracks) if not t.confirmed], np.intp)
        if knobs.follow_camera:
            self._follow_camera(believed, boxes[sure])
        pairs = self._match(believed, sure, boxes, scores, knobs.overlap_sure)
        believed, sure = _rest(believed, sure, pairs)
        recent = np.array([i for i in believed if at - self.tracks[i].seen_at < 0.5], np.intp)  # noqa: PLR2004
        second = self._match(recent, doubtful, boxes, scores, knobs.overlap_doubtful)
        believed, doubtful = _rest(believed, doubtful, second)
        third = self._match(fresh, sure, boxes, scores, knobs.overlap_new)
        fresh, sure = _rest(fresh, sure, third)
        left = np.concatenate([believed, fresh])
        fourth = self._match(left, sure, boxes, scores, 0.05, knobs.reach) if knobs.reach else []
        matched = [*pairs, *second, *third, *fourth]
        which = np.array([row for row, _ in matched], np.intp)
        what = np.array([column for _, column in matched], np.intp)
        self.filters.correct(which, boxes[what], scores[what])
        for row, column in matched:
            track = self.tracks[row]
            track.seen_at, track.detection = at, column
            track.hits += 1
            track.score = float(scores[column])
            track.confirmed = track.confirmed or track.hits >= knobs.confirm_hits
            if kinds and kinds[column]:
                track.kind = kinds[column]

    def _match(
        self,
        rows: Index,
        columns: Index,
        boxes: Array,
        scores: Array,
        least: float,
        reach: float = 0.0,
    ) -> list[tuple[int, int]]:
        """Pairs (track, detection) of one stage; overlaps count more with a surer score."""
        if not len(rows) or not len(columns):
            return []
        mine, theirs = self.boxes[rows], boxes[columns]
        if reach:
            mine, theirs = buffered(mine, reach), buffered(theirs, reach)
        shared = overlap(mine, theirs)
        likeness = shared * (0.8 + 0.2 * np.clip(scores[columns], 0, 1)[None])
        found, taken = assign(np.where(shared >= least, likeness, -1), 0.0)
        return [(int(rows[r]), int(columns[c])) for r, c in zip(found, taken, strict=True)]

    def _follow_camera(self, rows: Index, boxes: Array) -> None:
        """Move all along when most are off by the same amount."""
        if len(rows) < 4 or len(boxes) < 4:  # noqa: PLR2004 - too few to tell
            return
        mine = self.boxes[rows]
        found, taken = assign(overlap(buffered(mine, 0.3), buffered(boxes, 0.3)), 0.2)
        if len(found) < 4:  # noqa: PLR2004
            return
        mean = self.filters.mean[rows[found]]
        target = boxes[taken, :2] + boxes[taken, 2:] / 2
        off = target - mean[:, :2, 0]
        common = np.median(off, axis=0)
        spread = np.median(np.abs(off - common).max(axis=1))
        size = float(np.median(boxes[:, 2]))
        if np.hypot(*common) > max(2 * spread, 0.05 * size):
            self.filters.mean[:, :2, 0] += common

    def _forget(self, at: float) -> None:
        """End tracks that were not seen for too long; one never believed ends at once."""
        stay: list[int] = []
        self.gone = []
        for index, track in enumerate(self.tracks):
            missing = at - track.seen_at
            still = track.seen_at - track.anchored > self.knobs.still_seconds
            most = self.knobs.still_seconds if still else self.knobs.lost_seconds
            if missing <= (most if track.confirmed else 0.0):
                stay.append(index)
            elif track.confirmed:
                self.gone.append(track)
        if len(stay) < len(self.tracks):
            self.tracks = [self.tracks[i] for i in stay]
            self.filters.keep(np.array(stay, np.intp))

    def _begin(self, at: float, boxes: Array, scores: Array, kinds: list[str] | None) -> None:
        taken = {track.detection for track in self.tracks}
        fresh = [i for i in range(len(boxes)) if i not in taken and scores[i] >= self.knobs.starts]
        if not fresh:
            return
        self.filters.add(boxes[fresh])
        for index in fresh:
            left, top, width, height = boxes[index]
            foot = (float(left + width / 2), float(top + height))
            track = Track(self._next, at, at, foot, at, detection=index)
            track.score = float(scores[index])
            track.confirmed = self.knobs.confirm_hits <= 1
            track.kind = kinds[index] if kinds else ""
            self._next += 1
            self.tracks.append(track)

    def _anchor(self, at: float) -> None:
        """Note whose foot has moved by more than a tenth of its height."""
        boxes = self.boxes
        for track, (left, top, width, height) in zip(self.tracks, boxes, strict=True):
            foot = (float(left + width / 2), float(top + height))
            moved = np.hypot(foot[0] - track.anchor[0], foot[1] - track.anchor[1])
            if track.detection >= 0 and moved > 0.1 * height:
                track.anchor, track.anchored = foot, at

    def memory(self) -> dict[str, object]:
        """Everything, as plain values and arrays."""
        rows: NDArray[np.float64] = np.array(
            [
                (t.number, t.began, t.seen_at, *t.anchor, t.anchored, t.hits, t.confirmed, t.score)
                for t in self.tracks
            ],
            np.float64,
        ).reshape(-1, 9)
        return {
            "at": self._at,
            "next": self._next,
            "tracks": rows,
            "kinds": [t.kind for t in self.tracks],
            "mean": self.filters.mean,
            "covariance": self.filters.covariance,
        }

    def recall(self, memory: dict[str, object]) -> None:
        """Go on where another one was; what does not fit together is ignored."""
        rows, kinds = memory.get("tracks"), memory.get("kinds")
        mean, covariance = memory.get("mean"), memory.get("covariance")
        at, following = memory.get("at"), memory.get("next")
        if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.shape[1] != 9:  # noqa: PLR2004
            return
        fits = (
            isinstance(kinds, list)
            and len(kinds) == len(rows)
            and isinstance(mean, np.ndarray)
            and mean.shape == (len(rows), 4, 2)
            and isinstance(covariance, np.ndarray)
            and covariance.shape == (len(rows), 4, 2, 2)
            and bool(np.isfinite(mean).all() and np.isfinite(covariance).all())
        )
        if not fits or not isinstance(at, int | float) or not isinstance(following, int):
            return
        names = kinds if isinstance(kinds, list) else []
        self._at, self._next = float(at), following
        self.filters.mean, self.filters.covariance = np.array(mean), np.array(covariance)
        self.tracks = [
            Track(
                int(row[0]), row[1], row[2], (row[3], row[4]), row[5],
                int(row[6]), bool(row[7]), str(kind), row[8],
            )
            for row, kind in zip(rows.tolist(), names, strict=True)
        ]  # fmt: skip


def _rest(rows: Index, columns: Index, pairs: list[tuple[int, int]]) -> tuple[Index, Index]:
    """What is not in the pairs."""
    used_rows, used_columns = {r for r, _ in pairs}, {c for _, c in pairs}
    return (
        np.array([r for r in rows if r not in used_rows], np.intp),
        np.array([c for c in columns if c not in used_columns], np.intp),
    )
