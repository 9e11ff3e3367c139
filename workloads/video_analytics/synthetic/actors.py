"""What moves, stands and lies in a scene. Positions are fractions of the frame, times seconds."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from workloads.video_analytics.synthetic.backgrounds import HORIZON
from workloads.video_analytics.synthetic.canvas import Canvas, Colour
from workloads.video_analytics.vision.model import Box

#: Of the frame's height: how tall a person is whose feet are at its lower edge.
TALL = 0.48
#: Fractions of the frame in a fifth of a second: who moves less stands.
_STANDING = 0.0005


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a thing is at a time; between two stops it moves evenly."""

    at: float
    x: float
    y: float


def height_at(y: float) -> float:
    """How tall a person is who stands there, as a fraction of the frame's height."""
    return TALL * (y - HORIZON) / (1 - HORIZON)


class Actor(Protocol):
    """Something in the scene."""

    def depth(self, at: float) -> float:
        """How near it is: the nearer is drawn over the farther."""
        ...

    def draw(self, canvas: Canvas, at: float) -> None:
        """Draw it if it is there at that time."""
        ...


@dataclass(frozen=True)
class Path:
    """A way through the scene."""

    stops: Sequence[Stop]

    def where(self, at: float) -> tuple[float, float] | None:
        """The foot; None before the first stop and after the last."""
        if not self.stops[0].at <= at <= self.stops[-1].at:
            return None
        n = min(bisect_right([stop.at for stop in self.stops], at), len(self.stops) - 1)
        before, after = self.stops[n - 1], self.stops[n]
        share = (at - before.at) / max(after.at - before.at, 1e-9)
        return before.x + (after.x - before.x) * share, before.y + (after.y - before.y) * share

    def going(self, at: float) -> float:
        """Fractions of the frame per second, to the right; 0 where it stands."""
        here, soon = self.where(at), self.where(at + 0.2)
        return 0.0 if here is None or soon is None else (soon[0] - here[0]) / 0.2

    def moving(self, at: float) -> bool:
        """Whether it is on its way rather than standing."""
        here, soon = self.where(at), self.where(at + 0.2)
        return here is not None and soon is not None and math.dist(here, soon) > _STANDING


@dataclass(frozen=True)
class Person:
    """Somebody who walks and stands; standing, nobody is quite still.

    Attributes:
        carries: (from, until, bag): what is in the hand meanwhile.
        sway: how much of the height a standing body moves.
        sits: where others stand.
        shade: how much light the shadow at the feet takes.
    """

    path: Path
    coat: Colour = (60, 50, 110)
    trousers: Colour = (70, 50, 40)
    carries: Sequence[tuple[float, float, "Bag"]] = ()
    sway: float = 0.02
    seed: int = 0
    shade: float = 0.25
    sits: bool = False

    def depth(self, at: float) -> float:
        where = self.path.where(at)
        return where[1] if where else 0.0

    def draw(self, canvas: Canvas, at: float) -> None:
        where = self.path.where(at)
        if where is None:
            return
        rows, columns = canvas.truth.shape
        tall = height_at(where[1]) * rows
        x, y = where[0] * columns, where[1] * rows
        going = self.path.moving(at)
        lower = 0.24 * tall if self.sits and not going else 0.0  # than the same one stands
        swing = math.sin(at * 7 + self.seed) * 0.13 * tall if going else 0.05 * tall
        if not going:  # weight shifts every few seconds, and the body is never quite still
            slow = math.sin(at * 0.45 + self.seed) + math.sin(at * 1.13 + self.seed * 2)
            x += self.sway * tall * slow
            swing += 0.02 * tall * math.sin(at * 0.8 + self.seed)
        if self.shade:
            canvas.shadow(x + 0.15 * tall, y, 0.28 * tall, 0.06 * tall, self.shade)
        hip, neck, wide = y - 0.47 * tall + lower, y - 0.84 * tall + lower, 0.12 * tall
        for side in (-1, 1):
            foot = x + side * swing
            thick = 0.055 * tall
            canvas.polygon(
                [(x - thick, hip), (x + thick, hip), (foot + thick, y), (foot - thick, y)],
                self.trousers,
            )
        canvas.polygon(
            [(x - wide, neck), (x + wide, neck), (x + 0.8 * wide, hip), (x - 0.8 * wide, hip)],
            self.coat,
        )
        arm = 0.1 * tall * math.sin(at * (7 if going else 0.6) + self.seed)
        canvas.polygon(
            [(x - 1.2 * wide, neck), (x - 0.8 * wide, neck), (x - 0.6 * wide + arm, hip),
             (x - 1.1 * wide + arm, hip)],
            self.coat,
        )  # fmt: skip
        canvas.ellipse(x, y - 0.92 * tall + lower, 0.065 * tall, 0.085 * tall, (120, 150, 190))
        for since, until, bag in self.carries:
            if since <= at < until:
                bag.put(canvas, (x + 0.17 * tall, y - 0.12 * tall), tall)


