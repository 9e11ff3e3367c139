"""1,000 registered cameras on two lanes: without falling behind, then overload and recovery.

``python -m tests.benchmarks.video.thousand``. The cameras are files that play in a loop in real
time, a frame every second or few and a key frame every fifth (as sub-streams of a city's cameras
are set), four in five at the tier of low rate, the others at key frames. Then films of 720p at 25
frames a second come on top at the tier ``full``, more than the processors can carry: the lowest
tier gives way first, and comes back when the load is gone.

The machine may have other work, so beside the lag stands what the lanes and decoders got of the
processor time that they asked for (/proc/PID/task/TID/schedstat: run and waiting to be run). Lag
with nine tenths of it is ours, lag with a half is the machine's.
"""

import argparse
import collections
import contextlib
import itertools
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.video.films import Watching, film, load
from workloads.video_analytics.vision.model import Tier

_RANKS = ("key-frames", "low-rate", "full")


@dataclass(slots=True)
class Turn:
    """From one look at the processes to the next: seconds of each thread, run and waited."""

    tasks: dict[str, tuple[float, float]] = field(default_factory=dict)
    at: float = 0.0

    def look(self, watching: Watching) -> tuple[float, float]:
        """Processors used, and the share of the processor time asked for that was had."""
        ran = waited = 0.0
        found = {}
        for process in watching.processes():
            for task in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
                with contextlib.suppress(OSError, ValueError):
                    run, wait, _ = (int(each) / 1e9 for each in task.read_text().split())
                    before = self.tasks.get(task.parent.name, (0.0, 0.0))
                    found[task.parent.name] = run, wait
                    ran, waited = ran + run - before[0], waited + wait - before[1]
        now = time.monotonic()
        past, self.tasks, self.at = now - self.at, found, now
        return ran / past, ran / max(1e-9, ran + waited)


def show(watching: Watching, turn: Turn, title: str, seconds: float) -> None:
    """Wait for so long, and print the figures of it."""
    turn.look(watching)
    since = time.monotonic()
    time.sleep(seconds)
    used, had = turn.look(watching)
    beats = [b for lane in watching.beats.values() for b in lane if b["at"] >= since]
    frames, dropped = sum(b["frames"] for b in beats), sum(b["dropped"] for b in beats)
    lag = sorted(b["lag"] for b in beats)
    last = [lane[-1] for lane in watching.beats.values()]
    print(
        f"{title:32} {frames / seconds:5.0f} frames/s, "
        f"{100 * dropped / max(1, frames + dropped):4.1f} % replaced, "
        f"lag of nine tenths {lag[len(lag) // 2] if lag else 0:5.2f} s (worst "
        f"{max(lag, default=0):5.2f}), given up {sum(b['pressure'] for b in last)} of "
        f"{sum(b['possible'] for b in last)}; {used:.2f} processors, {100 * had:.0f} % of what was "
        f"asked for, {watching.memory()[0] / 2**20:.0f} MB; {load()}",
        flush=True,
    )
    tiers = collections.Counter(
        f"{name.partition('_')[0]:9} {state}" + (f" ({detail})" if state == "degraded" else "")
        for name, (state, _, detail) in watching.states.items()
    )
    for name, count in sorted(tiers.items()):
        print(f"    {count:5} {name}", flush=True)


def order_kept(watching: Watching) -> bool:
    """Whether in each lane no tier has given way before the lower ones have done so wholly.

    Cameras are named after their tier and number, which tells the lane.
    """
    counts: dict[tuple[str, int], list[int]] = {}
    for name, (state, _, _) in watching.states.items():
        tier, _, number = name.partition("_")
        count = counts.setdefault((tier, int(number) % 2), [0, 0])
        if state in {"online", "degraded", "late"}:
            count[0] += state == "degraded"
            count[1] += 1
    return all(
        not counts.get((higher, lane), [0])[0] or counts[lower, lane][0] == counts[lower, lane][1]
        for lower, higher in itertools.pairwise(_RANKS)
        for lane in (0, 1)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=1000)
    parser.add_argument("--every", type=float, default=1.0, help="seconds from frame to frame")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--more", type=int, default=30)
    parser.add_argument("--recovery", type=int, default=180, help="seconds at most")
    given = parser.parse_args()
    turn = Turn()
    with tempfile.TemporaryDirectory() as folder, Watching(2, {"calm_seconds": 4.0}) as watching:
        slow = film(Path(folder) / "slow.mp4", width=640, height=360, rate=1, seconds=40, gap=5,
                    every=given.every)  # fmt: skip
        fast = film(Path(folder) / "fast.mp4", width=1280, height=720, rate=25, seconds=10)
        for n in range(given.cameras):
            tier = Tier.KEY_FRAMES if n % 5 == 0 else Tier.LOW_RATE
            name = tier.value.replace("_", "-")
            watching.watch(f"{name}_{n}", slow, tier, pace="loop", lane=n % 2, priority=n % 10)
            time.sleep(0.02 * given.every)
        show(watching, turn, "all opened", 20)
        for _ in range(3):
            show(watching, turn, f"{given.cameras} cameras", given.seconds / 3)
        for n in range(given.more):
            watching.watch(f"full_{n}", fast, Tier.FULL, pace="loop", lane=n % 2, priority=9)
        for _ in range(3):
            show(watching, turn, f"and {given.more} of 720p, 25 frames/s", given.seconds / 3)
            print(f"    the lowest tier first, wholly: {order_kept(watching)}")
        for n in range(given.more):
            watching.drop(f"full_{n}", n % 2)
            watching.states.pop(f"full_{n}", None)
        gone = time.monotonic()
        while time.monotonic() - gone < given.recovery:
            show(watching, turn, "without them again", given.seconds / 2)
            if not any(lane[-1]["pressure"] for lane in watching.beats.values()):
                print(f"    all given back within {time.monotonic() - gone:.0f} s")
                break


if __name__ == "__main__":
    main()
