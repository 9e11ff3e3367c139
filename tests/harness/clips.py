"""Small films made for tests, and servers that misbehave as cameras do."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np


def film(
    path: Path, *, width: int = 320, height: int = 180, seconds: float = 4, rate: int = 10,
    stamp: Callable[[int], int] | None = None, codec: str = "mpeg4", gop: int = 10,
) -> Path:  # fmt: skip
    """A square that moves over grey; the number of the frame is its brightness.

    Args:
        stamp: the presentation time of the nth frame in thousandths of a second.
    """
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.max_b_frames = 0
        for n in range(round(seconds * rate)):
            image = np.full((height, width, 3), 90, np.uint8)
            left = n * 7 % max(1, width - 20)
            image[height // 3 : height // 3 + 20, left : left + 20] = 90 + n % 100
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.time_base = Fraction(1, 1000)
            frame.pts = stamp(n) if stamp else n * 1000 // rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def restamped(source: Path, path: Path, stamp: Callable[[int, int], int]) -> Path:
    """The same packets with other stamps, as a broken recorder writes them."""
    with av.open(str(source)) as found, av.open(str(path), "w") as out:
        stream = found.streams.video[0]
        target = out.add_stream_from_template(stream, opaque=True)
        for n, packet in enumerate(found.demux(stream)):
            if packet.size:
                packet.pts = packet.dts = stamp(n, packet.pts or 0)
                packet.stream = target
                out.mux(packet)
    return path


def jpegs(count: int, size: tuple[int, int] = (160, 120)) -> list[bytes]:
    """JPEGs of a moving square."""
    import cv2  # noqa: PLC0415 - few tests need it

    found = []
    for n in range(count):
        image = np.full((size[1], size[0], 3), 100, np.uint8)
        image[20:40, n * 5 % 100 : n * 5 % 100 + 20] = 220
        found.append(bytes(cv2.imencode(".jpg", image)[1]))
    return found


@contextlib.contextmanager
def mjpeg_camera(
    *, frames: int | None = None, hang_after: int | None = None, rate: float = 10
) -> Iterator[str]:
    """A camera that sends MJPEG over HTTP; after so many frames it hangs, or hangs up.

    Args:
        frames: it closes the connection after so many; None: never.
        hang_after: it says nothing more after so many, and keeps the connection.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    ending = threading.Event()
    pictures = jpegs(40)

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.recv(4096)
            if hang_after == 0:
                ending.wait()
                return
            connection.sendall(
                b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n"
            )
            n = 0
            while not ending.is_set() and (frames is None or n < frames):
                if hang_after is not None and n >= hang_after:
                    ending.wait()
                    return
                data = pictures[n % len(pictures)]
                head = f"--b\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                connection.sendall(head.encode() + data + b"\r\n")
                n += 1
                time.sleep(1 / rate)

    def accept() -> None:
        while not ending.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listening.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/stream"
    finally:
        ending.set()
        listening.close()
