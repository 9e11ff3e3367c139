"""Asking another platform, without trusting names or servers.

A name may lead into the city's own machines, answer for ever, or lead elsewhere between being
looked at and being asked. So each address, the first and those of redirects, is resolved once and
looked at; the connection goes to that very number; time and bytes are limited as a whole; nothing
compressed is taken, for it may grow without end.
"""

import http.client
import socket
import time
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

from foundation.kernel.addresses import NetworkPolicy
from foundation.kernel.deadline import Exchange
from foundation.kernel.errors import Invalid, Unavailable
from workloads.data_exchange.harvesting.links import relations
from workloads.data_exchange.harvesting.model import Validators
from workloads.data_exchange.harvesting.ports import Fetched, Refused

SECONDS = 60.0
BYTES = 32 * 1024 * 1024
_REDIRECTS = 3
_CHUNK = 256 * 1024
_MOVED = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({429, 500, 502, 503, 504})
_TAKEN = frozenset({200, 304, 404, 410})


class HttpFetcher:
    """Asks by HTTP.

    Args:
        policy: which addresses may be asked.
        seconds: the longest time for one answer, redirects and all.
        size: the largest answer.
    """

    def __init__(
        self, policy: NetworkPolicy, *, seconds: float = SECONDS, size: int = BYTES
    ) -> None:
        self._policy = policy
        self._seconds = seconds
        self._size = size

    def fetch(
        self, url: str, accept: str, *, token: str = "", validators: Validators | None = None
    ) -> Fetched:
        """What is there.

        Raises:
            Refused: it may not be asked, or answers what is not taken.
            Unavailable: it does not answer at present.
        """
        end, at = time.monotonic() + self._seconds, url
        for _ in range(_REDIRECTS + 1):
            own = _origin(at) == _origin(url)
            headers = _headers(accept, token if own else "", validators)
            answer = self._ask(at, headers, end)
            if answer.status not in _MOVED:
                return answer
            at = urljoin(at, answer.links.get("location", ""))
        raise Refused("it sends on from address to address")

    def _ask(self, url: str, headers: Mapping[str, str], end: float) -> Fetched:
        try:
            opened = self._policy.open_url(url, ("https", "http"), "url")
        except Invalid as error:
            raise Refused(f"its address {error.problems[0].message}") from None
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        left = end - time.monotonic()
        if left <= 0:
            raise Unavailable("it did not answer in time")
        exchange = Exchange(url, left)
        try:
            with exchange:
                reached = socket.create_connection((str(opened.addresses[0]), port), left)
                with exchange.ask(reached, "GET", headers) as answer:
                    found = self._read(answer, url)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if exchange.over:
                raise Unavailable("it did not answer in time") from None
            raise Unavailable(f"it cannot be asked ({type(error).__name__})") from None
        if exchange.over:
            raise Unavailable("it did not answer in time")
        return found

    def _read(self, answer: http.client.HTTPResponse, url: str) -> Fetched:
        found = answer.headers
        links = relations(found.get("Link", ""))
        if answer.status in _MOVED:
            links = {"location": found.get("Location", "")}
            return Fetched(answer.status, url, "", b"", Validators(), links)
        if answer.status in _BUSY:
            raise Unavailable(f"it answered {answer.status}", _pause(found.get("Retry-After", "")))
        if answer.status not in _TAKEN:
            raise Refused(f"it answered {answer.status}")
        if found.get("Content-Encoding", "identity").lower() != "identity":
            raise Refused("it answered compressed, which was not asked for")
        body = self._body(answer) if answer.status == http.client.OK else b""
        validators = Validators(found.get("ETag", "")[:500], found.get("Last-Modified", "")[:100])
        kind = found.get_content_type() if "Content-Type" in found else ""
        return Fetched(answer.status, url, kind, body, validators, links)

    def _body(self, answer: http.client.HTTPResponse) -> bytes:
        parts, size = [], 0
        while chunk := answer.read(_CHUNK):
            size += len(chunk)
            if size > self._size:
                raise Refused(f"it answered more than {self._size} bytes")
            parts.append(chunk)
        return b"".join(parts)


def _headers(accept: str, token: str, validators: Validators | None) -> dict[str, str]:
    headers = {
        "Accept": accept, "Accept-Encoding": "identity", "User-Agent": "borough-exchange",
        "Connection": "close",
    }  # fmt: skip
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if validators is not None and validators.etag:
        headers["If-None-Match"] = validators.etag
    if validators is not None and validators.modified:
        headers["If-Modified-Since"] = validators.modified
    return headers


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _pause(text: str) -> float:
    return min(float(text), 3600.0) if text.isascii() and text.isdigit() else 60.0
