"""The last seconds of a camera as they came, encoded: pictures and clips are made from them.

Keeping packets costs what the stream weighs (60 kB a second and less for most cameras); keeping
pictures would cost a thousand times as much. A picture of a moment is decoded from the key frame
before it when an event asks for it.
"""

import io
from collections import deque
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import av
import numpy as np

from workloads.video_analytics.vision.model import Image

#: What an MP4 may hold and browsers show.
_MP4 = frozenset({"h264", "hevc", "av1", "vp9"})
_CLIP_WIDTH = 640
_JPEG_WIDTH = 1280
_LONGEST_DECODE = 600
#: Times went through text and back.
_SLACK = 0.001

Paint = Callable[[Image], Image]


class Kept(NamedTuple):
    """A packet: its bytes, when its picture was taken, and its stamps in the stream's time base."""

    data: bytes
    at: float
    pts: int | None
    dts: int | None
    duration: int | None
    key: bool


class Shape(NamedTuple):
    """What is needed to decode or copy packets away from their stream."""

    codec: str
    extradata: bytes | None
    width: int
    height: int
    pixel_format: str | None
    time_base: Fraction
    rate: Fraction


def shape_of(stream: Any) -> Shape:  # noqa: ANN401 - PyAV
    """The shape of an open stream."""
    context = stream.codec_context
    return Shape(
        context.codec.name, context.extradata, context.width, context.height, context.pix_fmt,
        stream.time_base or Fraction(1, 90000), stream.average_rate or Fraction(25),
    )  # fmt: skip


class Ring:
    """Packets of the last seconds, from a key frame on; bounded by time and by bytes.

    Args:
        seconds: how long packets are kept.
        most: bytes; a stream that is heavier keeps less.
    """

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._packets: deque[Kept] = deque()
        self._bytes = 0
        self.shape: Shape | None = None

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._bytes

    def begin(self, shape: Shape) -> None:
        """The stream was opened: what was before cannot be decoded with it."""
        if self.shape != shape:
            self._packets.clear()
            self._bytes = 0
        self.shape = shape

    def add(self, packet: Any, at: float) -> None:  # noqa: ANN401 - PyAV
        """Keep a copy of a packet."""
        if packet.size > self._most:
            return
        kept = Kept(
            bytes(packet), at, packet.pts, packet.dts, packet.duration, bool(packet.is_keyframe)
        )
        if not self._packets and not kept.key:
            return
        self._packets.append(kept)
        self._bytes += len(kept.data)
        self._shorten(at)

    def _shorten(self, now: float) -> None:
        """Drop whole groups of pictures from the front: what remains starts with a key frame."""
        while self._packets:
            oldest = self._packets[0]
            if self._bytes <= self._most and now - oldest.at <= self._seconds:
                return
            following = next((n for n, p in enumerate(self._packets) if n and p.key), None)
            if following is None:
                if self._bytes > self._most:
                    self._packets.clear()
                    self._bytes = 0
                return
            # Keep the group that the limit falls into: without its key frame it is worth nothing.
            if self._bytes <= self._most and now - self._packets[following].at < self._seconds:
                return
            for _ in range(following):
                self._bytes -= len(self._packets.popleft().data)

    def between(self, start: float, end: float) -> tuple[Shape, list[Kept]] | None:
        """Packets from the key frame before ``start`` to ``end``; None when there are none."""
        packets = [packet for packet in self._packets if packet.at <= end + _SLACK]
        if self.shape is None or not packets or packets[-1].at < start - 1:
            return None
        begin = max(
            (n for n, p in enumerate(packets) if p.key and p.at <= start + _SLACK), default=0
        )
        return self.shape, packets[begin:]


def _decoder(shape: Shape) -> Any:  # noqa: ANN401 - PyAV
    context: Any = av.CodecContext.create(shape.codec, "r")
    if shape.extradata:
        context.extradata = shape.extradata
    if shape.codec == "rawvideo":
        context.width, context.height = shape.width, shape.height
        context.pix_fmt = shape.pixel_format
    context.thread_count = 1
    return context


def _packets(kept: Sequence[Kept], base: Fraction) -> list[Any]:
    found = []
    for one in kept:
        packet = av.Packet(one.data)
        packet.pts, packet.dts, packet.time_base = one.pts, one.dts, base
        packet.is_keyframe = one.key
        if one.duration:
            packet.duration = one.duration
        found.append(packet)
    return found


