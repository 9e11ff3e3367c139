"""A building site at night and by day: machines at work, and what only looks like it."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np

from workloads.video_analytics.synthetic.actors import Actor, Car, Excavator, Path, Person, Stop
from workloads.video_analytics.synthetic.effects import Weather
from workloads.video_analytics.synthetic.scene import Scene, Truth
from workloads.video_analytics.vision.model import Point, RuleKind

#: Half past eleven at night, ten in the morning, and a quarter to ten at night in Shanghai.
NIGHT = datetime(2026, 6, 10, 15, 30, tzinfo=UTC)
DAY = datetime(2026, 6, 10, 2, 0, tzinfo=UTC)

SITE = (Point(0.05, 0.2), Point(0.95, 0.2), Point(0.95, 0.95), Point(0.05, 0.95))


def _scene(
    name: str,
    seed: int,
    actors: list[Actor],
    *,
    worked: tuple[float, float] | None = None,
    weather: Weather | None = None,
    began: datetime = NIGHT,
    light: float = 0.35,
    **parameters: Any,  # noqa: ANN401 - of a rule
) -> Scene:
    truths = [Truth(RuleKind.CONSTRUCTION, *worked)] if worked else []
    return Scene(
        name, "site", 260, actors, weather or Weather(noise=3), truths, RuleKind.CONSTRUCTION, SITE,
        {"clear_seconds": 60, **parameters}, seed=seed, fps=4.0, began=began, light=light,
    )  # fmt: skip


def _digger(seed: int, *spells: tuple[float, float], size: float = 0.16) -> list[Actor]:
    random = np.random.default_rng([seed, 31])
    x, y = float(random.uniform(0.35, 0.6)), float(random.uniform(0.65, 0.8))
    return [Excavator(x, y, spells, size=size, seed=seed)]


def _walkers(seed: int, every: float) -> list[Actor]:
    random = np.random.default_rng([seed, 32])
    found: list[Actor] = []
    for start in np.arange(3, 255, every):
        y = float(random.uniform(0.5, 0.85))
        ends = (-0.1, 1.1) if random.integers(2) else (1.1, -0.1)
        stops = [Stop(float(start), ends[0], y), Stop(float(start) + 18, ends[1], y)]
        found.append(Person(Path(stops), seed=int(start)))
    return found


def _lights(seed: int, every: float) -> list[Actor]:
    """Cars pass behind the fence: their light sweeps over the site."""
    random = np.random.default_rng([seed, 33])
    found: list[Actor] = []
    for start in np.arange(5, 250, every):
        at = float(start + random.uniform(0, every / 2))
        path = Path([Stop(at, -0.5, 1.04), Stop(at + 6, 1.5, 1.04)])
        found.append(Car(path, (60, 60, 60), lamps=True))
    return found


#: name → clip.
CLIPS: dict[str, Callable[[], Scene]] = {
    **{
        f"digging-night-{n}": partial(_scene, "digging", n, _digger(n, (30, 250)), worked=(30, 260))
        for n in (1, 2, 3)
    },
    "digging-rain-4": lambda: _scene(
        "digging-rain", 4, _digger(4, (30, 250)), worked=(30, 260),
        weather=Weather(noise=3, rain=90),
    ),
    "digging-pauses-5": lambda: _scene(
        "digging-pauses", 5, _digger(5, (20, 80), (95, 160), (180, 250)), worked=(20, 260)
    ),
    "digging-walkers-6": lambda: _scene(
        "digging-walkers", 6, _digger(6, (30, 250)) + _walkers(6, 30), worked=(30, 260)
    ),
    "digging-day-7": lambda: _scene("digging-day", 7, _digger(7, (10, 250)), began=DAY, light=1.0),
    "digging-permit-8": lambda: _scene(
        "digging-permit", 8, _digger(8, (10, 250)),
        permits=[{"from": "2026-06-10T14:00:00Z", "until": "2026-06-11T02:00:00Z"}],
    ),
    "short-9": lambda: _scene("short", 9, _digger(9, (40, 62))),
    "walkers-10": lambda: _scene("walkers", 10, _walkers(10, 14)),
    "walkers-11": lambda: _scene("walkers", 11, _walkers(11, 22) + _digger(11)),
    "lights-12": lambda: _scene("lights", 12, _lights(12, 15)),
    "lights-13": lambda: _scene("lights", 13, _lights(13, 9) + _digger(13)),
    "rain-14": lambda: _scene("rain", 14, _digger(14), weather=Weather(noise=3, rain=160)),
    "insects-15": lambda: _scene("insects", 15, _digger(15), weather=Weather(noise=3, insects=0.6)),
    "shaky-16": lambda: _scene("shaky", 16, _digger(16), weather=Weather(noise=3, jitter=0.5)),
}  # fmt: skip