@dataclass(frozen=True)
class Bag:
    """A bag, a case or a box on the ground, from a time until another.

    Attributes:
        size: width and height as fractions of a person's height.
    """

    x: float
    y: float
    since: float = 0.0
    until: float = math.inf
    colour: Colour = (40, 40, 160)
    size: tuple[float, float] = (0.26, 0.3)
    texture: bool = True

    def depth(self, at: float) -> float:  # noqa: ARG002 - it lies where it lies
        return self.y

    def draw(self, canvas: Canvas, at: float) -> None:
        if self.since <= at < self.until:
            rows, columns = canvas.truth.shape
            tall = height_at(self.y) * rows
            self.put(canvas, (self.x * columns, self.y * rows), tall)

    def put(self, canvas: Canvas, foot: tuple[float, float], tall: float) -> None:
        """Draw it with its foot there, beside a person that tall."""
        wide, high = self.size[0] * tall, self.size[1] * tall
        x, y = foot
        canvas.rectangle(x - wide / 2, y - high, wide, high, self.colour)
        dark = tuple(int(c * 0.55) for c in self.colour)
        if self.texture:
            canvas.rectangle(
                x - wide / 2,
                y - high * 0.55,
                wide,
                max(1.0, high * 0.1),
                (dark[0], dark[1], dark[2]),
            )
            canvas.rectangle(
                x - wide * 0.15,
                y - high * 1.15,
                wide * 0.3,
                high * 0.15,
                (dark[0], dark[1], dark[2]),
            )

    @property
    def box(self) -> Box:
        """Where it lies, for a frame of 16 : 9."""
        tall = height_at(self.y)
        wide, high = self.size[0] * tall * 9 / 16, self.size[1] * tall
        return Box(self.x - wide / 2, self.y - high, wide, high)


@dataclass(frozen=True)
class Block:
    """A wall, a pillar or a bin that always stands there.

    Attributes:
        x, y: its foot, as fractions of the frame.
        wide, high: as fractions of the frame's height.
    """

    x: float
    y: float
    wide: float
    high: float
    colour: Colour

    def depth(self, at: float) -> float:  # noqa: ARG002 - it stands where it stands
        return self.y

    def draw(self, canvas: Canvas, at: float) -> None:  # noqa: ARG002
        rows, columns = canvas.truth.shape
        wide, high = self.wide * rows, self.high * rows
        x, y = self.x * columns - wide / 2, self.y * rows - high
        truth = canvas.truth.copy()  # it is background
        canvas.rectangle(x, y, wide, high, self.colour)
        canvas.rectangle(x, y, wide, max(1.0, high * 0.06), _darker(self.colour))
        canvas.truth = truth


def _darker(colour: Colour) -> Colour:
    return int(colour[0] * 0.7), int(colour[1] * 0.7), int(colour[2] * 0.7)


