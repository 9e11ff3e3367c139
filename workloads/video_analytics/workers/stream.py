"""One camera inside of the decoder: opened, read and opened again by its own thread."""

import random
import threading
import time
import traceback
from collections import deque
from typing import Any

import av
import cv2
import numpy as np

from workloads.video_analytics.vision.model import Image
from workloads.video_analytics.workers import ring, sources
from workloads.video_analytics.workers.model import BackOff, Look, Pace
from workloads.video_analytics.workers.orders import Ask, Orders, Outlet
from workloads.video_analytics.workers.ring import Ring
from workloads.video_analytics.workers.session import Session
from workloads.video_analytics.workers.stamps import Played, Stamps
from workloads.video_analytics.workers.turnstile import Turnstile

#: Opening costs what seconds of decoding cost. A file is there at once: hundreds would starve all
#: others. Those of the network mostly wait, so they have their turns (``turnstile``).
_OPENING_FILES = threading.BoundedSemaphore(4)


class CameraThread:
    """Reads one camera until it is stopped.

    Args:
        orders: what and how.
        outlet: where to.
        turns: who of the network is opened when; without it at once.
    """

    def __init__(self, orders: Orders, outlet: Outlet, turns: Turnstile | None = None) -> None:
        self.orders = orders
        self.out = outlet
        self.look = orders.look
        self.stopped = threading.Event()
        self.asks: deque[Ask] = deque()
        self.packets = Ring(orders.ring_seconds, orders.ring_bytes)
        self.stamps = Stamps()
        self.played: Played | None = None
        self.watched_until = 0.0
        self.live_at = 0.0
        self.handed_at = float("-inf")
        self._turns = turns or Turnstile()
        self._asked = 0.0
        self._failing = False
        self._polygons: tuple[tuple[int, int], list[Any]] = ((0, 0), [])
        self.thread = threading.Thread(
            target=self._run, name=f"camera-{orders.camera}", daemon=True
        )

    def start(self) -> None:
        """Begin."""
        self.thread.start()

    def stop(self) -> None:
        """End at the next packet; nothing is handed over afterwards."""
        self.stopped.set()

    def change(self, look: Look) -> None:
        """Hand over other frames from now on."""
        self.look = look

    def ask(self, ask: Ask) -> None:
        """Make a picture or a clip when the stream is so far."""
        self.asks.append(ask)

    def watch_until(self, until: float) -> None:
        """Somebody looks at the live picture until then (monotonic seconds)."""
        self.watched_until = until

    @property
    def held_bytes(self) -> int:
        """Of the ring."""
        return self.packets.size

    # The thread -------------------------------------------------------------------------------

    def _run(self) -> None:
        orders = self.orders
        back_off = BackOff(orders.first_retry, orders.longest_retry)
        while not self.stopped.is_set():
            self._asked = time.monotonic()
            try:
                ended = self._watch()
            except Exception as error:  # noqa: BLE001 - it costs this camera alone
                ended = False
                self._failed(error)
            if ended or self.stopped.is_set():
                break
            self._failing = time.monotonic() - self._asked <= orders.longest_retry
            if not self._failing:
                back_off.reset()
            self.stopped.wait(back_off.wait(random.random()))  # noqa: S311 - jitter

    def _failed(self, error: Exception) -> None:
        broken = isinstance(error, (
            sources.Unwatchable, av.InvalidDataError, av.PatchWelcomeError, av.DecoderNotFoundError,
            av.DemuxerNotFoundError, ValueError, MemoryError,
        ))  # fmt: skip
        if not broken and not isinstance(error, OSError):
            # A defect of ours. Its message may hold an address, so only where it was is told.
            traceback.print_tb(error.__traceback__)
        self.out.state(
            self.orders.camera, "broken" if broken else "no_signal", sources.reason(error)
        )

    def _watch(self) -> bool:
        """Read until the source ends or fails; answers whether it has ended for good."""
        orders = self.orders
        if orders.feed.kind == "file":
            with _OPENING_FILES:
                opened = self._open()
        else:
            opened = self._open() if self._turns.wait(self.stopped, again=self._failing) else None
        if opened is None:
            return True
        container, stream = opened
        try:
            self.packets.begin(ring.shape_of(stream))
            self.stamps.reset()
            session = Session(self, container, stream)
            if orders.feed.pace is Pace.LIVE:
                session.read()
                raise sources.Ended("the stream has ended")
            return session.play()
        finally:
            self.answer(stream, float("inf"))
            container.close()

    def _open(self) -> tuple[Any, Any] | None:
        """The container and its stream; None when it is not wanted any more."""
        if self.stopped.is_set():
            return None
        self.out.calling(self.orders.camera, "open")
        self._asked = time.monotonic()
        try:
            return sources.open_feed(self.orders.feed, self.orders.limits)
        finally:
            self.out.calling(self.orders.camera, "")

    def answer(self, stream: Any, upto: float) -> None:  # noqa: ANN401 - PyAV
        """Make what was asked for, as far as the stream is there; ``upto`` is the newest time."""
        now = time.monotonic()
        for _ in range(len(self.asks)):
            ask = self.asks.popleft()
            due = ask.since if ask.until is None else ask.until
            if upto < due and now < ask.expires:
                self.asks.append(ask)
                continue
            self.out.calling(self.orders.camera, "decode")
            try:
                made = self._make(stream, ask)
            except (ValueError, av.FFmpegError, cv2.error):
                made = None
            finally:
                self.out.calling(self.orders.camera, "")
            self.out.answer(self.orders.camera, ask.number, made)

    def _make(self, stream: Any, ask: Ask) -> bytes | None:  # noqa: ANN401 - PyAV
        paint = self.paint if self.orders.masks else None
        until = ask.since if ask.until is None else ask.until
        found = self.packets.between(ask.since, until)
        if found is None:
            return None
        shape, kept = found
        if ask.until is None:
            return ring.picture(shape, kept, ask.since, paint)
        return ring.clip(stream, shape, kept, paint)

    def paint(self, image: Image) -> Image:
        """Cover the masks."""
        height, width = image.shape[:2]
        if self._polygons[0] != (width, height):
            shapes = [
                np.array([(round(p.x * width), round(p.y * height)) for p in mask], dtype=np.int32)
                for mask in self.orders.masks
            ]
            self._polygons = ((width, height), shapes)
        if not image.flags.writeable or not image.flags.c_contiguous:
            image = np.array(image)
        cv2.fillPoly(image, self._polygons[1], (0, 0, 0))
        return image
