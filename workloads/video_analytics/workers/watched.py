"""One camera inside of a lane: its analysis, what waits for a picture, and how it does."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import cv2
import numpy as np

from workloads.video_analytics.vision.model import (
    Analyser,
    Analysis,
    Box,
    Frame,
    Image,
    Look,
    Phase,
    RuleSpec,
    Signal,
    Tier,
    TrackPiece,
)
from workloads.video_analytics.workers.model import BackOff, Step, Watch, first_step, tier_of
from workloads.video_analytics.workers.wire import Header, piece_out, signal_out

_SKETCH_SECONDS = 0.5
_SKETCHES = 40
_THUMBNAIL = 128
#: From so many seconds on a camera is late.
_LATE = 5.0
_NEAR = 0.02


def instant(at: float) -> datetime:
    """Seconds since 1970 as an instant."""
    return datetime.fromtimestamp(at, UTC)


def frame_of(header: Header, data: memoryview) -> Frame:
    """The frame of a decoder's message.

    Raises:
        ValueError: the lengths do not fit.
    """
    image: Image = np.frombuffer(data, np.uint8).reshape(header["shape"])
    at = instant(header["at"])
    if image.ndim == 3:  # noqa: PLR2004 - height, width, colours
        luma = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
        return Frame(at, luma, image, bool(header["key"]))
    return Frame(at, image, None, bool(header["key"]))


def small_jpeg(image: Image, quality: int = 80) -> bytes:
    """A picture as JPEG."""
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


@dataclass(slots=True)
class Sketches:
    """Small pictures of the last seconds with motion, to cut thumbnails of tracks from."""

    kept: deque[tuple[float, bytes]] = field(default_factory=lambda: deque(maxlen=_SKETCHES))

    def keep(self, frame: Frame) -> None:
        """Keep a frame, twice a second at most."""
        at = frame.at.timestamp()
        if not self.kept or at - self.kept[-1][0] >= _SKETCH_SECONDS:
            image = frame.colour if frame.colour is not None else frame.luma
            self.kept.append((at, small_jpeg(image)))

    def thumbnail(self, piece: TrackPiece) -> bytes | None:
        """The thing where its box was largest, cut from the nearest picture; None without one."""
        foot = piece.box.foot
        at = min(
            piece.path, key=lambda p: math.hypot(p[1].x - foot.x, p[1].y - foot.y), default=None
        )
        if at is None or not self.kept:
            return None
        moment = at[0].timestamp()
        near = min(self.kept, key=lambda one: abs(one[0] - moment))
        if abs(near[0] - moment) > 2 * _SKETCH_SECONDS:
            return None
        image = cv2.imdecode(np.frombuffer(near[1], np.uint8), cv2.IMREAD_UNCHANGED)
        return None if image is None else _cut(np.asarray(image, dtype=np.uint8), piece.box)


def _cut(image: Image, box: Box) -> bytes | None:
    height, width = image.shape[:2]
    left, top = max(0, int((box.x - _NEAR) * width)), max(0, int((box.y - _NEAR) * height))
    right = min(width, math.ceil((box.x + box.width + _NEAR) * width))
    bottom = min(height, math.ceil((box.y + box.height + _NEAR) * height))
    if right - left < 2 or bottom - top < 2:  # noqa: PLR2004 - nothing to be seen
        return None
    part = image[top:bottom, left:right]
    scale = _THUMBNAIL / max(part.shape[:2])
    if scale < 1:
        part = np.asarray(
            cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8
        )
    return small_jpeg(part)


@dataclass(slots=True)
class Waiting:
    """A report that waits for its picture, so that an event never comes without it."""

    number: int
    until: float
    report: Header
    parts: list[bytes]
    fallback: bytes


@dataclass(slots=True)
class Counted:
    """Since the last look."""

    frames: int = 0
    dropped: int = 0
    lag: float = 0.0


@dataclass(slots=True)
class Shown:
    """What people are told of the last seconds."""

    fps: float = 0.0
    lag: float = 0.0


class Camera:
    """What a lane knows of one camera.

    Args:
        watch: how it is watched.
        analyser: looks at its frames.
        slot: its place on the decoder's board.
    """

    def __init__(self, watch: Watch, analyser: Analyser, slot: int) -> None:
        self.watch = watch
        self.analyser = analyser
        self.slot = slot
        self.step = first_step(watch.tier)
        self.waiting: deque[Waiting] = deque()
        self.sketches = Sketches()
        self.now = Counted()
        self.shown = Shown()
        self.state = ("no_signal", "not connected yet")
        self.look = Look.FINE
        self.missing: tuple[str, ...] = ()
        self.drift = 0.0
        self.wrong = 0
        self.epoch: float | None = None
        self.position: float | None = None
        self.last_at: datetime | None = None
        self.fed = False
        self.saved_at = 0.0
        self.quarantine = BackOff(5.0, 600.0)
        self.quarantined_until: float | None = None
        self.strikes: list[float] = []
        self.told: tuple[Any, ...] = ()
        self.told_at = 0.0

    @property
    def tier_now(self) -> Tier:
        """As closely as it is watched."""
        return tier_of(self.watch.tier, self.step)

    @property
    def ended(self) -> bool:
        """It was a file, and is over."""
        return self.state[0] == "ended"

    def feed(self, header: Header, data: memoryview) -> tuple[Frame, Analysis]:
        """Look at a frame.

        Raises:
            ValueError: it is none.
        """
        frame = frame_of(header, data)
        found = self.analyser.feed(frame)
        self.fed = True
        self.last_at = frame.at
        self.position = header["position"]
        if self.epoch is None:
            self.epoch = header["at"] - header["position"]
        self.drift, self.wrong = header["drift"], header["wrong"]
        self.look, self.missing = found.look, found.missing
        self.now.frames += 1
        self.now.dropped += header["dropped"]
        if found.moving or found.tracks:
            self.sketches.keep(frame)
        return frame, found

    def progress(self) -> Header:
        """How far it was looked at, for whoever goes on."""
        return {"position": self.position, "epoch": self.epoch, "ended": self.ended}

    def recall(self, memory: bytes, progress: Header) -> None:
        """Go on where another one was."""
        if memory:
            self.analyser.recall(memory)
        self.position = progress.get("position")
        self.epoch = progress.get("epoch")
        if progress.get("ended"):
            self.state = ("ended", "played to the end")

    def change(self, rules: Sequence[RuleSpec]) -> Analysis:
        """Other rules, or another step."""
        return self.analyser.change(rules, self.tier_now)

    def report(
        self, signals: Sequence[Signal], tracks: Sequence[TrackPiece]
    ) -> tuple[Header, list[bytes]]:
        """What is to be written down of it, with thumbnails; a memory with what began or ended."""
        parts: list[bytes] = []
        pieces = []
        for piece in tracks:
            cut = self.sketches.thumbnail(piece)
            pieces.append({**piece_out(piece), "thumbnail": len(parts) if cut else None})
            parts += [cut] if cut else []
        turning = any(signal.phase is not Phase.UPDATED for signal in signals)
        header: Header = {
            "is": "report", "camera": self.watch.camera,
            "signals": [{**signal_out(one), "picture": None} for one in signals],
            "tracks": pieces, "memory": None, "progress": self.progress(),
        }  # fmt: skip
        if turning:
            header["memory"] = len(parts)
            parts.append(self.analyser.memory())
        return header, parts

    def health(self) -> Header:
        """How it does, in the words of ``cameras.model.HealthState``."""
        state, detail = self.state
        if state == "ended":
            state = "no_signal"
        elif state == "online":
            state, detail = self._seen()
        return {
            "is": "health", "camera": self.watch.camera, "state": state, "detail": detail,
            "fps": round(self.shown.fps, 2), "lag": round(self.shown.lag, 2),
            "tier_now": self.tier_now.value if state not in {"no_signal", "broken"} else None,
            "offset": round(self.drift, 2),
        }  # fmt: skip

    def _seen(self) -> tuple[str, str]:
        if self.look is not Look.FINE:
            return self.look.value, ""
        if self.step is not first_step(self.watch.tier):
            words = {Step.FEWER: "fewer frames", Step.KEYS: "key frames only"}
            return "degraded", words.get(self.step, "health only")
        if self.shown.lag > _LATE:
            return "late", ""
        return "online", "; ".join(self.missing)