@dataclass(frozen=True)
class Car:
    """A car that drives and parks.

    Attributes:
        lamps: headlights are on: the light runs before it.
        lamps_until: a parked car's lights go out then.
    """

    path: Path
    colour: Colour = (150, 60, 40)
    lamps: bool = False
    lamps_until: float = math.inf
    shade: float = 0.3
    long: float = 2.4

    def depth(self, at: float) -> float:
        where = self.path.where(at)
        return where[1] if where else 0.0

    def draw(self, canvas: Canvas, at: float) -> None:
        where = self.path.where(at)
        if where is None:
            return
        rows, columns = canvas.truth.shape
        tall = height_at(where[1]) * rows * 0.85
        x, y, wide = where[0] * columns, where[1] * rows, self.long * tall
        toward = -1 if self.path.stops[-1].x < self.path.stops[0].x else 1
        if self.shade:
            canvas.shadow(x, y, wide * 0.56, tall * 0.12, self.shade)
        if self.lamps and at < self.lamps_until:
            canvas.light(x + toward * wide * 0.75, y, wide * 0.3, 2.2)
        canvas.rectangle(x - wide / 2, y - tall * 0.62, wide, tall * 0.5, self.colour)
        canvas.polygon(
            [(x - wide * 0.32, y - tall * 0.62), (x - wide * 0.2, y - tall),
             (x + wide * 0.2, y - tall), (x + wide * 0.34, y - tall * 0.62)],
            (70, 62, 56),
        )  # fmt: skip
        for side in (-0.3, 0.3):
            canvas.ellipse(x + side * wide, y - tall * 0.12, tall * 0.15, tall * 0.15, (24, 24, 24))
        if self.lamps and at < self.lamps_until:
            canvas.ellipse(x + toward * wide * 0.48, y - tall * 0.4, 2, 2, (245, 250, 250))


@dataclass(frozen=True)
class Excavator:
    """A machine on tracks whose arm digs while it works.

    Attributes:
        spells: (from, until) of its work; in between it stands still.
        lamp: lights the ground before it, as at night.
    """

    x: float
    y: float
    spells: Sequence[tuple[float, float]] = field(default_factory=tuple)
    colour: Colour = (30, 150, 210)
    size: float = 0.16
    seed: int = 0
    lamp: bool = True

    def depth(self, at: float) -> float:  # noqa: ARG002 - it digs where it stands
        return self.y

    def draw(self, canvas: Canvas, at: float) -> None:
        rows, columns = canvas.truth.shape
        worked = sum(max(0.0, min(at, until) - since) for since, until in self.spells)
        turn = math.sin(worked * 0.5 + self.seed)
        reach = 0.5 + 0.5 * math.sin(worked * 0.9)
        unit = self.size * columns
        x, y = self.x * columns + unit * 0.15 * math.sin(worked * 0.05), self.y * rows
        canvas.rectangle(x - unit * 0.4, y - unit * 0.16, unit * 0.8, unit * 0.16, (40, 40, 44))
        shift = unit * 0.1 * turn
        canvas.rectangle(
            x - unit * 0.3 + shift, y - unit * 0.5, unit * 0.55, unit * 0.35, self.colour
        )
        canvas.rectangle(
            x - unit * 0.05 + shift, y - unit * 0.62, unit * 0.22, unit * 0.26, (90, 80, 60)
        )
        elbow = (x + unit * (0.2 + 0.35 * turn), y - unit * (0.75 + 0.15 * reach))
        bucket = (x + unit * (0.35 + 0.65 * turn), y - unit * (0.1 + 0.3 * reach))
        for start, end in (((x + shift, y - unit * 0.4), elbow), (elbow, bucket)):
            _bar(canvas, start, end, unit * 0.07, self.colour)
        canvas.ellipse(bucket[0], bucket[1], unit * 0.09, unit * 0.08, (50, 52, 56))
        if self.lamp:
            canvas.light(x + unit * 0.5, y - unit * 0.1, unit * 0.5, 1.2)


def _bar(
    canvas: Canvas,
    start: tuple[float, float],
    end: tuple[float, float],
    thick: float,
    colour: Colour,
) -> None:
    long = math.dist(start, end) or 1.0
    across = (
        -(end[1] - start[1]) / long * thick / 2,
        (end[0] - start[0]) / long * thick / 2,
    )
    canvas.polygon(
        [(start[0] + across[0], start[1] + across[1]), (end[0] + across[0], end[1] + across[1]),
         (end[0] - across[0], end[1] - across[1]), (start[0] - across[0], start[1] - across[1])],
        colour,
    )  # fmt: skip
