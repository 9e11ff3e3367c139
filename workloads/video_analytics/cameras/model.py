"""Cameras, where their pictures come from, and how they do."""

import functools
import hashlib
import re
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from foundation.kernel.errors import Collector
from foundation.kernel.text import Text, keepable
from workloads.video_analytics.cameras.reach import Opening
from workloads.video_analytics.vision.model import CameraView, Point, Tier

CameraId = NewType("CameraId", str)

#: Into how many parts the cameras are shared among workers.
SHARDS = 512
#: A camera of which nothing was heard for so long is shown as late.
STALE = timedelta(seconds=60)

TIMEZONE = "Asia/Shanghai"
NAME_MAX = 200
TEXT_MAX = 400
GROUPS_MAX = 20
MASKS_MAX = 20
POINTS_MAX = 64
PRIORITY_MAX = 9
LATITUDE_MAX = 90
LONGITUDE_MAX = 180
GROUP = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)


class SourceKind(StrEnum):
    """How pictures come."""

    RTSP = "rtsp"  # over TCP: a city's network loses datagrams, and a decoder then shows rubbish
    MJPEG = "mjpeg"  # multipart/x-mixed-replace over HTTP
    HLS = "hls"  # RFC 8216
    FILE = "file"  # of a configured folder, played in its own time


class DataClass(StrEnum):
    """How far pictures may travel, from the least to the most protected."""

    PUBLIC = "public"
    INTERNAL = "internal"
    SENSITIVE = "sensitive"


class HealthState(StrEnum):
    """How a camera does: one word for what people must know of it."""

    ONLINE = "online"
    LATE = "late"  # its pictures, or what is said of it, come too late
    DARK = "dark"
    BLURRED = "blurred"
    MOVED = "moved"
    FROZEN = "frozen"
    NO_SIGNAL = "no_signal"  # it does not answer
    BROKEN = "broken"  # it answers with what cannot be decoded
    DEGRADED = "degraded"  # watched less closely than it should be: too much to do
    OFF = "off"  # disabled by people


#: States in which nothing of the camera can be seen.
BLIND = frozenset({HealthState.NO_SIGNAL, HealthState.BROKEN, HealthState.OFF})


@dataclass(frozen=True, slots=True)
class Source:
    """Where pictures come from.

    Attributes:
        location: the address as it may be shown: without credentials, values in it that look like
            secrets replaced. The full address is sealed and opened by ``Watched.opening``.
    """

    kind: SourceKind
    location: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a camera stands: degrees (WGS 84), both or none, and words."""

    text: str = ""
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """The ONVIF device behind a camera.

    Attributes:
        address: of its device service, without credentials; its credentials are the camera's.
        profile: token of the media profile that the camera shows.
    """

    address: str
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """How a camera did at an instant, as its worker saw it.

    Attributes:
        at: when.
        detail: what is wrong, for people; never an address or a credential.
        fps: frames a second that were analysed.
        lag_seconds: how far what is analysed lies behind the present.
        tier_now: how closely it is watched at present; None when it is not.
        clock_offset_seconds: the camera's clock minus ours; None when it is not known.
    """

    state: HealthState
    at: datetime
    detail: str = ""
    fps: float | None = None
    lag_seconds: float | None = None
    tier_now: Tier | None = None
    clock_offset_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class HealthChange:
    """A camera passed into a state."""

    state: HealthState
    since: datetime
    detail: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What people say of a camera; all of it may be changed.

    Attributes:
        name: as people read it.
        code: its number in the city's or another system's list, unique; empty for none.
        path: of the department that owns it.
        groups: sorted names by which it is found and rules are copied.
        timezone: IANA name.
        masks: polygons that are never analysed, kept or shown.
        overhead: it looks straight down.
        tier: how closely it is to be watched.
        priority: 0 to 9; among cameras of one tier the lower ones give way first.
    """

    name: Text
    path: str
    code: str = ""
    vendor: str = ""
    model: str = ""
    groups: tuple[str, ...] = ()
    place: Place = Place()
    timezone: str = TIMEZONE
    data_class: DataClass = DataClass.INTERNAL
    masks: tuple[tuple[Point, ...], ...] = ()
    overhead: bool = False
    tier: Tier = Tier.LOW_RATE
    priority: int = 5
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera of the registry.

    Attributes:
        version: grows with every change of it or of its rules.
        has_credentials: whether its source asks for a name and password.
        health: as it was last told; None when it was never watched.
        since: since when it has been in that state.
    """

    id: CameraId
    settings: Settings
    source: Source
    has_credentials: bool
    version: int
    created_at: datetime
    device: Device | None = None
    health: Health | None = None
    since: datetime | None = None

    @property
    def path(self) -> str:
        """The department that owns it."""
        return self.settings.path

    def state(self, now: datetime) -> HealthState | None:
        """What is shown of it; None when it was never watched."""
        if not self.settings.enabled:
            return HealthState.OFF
        if self.health is None:
            return None
        if self.health.state not in BLIND and now - self.health.at > STALE:
            return HealthState.LATE
        return self.health.state

    def view(self) -> CameraView:
        """What the analysis must know of it."""
        one = self.settings
        return CameraView(
            self.id, one.timezone, one.place.latitude, one.place.longitude, one.masks, one.overhead
        )


@dataclass(frozen=True, slots=True)
class Watched:
    """A camera as a worker needs it.

    Attributes:
        path: of the department that it belongs to.
        version: grows with every change of the camera or its rules.
        opener: opens the sealed address; use ``opening``.
    """

    view: CameraView
    path: str
    shard: int
    tier: Tier
    source: Source
    priority: int
    version: int
    opener: Callable[[], Opening] = field(repr=False, compare=False)

    def opening(self) -> Opening:
        """The address with its credentials: for a decoder's ear alone, never to be logged or shown.

        The address is checked again: a name that meanwhile leads where none may lead is refused.

        Raises:
            Invalid: the address may not be used (any more); the message names no secret.
            Unavailable: its name cannot be resolved at present.
        """
        return self.opener()


def shard_of(camera_id: str) -> int:
    """The shard of a camera, 0 to ``SHARDS`` - 1; the same for ever and everywhere."""
    return int.from_bytes(hashlib.sha256(camera_id.encode()).digest()[:8]) % SHARDS


def check(found: Collector, one: Settings) -> None:
    """Note every wrong field of a camera's settings, but whether its department is there."""
    for language in ("en", "zh"):
        text = one.name.get(language)
        found.check(text.strip(), f"name.{language}", "is required", "required")
        _text(found, f"name.{language}", text, NAME_MAX)
    for name in ("vendor", "model"):
        _text(found, name, getattr(one, name), NAME_MAX)
    found.check(
        not one.code or CODE.fullmatch(one.code),
        "code",
        "must be letters, digits, '.', '_', ':' or '-', at most 64",
    )
    found.check(len(one.groups) <= GROUPS_MAX, "groups", f"must be at most {GROUPS_MAX}")
    for at, group in enumerate(one.groups):
        rule = "must be lower-case letters, digits, '.', '_' or '-', at most 63"
        found.check(GROUP.fullmatch(group), f"groups.{at}", rule)
    _place(found, one.place)
    found.check(one.timezone in _zones(), "timezone", "is not an IANA time zone")
    found.check(0 <= one.priority <= PRIORITY_MAX, "priority", f"must be 0 to {PRIORITY_MAX}")
    found.check(len(one.masks) <= MASKS_MAX, "masks", f"must be at most {MASKS_MAX}")
    for at, mask in enumerate(one.masks):
        check_polygon(found, f"masks.{at}", mask)


