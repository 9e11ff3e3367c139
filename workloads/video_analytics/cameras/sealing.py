"""A source's full address and its credentials, sealed in one piece."""

import json
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from foundation.kernel.addresses import joined, pinned, separate, shown
from workloads.video_analytics.cameras.addresses import AddressPolicy
from workloads.video_analytics.cameras.model import Source, SourceKind
from workloads.video_analytics.cameras.ports import Vault


@dataclass(frozen=True, slots=True)
class Access:
    """Where a source is and what it asks for; never shown, never logged.

    Attributes:
        url: without credentials.
    """

    kind: SourceKind
    url: str = field(repr=False)
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @staticmethod
    def of(kind: SourceKind, url: str, username: str = "", password: str = "") -> "Access":
        """Credentials in the address count when no others are given.

        Raises:
            ValueError: it is no address at all.
        """
        if kind is SourceKind.FILE:
            return Access(kind, url)
        plain, name, secret = separate(url)
        if username or password:
            name, secret = username, password
        return Access(kind, plain, name, secret)

    @property
    def has_credentials(self) -> bool:
        """Whether there is a name or a password."""
        return bool(self.username or self.password)

    @property
    def source(self) -> Source:
        """As it may be shown."""
        return Source(self.kind, self.url if self.kind is SourceKind.FILE else shown(self.url))

    @property
    def origin(self) -> tuple[str, str]:
        """Whom the credentials are told: scheme and host with port."""
        parts = urlsplit(self.url)
        return parts.scheme, parts.netloc

    def seal(self, vault: Vault, camera_id: str) -> str:
        """For the store."""
        plain = json.dumps([self.url, self.username, self.password]).encode()
        return vault.seal(plain, _context(camera_id))


def opened(vault: Vault, camera_id: str, kind: SourceKind, sealed: str) -> Access:
    """What was sealed.

    Raises:
        SecretError: the key is not in the ring any more, or the value is damaged.
    """
    url, username, password = json.loads(vault.open(sealed, _context(camera_id)))
    return Access(kind, url, username, password)


def opened_url(policy: AddressPolicy, access: Access) -> str:
    """The address for a decoder.

    Over RTSP the host's number stands in place of its name: it cannot lead elsewhere between the
    check and the connection. HTTP keeps the name, which servers and certificates need.

    Raises:
        Invalid: the address may not be used (any more).
        Unavailable: its name cannot be resolved at present.
    """
    found = policy.open(access.kind, access.url)
    if access.kind is SourceKind.FILE:
        return found.url
    url = joined(access.url, access.username, access.password)
    return pinned(url, found.addresses[0]) if access.kind is SourceKind.RTSP else url


def _context(camera_id: str) -> str:
    return f"video_camera:{camera_id}"
