"""A worker: takes its share of the shards, watches their cameras, gives way to others."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from foundation.kernel.errors import BoroughError
from foundation.operations.jobs.outage import is_outage
from workloads.video_analytics.cameras.model import SHARDS
from workloads.video_analytics.workers.capacity import Capacity, weights
from workloads.video_analytics.workers.crew import Crew
from workloads.video_analytics.workers.lane import LaneOptions
from workloads.video_analytics.workers.model import Pace, Worker, share
from workloads.video_analytics.workers.ports import Leases, Rules, WatchLists
from workloads.video_analytics.workers.watcher import Watcher
from workloads.video_analytics.workers.wire import Message
from workloads.video_analytics.workers.writer import Sinks, Writer

_log = logging.getLogger("borough.video.worker")


@dataclass(frozen=True, slots=True)
class KeeperOptions:
    """How a worker works.

    Attributes:
        id: of this run; ``name``: as people call it.
        lanes: processes that analyse; also its capacity.
        beat_seconds: between two signs of life; a third of the lease or less.
        sync_seconds: how often the registry is asked.
        lane: for each lane.
        file_pace: how cameras that are files are played.
    """

    id: str
    name: str
    lanes: int
    beat_seconds: float = 1.5
    sync_seconds: float = 2.0
    lane: LaneOptions = LaneOptions()  # noqa: RUF009 - frozen
    file_pace: Pace = Pace.LOOP


class Keeper:
    """One worker. ``run`` until ``end`` is called.

    Args:
        leases: who holds which shard.
        sinks: where findings go.
        rules: in force.
        lists: watch lists in force.
        options: as the settings say.
        announce: makes tokens of other leases known to the fences; answers those that count.
    """

    def __init__(
        self, leases: Leases, sinks: Sinks, rules: Rules, lists: WatchLists, options: KeeperOptions,
        announce: Callable[[str, Mapping[int, int]], Mapping[int, int]] | None = None,
    ) -> None:  # fmt: skip
        self._leases = leases
        self._options = options
        self._announce = announce
        self.watcher = Watcher(
            sinks.cameras, rules, lists, sinks.memories, sinks.db, sinks.clock,
            file_pace=options.file_pace,
        )  # fmt: skip
        self.writer = Writer(sinks, self.watcher.fence_of, self.watcher.lose)
        self.crew = Crew(options.lanes, options.lane, self._heard, self.watcher.again)
        self.watcher.use(self.crew)
        self._capacity = Capacity(float(options.lanes))
        self._announced: dict[int, int] = {}
        self._ending = threading.Event()

    def end(self) -> None:
        """Give everything back in good order, then end."""
        self._ending.set()

    def run(self) -> None:
        """Work until it is asked to end."""
        self.crew.start()
        syncing = threading.Thread(target=self._sync, name="sync", daemon=True)
        syncing.start()
        try:
            while not self._ending.wait(self._beat()):
                pass
        finally:
            self._leave()
            syncing.join(self._options.sync_seconds + 1)

    def _me(self) -> Worker:
        beats = [beat for beat in self.crew.beats() if beat]
        busy = sum(beat["busy"] for beat in beats) / max(1, len(beats))
        self._capacity.observe()
        return Worker(
            self._options.id, self._options.name, float(self._options.lanes), busy,
            self.watcher.count, sum(beat["degraded"] for beat in beats),
            lag=max((float(beat["lag"]) for beat in beats), default=0.0),
            cost=round(self._capacity.cost, 6), carries=self._capacity.carries,
        )  # fmt: skip

    def _beat(self) -> float:
        """Say that we live and take our share; answers seconds until the next time."""
        began = time.monotonic()
        try:
            self._share()
        except (BoroughError, OSError) as error:
            _log.warning("the leases cannot be renewed: %s", type(error).__name__)
        except sa.exc.SQLAlchemyError as error:
            if not is_outage(error):
                _log.exception("the leases cannot be renewed")
        return max(0.05, self._options.beat_seconds - (time.monotonic() - began))

    def _share(self) -> None:
        me = self._options.id
        living = self._leases.beat(self._me())
        held = self._fenced(dict(self._leases.held(me)))
        self.writer.forget(self.watcher.hold(held))
        wanted = {s for s, worker in share(weights(living), range(SHARDS)).items() if worker == me}
        surplus = held.keys() - wanted
        if surplus:
            # Beside the beats: what is handed over may take longer than a lease.
            self._hand_over(surplus)
        missing = wanted - held.keys()
        taken = dict(self._leases.take(me, missing)) if missing else {}
        if taken:
            _log.info("%d shards taken, %d held", len(taken), len(held) + len(taken))
            mine = {s: t for s, t in held.items() if s not in surplus} | self._fenced(taken)
            self.watcher.hold(mine)

    def _fenced(self, tokens: dict[int, int]) -> dict[int, int]:
        """Tokens that the fences know of, too."""
        if self._announce is None:
            return tokens
        fresh = {s: t for s, t in tokens.items() if self._announced.get(s) != t}
        self._announced |= self._announce(self._options.id, fresh)
        return {s: t for s, t in tokens.items() if self._announced.get(s) == t}

    def _hand_over(self, shards: set[int]) -> None:
        _log.info("%d shards handed over", len(shards))
        self.watcher.hand_over(shards)
        self._leases.give_back(self._options.id, shards)

    def _sync(self) -> None:
        while not self._ending.wait(self._options.sync_seconds):
            try:
                self.watcher.sync()
            except sa.exc.SQLAlchemyError as error:
                if not is_outage(error):
                    _log.exception("the cameras cannot be read")
            except BoroughError as error:
                _log.warning("the cameras cannot be read: %s", error.message)

    def _heard(self, lane: int, message: Message) -> None:
        self.writer.take(message)
        if message.header["is"] == "dropped":
            self.watcher.dropped(message.header["camera"])
        elif message.header["is"] == "beat":
            self._capacity.hear(lane, message.header)
        if message.header["is"] == "beat" and message.header["degraded"]:
            _log.info(
                "lane %d: %d of %d cameras degraded", lane, message.header["degraded"],
                message.header["cameras"],
            )  # fmt: skip

    def _leave(self) -> None:
        try:
            self.watcher.hand_over(set(self._leases.held(self._options.id)))
            self._leases.leave(self._options.id)
        except (BoroughError, sa.exc.SQLAlchemyError, OSError):
            _log.warning("the shards could not be given back: they lapse by themselves")
        self.writer.stop()
        self.crew.stop()
