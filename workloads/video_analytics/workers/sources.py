"""How FFmpeg is told to open a camera: time-outs, and only the protocols and formats of its kind.

A stream comes from a stranger. An HLS playlist may name ``file:/etc/passwd`` or a Unix socket, a
"video" may be an ``ffconcat`` script: so each kind has a list of protocols and of demuxers, and
nothing else is opened (https://ffmpeg.org/ffmpeg-protocols.html, ``protocol_whitelist``;
https://ffmpeg.org/ffmpeg-formats.html, ``format_whitelist``).
"""

import re
from dataclasses import dataclass
from typing import Any

import av
import av.logging
from av.stream import Discard

from workloads.video_analytics.workers.gate import GATE
from workloads.video_analytics.workers.model import Feed

#: Pixels of a picture that is decoded at all: 8K UHD and DCI, with a margin.
MAX_PIXELS = 8192 * 4608
_SMALLEST = 8

_PROTOCOLS = {
    "rtsp": "rtsp,rtp,tcp,tls",
    "mjpeg": "http,https,tcp,tls",
    "http": "http,https,tcp,tls",
    "hls": "http,https,tcp,tls,crypto,hls",
    "file": "file",
}
_FILES = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,h264,hevc,mjpeg,mpjpeg,"
    "yuv4mpegpipe,rawvideo,asf,ogg,nut,ivf,av1,obu"
)
_FORMATS = {
    "rtsp": "rtsp",
    "mjpeg": "mpjpeg,mjpeg",
    "http": f"mpjpeg,{_FILES}",
    "hls": "hls,mpegts,mov,mp4,m4a,3gp,3g2,mj2",
    "file": _FILES,
}
ASTRAY = "it leads to an address at which no camera may lie"
_CREDENTIALS = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s'\"]*")
_RAW = re.compile(r"(\d{1,5})x(\d{1,5})(?:@(\d{1,3}))?\.(?:yuv|raw|gray)$")


class Unwatchable(Exception):
    """The source answers with what cannot be watched; trying again soon will not help."""


class Ended(OSError):
    """A live source has said no more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a source may take.

    Attributes:
        open_seconds: until its first pictures are understood.
        read_seconds: between two packets.
        confine: nothing of the network is opened where the gate does not hold.
    """

    open_seconds: float = 10.0
    read_seconds: float = 10.0
    confine: bool = True


def quiet() -> None:
    """FFmpeg's own messages name addresses with their credentials: none is written."""
    av.logging.set_level(None)


def options(feed: Feed, limits: Limits) -> dict[str, str]:
    """FFmpeg's options for a feed.

    Raises:
        Unwatchable: no such kind.
    """
    if feed.kind not in _PROTOCOLS:
        raise Unwatchable(f"no such kind of source: {feed.kind[:20]}")
    found = {
        "protocol_whitelist": _PROTOCOLS[feed.kind],
        "format_whitelist": _FORMATS[feed.kind],
        "max_streams": "16",
        "probesize": "2000000",
        "analyzeduration": "3000000",
        "fflags": "+discardcorrupt",
    }
    microseconds = str(int(limits.read_seconds * 1e6))
    if feed.kind == "rtsp":
        # TCP: a lost packet of UDP is a broken picture. ``timeout`` is the socket's (stimeout
        # before FFmpeg 5); without it a silent camera holds the thread for half a minute.
        found |= {"rtsp_transport": "tcp", "timeout": microseconds, "reorder_queue_size": "0"}
        found |= {"max_delay": "500000", "allowed_media_types": "video"}
    elif feed.kind != "file":
        found |= {"rw_timeout": microseconds, "timeout": microseconds, "reconnect": "0"}
        found |= {"user_agent": "borough-video", "multiple_requests": "0"}
    if feed.kind == "hls":
        found |= {"allowed_extensions": "ts,m4s,mp4,m3u8,aac,cmfv,cmfa", "max_reload": "3"}
    return found


def open_feed(feed: Feed, limits: Limits) -> tuple[Any, Any]:
    """The container and its video stream, opened and checked.

    Raises:
        Unwatchable: it holds no video, or too large a one, or is no video at all.
        OSError: it does not answer (``av.FFmpegError`` is one).
    """
    given = options(feed, limits)
    if feed.kind != "file" and limits.confine and not GATE.holds:
        raise Unwatchable("this system cannot hold connections back (setting confine)")
    GATE.let(feed.reach)
    raw = _RAW.search(feed.url) if feed.kind == "file" else None
    shape: dict[str, Any] = {}
    if raw:
        width, height, rate = raw.groups()
        gray = not feed.url.endswith(".yuv")
        given |= {"video_size": f"{width}x{height}", "framerate": rate or "25"}
        given |= {"pixel_format": "gray" if gray else "yuv420p"}
        shape["format"] = "rawvideo"
    elif feed.kind == "mjpeg":
        shape["format"] = None
    container = av.open(
        feed.url, options=given, timeout=(limits.open_seconds, limits.read_seconds),
        metadata_errors="replace", **{name: value for name, value in shape.items() if value},
    )  # fmt: skip
    try:
        return container, _stream(container)
    except BaseException:
        container.close()
        raise


def _stream(container: Any) -> Any:  # noqa: ANN401 - PyAV
    if not container.streams.video:
        raise Unwatchable("it holds no video")
    stream = container.streams.video[0]
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    context = stream.codec_context
    if context is None or context.codec is None:
        raise Unwatchable("its codec is not known")
    if context.width * context.height > MAX_PIXELS:
        raise Unwatchable(f"its pictures are too large: {context.width}x{context.height}")
    if 0 < context.width < _SMALLEST or 0 < context.height < _SMALLEST:
        raise Unwatchable(f"its pictures are too small: {context.width}x{context.height}")
    # Threads of FFmpeg's own would multiply with the cameras, and delay the pictures.
    context.thread_count = 1
    context.thread_type = "NONE"
    context.options = {"max_pixels": str(MAX_PIXELS)}
    return stream


def reason(error: BaseException) -> str:
    """What went wrong, for people: never an address, which may hold a password."""
    if isinstance(error, (Unwatchable, Ended)):
        return str(error)
    if GATE.refused():
        return ASTRAY
    if isinstance(error, av.ExitError):  # PyAV's limits of time end a call so
        return "it did not answer in time"
    if isinstance(error, av.FFmpegError):
        text = (error.strerror or type(error).__name__).strip()
        return _CREDENTIALS.sub(r"\1…", text)[:200]
    return type(error).__name__
