"""Films and crews for the benchmarks of workers."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av
import numpy as np
import psutil

from workloads.video_analytics.vision.model import CameraView, Point, RuleKind, RuleSpec, Tier
from workloads.video_analytics.workers import wire
from workloads.video_analytics.workers.crew import Crew
from workloads.video_analytics.workers.lane import LaneOptions
from workloads.video_analytics.workers.wire import Header, Message

ROOT = Path(__file__).parents[3]
CODEC = "libx264"  # of the benchmark's films alone; nothing of ours encodes with it
RULES = (
    RuleSpec("rul_motion", 1, RuleKind.MOTION),
    RuleSpec("rul_line", 1, RuleKind.LINE_CROSSING, (Point(0.5, 0.1), Point(0.5, 0.9))),
)


def film(
    path: Path, *, width: int, height: int, rate: int, seconds: int, busy: float = 0.3,
    gap: int = 0, every: float = 0.0,
) -> Path:  # fmt: skip
    """A scene with noise and things that walk through it for a part of the time.

    Args:
        busy: for which share of ten seconds something moves.
        gap: frames from one key frame to the next; 0 is a second.
        every: seconds from frame to frame, where the rate is less than one a second.
    """
    base = Fraction(round(1000 * every), 1000) if every else Fraction(1, rate)
    random = np.random.default_rng(7)
    ground = random.integers(60, 160, (height // 8, width // 8), np.uint8)
    ground = np.kron(ground, np.ones((8, 8), np.uint8))[:height, :width]
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(CODEC, rate=1 / base)
        stream.width, stream.height, stream.pix_fmt = ground.shape[1], ground.shape[0], "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "28", "g": str(gap or rate), "bf": "0"}
        for n in range(rate * seconds):
            image = ground.astype(np.int16) + random.integers(-3, 4, ground.shape)
            if n % (rate * 10) < rate * 10 * busy:
                x = round(n % (rate * 10) / (rate * 10 * busy) * (ground.shape[1] - width // 12))
                image[height // 2 : height // 2 + height // 5, x : x + width // 14] += 60
            gray = np.clip(image, 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(gray, format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = n, base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@dataclass
class Watching:
    """A crew of real lanes without a database; what they say is counted."""

    lanes: int
    options: dict[str, Any] = field(default_factory=dict)
    beats: dict[int, list[Header]] = field(default_factory=dict)
    states: dict[str, tuple[str, str | None, str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    lags: list[float] = field(default_factory=list)
    frames: int = 0
    dropped: int = 0
    crew: Crew = field(init=False)

    def __enter__(self) -> Self:
        os.environ["PYTHONPATH"] = str(ROOT)
        self.crew = Crew(self.lanes, LaneOptions(**self.options), self._heard, lambda _lane: None)
        self.crew.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.crew.stop(5)

    def _heard(self, lane: int, message: Message) -> None:
        header = message.header
        self.counts[header["is"]] = self.counts.get(header["is"], 0) + 1
        if header["is"] == "beat":
            self.beats.setdefault(lane, []).append({**header, "at": time.monotonic()})
            self.frames += header["frames"]
            self.dropped += header["dropped"]
        elif header["is"] == "health":
            self.states[header["camera"]] = (header["state"], header["tier_now"], header["detail"])
            if header["state"] in {"online", "late", "degraded"}:
                self.lags.append(header["lag"])

    def watch(
        self, camera: str, path: Path, tier: Tier, *, pace: str = "fast", lane: int = 0,
        priority: int = 5, rules: Sequence[RuleSpec] = RULES,
    ) -> None:  # fmt: skip
        self.crew.tell(lane, {
            "do": "watch", "camera": camera, "view": wire.view_out(CameraView(camera)),
            "url": str(path), "kind": "file", "pace": pace, "tier": tier.value,
            "priority": priority, "version": 1, "progress": {},
            "rules": [wire.rule_out(rule) for rule in rules],
        })  # fmt: skip

    def drop(self, camera: str, lane: int) -> None:
        self.crew.tell(lane, {"do": "drop", "camera": camera, "close": True})

    def processes(self) -> list[psutil.Process]:
        """Lanes and their decoders."""
        return psutil.Process().children(recursive=True)

    def cpu(self) -> float:
        """Seconds of processor that lanes and decoders have used."""
        found = 0.0
        for one in self.processes():
            times = one.cpu_times()
            found += times.user + times.system
        return found

    def memory(self) -> tuple[int, int]:
        """(private bytes, open descriptors) of lanes and decoders."""
        size = handles = 0
        for one in self.processes():
            try:
                size += one.memory_full_info().uss
                handles += one.num_fds()
            except psutil.Error:
                continue
        return size, handles


def load() -> str:
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
