"""Where what is opened may lead: addresses that cameras may have, and those that one reaches."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from foundation.kernel.addresses import BANNED, Address, Network, permits, unwrapped


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
        plain = unwrapped(address)
        if plain in {unwrapped(one) for one in self.addresses}:
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
