"""Who watches what, how closely, and what gives way when there is too much."""

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from workloads.video_analytics.cameras.reach import Reach
from workloads.video_analytics.vision.model import Point, RuleKind, RuleSpec, Tier
from workloads.video_analytics.vision.parameters import wants_classes

#: Kinds of rules that need colour, and how wide the picture must be for them.
_COLOUR_WIDTH = {
    RuleKind.OBJECT_ABANDONED: 320,
    RuleKind.OBJECT_REMOVED: 320,
    RuleKind.VEGETATION: 640,
    RuleKind.OBJECT_CLASS: 640,
    RuleKind.FACE: 1280,
    RuleKind.PLATE: 1280,
}
_LUMA_WIDTH = 320
_FULL_WIDTH = 640
_RANKS = (Tier.ACCESS, Tier.KEY_FRAMES, Tier.LOW_RATE, Tier.FULL)


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process as the others know it.

    Attributes:
        id: of this run; a restart has another one.
        name: as people call it.
        capacity: how much it can carry, in cores; shards are shared out by it.
        load: busy share of its cores, 0 to 1.
        cameras: how many it watches; ``degraded``: how many of them not as closely as they should.
        beat_at: when it last said that it lives.
        lag: seconds that the ninth tenth of its live cameras is behind, in its slowest lane.
        cost: of a core, what one of its cameras takes; 0 until it was measured.
        carries: about how many cameras like its own it can carry; 0 until it was measured.
    """

    id: str
    name: str
    capacity: float
    load: float = 0.0
    cameras: int = 0
    degraded: int = 0
    started_at: datetime | None = None
    beat_at: datetime | None = None
    lag: float = 0.0
    cost: float = 0.0
    carries: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """A shard and who holds it.

    Attributes:
        token: grows with every change of holder; the newest one alone may write.
        holder: id of the worker, or empty.
        until: when it is free for others unless it is renewed; None when nobody holds it.
    """

    shard: int
    token: int
    holder: str
    until: datetime | None


def share(weights: Mapping[str, float], shards: Collection[int]) -> dict[int, str]:
    """Which worker should hold each shard, by weighted rendezvous hashing.

    Args:
        weights: of the workers, by id (``capacity.weights``).
        shards: to be held.

    A worker that comes or goes moves its own shards alone. The score is that of Thaler and
    Ravishankar with the weights of Schindelhauer and Schomaker: -weight / ln(hash in 0..1); the
    highest wins.
    """
    able = {worker: weight for worker, weight in weights.items() if weight > 0}
    if not able:
        return {}
    return {
        shard: max((_score(worker, weight, shard), worker) for worker, weight in able.items())[1]
        for shard in shards
    }


def _score(worker: str, weight: float, shard: int) -> float:
    digest = hashlib.blake2b(f"{worker}/{shard}".encode(), digest_size=8).digest()
    unit = (int.from_bytes(digest) + 1) / (2**64 + 2)
    return -weight / math.log(unit)


class Pace(StrEnum):
    """How a file is played; a live source has its own pace."""

    LIVE = "live"
    ONCE = "once"  # in real time, to its end
    LOOP = "loop"  # in real time, again and again
    FAST = "fast"  # every frame, as fast as it is analysed, to its end


@dataclass(frozen=True, slots=True)
class Feed:
    """Where a camera's pictures come from.

    Attributes:
        url: with credentials; never logged, and given to the decoder through its pipe alone.
        kind: ``rtsp``, ``mjpeg``, ``hls``, ``http`` or ``file``.
        reach: where it may lead; None: nowhere.
    """

    url: str = field(repr=False)
    kind: str
    pace: Pace = Pace.LIVE
    reach: Reach | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What the decoder shall hand over of a camera.

    Attributes:
        fps: frames a second at most; 0 is every frame.
        keys: key frames of the stream only.
        width: of the picture handed over, pixels at most; it is scaled down, never up.
        colour: BGR; brightness alone otherwise.
    """

    fps: float
    keys: bool
    width: int = _LUMA_WIDTH
    colour: bool = False


class Step(StrEnum):
    """How much of its tier a camera gets; each gives way to the next."""

    WHOLE = "whole"
    FEWER = "fewer"  # fewer frames
    KEYS = "keys"  # key frames
    HEALTH = "health"  # a picture now and then, to know that it lives; nothing is analysed


_STEPS: Mapping[Tier, tuple[Step, ...]] = {
    Tier.ACCESS: (Step.HEALTH,),
    Tier.KEY_FRAMES: (Step.WHOLE, Step.FEWER, Step.HEALTH),
    Tier.LOW_RATE: (Step.WHOLE, Step.FEWER, Step.KEYS, Step.HEALTH),
    Tier.FULL: (Step.WHOLE, Step.FEWER, Step.KEYS, Step.HEALTH),
}
_RATES: Mapping[tuple[Tier, Step], tuple[float, bool]] = {
    (Tier.ACCESS, Step.HEALTH): (0.1, True),
    (Tier.KEY_FRAMES, Step.WHOLE): (0, True),
    (Tier.KEY_FRAMES, Step.FEWER): (0.25, True),
    (Tier.KEY_FRAMES, Step.HEALTH): (0.1, True),
    (Tier.LOW_RATE, Step.WHOLE): (5, False),
    (Tier.LOW_RATE, Step.FEWER): (2, False),
    (Tier.LOW_RATE, Step.KEYS): (0, True),
    (Tier.LOW_RATE, Step.HEALTH): (0.1, True),
    (Tier.FULL, Step.WHOLE): (0, False),
    (Tier.FULL, Step.FEWER): (5, False),
    (Tier.FULL, Step.KEYS): (0, True),
    (Tier.FULL, Step.HEALTH): (0.1, True),
}


