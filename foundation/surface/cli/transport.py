"""HTTP of the command line, on the standard library: one platform, one connection, few retries.

urllib3 would do the same for 0.1 s of CPU at each start, half of what a command may take
(``docs/decisions/0063``).
"""

import contextlib
import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_TIMEOUT = 120.0
_ATTEMPTS = 5
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
_BUSY = frozenset({429, 502, 503, 504})


class NoAnswerError(Exception):
    """Nobody answered; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Transport:
    """Requests to one platform; the connection is kept between them.

    Args:
        url: its address; a path in it comes before those of the requests.

    Raises:
        NoAnswerError: the address is none.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        try:
            self._host, self._port = parts.hostname or "", parts.port
        except ValueError:
            self._host, self._port = "", None
        if not self._host or parts.scheme not in {"http", "https"}:
            raise NoAnswerError("it is not an address")
        self._secure = parts.scheme == "https"
        self._connection: http.client.HTTPConnection | None = None

    def __del__(self) -> None:
        # A client is made and dropped wherever one is wanted; its socket goes with it.
        if hasattr(self, "_connection"):
            self.close()

    def send(
        self,
        method: str,
        target: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        repeatable: bool,
    ) -> Response:
        """Send a request and read its answer; try again while the platform is away or busy.

        Args:
            method: GET, POST, …
            target: path and query.
            body: None for none.
            headers: all of them.
            repeatable: whether it may be sent again after it may have arrived.

        Raises:
            NoAnswerError: nobody answers.
        """
        if not repeatable:
            self.close()  # a kept connection may be closed at the other end: it could not be told
        pause = _FIRST_PAUSE
        for left in reversed(range(_ATTEMPTS)):
            try:
                answer = self._ask(method, target, body, headers)
            except _BrokenError as broken:
                self.close()
                if not left or (broken.arrived and not repeatable):
                    raise NoAnswerError(_plain(broken.cause)) from None
            else:
                if not left or not repeatable or answer.status not in _BUSY:
                    return answer
                pause = _asked_pause(answer, pause)
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        raise AssertionError  # the last attempt answers or raises

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(
        self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Response:
        try:
            connection = self._connected()
        except OSError as error:
            raise _BrokenError(error, arrived=False) from None
        try:
            connection.request(method, target, body, dict(headers))
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise _BrokenError(error, arrived=True) from None
        if answer.will_close:
            self.close()
        return Response(answer.status, answer.headers, content)

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            made = kind(self._host, self._port, timeout=_TIMEOUT)
            made.connect()
            self._connection = made
        return self._connection


class _BrokenError(Exception):
    """A request without an answer; whether it may have arrived."""

    def __init__(self, cause: Exception, *, arrived: bool) -> None:
        super().__init__(cause)
        self.cause = cause
        self.arrived = arrived


def _asked_pause(answer: Response, otherwise: float) -> float:
    with contextlib.suppress(ValueError):
        return min(float(answer.headers.get("Retry-After", "")), _LONGEST_PAUSE)
    return otherwise


def _plain(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text)
