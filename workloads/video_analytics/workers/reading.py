"""A lane's decoder: started, told, listened to, and started anew when it crashes or hangs."""

import os
import re
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import psutil

from foundation.kernel.scratch import Scratch
from workloads.video_analytics.workers.children import Child
from workloads.video_analytics.workers.decoder import BOARD, FAULT, Board
from workloads.video_analytics.workers.wire import Header, Message

#: Ticks of the lane without a beat after which a decoder hangs as a whole (15 s when nothing else
#: keeps the machine busy).
SILENCE = 60
_THREAD = re.compile(rb"(?:Current thread|Thread) 0x([0-9a-f]+)")
_MODULE = "workloads.video_analytics.workers.decoder"


class Reading:
    """The decoder of a lane.

    Args:
        folder: for the board and what a crash leaves behind; made if there is none.
        memory_mb: limit of the decoder's memory; 0 is none.
        command: begins another program than our decoder (for tests).
    """

    def __init__(
        self, folder: Path | None, memory_mb: int, command: Sequence[str] | None = None
    ) -> None:
        self._own = Scratch("borough-lane-") if folder is None else None
        self._folder = self._own.path if self._own else folder or Path()
        begin = command or [sys.executable, "-m", _MODULE]
        self._command = [*begin, str(self._folder), str(memory_mb)]
        self._board = Board(self._folder / BOARD)
        self.child: Child | None = None
        self._silent_ticks = 0
        self.deaths = 0

    def start(self) -> Child:
        """Start it."""
        self._board.clear()
        (self._folder / FAULT).write_bytes(b"")
        self.child = Child(self._command)
        self._silent_ticks = 0
        return self.child

    def tell(self, order: Header) -> None:
        """Give an order; one that is dead is found out by its silence."""
        if self.child is not None:
            self.child.tell(order)

    def hear(self) -> Message | None:
        """The next message; None when it has died."""
        return self.child.hear() if self.child is not None else None

    def used(self) -> float:
        """Seconds of processor that it has used; 0 when there is none."""
        if self.child is None:
            return 0.0
        try:
            times = psutil.Process(self.child.pid).cpu_times()
        except psutil.Error:
            return 0.0
        return float(times.user + times.system)

    def beat(self) -> None:
        """It has spoken."""
        self._silent_ticks = 0

    def silent(self) -> bool:
        """Whether it has not spoken for too long; asked at each tick."""
        self._silent_ticks += 1
        return self._silent_ticks > SILENCE

    def bury(self, slots: Callable[[], dict[str, int]]) -> tuple[int, set[str], bool]:
        """End it, and find out who was the cause.

        Args:
            slots: the cameras and their places on the board.

        Returns:
            How it ended, the camera that caused it, and whether that is certain: else it is the one
            that went into FFmpeg last. A call that holds the interpreter lets nobody begin another.
        """
        code = self.child.kill() if self.child is not None else 0
        self.child = None
        self.deaths += 1
        doing = {camera: self._board.read(slot) for camera, slot in slots().items()}
        text = (self._folder / FAULT).read_bytes()
        crashed = {int(found, 16) for found in _THREAD.findall(text)}
        certain = {camera for camera, one in doing.items() if one.thread in crashed and one.call}
        if len(certain) == 1:
            return code, certain, True
        inside = [(one.since, c) for c, one in doing.items() if one.call in {"decode", "open"}]
        return code, {max(inside)[1]} if inside else set(), False

    def close(self) -> None:
        """End it for good."""
        if self.child is not None:
            self.child.kill()
            self.child = None
        if self._own is not None:
            self._own.close()


def write_live(folder: Path, camera: str, data: bytes | memoryview) -> None:
    """Put the newest picture of a camera where the web finds it; whole, or not at all."""
    draft = folder / f".{camera}.{os.getpid()}"
    draft.write_bytes(data)
    draft.replace(folder / f"{camera}.jpg")


def looked_at(folder: Path, now: float, seconds: float) -> Collection[str]:
    """The cameras somebody looks at: their ``.want`` was touched within so many seconds."""
    try:
        with os.scandir(folder) as entries:
            return [
                entry.name.removesuffix(".want")
                for entry in entries
                if entry.name.endswith(".want") and now - entry.stat().st_mtime < seconds
            ]
    except OSError:
        return []
