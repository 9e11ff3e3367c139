"""Who was where, and so who was there when something began to stand."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from workloads.video_analytics.vision.detectors.two_speeds import Layers, Mask, closed, spots
from workloads.video_analytics.vision.model import Box
from workloads.video_analytics.vision.ports import Tracked

#: Seconds: kept of who was where; before and after the start that count as "as it began".
_REMEMBER = 30.0
BEFORE = 4.0
_AFTER = 2.5
#: Of what something covers: as much changes within a second when it moves.
_MOVES = 0.08
#: Percentile of what was seen of somebody: one is often seen in parts, and rarely larger than one
#: is.
_MOST_WHOLE = 90
#: Of each other's height: as much have those in common who may be the same.
_AS_HIGH = 0.72
#: Seconds for which nobody was there, between one visit and the next.
_VISIT = 1.5
#: Overlap from which something is still where it was.
_STILL = 0.4
#: Sizes kept of one track, at most.
_MOST_SIZES = 60
#: Of one's height: the foot of a thing is so far from one's own at most when one puts it down.
_REACH = 0.4
#: No border: for boxes that need not lie within the picture.
_ENDLESS = (1 << 20, 1 << 20)


class Span(NamedTuple):
    """A rectangle in pixels: left, top, right and bottom, the last two beyond it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def wide(self) -> int:
        return self.right - self.left

    @property
    def high(self) -> int:
        return self.bottom - self.top

    @property
    def area(self) -> int:
        return max(0, self.wide) * max(0, self.high)

    def grown(self, across: float, up: float, down: float, shape: tuple[int, ...]) -> "Span":
        """Larger by so many pixels, within a picture."""
        return Span(
            max(0, int(self.left - across)),
            max(0, int(self.top - up)),
            min(shape[1], int(self.right + across + 1)),
            min(shape[0], int(self.bottom + down + 1)),
        )

    def common(self, other: "Span") -> int:
        """The area of what both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0, wide) * max(0, high)

    def joined(self, other: "Span") -> "Span":
        """The box around both."""
        return Span(
            min(self.left, other.left), min(self.top, other.top),
            max(self.right, other.right), max(self.bottom, other.bottom),
        )  # fmt: skip

    def overlap(self, other: "Span") -> float:
        """Intersection over union."""
        common = self.common(other)
        return common / max(1, self.area + other.area - common)

    def within(self, shape: tuple[int, ...]) -> bool:
        """Whether it lies in a picture of that height and width."""
        return (
            self.left >= 0 and self.top >= 0 and self.right <= shape[1] and self.bottom <= shape[0]
        )

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)


@dataclass
class Company:
    """Who was there when it began.

    Attributes:
        heights, areas, feet: in pixels, of those who touched the place.
        ids: of their tracks.
        wholes: heights and areas of those who were followed before.
    """

    heights: list[float] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)
    feet: list[float] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    wholes: list[tuple[float, float]] = field(default_factory=list)

    def join(self, other: "Company") -> None:
        """Those of another time, too."""
        self.heights.extend(other.heights)
        self.areas.extend(other.areas)
        self.feet.extend(other.feet)
        self.wholes.extend(other.wholes)
        self.ids |= other.ids
        del self.heights[:-200], self.areas[:-200], self.feet[:-200], self.wholes[:-200]

    @property
    def tall(self) -> float:
        """How tall they are; 0 when nobody was there."""
        return _middle(self.heights, self.wholes, 0)

    @property
    def large(self) -> float:
        """How many pixels their boxes have; 0 when nobody was there."""
        return _middle(self.areas, self.wholes, 1)

    def note(self, span: Span, whole: tuple[float, float] | None = None) -> None:
        """Somebody touched the place, who is so high and so large where that was seen."""
        self.heights.append(span.high)
        self.areas.append(span.area)
        self.feet.append(span.bottom)
        if whole is not None:
            self.wholes.append(whole)

    def stood_at(self, bottom: float) -> bool:
        """Whether one of them stood about where a thing has its foot.

        A head or a jacket that is told from the ground while the rest is not has nobody's feet.
        """
        tall = self.tall
        return any(
            abs(foot - bottom) <= _REACH * tall and high >= 0.5 * tall
            for foot, high in zip(self.feet, self.heights, strict=True)
        )


def _middle(seen: Sequence[float], wholes: Sequence[tuple[float, float]], which: int) -> float:
    """Of those who were followed, what they are in full view; else the most that was seen."""
    if wholes:
        return float(np.median([whole[which] for whole in wholes]))
    return float(np.percentile(seen, _MOST_WHOLE)) if seen else 0.0


@dataclass
class _Whole:
    """How high and how large somebody is, of all that was seen of them so far, and where."""

    first: Span
    born: float
    last: Span
    heights: list[int] = field(default_factory=list)
    areas: list[int] = field(default_factory=list)
    seen: float = 0.0

    def note(self, span: Span, at: float, shape: tuple[int, ...]) -> None:
        self.seen, self.last = at, span
        if span.left > 0 and span.top > 0 and span.right < shape[1] and span.bottom < shape[0]:
            self.heights.append(span.high)
            self.areas.append(span.area)
            if len(self.heights) > _MOST_SIZES:
                del self.heights[::2], self.areas[::2]

    @property
    def size(self) -> tuple[float, float] | None:
        """Height and area, when seen in full view; None when that was never so."""
        if not self.heights:
            return None
        rank = len(self.heights) // 2  # now a part, now two who meet
        return float(sorted(self.heights)[rank]), float(sorted(self.areas)[rank])


class Movers:
    """Who was where in the last half minute: tracks, and whatever moved and is no known thing."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, list[tuple[str, Span]]]] = deque()
        self._wholes: dict[str, _Whole] = {}

    def note(
        self, tracks: list[Tracked], layers: Layers, known: Mask, at: float, least: float
    ) -> None:
        """Remember a moment.

        Args:
            tracks: those that are seen now.
            layers: of the same picture.
            known: where things stand that have been judged.
            at: seconds.
            least: pixels that somebody covers at least.
        """
        shape = layers.new.shape
        movers = [(track.id, span_of(track.box, shape)) for track in tracks]
        labels, stats = spots(closed(layers.new & ~known, 3, 9))
        moving = np.bincount(labels[layers.new & ~layers.calm], minlength=len(stats))
        for label, (left, top, wide, high, area) in enumerate(stats):
            # The edge of a cloud's shadow creeps; who walks changes a good part of what they cover.
            if label and area >= least and moving[label] > _MOVES * area:
                movers.append(("", Span(left, top, left + wide, top + high)))
        self._seen.append((at, movers))
        for name, span in movers[: len(tracks)]:
            self._wholes.setdefault(name, _Whole(span, at, span)).note(span, at, shape)
        while self._seen and at - self._seen[0][0] > _REMEMBER:
            self._seen.popleft()
            self._wholes = {n: w for n, w in self._wholes.items() if at - w.seen < _REMEMBER}

    def company(self, span: Span, began: float) -> Company:
        """Who touched the place as it began."""
        company = Company()
        wide, high = span.wide * 0.4 + 2, span.high * 0.4 + 2
        near = span.grown(wide, high, high, _ENDLESS)
        for when, movers in self._seen:
            if not began - BEFORE <= when <= began + _AFTER:
                continue
            for name, mover in movers:
                if not mover.common(near):
                    continue
                if name:
                    company.ids.add(name)
                if when <= began + 1.0:
                    company.note(mover, self._whole_of(name, mover, span.bottom))
        return company

    def _whole_of(self, name: str, mover: Span, foot: int) -> tuple[float, float] | None:
        """The size of one who stands as far from the camera as that foot; else None."""
        size = self._wholes[name].size if name in self._wholes else None
        return size if size is not None and abs(mover.bottom - foot) <= _REACH * size[0] else None

    def approached(self, span: Span, began: float, tall: float) -> bool:
        """Whether somebody came before it began: who stood or parked there goes without that."""
        place = span.grown(2, 2, 2, _ENDLESS)
        around = span.grown(2.5 * tall, 1.5 * tall, 1.5 * tall, _ENDLESS)
        before: list[float] = []  # when somebody was near, and not there
        came: float | None = None
        last = -np.inf
        for when, movers in self._seen:
            if not began - 2 * BEFORE <= when <= began:
                continue
            near = [m for m in movers if m[1].common(around) and m[1].high > 0.5 * tall]
            if any(mover.common(place) for _, mover in near):
                came = when if came is None or when - last > _VISIT else came
                last = when
            elif near:
                before.append(when)
        return came is not None and any(when < came for when in before)

    def went_by_itself(self, span: Span, began: float, tall: float) -> bool:
        """Whether somebody as high appeared there as it began, from nowhere: it was them."""
        around = span.grown(0.7 * tall, 0.3 * tall, 0.3 * tall, _ENDLESS)
        return any(
            abs(whole.born - began) <= _AFTER
            and _AS_HIGH * span.high < whole.first.high < span.high / _AS_HIGH
            and whole.last.overlap(span) < _STILL
            and whole.first.common(around) > 0.5 * whole.first.area
            for whole in self._wholes.values()
        )


def span_of(box: Box, shape: tuple[int, ...]) -> Span:
    return Span(
        int(box.x * shape[1]),
        int(box.y * shape[0]),
        round((box.x + box.width) * shape[1]),
        round((box.y + box.height) * shape[0]),
    )
