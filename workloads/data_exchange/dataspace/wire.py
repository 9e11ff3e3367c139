"""Asking another connector, and sending it messages, without trusting its name or its server.

The address is resolved once, looked at, and the connection goes to that very number; redirects are
not followed, nothing compressed is taken, time and bytes are limited as a whole.
"""

import http.client
import socket
from urllib.parse import urlsplit

from foundation.kernel.addresses import NetworkPolicy
from foundation.kernel.deadline import Exchange
from foundation.kernel.errors import Unavailable
from workloads.data_exchange.dataspace.ports import Answered

SECONDS = 20.0
_BYTES = 64 * 1024


class HttpWire:
    """Sends by HTTPS; also by HTTP where the networks of others are named in the settings.

    Args:
        policy: which addresses may be asked.
        seconds: the longest time for one answer.
    """

    def __init__(self, policy: NetworkPolicy, *, seconds: float = SECONDS) -> None:
        self._policy = policy
        self._seconds = seconds
        self._schemes = ("https", "http") if policy.networks else ("https",)

    def check(self, address: str, field: str) -> None:
        """Whether messages may be sent to an address.

        Raises:
            Invalid: they may not.
        """
        self._policy.check_url(address, self._schemes, field)

    def post(self, url: str, body: bytes, token: str) -> Answered:
        """Send one.

        Raises:
            Unavailable: it cannot be reached at present.
            Invalid: it may not be asked.
        """
        return self.ask("POST", url, body, token)

    def ask(
        self, method: str, url: str, body: bytes | None = None, token: str = "", *,
        most: int = _BYTES, seconds: float = SECONDS,
    ) -> Answered:  # fmt: skip
        """Ask for something; with no token nobody is told who we are.

        Args:
            method: ``POST`` with a body, or ``GET``.
            url: where.
            body: what is sent.
            token: with which we show who we are.
            most: how many bytes of the answer are read.
            seconds: the longest time for it, where that is less than for any answer.

        Raises:
            Unavailable: it cannot be reached at present, or did not answer in time.
            Invalid: it may not be asked.
        """
        seconds = min(seconds, self._seconds)
        opened = self._policy.open_url(url, self._schemes, "address")
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        exchange = Exchange(url, seconds)
        try:
            with exchange:
                reached = _reached([str(one) for one in opened.addresses], port, seconds)
                with exchange.ask(reached, method, _headers(token, body), body) as answer:
                    found = Answered(answer.status, answer.read(most), _told(answer))
        except (OSError, http.client.HTTPException, ValueError) as error:
            if exchange.over:
                raise Unavailable("it did not answer in time") from None
            raise Unavailable(f"it cannot be reached ({type(error).__name__})") from None
        if exchange.over:
            raise Unavailable("it did not answer in time")
        return found


def _reached(addresses: list[str], port: int, seconds: float) -> socket.socket:
    """A connection to the first of a host's addresses that answers."""
    failed: OSError = OSError("no address")
    for one in addresses[:4]:
        try:
            return socket.create_connection((one, port), min(seconds, 5.0))
        except OSError as error:
            failed = error
    raise failed


def _headers(token: str, body: bytes | None) -> dict[str, str]:
    headers = {
        "Accept": "application/json", "Accept-Encoding": "identity",
        "User-Agent": "borough-exchange", "Connection": "close",
    }  # fmt: skip
    if body is not None:
        headers["Content-Type"] = "application/json"
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _told(answer: http.client.HTTPResponse) -> dict[str, str]:
    """Of its headers those that are looked at, by their names in small letters."""
    return {
        name: answer.getheader(name, "")
        for name in ("content-type", "content-encoding", "link")
    }  # fmt: skip
