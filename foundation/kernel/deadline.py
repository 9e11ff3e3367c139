"""A limit for a whole exchange with a server: what it says, all together, must be said by then.

A limit for each wait is none for all of them: a byte now and then would last for ever. The socket
is held here, because ``http.client`` lets go of it before the body of an answer is read.
"""

import contextlib
import functools
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

_TLS_PORT = 443
S = TypeVar("S", bound=socket.socket)


class Deadline:
    """Hangs up when the time is over; a context in which the exchange happens.

    Args:
        seconds: from the beginning of the context.
    """

    def __init__(self, seconds: float) -> None:
        self._over = threading.Event()
        self._sock: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    @property
    def over(self) -> bool:
        """Whether it was passed; what was read then may be less than was said."""
        return self._over.is_set()

    def hold(self, sock: S) -> S:
        """The socket that is used from now on; answers it."""
        self._sock = sock
        if self.over:
            self._end()
        return sock

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        self._sock = None

    def _end(self) -> None:
        self._over.set()
        sock = self._sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


class Exchange:
    """One question to a server over HTTP/1.1, and its answer, by a deadline; a context.

    Redirects are not followed. Who may be asked, and at which address, is the caller's to say.

    Args:
        url: what is asked for.
        seconds: from the beginning of the context until the answer was read.
        trust: how a server's certificate is verified; None: by the machine's authorities.
    """

    def __init__(self, url: str, seconds: float, trust: ssl.SSLContext | None = None) -> None:
        self._parts, self._trust = urlsplit(url), trust
        self._deadline = Deadline(seconds)
        host = self._parts.hostname or ""
        named = f"[{host}]" if ":" in host else host
        self._connection = http.client.HTTPConnection(named, self._parts.port or self._default)

    @property
    def over(self) -> bool:
        """Whether the deadline was passed.

        An answer whose length nobody said looks whole when it is cut off.
        """
        return self._deadline.over

    @property
    def _default(self) -> int:
        return _TLS_PORT if self._parts.scheme == "https" else http.client.HTTP_PORT

    def __enter__(self) -> Self:
        self._deadline.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._deadline.__exit__(kind, error, trace)
        self._connection.close()

    def ask(
        self,
        reached: socket.socket,
        method: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> http.client.HTTPResponse:
        """Ask over a connection, which belongs to this exchange from now on.

        Args:
            reached: to an address of the server that was looked at.

        Returns:
            The answer, to be read within the context and closed: one that ends the connection
            holds the socket by itself.

        Raises:
            OSError, http.client.HTTPException, ValueError: it did not go well.
        """
        connection, parts = self._connection, self._parts
        connection.sock = self._deadline.hold(reached)
        if parts.scheme == "https":
            wrapped = (self._trust or _authorities()).wrap_socket(
                reached, server_hostname=parts.hostname, do_handshake_on_connect=False
            )
            connection.sock = self._deadline.hold(wrapped)
            wrapped.do_handshake()
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, dict(headers))
        return connection.getresponse()


@functools.cache
def _authorities() -> ssl.SSLContext:
    # Reading them takes a while: only who asks by TLS pays, once.
    return ssl.create_default_context()