def picture(shape: Shape, kept: Sequence[Kept], at: float, paint: Paint | None) -> bytes | None:
    """The picture of a moment as JPEG, at most 1,280 wide; None when it cannot be decoded.

    Args:
        shape: of the stream.
        kept: packets from a key frame on.
        at: the moment; the last picture that is not later is taken.
        paint: covers what must not be kept.
    """
    times = {one.pts: one.at for one in kept}
    decoder = _decoder(shape)
    best = None
    for packet in [*_packets(kept[-_LONGEST_DECODE:], shape.time_base), None]:
        try:
            frames = decoder.decode(packet)
        except av.FFmpegError:
            continue
        for frame in frames:
            if best is None or times.get(frame.pts, at) <= at + _SLACK:
                best = frame
    return None if best is None else jpeg(best, _JPEG_WIDTH, paint)


def jpeg(frame: Any, width: int, paint: Paint | None = None, quality: int = 85) -> bytes:  # noqa: ANN401
    """A decoded frame as JPEG, scaled down to a width."""
    import cv2  # noqa: PLC0415 - not needed to keep packets

    image = bgr(frame, width)
    if paint is not None:
        image = paint(image)
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("no picture could be made")
    return bytes(data)


def bgr(frame: Any, width: int) -> Image:  # noqa: ANN401 - PyAV
    """A decoded frame in BGR, scaled down to a width."""
    across, down = scaled(frame.width, frame.height, width)
    image = frame.reformat(width=across, height=down, format="bgr24", interpolation="AREA")
    return np.asarray(image.to_ndarray(), dtype=np.uint8)


def scaled(width: int, height: int, most: int) -> tuple[int, int]:
    """The size within a width; even, as chroma wants it; never larger."""
    if width <= most:
        return width, height
    return most // 2 * 2, max(2, round(height * most / width) // 2 * 2)


def clip(stream: Any, shape: Shape, kept: Sequence[Kept], paint: Paint | None) -> bytes:  # noqa: ANN401
    """The packets as MP4: copied as they are; encoded anew where masks or the codec want it.

    Args:
        stream: the open stream that they came from.
        shape: of it.
        kept: packets from a key frame on.
        paint: covers what must not be kept; with it nothing can be copied.

    Raises:
        ValueError: nothing could be made of them.
    """
    if not kept:
        raise ValueError("there are no packets")
    try:
        if paint is None and shape.codec in _MP4:
            return _copied(stream, shape, kept)
        return _encoded(shape, kept, paint)
    except (av.FFmpegError, IndexError, OverflowError) as error:
        raise ValueError("no clip could be made") from error


def _copied(stream: Any, shape: Shape, kept: Sequence[Kept]) -> bytes:  # noqa: ANN401
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        target = out.add_stream_from_template(stream, opaque=True)
        target.time_base = shape.time_base
        zero, last = None, -1
        for packet in _packets(kept, shape.time_base):
            stamp = packet.dts if packet.dts is not None else packet.pts
            if stamp is None:
                stamp = last + 1
            zero = stamp if zero is None else zero
            # The muxer refuses stamps that do not grow; wrong ones are moved on by one tick.
            decoded = max(stamp - zero, last + 1)
            shown = packet.pts - zero if packet.pts is not None else decoded
            packet.dts, packet.pts = decoded, max(shown, decoded)
            last = decoded
            packet.stream = target
            out.mux(packet)
    return buffer.getvalue()


def _encoded(shape: Shape, kept: Sequence[Kept], paint: Paint | None) -> bytes:
    """VP9: a free codec that browsers show; small and fast settings, for it is seldom needed."""
    buffer = io.BytesIO()
    decoder = _decoder(shape)
    with av.open(buffer, "w", format="mp4") as out:
        stream: Any = None
        first = kept[0].at
        times = {one.pts: one.at for one in kept}
        last = -1
        for packet in [*_packets(kept, shape.time_base), None]:
            try:
                frames = decoder.decode(packet)
            except av.FFmpegError:
                continue
            for frame in frames:
                image = bgr(frame, _CLIP_WIDTH)
                image = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
                image = paint(np.ascontiguousarray(image)) if paint else image
                if stream is None:
                    stream = out.add_stream("libvpx-vp9", rate=max(1, round(shape.rate)))
                    stream.width, stream.height = image.shape[1], image.shape[0]
                    stream.pix_fmt = "yuv420p"
                    stream.time_base = Fraction(1, 1000)
                    stream.codec_context.time_base = Fraction(1, 1000)
                    stream.options = {"deadline": "realtime", "cpu-used": "8", "crf": "33"}
                picture_ = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="bgr24")
                last = max(last + 1, round((times.get(frame.pts, first) - first) * 1000))
                picture_.pts, picture_.time_base = last, Fraction(1, 1000)
                out.mux(stream.encode(picture_))
        if stream is None:
            raise ValueError("none of the packets can be decoded")
        out.mux(stream.encode(None))
    return buffer.getvalue()
