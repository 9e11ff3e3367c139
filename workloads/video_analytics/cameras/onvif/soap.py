"""SOAP 1.2 to a device: WS-UsernameToken digest, HTTP digest, faults.

ONVIF Core Specification, 5.9 and 5.12; Web Services Security UsernameToken Profile 1.0: the digest
is Base64(SHA-1(nonce + created + password)), and a device refuses a ``created`` that is far from
its own clock, so the clock is asked first. RFC 7616 for devices that ask for HTTP digest instead.
"""

import base64
import hashlib
import os
import re
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import urllib3

from foundation.kernel.errors import Unavailable
from foundation.kernel.time import Clock
from workloads.video_analytics.cameras.addresses import AddressPolicy
from workloads.video_analytics.cameras.onvif.model import (
    DeviceFault,
    DeviceNonsense,
    DeviceRefused,
)
from workloads.video_analytics.cameras.onvif.xml import (
    SIZE_MAX,
    Element,
    Malformed,
    escape,
    parse,
)

_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
_WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
_TOKEN = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0"  # noqa: S105
_BASE64 = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0"
_CONNECT_SECONDS, _READ_SECONDS, _WHOLE_SECONDS = 3.0, 5.0, 10.0
_REFUSALS = ("notauthorized", "failedauthentication", "unsupportedsecuritytoken", "invalidsecurity")
_UNAUTHORIZED = 401
_NONCE = 16
_TEXT_MAX = 200


@dataclass(slots=True)
class Channel:
    """Speaks to one device: never to another host, whatever the device says.

    Attributes:
        policy: which addresses may be opened.
        offset: the device's clock minus ours.
        date: of the last answer's HTTP header, where it had one.
    """

    policy: AddressPolicy
    clock: Clock
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    offset: timedelta = timedelta()
    date: datetime | None = None
    _challenge: str = field(default="", repr=False)

    def call(self, url: str, action: str, body: str, *, signed: bool = True) -> Element:
        """Send a request; answers the one element of the body of the answer.

        Args:
            url: of the service.
            action: its SOAP action, which some devices want.
            body: XML of the request.
            signed: with name and password, if there are any.

        Raises:
            Invalid: the address may not be opened.
            Unavailable: the device does not answer in time.
            DeviceRefused: it does not take the name and password.
            DeviceFault: it answers with a fault.
            DeviceNonsense: it answers with what is no SOAP.
        """
        header = self._security() if signed and (self.username or self.password) else ""
        envelope = (
            f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{_SOAP}">{header}'
            f"<s:Body>{body}</s:Body></s:Envelope>"
        ).encode()
        status, challenge, content = self._post(url, action, envelope, signed=signed)
        if status == _UNAUTHORIZED and challenge and signed and self.username:
            self._challenge = challenge
            status, _, content = self._post(url, action, envelope, signed=True)
        return _answer(status, content)

    def _security(self) -> str:
        nonce = os.urandom(_NONCE)
        created = f"{self.clock.now() + self.offset:%Y-%m-%dT%H:%M:%S}.000Z"
        digest = hashlib.sha1(nonce + created.encode() + self.password.encode()).digest()  # noqa: S324 - the standard's
        return (
            f'<s:Header><w:Security xmlns:w="{_WSSE}" xmlns:u="{_WSU}" s:mustUnderstand="1">'
            f"<w:UsernameToken><w:Username>{escape(self.username)}</w:Username>"
            f'<w:Password Type="{_TOKEN}#PasswordDigest">{_b64(digest)}</w:Password>'
            f'<w:Nonce EncodingType="{_BASE64}#Base64Binary">{_b64(nonce)}</w:Nonce>'
            f"<u:Created>{created}</u:Created></w:UsernameToken></w:Security></s:Header>"
        )

    def _post(self, url: str, action: str, body: bytes, *, signed: bool) -> tuple[int, str, bytes]:
        opened = self.policy.open_url(url, ("http", "https"), "address")
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {
            "Host": parts.netloc,
            "Content-Type": f'application/soap+xml; charset=utf-8; action="{action}"',
        }
        if signed and self._challenge and self.username:
            headers["Authorization"] = _http_digest(
                self._challenge, self.username, self.password, target
            )
        timeout = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS)
        # To the address that was checked: the name cannot lead elsewhere in between.
        number = str(opened.addresses[0])
        pool: urllib3.HTTPConnectionPool
        if parts.scheme == "https":
            pool = urllib3.HTTPSConnectionPool(
                number, parts.port or 443, timeout=timeout, retries=False,
                server_hostname=parts.hostname, assert_hostname=parts.hostname,
            )  # fmt: skip
        else:
            pool = urllib3.HTTPConnectionPool(
                number, parts.port or 80, timeout=timeout, retries=False
            )
        with pool:
            try:
                answer = pool.urlopen(
                    "POST", target, body=body, headers=headers, redirect=False,
                    preload_content=False, assert_same_host=False,
                )  # fmt: skip
                try:
                    content = _read(answer)
                finally:
                    answer.close()
            except (urllib3.exceptions.HTTPError, OSError):
                raise Unavailable("the device does not answer") from None
        self._note_date(answer.headers.get("Date", ""))
        challenges = answer.headers.getlist("WWW-Authenticate")
        digest = next((one for one in challenges if one.lower().startswith("digest")), "")
        return answer.status, digest, content

    def _note_date(self, text: str) -> None:
        try:
            found = parsedate_to_datetime(text)
        except (TypeError, ValueError):
            return
        self.date = found if found.tzinfo is not None else None


