"""What ONVIF devices say of themselves."""

from dataclasses import dataclass

from foundation.kernel.errors import Conflict

DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA1 = "http://www.onvif.org/ver10/media/wsdl"
MEDIA2 = "http://www.onvif.org/ver20/media/wsdl"
EVENTS = "http://www.onvif.org/ver10/events/wsdl"
IMAGING = "http://www.onvif.org/ver20/imaging/wsdl"
PTZ = "http://www.onvif.org/ver20/ptz/wsdl"
SCHEMA = "http://www.onvif.org/ver10/schema"


class DeviceRefused(Conflict):
    """The device does not take the name and password."""

    code = "device_refused"


class DeviceFault(Conflict):
    """The device answers with a fault; ``details["subcode"]`` is its ``ter:`` code."""

    code = "device_fault"


class DeviceNonsense(Conflict):
    """The device answers with what is no ONVIF."""

    code = "device_nonsense"


@dataclass(frozen=True, slots=True)
class Found:
    """A device that answered a probe.

    Attributes:
        address: of its device service; the first one that may be opened.
        endpoint: its stable identity (``urn:uuid:…``).
        scopes: what it says of itself: ``onvif://www.onvif.org/…``.
    """

    address: str
    endpoint: str
    name: str = ""
    hardware: str = ""
    location: str = ""
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Information:
    """GetDeviceInformation."""

    manufacturer: str
    model: str
    firmware: str
    serial: str
    hardware: str


@dataclass(frozen=True, slots=True)
class Profile:
    """A media profile.

    Attributes:
        source: token of its video source, for imaging.
        encoding: H264, H265, JPEG, MPEG4 or empty.
        rate: frames a second at most; None when it is not said.
        ptz: whether it can be turned.
        url: of its stream, without credentials; empty when the device gives none.
    """

    token: str
    name: str
    source: str = ""
    encoding: str = ""
    width: int | None = None
    height: int | None = None
    rate: int | None = None
    ptz: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True)
class Preset:
    """A kept position of a camera that turns, or a kept way to expose (imaging)."""

    token: str
    name: str


@dataclass(frozen=True, slots=True)
class EventSupport:
    """What a device can tell by itself.

    Attributes:
        pull_point: whether events can be fetched (PullPoint).
        topics: names such as ``RuleEngine/CellMotionDetector/Motion``.
    """

    pull_point: bool = False
    topics: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is asked of a device before one of its profiles becomes a camera.

    Attributes:
        clock_offset_seconds: the device's clock minus ours; None when it did not say.
        services: namespaces of the services that it has.
        problems: what it did not answer, in its words; the rest is still of use.
    """

    address: str
    information: Information
    clock_offset_seconds: float | None
    services: tuple[str, ...]
    profiles: tuple[Profile, ...]
    events: EventSupport
    problems: tuple[str, ...] = ()
