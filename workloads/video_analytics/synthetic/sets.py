"""Clips about things left and taken: what should raise one alarm, and what should raise none.

Each builder makes one clip of a seed; places, colours, ways and times vary with it. Both rules look
at every clip, so that what is true for one is a trial for the other.
"""

import math
from collections.abc import Callable
from functools import partial

from workloads.video_analytics.synthetic.actors import Actor, Bag, Car, Path, Stop
from workloads.video_analytics.synthetic.drafts import CARS, PACE, Draft
from workloads.video_analytics.synthetic.effects import Weather
from workloads.video_analytics.synthetic.scene import Scene, Truth
from workloads.video_analytics.vision.model import RuleKind

_ABANDONED, _REMOVED = RuleKind.OBJECT_ABANDONED, RuleKind.OBJECT_REMOVED


def _left(
    draft: Draft, start: float = 9.0, stay: float = 2.0, until: float = math.inf
) -> tuple[list[Actor], Bag]:
    """Somebody comes, puts a bag down, stays a while and leaves."""
    x, y = draft.spot()
    path = draft.walk([(draft.side(), y), (x, y), (draft.side(), y - 0.06)], start, [stay + 1.5])
    drop = path.stops[1].at + 1.0
    bag = draft.bag(x + 0.035, y + 0.01, since=drop, until=until)
    return [draft.person(path, carries=[(start, drop, bag)]), bag], bag


def _truth(bag: Bag, end: float) -> Truth:
    return Truth(_ABANDONED, bag.since, min(bag.until, end), bag.box)


def left(
    seed: int, place: str = "square", weather: Weather | None = None, every: float = 0
) -> Scene:
    """A bag is left."""
    draft = Draft(seed)
    actors, bag = _left(draft, stay=float(draft.random.uniform(0.5, 4)))
    if every:
        actors += draft.passers(95, every)
    return Scene("left", place, 95, actors, weather or Weather(), [_truth(bag, 95)], seed=seed)


def left_after_waiting(seed: int) -> Scene:
    """The owner stands beside the bag for long, and then leaves."""
    draft = Draft(seed)
    actors, bag = _left(draft, stay=float(draft.random.uniform(18, 30)))
    return Scene("left-after-waiting", "hall", 120, actors, truths=[_truth(bag, 120)], seed=seed)


def left_and_fetched(seed: int) -> Scene:
    """A bag is left, and later somebody takes it."""
    draft = Draft(seed)
    actors, bag = _left(draft)
    until = 80.0
    way = [(1.08, bag.y), (bag.x - 0.03, bag.y), (-0.08, bag.y)]
    travel = math.dist(way[0], way[1]) / (PACE * bag.y)
    taken = Bag(bag.x, bag.y, bag.since, until, bag.colour, bag.size)
    fetcher = draft.person(draft.walk(way, until - travel - 1, [2.0]), carries=[(until, 999, bag)])
    actors = [actor if actor is not bag else taken for actor in actors]
    return Scene(
        "left-and-fetched",
        "square",
        105,
        [*actors, fetcher],
        truths=[_truth(taken, 105)],
        seed=seed,
    )


def left_twice(seed: int) -> Scene:
    """Two people leave two bags."""
    draft = Draft(seed)
    first, one = _left(draft)
    second, other = _left(draft, 26.0)
    while abs(one.x - other.x) < 0.12:  # noqa: PLR2004 - of the width: not in each other's way
        second, other = _left(draft, 26.0)
    truths = [_truth(one, 110), _truth(other, 110)]
    return Scene("left-twice", "hall", 110, [*first, *second], truths=truths, seed=seed)


def owner_stays(seed: int) -> Scene:
    """Somebody puts a bag down and waits beside it."""
    draft = Draft(seed)
    actors, _ = _left(draft, stay=200)
    actors += draft.passers(95, 25)
    return Scene("owner-stays", "hall", 95, actors, seed=seed)


def waiting(seed: int) -> Scene:
    """People wait, and go again."""
    draft = Draft(seed)
    actors: list[Actor] = []
    for n in range(2):
        x, y = draft.spot()
        way = [(draft.side(), y), (x, y), (draft.side(), y)]
        actors.append(draft.person(draft.walk(way, 8 + 10 * n, [45.0])))
    return Scene("waiting", "square", 100, actors, seed=seed)


def parked(seed: int, *, driver: bool = False, night: bool = False) -> Scene:
    """A car comes and parks; the driver may leave on foot."""
    draft = Draft(seed)
    x, y = float(draft.random.uniform(0.35, 0.65)), 0.56
    drive = Path([Stop(9, 1.3, y), Stop(15, x, y), Stop(400, x, y)])
    lamps_until = 22.0 if night else 0.0
    actors: list[Actor] = [Car(drive, draft.one(CARS), lamps=night, lamps_until=lamps_until)]
    if driver:
        actors.append(draft.person(draft.walk([(x, y + 0.05), (x - 0.1, 0.8), (-0.08, 0.8)], 18)))
    actors += [
        Car(Path([Stop(t, -0.4, 0.7), Stop(t + 5, 1.4, 0.7)]), draft.one(CARS), lamps=night)
        for t in (30.0, 52.0, 71.0)
    ]
    light = 0.3 if night else 1.0
    return Scene("parked", "street", 95, actors, seed=seed, light=light)


def drives_off(seed: int) -> Scene:
    """A car that stood there from the beginning leaves: a ghost stays in a naive background."""
    draft = Draft(seed)
    x = float(draft.random.uniform(0.35, 0.65))
    path = Path([Stop(-9, x, 0.56), Stop(25, x, 0.56), Stop(31, 1.4, 0.56)])
    return Scene("drives-off", "street", 80, [Car(path, draft.one(CARS))], seed=seed)


