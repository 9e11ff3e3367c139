"""What is done to pictures before they leave: masks, blurring, visible and embedded watermarks.

The embedded mark is 64 bits in the order of two middle coefficients of the 8 × 8 cosine transform
of brightness, as Zhao and Koch put it ("Embedding robust labels into images for copyright
protection", 1995): one bit a block, each bit in very many blocks. It outlives saving as JPEG again
at usual qualities; it does not outlive cutting, turning or scaling, which is why it stands beside a
visible line and not in its place.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from workloads.video_analytics.vision.model import Box, Image, Point

#: How the file says what was blurred.
FIGURES = "moving figures as a whole (no face model)"
WHOLE = "the whole picture (nobody knows where the subject is)"
FACES = "faces found by a model; figures without one as a whole"
NOTHING = "nothing"

_BLOCK = 8
_BITS = 64
_FIRST, _SECOND = (2, 3), (3, 2)
_STRENGTH = 28.0
_LEAST = 40
_MARGIN = 0.25
_SAMPLES = 25
_FACES_WIDE = 6
_DIFFERENCE = 28
_LINE = 22
_QUALITY = 92
#: Clips are made again with this encoder: patent-free, and part of PyAV.
_ENCODER = "libvpx-vp9"
_MOST_FRAMES = 3000
_MOST_PIXELS = 3840 * 2160

Pixels = NDArray[np.float64]


class Faces(Protocol):
    """Finds faces."""

    def find(self, image: Image) -> Sequence[Box] | None:
        """Where faces are, in fractions of the frame; None where there is no model."""
        ...


class Unreadable(Exception):
    """It is no picture or clip that can be read."""


def draw_masks(image: Image, masks: Iterable[Sequence[Point]]) -> None:
    """Fill polygons with black, in place."""
    height, width = image.shape[:2]
    for mask in masks:
        corners = np.array([[round(p.x * width), round(p.y * height)] for p in mask], np.int32)
        cv2.fillPoly(image, [corners], (0, 0, 0))


def blur(image: Image, boxes: Iterable[Box]) -> None:
    """Make what is in the boxes unrecognisable, in place: coarse tiles, then smoothed."""
    height, width = image.shape[:2]
    for box in boxes:
        left, top = max(0, int(box.x * width)), max(0, int(box.y * height))
        right = min(width, int((box.x + box.width) * width) + 1)
        bottom = min(height, int((box.y + box.height) * height) + 1)
        if right - left < 2 or bottom - top < 2:  # noqa: PLR2004 - nothing to be seen
            continue
        part = image[top:bottom, left:right]
        tiles = max(1, min(right - left, bottom - top) // 8)
        small = cv2.resize(part, (max(1, part.shape[1] // tiles // 2),
                                  max(1, part.shape[0] // tiles // 2)),
                           interpolation=cv2.INTER_AREA)  # fmt: skip
        if min(small.shape[:2]) > 8:  # noqa: PLR2004 - never more than eight tiles across
            factor = 8 / min(small.shape[:2])
            small = cv2.resize(small, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        image[top:bottom, left:right] = cv2.resize(
            small, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_LINEAR
        )


def widened(box: Box) -> Box:
    """A box with a margin around it: a subject moves between the frames that were looked at."""
    dx, dy = box.width * _MARGIN, box.height * _MARGIN
    return Box(box.x - dx, box.y - dy, box.width + 2 * dx, box.height + 2 * dy)


def write_line(image: Image, text: str) -> None:
    """Write a line of text at the foot of the picture, on a dark ground; any language."""
    height, width = image.shape[:2]
    size = max(9, min(_LINE, width // 45))
    lines = _wrapped(text, max(12, int(width / size * 1.6)))
    ground = len(lines) * (size + 6) + 6
    foot = image[max(0, height - ground) :]
    foot[:] = (foot * 0.25).astype(np.uint8)
    font = cv2.FontFace("uni")
    for n, line in enumerate(lines):
        at = (6, height - ground + (n + 1) * (size + 6) - 4)
        cv2.putText(image, line, at, (255, 255, 255), font, size)


def _wrapped(text: str, across: int) -> list[str]:
    return [text[n : n + across] for n in range(0, len(text), across)][:4]


def bits_of(name: str) -> NDArray[np.bool_]:
    """The 64 bits that stand for an export."""
    return np.unpackbits(np.frombuffer(hashlib.sha256(name.encode()).digest()[:8], np.uint8)) > 0


def embed(image: Image, name: str) -> None:
    """Hide the mark of ``name`` in the picture's brightness, in place."""
    yuv = cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb)
    blocks = _blocks(np.asarray(yuv[:, :, 0], np.uint8))
    if not blocks.size:
        return
    bits = bits_of(name)[_order(len(blocks))]
    changed = fft.dctn(blocks, axes=(1, 2), norm="ortho")
    first, second = changed[:, *_FIRST], changed[:, *_SECOND]
    middle, apart = (first + second) / 2, (first - second) / 2
    wanted = np.where(bits, np.maximum(apart, _STRENGTH / 2), np.minimum(apart, -_STRENGTH / 2))
    changed[:, *_FIRST], changed[:, *_SECOND] = middle + wanted, middle - wanted
    back = fft.idctn(changed, axes=(1, 2), norm="ortho")
    rows, columns = yuv.shape[0] // _BLOCK, yuv.shape[1] // _BLOCK
    whole = back.reshape(rows, columns, _BLOCK, _BLOCK).swapaxes(1, 2)
    flat = whole.reshape(rows * _BLOCK, columns * _BLOCK)
    yuv[: rows * _BLOCK, : columns * _BLOCK, 0] = np.clip(np.rint(flat), 0, 255).astype(np.uint8)
    image[:] = cv2.cvtColor(yuv, cv2.COLOR_YCrCb2BGR)


