"""What is written of a track: where it went, thinned out, how large, which colour, for how long."""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from workloads.video_analytics.vision import colours
from workloads.video_analytics.vision.model import Box, Image, Point, TrackPiece
from workloads.video_analytics.vision.ports import Tracked

PIECE_SECONDS = 60.0  # a track that lasts is written so often
_STEP = 0.01  # of the frame: a smaller move is no new point of the path
_STEP_SECONDS = 5.0
_COLOUR_LOOKS = 6
_COLOUR_SECONDS = 0.4
_MOST_SIZES = 600


@dataclass(slots=True)
class _History:
    first: datetime
    last: datetime
    written: datetime
    path: list[tuple[datetime, Point]]
    box: Box
    kind: str = ""
    sizes: list[float] = field(default_factory=list)
    colour: np.ndarray = field(default_factory=lambda: np.zeros(len(colours.NAMES)))
    looks: int = 0
    looked: datetime | None = None


class Histories:
    """The histories of the tracks of one camera."""

    def __init__(self) -> None:
        self._known: dict[str, _History] = {}

    def note(self, track: Tracked, at: datetime) -> None:
        """A track was seen in this frame."""
        foot = track.box.foot
        history = self._known.get(track.id)
        if history is None:
            history = _History(track.began, at, at, [(at, foot)], track.box)
            self._known[track.id] = history
        history.last, history.kind = at, track.kind or history.kind
        before, place = history.path[-1] if history.path else (history.first, Point(-1, -1))
        moved = max(abs(foot.x - place.x), abs(foot.y - place.y))
        if moved >= _STEP or (at - before).total_seconds() >= _STEP_SECONDS:
            history.path.append((at, foot))
        if len(history.sizes) < _MOST_SIZES:
            history.sizes.append(track.box.width * track.box.height)
        if track.box.width * track.box.height > history.box.width * history.box.height:
            history.box = track.box

    def wants_colour(self, track: str, at: datetime) -> bool:
        """Whether its colour should be looked at in this frame."""
        history = self._known.get(track)
        return history is not None and (
            history.looked is None
            or (
                history.looks < _COLOUR_LOOKS
                and (at - history.looked).total_seconds() >= _COLOUR_SECONDS
            )
        )

    def note_colour(self, track: Tracked, at: datetime, colour: Image, mask: Image) -> None:
        """Look at the colour of a track: BGR and the mask of what is new, of one size."""
        history = self._known[track.id]
        height, width = mask.shape
        left, top = round(track.box.x * width), round(track.box.y * height)
        right = left + max(1, round(track.box.width * width))
        bottom = top + max(1, round(track.box.height * height))
        part = slice(max(0, top), max(0, bottom)), slice(max(0, left), max(0, right))
        history.colour += colours.shares(colour[part], mask[part])
        history.looked, history.looks = at, history.looks + 1

    def due(self, at: datetime) -> list[TrackPiece]:
        """Pieces of those that have lasted."""
        return [
            self._piece(key, history, ended=False)
            for key, history in self._known.items()
            if (at - history.written).total_seconds() >= PIECE_SECONDS
        ]

    def end(self, track: str) -> list[TrackPiece]:
        """The last piece of one that is gone."""
        history = self._known.pop(track, None)
        return [] if history is None else [self._piece(track, history, ended=True)]

    def end_all(self) -> list[TrackPiece]:
        """The last pieces of all."""
        return [piece for key in list(self._known) for piece in self.end(key)]

    def _piece(self, key: str, history: _History, *, ended: bool) -> TrackPiece:
        path = history.path or [(history.last, history.box.foot)]
        history.path, history.written = [], history.last
        dwell = (history.last - history.first).total_seconds()
        size = float(np.median(history.sizes)) if history.sizes else 0.0
        return TrackPiece(
            key, tuple(path), size, colours.name(history.colour), history.kind,
            dwell, ended, history.box,
        )  # fmt: skip
