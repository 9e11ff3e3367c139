"""Writes down what the lanes find: evidence first, then events, tracks and memories in one go."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import BoroughError, Unavailable
from foundation.kernel.time import Clock
from foundation.operations.jobs.outage import is_outage
from workloads.video_analytics.cameras.model import BLIND, Health, HealthState
from workloads.video_analytics.events.model import CLIP, JPEG, EventRef, EvidenceRef, Reported
from workloads.video_analytics.events.ports import EvidenceFiles, Fence, Fenced, Fences
from workloads.video_analytics.timeline.model import Kept
from workloads.video_analytics.vision.model import Phase, Tier
from workloads.video_analytics.workers import wire
from workloads.video_analytics.workers.ports import (
    Cameras,
    Events,
    Memories,
    Memory,
    Tracks,
    Usage,
)
from workloads.video_analytics.workers.wire import Header, Message

_log = logging.getLogger("borough.video.worker")
_RETRY = 1.0
_REMEMBERED = 20_000

FenceOf = Callable[[str], Fence | None]


def _health(header: Header, at: datetime) -> Health:
    tier = None if header["tier_now"] is None else Tier(header["tier_now"])
    return Health(
        HealthState(header["state"]), at, header["detail"], header["fps"], header["lag"], tier,
        header["offset"],
    )  # fmt: skip


def _counted(health: Health) -> Tier | None:
    """The tier that a camera is watched at; None while nothing of it is seen."""
    return None if health.state in BLIND else health.tier_now


@dataclass(frozen=True, slots=True)
class Sinks:
    """Where everything goes.

    Attributes:
        count_every: how often a camera's time is written down while it goes on as before.
    """

    db: UnitOfWork
    clock: Clock
    cameras: Cameras
    events: Events
    files: EvidenceFiles
    tracks: Tracks
    usage: Usage
    memories: Memories
    fences: Fences
    count_every: timedelta = timedelta(seconds=60)


@dataclass(slots=True)
class _Span:
    """Since when a camera has been watched at a tier, and how long it was so for certain."""

    tier: Tier
    start: datetime
    seen: datetime


class Writer:
    """Takes what lanes say. Safe for the threads of several lanes.

    Args:
        sinks: where to.
        fence_of: the fence of a camera; None when its shard is not held any more.
        fenced: is called with a shard that turned out to be another's.
    """

    def __init__(self, sinks: Sinks, fence_of: FenceOf, fenced: Callable[[int], None]) -> None:
        self._to = sinks
        self._fence_of = fence_of
        self._fenced = fenced
        self._ids: dict[tuple[Any, ...], str] = {}
        self._spans: dict[str, _Span] = {}
        self._healths: dict[str, tuple[Header, datetime]] = {}
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self.written = 0

    def stop(self) -> None:
        """Wait no longer for a database that does not answer."""
        self._ending.set()

    def take(self, message: Message) -> None:
        """Write down what a lane said of a camera; waits until it is written, or refused."""
        header = message.header
        match header["is"]:
            case "report":
                self._kept(header, lambda fence: self._report(fence, message))
            case "clip":
                self._kept(header, lambda fence: self._clip(fence, message))
            case "memory" | "dropped":
                self._kept(header, lambda fence: self._remember(fence, message))
                if header["is"] == "dropped":
                    self.end_hours([header["camera"]])
            case "health":
                with self._lock:
                    self._healths[header["camera"]] = (header, self._to.clock.now())
            case "beat":
                self._write_healths()
            case _:
                pass

    def _kept(self, header: Header, write: Callable[[Fence], None]) -> None:  # noqa: C901 - one branch an outcome
        camera = header["camera"]
        while not self._ending.is_set():
            fence = self._fence_of(camera)
            if fence is None:
                return
            try:
                write(fence)
            except Fenced:
                _log.warning("shard %d is another worker's: a write was refused", fence.shard)
                self._fenced(fence.shard)
                return
            except (Unavailable, OSError) as error:
                _log.error("camera %s: %s waits: %s", camera, header["is"], type(error).__name__)
                self._ending.wait(_RETRY)
            except BoroughError as error:
                # The camera or the rule was removed meanwhile: there is nothing to write it to.
                _log.warning("camera %s: %s: %s", camera, header["is"], error.message)
                return
            except sa.exc.SQLAlchemyError as error:
                if not is_outage(error):
                    raise
                # The lane waits, its decoder drops frames, and nothing that was found is lost.
                self._ending.wait(_RETRY)
            else:
                return

    # One kind of message each -----------------------------------------------------------------

    def _report(self, fence: Fence, message: Message) -> None:
        to, header = self._to, message.header
        camera = header["camera"]
        put: dict[int, EvidenceRef] = {}

        def evidence(part: int | None) -> EvidenceRef | None:
            if part is None:
                return None
            if part not in put:
                put[part] = to.files.put(bytes(message.parts[part]), JPEG)
            return put[part]

        signals = [
            Reported(wire.signal_in(one), evidence(one["picture"])) for one in header["signals"]
        ]
        pieces = [Kept(wire.piece_in(one), evidence(one["thumbnail"])) for one in header["tracks"]]
        with to.db.transaction():
            to.fences.check(fence)
            refs = to.events.report(fence, camera, signals) if signals else []
            for ref in refs:
                if ref.made:
                    to.usage.note_alarm(ref.id, to.clock.now())
            if pieces:
                to.tracks.keep(fence, camera, pieces)
            if header["memory"] is not None:
                data = bytes(message.parts[header["memory"]])
                to.memories.save(camera, Memory(data, header["progress"]))
        self._remember_ids(camera, signals, refs)

    def _remember_ids(
        self, camera: str, signals: Sequence[Reported], refs: Sequence[EventRef]
    ) -> None:
        """Which events began: their clips come later."""
        begun = {
            (one.signal.rule, one.signal.key, one.signal.began): one.signal
            for one in signals
            if one.signal.phase is Phase.ACTIVE
        }
        with self._lock:
            self.written += len(refs)
            for ref in refs:
                signal = begun.get((ref.rule, ref.key, ref.began))
                if signal is not None:
                    key = (camera, ref.rule, signal.version, ref.key, ref.began.isoformat())
                    self._ids[key] = ref.id
            while len(self._ids) > _REMEMBERED:
                self._ids.pop(next(iter(self._ids)))

    def _clip(self, fence: Fence, message: Message) -> None:
        camera = message.header["camera"]
        with self._lock:
            found = [
                event_id for event_id in
                (self._ids.get((camera, *key)) for key in message.header["events"]) if event_id
            ]  # fmt: skip
        if not found:
            return
        clip = self._to.files.put(bytes(message.parts[0]), CLIP)
        with self._to.db.transaction():
            for event_id in found:
                self._to.events.attach(fence, event_id, clip)
        with self._lock:
            for key in message.header["events"]:
                self._ids.pop((camera, *key), None)

    def _remember(self, fence: Fence, message: Message) -> None:
        header = message.header
        if not message.parts:
            return
        with self._to.db.transaction():
            self._to.fences.check(fence)
            memory = Memory(bytes(message.parts[0]), header["progress"])
            self._to.memories.save(header["camera"], memory)

    # Health and hours -------------------------------------------------------------------------

    def _write_healths(self) -> None:
        """All that lanes said of their cameras since the last beat, in one transaction.

        A transaction for each camera cost more than its analysis: of a thousand there are seventy a
        second. What cannot be written now is said anew within seconds; hours that were not counted
        are counted with the next ones.
        """
        with self._lock:
            waiting, self._healths = self._healths, {}
        fences = {c: f for c in waiting if (f := self._fence_of(c)) is not None}
        if not fences:
            return
        to = self._to
        try:
            with to.db.transaction():
                current = to.fences.current(set(fences.values()))
                known = {c: waiting[c] for c, fence in fences.items() if fence in current}
                told = {c: _health(*one) for c, one in known.items()}
                to.cameras.note_healths(told)
                spans = {c: span for c, one in told.items() if (span := self._span(c, one))}
                for camera, span in sorted(spans.items()):
                    to.usage.note_hours(
                        fences[camera], camera, span.tier, span.start, told[camera].at
                    )
        except (Unavailable, OSError) as error:
            _log.error("the health of %d cameras waits: %s", len(fences), type(error).__name__)
            return
        except sa.exc.SQLAlchemyError as error:
            if not is_outage(error):
                raise
            return
        for camera, one in told.items():
            self._go_on(camera, one)
        for fence in set(fences.values()) - current:
            _log.warning("shard %d is another worker's: a write was refused", fence.shard)
            self._fenced(fence.shard)

    def _span(self, camera: str, health: Health) -> _Span | None:
        """What is to be counted of a camera now: it is watched otherwise, or was for long."""
        with self._lock:
            span = self._spans.get(camera)
        if span is None or health.at <= span.start:
            return None
        return None if self._lasts(span, health) else span

    def _lasts(self, span: _Span, health: Health) -> bool:
        """Whether it is watched as before, and was not for so long that it is to be counted."""
        same = _counted(health) is span.tier
        return same and health.at - span.start < self._to.count_every

    def _go_on(self, camera: str, health: Health) -> None:
        """Its health is written down, and what was due of its hours."""
        tier = _counted(health)
        with self._lock:
            span = self._spans.get(camera)
            if tier is None:
                self._spans.pop(camera, None)
            elif span is not None and self._lasts(span, health):
                span.seen = health.at
            else:
                self._spans[camera] = _Span(tier, health.at, health.at)

    def end_hours(self, cameras: list[str]) -> None:
        """These cameras are watched here no more: what they were watched for is counted."""
        for camera in cameras:
            with self._lock:
                span = self._spans.pop(camera, None)
            fence = self._fence_of(camera)
            if span is not None and fence is not None and span.seen > span.start:
                try:
                    self._to.usage.note_hours(fence, camera, span.tier, span.start, span.seen)
                except (BoroughError, sa.exc.SQLAlchemyError):
                    _log.warning("the last hours of camera %s are not counted", camera)

    def forget(self, cameras: list[str]) -> None:
        """These cameras are another worker's: nothing of them is counted here any more."""
        with self._lock:
            for camera in cameras:
                self._spans.pop(camera, None)
