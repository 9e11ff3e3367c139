"""A limit for a whole exchange with a server: what it says, all together, must be said by then.

A limit for each wait is none for all of them: a byte now and then would last for ever. The socket
is held here, because ``http.client`` lets go of it before the body of an answer is read.
"""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self, TypeVar

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
