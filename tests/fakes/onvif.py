"""An ONVIF device on loopback, for tests: it answers in the shapes of the standard's WSDL.

It checks the UsernameToken digest against its own clock as devices do (five seconds of grace, no
nonce twice) or asks for HTTP digest, and it speaks as devices of several makers do in public
descriptions of their answers: other prefixes, elements in namespaces where the standard does not
put them, prefixes that are never declared, faults with any HTTP status, SOAP 1.1.
"""

import base64
import contextlib
import hashlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NS = {
    "tds": "http://www.onvif.org/ver10/device/wsdl",
    "trt": "http://www.onvif.org/ver10/media/wsdl",
    "tr2": "http://www.onvif.org/ver20/media/wsdl",
    "tev": "http://www.onvif.org/ver10/events/wsdl",
    "timg": "http://www.onvif.org/ver20/imaging/wsdl",
    "tptz": "http://www.onvif.org/ver20/ptz/wsdl",
    "tt": "http://www.onvif.org/ver10/schema",
    "ter": "http://www.onvif.org/ver10/error",
    "wstop": "http://docs.oasis-open.org/wsn/t-1",
    "tns1": "http://www.onvif.org/ver10/topics",
}
SOAP12, SOAP11 = (
    "http://www.w3.org/2003/05/soap-envelope",
    "http://schemas.xmlsoap.org/soap/envelope/",
)


@dataclass
class Device:
    """What the device is and how it speaks.

    Attributes:
        clock: its own time.
        media2: whether it has the Media2 service.
        services: whether it knows GetServices (2010 devices do not).
        login: name and password; None lets everybody in.
        http_digest: it asks for HTTP digest (this algorithm) instead of a UsernameToken.
        tell: changes the envelope before it is sent, as makers do.
        fault_status: HTTP status of faults.
        inside: the address by which it names its own services, behind a translation.
        raw: answers this to everything.
    """

    clock: Callable[[], datetime]
    maker: str = "Borough"
    model: str = "Test 1"
    media2: bool = True
    services: bool = True
    login: tuple[str, str] | None = ("admin", "pass&word<1>")
    http_digest: str = ""
    clock_needs_login: bool = False
    tell: Callable[[str], str] = str
    fault_status: int = 400
    inside: str = "192.168.1.64"
    raw: bytes | None = None
    turned: list[tuple[str, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    nonces: set[str] = field(default_factory=set)


def envelope(body: str, *, soap: str = SOAP12) -> str:
    spaces = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in NS.items())
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="{soap}" {spaces}>'
        f"<SOAP-ENV:Body>{body}</SOAP-ENV:Body></SOAP-ENV:Envelope>"
    )


def fault(subcode: str, reason: str) -> str:
    return (
        "<SOAP-ENV:Fault><SOAP-ENV:Code><SOAP-ENV:Value>SOAP-ENV:Sender</SOAP-ENV:Value>"
        f"<SOAP-ENV:Subcode><SOAP-ENV:Value>{subcode}</SOAP-ENV:Value></SOAP-ENV:Subcode>"
        f'</SOAP-ENV:Code><SOAP-ENV:Reason><SOAP-ENV:Text xml:lang="en">{reason}</SOAP-ENV:Text>'
        "</SOAP-ENV:Reason></SOAP-ENV:Fault>"
    )


class _Refused(Exception):
    pass


def _authorised(device: Device, text: str, header: str) -> bool:
    if device.login is None:
        return True
    name, password = device.login
    if device.http_digest:
        return _http_authorised(device, header)
    found = {
        key: match.group(1)
        if (match := re.search(rf"<\w+:{key}(?: [^>]*)?>([^<]*)<", text))
        else ""
        for key in ("Username", "Password", "Nonce", "Created")
    }
    if found["Username"] != name or found["Nonce"] in device.nonces:
        return False
    device.nonces.add(found["Nonce"])
    created = datetime.strptime(found["Created"], "%Y-%m-%dT%H:%M:%S.000Z").replace(tzinfo=UTC)
    if abs(created - device.clock()) > timedelta(seconds=5):
        return False
    nonce = base64.b64decode(found["Nonce"])
    secret = nonce + found["Created"].encode() + password.encode()
    digest = hashlib.sha1(secret).digest()  # noqa: S324 - the standard's
    return base64.b64decode(found["Password"]) == digest


