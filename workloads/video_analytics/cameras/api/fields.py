"""What cameras look like on the wire."""

from typing import Annotated, Any

from pydantic import Field

from foundation.surface.api import Input, Instant, Schema, TextBody
from workloads.video_analytics.cameras.model import (
    TIMEZONE,
    Camera,
    DataClass,
    HealthState,
    Place,
    Settings,
    SourceKind,
)
from workloads.video_analytics.vision.model import Point, Tier

Fraction = Annotated[float, Field(ge=0, le=1)]
Points = Annotated[
    list[Annotated[list[Fraction], Field(min_length=2, max_length=2)]],
    Field(max_length=64, description="Fractions of width and height from the upper left."),
]
Short = Annotated[str, Field(max_length=200)]


class PlaceBody(Schema):
    """Where a camera stands: degrees (WGS 84), both or none, and words."""

    text: Annotated[str, Field(max_length=400)] = ""
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None


class SourceBody(Input):
    """Where pictures come from. Credentials are kept sealed and never answered."""

    kind: Annotated[SourceKind, Field(strict=False)]
    url: Annotated[
        str, Field(min_length=1, max_length=2000, description="Of a file, its absolute path.")
    ]
    username: Annotated[str, Field(max_length=500)] = ""
    password: Annotated[str, Field(max_length=500, json_schema_extra={"writeOnly": True})] = ""


class CameraSettings(Input):
    """What people say of a camera."""

    name: TextBody
    path: Annotated[str, Field(max_length=500, description="The department that owns it.")]
    code: Annotated[str, Field(max_length=64, description="In the city's list; unique.")] = ""
    vendor: Short = ""
    model: Short = ""
    groups: Annotated[list[str], Field(max_length=20)] = Field(default_factory=list)
    place: PlaceBody = Field(default_factory=PlaceBody)
    timezone: Annotated[str, Field(max_length=60, description="IANA name.")] = TIMEZONE
    data_class: Annotated[DataClass, Field(strict=False)] = DataClass.INTERNAL
    masks: Annotated[
        list[Points], Field(max_length=20, description="Never analysed, kept or shown.")
    ] = Field(default_factory=list)
    overhead: Annotated[bool, Field(description="It looks straight down.")] = False
    tier: Annotated[Tier, Field(strict=False)] = Tier.LOW_RATE
    priority: Annotated[int, Field(ge=0, le=9, description="The lower give way first.")] = 5
    enabled: bool = True

    def settings(self) -> Settings:
        """The model's."""
        return Settings(
            name=self.name.value(),
            path=self.path,
            code=self.code,
            vendor=self.vendor,
            model=self.model,
            groups=tuple(sorted(set(self.groups))),
            place=Place(self.place.text, self.place.latitude, self.place.longitude),
            timezone=self.timezone,
            data_class=self.data_class,
            masks=tuple(points_of(mask) for mask in self.masks),
            overhead=self.overhead,
            tier=self.tier,
            priority=self.priority,
            enabled=self.enabled,
        )


def points_of(given: list[list[float]]) -> tuple[Point, ...]:
    """Points as the model has them."""
    return tuple(Point(x, y) for x, y in given)


class CameraCreate(CameraSettings):
    """A new camera."""

    source: SourceBody


class CameraChange(CameraSettings):
    """A camera as it shall be; without a source it keeps its own."""

    source: Annotated[
        SourceBody | None,
        Field(description="Without credentials those kept go on, if it is the same host."),
    ] = None


class SourceOut(Schema):
    """Where pictures come from, without anything secret."""

    kind: SourceKind
    location: str
    has_credentials: bool


class DeviceOut(Schema):
    """The ONVIF device behind a camera."""

    address: str
    profile: str


class HealthOut(Schema):
    """How a camera does, as its worker told last."""

    state: HealthState
    at: Instant
    detail: str
    fps: float | None
    lag_seconds: float | None
    tier_now: Tier | None
    clock_offset_seconds: float | None


class CameraOut(Schema):
    """A camera of the registry."""

    id: str
    name: TextBody
    path: str
    code: str
    vendor: str
    model: str
    groups: list[str]
    place: PlaceBody
    timezone: str
    data_class: DataClass
    masks: list[list[list[float]]]
    overhead: bool
    tier: Tier
    priority: int
    enabled: bool
    source: SourceOut
    device: DeviceOut | None
    state: Annotated[HealthState | None, Field(description="As shown; null: never watched.")]
    since: Instant | None
    health: HealthOut | None
    version: Annotated[int, Field(description="Grows with it and with its rules.")]
    created_at: Instant


def camera_out(one: Camera, state: HealthState | None) -> dict[str, Any]:
    """A camera for the wire."""
    told = one.settings
    names = (
        "name", "path", "code", "vendor", "model", "place", "timezone", "data_class", "overhead",
        "tier", "priority", "enabled",
    )  # fmt: skip
    return {
        **{name: getattr(told, name) for name in names},
        "id": one.id,
        "groups": list(told.groups),
        "masks": [[list(point) for point in mask] for mask in told.masks],
        "source": {
            "kind": one.source.kind,
            "location": one.source.location,
            "has_credentials": one.has_credentials,
        },
        "device": one.device,
        "state": state,
        "since": one.since,
        "health": one.health,
        "version": one.version,
        "created_at": one.created_at,
    }
