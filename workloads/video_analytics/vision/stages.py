"""From a frame to what is followed in it: gate, background, blobs, tracker, histories."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import cv2
import numpy as np

from workloads.video_analytics.vision import blobs, geometry
from workloads.video_analytics.vision.association import Array, overlap
from workloads.video_analytics.vision.background import Background
from workloads.video_analytics.vision.gate import PIXELS, Gate, small
from workloads.video_analytics.vision.model import (
    Box,
    CameraView,
    Frame,
    Image,
    Point,
    Tier,
    TrackPiece,
)
from workloads.video_analytics.vision.pieces import Histories
from workloads.video_analytics.vision.ports import Finder, Sight, Tracked
from workloads.video_analytics.vision.tracker import Knobs, Track, Tracker

#: The size of analysis: no more pixels than this, in the shape of the frame.
ANALYSIS_PIXELS = 320 * 180

_REFRESH_SECONDS = 2.0  # the background is shown a quiet picture so often
_GAP_SECONDS = 10.0  # after so long without frames nothing is where it was
_FIND_SECONDS = 0.4
_COVERED = 0.3
_MOVING = 0.05  # of a box, from which on a thing that a model sees counts as moving

#: Blobs come and go more than a model's detections, so tracks are kept for longer.
_KNOBS = Knobs(lost_seconds=1.5, still_seconds=4.0)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the stages found in a frame, and the pieces of tracks to be kept."""

    sight: Sight
    pieces: list[TrackPiece]


