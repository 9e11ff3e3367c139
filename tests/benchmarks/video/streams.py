"""How many streams one core carries at each tier, beside a plain OpenCV loop on the same film.

``python -m tests.benchmarks.video.streams``. Both are measured in seconds of processor (lane and
decoder together; OpenCV with one thread), turn about, so that other work on the machine changes
little. The plain loop is what one writes first: decode every frame in colour, MOG2 at full size.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.benchmarks.video.films import Watching, film, load
from workloads.video_analytics.vision.model import Tier

_PEER = """
import sys, resource, cv2

def size():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

cv2.setNumThreads(1)
had = size()
capture = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
model = cv2.createBackgroundSubtractorMOG2()
model.apply(capture.read()[1])
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
print(frames, used, size() - had)
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A film, and how it is watched.

    Attributes:
        busy: for which share of the time something moves; it is followed for some seconds more.
        gap: frames from one key frame to the next; 0 is a second.
    """

    title: str
    width: int
    height: int
    rate: int
    busy: float
    tier: Tier
    gap: int = 0

    def film(self, folder: Path, seconds: int) -> Path:
        """Made when it is first asked for."""
        path = folder / f"{self.width}x{self.height}-{self.rate}-{self.busy}-{self.gap}.mp4"
        if not path.exists():
            film(path, width=self.width, height=self.height, rate=self.rate, seconds=seconds,
                 busy=self.busy, gap=self.gap)  # fmt: skip
        return path


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a second of one stream.

    Attributes:
        lane, decoder: milliseconds of processor; the peer has it all in ``lane``.
        size: bytes of memory that a stream more takes.
    """

    lane: float
    decoder: float
    size: float

    @property
    def whole(self) -> float:
        """Milliseconds of processor."""
        return self.lane + self.decoder


CASES = (
    Case("640x360 at 5 frames/s", 640, 360, 5, 0.3, Tier.LOW_RATE),
    Case("the same, nothing moves", 640, 360, 5, 0.0, Tier.LOW_RATE),
    Case("640x360 at 25 frames/s", 640, 360, 25, 0.3, Tier.LOW_RATE),
    Case("640x360 at 25 frames/s", 640, 360, 25, 0.3, Tier.KEY_FRAMES),
    Case("640x360 at 25 frames/s", 640, 360, 25, 0.3, Tier.FULL),
    Case("1280x720 at 25 frames/s", 1280, 720, 25, 0.3, Tier.KEY_FRAMES),
    Case("1280x720 at 25 frames/s", 1280, 720, 25, 0.3, Tier.ACCESS),
)


def peer(path: Path, seconds: int) -> Cost:
    """The plain loop."""
    done = subprocess.run(
        [sys.executable, "-c", _PEER, str(path)], capture_output=True, text=True, check=True
    )
    _, used, grown = done.stdout.split()
    return Cost(float(used) / seconds * 1000, 0.0, float(grown))


def ours(path: Path, tier: Tier, seconds: int, cameras: int = 4) -> Cost:
    """A lane and its decoder."""
    with Watching(1) as watching:
        watching.watch("warm", path, tier)
        ended(watching, {"warm"})
        before, (size, _) = _split(watching), watching.memory()
        names = {f"cam_{n}" for n in range(cameras)}
        for name in names:
            watching.watch(name, path, tier)
        ended(watching, names)
        after = _split(watching)
        time.sleep(2.5)
        grown = (watching.memory()[0] - size) / cameras
    lane, decoder = (
        (b - a) / (cameras * seconds) * 1000 for a, b in zip(before, after, strict=True)
    )
    return Cost(lane, decoder, grown)


def _split(watching: Watching) -> tuple[float, float]:
    """Seconds of processor of lanes and of decoders."""
    lanes = psutil.Process().children()
    decoders = [child for lane in lanes for child in lane.children()]
    found = [sum(sum(one.cpu_times()[:2]) for one in each) for each in (lanes, decoders)]
    del watching
    return found[0], found[1]


def ended(watching: Watching, names: set[str]) -> None:
    """Wait until the films of these cameras were played to their ends."""
    until = time.monotonic() + 280
    while {
        n for n in names if watching.states.get(n, ("", "", ""))[2] == "played to the end"
    } != names:
        if time.monotonic() > until:
            raise TimeoutError(str(watching.states))
        time.sleep(0.05)


def table(cases: Sequence[Case], *, seconds: int, rounds: int) -> None:
    """Measure turn about, and print medians."""
    print(
        f"{'stream':26}{'tier':12}{'ms/s':>7} (lane, decoder){'streams/core':>14}"
        f"{'OpenCV loop':>13}{'times':>7}{'MB/stream':>11}{'of its':>8}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            path = case.film(Path(folder), seconds)
            theirs, mine = [], []
            for _ in range(rounds):
                theirs.append(peer(path, seconds))
                mine.append(ours(path, case.tier, seconds))
            one = _median(mine)
            other = _median(theirs)
            print(
                f"{case.title:26}{case.tier.value:12}{one.whole:7.2f} ({one.lane:5.2f}, "
                f"{one.decoder:6.2f}) {1000 / one.whole:14.0f}{1000 / other.whole:13.0f}"
                f"{other.whole / one.whole:7.1f}{one.size / 2**20:11.1f}"
                f"{one.size / max(1.0, other.size):8.2f}", flush=True,
            )  # fmt: skip
    print(load())


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(
        statistics.median(c.lane for c in costs), statistics.median(c.decoder for c in costs),
        statistics.median(c.size for c in costs),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    table(CASES, seconds=given.seconds, rounds=given.rounds)


if __name__ == "__main__":
    main()
