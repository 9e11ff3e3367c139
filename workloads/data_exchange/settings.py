"""The settings of Borough Exchange; ``borough-exchange config`` prints them with their meaning."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from foundation.kernel import settings as kernel
from foundation.kernel.settings import OrderedSettings, Program, setting

PROGRAM = Program("borough-exchange")


@dataclass(frozen=True, slots=True)
class Settings(OrderedSettings):
    """All settings, typed. Unknown ``BOROUGH_EXCHANGE_`` variables are an error, not a typo."""

    home: Path = setting(
        PROGRAM.home(), "Folder of its own files: embedded database, keys, run files."
    )
    port: int = setting(8091, "Port on which `borough-exchange serve` listens; 0 takes a free one.")
    gateway_port: int = setting(
        8092, "Port on which `borough-exchange gateway` listens; 0 takes a free one."
    )
    registries: str = setting(
        "", "Base address of registries that checks ask directly; empty: none are."
    )
    gateway_url: str = setting(
        "",
        "Address of the gateway as consumers write and sign it, https://… without a slash at the "
        "end. Empty: http and the Host of each request; set it behind TLS.",
    )
    gateway_workers: int = setting(1, "Processes of the gateway that share its port.")
    gateway_peer_connections: int = setting(
        200, "Connections that one address may hold open; as many as all behind a balancer."
    )
    local_providers: bool = setting(
        False, "Let providers lie on this machine (for demonstrations). Never in production."
    )
    time_zone: str = setting("Asia/Shanghai", "The city's time zone: when its days begin.")

    provider_networks: str = setting(
        "",
        "Networks (CIDR, separated by commas) in which providers and other catalogues may lie. "
        "Empty: all but this machine, link-local, multicast and reserved ones.",
    )
    participant: str = setting(
        "", "Our identifier in the dataspace. Empty: urn:borough:exchange: and our host."
    )


def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process.

    Raises:
        Invalid: a value of the wrong type or an unknown variable; names all of them.
    """
    return kernel.read(Settings, PROGRAM, environment)
