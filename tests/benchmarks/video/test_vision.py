"""What a frame costs: gate, background and the whole analysis of a camera, beside a plain OpenCV
loop (decode, MOG2 at full size, connected things) on the same clip in the same run, one thread."""

import itertools
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import cv2
import numpy as np
import psutil

from tests.benchmarks.video.films import ROOT
from workloads.video_analytics import samples
from workloads.video_analytics.vision.analyser import CameraAnalyser
from workloads.video_analytics.vision.background import Background
from workloads.video_analytics.vision.gate import PIXELS, Gate, small
from workloads.video_analytics.vision.model import (
    CameraView,
    Frame,
    Image,
    Point,
    RuleKind,
    RuleSpec,
    Tier,
)

_CLIP = samples.FOLDER / "car-detection.mp4"
_ROOM = samples.FOLDER / "one-by-one-person-detection.mp4"  # empty for the first five seconds
_RATE = 12.5
_LINE = (Point(0.0, 0.5), Point(1.0, 0.5))
_RULES = (
    RuleSpec("line", 1, RuleKind.LINE_CROSSING, _LINE),
    RuleSpec("count", 1, RuleKind.COUNTING, _LINE),
    RuleSpec("loiter", 1, RuleKind.LOITERING),
    RuleSpec("tamper", 1, RuleKind.TAMPERING),
)
_START = datetime(2026, 11, 21, tzinfo=UTC)


def _decoded(form: str, clip: Path = _CLIP) -> Iterator[Image]:
    with av.open(str(clip)) as container:
        container.streams.video[0].thread_count = 1
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format=form)


def _each(frames: list[Image], work: Callable[[Image], object]) -> tuple[float, float]:
    """Median and mean of the milliseconds that a frame takes, in processor time."""
    taken = []
    for frame in frames:
        began = time.thread_time()
        work(frame)
        taken.append(1000 * (time.thread_time() - began))
    return statistics.median(taken), statistics.fmean(taken)


def test_milliseconds_a_frame() -> None:
    cv2.setNumThreads(1)
    began = time.thread_time()
    frames = list(_decoded("gray"))
    decoding = 1000 * (time.thread_time() - began) / len(frames)
    inputs = [cv2.resize(frame, (640, 360)) for frame in frames]
    halves = [small(frame, 320 * 180) for frame in inputs]

    peer_model = cv2.createBackgroundSubtractorMOG2()

    def peer(frame: Image) -> None:
        mask = peer_model.apply(frame)
        cv2.connectedComponentsWithStats(np.asarray(cv2.medianBlur(mask, 5), np.uint8))

    gate, background = Gate(), Background()
    mog = cv2.createBackgroundSubtractorMOG2(500, 16, detectShadows=False)
    analyser = CameraAnalyser(CameraView("camera"), _RULES, Tier.LOW_RATE)
    quiet = CameraAnalyser(CameraView("camera"), _RULES, Tier.LOW_RATE)
    clock = iter(range(10**9))

    def analyse(which: CameraAnalyser) -> Callable[[Image], object]:
        return lambda frame: which.feed(
            Frame(_START + timedelta(seconds=next(clock) / _RATE), frame)
        )

    empty = [cv2.resize(f, (640, 360)) for f in itertools.islice(_decoded("gray", _ROOM), 50)]
    still = [*empty, *empty[::-1]] * 4
    rows = [
        ("plain loop: MOG2 and things, at full size (768×432)", *_each(frames, peer)),
        ("gate at 640×360", *_each(inputs, lambda f: gate.look(small(f, PIXELS), 1 / _RATE))),
        ("bare MOG2 at 320×180", *_each(halves, mog.apply)),
        ("background at 320×180", *_each(halves, lambda f: background.look(f, 1 / _RATE))),
        ("whole analysis, four rules, 640×360, traffic", *_each(inputs, analyse(analyser))),
        ("whole analysis, four rules, 640×360, quiet", *_each(still, analyse(quiet))),
    ]
    base = rows[0][2] + decoding
    print(f"\ndecoding 768×432 to grey: {decoding:.2f} ms a frame")
    for name, median, mean in rows:
        print(f"{name:55} median {median:6.3f} mean {mean:6.3f} ms, {mean / base:5.2f} of the loop")


_CHILD = "from tests.benchmarks.video.test_vision import grown; print(*grown())"


def grown() -> tuple[float, int]:
    """Bytes that an analyser takes after a hundred frames, and that it hands over."""
    frames = [cv2.resize(frame, (640, 360)) for frame in itertools.islice(_decoded("gray"), 50)]
    process = psutil.Process()
    analysers = []
    before = process.memory_info().rss
    for number in range(21):
        analyser = CameraAnalyser(CameraView(f"camera-{number}"), _RULES, Tier.LOW_RATE)
        for n, frame in enumerate(frames):
            analyser.feed(Frame(_START + timedelta(seconds=n / _RATE), frame))
        analysers.append(analyser)
        if number == 0:  # what is allocated once
            before = process.memory_info().rss
    size = (process.memory_info().rss - before) / (len(analysers) - 1)
    return size, len(analysers[0].memory())


def test_memory_of_an_analyser() -> None:
    # In a process of its own: in this one there is room that other tests have given back.
    done = subprocess.run(
        [sys.executable, "-c", _CHILD], cwd=ROOT, capture_output=True, text=True, check=True
    )
    size, handed = (float(each) for each in done.stdout.split())
    print(f"\nmemory of an analyser: {size / 2**20:.1f} MiB; handed over: {handed / 1024:.0f} KiB")
