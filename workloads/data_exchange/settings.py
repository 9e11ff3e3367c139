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
    checks_gateway_url: str = setting(
        "",
        "Address at which workers reach the gateway for checks. Empty: GATEWAY_URL, or else "
        "that of the gateway that runs on this machine with the same home.",
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
    receipt_archive: str = setting(
        "", "Folder into which `borough-exchange archive` writes days of receipts."
    )
    receipt_days: int = setting(
        90, "Days of receipts that `borough-exchange archive` leaves in the database; 2 at least."
    )
    licence_status_seconds: int = setting(
        300,
        "How long verifiers may keep a status list of licences: a revocation is seen within it.",
    )
    time_zone: str = setting("Asia/Shanghai", "The city's time zone: when its days begin.")

    transfers: bool = setting(
        True,
        "Whether files are taken for transfer. false where gateways and workers share neither a "
        "folder nor a bucket: transfers are refused and say so.",
    )
    transfer_folder: str = setting(
        "",
        "Folder of the files of batches; one that all gateways and workers share. Empty: one in "
        "the home folder.",
    )
    transfer_reserve: int = setting(
        1_073_741_824, "Bytes of the folder's file system that files of batches leave free."
    )
    transfer_quota: int = setting(
        1_099_511_627_776, "Bytes that the files of one agency may take, all batches together."
    )
    transfer_s3_endpoint: str = setting(
        "", "S3-compatible store for files of batches, https://host[:port]. Empty: the folder."
    )
    transfer_s3_bucket: str = setting("", "The bucket in it, which exists.")
    transfer_s3_region: str = setting("us-east-1", "The store's region, as it is signed.")
    transfer_s3_access_key: str = setting("", "The access key of the store.", secret=True)
    transfer_s3_secret_key: str = setting("", "The secret key of the store.", secret=True)

    provider_networks: str = setting(
        "",
        "Networks (CIDR, separated by commas) in which providers, web-hooks, other catalogues and "
        "connectors may lie. "
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
