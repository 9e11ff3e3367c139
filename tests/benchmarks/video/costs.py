"""What watching a camera costs, stage by stage, in one process: which part of a core goes where.

``python -m tests.benchmarks.video.costs``. Fifty cameras play a film in a loop in real time, each
in a decoder's thread; what they hand over goes through the lane's messages and analysis, in two
loops of one process instead of two processes. Every stage is measured in seconds of its thread's
processor, less those of the stages inside of it, so other work on the machine stretches the run and
changes the figures less. ``--whole`` measures processes instead: worker with leases and beats,
lane, decoder, and the database that they write to.
"""

import argparse
import contextlib
import functools
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import psutil

from foundation.kernel.actor import Actor
from foundation.kernel.text import Text
from tests.benchmarks.video.films import RULES, film, load
from workloads.video_analytics.bootstrap import make_keeper, open_video
from workloads.video_analytics.cameras.model import Settings as CameraSettings
from workloads.video_analytics.cameras.model import SourceKind
from workloads.video_analytics.cameras.service import SourceWish
from workloads.video_analytics.rules.model import Wish
from workloads.video_analytics.settings import Settings
from workloads.video_analytics.vision import memory, stages, tracker
from workloads.video_analytics.vision.analyser import CameraAnalyser
from workloads.video_analytics.vision.background import Background
from workloads.video_analytics.vision.gate import Gate
from workloads.video_analytics.vision.looks import Looker
from workloads.video_analytics.vision.model import CameraView, Phase, Tier
from workloads.video_analytics.workers import watched, wire
from workloads.video_analytics.workers.children import environment
from workloads.video_analytics.workers.decoder import Sender
from workloads.video_analytics.workers.keeper import Keeper, KeeperOptions
from workloads.video_analytics.workers.lane import LaneOptions
from workloads.video_analytics.workers.model import Feed, Pace, Watch, first_step, look
from workloads.video_analytics.workers.orders import Orders, Outlet
from workloads.video_analytics.workers.ring import Ring
from workloads.video_analytics.workers.session import Session
from workloads.video_analytics.workers.stream import CameraThread
from workloads.video_analytics.workers.watcher import Watcher
from workloads.video_analytics.workers.writer import Writer


