"""The lanes of a worker: started, told, listened to, and started anew when they die."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

from workloads.video_analytics.workers import wire
from workloads.video_analytics.workers.children import Child
from workloads.video_analytics.workers.lane import LaneOptions
from workloads.video_analytics.workers.wire import Header, Message

_log = logging.getLogger("borough.video.worker")
_MODULE = "workloads.video_analytics.workers.lane"
#: Seconds without a beat after which a lane hangs.
_SILENCE = 30.0
#: It begins with a second of imports, of which a machine with too much to do may make a minute: to
#: end it then and begin anew would only add to that.
_BEGINNING = 180.0
_LONGEST_PAUSE = 30.0

Heard = Callable[[int, Message], None]
Lost = Callable[[int], None]


@dataclass(slots=True)
class _Lane:
    number: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    child: Child | None = None
    beat: Header = field(default_factory=dict)
    restarts: int = 0


class Crew:
    """The lanes of this worker.

    Args:
        count: of them; one a core.
        options: for each.
        heard: is called with what a lane says, in that lane's thread: while it works, the lane
            waits.
        lost: is called when a lane has died and another is there: it knows no cameras yet.
    """

    def __init__(self, count: int, options: LaneOptions, heard: Heard, lost: Lost) -> None:
        self._options = options
        self._heard = heard
        self._lost = lost
        self._lanes = [_Lane(number) for number in range(count)]
        self._ending = threading.Event()
        self._threads: list[threading.Thread] = []

    def __len__(self) -> int:
        return len(self._lanes)

    def start(self) -> None:
        """Start all lanes."""
        for lane in self._lanes:
            self._begin(lane)
            thread = threading.Thread(
                target=self._keep, args=(lane,), name=f"lane-{lane.number}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def tell(self, number: int, order: Header, *parts: bytes) -> None:
        """Give a lane an order; one that has died meanwhile is told all again when it is back."""
        lane = self._lanes[number]
        with lane.lock:
            if lane.child is not None:
                lane.child.tell(order, *parts)

    def beats(self) -> Sequence[Header]:
        """What each lane said of itself last."""
        return [lane.beat for lane in self._lanes]

    @property
    def restarts(self) -> int:
        """How often a lane had to be started anew."""
        return sum(lane.restarts for lane in self._lanes)

    def stop(self, seconds: float = 10.0) -> None:
        """End all lanes; what they still say is heard."""
        self._ending.set()
        for lane in self._lanes:
            self.tell(lane.number, {"do": "end"})
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.1, until - time.monotonic()))
        for lane in self._lanes:
            if lane.child is not None:
                lane.child.kill()

    def _begin(self, lane: _Lane) -> None:
        child = Child([sys.executable, "-m", _MODULE])
        child.tell({"options": asdict(self._options)})
        with lane.lock:
            lane.child, lane.beat = child, {}

    def _keep(self, lane: _Lane) -> None:
        pause = 0.2
        while True:
            began = time.monotonic()
            self._hear(lane)
            with lane.lock:
                child, lane.child = lane.child, None
            code = child.kill() if child is not None else 0
            if self._ending.is_set():
                return
            _log.error("lane %d has ended with %d; starting another one", lane.number, code)
            lane.restarts += 1
            pause = 0.2 if time.monotonic() - began > _LONGEST_PAUSE else min(pause * 2, 30.0)
            if self._ending.wait(pause):
                return
            self._begin(lane)
            self._lost(lane.number)

    def _hear(self, lane: _Lane) -> None:
        child = lane.child
        while child is not None:
            if not wire.readable([child.handle], _SILENCE if lane.beat else _BEGINNING):
                _log.error("lane %d hangs", lane.number)
                return
            message = child.hear()
            if message is None:
                return
            if message.header["is"] == "beat":
                lane.beat = message.header
            try:
                self._heard(lane.number, message)
            except Exception:  # noqa: BLE001 - the worker goes on; what was said is in the log
                _log.exception("what lane %d said could not be taken", lane.number)
