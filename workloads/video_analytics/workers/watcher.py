"""Which cameras this worker watches, and in which lane."""

import functools
import ipaddress
import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from urllib.parse import urlsplit

import sqlalchemy as sa

from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import BoroughError, Invalid, Unavailable
from foundation.kernel.time import Clock
from foundation.operations.jobs.outage import is_outage
from workloads.video_analytics.cameras.model import Health, HealthState, SourceKind, Watched
from workloads.video_analytics.cameras.reach import Opening
from workloads.video_analytics.events.ports import Fence
from workloads.video_analytics.vision.model import RuleSpec, Tier
from workloads.video_analytics.workers import wire
from workloads.video_analytics.workers.crew import Crew
from workloads.video_analytics.workers.lists import Teller, Watching
from workloads.video_analytics.workers.model import Pace
from workloads.video_analytics.workers.ports import Cameras, Memories, Rules, WatchLists
from workloads.video_analytics.workers.wire import Header

_log = logging.getLogger("borough.video.worker")
#: How much a camera of a tier weighs, to share them among lanes.
_WEIGHTS = {Tier.ACCESS: 0.1, Tier.KEY_FRAMES: 1.0, Tier.LOW_RATE: 1.5, Tier.FULL: 8.0}
_AGAIN_SECONDS = 30.0
#: How often rules and watch lists are read again: what ends must end within a minute.
REFRESH_SECONDS = 20.0
#: Names of cameras that are resolved at once, and how long the others wait for them: a network
#: without names answers none of them for ten seconds each.
_OPENERS = 32
_OPENING_SECONDS = 1.0
#: Shorter than a lease: the beats wait meanwhile.
_HAND_OVER_SECONDS = 3.0


@dataclass(slots=True)
class _Entry:
    watched: Watched
    lane: int
    rules: tuple[RuleSpec, ...]
    opening: Opening = Opening("")  # noqa: RUF009 - frozen


def _common(entry: _Entry) -> Header:
    watched = entry.watched
    return {
        "camera": watched.view.id, "tier": watched.tier.value, "priority": watched.priority,
        "version": watched.version, "rules": [wire.rule_out(rule) for rule in entry.rules],
    }  # fmt: skip


def _same(one: _Entry, other: _Entry) -> bool:
    """Whether a camera is opened and seen in the same way."""
    return (one.opening, one.watched.view) == (other.opening, other.watched.view)


def _has_name(watched: Watched) -> bool:
    """Whether a name must be resolved before it can be opened."""
    if watched.source.kind is SourceKind.FILE:
        return False
    try:
        ipaddress.ip_address(urlsplit(watched.source.location).hostname or "")
    except ValueError:
        return True
    return False


