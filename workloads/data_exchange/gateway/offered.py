"""Makes of what the directory offers how a provider is asked, credentials and all."""

from workloads.data_exchange.directory.offers import Offers
from workloads.data_exchange.gateway.model import Provider

_SCHEMES = {"http", "https"}


class OfferedServices:
    """The providers behind the services of the directory."""

    def __init__(self, directory: Offers) -> None:
        self._directory = directory

    def provider(self, service: str) -> Provider | None:
        """How the interface behind a service is asked; None when it is not offered here (now).

        Raises:
            SecretError: its credentials do not open.
        """
        found = self._directory.find(service)
        if found is None or found.harvested or not found.state.shown or found.interface is None:
            return None
        interface = found.interface
        if interface.endpoint.partition("://")[0] not in _SCHEMES:
            return None
        known = self._directory.credentials(service)
        headers = {name.lower(): value for name, value in known.headers().items()} if known else {}
        return Provider(
            service, interface.endpoint, interface.methods, interface.paths, headers,
            interface.records, interface.protocol.video, interface.connect_seconds,
            interface.read_seconds, interface.cache_seconds, interface.repeatable,
        )  # fmt: skip
