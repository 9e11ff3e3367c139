"""Who was where, and so who was there when something began to stand."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from workloads.video_analytics.vision.detectors.two_speeds import Layers, Mask, closed, spots
from workloads.video_analytics.vision.model import Box
from workloads.video_analytics.vision.ports import Tracked

#: Seconds: kept of who was where; before and after the start that count as "as it began". Who puts
#: a thing down may stand before it for long: it is told from them when they go.
_REMEMBER = 90.0
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
#: Of a place, and times its area: who passes before a thing is so much there, and so large.
_HIDES, _LARGER = 0.4, 1.5
#: The most moments kept of one company.
_MOST_NOTES = 200
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
        foot: of the thing, pixels from above.
        heights, areas, feet, times: in pixels and seconds, of those who touched the place.
        ids: of their tracks.
    """

    foot: float = 0.0
    heights: list[float] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)
    feet: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    def join(self, other: "Company") -> None:
        """Those of another time, too."""
        for mine, theirs in (
            (self.heights, other.heights), (self.areas, other.areas), (self.feet, other.feet),
            (self.times, other.times),
        ):  # fmt: skip
            mine.extend(theirs)
            del mine[:-_MOST_NOTES]
        self.ids |= other.ids

    def note(self, span: Span, at: float) -> None:
        """Somebody touched the place."""
        self.heights.append(span.high)
        self.areas.append(span.area)
        self.feet.append(span.bottom)
        self.times.append(at)

    @property
    def tall(self) -> float:
        """How tall they are; 0 when nobody was there."""
        return self._of(self.heights)

    @property
    def large(self) -> float:
        """How many pixels their boxes have; 0 when nobody was there."""
        return self._of(self.areas)

    def _of(self, sizes: Sequence[float]) -> float:
        """The middle of the largest at each time, of those as far from the camera as the thing.

        One is seen in parts; and who passes nearer to the camera is larger, or makes two one.
        """
        most: dict[float, float] = {}
        for size, high, foot, at in zip(sizes, self.heights, self.feet, self.times, strict=True):
            if abs(foot - self.foot) <= _REACH * high:
                most[at] = max(size, most.get(at, 0.0))
        if most:
            return float(np.median(list(most.values())))
        return float(np.percentile(sizes, _MOST_WHOLE)) if sizes else 0.0

    def stood_at(self, bottom: float) -> bool:
        """Whether one of them stood about where a thing has its foot.

        A head or a jacket that is told from the ground while the rest is not has nobody's feet.
        """
        # As on level ground before a camera that looks ahead: who is nearer to it is higher.
        there = [
            high * bottom / max(foot, 1.0)
            for foot, high in zip(self.feet, self.heights, strict=True)
        ]
        tall = float(np.percentile(there, _MOST_WHOLE)) if there else 0.0
        return any(
            abs(foot - bottom) <= _REACH * tall and high >= 0.5 * tall
            for foot, high in zip(self.feet, there, strict=True)
        )


@dataclass
class _Course:
    """Where and when a track was first and last seen."""

    first: Span
    born: float
    last: Span
    seen: float


class Movers:
    """Who was where in the last half minute: tracks, and whatever moved and is no known thing."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, list[tuple[str, Span]]]] = deque()
        self._courses: dict[str, _Course] = {}

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
            course = self._courses.setdefault(name, _Course(span, at, span, at))
            course.last, course.seen = span, at
        while self._seen and at - self._seen[0][0] > _REMEMBER:
            self._seen.popleft()
            self._courses = {n: c for n, c in self._courses.items() if at - c.seen < _REMEMBER}

    def company(self, span: Span, began: float) -> Company:
        """Who touched the place as it began."""
        company = Company(span.bottom)
        wide, high = span.wide * 0.4 + 2, span.high * 0.4 + 2
        near = span.grown(wide, high, high, _ENDLESS)
        for when, movers in self._seen:
            if not began - BEFORE <= when <= began + _AFTER:
                continue
            for name, mover in movers:
                if not mover.common(near):
                    continue
                if mover.overlap(span) > _STILL:
                    continue  # it is followed itself, and is no company of its own
                if name:
                    company.ids.add(name)
                if when <= began + 1.0:
                    company.note(mover, when)
        return company

    def cover(self, span: Span) -> bool:
        """Whether somebody larger is before a place now."""
        movers = self._seen[-1][1] if self._seen else []
        return any(
            mover.common(span) > _HIDES * span.area and mover.area > _LARGER * span.area
            for _, mover in movers
        )

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
        visitors = [  # who had come there, and was followed no further
            course.seen
            for course in self._courses.values()
            if course.last.common(around) and not course.first.common(around)
        ]
        return any(
            abs(course.born - began) <= _AFTER
            and _AS_HIGH * span.high < course.first.high < span.high / _AS_HIGH
            and course.last.overlap(span) < _STILL
            and course.first.common(around) > 0.5 * course.first.area
            and not any(abs(course.born - lost) < _AFTER for lost in visitors)
            for course in self._courses.values()
        )


def span_of(box: Box, shape: tuple[int, ...]) -> Span:
    return Span(
        int(box.x * shape[1]),
        int(box.y * shape[0]),
        round((box.x + box.width) * shape[1]),
        round((box.y + box.height) * shape[0]),
    )
