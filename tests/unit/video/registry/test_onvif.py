"""The ONVIF client against a device on loopback that speaks as several makers' do."""

import ipaddress
from collections.abc import Callable
from datetime import timedelta

import pytest

from foundation.kernel.errors import Invalid, Unavailable
from tests.conftest import SettableClock
from tests.fakes.onvif import SOAP11, SOAP12, Device, answering_probes, envelope, serving
from workloads.video_analytics.cameras.addresses import AddressPolicy
from workloads.video_analytics.cameras.onvif.client import Client
from workloads.video_analytics.cameras.onvif.discovery import Discovery
from workloads.video_analytics.cameras.onvif.model import (
    DeviceFault,
    DeviceNonsense,
    DeviceRefused,
    Preset,
)

LOOPBACK = AddressPolicy(networks=(ipaddress.ip_network("127.0.0.0/8"),))
NAME, PASSWORD = "admin", "pass&word<1>"


def client(address: str, clock: SettableClock, password: str = PASSWORD) -> Client:
    return Client(address, NAME, password, policy=LOOPBACK, clock=clock)


def _hikvision(text: str) -> str:
    """Single quotes, ``env:``, and attributes in any order."""
    return text.replace("SOAP-ENV:", "env:").replace(":SOAP-ENV", ":env").replace('"', "'")


def _wrong_namespaces(text: str) -> str:
    """Elements of the schema in the service's namespace, as makers of encoders have it."""
    return text.replace("<tt:", "<trt:").replace("</tt:", "</trt:")


def _undeclared(text: str) -> str:
    """Prefixes that are never declared."""
    start, _, rest = text.partition("<SOAP-ENV:Envelope")
    return start + "<SOAP-ENV:Envelope>" + rest.partition(">")[2]


def _own_extensions(text: str) -> str:
    """Elements of the maker's own before and inside the standard's."""
    own = (
        '<dh:Extension xmlns:dh="http://www.maker.example/ext"><dh:Name>x</dh:Name></dh:Extension>'
    )
    return text.replace("<tt:Name>", own + "<tt:Name>").replace(
        "<SOAP-ENV:Body>", f"<SOAP-ENV:Header>{own}</SOAP-ENV:Header><SOAP-ENV:Body>"
    )


def _plain(text: str) -> str:
    return text


@pytest.mark.parametrize(
    "tell",
    [_plain, _hikvision, _wrong_namespaces, _undeclared, _own_extensions],
    ids=lambda one: one.__name__,
)
@pytest.mark.parametrize("media2", [True, False])
def test_a_device_is_understood_however_it_speaks(
    tell: Callable[[str], str],
    media2: bool,  # noqa: FBT001 - a parameter of the test
    clock: SettableClock,
) -> None:
    device = Device(clock.now, tell=tell, media2=media2)
    with serving(device) as address:
        report = client(address, clock).report()
    assert report.problems == ()
    assert (report.information.manufacturer, report.information.model) == ("Borough", "Test 1")
    assert [(p.token, p.name, p.width, p.height, p.rate) for p in report.profiles] == [
        ("P1", "main&Stream", 1920, 1080, 25), ("P2", "sub", 640, 360, 25),
    ]  # fmt: skip
    first = report.profiles[0]
    assert first.encoding == ("H265" if media2 else "H264")
    assert (first.source, first.ptz) == ("VideoSource_1", not media2)
    # What it says of its own address is of its side of a translation.
    assert first.url == "rtsp://127.0.0.1:554/Streaming/Channels/101?transportmode=unicast"
    assert report.events.pull_point
    assert report.events.topics == (
        "RuleEngine/CellMotionDetector/Motion", "VideoSource/ImageTooDark",
    )  # fmt: skip


def test_what_chinese_devices_declare_is_read(clock: SettableClock) -> None:
    device = Device(clock.now, maker="海康", login=None)
    device.raw = (
        envelope(
            "<tds:GetDeviceInformationResponse><tds:Manufacturer>海康威视</tds:Manufacturer>"
            "</tds:GetDeviceInformationResponse>"
        )
        .replace('encoding="UTF-8"', 'encoding="gb2312"')
        .encode("gb2312")
    )
    with serving(device) as address:
        assert client(address, clock).information().manufacturer == "海康威视"


@pytest.mark.parametrize("away", [-86_400 * 400, -7_200, 0, 3_600])
def test_a_device_with_a_wrong_clock_is_entered(away: int, clock: SettableClock) -> None:
    device = Device(lambda: clock.now() + timedelta(seconds=away))
    with serving(device) as address:
        report = client(address, clock).report()
    assert report.clock_offset_seconds == away
    assert device.asked[0] == "ver10/device/GetSystemDateAndTime"


def test_a_device_that_tells_its_time_to_nobody_is_read_by_its_http_date(
    clock: SettableClock,
) -> None:
    device = Device(lambda: clock.now() + timedelta(hours=8), clock_needs_login=True)
    with serving(device) as address:
        assert client(address, clock).report().clock_offset_seconds == 8 * 3600


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_http_digest(algorithm: str, clock: SettableClock) -> None:
    device = Device(clock.now, http_digest=algorithm)
    with serving(device) as address:
        assert client(address, clock).report().profiles
        with pytest.raises(DeviceRefused):
            client(address, clock, "wrong").report()


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_a_wrong_password_is_said_whatever_the_status(status: int, clock: SettableClock) -> None:
    with serving(Device(clock.now, fault_status=status)) as address:
        with pytest.raises(DeviceRefused) as caught:
            client(address, clock, "wrong").report()
    assert "wrong" not in str(caught.value.details)


