"""A source of a camera from its opening to its end: packets, pictures, and when they were taken."""

import threading
import time
from typing import Any, Protocol

import av
import cv2
import numpy as np

from workloads.video_analytics.vision.model import Image
from workloads.video_analytics.workers import ring, sources
from workloads.video_analytics.workers.model import Look, Pace
from workloads.video_analytics.workers.orders import Orders, Outlet, Picture
from workloads.video_analytics.workers.ring import Ring
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
#: After so many packets without a key frame decoding begins anyway.
_KEYLESS = 300
#: Below so many seconds a file is rather read from its beginning.
_SEEK = 10.0


class Owner(Protocol):
    """What a session needs of its camera's thread (``stream.CameraThread``); it outlives sessions.

    Attributes:
        look: which frames are wanted now; others change it.
        packets: the last seconds of the stream.
        played: how far a file is; None until it was begun.
        watched_until: somebody looks at the live picture until then (monotonic seconds).
        live_at: when the last live picture was made; ``handed_at``: the time of the last frame
            that was handed over.
    """

    orders: Orders
    out: Outlet
    look: Look
    stopped: threading.Event
    packets: Ring
    stamps: Stamps
    played: Played | None
    watched_until: float
    live_at: float
    handed_at: float

    def answer(self, stream: Any, upto: float) -> None:  # noqa: ANN401 - PyAV
        """Make what was asked for, as far as the stream is there."""
        ...

    def paint(self, image: Image) -> Image:
        """Cover the masks."""
        ...


class Session:
    """A source from its opening to its end.

    Args:
        owner: the camera's thread, in which all of it happens.
        container, stream: as ``sources.open_feed`` answers them.
    """

    def __init__(self, owner: Owner, container: Any, stream: Any) -> None:  # noqa: ANN401
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
