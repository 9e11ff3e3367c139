"""How many streams one core carries at each tier, beside a plain OpenCV loop on the same film.

``python -m tests.benchmarks.video.streams``. Both are measured in seconds of processor (lane and
decoder together; OpenCV with one thread), so that other work on the machine changes little. The
plain loop is what one writes first: decode every frame in colour, MOG2 at full size.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.video.films import ROOT, Watching, film, load
from workloads.video_analytics.vision.model import Tier

_PEER = """
import sys, resource, cv2
cv2.setNumThreads(1)
capture = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
model = cv2.createBackgroundSubtractorMOG2()
capture.read()
before = resource.getrusage(resource.RUSAGE_SELF)
frames = 0
while True:
    there, image = capture.read()
    if not there:
        break
    model.apply(image)
    frames += 1
after = resource.getrusage(resource.RUSAGE_SELF)
used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
print(frames, used)
"""
_SECONDS = 60


def peer(path: Path) -> float:
    """Milliseconds of processor for one frame of the plain loop."""
    done = subprocess.run(
        [sys.executable, "-c", _PEER, str(path)], capture_output=True, text=True, check=True
    )
    frames, used = done.stdout.split()
    return float(used) / int(frames) * 1000


def ours(path: Path, tier: Tier, cameras: int = 4) -> tuple[float, float, int]:
    """Milliseconds of processor for one second of one stream; bytes for a stream more; frames."""
    with Watching(1) as watching:
        watching.watch("warm", path, tier)
        _ended(watching, {"warm"})
        before, (size, _) = watching.cpu(), watching.memory()
        frames = watching.frames
        names = {f"cam_{n}" for n in range(cameras)}
        for name in names:
            watching.watch(name, path, tier)
        _ended(watching, names)
        used = watching.cpu() - before
        time.sleep(2.5)
        grown = (watching.memory()[0] - size) / cameras
    return used / (cameras * _SECONDS) * 1000, grown, watching.frames - frames


def _ended(watching: Watching, names: set[str]) -> None:
    until = time.monotonic() + 280
    while {
        n for n in names if watching.states.get(n, ("", "", ""))[2] == "played to the end"
    } != names:
        if time.monotonic() > until:
            raise TimeoutError(str(watching.states))
        time.sleep(0.05)


def main() -> None:
    cases = (
        ("640x360 at 5 frames/s", (640, 360, 5, 0.3), Tier.LOW_RATE),
        ("the same, nothing moves", (640, 360, 5, 0.0), Tier.LOW_RATE),
        ("640x360 at 25 frames/s", (640, 360, 25, 0.3), Tier.LOW_RATE),
        ("640x360 at 25 frames/s", (640, 360, 25, 0.3), Tier.KEY_FRAMES),
        ("640x360 at 25 frames/s", (640, 360, 25, 0.3), Tier.FULL),
        ("1280x720 at 25 frames/s", (1280, 720, 25, 0.3), Tier.KEY_FRAMES),
        ("1280x720 at 25 frames/s", (1280, 720, 25, 0.3), Tier.ACCESS),
    )
    print(
        f"{'stream':26}{'tier':12}{'ms/s':>8}{'streams/core':>14}{'OpenCV loop':>13}"
        f"{'ratio':>7}{'MB/stream':>11}"
    )
    with tempfile.TemporaryDirectory() as folder:
        peers: dict[tuple[int, int, int, float], float] = {}
        for title, shape, tier in cases:
            width, height, rate, busy = shape
            path = Path(folder) / f"{width}x{height}-{rate}-{busy}.mp4"
            if shape not in peers:
                film(path, width=width, height=height, rate=rate, seconds=_SECONDS, busy=busy)
                peers[shape] = peer(path) * rate
            cost, grown, _ = ours(path, tier)
            many, theirs = 1000 / cost, 1000 / peers[shape]
            print(
                f"{title:26}{tier.value:12}{cost:8.2f}{many:14.0f}{theirs:13.0f}"
                f"{many / theirs:7.1f}{grown / 2**20:11.1f}", flush=True,
            )  # fmt: skip
    print(load(), f"at {ROOT.name}; own {resource.getrusage(resource.RUSAGE_SELF).ru_utime:.0f} s")


if __name__ == "__main__":
    main()
