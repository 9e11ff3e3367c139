"""The decoder: a child process that reads cameras with FFmpeg and hands frames to its lane.

FFmpeg is C that reads what strangers send. It may crash, hang or grow, so it runs apart: without
the database, without keys, with limits of memory and processor, and dies with its lane. When it
dies, what each camera's thread was doing stands on a board that outlives it, and the lane finds out
which camera was the cause.

``python -m workloads.video_analytics.workers.decoder FOLDER`` speaks ``wire`` messages: commands on
its standard input, frames and news on its standard output.
"""

import faulthandler
import mmap
import os
import resource
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from workloads.video_analytics.cameras.reach import Reach
from workloads.video_analytics.vision.model import Point
from workloads.video_analytics.workers import sources, wire
from workloads.video_analytics.workers.gate import GATE
from workloads.video_analytics.workers.model import Feed, Look, Pace
from workloads.video_analytics.workers.orders import Ask, Orders, Outlet, Picture
from workloads.video_analytics.workers.sources import Limits
from workloads.video_analytics.workers.stream import CameraThread
from workloads.video_analytics.workers.turnstile import Turnstile

BOARD = "board"
FAULT = "fault"
SLOTS = 4096
_SLOT = struct.Struct("<QQd")
_CALLS = ("", "open", "read", "decode")
#: Ticks in one call into FFmpeg after which it hangs; reading and opening have limits too. Ticks,
#: not seconds: when the machine has too much to do, they are late as well.
_HANGS = {"decode": 20, "read": 20, "open": 25}
_TICK = 1.0
_CPU_SECONDS = 120
_STACK = 1 << 20
_MOST_ASKS = 1000
_MOST_NEWS = 100


class Doing(NamedTuple):
    """What a camera's thread was doing when the decoder died."""

    thread: int
    call: str
    since: float


class Board:
    """A few bytes for each camera in a mapped file: they are there after the process has died."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(SLOTS * _SLOT.size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SLOTS * _SLOT.size)

    def write(self, slot: int, call: str) -> None:
        """Note what the calling thread is doing."""
        at = slot % SLOTS * _SLOT.size
        _SLOT.pack_into(self._map, at, threading.get_ident(), _CALLS.index(call), time.monotonic())

    def read(self, slot: int) -> Doing:
        """What a camera's thread did last."""
        thread, call, since = _SLOT.unpack_from(self._map, slot % SLOTS * _SLOT.size)
        return Doing(thread, _CALLS[call] if call < len(_CALLS) else "", since)

    def clear(self) -> None:
        """Nobody does anything."""
        self._map[:] = bytes(len(self._map))


