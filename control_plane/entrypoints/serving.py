"""A WSGI application on a socket, by waitress, with an end that loses no answer.

``docs/decisions/0062`` says why waitress.
"""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from waitress import create_server, wasyncore  # type: ignore[import-untyped]

_log = logging.getLogger("borough.serve")
_BACKLOG = 512
_LOOK_SECONDS = 0.5
_DRAIN_SECONDS = 10.0
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
            # An event of a stream leaves at once, from the thread that made it.
            send_bytes=1,
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

        def stop(*_: object) -> None:
            if self._ending.is_set():
                os._exit(1)
            self._ending.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        self.run()

    def _turn(self) -> None:
        wasyncore.loop(timeout=_LOOK_SECONDS, map=self._server._map, use_poll=True, count=1)  # noqa: SLF001

    def _drain(self) -> None:
        server = self._server
        server.accepting = False
        server.del_channel(server._map)  # noqa: SLF001
        self._listening.close()
        end = time.monotonic() + _DRAIN_SECONDS
        while time.monotonic() < end and any(
            channel.requests or channel.total_outbufs_len
            for channel in list(server.active_channels.values())
        ):
            self._turn()
        left = sum(1 for c in list(server.active_channels.values()) if c.requests)
        if left:
            _log.warning("%d requests were still running at the end", left)
        server.task_dispatcher.shutdown(cancel_pending=True, timeout=1)
        wasyncore.close_all(server._map)  # noqa: SLF001
