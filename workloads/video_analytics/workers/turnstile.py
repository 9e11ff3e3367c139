"""How fast cameras of the network are opened: one after the other, however many wait.

Five hundred cameras that are connected to in one second are a flood for switches, recorders and the
machine itself, and they all come at once: at a start, and when the network is back. So a decoder
lets so many begin a second. It does not count how many are being opened: a camera that does not
answer keeps its own thread waiting and nobody else, however many of them there are. Who did well
before, or was never asked, goes before who failed the last time; of four turns one is theirs
nevertheless when others wait (``docs/decisions/0268``).
"""

import threading
import time
from collections import deque

#: Every so manieth turn is for those that failed the last time, when others wait as well.
_THEIRS = 4
_POLL_SECONDS = 1.0


class _Ticket(threading.Event):
    """Of one that waits; ``gone`` when it waits no more."""

    gone = False


class Turnstile:
    """Lets threads through one by one.

    Args:
        rate: of them a second at most; 0 is as many as come.
    """

    def __init__(self, rate: float = 0.0) -> None:
        self.rate = rate
        self._changed = threading.Condition()
        self._first: deque[_Ticket] = deque()
        self._again: deque[_Ticket] = deque()
        self._turns = 0
        self._thread: threading.Thread | None = None

    def wait(self, stopped: threading.Event, *, again: bool) -> bool:
        """Wait for one's turn.

        Args:
            stopped: set when it is not wanted any more.
            again: it failed the last time.

        Returns:
            Whether it is one's turn; False when ``stopped`` was set before.
        """
        if self.rate <= 0:
            return not stopped.is_set()
        ticket = _Ticket()
        with self._changed:
            (self._again if again else self._first).append(ticket)
            if self._thread is None:
                self._thread = threading.Thread(target=self._turn, name="turnstile", daemon=True)
                self._thread.start()
            self._changed.notify()
        while not ticket.wait(_POLL_SECONDS):
            if stopped.is_set():
                ticket.gone = True
                return False
        return not stopped.is_set()

    def _turn(self) -> None:
        while True:
            with self._changed:
                while (ticket := self._next()) is None:
                    self._changed.wait()
            ticket.set()
            time.sleep(1 / self.rate)

    def _next(self) -> _Ticket | None:
        """Whose turn it is; None when nobody waits. With the lock."""
        while self._first or self._again:
            theirs = self._again and (not self._first or self._turns % _THEIRS == _THEIRS - 1)
            ticket = (self._again if theirs else self._first).popleft()
            if not ticket.gone:
                self._turns += 1
                return ticket
        return None
