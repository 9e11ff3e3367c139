"""The life of events: workers report, people look, acknowledge and judge."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import BinaryIO

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Conflict, NotFound
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock
from workloads.video_analytics.events.model import (
    Change,
    Entry,
    Event,
    EventFilter,
    EventId,
    EventRef,
    EventState,
    EvidenceRef,
    Hold,
    Note,
    Reported,
    RuleRate,
    Verdict,
    check_note,
    is_news,
    severity_of,
    state_of,
)
from workloads.video_analytics.events.ports import (
    Audit,
    CameraBook,
    EventStore,
    EvidenceFiles,
    Fact,
    Fence,
    Fences,
    Listener,
    Publisher,
    RuleAbout,
    RuleBook,
    Seen,
)
from workloads.video_analytics.vision.model import Phase, Signal

#: What is published when an event begins, ends, or gets evidence: ``{event_id, change, …}``.
TOPIC = "video.event"
_VIEW = "event.view"
_RATES_DAYS = 90
#: So much evidence an event has at most: what comes later adds nothing that a person would look at.
_MOST_EVIDENCE = 20


class Events:
    """Events of all cameras.

    Args:
        store: the rows.
        db: the unit of work.
        clock: ours; the times of events are the cameras'.
        fences: who may report for which shard.
        cameras: whose camera it is.
        rules: what kind of rule it was.
        files: the evidence.
        outbox: how others learn of it.
        audit: where viewings are written down.
        listeners: hear every signal that is no candidate, in the transaction that keeps it.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - one port each
        self,
        store: EventStore,
        db: UnitOfWork,
        clock: Clock,
        fences: Fences,
        cameras: CameraBook,
        rules: RuleBook,
        files: EvidenceFiles,
        outbox: Publisher,
        audit: Audit,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self._listeners = tuple(listeners)
        self._store, self._db, self._clock = store, db, clock
        self._fences, self._cameras, self._rules = fences, cameras, rules
        self._files, self._outbox, self._audit = files, outbox, audit

    # Workers ----------------------------------------------------------------------------------

    def report(
        self, fence: Fence, camera_id: str, signals: Sequence[Reported]
    ) -> Sequence[EventRef]:
        """Keep what a camera's rules noticed, in one transaction; it is on the disk afterwards.

        The same signal may be reported again, by this worker or the next one: the event of a rule,
        version, key and beginning is one row. Only an ACTIVE signal makes an event; UPDATED and
        ENDED change one that is there, and candidates are not kept.

        Args:
            fence: the worker's right to write for the camera's shard.
            camera_id: the camera.
            signals: in the order in which they happened.

        Returns:
            One for each signal that has an event, in order.

        Raises:
            Fenced: another worker holds the shard now; nothing was kept.
            NotFound: the camera is gone, or there never was such a version of the rule.
        """
        told = [one for one in signals if one.signal.phase is not Phase.CANDIDATE]
        if not told:
            return ()
        with self._db.transaction():
            self._fences.check(fence)
            seen = self._cameras.seen({camera_id}).get(camera_id)
            if seen is None:
                raise policy.unknown("camera")
            about = self._rules.about({(t.signal.rule, t.signal.version) for t in told})
            refs: dict[int, EventRef] = {}
            # Sorted: two workers that report the same events take their rows in the same order.
            order = sorted(range(len(told)), key=lambda i: (*_identity(told[i].signal), i))
            for i in order:
                one = told[i].signal
                known = about.get((one.rule, one.version))
                if known is None:
                    raise policy.unknown("rule")
                for listen in self._listeners:
                    listen(seen, known.kind, one)
                ref = self._keep(told[i], seen, known)
                if ref is not None:
                    refs[i] = ref
            return tuple(refs[i] for i in sorted(refs))

    def _keep(self, told: Reported, seen: Seen, about: RuleAbout) -> EventRef | None:
        signal, now = told.signal, self._clock.now()
        event = self._store.of(signal)
        made = False
        if event is None:
            if signal.phase is not Phase.ACTIVE:
                return None
            event = _begun(signal, seen, about, now)
            made = self._store.add(event)
            if made:
                self._tell(event, Change.ACTIVE, now)
            else:  # another one was faster, and has committed: its row can be read now
                event = self._store.of(signal)
                if event is None:
                    raise Conflict("the event was erased while it was reported")
        if not made and is_news(event, signal):
            event = _moved_on(event, signal)
            self._store.put(event)
            if event.state is EventState.ENDED:
                self._tell(event, Change.ENDED, now)
        if told.picture is not None and event.erased_at is None:
            self._add(event, told.picture, now)
        return EventRef(event.id, event.rule, event.key, event.began, made, event.state)

    def attach(self, fence: Fence, event_id: str, evidence: EvidenceRef) -> None:
        """Add evidence to an event, such as the clip that was cut when it was over.

        The file must be in the evidence store already. Doing it again changes nothing.

        Raises:
            Fenced: another worker holds the shard now.
            NotFound: there is no such event.
        """
        with self._db.transaction():
            self._fences.check(fence)
            event = self._store.get(event_id, lock=True)
            if event is None:
                raise policy.unknown("event")
            if event.erased_at is None:
                self._add(event, evidence, self._clock.now())

    def _add(self, event: Event, evidence: EvidenceRef, now: datetime) -> None:
        if len(event.evidence) < _MOST_EVIDENCE and self._store.attach(event.id, evidence, now):
            data = {"sha256": evidence.sha256, "kind": evidence.kind, "size": evidence.size}
            self._tell(event, Change.EVIDENCE, now, data)

    def _tell(
        self,
        event: Event,
        change: Change,
        now: datetime,
        data: Mapping[str, object] | None = None,
        by: str = "",
    ) -> None:
        """Write it into the history and tell those outside, in the order in which it happens."""
        self._store.note(event.id, Fact(change, by, data or {}), now)
        self._outbox.publish(TOPIC, {"event_id": event.id, "change": change.value, "at": now})

    # People -----------------------------------------------------------------------------------

    def events(self, actor: Actor, wanted: EventFilter, page: PageRequest) -> Page[Event]:
        """The events that the actor may see, the latest first."""
        with self._db.transaction():
            return self._store.page(policy.visible_paths(actor, _VIEW), wanted, page)

    def event(self, actor: Actor, event_id: str) -> Event:
        """One event.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._seen(actor, event_id, _VIEW)

    def history(self, actor: Actor, event_id: str) -> list[Entry]:
        """What happened to it, in order.

        Raises:
            NotFound: there is no such event, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._store.history(self._seen(actor, event_id, _VIEW).id)

    def changes(self, actor: Actor, after: str = "", limit: int = 100) -> tuple[list[Entry], str]:
        """What happened to any event since a cursor, and the cursor to go on with.

        Args:
            actor: sees the events of its departments.
            after: a cursor; empty begins with what comes next.
            limit: entries at most.

        Raises:
            Invalid: not a cursor of this list.
        """
        with self._db.transaction():
            if not after:
                return [], self._store.last_change()
            found = self._store.changes(policy.visible_paths(actor, _VIEW), after, limit)
            return found, found[-1].cursor if found else after

    def acknowledge(self, actor: Actor, event_id: str, note: str = "") -> Event:
        """Take note of an event, so that others need not. Doing it again changes nothing.

        Raises:
            NotFound: there is no such event, or none that the actor may know of.
            Invalid: the note is too long.
        """
        text = check_note(note)
        with self._db.transaction():
            event = self._seen(actor, event_id, "event.acknowledge", lock=True)
            if event.acknowledged is not None:
                return event
            said = self._note(actor, text)
            return self._change(actor, replace(event, acknowledged=said), Change.ACKNOWLEDGED,
                                "event.acknowledge", {"note": text})  # fmt: skip

    def judge(self, actor: Actor, event_id: str, verdict: Verdict, note: str = "") -> Event:
        """Say whether an event was a true one or a false alarm; the last word counts.

        Raises:
            NotFound: there is no such event, or none that the actor may know of.
            Invalid: the note is too long.
        """
        text = check_note(note)
        with self._db.transaction():
            event = self._seen(actor, event_id, "event.acknowledge", lock=True)
            said = self._note(actor, text)
            known = event.acknowledged or said
            changed = replace(event, verdict=verdict, judged=said, acknowledged=known)
            return self._change(actor, changed, Change.JUDGED, "event.judge",
                                {"verdict": verdict, "note": text})  # fmt: skip

    def rates(self, actor: Actor, days: int = _RATES_DAYS) -> list[RuleRate]:
        """How often each version of each rule was wrong, of the events of the last days."""
        with self._db.transaction():
            since = self._clock.now() - timedelta(days=days)
            return self._store.rates(policy.visible_paths(actor, _VIEW), since)

    def hold(self, actor: Actor, event_id: str, reason: str) -> Event:
        """Keep an event and its evidence beyond every period of retention.

        Raises:
            Invalid: no reason, or too long a one.
            Conflict: its evidence is erased already.
        """
        text = check_note(reason, "reason", required=True)
        with self._db.transaction():
            event = self._seen(actor, event_id, "privacy.manage", lock=True)
            if event.erased_at is not None:
                raise Conflict("its evidence is erased already")
            held = Hold(actor.id, actor.name, self._clock.now(), text)
            return self._change(actor, replace(event, hold=held), Change.HELD, "event.hold",
                                {"reason": text})  # fmt: skip

    def release(self, actor: Actor, event_id: str) -> Event:
        """End a legal hold; without one this changes nothing."""
        with self._db.transaction():
            event = self._seen(actor, event_id, "privacy.manage", lock=True)
            if event.hold is None:
                return event
            return self._change(actor, replace(event, hold=None), Change.RELEASED, "event.release",
                                {"reason": event.hold.reason})  # fmt: skip

    def view(self, actor: Actor, event_id: str, sha256: str) -> tuple[EvidenceRef, BinaryIO]:
        """Open a piece of an event's evidence; that is written down first, whoever it is.

        Raises:
            NotFound: there is no such event or evidence, or none that the actor may know of.
        """
        with self._db.transaction():
            event = self._seen(actor, event_id, "evidence.view")
            found = next((e for e in event.evidence if e.sha256 == sha256), None)
            if found is None:
                raise NotFound("the event has no such evidence")
            self._audit.record(
                actor, "evidence.view", path=event.path, subject=event.id,
                details={"sha256": sha256, "kind": found.kind, "camera": event.camera_id},
            )  # fmt: skip
        return found, self._files.open(sha256)

    def verify(self, actor: Actor, event_id: str) -> list[tuple[EvidenceRef, bool]]:
        """Read an event's evidence and say for each file whether it is what its digest says."""
        with self._db.transaction():
            event = self._seen(actor, event_id, "evidence.view")
        # Outside of the transaction: reading clips takes a while.
        return [(e, self._files.matches(e.sha256)) for e in event.evidence]

    def _seen(self, actor: Actor, event_id: str, action: str, *, lock: bool = False) -> Event:
        event = self._store.get(event_id, lock=lock)
        if event is None:
            raise policy.unknown("event")
        policy.require(actor, _VIEW, event.path, "event")
        policy.require(actor, action, event.path, "event")
        return event

    def _note(self, actor: Actor, text: str) -> Note:
        return Note(actor.id, actor.name, self._clock.now(), text)

    def _change(
        self, actor: Actor, event: Event, change: Change, action: str, data: Mapping[str, object]
    ) -> Event:
        self._store.put(event)
        self._tell(event, change, self._clock.now(), data, actor.name)
        self._audit.record(actor, action, path=event.path, subject=event.id, details=data)
        return event


def _identity(signal: Signal) -> tuple[str, int, str, datetime]:
    return signal.rule, signal.version, signal.key, signal.began


def _begun(signal: Signal, seen: Seen, about: RuleAbout, now: datetime) -> Event:
    return Event(
        EventId(ids.new("evt")),
        signal.rule,
        signal.version,
        signal.key,
        signal.began,
        seen.id,
        seen.name,
        seen.path,
        about.kind,
        about.name,
        about.severity or severity_of(about.kind),
        state_of(signal.phase),
        signal.at,
        None,
        signal.box,
        signal.score,
        signal.track,
        dict(signal.data),
        seen.clock_offset_seconds,
        now,
    )


def _moved_on(event: Event, signal: Signal) -> Event:
    at = max(event.at, signal.at)
    return replace(
        event,
        state=state_of(signal.phase),
        at=at,
        ended_at=at if signal.phase is Phase.ENDED else None,
        box=signal.box or event.box,
        score=event.score if signal.score is None else max(signal.score, event.score or 0.0),
        track=signal.track or event.track,
        data={**event.data, **signal.data},
        revision=event.revision + 1,
    )
