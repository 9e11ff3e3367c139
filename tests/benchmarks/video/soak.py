"""Memory and descriptors of lanes and decoders over a long time, with cameras that come and go.

``python -m tests.benchmarks.video.soak --minutes 30``. Cameras play in a loop; each half
minute some are dropped and others begun, one address never opens and one file is broken. What
counts is the growth from the first third to the last, and the slope by least squares of the last
two thirds (the first fills caches and the rings of packets): of all processes, and of each its own
memory and descriptors.
"""

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from pathlib import Path

import psutil

from tests.benchmarks.video.films import Watching, film, load
from workloads.video_analytics.vision.model import Tier


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--cameras", type=int, default=40)
    parser.add_argument("--nice", type=int, default=10)
    given = parser.parse_args()
    os.nice(given.nice)
    minutes, cameras = given.minutes, given.cameras
    rows: list[tuple[float, int, int]] = []
    each: dict[int, list[tuple[float, int, int]]] = {}
    kinds: dict[int, str] = {}
    with tempfile.TemporaryDirectory() as folder, Watching(2) as watching:
        path = film(Path(folder) / "a.mp4", width=640, height=360, rate=5, seconds=20)
        broken = Path(folder) / "broken.mp4"
        broken.write_bytes(path.read_bytes()[:5000])
        tiers = (Tier.LOW_RATE, Tier.LOW_RATE, Tier.KEY_FRAMES, Tier.FULL)
        lane_of = {}
        for n in range(cameras):
            lane_of[f"cam_{n}"] = n % 2
            watching.watch(f"cam_{n}", path, tiers[n % 4], pace="loop", lane=n % 2)
        watching.watch("bad", broken, Tier.LOW_RATE, pace="loop")
        watching.watch("gone", Path(folder) / "gone.mp4", Tier.LOW_RATE, pace="loop", lane=1)
        began = time.monotonic()
        following = cameras
        while (at := time.monotonic() - began) < minutes * 60:
            time.sleep(min(30.0, minutes * 60 - at + 0.1))
            for name in list(lane_of)[:2]:
                lane = lane_of.pop(name)
                watching.drop(name, lane)
                lane_of[f"cam_{following}"] = lane
                watching.watch(
                    f"cam_{following}", path, tiers[following % 4], pace="loop", lane=lane
                )
                following += 1
            size, handles = watching.memory()
            now = time.monotonic() - began
            rows.append((now, size, handles))
            for one in watching.processes():
                with contextlib.suppress(psutil.Error):
                    kinds.setdefault(one.pid, one.cmdline()[2].rpartition(".")[2])
                    each.setdefault(one.pid, []).append(
                        (now, one.memory_full_info().uss, one.num_fds())
                    )
            print(
                f"{now / 60:6.1f} min {size / 2**20:8.1f} MB {handles:5} descriptors, "
                f"{100 * watching.cpu() / now:3.0f} % of a core",
                flush=True,
            )
        frames, dropped = watching.frames, watching.dropped
        restarts = watching.crew.restarts
    print(f"{frames} frames, {dropped} replaced, {restarts} lanes restarted; {load()}")
    report(rows, each, kinds)


def report(
    rows: list[tuple[float, int, int]], each: dict[int, list[tuple[float, int, int]]],
    kinds: dict[int, str],
) -> None:  # fmt: skip
    """The growth of all processes, and of each."""
    third = len(rows) // 3 or 1
    size = [statistics.median(r[1] for r in part) / 2**20 for part in (rows[:third], rows[-third:])]
    handles = [statistics.median(r[2] for r in part) for part in (rows[:third], rows[-third:])]
    print(f"first third {size[0]:.1f} MB, {handles[0]:.0f} descriptors; "
          f"last third {size[1]:.1f} MB, {handles[1]:.0f} descriptors")  # fmt: skip
    late = rows[third:] or rows
    grows = _slope([(at, size) for at, size, _ in late])
    opens = _slope([(at, held * 2**20) for at, _, held in late])
    print(f"slope of the last two thirds: {grows:+.2f} MB and {opens:+.1f} descriptors an hour")
    print(f"{'process':18}{'minutes':>8}{'MB then':>9}{'now':>7}{'MB an hour':>12}"
          f"{'descriptors':>13}{'now':>5}{'an hour':>9}")  # fmt: skip
    for pid, found in each.items():
        part = [row for row in found if row[0] >= late[0][0]] or found
        first, last = part[0], part[-1]
        print(f"{kinds[pid]:10}{pid:8}{(last[0] - first[0]) / 60:8.1f}{first[1] / 2**20:9.1f}"
              f"{last[1] / 2**20:7.1f}{_slope([(at, size) for at, size, _ in part]):+12.2f}"
              f"{first[2]:13}{last[2]:5}"
              f"{_slope([(at, n * 2**20) for at, _, n in part]):+9.1f}")  # fmt: skip


def _slope(rows: list[tuple[float, int]]) -> float:
    """Of (seconds, bytes) the growth in MB an hour, by least squares."""
    if len(rows) < 2:
        return 0.0
    seconds, sizes = zip(*rows, strict=True)
    return statistics.linear_regression(seconds, sizes).slope * 3600 / 2**20


if __name__ == "__main__":
    main()
