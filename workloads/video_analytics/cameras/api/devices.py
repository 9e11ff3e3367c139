"""ONVIF devices over HTTP."""

from typing import Annotated

from flask.typing import ResponseReturnValue
from pydantic import Field

from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Input,
    Schema,
    created,
    current_actor,
    etag,
    idempotent_outside,
    requires,
    use,
)
from workloads.video_analytics.cameras.api.fields import CameraOut, CameraSettings, camera_out
from workloads.video_analytics.cameras.devices import DeviceLogin, Devices
from workloads.video_analytics.cameras.service import Cameras

api = ApiBlueprint("devices", __name__, tag="ONVIF devices")


class DiscoveryBody(Input):
    """Whom to ask."""

    host: Annotated[
        str, Field(max_length=253, description="Empty: all on the configured interfaces.")
    ] = ""


class FoundDeviceOut(Schema):
    """A device that answered."""

    address: str
    endpoint: str
    name: str
    hardware: str
    location: str
    scopes: list[str]


class FoundDevices(Schema):
    """All that answered, by address."""

    items: list[FoundDeviceOut]


class DeviceLoginBody(Input):
    """A device and how it is entered."""

    address: Annotated[str, Field(min_length=1, max_length=2000)]
    username: Annotated[str, Field(max_length=500)] = ""
    password: Annotated[str, Field(max_length=500, json_schema_extra={"writeOnly": True})] = ""


class InformationOut(Schema):
    """Who made a device."""

    manufacturer: str
    model: str
    firmware: str
    serial: str
    hardware: str


class ProfileOut(Schema):
    """A media profile."""

    token: str
    name: str
    encoding: str
    width: int | None
    height: int | None
    rate: int | None
    ptz: bool
    url: str


class DeviceEventsOut(Schema):
    """What a device can tell by itself."""

    pull_point: bool
    topics: list[str]


class DeviceReport(Schema):
    """Everything about a device."""

    address: str
    information: InformationOut
    clock_offset_seconds: Annotated[
        float | None, Field(description="Its clock minus ours; null: it did not say.")
    ]
    services: list[str]
    profiles: list[ProfileOut]
    events: DeviceEventsOut
    problems: Annotated[list[str], Field(description="What it did not answer.")]


class ProfileImport(CameraSettings):
    """A profile that becomes a camera."""

    device: DeviceLoginBody
    profile: Annotated[str, Field(min_length=1, max_length=200, description="Its token.")]


class PresetOut(Schema):
    """A kept position of a camera that turns."""

    token: str
    name: str


class TurnBody(Input):
    """Where to."""

    preset: Annotated[str, Field(min_length=1, max_length=200, description="Its token.")]


class PresetsOut(Schema):
    """All of a camera."""

    items: list[PresetOut]


@api.post("/onvif/discover")
@requires("camera.manage")
@idempotent_outside
@api.input(DiscoveryBody)
@api.output(FoundDevices)
def discover_devices(json_data: DiscoveryBody) -> Answer:
    """Ask for ONVIF devices by WS-Discovery; takes three seconds."""
    return {"items": use(Devices).discover(current_actor(), json_data.host)}


@api.post("/onvif/report")
@requires("camera.manage")
@idempotent_outside
@api.input(DeviceLoginBody)
@api.output(DeviceReport)
def report_device(json_data: DeviceLoginBody) -> Answer:
    """Ask a device for all that is needed to import it."""
    return use(Devices).report(current_actor(), _login(json_data))


@api.post("/onvif/import")
@requires("camera.manage")
@idempotent_outside
@api.input(ProfileImport)
@api.output(CameraOut, 201)
def import_device_profile(json_data: ProfileImport) -> ResponseReturnValue:
    """Enter a profile of a device as a camera."""
    made = use(Devices).import_profile(
        current_actor(), _login(json_data.device), json_data.profile, json_data.settings()
    )
    body = camera_out(made, use(Cameras).state(made))
    return created(body, f"/api/v1/cameras/{made.id}", etag(made.id, made.version))


@api.get("/cameras/<camera_id>/presets")
@requires("camera.manage")
@api.output(PresetsOut)
def list_camera_presets(camera_id: str) -> Answer:
    """The kept positions of a camera that turns, as its device says now."""
    return {"items": use(Devices).presets(current_actor(), camera_id)}


@api.post("/cameras/<camera_id>/turn")
@requires("camera.manage")
@idempotent_outside
@api.input(TurnBody)
@api.output({}, status_code=204)
def turn_camera(camera_id: str, json_data: TurnBody) -> ResponseReturnValue:
    """Turn a camera to a kept position."""
    use(Devices).go_to(current_actor(), camera_id, json_data.preset)
    return "", 204


def _login(body: DeviceLoginBody) -> DeviceLogin:
    return DeviceLogin(body.address, body.username, body.password)
