"""The timeline: what moved past which camera when, and what readers of plates and cards read."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from foundation.kernel.errors import Collector
from workloads.video_analytics.events.model import EvidenceRef
from workloads.video_analytics.vision.model import Point, TrackPiece

#: What a search may look back over at once.
LONGEST = timedelta(days=92)
#: The height of a person in the picture is not known without the lens; as a part of the frame's
#: area, these bounds hold for cameras on poles and facades that see 10 to 60 m deep.
PERSON_SIZE = (0.0005, 0.06)
VEHICLE_SIZE = (0.004, 0.5)

_EARTH_METRES = 6_371_008.8


@dataclass(frozen=True, slots=True)
class Kept:
    """A piece of a track with its picture, which is on the disk already."""

    piece: TrackPiece
    thumbnail: EvidenceRef | None = None


class Direction(StrEnum):
    """Which way a line is crossed, for somebody who looks from its first point to its last."""

    ANY = "any"
    LEFT_TO_RIGHT = "left_to_right"
    RIGHT_TO_LEFT = "right_to_left"


@dataclass(frozen=True, slots=True)
class Crossing:
    """A path went over a line.

    Attributes:
        at: when, between two seen positions in proportion to the way.
        direction: left to right or right to left.
    """

    at: datetime
    direction: Direction


@dataclass(frozen=True, slots=True)
class Track:
    """A piece of a track as a search finds it.

    Attributes:
        id: of the piece: series, beginning and track, see ``store``.
        track: of the camera; pieces of the same track continue each other.
        crossing: of the line that was asked for.
    """

    id: str
    camera_id: str
    camera: str
    track: str
    began: datetime
    ended: datetime
    size: float
    dwell_seconds: float
    colour: str
    kind: str
    path: tuple[tuple[datetime, Point], ...]
    thumbnail: str | None = None
    crossing: Crossing | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; empty fields filter nothing.

    Attributes:
        since, until: the pieces that began then, half open.
        cameras: ids; with ``group``, those of either.
        near: (latitude, longitude, metres): cameras within so far.
        line: two points or more, of the one camera that is named.
        smallest, largest: median area of the box as a part of the frame.
        shortest: dwell in seconds.
    """

    since: datetime
    until: datetime
    cameras: tuple[str, ...] = ()
    group: str = ""
    near: tuple[float, float, float] | None = None
    line: tuple[Point, ...] = ()
    direction: Direction = Direction.ANY
    smallest: float | None = None
    largest: float | None = None
    shortest: float | None = None
    longest: float | None = None
    colours: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            Invalid: names every wrong field.
        """
        found = Collector()
        if found.check(self.until > self.since, "until", "must be after since"):
            found.check(
                self.until - self.since <= LONGEST, "until", f"must be at most {LONGEST.days} "
                "days after since",
            )  # fmt: skip
        if self.line:
            found.check(len(self.line) >= 2, "line", "needs two points or more")  # noqa: PLR2004
            inside = all(0 <= p.x <= 1 and 0 <= p.y <= 1 for p in self.line)
            found.check(inside, "line", "must lie in the frame: 0 to 1")
            found.check(len(self.cameras) == 1, "camera", "must be one: a line is of one picture")
        for low, high, name in (
            (self.smallest, self.largest, "largest"), (self.shortest, self.longest, "longest"),
        ):  # fmt: skip
            if low is not None and high is not None:
                found.check(low <= high, name, "must not be below the least")
        found.finish()


@dataclass(frozen=True, slots=True)
class Found:
    """A part of a search's answer.

    Attributes:
        searched_to: how far back this part has looked; everything newer that fits is in it.
        next: cursor of the rest; None when the whole time was searched.
    """

    items: tuple[Track, ...]
    searched_to: datetime
    next: str | None = None


class ReadKind(StrEnum):
    """What a reader reads."""

    PLATE = "plate"
    RFID = "rfid"
    ID_CARD = "id_card"


@dataclass(frozen=True, slots=True)
class Read:
    """Something that a reader, or a camera with a model for it, has read.

    Attributes:
        source, number, at: identify it: the reader, its own number of the read, its own time.
        subject: the plate or the tag; of an ID card the last four characters.
        digest: keyed digest of the whole subject, to find it again without knowing it.
        path: the department that the reader belongs to.
    """

    source: str
    number: str
    at: datetime
    kind: ReadKind
    subject: str
    digest: str
    path: str
    received_at: datetime
    camera_id: str = ""
    latitude: float | None = None
    longitude: float | None = None
    direction: str = ""
    score: float | None = None
    clock_offset_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class DailyCover:
    """How much of a water mask was covered on a day.

    Attributes:
        day: of the camera's time zone.
        cover: 0 to 1, the median of the good frames; None: insufficient data.
        frames: how many good frames there were.
        data: what the detector said besides, such as ``growth`` (a day), ``growth_low``,
            ``growth_high``, ``forecast``, ``forecast_low``, ``forecast_high``.
    """

    camera_id: str
    rule: str
    day: date
    cover: float | None
    frames: int
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A track of another camera that may be the same thing.

    Attributes:
        metres: between the two cameras, as the crow flies.
        seconds: from the end of the one to the beginning of the other; negative when they overlap.
        speed: metres a second that this needs.
        likeness: 0 to 1, how far colour, kind and speed fit.
    """

    track: Track
    metres: float
    seconds: float
    speed: float
    likeness: float


def metres_between(
    latitude: float, longitude: float, other_latitude: float, other_longitude: float
) -> float:
    """The distance of two places on the ground in metres (haversine, mean earth radius)."""
    a, b = math.radians(latitude), math.radians(other_latitude)
    h = (
        math.sin((b - a) / 2) ** 2
        + math.cos(a) * math.cos(b) * math.sin(math.radians(other_longitude - longitude) / 2) ** 2
    )
    return 2 * _EARTH_METRES * math.asin(min(1.0, math.sqrt(h)))


def crossings(
    path: Sequence[tuple[datetime, Point]], line: Sequence[Point]
) -> tuple[Crossing, ...]:
    """Where a path goes over a line, in the order of time.

    A path that only touches the line and goes back has not crossed it. Sides are those of the
    picture with y downwards: who looks along the line from its first point has the left on the
    left. A position exactly on the line counts to the right side, so that no crossing is lost or
    doubled between two steps.
    """
    found = []
    for (t0, p0), (t1, p1) in itertools.pairwise(path):
        for a, b in itertools.pairwise(line):
            s0, s1 = _side(a, b, p0), _side(a, b, p1)
            if (s0 < 0) == (s1 < 0):
                continue
            # Half open along the line's parts: a path through a joint crosses one of them.
            if (_side(p0, p1, a) < 0) == (_side(p0, p1, b) < 0):
                continue
            part = s0 / (s0 - s1)
            way = Direction.LEFT_TO_RIGHT if s0 < 0 else Direction.RIGHT_TO_LEFT
            found.append(Crossing(t0 + (t1 - t0) * part, way))
    return tuple(sorted(found, key=lambda c: c.at))


def _side(a: Point, b: Point, p: Point) -> float:
    """Twice the area of the triangle; negative when p is on the left of a → b (y downwards)."""
    return (b.x - a.x) * (p.y - a.y) - (b.y - a.y) * (p.x - a.x)
