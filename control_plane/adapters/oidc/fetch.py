"""Small JSON documents from hosts that an administrator named, without trusting names or servers.

A name may lead into the city's own network (server-side request forgery), answer for ever or
without end, or lead elsewhere between being looked at and being asked. So: the name is resolved
once, every address must be a public one unless the settings name the host, the connection goes to
that very address, redirects are not followed, and size and time are limited.
"""

import functools
import http.client
import ipaddress
import json
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import SplitResult, urlsplit

from foundation.kernel.deadline import Exchange
from foundation.kernel.errors import Unavailable

#: Answers the JSON object at an address, or raises Unavailable.
Fetcher = Callable[[str], dict[str, Any]]

_SECONDS = 5.0
_BYTES = 512 * 1024
_OK = 200
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address behind a translator
_RETRY_AFTER = 30.0


def fetcher(private_hosts: Iterable[str] = (), *, seconds: float = _SECONDS) -> Fetcher:
    """A fetcher.

    Args:
        private_hosts: names of hosts that may lie on private addresses, or on this machine; those
            on this machine may also be asked by http.
        seconds: the longest time for one document.
    """
    trusted = frozenset(host.strip().lower() for host in private_hosts if host.strip())
    # Reading the authorities takes a while: only who asks an issuer pays.
    context = functools.cache(ssl.create_default_context)

    def fetch(url: str) -> dict[str, Any]:
        try:
            return _read(url, trusted, context(), seconds)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _failed(url, str(error) or type(error).__name__) from None

    return fetch


def _failed(url: str, why: str) -> Unavailable:
    return Unavailable(f"{url} cannot be read: {why}", _RETRY_AFTER)


def _read(
    url: str, trusted: frozenset[str], context: ssl.SSLContext, seconds: float
) -> dict[str, Any]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    address, port = _address(parts, host, trusted)
    exchange = Exchange(url, seconds, context)
    headers = {"Accept": "application/json"}
    try:
        with exchange:
            reached = socket.create_connection((address, port), timeout=seconds)
            with exchange.ask(reached, "GET", headers) as answer:
                found = json.loads(_body(answer))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except (OSError, http.client.HTTPException, ValueError):
        if exchange.over:
            raise TimeoutError("it did not answer in time") from None
        raise
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - the document is wrong, not we
    return found


def _address(parts: SplitResult, host: str, trusted: frozenset[str]) -> tuple[str, int]:
    """Where to connect to: an address that was looked at.

    Raises:
        ValueError: it is not one that may be asked.
    """
    if parts.scheme not in {"https", "http"} or not host or parts.username or parts.password:
        raise ValueError("it is no https address")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    if not addresses:
        raise ValueError("the name has no address")
    if parts.scheme == "http" and not (host in trusted and all(a.is_loopback for a in addresses)):
        raise ValueError("it is no https address")
    if host not in trusted and not all(_public(address) for address in addresses):
        raise ValueError("the name leads to an address that is not public")
    return str(addresses[0]), port


def _public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return _public(inner)
    return address.is_global and not address.is_multicast


def _body(answer: http.client.HTTPResponse) -> bytes:
    """All of an answer, as long as it is right and small."""
    if answer.status != _OK:
        raise ValueError(f"status {answer.status}")
    read = answer.read(_BYTES + 1)
    if len(read) > _BYTES:
        raise ValueError(f"it is larger than {_BYTES} bytes")
    return read