def _http_authorised(device: Device, header: str) -> bool:
    name, password = device.login or ("", "")
    given = dict(re.findall(r'(\w+)="?([^",]+)"?', header))
    if given.get("username") != name or given.get("nonce") != "abc123":
        return False
    made = hashlib.sha256 if device.http_digest == "SHA-256" else hashlib.md5

    def h(text: str) -> str:
        return made(text.encode()).hexdigest()

    first, second = h(f"{name}:camera:{password}"), h(f"POST:{given['uri']}")
    middle = f"abc123:{given['nc']}:{given['cnonce']}:auth"
    return given["response"] == h(f"{first}:{middle}:{second}")


def answer(device: Device, port: int, text: str) -> str:
    """The body for a request; raises LookupError for what the device does not know."""
    action = re.search(r"<s:Body><d:(\w+) xmlns:d=\"([^\"]+)\"", text)
    assert action is not None, text
    name, space = action.groups()
    device.asked.append(f"{space.split('/')[3]}/{space.split('/')[4]}/{name}")
    here = f"http://{device.inside}:{port}/onvif"
    answers = _device(device, here) | _media(device) | _others(device, text)
    made = answers.get((space, name))
    if made is None:
        raise LookupError(name)
    prefix = next(p for p, s in NS.items() if s == space)
    return f"<{prefix}:{name}Response>{made}</{prefix}:{name}Response>"


def _device(device: Device, here: str) -> dict[tuple[str, str], str | None]:
    now, tds = device.clock(), NS["tds"]
    names = ["tds", "tev", "timg", "tptz", "trt", *(["tr2"] if device.media2 else [])]
    services = "".join(
        f"<tds:Service><tds:Namespace>{NS[name]}</tds:Namespace><tds:XAddr>{here}/{name}</tds:XAddr>"
        "<tds:Version><tt:Major>2</tt:Major><tt:Minor>6</tt:Minor></tds:Version></tds:Service>"
        for name in names
    )
    old = "".join(
        f"<tt:{tag}><tt:XAddr>{here}/{name}</tt:XAddr></tt:{tag}>"
        for tag, name in (("Events", "tev"), ("Imaging", "timg"), ("Media", "trt"), ("PTZ", "tptz"))
    )
    return {
        (tds, "GetSystemDateAndTime"): (
            "<tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>"
            "<tt:DaylightSavings>false</tt:DaylightSavings><tt:TimeZone><tt:TZ>CST-8</tt:TZ>"
            f"</tt:TimeZone><tt:UTCDateTime><tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>"
            f"{now.minute}</tt:Minute><tt:Second>{now.second}</tt:Second></tt:Time><tt:Date>"
            f"<tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}"
            "</tt:Day></tt:Date></tt:UTCDateTime></tds:SystemDateAndTime>"
        ),
        (tds, "GetDeviceInformation"): (
            f"<tds:Manufacturer>{device.maker}</tds:Manufacturer><tds:Model>{device.model}"
            "</tds:Model><tds:FirmwareVersion>V5.7.3 build 220112</tds:FirmwareVersion>"
            "<tds:SerialNumber>0123456789</tds:SerialNumber><tds:HardwareId>88</tds:HardwareId>"
        ),
        (tds, "GetServices"): services if device.services else None,
        (tds, "GetCapabilities"): f"<tds:Capabilities>{old}</tds:Capabilities>",
    }


def _media(device: Device) -> dict[tuple[str, str], str | None]:
    encoder = (
        "<tt:Name>Encoder</tt:Name><tt:UseCount>1</tt:UseCount><tt:Encoding>{}</tt:Encoding>"
        "<tt:Resolution><tt:Width>{}</tt:Width><tt:Height>{}</tt:Height></tt:Resolution>"
        "<tt:RateControl><tt:FrameRateLimit>{}</tt:FrameRateLimit></tt:RateControl>"
    )
    source = "<tt:Name>Source</tt:Name><tt:SourceToken>VideoSource_1</tt:SourceToken>"
    ones, twos = [], []
    for token, name, size in (("P1", "main&amp;Stream", (1920, 1080)), ("P2", "sub", (640, 360))):
        one = encoder.format("H264", *size, 25)
        two = encoder.format("H265", *size, "25.0")
        ones.append(
            f'<trt:Profiles token="{token}" fixed="true"><tt:Name>{name}</tt:Name>'
            f'<tt:VideoSourceConfiguration token="V">{source}</tt:VideoSourceConfiguration>'
            f'<tt:VideoEncoderConfiguration token="E">{one}</tt:VideoEncoderConfiguration>'
            '<tt:PTZConfiguration token="Z"><tt:NodeToken>N</tt:NodeToken></tt:PTZConfiguration>'
            "</trt:Profiles>"
        )
        twos.append(
            f'<tr2:Profiles token="{token}" fixed="true"><tr2:Name>{name}</tr2:Name>'
            f'<tr2:Configurations><tr2:VideoSource token="V">{source}</tr2:VideoSource>'
            f'<tr2:VideoEncoder token="E">{two}</tr2:VideoEncoder></tr2:Configurations>'
            "</tr2:Profiles>"
        )
    stream = f"rtsp://{device.inside}:554/Streaming/Channels/101?transportmode=unicast"
    return {
        (NS["trt"], "GetProfiles"): "".join(ones),
        (NS["tr2"], "GetProfiles"): "".join(twos) if device.media2 else None,
        (NS["trt"], "GetStreamUri"): (
            f"<trt:MediaUri><tt:Uri>{stream.replace('&', '&amp;')}</tt:Uri>"
            "<tt:InvalidAfterConnect>false</tt:InvalidAfterConnect></trt:MediaUri>"
        ),
        (NS["tr2"], "GetStreamUri"): f"<tr2:Uri>{stream}</tr2:Uri>" if device.media2 else None,
    }


