"""Where sources and devices may lie: a service that opens any address is a way into the city.

An address that people type is opened by our machines, so it must not reach what only our machines
can reach: themselves, link-local services (a cloud's metadata), multicast. What a name resolves to
counts, not how it is written. When an address is kept, numbers are looked at and names are not (a
name server that is away must not stop people); each time before it is opened, both are.
"""

import ipaddress
import os
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from foundation.kernel.errors import Collector, Invalid, Problem, Unavailable
from workloads.video_analytics.cameras.model import SourceKind
from workloads.video_analytics.cameras.reach import BANNED, Address, Network, permits

SCHEMES = {
    SourceKind.RTSP: ("rtsp",),
    SourceKind.MJPEG: ("http", "https"),
    SourceKind.HLS: ("http", "https"),
    SourceKind.FILE: ("file",),
}
_PORTS = {"rtsp": 554, "http": 80, "https": 443}
_LONGEST = 2000
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
        addresses: what its host resolves to; none for a file.
    """

    url: str
    addresses: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Which addresses may be opened.

    Attributes:
        networks: those in which cameras may lie; none for all but this machine, link-local,
            multicast and reserved ones.
        folders: below which files may lie; none for no files at all.
        resolver: answers the addresses of a host name and port.
    """

    networks: tuple[Network, ...] = ()
    folders: tuple[Path, ...] = ()
    resolver: Callable[[str, int], Sequence[Address]] = field(default=resolve)

    @staticmethod
    def of(networks: str, folders: str) -> "AddressPolicy":
        """A policy of settings: networks (CIDR) and folders, each separated by commas.

        Raises:
            Invalid: names the setting that is wrong.
        """
        found = Collector()
        nets: list[Network] = []
        for text in _parts(networks):
            try:
                nets.append(ipaddress.ip_network(text))
            except ValueError:
                found.check(False, "camera_networks", f"{text} is not a network such as 10.0.0.0/8")
        paths = [Path(text) for text in _parts(folders)]
        for path in paths:
            found.check(path.is_absolute(), "camera_folders", f"{path} is not an absolute path")
        found.finish()
        return AddressPolicy(tuple(nets), tuple(paths))

    def permits(self, address: Address) -> bool:
        """Whether a camera may lie at the address."""
        return permits(self.networks, address)

    def check_kept(self, kind: SourceKind, url: str, name: str = "source.url") -> None:
        """Whether a source may be kept; names are not resolved.

        Args:
            kind: of the source.
            url: of the network, or of a file its path or a ``file:`` address.
            name: of the field, for problems.

        Raises:
            Invalid: it may not, or is no address of this kind.
        """
        if kind is SourceKind.FILE:
            self._file(url, name)
        else:
            self.check_url(url, SCHEMES[kind], name)

    def check_url(self, url: str, schemes: Sequence[str], name: str) -> tuple[str, int]:
        """Whether an address of the network may be kept; answers its host and port.

        Raises:
            Invalid: it may not, or has none of these schemes.
        """
        parts = _split(url, name)
        if parts.scheme not in schemes:
            raise _wrong(name, f"must begin with {' or '.join(f'{one}://' for one in schemes)}")
        host = parts.hostname or ""
        port = parts.port or _PORTS[parts.scheme]
        if not host:
            raise _wrong(name, "names no host")
        if port in BANNED:
            raise _wrong(name, "names a port on which no camera answers")
        number = _number(host)
        if number is not None:
            self._require([number], name)
        elif _OWN_NAMES.fullmatch(host):
            self._require([ipaddress.IPv4Address("127.0.0.1")], name)
        return host, port

    def open(self, kind: SourceKind, url: str, name: str = "source.url") -> Opened:
        """A source about to be opened; what its name resolves to now is looked at.

        Raises:
            Invalid: it may not be opened.
            Unavailable: its name cannot be resolved at present.
        """
        if kind is SourceKind.FILE:
            return Opened(str(self._file(url, name)))
        return self.open_url(url, SCHEMES[kind], name)

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
            raise _wrong(name, "leads to a network in which cameras may not lie", "forbidden")

    def _file(self, url: str, name: str) -> Path:
        path = _file_path(url, name)
        # strict: what a link points to counts, and a file that is not there has no folder.
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            real = None
        inside = real is not None and any(
            real.is_relative_to(folder.resolve()) for folder in self.folders
        )
        # One answer for all: who types paths does not learn what else this machine has.
        if real is None or not inside or not real.is_file() or not os.access(real, os.R_OK):
            raise _wrong(name, "is not a file below a folder in which camera files may lie")
        return real


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


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _wrong(name: str, message: str, code: str = "invalid") -> Invalid:
    return Invalid([Problem(name, message, code)])


def _split(url: str, name: str) -> SplitResult:
    if not url.strip():
        raise _wrong(name, "is required", "required")
    if len(url) > _LONGEST:
        raise _wrong(name, f"must be at most {_LONGEST} characters")
    if any(ord(c) <= ord(" ") or ord(c) == 0x7F for c in url) or "\\" in url:  # noqa: PLR2004 - DEL
        raise _wrong(name, "holds a blank or a character that no address has")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise _wrong(name, "is not an address") from None
    return parts


def _file_path(url: str, name: str) -> Path:
    text = url
    if not text.strip():
        raise _wrong(name, "is required", "required")
    if "\0" in text or len(text) > _LONGEST:
        raise _wrong(name, "is not a path")
    if text.startswith("file:"):
        parts = urlsplit(text)
        if parts.netloc not in {"", "localhost"}:
            raise _wrong(name, "names another machine")
        text = unquote(parts.path)
    path = Path(text)
    if not path.is_absolute():
        raise _wrong(name, "must be an absolute path")
    return path


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