def first_step(tier: Tier) -> Step:
    """What a camera of the tier gets when there is room."""
    return _STEPS[tier][0]


def look(tier: Tier, step: Step, rules: Sequence[RuleSpec] = ()) -> Look:
    """What to decode of a camera for its tier, as far as there is room, and for its rules."""
    fps, keys = _RATES[tier, step]
    widths = [_COLOUR_WIDTH[rule.kind] for rule in rules if rule.kind in _COLOUR_WIDTH]
    if tier is Tier.FULL and any(wants_classes(rule) for rule in rules):
        widths.append(_COLOUR_WIDTH[RuleKind.OBJECT_CLASS])
    colour = bool(widths) and tier is not Tier.ACCESS and step is not Step.HEALTH
    width = _FULL_WIDTH if tier is Tier.FULL else _LUMA_WIDTH
    return Look(fps, keys, max([width, *widths]) if colour else width, colour)


def tier_of(tier: Tier, step: Step) -> Tier:
    """The tier that a camera really has at this step."""
    if step is Step.WHOLE:
        return tier
    if step is Step.FEWER:
        return Tier.LOW_RATE if tier is Tier.FULL else tier
    return Tier.KEY_FRAMES if step is Step.KEYS else Tier.ACCESS


class Ranked(NamedTuple):
    """What decides who gives way first."""

    camera: str
    tier: Tier
    priority: int


def degradations(cameras: Collection[Ranked]) -> list[tuple[str, Step]]:
    """All that can be given up, in the order in which it is.

    The lowest tier gives way first and wholly before the next one is touched; within a tier first
    every camera gets fewer frames, then key frames, then health only; within these the lowest
    priority comes first.
    """
    order = []
    for tier in _RANKS:
        group = sorted((c for c in cameras if c.tier is tier), key=lambda c: (c.priority, c.camera))
        order += [(one.camera, step) for step in _STEPS[tier][1:] for one in group]
    return order


@dataclass(frozen=True, slots=True)
class Strain:
    """How a lane did in the last seconds.

    Attributes:
        lag: seconds that the ninth tenth of the cameras is behind.
        dropped: share of the frames that were replaced by newer ones before they were looked at.
        busy: share of the time that the analysis worked.
    """

    lag: float
    dropped: float
    busy: float


class Governor:
    """Decides how much is given up: quickly more, less with care, and slower after each relapse.

    What is given back doubles from time to time while all stays well: a load that has gone is made
    good in five steps. After a relapse it is a little each time, as long as there may be another.

    Args:
        step: share of what can be given up that is given up at once.
        calm_seconds: for how long all must be well before some is given back.
    """

    LAG_HIGH = 1.5
    LAG_LOW = 0.5
    DROPPED_HIGH = 0.15
    DROPPED_LOW = 0.02
    _LONGEST_CALM = 160.0
    _RELAPSE_SECONDS = 30.0

    def __init__(self, *, step: float = 0.1, calm_seconds: float = 10.0) -> None:
        self.pressure = 0
        self._step = step
        self._first_calm = calm_seconds
        self._calm = calm_seconds
        self._well_since: float | None = None
        self._given_back: float | None = None
        self._back = step / 2
        self._careful = False

    def observe(self, strain: Strain, possible: int, now: float) -> int:
        """How many of the possible degradations hold from now on.

        Args:
            strain: since the last call.
            possible: how many there are.
            now: seconds, of a clock that never goes back.
        """
        self.pressure = min(self.pressure, possible)
        if strain.lag > self.LAG_HIGH or strain.dropped > self.DROPPED_HIGH:
            self._well_since = None
            if self._given_back is not None and now - self._given_back < self._RELAPSE_SECONDS:
                self._calm = min(self._calm * 2, self._LONGEST_CALM)
                self._careful = True
            self._given_back, self._back = None, self._step / 2
            self.pressure = min(possible, self.pressure + max(1, round(possible * self._step)))
        elif strain.lag < self.LAG_LOW and strain.dropped <= self.DROPPED_LOW:
            if self._well_since is None:
                self._well_since = now
            if self.pressure and now - self._well_since >= self._calm:
                self.pressure = max(0, self.pressure - max(1, round(possible * self._back)))
                self._well_since = self._given_back = now
                self._back *= 1 if self._careful else 2
            if not self.pressure and now - self._well_since > self._LONGEST_CALM:
                self._calm, self._careful = self._first_calm, False
        else:
            self._well_since = None
        return self.pressure


class BackOff:
    """How long to wait before the next try: doubling, with jitter, back to the start after success.

    Args:
        first: seconds of the first wait.
        longest: seconds.
    """

    def __init__(self, first: float = 1.0, longest: float = 60.0) -> None:
        self._first = first
        self._longest = longest
        self._next = first

    def wait(self, jitter: float) -> float:
        """Seconds to wait now.

        Args:
            jitter: 0 to 1, at random, so that cameras that failed together do not come together.
        """
        found = self._next * (0.5 + jitter / 2)
        self._next = min(self._next * 2, self._longest)
        return found

    def reset(self) -> None:
        """It went well."""
        self._next = self._first


@dataclass(frozen=True, slots=True)
class Watch:
    """A camera as a lane watches it.

    Attributes:
        version: of the camera and its rules; another one is told to the lane.
        masks: polygons that are never analysed, kept or shown.
    """

    camera: str
    feed: Feed
    tier: Tier
    priority: int
    version: int
    masks: tuple[tuple[Point, ...], ...] = ()
    rules: tuple[RuleSpec, ...] = ()