@dataclass
class Stopwatch:
    """Seconds of processor of each stage, without those of the stages inside of it."""

    spent: dict[str, float] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    _inside: threading.local = field(default_factory=threading.local)

    def around(self, stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, measured."""
        spent, calls, inside, clock = self.spent, self.calls, self._inside, time.thread_time

        @functools.wraps(work)
        def measured(*given: Any, **named: Any) -> Any:
            outer = getattr(inside, "inner", 0.0)
            inside.inner = 0.0
            began = clock()
            try:
                return work(*given, **named)
            finally:
                whole = clock() - began
                spent[stage] = spent.get(stage, 0.0) + whole - inside.inner
                calls[stage] = calls.get(stage, 0) + 1
                inside.inner = outer + whole

        return measured

    def clear(self) -> None:
        """From now on."""
        self.spent.clear()
        self.calls.clear()


_SAVED_SECONDS = 60.0  # each camera's memory, as the worker's setting has it
#: What is measured: (stage, of what, its function).
STAGES: tuple[tuple[str, Any, str], ...] = (
    ("decode", Session, "_decode"),
    ("scale", Session, "_image"),
    ("packets kept", Ring, "add"),
    ("demux and schedule", Session, "_take"),
    ("messages", wire, "read"),
    ("messages", wire, "write"),
    ("gate", Gate, "look"),
    ("motion (background)", Background, "look"),
    ("tracking", stages.blobs, "find"),
    ("tracking", tracker.Tracker, "step"),
    ("tracking", stages.Stages, "_note"),
    ("picture's look", Looker, "look"),
    ("rules, the rest of the analysis", CameraAnalyser, "feed"),
    ("sketches and reports", watched.Sketches, "keep"),
    ("sketches and reports", watched.Camera, "report"),
    ("memory packed", memory, "pack"),
    ("health", watched.Camera, "health"),
)


#: What is measured of the worker, which alone knows the database.
WORK: tuple[tuple[str, Any, str], ...] = (
    ("beats and leases", Keeper, "_share"),
    ("registry and rules read", Watcher, "sync"),
    ("health and hours written", Writer, "_write_healths"),
    ("events and tracks written", Writer, "_report"),
    ("clips written", Writer, "_clip"),
    ("memory written", Writer, "_remember"),
    ("messages", wire, "read"),
)


class OneProcess:
    """Decoders' threads and a lane's loop beside each other.

    Args:
        path: of the film that all play.
        tier: of all.
        cameras: how many.
    """

    def __init__(self, path: Path, tier: Tier, cameras: int) -> None:
        self._reader, writer = os.pipe()
        self._sender = Sender(writer)
        outlet = Outlet(
            self._sender.frame, lambda *_: None, lambda *_: None, lambda *_: None, lambda *_: None
        )
        self._known: dict[str, watched.Camera] = {}
        self._threads = []
        self._saved = time.monotonic()
        self.frames = 0
        for n in range(cameras):
            feed = Feed(str(path), "file", Pace.LOOP)
            name = f"cam_{n}"
            self._known[name] = watched.Camera(
                Watch(name, feed, tier, 5, 1, (), RULES),
                CameraAnalyser(CameraView(name), RULES, tier), n,
            )  # fmt: skip
            orders = Orders(name, feed, look(tier, first_step(tier), RULES))
            self._threads.append(CameraThread(orders, outlet))

    def start(self) -> None:
        """Begin, spread over a second, as cameras come."""
        threading.Thread(target=self._sender.run, daemon=True).start()
        for thread in self._threads:
            thread.start()
            time.sleep(1 / len(self._threads))

    def stop(self) -> None:
        """End at the next frames."""
        for thread in self._threads:
            thread.stop()

    def run(self, seconds: float) -> None:
        """Look at what comes, as a lane does."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if wire.readable([self._reader], 0.25):
                message = wire.read(self._reader)
                if message is not None and message.header["is"] == "frame":
                    self._look(message)

    def _look(self, message: wire.Message) -> None:
        camera = self._known[message.header["camera"]]
        _, found = camera.feed(message.header, message.parts[0])
        self.frames += 1
        signals = [one for one in found.signals if one.phase is not Phase.CANDIDATE]
        if signals or found.tracks:
            camera.report(signals, found.tracks)
        if time.monotonic() - self._saved > _SAVED_SECONDS / len(self._known):
            self._saved = time.monotonic()
            list(self._known.values())[self.frames % len(self._known)].analyser.memory()


def stage_by_stage(path: Path, tier: Tier, cameras: int, seconds: float) -> None:
    """Print what each stage took."""
    watch = Stopwatch()
    for stage, where, name in STAGES:
        setattr(where, name, watch.around(stage, getattr(where, name)))
    one = OneProcess(path, tier, cameras)
    one.start()
    one.run(15)
    watch.clear()
    frames, began, used = one.frames, time.monotonic(), time.process_time()
    one.run(seconds)
    past, whole_ = time.monotonic() - began, time.process_time() - used
    one.stop()
    _print_stages(watch, whole_, past, cameras, one.frames - frames)


def _print_stages(
    watch: Stopwatch, whole: float, past: float, cameras: int, frames: int
) -> None:  # fmt: skip
    print(f"{cameras} cameras for {past:.0f} s, {frames} frames analysed "
          f"({frames / past / cameras:.2f} a camera and second); {load()}")  # fmt: skip
    print(f"{'stage':34}{'ms a camera-second':>20}{'share':>8}{'calls':>9}")
    spent = dict(watch.spent)
    spent["threads, waiting, all else"] = whole - sum(spent.values())
    for stage, one in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"{stage:34}{1000 * one / past / cameras:20.3f}{one / whole:8.1%}"
              f"{watch.calls.get(stage, 0):9}")  # fmt: skip
    each = 1000 * whole / past / cameras
    print(f"{'whole':34}{each:20.3f}; 1,000 cameras: {each:.2f} cores")


