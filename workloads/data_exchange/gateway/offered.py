"""Makes of what the directory offers how a provider is asked, credentials and all."""

import base64
from typing import Protocol

from workloads.data_exchange.gateway.model import Provider


class Authentication(Protocol):
    """How a provider is shown who asks."""

    @property
    def kind(self) -> str:
        """``none``, ``basic``, ``bearer`` or ``header``."""
        ...

    @property
    def username(self) -> str: ...

    @property
    def header(self) -> str: ...


class Credentials(Protocol):
    """With what a provider is asked."""

    @property
    def authentication(self) -> Authentication: ...

    @property
    def secret(self) -> str: ...


class Speaks(Protocol):
    """What an interface speaks."""

    @property
    def video(self) -> bool:
        """Whether it gives pictures rather than records."""
        ...


class Interface(Protocol):
    """How a service is called."""

    @property
    def endpoint(self) -> str: ...

    @property
    def protocol(self) -> Speaks: ...

    @property
    def methods(self) -> tuple[str, ...]: ...

    @property
    def paths(self) -> tuple[str, ...]: ...

    @property
    def records(self) -> str: ...

    @property
    def connect_seconds(self) -> float: ...

    @property
    def read_seconds(self) -> float: ...

    @property
    def cache_seconds(self) -> int: ...

    @property
    def repeatable(self) -> bool: ...


class Shown(Protocol):
    """Where an entry stands in its life."""

    @property
    def shown(self) -> bool:
        """Whether it is offered now."""
        ...


class Offered(Protocol):
    """A service of the directory."""

    @property
    def state(self) -> Shown: ...

    @property
    def harvested(self) -> bool: ...

    @property
    def interface(self) -> Interface | None: ...


class Directory(Protocol):
    """The directory, for those who hand out what it offers."""

    def find(self, entry_id: str) -> Offered | None: ...

    def credentials(self, service_id: str) -> Credentials | None: ...


class OfferedServices:
    """The providers behind the services of the directory."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def provider(self, service: str) -> Provider | None:
        """How the interface behind a service is asked; None when it is not offered here (now)."""
        found = self._directory.find(service)
        if found is None or found.harvested or not found.state.shown or found.interface is None:
            return None
        interface = found.interface
        if interface.endpoint.partition("://")[0] not in {"http", "https"}:
            return None
        return Provider(
            service, interface.endpoint, interface.methods, interface.paths,
            headers_of(self._directory.credentials(service)), interface.records,
            interface.protocol.video, interface.connect_seconds, interface.read_seconds,
            interface.cache_seconds, interface.repeatable,
        )  # fmt: skip


def headers_of(credentials: Credentials | None) -> dict[str, str]:
    """The headers that show a provider who asks (RFC 7617, RFC 6750)."""
    if credentials is None:
        return {}
    way, secret = credentials.authentication, credentials.secret
    kind = str(way.kind)
    if kind == "basic":
        pair = base64.b64encode(f"{way.username}:{secret}".encode()).decode()
        return {"authorization": f"Basic {pair}"}
    if kind == "bearer":
        return {"authorization": f"Bearer {secret}"}
    return {way.header.lower(): secret} if kind == "header" else {}
