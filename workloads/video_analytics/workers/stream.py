"""One camera inside of the decoder: opened, read, decoded and handed over by its own thread."""

import random
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import av
import cv2
import numpy as np

from workloads.video_analytics.vision.model import Image, Point
from workloads.video_analytics.workers import ring, sources
from workloads.video_analytics.workers.model import BackOff, Feed, Look, Pace
from workloads.video_analytics.workers.ring import Ring
from workloads.video_analytics.workers.sources import Limits
from workloads.video_analytics.workers.stamps import Played, Stamps

#: A live source that is so far behind goes on with its next key frame.
_HOPELESS = 3.0
_LIVE_WIDTH = 640
_LIVE_SECONDS = 0.4
#: So many packets in a row that cannot be decoded, and the source is broken.
_BROKEN = 300
#: Planar formats of 8 bits whose first plane is the brightness.
_PLANAR = frozenset({
    "yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "gray", "nv12", "nv21",
})  # fmt: skip
_REMEMBERED = 256
#: How many are opened at once; those of the network mostly wait.
_OPENING_FILES = threading.BoundedSemaphore(4)
_OPENING = threading.BoundedSemaphore(48)
#: After so many packets without a key frame decoding begins anyway.
_KEYLESS = 300
#: Below so many seconds a file is rather read from its beginning.
_SEEK = 10.0


