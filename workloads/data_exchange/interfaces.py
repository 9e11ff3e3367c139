"""How providers are asked, as the gateway wants it and the directory has it; of the wiring."""

import base64

from workloads.data_exchange.directory.interface import AuthenticationKind, Credentials
from workloads.data_exchange.directory.offers import Offers
from workloads.data_exchange.gateway.model import Provider


class Interfaces:
    """The gateway's services, on the directory.

    Args:
        offers: of the directory.
    """

    def __init__(self, offers: Offers) -> None:
        self._offers = offers

    def provider(self, service: str) -> Provider | None:
        """How the provider behind a service is asked; None while it is not offered.

        Raises:
            SecretError: its credentials do not open.
        """
        way = self._offers.find(service)
        if way is None or way.interface is None or not way.state.shown or way.harvested:
            return None
        known, headers = self._offers.credentials(service), {}
        if known is not None:
            headers = headers_of(known)
        to = way.interface
        return Provider(
            service, to.endpoint, to.methods, to.paths, headers, to.records, to.protocol.video,
            to.connect_seconds, to.read_seconds, to.cache_seconds, to.repeatable,
        )  # fmt: skip


def headers_of(known: Credentials) -> dict[str, str]:
    """With which headers a provider is shown who asks (RFC 7617, RFC 6750)."""
    how = known.authentication
    if how.kind is AuthenticationKind.BASIC:
        both = f"{how.username}:{known.secret}".encode()
        return {"authorization": f"Basic {base64.b64encode(both).decode()}"}
    if how.kind is AuthenticationKind.BEARER:
        return {"authorization": f"Bearer {known.secret}"}
    if how.kind is AuthenticationKind.HEADER:
        return {how.header.lower(): known.secret}
    return {}
