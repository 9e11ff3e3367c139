"""What is asked of a device: ONVIF Device, Media, Media2, Events, Imaging and PTZ services.

Addresses that a device names lie behind address translation more often than not: only their port
and path are used, on the host at which the device was reached. That also keeps a device from
sending us, and our credentials, elsewhere.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit, urlunsplit

from foundation.kernel.addresses import separate
from foundation.kernel.errors import BoroughError, Invalid
from foundation.kernel.time import Clock
from workloads.video_analytics.cameras.addresses import AddressPolicy
from workloads.video_analytics.cameras.onvif.model import (
    DEVICE,
    EVENTS,
    IMAGING,
    MEDIA1,
    MEDIA2,
    PTZ,
    SCHEMA,
    DeviceFault,
    DeviceNonsense,
    DeviceRefused,
    EventSupport,
    Information,
    Preset,
    Profile,
    Report,
)
from workloads.video_analytics.cameras.onvif.soap import Channel
from workloads.video_analytics.cameras.onvif.xml import Element, escape, quoteattr

T = TypeVar("T")

_TEXT_MAX = 200
_PROFILES_MAX = 64
_TOPICS_MAX = 200
_PRESETS_MAX = 500


class Client:
    """One device.

    Args:
        address: of its device service, such as ``http://10.1.2.3/onvif/device_service``.
    """

    def __init__(
        self, address: str, username: str, password: str, *, policy: AddressPolicy, clock: Clock
    ) -> None:
        policy.check_url(address, ("http", "https"), "address")
        self._address = separate(address)[0]
        self._clock = clock
        self._channel = Channel(policy, clock, username, password)
        self._services: dict[str, str] | None = None

    def report(self) -> Report:
        """Everything about the device; what it does not answer is named and left out.

        Raises:
            Invalid: the address may not be opened.
            Unavailable: it does not answer.
            DeviceRefused: it does not take the name and password.
            DeviceNonsense: it is no ONVIF device.
        """
        problems: list[str] = []
        offset = self.clock_offset()
        information = self.information()
        nothing: dict[str, str] = {}
        services = self._tried(self.services, nothing, problems)
        none: tuple[Profile, ...] = ()
        profiles = self._tried(self.profiles, none, problems)
        events = self._tried(self.events, EventSupport(), problems)
        return Report(
            self._address, information, offset, tuple(sorted(services)), profiles, events,
            tuple(problems),
        )  # fmt: skip

    def _tried(self, ask: Callable[[], T], otherwise: T, problems: list[str]) -> T:
        try:
            return ask()
        except DeviceRefused:
            raise
        except BoroughError as error:
            problems.append(error.message)
            return otherwise

    # Device ----------------------------------------------------------------------------------

    def clock_offset(self) -> float | None:
        """Seconds by which the device's clock is ahead of ours; signs what follows.

        The only request that a device must answer to everybody (Core Specification, 8.3.6).

        Raises:
            Unavailable: it does not answer.
            DeviceNonsense: it is no ONVIF device.
        """
        try:
            answer = self._device("GetSystemDateAndTime", signed=False)
            told = _instant(answer)
        except (DeviceRefused, DeviceFault):
            told = None  # against the standard, and found in the field
        told = told or self._channel.date
        if told is None:
            return None
        self._channel.offset = told - self._clock.now()
        return self._channel.offset.total_seconds()

    def information(self) -> Information:
        """Who made it."""
        answer = self._device("GetDeviceInformation")
        names = ("Manufacturer", "Model", "FirmwareVersion", "SerialNumber", "HardwareId")
        return Information(*(answer.value(name)[:_TEXT_MAX] for name in names))

    def services(self) -> dict[str, str]:
        """Its services: namespace to address on the host at which it was reached."""
        if self._services is None:
            try:
                found = self._from_services()
            except DeviceFault:
                found = {}
            self._services = found or self._from_capabilities()
        return self._services

    def _from_services(self) -> dict[str, str]:
        answer = self._device("GetServices", "<d:IncludeCapability>false</d:IncludeCapability>")
        return {
            one.value("Namespace"): self._here(one.value("XAddr"))
            for one in answer.all("Service")
            if one.value("XAddr")
        }

    def _from_capabilities(self) -> dict[str, str]:
        """As devices before GetServices (ONVIF 2.0) have it."""
        answer = self._device("GetCapabilities", "<d:Category>All</d:Category>")
        names = {"Media": MEDIA1, "Events": EVENTS, "Imaging": IMAGING, "PTZ": PTZ}
        found = answer.find("Capabilities") or answer
        return {
            space: self._here(found.value(name, "XAddr"))
            for name, space in names.items()
            if found.value(name, "XAddr")
        }

    def _device(self, name: str, inner: str = "", *, signed: bool = True) -> Element:
        return self._ask(self._address, DEVICE, name, inner, signed=signed)

    # Media -----------------------------------------------------------------------------------

    def profiles(self) -> tuple[Profile, ...]:
        """Its media profiles with the addresses of their streams; Media2 before Media1."""
        problem: BoroughError | None = None
        for space, read in ((MEDIA2, _profile2), (MEDIA1, _profile1)):
            if space not in self.services():
                continue
            try:
                inner = "<d:Type>All</d:Type>" if space == MEDIA2 else ""
                answer = self._of(space, "GetProfiles", inner)
            except DeviceFault as error:
                problem = error
                continue
            found = [read(one) for one in answer.all("Profiles")[:_PROFILES_MAX]]
            if found:
                return tuple(self._with_url(space, one) for one in found if one.token)
        if problem is not None:
            raise problem
        return ()

    def _with_url(self, space: str, profile: Profile) -> Profile:
        try:
            url = self.stream_url(space, profile.token)
        except (DeviceFault, DeviceNonsense, Invalid):
            url = ""  # a profile without a stream, such as one for metadata
        return Profile(
            profile.token, profile.name, profile.source, profile.encoding, profile.width,
            profile.height, profile.rate, profile.ptz, url,
        )  # fmt: skip

    def stream_url(self, space: str, token: str) -> str:
        """The address of a profile's stream over RTSP with interleaved media, without credentials.

        Raises:
            DeviceFault: it has none.
            DeviceNonsense: what it names is no RTSP address.
        """
        if space == MEDIA2:
            inner = f"<d:Protocol>RTSP</d:Protocol><d:ProfileToken>{escape(token)}</d:ProfileToken>"
            answer = self._of(space, "GetStreamUri", inner)
            told = answer.value("Uri")
        else:
            inner = (
                f'<d:StreamSetup><t:Stream xmlns:t="{SCHEMA}">RTP-Unicast</t:Stream>'
                f'<t:Transport xmlns:t="{SCHEMA}"><t:Protocol>RTSP</t:Protocol></t:Transport>'
                f"</d:StreamSetup><d:ProfileToken>{escape(token)}</d:ProfileToken>"
            )
            answer = self._of(space, "GetStreamUri", inner)
            told = answer.value("MediaUri", "Uri")
        url = self._here(separate(told)[0])
        if not url.startswith("rtsp://"):
            raise DeviceNonsense("the device names no RTSP address")
        return url

    # Events ----------------------------------------------------------------------------------

    def events(self) -> EventSupport:
        """What the device can tell by itself."""
        if EVENTS not in self.services():
            return EventSupport()
        pull = False
        try:
            answer = self._of(EVENTS, "GetServiceCapabilities")
            told = answer.find("Capabilities")
            attributes = told.attributes if told else {}
            pull = attributes.get("WSPullPointSupport", "").lower() in {"true", "1"}
        except DeviceFault:
            pass  # of a later version than the device
        answer = self._of(EVENTS, "GetEventProperties")
        topics = answer.find("TopicSet")
        return EventSupport(pull, tuple(_topics(topics)) if topics else ())

    # Imaging and PTZ -------------------------------------------------------------------------

    def presets(self, profile: str) -> tuple[Preset, ...]:
        """The kept positions of a profile that turns; none when it does not."""
        if PTZ not in self.services():
            return ()
        answer = self._of(PTZ, "GetPresets", f"<d:ProfileToken>{escape(profile)}</d:ProfileToken>")
        return tuple(_preset(one) for one in answer.all("Preset")[:_PRESETS_MAX])

    def go_to(self, profile: str, preset: str) -> None:
        """Turn to a kept position.

        Raises:
            DeviceFault: there is no such position, or the camera does not turn.
        """
        if PTZ not in self.services():
            raise DeviceFault("the device does not turn")
        inner = (
            f"<d:ProfileToken>{escape(profile)}</d:ProfileToken>"
            f"<d:PresetToken>{escape(preset)}</d:PresetToken>"
        )
        self._of(PTZ, "GotoPreset", inner)

    def imaging_presets(self, source: str) -> tuple[Preset, ...]:
        """The kept ways of a video source to expose; none when it has none."""
        if IMAGING not in self.services():
            return ()
        inner = f"<d:VideoSourceToken>{escape(source)}</d:VideoSourceToken>"
        try:
            answer = self._of(IMAGING, "GetPresets", inner)
        except DeviceFault:
            return ()  # of a later version than the device
        return tuple(_preset(one) for one in answer.all("Preset")[:_PRESETS_MAX])

    # Inside ----------------------------------------------------------------------------------

    def _of(self, space: str, name: str, inner: str = "") -> Element:
        return self._ask(self.services()[space], space, name, inner)

    def _ask(self, url: str, space: str, name: str, inner: str, *, signed: bool = True) -> Element:
        body = f"<d:{name} xmlns:d={quoteattr(space)}>{inner}</d:{name}>"
        answer = self._channel.call(url, f"{space}/{name}", body, signed=signed)
        if answer.name != f"{name}Response":
            raise DeviceNonsense("the device answers something else than it was asked")
        return answer

    def _here(self, url: str) -> str:
        """An address of the device with the host at which it was reached."""
        try:
            told, own = urlsplit(url), urlsplit(self._address)
            port = told.port
        except ValueError:
            raise DeviceNonsense("the device names what is no address") from None
        host = own.hostname or ""
        host = f"[{host}]" if ":" in host else host
        if told.scheme in {"http", "https"} and told.hostname != own.hostname:
            port = port or own.port  # behind a forwarded port, the device knows nothing of it
        where = f"{host}:{port}" if port else host
        return urlunsplit(SplitResult(told.scheme, where, told.path, told.query, ""))


def _instant(answer: Element) -> datetime | None:
    """The UTC time of GetSystemDateAndTime; None when it says none, or one that is none."""
    told = answer.find("SystemDateAndTime", "UTCDateTime")
    if told is None:
        return None
    fields = [
        told.whole(*path)
        for path in (
            ("Date", "Year"), ("Date", "Month"), ("Date", "Day"), ("Time", "Hour"),
            ("Time", "Minute"), ("Time", "Second"),
        )
    ]  # fmt: skip
    year, month, day, hour, minute, second = (-1 if one is None else one for one in fields)
    try:
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None


def _profile1(one: Element) -> Profile:
    encoder = one.find("VideoEncoderConfiguration")
    return _profile(
        one, encoder, one.find("VideoSourceConfiguration"), one.find("PTZConfiguration")
    )


def _profile2(one: Element) -> Profile:
    inside = one.find("Configurations") or Element("", {})
    return _profile(
        one, inside.find("VideoEncoder"), inside.find("VideoSource"), inside.find("PTZ")
    )


def _profile(
    one: Element, encoder: Element | None, source: Element | None, ptz: Element | None
) -> Profile:
    nothing = Element("", {})
    encoder, source = encoder or nothing, source or nothing
    return Profile(
        one.attributes.get("token", "")[:_TEXT_MAX],
        one.value("Name")[:_TEXT_MAX],
        source.value("SourceToken")[:_TEXT_MAX],
        encoder.value("Encoding")[:_TEXT_MAX],
        encoder.whole("Resolution", "Width"),
        encoder.whole("Resolution", "Height"),
        _rate(encoder.value("RateControl", "FrameRateLimit")),
        ptz is not None,
    )


def _rate(text: str) -> int | None:
    """Frames a second: whole in Media1, a decimal in Media2."""
    try:
        return round(float(text)) if len(text) < 10 else None  # noqa: PLR2004 - no number of frames
    except (ValueError, OverflowError):
        return None


def _preset(one: Element) -> Preset:
    return Preset(one.attributes.get("token", "")[:_TEXT_MAX], one.value("Name")[:_TEXT_MAX])


def _topics(topics: Element) -> list[str]:
    """The names of topics: elements that are marked ``wstop:topic="true"``."""
    found: list[str] = []
    stack = [(one, one.name) for one in reversed(topics.children)]
    while stack and len(found) < _TOPICS_MAX:
        one, path = stack.pop()
        if one.attributes.get("topic", "").lower() in {"true", "1"}:
            found.append(path[:_TEXT_MAX])
        stack.extend(
            (child, f"{path}/{child.name}")
            for child in reversed(one.children)
            if child.name != "MessageDescription"
        )
    return found