def _text(found: Collector, name: str, text: str, longest: int) -> None:
    found.check(len(text) <= longest, name, f"must be at most {longest} characters")
    found.check(keepable(text), name, "holds a character that cannot be kept")


def _place(found: Collector, place: Place) -> None:
    _text(found, "place.text", place.text, TEXT_MAX)
    for name, most in (("latitude", LATITUDE_MAX), ("longitude", LONGITUDE_MAX)):
        value, other = (
            getattr(place, name),
            place.longitude if name == "latitude" else place.latitude,
        )
        if value is None:
            found.check(other is None, f"place.{name}", "is required with the other one")
        else:
            found.check(
                -most <= value <= most, f"place.{name}", f"must be between -{most} and {most}"
            )


def check_polygon(found: Collector, name: str, points: tuple[Point, ...]) -> None:
    """Note what is wrong with a polygon of fractions of the frame."""
    if found.check(3 <= len(points) <= POINTS_MAX, name, f"must have 3 to {POINTS_MAX} points"):  # noqa: PLR2004
        check_points(found, name, points)
        found.check(area(points) > _LEAST_AREA, name, "encloses nothing")


def check_points(found: Collector, name: str, points: tuple[Point, ...]) -> None:
    """Note points that lie outside of the frame."""
    for at, point in enumerate(points):
        inside = 0 <= point.x <= 1 and 0 <= point.y <= 1
        found.check(inside, f"{name}.{at}", "must be fractions of width and height, 0 to 1")


#: A hundredth of a percent of the frame: less is a slip of the hand.
_LEAST_AREA = 0.0001


def area(points: tuple[Point, ...]) -> float:
    """The area of a polygon as a fraction of the frame (shoelace formula)."""
    pairs = zip(points, points[1:] + points[:1], strict=True)
    return abs(sum(a.x * b.y - b.x * a.y for a, b in pairs)) / 2


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


#: What the tiers are called where they are sold, the lowest first.
SOLD_TIERS: Mapping[str, frozenset[Tier]] = {
    "access": frozenset({Tier.ACCESS}),
    "basic": frozenset({Tier.ACCESS, Tier.KEY_FRAMES, Tier.LOW_RATE}),
    "advanced": frozenset(Tier),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What was ordered.

    Attributes:
        most: cameras that may be registered; 0 for as many as one likes.
        tiers: how closely they may be watched.
    """

    most: int = 0
    tiers: frozenset[Tier] = frozenset(Tier)

    @staticmethod
    def of(most: int, highest: str) -> "Limits":
        """The limits of settings.

        Raises:
            Invalid: a tier that is not sold, or a negative number.
        """
        found = Collector()
        rule = f"must be one of {', '.join(SOLD_TIERS)}"
        found.check(highest in SOLD_TIERS, "highest_tier", rule)
        found.check(most >= 0, "most_cameras", "must not be negative")
        found.finish()
        return Limits(most, SOLD_TIERS[highest])


@dataclass(frozen=True, slots=True)
class Overview:
    """How many cameras are in each state; ``unseen`` were never watched."""

    states: Mapping[HealthState, int]
    unseen: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.states.values()) + self.unseen