def test_faults_of_soap_1_1(clock: SettableClock) -> None:
    device = Device(clock.now, login=None)
    device.raw = envelope(
        "<SOAP-ENV:Fault><faultcode>SOAP-ENV:Client</faultcode><faultstring>Method not implemented"
        "</faultstring></SOAP-ENV:Fault>",
        soap=SOAP11,
    ).encode()
    with serving(device) as address, pytest.raises(DeviceFault, match="Method not implemented"):
        client(address, clock).information()


def test_devices_before_getservices(clock: SettableClock) -> None:
    device = Device(clock.now, services=False, media2=False)
    with serving(device) as address:
        report = client(address, clock).report()
    assert len(report.profiles) == 2
    assert "ver10/device/GetCapabilities" in device.asked


def test_presets_are_listed_and_turned_to(clock: SettableClock) -> None:
    device = Device(clock.now)
    with serving(device) as address:
        one = client(address, clock)
        one.clock_offset()
        assert one.presets("P1") == (Preset("1", "大门 Gate"),)
        assert one.imaging_presets("VideoSource_1") == (Preset("n", "Night"),)
        one.go_to("P1", "1")
        with pytest.raises(DeviceFault):
            one.go_to("P1", "<9>")
    assert device.turned == [("P1", "1")]


BOMB = b"""<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Envelope><Body><x>&b;</x></Body></Envelope>"""
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>
<Envelope><Body><GetDeviceInformationResponse><Manufacturer>&f;</Manufacturer>
</GetDeviceInformationResponse></Body></Envelope>"""


@pytest.mark.parametrize(
    "content",
    [
        BOMB, OUTSIDE, BOMB.decode().encode("utf-16"), b"", b"not xml", b"<html>welcome</html>",
        b"<a>" * 100 + b"</a>" * 100, b"<a>" + b"<b/>" * 30_000 + b"</a>", b"x" * 3_000_000,
        b"<Envelope><Body/></Envelope>", b"<Envelope><Body><Other/></Body></Envelope>",
        b'<?xml version="1.0" encoding="no-such"?><a/>', b"\x00\xff\xfe",
    ],
)  # fmt: skip
def test_nonsense_is_said_to_be_nonsense(content: bytes, clock: SettableClock) -> None:
    with serving(Device(clock.now, raw=content)) as address, pytest.raises(DeviceNonsense):
        client(address, clock).information()


def test_what_does_not_answer_is_unavailable(clock: SettableClock) -> None:
    with pytest.raises(Unavailable):
        client("http://127.0.0.1:9/onvif/device_service", clock).report()


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest/meta-data", "http://10.0.0.1/onvif", "file:///etc/passwd",
        "gopher://127.0.0.1/", "http://127.0.0.1:5432/", "not an address", "http://",
    ],
)  # fmt: skip
def test_addresses_outside_of_the_policy_are_never_asked(
    address: str, clock: SettableClock
) -> None:
    with pytest.raises(Invalid):
        client(address, clock).report()


# Discovery ---------------------------------------------------------------------------------------


def probe_match(xaddrs: str, scopes: str = "", endpoint: str = "urn:uuid:1") -> bytes:
    return (
        f'<?xml version="1.0"?><e:Envelope xmlns:e="{SOAP12}"'
        ' xmlns:w="http://schemas.xmlsoap.org/ws/2005/04/discovery"'
        ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"><e:Body><w:ProbeMatches>'
        f"<w:ProbeMatch><a:EndpointReference><a:Address>{endpoint}</a:Address>"
        f"</a:EndpointReference><w:Types>dn:NetworkVideoTransmitter</w:Types>"
        f"<w:Scopes>{scopes}</w:Scopes><w:XAddrs>{xaddrs}</w:XAddrs></w:ProbeMatch>"
        "</w:ProbeMatches></e:Body></e:Envelope>"
    ).encode()


def test_devices_are_found_once_and_nonsense_is_passed_over() -> None:
    scopes = (
        "onvif://www.onvif.org/name/HIKVISION%20DS-2CD2042WD-I onvif://www.onvif.org/hardware/DS"
        " onvif://www.onvif.org/location/city/west_gate ldap:///x [bad"
    )
    answers = (
        probe_match("http://[fe80::1]/onvif http://127.0.0.2/onvif/device_service", scopes),
        probe_match("http://169.254.169.254/x", endpoint="urn:uuid:2"),
        probe_match("http://127.0.0.3:8000/onvif", endpoint="uuid:3"),
        b"<!DOCTYPE a><a/>", b"\x00" * 100, b"",
    )  # fmt: skip
    with answering_probes(*answers) as (port, heard):
        found = Discovery(LOOPBACK, port=port, seconds=0.5).probe("127.0.0.1")
    assert [(one.address, one.name, one.location) for one in found] == [
        ("http://127.0.0.2/onvif/device_service", "HIKVISION DS-2CD2042WD-I", "city/west gate"),
        ("http://127.0.0.3:8000/onvif", "127.0.0.3", ""),
    ]
    assert len(heard) == 2
    assert b"dn:NetworkVideoTransmitter" in heard[0]
    assert b"tds:Device" in heard[1]


def test_a_probe_goes_where_it_may() -> None:
    discovery = Discovery(LOOPBACK, seconds=0.1)
    for host in ("", "10.0.0.1", "127.0.0.1/x?", "a b"):
        with pytest.raises(Invalid):
            discovery.probe(host)
    with answering_probes() as (port, _):
        assert Discovery(LOOPBACK, port=port, seconds=0.1).probe("127.0.0.1") == []