class Sender:
    """Writes to the lane: news in their order, and of each camera the newest frame.

    There is room for one frame a camera. One that was not taken is replaced by the next and
    counted, so a lane that cannot keep up makes nothing grow.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)  # there is something to send
        # One for each camera: to wake them all for each frame costs more than the frame.
        self._taken: dict[str, threading.Condition] = {}
        self._news: list[tuple[dict[str, Any], bytes]] = []
        self._frames: dict[str, Picture] = {}
        self._dropped: dict[str, int] = {}
        self._stopped: set[str] = set()

    def frame(self, camera: str, picture: Picture, wait: bool) -> None:  # noqa: FBT001 - Outlet's
        """Put a frame where the next is taken from."""
        with self._changed:
            while wait and camera in self._frames and camera not in self._stopped:
                self._wait_until_taken(camera)
            if camera in self._stopped:
                return
            if camera in self._frames:
                self._dropped[camera] = self._dropped.get(camera, 0) + 1
            self._frames[camera] = picture
            self._changed.notify()

    def say(self, header: dict[str, Any], body: bytes = b"") -> None:
        """Send news; what is soon said again is left out when the lane does not listen."""
        with self._changed:
            if len(self._news) > _MOST_NEWS and header["is"] in {"beat", "live"}:
                return
            self._news.append((header, body))
            self._changed.notify()

    def drain(self, camera: str) -> None:
        """Wait until the last frame of a camera was taken."""
        with self._changed:
            while camera in self._frames:
                self._wait_until_taken(camera)

    def _wait_until_taken(self, camera: str) -> None:
        """Wait until the sender has taken its frame, or it is watched no more; with the lock."""
        self._taken.setdefault(camera, threading.Condition(self._lock)).wait(0.5)

    def begin(self, camera: str) -> None:
        """A camera is watched (again)."""
        with self._changed:
            self._stopped.discard(camera)

    def forget(self, camera: str) -> None:
        """Nothing more of this camera is sent."""
        with self._changed:
            self._stopped.add(camera)
            self._frames.pop(camera, None)
            self._dropped.pop(camera, None)
            if (waiting := self._taken.pop(camera, None)) is not None:
                waiting.notify_all()

    def run(self) -> None:
        """Send until the lane is gone; then nothing is left to do."""
        try:
            while True:
                self._one()
        except OSError:
            os._exit(0)

    def _one(self) -> None:
        with self._changed:
            while not self._news and not self._frames:
                self._changed.wait()
            news, self._news = self._news, []
            camera = next(iter(self._frames), None)
            picture = self._frames.pop(camera) if camera is not None else None
            dropped = self._dropped.pop(camera, 0) if camera is not None else 0
            if camera in self._taken:
                self._taken[camera].notify_all()
        for header, body in news:
            wire.write(self._handle, header, *([body] if body else []))
        if picture is not None:
            image = picture.image
            header = {
                "is": "frame", "camera": camera, "at": picture.at, "shape": image.shape,
                "key": picture.key, "lag": round(picture.lag, 3), "position": picture.position,
                "dropped": dropped, "drift": round(picture.drift, 3), "wrong": picture.wrong,
                "sent": time.time(),
            }  # fmt: skip
            wire.write(self._handle, header, image.data.cast("B"))


class Decoder:
    """All cameras of one decoder process."""

    def __init__(self, folder: Path, commands: int, answers: int) -> None:
        self._commands = commands
        self._sender = Sender(answers)
        self._board = Board(folder / BOARD)
        self._turns = Turnstile()
        self._threads: dict[str, CameraThread] = {}
        self._slots: dict[str, int] = {}
        self._calls: dict[str, tuple[str, int]] = {}
        self._ticks = 0

    def run(self) -> None:
        """Do as the lane says until it is gone."""
        threading.Thread(target=self._sender.run, name="sender", daemon=True).start()
        threading.Thread(target=self._tick, name="tick", daemon=True).start()
        while True:
            try:
                message = wire.read(self._commands)
            except (wire.Garbled, OSError):
                message = None
            if message is None:
                os._exit(0)
            self._obey(message.header)

    def _obey(self, order: dict[str, Any]) -> None:  # noqa: C901 - one branch an order
        camera = order.get("camera", "")
        thread = self._threads.get(camera)
        match order["do"]:
            case "watch":
                self._drop(camera)
                self._watch(order)
            case "drop":
                self._drop(camera)
            case "look" if thread is not None:
                thread.change(Look(**order["look"]))
            case "ask" if thread is not None and len(thread.asks) < _MOST_ASKS:
                expires = time.monotonic() + order["seconds"]
                thread.ask(Ask(order["number"], order["since"], order["until"], expires))
            case "ask":
                self._sender.say({"is": "answer", "camera": camera, "number": order["number"]})
            case "live":
                until = time.monotonic() + order["seconds"]
                for each in order["cameras"]:
                    if each in self._threads:
                        self._threads[each].watch_until(until)
            case _:
                pass  # for a camera that is gone

    def _watch(self, order: dict[str, Any]) -> None:
        camera, reach = order["camera"], order["reach"]
        feed = Feed(
            order["url"], order["kind"], Pace(order["pace"]),
            None if reach is None else Reach.of(reach),
        )  # fmt: skip
        orders = Orders(
            camera, feed, Look(**order["look"]),
            Limits(order["open_seconds"], order["read_seconds"], confine=order["confine"]),
            tuple(tuple(Point(*point) for point in mask) for mask in order["masks"]),
            order["position"], order["epoch"], order["ring_seconds"], order["ring_bytes"],
            order["first_retry"], order["longest_retry"],
        )  # fmt: skip
        outlet = Outlet(self._sender.frame, self._state, self._answer, self._picture, self._call)
        self._slots[camera] = order["slot"]
        self._turns.rate = order["opens_per_second"]
        thread = CameraThread(orders, outlet, self._turns)
        self._threads[camera] = thread
        self._sender.begin(camera)
        thread.start()

    def _drop(self, camera: str) -> None:
        thread = self._threads.pop(camera, None)
        if thread is not None:
            thread.stop()
            self._sender.forget(camera)
            self._calls.pop(camera, None)

    # What the cameras' threads call -----------------------------------------------------------

    def _state(self, camera: str, state: str, detail: str) -> None:
        if state == "ended":
            # News go before frames: this one must not overtake the last.
            self._sender.drain(camera)
        self._sender.say({"is": "state", "camera": camera, "state": state, "detail": detail})

    def _answer(self, camera: str, number: int, made: bytes | None) -> None:
        self._sender.say(
            {"is": "answer", "camera": camera, "number": number, "made": made is not None},
            made or b"",
        )

    def _picture(self, camera: str, data: bytes) -> None:
        self._sender.say({"is": "live", "camera": camera}, data)

    def _call(self, camera: str, call: str) -> None:
        self._board.write(self._slots[camera], call)
        self._calls[camera] = (call, self._ticks)

    def _tick(self) -> None:
        while True:
            time.sleep(_TICK)
            used = resource.getrusage(resource.RUSAGE_SELF)
            # The limit moves on as long as this thread runs: a process that only spins is ended.
            spent = int(used.ru_utime + used.ru_stime)
            resource.setrlimit(resource.RLIMIT_CPU, (spent + _CPU_SECONDS, resource.RLIM_INFINITY))
            self._ticks += 1
            hung = [
                camera for camera, (call, since) in list(self._calls.items())
                if call and self._ticks - since > _HANGS[call]
            ]  # fmt: skip
            held = sum(thread.held_bytes for thread in list(self._threads.values()))
            self._sender.say({"is": "beat", "hung": hung, "ring_bytes": held})


def limit(memory_mb: int) -> None:
    """No core files; no more memory than this."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_mb:
        most = memory_mb * 2**20
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def main(arguments: list[str]) -> None:
    """Run until the lane is gone."""
    folder = Path(arguments[0])
    limit(int(arguments[1]))
    sources.quiet()
    threading.stack_size(_STACK)
    # Whatever a library prints must not come between the messages.
    answers = os.dup(1)
    os.dup2(2, 1)
    fault = (folder / FAULT).open("wb", buffering=0)
    faulthandler.enable(fault, all_threads=False)
    GATE.install()
    Decoder(folder, 0, answers).run()


if __name__ == "__main__":
    main(sys.argv[1:])
