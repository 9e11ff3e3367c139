"""Which addresses a repository may have: no way from a source into the platform's own network."""

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from control_plane.provisioning.registry.ports import SourceError
from foundation.kernel.errors import Invalid, Problem

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve: TypeAlias = Callable[[str, int], Sequence[str]]

_LONGEST = 500
_PORTS = {"https": 443, "http": 80}
#: Ways to write an IPv4 address as an IPv6 one that is "global" whatever stands in it.
_WRAPPED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("2002::/16"))


@dataclass(frozen=True, slots=True)
class Reach:
    """Where repositories may be, beyond public addresses under https.

    Attributes:
        networks: private addresses that may be asked, there by http too.
        folders: in and below which repositories on this machine may be read.
    """

    networks: tuple[Network, ...] = ()
    folders: tuple[Path, ...] = ()

    @staticmethod
    def of(networks: str, folders: str) -> "Reach":
        """As the settings write it: networks by commas, folders by colons.

        Raises:
            Invalid: names every part that is not a network or an absolute folder.
        """
        problems, nets, paths = [], [], []
        for part in filter(None, map(str.strip, networks.split(","))):
            try:
                nets.append(ipaddress.ip_network(part))
            except ValueError:
                problems.append(Problem("source_networks", f"{part} is not a network"))
        for part in filter(None, map(str.strip, folders.split(":"))):
            if Path(part).is_absolute():
                paths.append(Path(part).resolve())
            else:
                problems.append(Problem("source_folders", f"{part} is not an absolute path"))
        if problems:
            raise Invalid(problems)
        return Reach(tuple(nets), tuple(paths))


@dataclass(frozen=True, slots=True)
class Target:
    """A checked address.

    Attributes:
        pinned: ``host:port:address``, so that git asks the address that was checked and no other
            (a name may point elsewhere a moment later); empty for a folder.
    """

    url: str
    protocol: str
    pinned: str = ""


def check_url(url: str) -> None:
    """Refuse what can never be a repository's address; asks nobody.

    Raises:
        Invalid: says why.
    """
    problem = _url_problem(url)
    if problem:
        raise Invalid([Problem("url", problem)])


def _url_problem(url: str) -> str:
    if not url or len(url) > _LONGEST or not url.isprintable() or " " in url or "\\" in url:
        return f"must be an address of at most {_LONGEST} characters without spaces"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "is not an address"
    if parts.scheme not in {"https", "http", "file"}:
        return "must begin with https:// (or http:// or file:// where the settings allow it)"
    return _part_problem(parts)


def _part_problem(parts: SplitResult) -> str:
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        return "must hold no user or password: give them beside it"
    if parts.query or parts.fragment:
        return "must hold no query and no fragment"
    if parts.scheme == "file":
        plain = not parts.netloc and parts.path.startswith("/") and ".." not in parts.path
        return "" if plain else "must be file:/// and an absolute path"
    return "" if parts.hostname else "names no host"


def target(url: str, reach: Reach, resolve: Resolve | None = None) -> Target:
    """The address as it may be asked now.

    Args:
        url: that ``check_url`` passed.
        reach: what the settings allow.
        resolve: answers the addresses of a host and port.

    Raises:
        SourceError: it leads where the settings do not allow, or to nowhere.
    """
    check_url(url)
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Target(url, "file", _folder(parts.path, reach))
    host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
    addresses = [ipaddress.ip_address(a) for a in (resolve or _resolve)(host, port)]
    if not addresses:
        raise SourceError(f"the host {host} has no address")
    inside = [a for a in addresses if not _public(a)]
    strange = [a for a in inside if not _within(a, reach.networks)]
    if strange:
        raise SourceError(
            f"{host} is {strange[0]}, which is not a public address; the setting source_networks "
            "does not allow it"
        )
    if parts.scheme == "http" and not all(_within(a, reach.networks) for a in addresses):
        raise SourceError("http is only taken in the networks of the setting source_networks")
    listed = ",".join(f"[{a}]" if a.version == 6 else str(a) for a in addresses)  # noqa: PLR2004
    return Target(url, parts.scheme, f"{host}:{port}:{listed}")


def _folder(path: str, reach: Reach) -> str:
    real = Path(path).resolve()
    if not any(real.is_relative_to(folder) for folder in reach.folders):
        raise SourceError(f"{path} is not below a folder of the setting source_folders")
    return ""


def _public(address: Address) -> bool:
    plain = getattr(address, "ipv4_mapped", None) or address
    if _within(plain, _WRAPPED):
        return False
    return bool(plain.is_global and not plain.is_multicast)


def _within(address: Address, networks: Iterable[Network]) -> bool:
    plain = getattr(address, "ipv4_mapped", None) or address
    return any(plain.version == net.version and plain in net for net in networks)


def _resolve(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise SourceError(f"the host {host} is not known") from None
    # A zone (fe80::1%eth0) is for link-local addresses, which are refused in any case.
    return sorted({str(entry[4][0]).partition("%")[0] for entry in found})
