"""1,000 registered cameras on two lanes: without falling behind, then overload and recovery.

``python -m tests.benchmarks.video.thousand``. The cameras are files that play in a loop in real
time, one frame a second each at the tier of low rate, as the sub-streams of a city's cameras are
set. Then the same cameras' films come at a rate that two cores cannot carry (a second thousand at
ten frames a second): the lowest tier gives way first, and comes back when the load is gone.
"""

import argparse
import collections
import tempfile
import time
from pathlib import Path

from tests.benchmarks.video.films import Watching, film, load
from workloads.video_analytics.vision.model import Tier


def show(watching: Watching, title: str, seconds: float) -> None:
    """Figures of the last seconds."""
    since = time.monotonic() - seconds
    beats = [b for lane in watching.beats.values() for b in lane if b["at"] >= since]
    frames, dropped = sum(b["frames"] for b in beats), sum(b["dropped"] for b in beats)
    per = seconds or 1
    lag = max((b["lag"] for b in beats), default=0.0)
    last = [lane[-1] for lane in watching.beats.values()]
    tiers = collections.Counter(
        f"{state}/{tier}" + (f" ({detail})" if state == "degraded" else "")
        for state, tier, detail in watching.states.values()
    )
    print(
        f"{title:34} {frames / per:7.0f} frames/s, "
        f"{100 * dropped / max(1, frames + dropped):5.1f} % "
        f"replaced, lag of nine tenths {lag:5.2f} s, "
        f"given up {sum(b['pressure'] for b in last)} of "
        f"{sum(b['possible'] for b in last)}, {watching.memory()[0] / 2**20:.0f} MB; {load()}",
        flush=True,
    )
    for name, count in sorted(tiers.items(), key=lambda one: -one[1]):
        print(f"    {count:5} {name}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=1000)
    parser.add_argument("--rate", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--more", type=int, default=60)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Watching(2, {"calm_seconds": 4.0}) as watching:
        slow = film(Path(folder) / "slow.mp4", width=640, height=360, rate=given.rate, seconds=40)
        fast = film(Path(folder) / "fast.mp4", width=1280, height=720, rate=25, seconds=10)
        for n in range(given.cameras):
            tier = Tier.KEY_FRAMES if n % 5 == 0 else Tier.LOW_RATE
            watching.watch(f"cam_{n}", slow, tier, pace="loop", lane=n % 2, priority=n % 10)
            time.sleep(0.01)
        time.sleep(20)
        time.sleep(given.seconds)
        show(watching, f"{given.cameras} cameras", given.seconds)
        for n in range(given.more):
            watching.watch(f"more_{n}", fast, Tier.FULL, pace="loop", lane=n % 2, priority=9)
        for _ in range(3):
            time.sleep(given.seconds / 3)
            show(watching, f"and {given.more} of 720p, 25 frames/s", given.seconds / 3)
        for n in range(given.more):
            watching.drop(f"more_{n}", n % 2)
            watching.states.pop(f"more_{n}", None)
        for _ in range(4):
            time.sleep(given.seconds / 2)
            show(watching, "without them again", given.seconds / 2)


if __name__ == "__main__":
    main()
