"""Chance, and the people, bags and ways that clips about things are made of."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from workloads.video_analytics.synthetic.actors import Actor, Bag, Path, Person, Stop
from workloads.video_analytics.synthetic.canvas import Colour

#: Frame widths a person walks in a second, at the lower edge of the picture.
PACE = 0.11
COATS: Sequence[Colour] = (
    (60, 50, 110), (40, 40, 40), (150, 70, 40), (60, 110, 60), (170, 170, 175), (30, 80, 150),
)  # fmt: skip
BAGS: Sequence[Colour] = (
    (30, 30, 36),
    (30, 30, 150),
    (140, 60, 20),
    (20, 90, 40),
    (230, 228, 224),
)
CARS: Sequence[Colour] = ((200, 200, 205), (40, 36, 34), (150, 50, 30), (30, 30, 150))


class Draft:
    """Chance, and what belongs together, while a clip is made."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = np.random.default_rng([seed, 11])

    def one(self, of: Sequence[Colour]) -> Colour:
        return of[int(self.random.integers(len(of)))]

    def spot(self) -> tuple[float, float]:
        return float(self.random.uniform(0.3, 0.7)), float(self.random.uniform(0.68, 0.9))

    def walk(
        self, way: Sequence[tuple[float, float]], start: float, waits: Sequence[float] = ()
    ) -> Path:
        """Through the points from the start on, waiting at the inner points as long as given."""
        stops, at = [Stop(start, *way[0])], start
        for n, (before, after) in enumerate(pairwise(way)):
            pace = PACE * max(0.35, (before[1] + after[1]) / 2)
            at += max(0.4, math.dist(before, after) / pace)
            stops.append(Stop(at, *after))
            if n < len(waits) and waits[n] > 0:
                at += waits[n]
                stops.append(Stop(at, *after))
        return Path(stops)

    def person(self, path: Path, **more: object) -> Person:
        return Person(path, self.one(COATS), seed=int(self.random.integers(90)), **more)  # type: ignore[arg-type]

    def passer(self, start: float, y: float | None = None) -> Person:
        y = float(self.random.uniform(0.5, 0.97)) if y is None else y
        ends = (-0.08, 1.08) if self.random.integers(2) else (1.08, -0.08)
        return self.person(self.walk([(ends[0], y), (ends[1], y)], start))

    def passers(self, seconds: float, every: float) -> list[Actor]:
        return [
            self.passer(float(start + self.random.uniform(0, every * 0.7)))
            for start in np.arange(2, seconds, every)
        ]

    def side(self) -> float:
        return -0.08 if self.random.integers(2) else 1.08

    def bag(self, x: float, y: float, **more: object) -> Bag:
        size = float(self.random.uniform(0.24, 0.32))
        return Bag(x, y, colour=self.one(BAGS), size=(size, size * 1.05), **more)  # type: ignore[arg-type]