def _others(device: Device, text: str) -> dict[tuple[str, str], str | None]:
    preset = re.search(r"<d:PresetToken>([^<]*)<", text)
    profile = re.search(r"<d:ProfileToken>([^<]*)<", text)
    turned: str | None = ""
    if preset is not None and profile is not None and "GotoPreset" in text:
        turned = "" if preset.group(1) == "1" else None
        if turned is not None:
            device.turned.append((profile.group(1), preset.group(1)))
    presets = '<tptz:Preset token="1"><tt:Name>大门 Gate</tt:Name></tptz:Preset>'
    return {
        (NS["tev"], "GetServiceCapabilities"): '<tev:Capabilities WSPullPointSupport="true"/>',
        (NS["tev"], "GetEventProperties"): (
            '<wstop:TopicSet><tns1:RuleEngine><CellMotionDetector><Motion wstop:topic="true">'
            '<tt:MessageDescription IsProperty="true"/></Motion></CellMotionDetector>'
            '</tns1:RuleEngine><tns1:VideoSource><ImageTooDark wstop:topic="true"/>'
            "</tns1:VideoSource></wstop:TopicSet>"
        ),
        (
            NS["timg"],
            "GetPresets",
        ): '<timg:Preset token="n" type="x"><timg:Name>Night</timg:Name></timg:Preset>',
        (NS["tptz"], "GetPresets"): presets,
        (NS["tptz"], "GotoPreset"): turned,
    }


class _Handler(BaseHTTPRequestHandler):
    device: Device

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.device.raw is not None:
            self._send(200, self.device.raw)
            return
        port = self.server.server_address[1]
        free = "GetSystemDateAndTime" in text and not self.device.clock_needs_login
        if not free and not _authorised(self.device, text, self.headers.get("Authorization", "")):
            if self.device.http_digest:
                self._send(401, b"", digest=self.device.http_digest)
                return
            body = fault("ter:NotAuthorized", "Sender not Authorized")
            self._send(self.device.fault_status, self._told(body))
            return
        try:
            self._send(200, self._told(answer(self.device, int(port), text)))
        except LookupError:
            body = fault("ter:ActionNotSupported", "Optional Action Not Implemented")
            self._send(self.device.fault_status, self._told(body))

    def _told(self, body: str) -> bytes:
        return self.device.tell(envelope(body)).encode()

    def _send(self, status: int, content: bytes, digest: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/soap+xml; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        if digest:
            told = f'Digest qop="auth", realm="camera", nonce="abc123", algorithm={digest}'
            self.send_header("WWW-Authenticate", told)
        self.end_headers()
        self.wfile.write(content)

    def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002
        return self.device.clock().strftime("%a, %d %b %Y %H:%M:%S GMT")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextlib.contextmanager
def serving(device: Device) -> Iterator[str]:
    """The address of the device's service, until the end of the block."""
    handler = type("Handler", (_Handler,), {"device": device})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/onvif/device_service"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def answering_probes(*answers: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A port that answers each probe with all of these, and what it was sent."""
    heard: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(0.02)
        ended = threading.Event()

        def run() -> None:
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    content, sender = listening.recvfrom(65536)
                    heard.append(content)
                    for one in answers:
                        listening.sendto(one, sender)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield listening.getsockname()[1], heard
        finally:
            ended.set()
            thread.join()
