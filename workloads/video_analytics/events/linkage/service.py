"""Linkage: events start actions; people take care of incidents."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import BoroughError, Conflict, NotFound, PreconditionFailed
from foundation.kernel.outbox import Message
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock
from workloads.video_analytics.events.linkage.model import (
    NAME_MAX,
    Action,
    ActionKind,
    Deed,
    Incident,
    IncidentId,
    IncidentState,
    Linkage,
    LinkageId,
    Outcome,
    Step,
    check_linkage,
    check_step,
)
from workloads.video_analytics.events.linkage.ports import LinkageStore
from workloads.video_analytics.events.model import Change, Event
from workloads.video_analytics.events.notification.model import Matching
from workloads.video_analytics.events.notification.ports import ReceiverStore
from workloads.video_analytics.events.notification.service import Receivers
from workloads.video_analytics.events.ports import (
    Audit,
    CameraActions,
    CameraBook,
    EventStore,
    Fact,
)
from workloads.video_analytics.events.service import TOPIC

_CLAIM = timedelta(seconds=60)
_TRIES = 3
_RETRY = timedelta(seconds=10)
#: A camera that was turned sees everything move: for so long its events turn no camera.
SETTLING = timedelta(seconds=30)
#: What happened so long ago starts nothing any more: a patrol sent after an outage finds nobody.
STALE = timedelta(hours=1)
_MOST = 500


class Linkages:
    """Linkage rules and incidents.

    An action never makes an event, an event starts each action of a rule once, and a camera that
    was just turned turns no other: so no chain of rules goes round.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - one port each
        self,
        store: LinkageStore,
        events: EventStore,
        receivers: ReceiverStore,
        notifying: Receivers,
        cameras: CameraBook,
        actions: CameraActions,
        db: UnitOfWork,
        clock: Clock,
        audit: Audit,
    ) -> None:
        self._store, self._events, self._receivers = store, events, receivers
        self._notifying, self._cameras, self._actions = notifying, cameras, actions
        self._db, self._clock, self._audit = db, clock, audit

    # Rules ------------------------------------------------------------------------------------

    def linkages(self, actor: Actor) -> list[Linkage]:
        """The rules that the actor may see."""
        with self._db.transaction():
            return self._store.below(policy.visible_paths(actor, "rule.view"))

    def add(
        self, actor: Actor, path: str, name: str, when: Matching, then: Sequence[Action],
        pause_seconds: int = 60,
    ) -> Linkage:  # fmt: skip
        """Add a rule for the events of a department and below.

        Raises:
            Invalid: names every wrong field.
            NotFound: the department is none of the actor's business.
        """
        with self._db.transaction():
            policy.require(actor, "rule.manage", path, "department")
            self._check(path, name, then, pause_seconds)
            made = Linkage(LinkageId(ids.new("lnk")), path, name.strip(), when, tuple(then),
                           pause_seconds)  # fmt: skip
            self._store.put(made)
            self._note(actor, "linkage.add", made)
            return made

    def linkage(self, actor: Actor, linkage_id: str) -> Linkage:
        """One rule.

        Raises:
            NotFound: there is none that the actor may know of.
        """
        with self._db.transaction():
            found = self._store.get(linkage_id)
            if found is None:
                raise policy.unknown("linkage")
            policy.require(actor, "rule.view", found.path, "linkage")
            return found

    def change(
        self, actor: Actor, linkage_id: str, name: str, when: Matching, then: Sequence[Action],
        pause_seconds: int, *, version: int | None = None,
    ) -> Linkage:  # fmt: skip
        """Let a rule mean something else; its department stays. What has begun goes on as it was.

        Args:
            actor: who asks.
            linkage_id: which.
            name, when, then, pause_seconds: all of it, as it shall be.
            version: the one that the caller saw.

        Raises:
            Invalid: names every wrong field.
            NotFound: there is none that the actor may know of.
            PreconditionFailed: it has another version by now.
        """
        with self._db.transaction():
            found = self._rule(actor, linkage_id, locked=True)
            if version is not None and found.version != version:
                raise PreconditionFailed("the linkage rule has changed meanwhile")
            self._check(found.path, name, then, pause_seconds)
            changed = replace(
                found, name=name.strip(), when=when, then=tuple(then),
                pause_seconds=pause_seconds, version=found.version + 1,
            )  # fmt: skip
            self._store.put(changed)
            self._note(actor, "linkage.change", changed)
            return changed

    def switch(self, actor: Actor, linkage_id: str, *, enabled: bool) -> Linkage:
        """Turn a rule on or off."""
        with self._db.transaction():
            found = self._rule(actor, linkage_id, locked=True)
            changed = replace(found, enabled=enabled, version=found.version + 1)
            self._store.put(changed)
            self._note(actor, "linkage.change", changed)
            return changed

    def remove(self, actor: Actor, linkage_id: str) -> None:
        """Forget a rule; what it did stays."""
        with self._db.transaction():
            found = self._rule(actor, linkage_id)
            self._store.remove(found.id)
            self._note(actor, "linkage.remove", found)

    def deeds(self, actor: Actor, event_id: str) -> list[Deed]:
        """What an event started, and how that ended."""
        with self._db.transaction():
            event = self._events.get(event_id)
            if event is None:
                raise policy.unknown("event")
            policy.require(actor, "event.view", event.path, "event")
            return self._store.deeds(event_id)

    # Events -----------------------------------------------------------------------------------

    def receive(self, message: Message) -> None:
        """A receiver of the relay: note what an event that has begun starts."""
        if message.topic != TOPIC or message.payload.get("change") != Change.ACTIVE:
            return
        event = self._events.get(message.payload["event_id"])
        if event is None:
            return
        now = self._clock.now()
        for rule in self._store.above(event.path):
            if not rule.when.fits(event):
                continue
            since = now - timedelta(seconds=rule.pause_seconds)
            resting = rule.pause_seconds and self._store.acted_since(
                rule.id, event.camera_id, since, event.id
            )
            why = "the rule has just acted on this camera" if resting else ""
            if event.received_at is not None and now - event.received_at > STALE:
                why = "it was told too late"
            for index, action in enumerate(rule.then):
                state = Outcome.SKIPPED if why else Outcome.PENDING
                deed = Deed(ids.new("ded"), rule.id, rule.name, event.id, index, action, state,
                            now, why)  # fmt: skip
                self._store.add_deed(deed, event.camera_id)

    def act(self) -> int:
        """Do what is pending; answers how many actions were tried."""
        for made in range(_MOST):
            now = self._clock.now()
            with self._db.transaction():
                deed = self._store.claim(now, now + _CLAIM)
                event = None if deed is None else self._events.get(deed.event_id)
            if deed is None or event is None:
                return made
            self._finish(self._tried(deed, event), event)
        return _MOST

    def _tried(self, deed: Deed, event: Event) -> Deed:
        """The action after an attempt; web-hooks and incidents are done with the note of it."""
        deed = replace(deed, attempts=deed.attempts + 1, at=self._clock.now())
        if deed.action.kind is not ActionKind.PTZ:
            return replace(deed, outcome=Outcome.DONE)
        with self._db.transaction():
            if self._store.turned_since(event.camera_id, deed.at - SETTLING):
                return replace(deed, outcome=Outcome.SKIPPED,
                               detail="the camera that saw it has just been turned")  # fmt: skip
        try:
            # Turning to a preset twice is turning to it once: a repeated attempt does no harm.
            self._actions.go_to(deed.action.camera, deed.action.preset)
        except (NotFound, Conflict) as error:
            return replace(deed, outcome=Outcome.FAILED, detail=error.message)
        except BoroughError as error:
            if deed.attempts < _TRIES:
                return replace(deed, at=deed.at + _RETRY, detail=error.message)
            return replace(deed, outcome=Outcome.FAILED, detail=error.message)
        return replace(deed, outcome=Outcome.DONE)

    def _finish(self, deed: Deed, event: Event) -> None:
        done, kind = deed.outcome is Outcome.DONE, deed.action.kind
        with self._db.transaction():
            receiver = self._receivers.get(deed.action.receiver) if deed.action.receiver else None
            if done and kind is ActionKind.WEBHOOK and receiver is None:
                deed = replace(deed, outcome=Outcome.FAILED, detail="the receiver is gone")
            incident_id = IncidentId(ids.new("inc"))
            if done and kind is ActionKind.INCIDENT:
                deed = replace(deed, detail=incident_id)
            # First this: when another one was faster, nothing of it happens a second time.
            if not self._store.settle(deed) or deed.outcome is Outcome.PENDING:
                return
            if deed.outcome is Outcome.DONE and receiver is not None:
                self._notifying.queue(receiver, deed.id, event, "linked", self._clock.now())
            if deed.outcome is Outcome.DONE and kind is ActionKind.INCIDENT:
                title = deed.action.title or _title(event)
                self._open(incident_id, event, title, deed.linkage)
            data = {"rule": deed.linkage, "action": kind, "outcome": deed.outcome,
                    "detail": deed.detail}  # fmt: skip
            self._events.note(event.id, Fact(Change.LINKED, deed.linkage, data), deed.at)
            self._audit.record(Actor.system("linkage"), "linkage.act", path=event.path,
                               subject=event.id, details=data)  # fmt: skip

    # Incidents --------------------------------------------------------------------------------

    def incidents(
        self, actor: Actor, page: PageRequest, *, state: IncidentState | None = None,
        event_id: str = "",
    ) -> Page[Incident]:  # fmt: skip
        """The incidents that the actor may see, newest first."""
        with self._db.transaction():
            paths = policy.visible_paths(actor, "event.view")
            return self._store.incidents(paths, state, event_id, page)

    def incident(self, actor: Actor, incident_id: str) -> Incident:
        """One.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._incident(actor, incident_id, "event.view")

    def open(self, actor: Actor, event_id: str, title: str = "") -> Incident:
        """Open an incident for an event by hand."""
        with self._db.transaction():
            event = self._events.get(event_id)
            if event is None:
                raise policy.unknown("event")
            policy.require(actor, "event.view", event.path, "event")
            policy.require(actor, "event.acknowledge", event.path, "event")
            named = title.strip()[:NAME_MAX] or _title(event)
            made = self._open(IncidentId(ids.new("inc")), event, named, actor.name)
            self._audit.record(actor, "incident.open", path=made.path, subject=made.id,
                               details={"event": event.id})  # fmt: skip
            return made

    def step(
        self, actor: Actor, incident_id: str, state: IncidentState, *, assigned_to: str = "",
        note: str = "", version: int | None = None,
    ) -> Incident:  # fmt: skip
        """Take an incident a step on its way; it is closed with a report, the note.

        Raises:
            Conflict: it is not the next step.
            Invalid: names every wrong field.
            PreconditionFailed: it is not the ``version`` that the caller has seen.
        """
        with self._db.transaction():
            found = self._incident(actor, incident_id, "event.acknowledge", lock=True)
            if version is not None and version != found.version:
                raise PreconditionFailed("this has changed since you looked: read it again")
            check_step(found, state, assigned_to, note)
            now = self._clock.now()
            closed = state is IncidentState.CLOSED
            changed = replace(
                found, state=state, assigned_to=assigned_to.strip() or found.assigned_to,
                report=note.strip() if closed else found.report,
                closed_at=now if closed else None, version=found.version + 1,
                steps=(*found.steps, Step(state, now, actor.name, note.strip())),
            )  # fmt: skip
            self._store.put_incident(changed)
            details = {"state": state, "assigned_to": changed.assigned_to}
            self._audit.record(
                actor, "incident.step", path=found.path, subject=found.id, details=details
            )
            return changed

    def _open(self, incident_id: IncidentId, event: Event, title: str, by: str) -> Incident:
        now = self._clock.now()
        first = Step(IncidentState.WARNING, now, by)
        made = Incident(incident_id, event.path, title, event.severity, IncidentState.WARNING, now,
                        event.id, steps=(first,))  # fmt: skip
        self._store.put_incident(made)
        return made

    def _incident(
        self, actor: Actor, incident_id: str, action: str, *, lock: bool = False
    ) -> Incident:
        found = self._store.incident(incident_id, lock=lock)
        if found is None:
            raise policy.unknown("incident")
        policy.require(actor, "event.view", found.path, "incident")
        policy.require(actor, action, found.path, "incident")
        return found

    def _rule(self, actor: Actor, linkage_id: str, *, locked: bool = False) -> Linkage:
        found = self._store.get(linkage_id, locked=locked)
        if found is None:
            raise policy.unknown("linkage")
        policy.require(actor, "rule.view", found.path, "linkage")
        policy.require(actor, "rule.manage", found.path, "linkage")
        return found

    def _check(self, path: str, name: str, then: Sequence[Action], pause_seconds: int) -> None:
        known = {
            "receivers": frozenset(r.id for r in self._receivers.below([path])),
            "cameras": frozenset(c.id for c in self._cameras.below([path])),
        }
        check_linkage(name, then, pause_seconds, known)

    def _note(self, actor: Actor, action: str, rule: Linkage) -> None:
        details = {
            "name": rule.name,
            "enabled": rule.enabled,
            "then": [asdict(a) for a in rule.then],
        }
        self._audit.record(actor, action, path=rule.path, subject=rule.id, details=details)


def _title(event: Event) -> str:
    return f"{event.rule_name or event.kind}: {event.camera}"
