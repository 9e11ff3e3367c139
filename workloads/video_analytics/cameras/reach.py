"""Where what is opened may lead: addresses that cameras may have, and those that one reaches."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: Ports on which no camera answers and much else does: a request to them is an attack.
BANNED = frozenset({22, 23, 25, 110, 143, 465, 587, 993, 995, 5432, 6379, 11211, 27017})


def permits(networks: Sequence[Network], address: Address) -> bool:
    """Whether a camera may lie at an address.

    Args:
        networks: those in which cameras may lie; none for all but this machine, link-local,
            multicast and reserved ones.
        address: the one in question; an IPv4 one inside of an IPv6 one counts as itself.
    """
    plain = _unwrapped(address)
    if networks:
        return any(plain in network for network in networks)
    return not (
        plain.is_loopback or plain.is_link_local or plain.is_multicast
        or plain.is_unspecified or plain.is_reserved
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reach:
    """Where what is opened may lead: redirects, the entries of playlists, a name resolved anew.

    Attributes:
        addresses: of the host that was checked.
        networks: in which cameras may lie, by the settings; none where nothing is set.
        only: nowhere but to the host that was checked.
    """

    addresses: tuple[Address, ...] = ()
    networks: tuple[Network, ...] = ()
    only: bool = False

    def allows(self, address: Address, port: int) -> bool:
        """Whether it may be connected to.

        The checked host may; else what the policy permits. Where no networks are set, a stream
        leads to no private address but its own: it comes from a stranger, and inside of the city
        much trusts whoever can reach it.
        """
        if port in BANNED or not permits(self.networks, address):
            return False
        plain = _unwrapped(address)
        if plain in {_unwrapped(one) for one in self.addresses}:
            return True
        return not self.only and (bool(self.networks) or plain.is_global)

    def plain(self) -> dict[str, object]:
        """As JSON."""
        return {
            "addresses": [str(one) for one in self.addresses],
            "networks": [str(one) for one in self.networks], "only": self.only,
        }  # fmt: skip

    @staticmethod
    def of(plain: Mapping[str, Any]) -> "Reach":
        """From JSON.

        Raises:
            ValueError, KeyError: it is none.
        """
        return Reach(
            tuple(ipaddress.ip_address(one) for one in plain["addresses"]),
            tuple(ipaddress.ip_network(one) for one in plain["networks"]), bool(plain["only"]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Opening:
    """What a decoder is given.

    Attributes:
        url: with credentials; for a file it is the path.
        reach: where it may lead; None for a file, which leads nowhere.
    """

    url: str = field(repr=False)
    reach: Reach | None = None


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
