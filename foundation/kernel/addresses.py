"""Where addresses that people type may lead: who opens any address is a way into the city.

An address that people type is opened by our machines, so it must not reach what only our machines
can reach: themselves, link-local services (a cloud's metadata), multicast. What a name resolves to
counts, not how it is written. When an address is kept, numbers are looked at and names are not (a
name server that is away must not stop people); each time before it is opened, both are, and the
connection then goes to the very address that was looked at (``pinned``).
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from foundation.kernel.errors import Collector, Invalid, Problem, Unavailable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PORTS = {"rtsp": 554, "http": 80, "https": 443}
LONGEST = 2000
#: Ports on which much else answers: a request to them is an attack.
_BANNED = frozenset({22, 23, 25, 110, 143, 465, 587, 993, 995, 5432, 6379, 11211, 27017})
#: In queries and, with some vendors, in paths: ``user=admin&password=…``.
_SECRET = re.compile(
    r"(?i)((?:user(?:name)?|usr|login|account|pass(?:word|wd)?|pwd|psw|token|secret|auth|key|sign"
    r"|signature|sig|credential)s?=)[^&/;,?#]+"
)
_HIDDEN = "…"
_OWN_NAMES = re.compile(r"(?i)(.+\.)?localhost\.?")


def resolve(host: str, port: int) -> Sequence[Address]:
    """All addresses of a host name.

    Raises:
        Unavailable: it cannot be resolved at present.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unavailable(f"the name {host} cannot be resolved", host=host) from None
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


@dataclass(frozen=True, slots=True)
class Opened:
    """An address that may be opened.

    Attributes:
        url: as it was given, with credentials in it if it had any.
        addresses: what its host resolves to; none for what is no address of a network.
    """

    url: str
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """Which addresses of networks may be opened.

    Attributes:
        networks: those in which they may lie; none for all but this machine, link-local, multicast
            and reserved ones.
        resolver: answers the addresses of a host name and port.
    """

    networks: tuple[Network, ...] = ()
    resolver: Callable[[str, int], Sequence[Address]] = field(default=resolve)

    def permits(self, address: Address) -> bool:
        """Whether a camera may lie at the address."""
        plain = _unwrapped(address)
        if self.networks:
            return any(plain in network for network in self.networks)
        return not (
            plain.is_loopback or plain.is_link_local or plain.is_multicast
            or plain.is_unspecified or plain.is_reserved
        )  # fmt: skip

    def check_url(self, url: str, schemes: Sequence[str], name: str) -> tuple[str, int]:
        """Whether an address of the network may be kept; answers its host and port.

        Raises:
            Invalid: it may not, or has none of these schemes.
        """
        parts = _split(url, name)
        if parts.scheme not in schemes:
            raise wrong(name, f"must begin with {' or '.join(f'{one}://' for one in schemes)}")
        host = parts.hostname or ""
        port = parts.port or _PORTS[parts.scheme]
        if not host:
            raise wrong(name, "names no host")
        if port in _BANNED:
            raise wrong(name, "names a port on which no such service answers")
        number = _number(host)
        if number is not None:
            self._require([number], name)
        elif _OWN_NAMES.fullmatch(host):
            self._require([ipaddress.IPv4Address("127.0.0.1")], name)
        return host, port

    def open_url(self, url: str, schemes: Sequence[str], name: str) -> Opened:
        """An address of the network about to be opened.

        Raises:
            Invalid: it may not be opened.
            Unavailable: its name cannot be resolved at present.
        """
        host, port = self.check_url(url, schemes, name)
        addresses = tuple(self.resolver(host, port))
        self._require(addresses, name)
        return Opened(url, addresses)

    def _require(self, addresses: Sequence[Address], name: str) -> None:
        if not addresses or not all(self.permits(one) for one in addresses):
            raise wrong(name, "leads to a network to which no address may lead", "forbidden")


def networks_of(text: str, setting: str) -> tuple[Network, ...]:
    """The networks (CIDR) of a setting, separated by commas.

    Raises:
        Invalid: names the setting when a part is none.
    """
    found, nets = Collector(), []
    for part in parts_of(text):
        try:
            nets.append(ipaddress.ip_network(part))
        except ValueError:
            found.check(False, setting, f"{part} is not a network such as 10.0.0.0/8")
    found.finish()
    return tuple(nets)


def _number(host: str) -> Address | None:
    """The address that a host is written as; IPv4 in all the forms that resolvers take (127.1)."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host)) if host[:1].isdigit() else None
    except (OSError, UnicodeError):
        return None


def parts_of(text: str) -> list[str]:
    """The parts of a setting that commas separate."""
    return [part.strip() for part in text.split(",") if part.strip()]


def wrong(name: str, message: str, code: str = "invalid") -> Invalid:
    """An error about one field."""
    return Invalid([Problem(name, message, code)])


def _unwrapped(address: Address) -> Address:
    """The IPv4 address inside of an IPv6 one (mapped, 6to4, NAT64, Teredo), else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour or address
    if address.teredo:
        return address.teredo[1]
    if address in _NAT64 or address in _COMPATIBLE:
        low = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address if int(low) <= 1 else low
    return address


_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")


def _split(url: str, name: str) -> SplitResult:
    if not url.strip():
        raise wrong(name, "is required", "required")
    if len(url) > LONGEST:
        raise wrong(name, f"must be at most {LONGEST} characters")
    if any(ord(c) <= ord(" ") or ord(c) == 0x7F for c in url) or "\\" in url:  # noqa: PLR2004 - DEL
        raise wrong(name, "holds a blank or a character that no address has")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise wrong(name, "is not an address") from None
    return parts


def separate(url: str) -> tuple[str, str, str]:
    """An address without its credentials, and those: (url, name, password)."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url, "", ""
    given, _, host = parts.netloc.rpartition("@")
    name, _, password = given.partition(":")
    return urlunsplit(parts._replace(netloc=host)), unquote(name), unquote(password)


def joined(url: str, name: str, password: str) -> str:
    """An address with credentials in it, as decoders take them."""
    if not name and not password:
        return url
    parts = urlsplit(url)
    given = f"{quote(name, safe='')}:{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{given}@{parts.netloc}"))


def pinned(url: str, address: Address) -> str:
    """An address with the host's number in place of its name, so that it cannot lead elsewhere."""
    parts = urlsplit(url)
    host = f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - IPv6
    given, at, _ = parts.netloc.rpartition("@")
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=f"{given}{at}{host}{port}"))


def shown(url: str) -> str:
    """An address as people may see it: no credentials, and no values that look like secrets."""
    return _SECRET.sub(rf"\1{_HIDDEN}", separate(url)[0])
