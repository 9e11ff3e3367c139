"""Asking models about a camera's frames: once for all of its rules."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from workloads.video_analytics.vision.model import Box, CameraView, Image
from workloads.video_analytics.vision.models.load import Models
from workloads.video_analytics.vision.models.ports import Embedding, Face, Found, Plate
from workloads.video_analytics.vision.ports import Sight, Tracked

T = TypeVar("T")

#: From how much of a box on it counts as moving; models see furniture too.
_MOVING = 0.05
_OVER = 0.5


class Looker:
    """One camera's way to the models of the process. Not thread-safe, as its detectors are not.

    Args:
        models: of the process.
        view: the camera; what it masks is black in the frames already (``Sight.frame``).
    """

    def __init__(self, models: Models, view: CameraView) -> None:
        self.models = models
        self.view = view
        self._sight: Sight | None = None
        self._seen: dict[str, Sequence[object]] = {}

    def objects(self, sight: Sight) -> list[Found]:
        """Things of known classes; none where there is no colour or no model."""
        model = self.models.objects
        return [] if model is None else self._ask("objects", sight, model.detect)

    def faces(self, sight: Sight) -> list[Face]:
        """Faces, whoever's they are."""
        model = self.models.faces
        return [] if model is None else self._ask("faces", sight, model.detect)

    def plates(self, sight: Sight) -> list[Plate]:
        """Plates that were read."""
        model = self.models.plates
        return [] if model is None else self._ask("plates", sight, model.read)

    def embed(self, sight: Sight, face: Face) -> Embedding | None:
        """What tells a face of this frame from others."""
        model, picture = self.models.faces, self._of(sight)
        return None if model is None or picture is None else model.embed(picture, face)

    def _ask(self, what: str, sight: Sight, model: Callable[[Image], list[T]]) -> list[T]:
        picture = self._of(sight)
        if picture is None:
            return []
        if what not in self._seen:
            self._seen[what] = model(picture)
        return self._seen[what]  # type: ignore[return-value] # one kind of thing for each name

    def _of(self, sight: Sight) -> Image | None:
        """The picture of a frame; what models told of the one before is forgotten."""
        if self._sight is not sight:
            self._sight, self._seen = sight, {}
        return sight.frame.colour


def moves(sight: Sight, box: Box) -> bool:
    """Whether something in a box moves or is followed."""
    height, width = sight.foreground.shape[:2]
    left, right = int(box.x * width), int(np.ceil((box.x + box.width) * width))
    top, bottom = int(box.y * height), int(np.ceil((box.y + box.height) * height))
    inside = sight.foreground[max(top, 0) : bottom, max(left, 0) : right]
    moving = inside.size > 0 and np.count_nonzero(inside) >= _MOVING * inside.size
    return bool(moving) or track_of(sight, box) is not None


def track_of(sight: Sight, box: Box) -> Tracked | None:
    """The thing that is followed there: the one that shares most with the box, and half of one."""
    found = [(over(box, track.box), track) for track in sight.tracks if track.seen]
    best = max(found, key=lambda pair: pair[0], default=(0.0, None))
    return best[1] if best[0] >= _OVER else None


def over(one: Box, other: Box) -> float:
    """What two boxes share, as a part of the smaller."""
    least = min(one.width * one.height, other.width * other.height)
    return shared(one, other) / least if least > 0 else 0.0


def alike(one: Box, other: Box) -> float:
    """What two boxes share, as a part of what they cover together (IoU)."""
    common = shared(one, other)
    both = one.width * one.height + other.width * other.height - common
    return common / both if both > 0 else 0.0


def shared(one: Box, other: Box) -> float:
    """The area that two boxes share."""
    wide = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    high = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return max(0.0, wide) * max(0.0, high)


def grown(box: Box, times: float) -> Box:
    """A box so many times as wide and high about the same centre."""
    return Box(
        box.x - box.width * (times - 1) / 2, box.y - box.height * (times - 1) / 2,
        box.width * times, box.height * times,
    )  # fmt: skip


def kinds_of(sight: Sight, found: Sequence[Found], least: float) -> Mapping[str, tuple[str, float]]:
    """For things that are followed, the class of what a model saw there, and how sure it is.

    For the analyser, which marks its tracks with it (``Tracked.kind``).
    """
    best: dict[str, tuple[str, float]] = {}
    for thing in found:
        track = track_of(sight, thing.box) if thing.score >= least else None
        if track is not None and thing.score > best.get(track.id, ("", 0.0))[1]:
            best[track.id] = (thing.kind, thing.score)
    return best
