"""A server that answers a byte now and then, for seconds on end."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

_BYTES, _PAUSE = 100, 0.05
HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"


@dataclass
class Dripping:
    """What became of it.

    Attributes:
        left: whether the client hung up before all was said.
    """

    url: str
    left: bool = False


@contextlib.contextmanager
def dripping(head: bytes = HEAD) -> Iterator[Dripping]:
    """A server on loopback that says the head at once and then blanks; it takes one client."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = Dripping(f"http://127.0.0.1:{server.getsockname()[1]}/slow")

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                try:
                    connection.sendall(head)
                    for _ in range(_BYTES):
                        connection.sendall(b" ")
                        ended.wait(_PAUSE)
                except OSError:
                    found.left = True

        thread = threading.Thread(target=answer)
        thread.start()
        yield found
        thread.join()
        ended.set()