def whole(path: Path, tier: Tier, cameras: int, seconds: float) -> None:
    """A worker with its lane, decoder and database; what each process took."""
    watch = Stopwatch()
    for stage, where, name in WORK:
        setattr(where, name, watch.around(stage, getattr(where, name)))
    with tempfile.TemporaryDirectory() as home, open_video(
        Settings(home=Path(home), camera_folders=str(path.parent))
    ) as video:  # fmt: skip
        system = Actor.system("benchmark")
        video.departments.create(system, parent="/", slug="city", name=Text("City", "市"))
        for n in range(cameras):
            made = video.cameras.create(
                system, CameraSettings(Text(f"Camera {n}", f"相机 {n}"), "/city/", tier=tier),
                SourceWish(SourceKind.FILE, str(path)),
            )  # fmt: skip
            for rule in RULES:
                video.rules.create(
                    system, made.id, Wish(rule.kind, Text(rule.id, rule.id), rule.points)
                )
        keeper = make_keeper(
            video, KeeperOptions("wrk_bench", "bench", 1, lane=LaneOptions(degrade=False))
        )
        threading.Thread(target=keeper.run, daemon=True).start()
        time.sleep(30)
        watch.clear()
        before, began = _processes(home), time.monotonic()
        time.sleep(seconds)
        past = time.monotonic() - began
        after = _processes(home)
        print(f"{cameras} cameras for {past:.0f} s with a database; {load()}")
        total = 0.0
        for name, used in after.items():
            each = 1000 * (used - before.get(name, 0.0)) / past / cameras
            total += each
            print(f"{name:34}{each:20.3f} ms a camera-second")
            for stage, one in watch.spent.items() if name == "worker" else ():
                print(f"    {stage:30}{1000 * one / past / cameras:20.3f}, "
                      f"{watch.calls[stage] / past:.1f} a second")  # fmt: skip
        print(f"{'whole':34}{total:20.3f}; 1,000 cameras: {total:.2f} cores")
        keeper.end()
        time.sleep(3)


def _processes(home: str) -> dict[str, float]:
    """Seconds of processor by kind of process."""
    me = psutil.Process()
    found = {"worker": sum(me.cpu_times()[:2]), "lane": 0.0, "decoder": 0.0, "database": 0.0}
    for child in me.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            words = " ".join(child.cmdline())
            for kind in ("lane", "decoder"):
                if f"workers.{kind}" in words:
                    found[kind] += sum(child.cpu_times()[:2])
    for one in psutil.process_iter(["name", "cmdline"]):
        with contextlib.suppress(psutil.Error):
            if one.info["name"] == "postgres" and home in " ".join(one.info["cmdline"] or ()):
                family = [one, *one.children()]
                found["database"] = sum(sum(each.cpu_times()[:2]) for each in family)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--every", type=float, default=1.0, help="seconds from frame to frame")
    parser.add_argument("--busy", type=float, default=0.3, help="share of the time with motion")
    parser.add_argument("--tier", default=Tier.LOW_RATE.value)
    parser.add_argument("--whole", action="store_true", help="by process, with a database")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    if any(os.environ.get(name) != value for name, value in environment().items()):
        # As a worker's children are begun: how memory is given out is a part of the cost.
        os.execve(  # noqa: S606 - this very program again
            sys.executable, [sys.executable, *sys.orig_argv[1:]], environment()
        )
    with tempfile.TemporaryDirectory() as folder:
        path = film(Path(folder) / "a.mp4", width=640, height=360, rate=1, seconds=40, gap=5,
                    every=given.every, busy=given.busy)  # fmt: skip
        run = whole if given.whole else stage_by_stage
        run(path, Tier(given.tier), given.cameras, given.seconds)


if __name__ == "__main__":
    main()