def walks_off(seed: int) -> Scene:
    """Somebody who stood there from the beginning leaves."""
    draft = Draft(seed)
    x, y = draft.spot()
    stops = [Stop(-9, x, y), Stop(22, x, y), Stop(30, -0.1, y)]
    return Scene("walks-off", "square", 75, [draft.person(Path(stops))], seed=seed)


def taken(
    seed: int, place: str = "hall", weather: Weather | None = None, every: float = 0
) -> Scene:
    """What stood there from the beginning is carried away."""
    draft = Draft(seed)
    x, y = draft.spot()
    thing = draft.bag(x, y, since=-9, until=32)
    way = [(draft.side(), y), (x - 0.03, y), (draft.side(), y)]
    travel = max(0.4, math.dist(way[0], way[1]) / (PACE * y))
    thief = draft.person(draft.walk(way, 31 - travel, [2.0]), carries=[(32, 999, thing)])
    others = draft.passers(85, every) if every else []
    truths = [Truth(_REMOVED, 32, 90, thing.box)]
    return Scene(
        "taken", place, 90, [thing, thief, *others], weather or Weather(), truths, seed=seed
    )


def quiet(
    seed: int, name: str, place: str, weather: Weather, every: float = 9, light: float = 1
) -> Scene:
    """Nothing is left; people pass while the weather or the light does something."""
    draft = Draft(seed)
    return Scene(name, place, 85, draft.passers(85, every), weather, seed=seed, light=light)


def meeting(seed: int) -> Scene:
    """People stop to talk and go on; one had a bag beside the feet and takes it along."""
    draft = Draft(seed)
    x, y = draft.spot()
    bag = draft.bag(x - 0.02, y + 0.01, since=22, until=50)
    first = draft.walk([(-0.08, y), (x - 0.05, y), (1.08, y)], 10, [41 - (x + 0.03) / (PACE * y)])
    path = Path([first.stops[0], Stop(20, x - 0.05, y), Stop(52, x - 0.05, y), Stop(64, 1.08, y)])
    other = Path(
        [Stop(12, 1.08, y), Stop(22, x + 0.06, y), Stop(48, x + 0.06, y), Stop(60, -0.1, y)]
    )
    actors: list[Actor] = [
        draft.person(path, carries=[(0, 22, bag), (50, 999, bag)]),
        draft.person(other),
        bag,
    ]
    return Scene("meeting", "hall", 90, actors, seed=seed)


_RAIN = Weather(noise=3, rain=120)
_SHAKY = Weather(jitter=0.5)
_CLOUDY = Weather(clouds=0.4, cloud_seconds=35)
_SWITCHED = Weather(switches=((62, 0.6),))
_WINDOW = Weather(patches=((25, 400, 0.4, 0.6), (45, 400, 0.6, 0.75)))
_INSECTS = Weather(noise=4, insects=0.3)

#: name → clip; at least 40 of them, half with something to tell.
CLIPS: dict[str, Callable[[], Scene]] = {
    **{f"left-square-{n}": partial(left, n) for n in (1, 2, 3)},
    **{f"left-hall-busy-{n}": partial(left, n, "hall", every=12) for n in (4, 5, 6)},
    **{f"left-street-{n}": partial(left, n, "street", every=25) for n in (7, 8)},
    **{f"left-after-waiting-{n}": partial(left_after_waiting, n) for n in (9, 10)},
    **{f"left-and-fetched-{n}": partial(left_and_fetched, n) for n in (11, 12)},
    "left-twice-13": lambda: left_twice(13),
    "left-rain-14": lambda: left(14, "square", _RAIN),
    "left-shaky-15": lambda: left(15, "square", _SHAKY),
    "left-cloudy-16": lambda: left(16, "square", _CLOUDY),
    "left-switched-17": lambda: left(17, "hall", _SWITCHED),
    "left-noisy-18": lambda: left(18, "square", Weather(noise=6)),
    **{f"taken-{n}": partial(taken, n) for n in (20, 21, 22)},
    **{f"taken-busy-{n}": partial(taken, n, "square", every=14) for n in (23, 24)},
    "taken-rain-25": lambda: taken(25, "square", _RAIN),
    "taken-cloudy-26": lambda: taken(26, "hall", _CLOUDY),
    "taken-shaky-27": lambda: taken(27, "square", _SHAKY),
    **{f"owner-stays-{n}": partial(owner_stays, n) for n in (30, 31, 32)},
    **{f"waiting-{n}": partial(waiting, n) for n in (33, 34, 35, 36)},
    **{f"parked-{n}": partial(parked, n) for n in (37, 38)},
    **{f"parked-driver-{n}": partial(parked, n, driver=True) for n in (39, 40)},
    "parked-night-41": lambda: parked(41, driver=True, night=True),
    **{f"drives-off-{n}": partial(drives_off, n) for n in (42, 43)},
    **{f"walks-off-{n}": partial(walks_off, n) for n in (44, 45)},
    **{f"meeting-{n}": partial(meeting, n) for n in (46, 47)},
    "clouds-48": lambda: quiet(48, "clouds", "square", _CLOUDY),
    "switch-49": lambda: quiet(49, "switch", "hall", Weather(switches=((30, 0.55), (60, 1.7)))),
    "window-50": lambda: quiet(50, "window", "hall", _WINDOW),
    "rain-51": lambda: quiet(51, "rain", "street", _RAIN),
    "insects-52": lambda: quiet(52, "insects", "street", _INSECTS, light=0.35),
    "crowd-53": lambda: quiet(53, "crowd", "hall", Weather(), every=2.5),
}
