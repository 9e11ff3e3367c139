"""Finding devices: WS-Discovery (April 2005) over UDP, as ONVIF Core Specification 7 has it.

A probe goes to the multicast group of each configured interface, or to one address. Both types are
asked for that devices in the field answer to. What comes back is read without trust: an address
that may not be opened is not shown.
"""

import contextlib
import re
import select
import socket
import time
import uuid
from collections.abc import Iterable, Sequence
from urllib.parse import unquote, urlsplit

from foundation.kernel.addresses import separate
from foundation.kernel.errors import Collector, Invalid, Unavailable
from workloads.video_analytics.cameras.addresses import AddressPolicy
from workloads.video_analytics.cameras.onvif.model import Found
from workloads.video_analytics.cameras.onvif.xml import Element, Malformed, parse

GROUP, PORT = "239.255.255.250", 3702
_SECONDS = 3.0
_ANSWERS_MAX = 1000
_TEXT_MAX = 200
_SCOPES_MAX = 50
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}", re.ASCII)
_TYPES = (
    ("dn:NetworkVideoTransmitter", 'xmlns:dn="http://www.onvif.org/ver10/network/wsdl"'),
    ("tds:Device", 'xmlns:tds="http://www.onvif.org/ver10/device/wsdl"'),
)


class Discovery:
    """Sends probes.

    Args:
        policy: which addresses may be opened.
        interfaces: IPv4 addresses of this machine's interfaces to probe on; none for no multicast.
        port: of devices.
        seconds: how long answers are waited for.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        interfaces: Sequence[str] = (),
        *,
        port: int = PORT,
        seconds: float = _SECONDS,
    ) -> None:
        self._policy = policy
        self._interfaces = interfaces
        self._port = port
        self._seconds = seconds

    def probe(self, host: str = "") -> list[Found]:
        """The devices that answer, by address.

        Args:
            host: ask this one alone; empty asks everybody on the configured interfaces.

        Raises:
            Invalid: the host may not be asked, or no interface is configured.
            Unavailable: the network does not take the probe.
        """
        if host:
            found = Collector()
            found.check(_HOST.fullmatch(host), "host", "must be a name or an address")
            found.finish()
            opened = self._policy.open_url(f"http://{host}/", ("http",), "host")
            return self._asked([(None, str(opened.addresses[0]))])
        found = Collector()
        rule = "is required: no interface is configured to ask everybody on"
        found.check(self._interfaces, "host", rule, "required")
        found.finish()
        return self._asked([(interface, GROUP) for interface in self._interfaces])

    def _asked(self, targets: Iterable[tuple[str | None, str]]) -> list[Found]:
        devices: dict[str, Found] = {}
        with contextlib.ExitStack() as stack:
            sockets = [self._send(stack, interface, target) for interface, target in targets]
            for content in _answers(sockets, self._seconds):
                for one in self._read(content):
                    devices.setdefault(one.endpoint or one.address, one)
        return sorted(devices.values(), key=lambda one: one.address)

    def _send(
        self, stack: contextlib.ExitStack, interface: str | None, target: str
    ) -> socket.socket:
        family = socket.AF_INET6 if ":" in target else socket.AF_INET
        made = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        made.setblocking(False)
        try:
            if interface is not None:
                made.setsockopt(
                    socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface)
                )
                made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            for name, space in _TYPES:
                made.sendto(_probe(name, space), (target, self._port))
        except OSError:
            raise Unavailable("the network does not take the probe") from None
        return made

    def _read(self, content: bytes) -> list[Found]:
        try:
            envelope = parse(content)
        except Malformed:
            return []  # anybody may send anything here
        matches = envelope.find("Body", "ProbeMatches")
        return [
            one
            for match in (matches.all("ProbeMatch") if matches else ())
            if (one := self._found(match)) is not None
        ]

    def _found(self, match: Element) -> Found | None:
        scopes = match.value("Scopes").split()[:_SCOPES_MAX]
        for told in match.value("XAddrs").split():
            address = separate(told)[0]
            try:
                host, _ = self._policy.check_url(address, ("http", "https"), "address")
            except (Invalid, ValueError):
                continue
            return Found(
                address,
                match.value("EndpointReference", "Address")[:_TEXT_MAX],
                _scope(scopes, "name") or host,
                _scope(scopes, "hardware"),
                _scope(scopes, "location"),
                tuple(one[:_TEXT_MAX] for one in scopes),
            )
        return None


def _answers(sockets: Sequence[socket.socket], seconds: float) -> Iterable[bytes]:
    until, count = time.monotonic() + seconds, 0
    while count < _ANSWERS_MAX and (left := until - time.monotonic()) > 0:
        ready, _, _ = select.select(sockets, [], [], left)
        for one in ready:
            # A port that nobody listens on is told of here, by ICMP.
            with contextlib.suppress(OSError):
                count += 1
                yield one.recv(65536)


def _probe(name: str, space: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
        ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
        f' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" {space}><s:Header>'
        "<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>"
        f"<a:MessageID>urn:uuid:{uuid.uuid4()}</a:MessageID><a:ReplyTo><a:Address>"
        "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>"
        "<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header>"
        f"<s:Body><d:Probe><d:Types>{name}</d:Types></d:Probe></s:Body></s:Envelope>"
    ).encode()


def _scope(scopes: Sequence[str], name: str) -> str:
    """What a scope says, such as ``onvif://www.onvif.org/name/Gate%201``."""
    for one in scopes:
        parts = urlsplit(one)
        path = parts.path.strip("/").split("/", 1)
        if parts.scheme == "onvif" and len(path) > 1 and path[0].lower() == name:
            return unquote(path[1]).replace("_", " ")[:_TEXT_MAX]
    return ""
