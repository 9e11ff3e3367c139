"""An application on a loopback address, by the server that the products have."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from foundation.serving.server import Server, address_of, bind


@contextlib.contextmanager
def served(application: Callable[..., Any], threads: int = 8) -> Iterator[str]:
    """Serve a WSGI application from a thread of its own; gives its address."""
    listening = bind("127.0.0.1", 0)
    server, url = Server(application, listening, threads), address_of(listening)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield url
    finally:
        server.end()
        # It looks whether it is to end when something happens, and now and then.
        with contextlib.suppress(OSError), socket.create_connection(_place(url), 1):
            pass
        thread.join()


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 0
