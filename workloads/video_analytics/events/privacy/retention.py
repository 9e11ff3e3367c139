"""Retention: what is older than its data class allows is erased, unless it is held."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from itertools import islice

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.time import Clock
from workloads.video_analytics.events.model import Change
from workloads.video_analytics.events.ports import (
    Audit,
    CameraBook,
    EventStore,
    EvidenceFiles,
    Fact,
)
from workloads.video_analytics.events.privacy.model import (
    STRICTEST,
    USUAL,
    Retention,
    check_retention,
)
from workloads.video_analytics.events.privacy.ports import Ageing, PrivacyStore, Users

_BATCH = 200
#: What nobody refers to and nobody has put again for so long is taken away: a worker that died
#: between evidence and event left it, or the last that referred to it was erased.
_UNUSED_SECONDS = 3600.0


class Retaining:
    """How long what is kept, and erasing what is over.

    Args:
        users: all that refer to files of the evidence store.
        ageing: other features that keep things of cameras.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - one port each
        self,
        store: PrivacyStore,
        events: EventStore,
        cameras: CameraBook,
        files: EvidenceFiles,
        db: UnitOfWork,
        clock: Clock,
        audit: Audit,
        users: Sequence[Users],
        ageing: Sequence[Ageing] = (),
        unused_seconds: float = _UNUSED_SECONDS,
    ) -> None:
        self._store, self._events, self._cameras, self._files = store, events, cameras, files
        self._db, self._clock, self._audit = db, clock, audit
        self._users, self._ageing, self._unused = users, ageing, unused_seconds

    def periods(self, actor: Actor) -> list[Retention]:
        """How long what is kept, by data class."""
        policy.require(actor, "privacy.manage", policy.ROOT)
        with self._db.transaction():
            return list(self._periods().values())

    def set_period(self, actor: Actor, retention: Retention) -> Retention:
        """Say how long what of a data class is kept; needs the whole platform.

        Raises:
            Invalid: names every wrong field.
        """
        policy.require(actor, "privacy.manage", policy.ROOT)
        check_retention(retention)
        with self._db.transaction():
            before = self._periods()[retention.data_class]
            self._store.put_retention(retention)
            details = {"before": asdict(before), "after": asdict(retention)}
            self._audit.record(
                actor, "retention.set", path=policy.ROOT, subject=retention.data_class,
                details=details,
            )  # fmt: skip
        return retention

    def sweep(self) -> dict[str, int]:
        """Erase what is over; a job. Answers how much of what."""
        done: dict[str, int] = defaultdict(int)
        with self._db.transaction():
            periods = self._periods()
            by_class = self._by_class(self._store.event_cameras())
        for data_class, cameras in by_class.items():
            days = periods.get(data_class, STRICTEST).evidence
            done["events"] += self._erase(cameras, days, data_class)
        for keeper in self._ageing:
            with self._db.transaction():
                by_class = self._by_class(keeper.camera_ids())
            for data_class, cameras in by_class.items():
                period = periods.get(data_class, STRICTEST)
                for kind, days in (("tracks", period.tracks), ("reads", period.reads)):
                    before = self._clock.now() - timedelta(days=days)
                    done[kind] += self._forget(keeper, cameras, kind, before)
        done["files"] = self.clean()
        return dict(done)

    def clean(self) -> int:
        """Take away files that nobody refers to; a job. Answers how many."""
        gone = 0
        every = self._files.names()
        while names := list(islice(every, _BATCH)):
            with self._db.transaction():
                used = set[str]().union(*(user.used(names) for user in self._users))
            for name in names:
                if name not in used:
                    gone += self._files.remove(name, untouched_for=self._unused)
        self._files.forget_drafts(self._unused)
        return gone

    def _erase(self, cameras: list[str], days: int, data_class: str) -> int:
        before, count = self._clock.now() - timedelta(days=days), 0
        while True:
            with self._db.transaction():
                found = self._store.overdue(cameras, before, _BATCH)
                for event_id in found:
                    self._erase_one(event_id, days, data_class)
            count += len(found)
            if len(found) < _BATCH:
                return count

    def _erase_one(self, event_id: str, days: int, data_class: str) -> None:
        event = self._events.get(event_id, lock=True)
        if event is None or event.hold is not None or event.erased_at is not None:
            return
        now = self._clock.now()
        self._events.detach(event.id, [e.sha256 for e in event.evidence])
        self._events.put(replace(event, erased_at=now))
        details = {"files": [e.sha256 for e in event.evidence], "days": days,
                   "data_class": data_class}  # fmt: skip
        self._events.note(event.id, Fact(Change.ERASED, "", details), now)
        self._audit.record(Actor.system("retention"), "evidence.erase", path=event.path,
                           subject=event.id, details=details)  # fmt: skip

    def _forget(self, keeper: Ageing, cameras: list[str], kind: str, before: datetime) -> int:
        count = 0
        while True:
            with self._db.transaction():
                made = keeper.forget(cameras, kind, before)
            count += made
            if not made:
                return count

    def _by_class(self, camera_ids: Iterable[str]) -> dict[str, list[str]]:
        """The cameras by data class; those that are gone fall under the strictest."""
        wanted = list(camera_ids)
        known = self._cameras.seen(wanted)
        found: dict[str, list[str]] = defaultdict(list)
        for camera_id in wanted:
            seen = known.get(camera_id)
            found[seen.data_class if seen else STRICTEST.data_class].append(camera_id)
        return found

    def _periods(self) -> dict[str, Retention]:
        return {**USUAL, **self._store.retention()}