def carries(image: Image, name: str) -> float:
    """How far a picture carries the mark of ``name``: 1 wholly, about 0.5 by chance."""
    blocks = _blocks(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb)[:, :, 0], np.uint8))
    if len(blocks) < _LEAST:
        return 0.0
    found = fft.dctn(blocks, axes=(1, 2), norm="ortho")
    apart = found[:, *_FIRST] - found[:, *_SECOND]
    votes = np.zeros(_BITS)
    np.add.at(votes, _order(len(blocks)), np.sign(apart))
    return float(np.mean((votes > 0) == bits_of(name)))


def _blocks(plane: Image) -> Pixels:
    rows, columns = plane.shape[0] // _BLOCK, plane.shape[1] // _BLOCK
    cut = plane[: rows * _BLOCK, : columns * _BLOCK].astype(np.float64)
    tiles = cut.reshape(rows, _BLOCK, columns, _BLOCK).swapaxes(1, 2)
    return tiles.reshape(rows * columns, _BLOCK, _BLOCK)


def _order(many: int) -> NDArray[np.int64]:
    """Which bit each block carries: spread, so that a flat sky does not cost whole bits."""
    spread: NDArray[np.int64] = np.random.default_rng(1995).permutation(many) % _BITS
    return spread


class Treatment:
    """What is done to each picture of an export.

    Args:
        masks: of the camera.
        subject: where the event's subject is; None when nobody knows.
        faces: may have a model.
        blurred: whether to blur at all.
        line: the visible watermark; ``name`` is what the embedded one stands for.
    """

    def __init__(
        self,
        masks: Sequence[Sequence[Point]],
        subject: Box | None,
        faces: Faces | None,
        *,
        blurred: bool,
        line: str,
        name: str,
    ) -> None:
        self._masks, self._subject, self._faces = masks, subject, faces
        self._blurred, self._line, self._name = blurred, line, name

    def picture(self, content: bytes) -> tuple[bytes, str]:
        """A JPEG again, and what was blurred in it.

        Raises:
            Unreadable: it is none.
        """
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise Unreadable("it is no picture")
        frame: Image = np.asarray(image, np.uint8)
        boxes, said = self._where(frame, [])
        self._finish(frame, boxes)
        ok, made = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        if not ok:
            raise Unreadable("it cannot be written")
        return _commented(made.tobytes(), f"{self._line} · {self._name}"), said

    def clip(self, source: Path, target: Path) -> str:
        """Write a clip again; answers what was blurred in it.

        Raises:
            Unreadable: it is none.
        """
        try:
            still = _still(source)
            said: set[str] = set()
            with av.open(str(source)) as read, av.open(
                str(target), "w", format="mp4", options={"movflags": "+faststart"}
            ) as write:  # fmt: skip
                write.metadata["comment"] = f"{self._line} · {self._name}"
                shown = read.streams.video[0]
                made: Any = write.add_stream(_ENCODER, rate=_rate(shown))
                made.options = {"deadline": "realtime", "cpu-used": "8", "crf": "33"}
                made.pix_fmt = "yuv420p"
                for n, frame in enumerate(read.decode(shown)):
                    if n == _MOST_FRAMES:
                        break
                    whole = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
                    image = whole[: whole.shape[0] // 2 * 2, : whole.shape[1] // 2 * 2].copy()
                    made.width, made.height = image.shape[1], image.shape[0]
                    boxes, how = self._where(image, _moving(image, still))
                    said.add(how)
                    self._finish(image, boxes)
                    write.mux(made.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
                write.mux(made.encode(None))
        except (av.FFmpegError, IndexError, ValueError) as error:
            raise Unreadable(f"it is no clip that can be read: {error}") from None
        return "; ".join(sorted(said)) or NOTHING

    def _where(self, image: Image, moving: list[Box]) -> tuple[list[Box], str]:
        if not self._blurred:
            return [], NOTHING
        figures = [*moving, *([] if self._subject is None else [self._subject])]
        if not figures:
            # Faces that a model finds are not all faces: it misses those that are turned or small.
            return [Box(0, 0, 1, 1)], WHOLE
        found = None if self._faces is None else self._faces.find(image)
        if found is None:
            return [widened(box) for box in figures], FIGURES
        rest = [one for one in figures if not any(_is_of(face, one) for face in found)]
        return [widened(box) for box in (*found, *rest)], FACES

    def _finish(self, image: Image, boxes: list[Box]) -> None:
        blur(image, boxes)
        draw_masks(image, self._masks)
        embed(image, self._name)
        write_line(image, self._line)


def _is_of(face: Box, figure: Box) -> bool:
    """Whether a face is the one of a figure: at its top, and no figure of several people.

    A person is about as wide as three faces beside each other, with the arms out six.
    """
    across, down = face.x + face.width / 2, face.y + face.height / 2
    inside = figure.x <= across <= figure.x + figure.width
    top = figure.y <= down <= figure.y + figure.height / 2
    return inside and top and figure.width <= _FACES_WIDE * face.width


def _rate(stream: Any) -> int:  # noqa: ANN401 - PyAV's stream
    return max(1, min(60, round(float(stream.average_rate or 10))))


def _still(source: Path) -> Image:
    """What stands still in a clip: the median of frames spread over it."""
    with av.open(str(source)) as read:
        stream = read.streams.video[0]
        if stream.width * stream.height > _MOST_PIXELS:
            raise ValueError("it is too large")
        many = min(stream.frames or 250, _MOST_FRAMES)
        every = max(1, many // _SAMPLES)
        kept = [
            cv2.GaussianBlur(
                _small(np.asarray(frame.to_ndarray(format="gray"), np.uint8)), (5, 5), 0
            )
            for n, frame in enumerate(read.decode(stream))
            if n % every == 0 and n < _MOST_FRAMES
        ]
    if not kept:
        raise ValueError("it has no frame")
    return np.asarray(np.median(np.stack(kept[: 2 * _SAMPLES]), axis=0), np.uint8)


def _small(gray: Image) -> Image:
    return np.asarray(cv2.resize(gray, (320, 180), interpolation=cv2.INTER_AREA), np.uint8)


def _moving(image: Image, still: Image) -> list[Box]:
    """Where a frame differs from what stands still; one box a figure, generous."""
    gray = cv2.GaussianBlur(_small(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))), (5, 5), 0)
    moved = (cv2.absdiff(gray, still) > _DIFFERENCE).astype(np.uint8)
    moved = np.asarray(cv2.dilate(moved, np.ones((9, 9), np.uint8)))
    count, _, stats, _ = cv2.connectedComponentsWithStats(moved)
    height, width = gray.shape
    return [
        Box(x / width, y / height, w / width, h / height)
        for x, y, w, h, _ in stats[1:count].tolist()
    ]


def _commented(jpeg: bytes, text: str) -> bytes:
    """The JPEG with a comment segment (ITU-T T.81, COM) after its beginning."""
    said = text.encode()[:60_000]
    return jpeg[:2] + b"\xff\xfe" + (len(said) + 2).to_bytes(2, "big") + said + jpeg[2:]