def _read(answer: urllib3.BaseHTTPResponse) -> bytes:
    """The content, whole; a device that trickles it or never ends it is cut off."""
    until = time.monotonic() + _WHOLE_SECONDS
    pieces: list[bytes] = []
    size = 0
    while piece := answer.read1(65536):
        pieces.append(piece)
        size += len(piece)
        if size > SIZE_MAX:
            raise DeviceNonsense("the device answers with too much")
        if time.monotonic() > until:
            raise Unavailable("the device does not answer in time")
    return b"".join(pieces)


def _answer(status: int, content: bytes) -> Element:
    try:
        envelope = parse(content)
    except Malformed as error:
        if status == _UNAUTHORIZED:
            raise DeviceRefused("the device does not take the name and password") from None
        raise DeviceNonsense(
            "the device answers with what is no SOAP", status=status, reason=str(error)
        ) from None
    body = envelope.find("Body")
    fault = body.find("Fault") if body else None
    if fault is not None:
        raise _fault(status, fault)
    if status == _UNAUTHORIZED:
        raise DeviceRefused("the device does not take the name and password")
    if body is None or not body.children:
        raise DeviceNonsense("the device answers with what is no SOAP", status=status)
    return body.children[0]


def _fault(status: int, fault: Element) -> DeviceFault | DeviceRefused:
    """A fault of SOAP 1.2, or of 1.1, which some devices still speak."""
    codes = [one.text.strip() for one in fault.walk() if one.name in {"Value", "faultcode"}]
    reason = fault.value("Reason", "Text") or fault.value("faultstring")
    told = " ".join([*codes, reason]).lower().replace(" ", "")
    if status == _UNAUTHORIZED or any(word in told for word in _REFUSALS):
        return DeviceRefused("the device does not take the name and password")
    subcode = codes[-1] if codes else ""
    text = " ".join(reason.split())[:_TEXT_MAX] or subcode
    return DeviceFault(f"the device refuses: {text}", subcode=subcode)


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


_PAIR = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')


def _http_digest(challenge: str, username: str, password: str, target: str) -> str:
    """The answer to a challenge (RFC 7616), with qop ``auth`` or, as in RFC 2069, without."""
    given = {name.lower(): quoted or plain for name, quoted, plain in _PAIR.findall(challenge[6:])}
    algorithm = given.get("algorithm", "MD5")
    secure = algorithm.upper().startswith("SHA-256")

    def h(text: str) -> str:
        made = hashlib.sha256(text.encode()) if secure else hashlib.md5(text.encode())  # noqa: S324 - the standard's
        return made.hexdigest()

    realm, nonce = given.get("realm", ""), given.get("nonce", "")
    cnonce, count = os.urandom(8).hex(), "00000001"
    first = h(f"{username}:{realm}:{password}")
    if algorithm.lower().endswith("-sess"):
        first = h(f"{first}:{nonce}:{cnonce}")
    second = h(f"POST:{target}")
    with_qop = "auth" in [one.strip() for one in given.get("qop", "").split(",")]
    middle = f"{nonce}:{count}:{cnonce}:auth" if with_qop else nonce
    parts = {
        "username": username, "realm": realm, "nonce": nonce, "uri": target,
        "response": h(f"{first}:{middle}:{second}"),
    }  # fmt: skip
    if "opaque" in given:
        parts["opaque"] = given["opaque"]
    if with_qop or algorithm.lower().endswith("-sess"):
        parts["cnonce"] = cnonce
    quoted = [f'{name}="{value}"' for name, value in parts.items()]
    quoted += [f"algorithm={algorithm}"] if "algorithm" in given else []
    quoted += [f"qop=auth, nc={count}"] if with_qop else []
    return "Digest " + ", ".join(quoted)