class Watcher:
    """The cameras of the shards that this worker holds.

    Args:
        cameras: the registry.
        rules: in force.
        lists: watch lists in force.
        memories: where another worker was.
        db: the unit of work.
        clock: for notes of health.
        file_pace: how files are played.
        refresh: seconds after which rules and lists are read again.
    """

    def __init__(
        self, cameras: Cameras, rules: Rules, lists: WatchLists, memories: Memories,
        db: UnitOfWork, clock: Clock, *, file_pace: Pace = Pace.LOOP,
        refresh: float = REFRESH_SECONDS,
    ) -> None:  # fmt: skip
        self._cameras = cameras
        self._rules = rules
        self._memories = memories
        self._db = db
        self._clock = clock
        self._pace = file_pace
        self._crew: Crew | None = None
        self._teller = Teller(lists, self._tell_lane)
        self._refreshed = float("-inf")
        self._refresh_after = refresh
        self._tokens: dict[int, int] = {}
        self._entries: dict[str, _Entry] = {}
        self._shards: dict[str, int] = {}
        self._refused: dict[str, float] = {}
        self._openers = ThreadPoolExecutor(_OPENERS, thread_name_prefix="opening")
        self._opening: set[str] = set()
        self._dropping: set[str] = set()
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)

    def use(self, crew: Crew) -> None:
        """The lanes that there are."""
        self._crew = crew

    @property
    def count(self) -> int:
        """Cameras that are watched here."""
        return len(self._entries)

    def fence_of(self, camera: str) -> Fence | None:
        """The fence of a camera; None when its shard is not ours."""
        with self._lock:
            shard = self._shards.get(camera)
            token = None if shard is None else self._tokens.get(shard)
        return None if shard is None or token is None else Fence(shard, token)

    # Shards -----------------------------------------------------------------------------------

    def hold(self, tokens: Mapping[int, int]) -> list[str]:
        """The shards that are ours from now on; answers the cameras of those that are lost.

        What a lane still says of a lost one is refused here, and by the token in the database.
        """
        with self._lock:
            lost = {s for s, token in self._tokens.items() if tokens.get(s) != token}
            self._tokens = dict(tokens)
            gone = [c for c, one in self._entries.items() if one.watched.shard in lost]
            for camera in gone:
                self._tell(camera, {"do": "drop", "camera": camera, "close": False})
                self._forget(camera)
        return gone

    def lose(self, shard: int) -> None:
        """A write was refused: the shard is another's."""
        with self._lock:
            self.hold({s: token for s, token in self._tokens.items() if s != shard})

    def hand_over(self, shards: Collection[int]) -> None:
        """Stop watching the cameras of these shards; what is known of them is saved first."""
        with self._lock:
            leaving = {c for c, one in self._entries.items() if one.watched.shard in shards}
            self._dropping |= leaving
            for camera in leaving:
                self._tell(camera, {"do": "drop", "camera": camera, "close": False})
        until = time.monotonic() + _HAND_OVER_SECONDS
        with self._changed:
            while self._dropping & leaving and time.monotonic() < until:
                self._changed.wait(0.1)
            for camera in leaving:
                self._forget(camera)
            self._dropping -= leaving
            for shard in shards:
                self._tokens.pop(shard, None)

    def dropped(self, camera: str) -> None:
        """A lane has let go of a camera, and what it knew is written down."""
        with self._changed:
            self._dropping.discard(camera)
            self._changed.notify_all()

    def _forget(self, camera: str) -> None:
        self._entries.pop(camera, None)
        self._shards.pop(camera, None)

    # Cameras ----------------------------------------------------------------------------------

    def sync(self) -> None:
        """Watch what the registry says."""
        with self._lock:
            shards = set(self._tokens)
        wanted = {one.view.id: one for one in self._cameras.watched(shards)} if shards else {}
        with self._lock:
            known = {name: entry.watched for name, entry in self._entries.items()}
        new = [c for c, one in wanted.items() if c not in known or known[c].version != one.version]
        now = time.monotonic()
        new = [c for c in new if self._refused.get(c, 0) < now and c not in self._opening]
        # What needs no name resolved is there at once, and what failed before comes last.
        new.sort(key=lambda c: (c in self._refused, _has_name(wanted[c])))
        specs = self._rules.specs(new) if new else {}
        self._each({
            c: functools.partial(self._put, wanted[c], specs.get(c, ())) for c in new
        })  # fmt: skip
        for camera in known.keys() - wanted.keys():
            # Its shard may just be on its way to another worker: then it is no end of its events.
            with self._lock:
                if known[camera].shard not in self._tokens or camera in self._dropping:
                    continue
                self._tell(camera, {"do": "drop", "camera": camera, "close": True})
                self._entries.pop(camera, None)
        self._refresh(now)

    def _refresh(self, now: float) -> None:
        """Rules and watch lists begin and end by the clock, without a new version of a camera."""
        due = now - self._refreshed >= self._refresh_after
        if due:
            self._refreshed = now
            self._rules_again()
        with self._lock:
            watching = [
                Watching(one.lane, camera, one.watched.path, one.rules)
                for camera, one in self._entries.items()
            ]
        self._teller.tell(watching, due=due)

    def _rules_again(self) -> None:
        with self._lock:
            before = dict(self._entries)
        specs = self._rules.specs(before.keys()) if before else {}
        for camera, entry in before.items():
            rules = specs.get(camera, ())
            with self._lock:
                # What was put in its place meanwhile has its own.
                if rules == entry.rules or self._entries.get(camera) is not entry:
                    continue
                entry.rules = rules
                self._tell(camera, {"do": "change", **_common(entry)})

    def again(self, lane: int) -> None:
        """A lane was started anew: give it its cameras."""
        self._teller.forget(lane)
        with self._lock:
            entries = {c: one for c, one in self._entries.items() if one.lane == lane}
        self._each({c: functools.partial(self._begin, one) for c, one in entries.items()})

    def _each(self, work: Mapping[str, Callable[[], None]]) -> None:
        """Open cameras beside each other; who takes long is not waited for."""
        started: list[Future[None]] = []
        for camera, open_ in work.items():
            self._opening.add(camera)
            started.append(self._openers.submit(self._one, camera, open_))
        wait(started, _OPENING_SECONDS)

    def _one(self, camera: str, open_: Callable[[], None]) -> None:
        try:
            open_()
        except sa.exc.SQLAlchemyError as error:
            # Not watched yet: the registry's next answer names it again.
            with self._lock:
                self._entries.pop(camera, None)
            if not is_outage(error):
                _log.exception("camera %s cannot be opened", camera)
        except Exception:  # noqa: BLE001 - it costs this camera alone, for a while
            self._refused[camera] = time.monotonic() + _AGAIN_SECONDS
            with self._lock:
                self._entries.pop(camera, None)
            _log.exception("camera %s cannot be opened", camera)
        finally:
            self._opening.discard(camera)

    def _put(self, watched: Watched, rules: tuple[RuleSpec, ...]) -> None:
        camera = watched.view.id
        with self._lock:
            known = self._entries.get(camera)
            if watched.shard not in self._tokens:
                return
            lane = known.lane if known else self._lightest()
            entry = _Entry(watched, lane, rules)
            self._entries[camera] = entry
            self._shards[camera] = watched.shard
        self._begin(entry, known)

    def _lightest(self) -> int:
        weights = [0.0] * len(self._lanes)
        for one in self._entries.values():
            weights[one.lane] += _WEIGHTS[one.watched.tier]
        return weights.index(min(weights))

    @property
    def _lanes(self) -> Crew:
        if self._crew is None:
            raise RuntimeError("there are no lanes yet")
        return self._crew

    def _begin(self, entry: _Entry, known: _Entry | None = None) -> None:
        """Tell the lane of a camera; one that cannot be opened is tried again after a while."""
        watched = entry.watched
        camera = watched.view.id
        try:
            entry.opening = watched.opening()
        except BoroughError as error:
            away = isinstance(error, (Invalid, Unavailable))
            self._refused[camera] = time.monotonic() + _AGAIN_SECONDS
            with self._lock:
                if self._entries.get(camera) is not entry:
                    return
                self._tell(camera, {"do": "drop", "camera": camera, "close": True})
                self._entries.pop(camera, None)
            self._note(camera, HealthState.NO_SIGNAL if away else HealthState.BROKEN, error)
            return
        common = _common(entry)
        if known is not None and _same(known, entry):
            with self._lock:
                if self._entries.get(camera) is entry:
                    self._lanes.tell(entry.lane, {"do": "change", **common})
            return
        with self._db.transaction():
            memory = self._memories.load(camera)
        pace = self._pace if watched.source.kind is SourceKind.FILE else Pace.LIVE
        order: Header = {
            "do": "watch", **common, "view": wire.view_out(watched.view), "url": entry.opening.url,
            "kind": watched.source.kind.value, "pace": pace.value,
            "progress": dict(memory.progress),
            "reach": None if entry.opening.reach is None else entry.opening.reach.plain(),
        }  # fmt: skip
        with self._lock:
            # Its shard may have been lost while its memory was read.
            if self._entries.get(camera) is entry:
                self._lanes.tell(entry.lane, order, memory.data)

    def _note(self, camera: str, state: HealthState, error: BoroughError) -> None:
        with self._db.transaction():
            self._cameras.note_health(camera, Health(state, self._clock.now(), error.message))

    def _tell_lane(self, number: int, order: Header, *parts: bytes) -> None:
        self._lanes.tell(number, order, *parts)

    def _tell(self, camera: str, order: Header) -> None:
        entry = self._entries.get(camera)
        if entry is not None:
            self._lanes.tell(entry.lane, order)
