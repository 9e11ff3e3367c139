"""A WSGI application on a socket, by waitress, with an end that loses no answer.

``docs/decisions/0062`` says why waitress.
"""

import logging
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from waitress import create_server, wasyncore  # type: ignore[import-untyped]

from foundation.serving.ending import at_end

_log = logging.getLogger("borough.serve")
_BACKLOG = 512
_LOOK_SECONDS = 0.5
_DRAIN_SECONDS = 10.0
_QUIET_SECONDS = 0.25
#: Connections that may be open at once; each is a file.
_CONNECTIONS = 800


def bind(host: str, port: int) -> socket.socket:
    """A socket on the first address that the host name stands for; port 0 takes a free one.

    Raises:
        OSError: the address is taken or not ours.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


def address_of(listening: socket.socket) -> str:
    """The address under which this machine reaches the socket: ``http://127.0.0.1:8080``."""
    host, port = listening.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - recognised, not bound
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server:
    """The application on a bound socket.

    Args:
        application: WSGI.
        listening: from ``bind``.
        threads: requests at once; the rest wait in a queue.
    """

    def __init__(
        self, application: Callable[..., Any], listening: socket.socket, threads: int
    ) -> None:
        self._listening = listening
        self._ending = threading.Event()
        self._server = create_server(
            application,
            sockets=[listening],
            threads=threads,
            ident=None,
            backlog=_BACKLOG,
            connection_limit=_CONNECTIONS,
            channel_timeout=120,
            asyncore_use_poll=True,
            # The application has its own bound; this one stops a body before it is on the disk.
            max_request_body_size=32 * 1024 * 1024,
        )

    def end(self, *_: object) -> None:
        """Ask it to end; safe in a signal handler."""
        self._ending.set()

    def run(self) -> None:
        """Answer requests until ``end``; then let the running ones finish."""
        while not self._ending.is_set():
            self._turn()
        self._drain()

    def run_until_signal(self) -> None:
        """The same in the main thread, until SIGTERM or SIGINT; the second one ends at once."""
        at_end(self.end)
        self.run()

    def _turn(self, seconds: float = _LOOK_SECONDS) -> None:
        wasyncore.loop(timeout=seconds, map=self._server._map, use_poll=True, count=1)  # noqa: SLF001

    def _drain(self) -> None:
        """Take in who has connected already, listen no more, and answer all that was asked."""
        server = self._server
        end = time.monotonic() + _DRAIN_SECONDS
        while select.select([self._listening], [], [], 0)[0] and time.monotonic() < end:
            self._turn(0)
        server.accepting = False
        server.del_channel(server._map)  # noqa: SLF001
        self._listening.close()
        quiet_since = time.monotonic()
        while time.monotonic() < end and time.monotonic() - quiet_since < _QUIET_SECONDS:
            self._turn(_QUIET_SECONDS / 5)
            if self._busy():
                quiet_since = time.monotonic()
        if self._busy():
            _log.warning("%d connections were still busy at the end", self._busy())
        server.task_dispatcher.shutdown(cancel_pending=True, timeout=1)
        wasyncore.close_all(server._map)  # noqa: SLF001

    def _busy(self) -> int:
        """How many connections wait for an answer, or have sent half a request."""
        channels = list(self._server.active_channels.values())
        return sum(bool(c.requests or c.request or c.total_outbufs_len) for c in channels)
