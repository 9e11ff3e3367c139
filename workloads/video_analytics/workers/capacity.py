"""How many cameras a worker can carry, from what those that it watches have cost so far.

Seconds of processor, of the worker itself, its lanes and their decoders, are divided by the cameras
that are watched as closely as they should be: what other programs do on the machine does not count,
and a worker that has given up a part says no more than it can (``docs/decisions/0269``).
"""

import math
import statistics
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from workloads.video_analytics.workers.model import Worker

#: Of the cores are used for what is measured; the rest is for moments with more motion.
USABLE = 0.8
_MEMORY_SECONDS = 120.0
_LEAST_SECONDS = 60.0
_CHANGED = 0.2


class Capacity:
    """What a camera costs this worker, and so how many it can carry.

    Args:
        cores: that the worker may use.
        own: seconds of processor that this process has used.
        now: seconds, of a clock that never goes back.
    """

    def __init__(
        self, cores: float, own: Callable[[], float] = time.process_time,
        now: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._cores = cores
        self._own = own
        self._now = now
        self._used: dict[int, float] = {}
        self._cameras: dict[int, int] = {}
        self._last: tuple[float, float] | None = None
        self._cost = 0.0
        self._seen = 0.0
        #: As it was told last; it changes only by a fifth and more, as shards move with it.
        self.carries = 0

    @property
    def cost(self) -> float:
        """Of a camera, cores; 0 until it was measured for a while."""
        return self._cost if self._seen >= _LEAST_SECONDS else 0.0

    def hear(self, lane: int, beat: Mapping[str, Any]) -> None:
        """A lane has said what it and its decoder used, and how many cameras it sees."""
        self._used[lane] = self._used.get(lane, 0.0) + beat["cpu"]
        self._cameras[lane] = beat["seen"]

    def observe(self) -> None:
        """Count what was used since the last call; call it every few seconds."""
        now, own = self._now(), self._own()
        last, self._last = self._last, (now, own)
        used, self._used = sum(self._used.values()), {}
        cameras = sum(self._cameras.values())
        if last is None or not used or not cameras or now <= last[0]:
            return
        seconds = now - last[0]
        cost = (used + own - last[1]) / seconds / cameras
        self._seen += seconds
        # At first the mean of all, then of the last two minutes.
        rate = max(seconds / self._seen, 1 - math.exp(-seconds / _MEMORY_SECONDS))
        self._cost += min(1.0, rate) * (cost - self._cost)
        if self.cost:
            found = USABLE * self._cores / self._cost
            if not self.carries or abs(found / self.carries - 1) > _CHANGED:
                self.carries = _round(found)


def _round(number: float) -> int:
    """To two digits: more would say that we know more."""
    if number < 1:
        return 0
    step = 10 ** max(0, math.floor(math.log10(number)) - 1)
    return int(round(number / step) * step)


def weights(workers: Collection[Worker]) -> dict[str, float]:
    """By which shards are shared out: cores, by how many cameras a core of each carries.

    In steps of the root of two: shards shall not move for a fifth. What a worker weighs does not
    change when another one comes or goes, unless it is far from the middle: nobody counts for more
    than twice or less than half of that, as one may have the dearest cameras by chance. Who has not
    measured yet is taken for one of the middle.
    """
    able = [one for one in workers if one.capacity > 0]
    steps = {
        one.id: round(2 * math.log2(one.carries / one.capacity)) for one in able if one.carries
    }
    middle = statistics.median_low(steps.values()) if steps else 0
    return {
        one.id: one.capacity
        * 2 ** (min(max(steps.get(one.id, middle), middle - 2), middle + 2) / 2)
        for one in able
    }