class Stages:
    """The stages of one camera."""

    def __init__(self, view: CameraView, finder: Finder | None = None) -> None:
        self._view = view
        self._finder = finder
        self._gate = Gate()
        self._background = Background()
        self._tracker = Tracker(_KNOBS)
        self._histories = Histories()
        self._shape: tuple[int, ...] = ()
        self._masks: Image | None = None
        self._idle = 0.0
        self._found_at = 0.0

    def patience(self, seconds: float) -> None:
        """For how long a thing that stands stays visible."""
        self._background.patience_seconds = seconds

    def see(self, frame: Frame, tier: Tier, before: datetime | None) -> Seen:
        """Look at a frame, masked already; ``before`` is the time of the one before it."""
        luma = small(frame.luma, ANALYSIS_PIXELS)
        seconds = 0.0 if before is None else (frame.at - before).total_seconds()
        pieces = self._begin(luma, seconds)
        moving = self._gate.look(small(luma, PIXELS), seconds)
        nothing = np.zeros(luma.shape, np.uint8)
        if tier is Tier.ACCESS:
            return Seen(Sight(frame, luma, nothing, moving=moving), pieces)
        foreground = nothing
        self._idle += seconds
        busy = moving or bool(self._tracker.tracks) or not self._background.ready
        if busy or self._idle >= _REFRESH_SECONDS:
            foreground = self._foreground(self._picture(frame, luma, tier), self._idle)
            self._idle = 0.0
        tracks = self._follow(frame, foreground, tier) if busy else []
        pieces += self._note(frame, tracks, foreground)
        seen = foreground if moving or tracks else nothing
        return Seen(Sight(frame, luma, seen, moving=moving, tracks=tracks), pieces)

    def close(self) -> list[TrackPiece]:
        """All tracks end."""
        self._tracker = Tracker(_KNOBS)
        return self._histories.end_all()

    def _begin(self, luma: Image, seconds: float) -> list[TrackPiece]:
        """After a gap, or in another shape, nothing is where it was."""
        other = bool(self._shape) and self._shape != luma.shape
        if other or self._masks is None:
            self._masks = None
            if self._view.masks:
                allowed = [geometry.mask(polygon, luma.shape) == 0 for polygon in self._view.masks]
                self._masks = np.asarray(np.all(allowed, axis=0) * np.uint8(255), np.uint8)
        self._shape = luma.shape
        return self.close() if other or seconds > _GAP_SECONDS else []

    @staticmethod
    def _picture(frame: Frame, luma: Image, tier: Tier) -> Image:
        """With its colours at the full tier: they tell shadows from dark things."""
        if tier is not Tier.FULL or frame.colour is None:
            return luma
        colour = small(frame.colour, ANALYSIS_PIXELS)
        return colour if colour.shape[:2] == luma.shape else luma

    def _foreground(self, picture: Image, seconds: float) -> Image:
        found = self._background.look(picture, seconds)
        return found if self._masks is None else found & self._masks

    def _follow(self, frame: Frame, foreground: Image, tier: Tier) -> list[Tracked]:
        """Take the things of this frame to the tracks; boxes in heights of the frame."""
        height, width = foreground.shape
        boxes, scores = blobs.find(foreground)
        boxes = boxes / height
        kinds = [""] * len(boxes)
        if self._finder is not None and tier is Tier.FULL and frame.colour is not None:
            boxes, scores, kinds = self._with_found(frame, boxes, scores, foreground)
        at = frame.at.timestamp()
        tracks = self._tracker.step(at, boxes, scores, kinds)
        places = self._tracker.boxes
        return [
            self._tracked(track, place, at, width / height)
            for track, place in zip(tracks, places, strict=True)
            if track.confirmed
        ]

    def _with_found(
        self, frame: Frame, boxes: Array, scores: Array, foreground: Image
    ) -> tuple[Array, Array, list[str]]:
        """Detections of the model in place of the blobs that they cover.

        Of things that move or are followed: the model sees furniture, too.
        """
        height, width = foreground.shape
        wide = width / height
        at = frame.at.timestamp()
        finder = self._finder
        if finder is None or at - self._found_at < _FIND_SECONDS:
            return boxes, scores, [""] * len(boxes)
        self._found_at = at
        seen = finder.find(frame)
        places = np.array([(b.x * wide, b.y, b.width * wide, b.height) for b, _, _ in seen])
        known = overlap(places.reshape(-1, 4), self._tracker.boxes).max(axis=1, initial=0.0)
        kept = [
            n for n, (box, _, _) in enumerate(seen)
            if known[n] >= _COVERED or _share(foreground, box) >= _MOVING
        ]  # fmt: skip
        if not kept:
            return boxes, scores, [""] * len(boxes)
        found, theirs = [seen[n] for n in kept], places[kept]
        free = overlap(boxes, theirs).max(axis=1, initial=0.0) < _COVERED
        kinds = ["" for _ in range(int(free.sum()))] + [kind for _, kind, _ in found]
        sure = np.array([score for _, _, score in found])
        return (
            np.concatenate([boxes[free], theirs]),
            np.concatenate([scores[free], sure]),
            kinds,
        )

    def _tracked(self, track: Track, place: Array, at: float, wide: float) -> Tracked:
        index = self._tracker.tracks.index(track)
        speed = self._tracker.filters.mean[index, :2, 1]
        left, top, width, height = (float(each) for each in place)
        return Tracked(
            id=_id(track),
            box=_within(Box(left / wide, top, width / wide, height)),
            seen=track.detection >= 0,
            began=datetime.fromtimestamp(track.began, UTC),
            velocity=Point(float(speed[0]) / wide, float(speed[1])),
            still_seconds=at - track.anchored,
            kind=track.kind,
            score=min(1.0, track.score),
        )

    def _note(self, frame: Frame, tracks: list[Tracked], foreground: Image) -> list[TrackPiece]:
        found = [piece for gone in self._tracker.gone for piece in self._histories.end(_id(gone))]
        self._tracker.gone = []
        colour: Image | None = None
        for track in tracks:
            if not track.seen:
                continue
            self._histories.note(track, frame.at)
            if frame.colour is None or not self._histories.wants_colour(track.id, frame.at):
                continue
            if colour is None:
                size = (foreground.shape[1], foreground.shape[0])
                scaled = cv2.resize(frame.colour, size, interpolation=cv2.INTER_NEAREST)
                colour = np.asarray(scaled, np.uint8)
            self._histories.note_colour(track, frame.at, colour, foreground)
        return found + self._histories.due(frame.at)

    def memory(self) -> dict[str, object]:
        """What the stages know; a track's history so far is not kept, it goes on as a new piece."""
        return {
            "gate": self._gate.memory(),
            "background": self._background.memory(),
            "tracker": self._tracker.memory(),
            "shape": list(self._shape),
        }

    def recall(self, memory: dict[str, Any]) -> None:
        """Go on with what another one knew."""
        for part, into in (
            ("gate", self._gate.recall),
            ("background", self._background.recall),
            ("tracker", self._tracker.recall),
        ):
            if isinstance(memory.get(part), dict):
                into(memory[part])
        shape = memory.get("shape")
        if isinstance(shape, list) and all(isinstance(each, int) for each in shape):
            self._shape = tuple(shape)


def _id(track: Track) -> str:
    """The same wherever and how often the same frames are looked at."""
    return f"{round(track.began * 1000):x}-{track.number}"


def _share(foreground: Image, box: Box) -> float:
    """How much of a box moves or is new."""
    height, width = foreground.shape
    inside = _within(box)
    part = foreground[
        int(inside.y * height) : math.ceil((inside.y + inside.height) * height),
        int(inside.x * width) : math.ceil((inside.x + inside.width) * width),
    ]
    return float(np.count_nonzero(part)) / part.size if part.size else 0.0


def _within(box: Box) -> Box:
    """What of a box lies in the frame."""
    left, top = min(max(box.x, 0.0), 1.0), min(max(box.y, 0.0), 1.0)
    right = min(max(box.x + box.width, left), 1.0)
    bottom = min(max(box.y + box.height, top), 1.0)
    return Box(left, top, right - left, bottom - top)