@dataclass(frozen=True, slots=True)
class Orders:
    """What a camera's thread is told when it begins.

    Attributes:
        position: seconds into a file at which to go on; ``epoch``: when its first frame was,
            seconds since 1970; both None for a new beginning.
        ring_seconds, ring_bytes: how much of the stream is kept for pictures and clips.
    """

    camera: str
    feed: Feed
    look: Look
    limits: Limits = field(default_factory=Limits)
    masks: tuple[tuple[Point, ...], ...] = ()
    position: float | None = None
    epoch: float | None = None
    ring_seconds: float = 20.0
    ring_bytes: int = 6 * 2**20
    first_retry: float = 1.0
    longest_retry: float = 60.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame on its way to the analysis.

    Attributes:
        at: when it was taken, seconds since 1970.
        lag: how long after it was taken (or should have been) it was decoded, seconds.
        position: seconds into a file.
    """

    at: float
    image: Image
    key: bool
    lag: float
    position: float
    drift: float
    wrong: int


@dataclass(frozen=True, slots=True)
class Ask:
    """A picture (``until`` None) or a clip that is wanted, made when the stream is past it."""

    number: int
    since: float
    until: float | None
    expires: float


@dataclass(slots=True)
class Outlet:
    """Where a camera's thread puts what it has; all are called in its thread.

    Attributes:
        frame: a frame; waits with ``wait`` until the one before has been taken, else replaces it.
        state: (state, detail): ``online``, ``no_signal``, ``broken``, ``ended``, ``late``.
        answer: (number of the ask, bytes or None).
        live: a JPEG for those who look.
        calling: around calls into FFmpeg: what it does, or empty.
    """

    frame: Callable[[str, Picture, bool], None]
    state: Callable[[str, str, str], None]
    answer: Callable[[str, int, bytes | None], None]
    live: Callable[[str, bytes], None]
    calling: Callable[[str, str], None]


class CameraThread:
    """Reads one camera until it is stopped.

    Args:
        orders: what and how.
        outlet: where to.
    """

    def __init__(self, orders: Orders, outlet: Outlet) -> None:
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
            began = time.monotonic()
            try:
                ended = self._watch()
            except Exception as error:  # noqa: BLE001 - it costs this camera alone
                ended = False
                self._failed(error)
            if ended or self.stopped.is_set():
                break
            if time.monotonic() - began > orders.longest_retry:
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
        # Opening costs what seconds of decoding cost: hundreds at once would starve all others.
        with _OPENING_FILES if orders.feed.kind == "file" else _OPENING:
            if self.stopped.is_set():
                return True
            self.out.calling(orders.camera, "open")
            try:
                container, stream = sources.open_feed(orders.feed, orders.limits)
            finally:
                self.out.calling(orders.camera, "")
        try:
            self.packets.begin(ring.shape_of(stream))
            self.stamps.reset()
            session = _Session(self, container, stream)
            if orders.feed.pace is Pace.LIVE:
                session.read()
                raise OSError("the stream has ended")
            return session.play()
        finally:
            self.answer(stream, float("inf"))
            container.close()

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


class _Session:
    """A source from its opening to its end."""

    def __init__(self, owner: CameraThread, container: Any, stream: Any) -> None:  # noqa: ANN401
        self._owner = owner
        self._container = container
        self._stream = stream
        self._context = stream.codec_context
        self._base = float(stream.time_base or 0) or 1 / 90000
        self._rate = float(stream.average_rate or 0)
        self._times: dict[int, float] = {}
        self._need_key = True
        self._skipping = False
        self._failures = 0
        self._keyless = 0
        self._online = False
        self._reformatter = av.video.reformatter.VideoReformatter()
        self._began = time.monotonic()

    # Reading ----------------------------------------------------------------------------------

    def read(self) -> None:
        """Hand over frames until the source ends."""
        owner = self._owner
        for packet in self._packets():
            if not packet.size:
                continue
            now = time.time()
            shown = self._live_time(packet, now)
            self._take(packet, shown, now - shown, 0.0, wait=False)
            owner.answer(self._stream, shown)
            if owner.stopped.is_set():
                return

    def _live_time(self, packet: Any, now: float) -> float:  # noqa: ANN401 - PyAV
        stamps = self._owner.stamps
        decoded = packet.dts if packet.dts is not None else packet.pts
        at = stamps.at(None if decoded is None else decoded * self._base, now)
        if packet.pts is None or packet.dts is None:
            return at
        ahead = (packet.pts - packet.dts) * self._base
        return at + (ahead if 0 <= ahead < 2 else 0.0)  # noqa: PLR2004 - reordering is less

    def play(self) -> bool:
        """Play a file as its pace says; answers whether it has come to its end for good."""
        owner = self._owner
        orders = owner.orders
        pace = orders.feed.pace
        if owner.played is None:
            epoch = time.time() if orders.epoch is None else orders.epoch
            owner.played = Played(epoch, self._rate)
        played = owner.played
        resume = None if pace is Pace.LOOP else orders.position
        if resume is not None:
            self._seek(played, resume)
        while self._play_through(played, resume):
            if pace is not Pace.LOOP:
                owner.out.state(orders.camera, "ended", "played to the end")
                return True
            played.again()
            self._container.seek(0)
            self._context.flush_buffers()
            self._need_key = True
        return True

    def _play_through(self, played: Played, resume: float | None) -> bool:
        """Play to the end; False when it was stopped before."""
        owner = self._owner
        fast = owner.orders.feed.pace is Pace.FAST
        # What was missed while nobody played it is looked at now, every frame of it.
        wait = fast or resume is not None
        frames = 0
        for packet in self._packets():
            if not packet.size:
                continue
            frames += 1
            stamp = packet.dts if packet.dts is not None else packet.pts
            position = played.position(None if stamp is None else stamp * self._base)
            at = played.epoch + position
            if resume is not None and position <= resume:
                self._pass_over(packet)
                continue
            if not fast and owner.stopped.wait(max(0.0, at - time.time())):
                return False
            self._take(packet, at, 0.0 if fast else time.time() - at, position, wait=wait)
            owner.answer(self._stream, at)
            if owner.stopped.is_set():
                return False
        if not frames:
            raise sources.Unwatchable("it holds no pictures")
        self._drain(played)
        return True

    def _seek(self, played: Played, position: float) -> None:
        if position < _SEEK or self._stream.start_time is None:
            return
        zero = self._stream.start_time * self._base
        try:
            self._container.seek(
                round((position - 1 + zero) / self._base), stream=self._stream, backward=True
            )
        except av.FFmpegError:
            return  # it cannot be sought in: it is read from the beginning
        played.begin(zero)

    def _packets(self) -> Any:  # noqa: ANN401 - PyAV
        owner = self._owner
        camera = owner.orders.camera
        demuxed = self._container.demux(self._stream)
        while True:
            owner.out.calling(camera, "read")
            try:
                packet = next(demuxed, None)
            finally:
                owner.out.calling(camera, "")
            if packet is None:
                return
            yield packet

    # Decoding ---------------------------------------------------------------------------------

    def _pass_over(self, packet: Any) -> None:  # noqa: ANN401 - PyAV
        """Decode without handing over: frames that were seen before a takeover."""
        if packet.is_keyframe:
            self._need_key = False
        if not self._need_key and not self._owner.look.keys:
            self._decode(packet)

    def _take(
        self,
        packet: Any,  # noqa: ANN401 - PyAV
        at: float,
        lag: float,
        position: float,
        *,
        wait: bool,
    ) -> None:
        owner = self._owner
        look = owner.look
        owner.packets.add(packet, at)
        if self._waits_for_key(packet, late=lag > _HOPELESS and not wait):
            return
        keys = look.keys
        if keys and (not packet.is_keyframe or not self._due(at, look)):
            self._need_key = True
            return
        self._context.skip_frame = "NONREF" if 0 < look.fps < self._rate and not keys else "DEFAULT"
        self._remember(packet, at)
        frames = self._decode(packet)
        if keys:
            # Nothing follows that would push the picture out of the decoder: empty it at once.
            frames = [*frames, *self._decode(None)]
            self._context.flush_buffers()
            self._need_key = True
        for frame in frames:
            self._hand(frame, self._times.pop(frame.pts, at), lag, position, wait=wait)

    def _waits_for_key(self, packet: Any, *, late: bool) -> bool:  # noqa: ANN401 - PyAV
        """Whether the packet is passed over: what it refers to was not decoded, or all is late."""
        if packet.is_keyframe:
            self._need_key = self._skipping = False
        elif late and not self._skipping:
            # The pictures until the next key frame would only come later still.
            self._skipping = self._need_key = True
        elif self._need_key:
            # Some cameras refresh their pictures by rows and never mark a key frame.
            self._keyless += 1
            self._need_key = self._skipping or self._owner.look.keys or self._keyless < _KEYLESS
        return self._need_key

    def _remember(self, packet: Any, at: float) -> None:  # noqa: ANN401 - PyAV
        """When the picture of a packet was taken: the decoder gives it back by its stamp."""
        if packet.pts is not None:
            self._times[packet.pts] = at
            while len(self._times) > _REMEMBERED:
                self._times.pop(next(iter(self._times)))

    def _drain(self, played: Played) -> None:
        """What the decoder still has at the end of a file."""
        if self._owner.look.keys:
            return
        for frame in self._decode(None):
            position = played.position(None)
            at = self._times.pop(frame.pts, played.epoch + position)
            self._hand(frame, at, 0.0, position, wait=True)

    def _decode(self, packet: Any) -> list[Any]:  # noqa: ANN401 - PyAV
        camera = self._owner.orders.camera
        self._owner.out.calling(camera, "decode")
        try:
            frames = list(self._context.decode(packet))
        except (av.FFmpegError, EOFError) as error:
            if isinstance(error, EOFError):
                return []
            self._failures += 1
            if self._failures >= _BROKEN:
                raise sources.Unwatchable("its pictures cannot be decoded") from error
            return []
        finally:
            self._owner.out.calling(camera, "")
        if frames:
            self._failures = 0
        return frames

    def _due(self, at: float, look: Look) -> bool:
        owner = self._owner
        live = owner.watched_until > time.monotonic()
        # A tenth of slack: frames that come five a second do not come exactly so.
        return live or not look.fps or at - owner.handed_at >= 0.9 / look.fps

    # Handing over -----------------------------------------------------------------------------

    def _hand(
        self,
        frame: Any,  # noqa: ANN401 - PyAV
        at: float,
        lag: float,
        position: float,
        *,
        wait: bool,
    ) -> None:
        owner = self._owner
        camera = owner.orders.camera
        if frame.width * frame.height > sources.MAX_PIXELS:
            raise sources.Unwatchable(f"its pictures are too large: {frame.width}x{frame.height}")
        if not self._online:
            self._online = True
            owner.out.state(camera, "online", "")
        self._show(frame)
        look = owner.look
        if not self._due(at, look) and not wait:
            return
        if look.fps and at - owner.handed_at < 0.9 / look.fps:
            return
        owner.handed_at = at
        image = self._image(frame, look)
        if owner.orders.masks:
            image = owner.paint(image)
        wrong = owner.stamps.wrong + (owner.played.wrong if owner.played else 0)
        picture = Picture(
            at, image, bool(frame.key_frame), lag, position, owner.stamps.drift, wrong
        )
        owner.out.frame(camera, picture, wait)

    def _show(self, frame: Any) -> None:  # noqa: ANN401 - PyAV
        owner = self._owner
        now = time.monotonic()
        if owner.watched_until <= now or now - owner.live_at < _LIVE_SECONDS:
            return
        owner.live_at = now
        paint = owner.paint if owner.orders.masks else None
        owner.out.live(owner.orders.camera, ring.jpeg(frame, _LIVE_WIDTH, paint, 75))

    def _image(self, frame: Any, look: Look) -> Image:  # noqa: ANN401 - PyAV
        width, height = ring.scaled(frame.width, frame.height, look.width)
        if not look.colour and frame.format.name in _PLANAR:
            plane = frame.planes[0]
            luma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            luma = luma[: frame.height, : frame.width]
            if width != frame.width:
                return np.asarray(
                    cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8
                )
            return np.array(luma)
        made = self._reformatter.reformat(
            frame, width, height, "bgr24" if look.colour else "gray", interpolation="AREA"
        )
        return np.array(made.to_ndarray(), dtype=np.uint8)
