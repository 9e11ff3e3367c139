"""Who is told of events; what happened is turned into deliveries, and those are sent."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.database import UnitOfWork
from foundation.kernel.errors import Conflict
from foundation.kernel.outbox import Message
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.secretbox import SecretBox
from foundation.kernel.time import Clock
from workloads.video_analytics.events.model import Change, Event
from workloads.video_analytics.events.notification.model import (
    Delivery,
    DeliveryState,
    Matching,
    Receiver,
    ReceiverId,
    ReceiverKind,
    check_receiver,
    new_secret,
    pause_after,
)
from workloads.video_analytics.events.notification.ports import ReceiverStore, Refused, Sender
from workloads.video_analytics.events.ports import Audit, EventStore
from workloads.video_analytics.events.service import TOPIC

#: The changes that receivers are told of.
TOLD = frozenset({Change.ACTIVE, Change.ENDED, Change.EVIDENCE, Change.ACKNOWLEDGED, Change.JUDGED})
#: For so long one sender has a delivery to itself; longer than any attempt may take.
_CLAIM = timedelta(seconds=60)
_MOST = 500
_ERROR_MAX = 500


def secret_context(receiver_id: str) -> str:
    """What a web-hook's sealed secret is bound to."""
    return f"video_receiver:{receiver_id}"


class Receivers:
    """Receivers of departments and their deliveries."""

    def __init__(
        self,
        store: ReceiverStore,
        events: EventStore,
        db: UnitOfWork,
        clock: Clock,
        audit: Audit,
        secrets: SecretBox,
        senders: Mapping[ReceiverKind, Sender],
    ) -> None:
        self._store, self._events, self._db, self._clock = store, events, db, clock
        self._audit, self._secrets, self._senders = audit, secrets, senders

    # People -----------------------------------------------------------------------------------

    def receivers(self, actor: Actor) -> list[Receiver]:
        """Those that the actor may see, by name."""
        with self._db.transaction():
            return self._store.below(policy.visible_paths(actor, "receiver.view"))

    def receiver(self, actor: Actor, receiver_id: str) -> Receiver:
        """One.

        Raises:
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            return self._seen(actor, receiver_id, "receiver.view")

    def add(
        self,
        actor: Actor,
        path: str,
        name: str,
        kind: ReceiverKind,
        target: str,
        wanted: Matching,
    ) -> tuple[Receiver, str]:
        """Add a receiver for a department and below.

        Returns:
            The receiver, and the secret of its web-hook, which is never shown again.

        Raises:
            Invalid: names every wrong field.
            NotFound: the department is none of the actor's business.
        """
        check_receiver(name, kind, target)
        with self._db.transaction():
            policy.require(actor, "receiver.manage", path, "department")
            receiver_id = ReceiverId(ids.new("rcv"))
            secret = new_secret() if kind is ReceiverKind.WEBHOOK else ""
            sealed = self._seal(receiver_id, secret) if secret else ""
            made = Receiver(receiver_id, path, name.strip(), kind, target, wanted, True, sealed,
                            self._clock.now())  # fmt: skip
            self._store.put(made)
            self._note(actor, "receiver.add", made)
            return made, secret

    def change(
        self,
        actor: Actor,
        receiver_id: str,
        *,
        name: str | None = None,
        target: str | None = None,
        wanted: Matching | None = None,
        enabled: bool | None = None,
    ) -> Receiver:
        """Change what is given.

        Raises:
            Invalid: names every wrong field.
            NotFound: there is none, or none that the actor may know of.
        """
        with self._db.transaction():
            found = self._seen(actor, receiver_id, "receiver.manage")
            changed = replace(
                found,
                name=found.name if name is None else name.strip(),
                target=found.target if target is None else target,
                wanted=found.wanted if wanted is None else wanted,
                enabled=found.enabled if enabled is None else enabled,
                version=found.version + 1,
            )
            check_receiver(changed.name, changed.kind, changed.target)
            self._store.put(changed)
            self._note(actor, "receiver.change", changed)
            return changed

    def new_secret(self, actor: Actor, receiver_id: str) -> str:
        """Give a web-hook another secret; the old one signs nothing from now on.

        Raises:
            Conflict: it is no web-hook.
        """
        with self._db.transaction():
            found = self._seen(actor, receiver_id, "receiver.manage")
            if found.kind is not ReceiverKind.WEBHOOK:
                raise Conflict("only web-hooks have a secret")
            secret = new_secret()
            sealed = self._seal(found.id, secret)
            self._store.put(replace(found, sealed=sealed, version=found.version + 1))
            self._note(actor, "receiver.secret", found)
            return secret

    def remove(self, actor: Actor, receiver_id: str) -> None:
        """Forget a receiver with what was to be sent to it."""
        with self._db.transaction():
            found = self._seen(actor, receiver_id, "receiver.manage")
            self._store.remove(found.id)
            self._note(actor, "receiver.remove", found)

    def deliveries(
        self, actor: Actor, page: PageRequest, *, receiver_id: str = "",
        state: DeliveryState | None = None,
    ) -> Page[Delivery]:  # fmt: skip
        """What was sent and what could not be, the latest first."""
        with self._db.transaction():
            if receiver_id:
                mine = [self._seen(actor, receiver_id, "receiver.view")]
            else:
                mine = self._store.below(policy.visible_paths(actor, "receiver.view"))
            return self._store.deliveries([r.id for r in mine], state, page)

    def send_again(self, actor: Actor, delivery_id: str) -> Delivery:
        """Try a dead delivery again from the beginning.

        Raises:
            NotFound: there is none, or none that the actor may know of.
            Conflict: it is not dead.
        """
        with self._db.transaction():
            found = self._store.delivery(delivery_id)
            if found is None:
                raise policy.unknown("delivery")
            receiver = self._seen(actor, found.receiver_id, "receiver.manage")
            if found.state is not DeliveryState.DEAD:
                raise Conflict(f"the delivery is {found.state}", state=found.state)
            again = replace(found, state=DeliveryState.PENDING, attempts=0,
                            next_at=self._clock.now(), error="")  # fmt: skip
            self._store.settle(again)
            self._note(actor, "delivery.retry", receiver)
            return again

    # The outbox -------------------------------------------------------------------------------

    def receive(self, message: Message) -> None:
        """A receiver of the relay: note whom to tell; in the relay's transaction, once a message.

        What is sent is worked out here, so that all who are told of a change are told the same.
        """
        if message.topic != TOPIC or message.payload.get("change") not in TOLD:
            return
        event = self._events.get(message.payload["event_id"])
        if event is None:
            return
        change = str(message.payload["change"])
        for receiver in self._store.above(event.path):
            if receiver.wanted.fits(event):
                self.queue(receiver, message.id, event, change, message.created_at)

    def queue(self, receiver: Receiver, key: str, event: Event, change: str, at: datetime) -> None:
        """Note something to be sent, in the open transaction; once for each key."""
        body = told(event, change, at)
        self._store.queue(receiver.id, key, event.id, change, body, self._clock.now())

    def send_due(self) -> int:
        """Send what is due, one after the other; answers how many attempts were made.

        A process killed between sending and writing it down sends again: receivers drop ids that
        they have seen. Several processes may do this at once.
        """
        for made in range(_MOST):
            if not self._send_one():
                return made
        return _MOST

    def _send_one(self) -> bool:
        now = self._clock.now()
        with self._db.transaction():
            delivery = self._store.claim(now, now + _CLAIM)
            receiver = None if delivery is None else self._store.get(delivery.receiver_id)
        if delivery is None:
            return False
        if receiver is None:
            return True
        error = ""
        try:
            self._senders[receiver.kind].send(receiver, delivery, now)
        except Refused as refused:
            error = str(refused)[:_ERROR_MAX] or "refused"
        with self._db.transaction():
            self._store.settle(_after(delivery, error, self._clock.now()))
        return True

    def _seen(self, actor: Actor, receiver_id: str, action: str) -> Receiver:
        found = self._store.get(receiver_id)
        if found is None:
            raise policy.unknown("receiver")
        policy.require(actor, "receiver.view", found.path, "receiver")
        policy.require(actor, action, found.path, "receiver")
        return found

    def _seal(self, receiver_id: str, secret: str) -> str:
        return self._secrets.seal(secret.encode(), secret_context(receiver_id))

    def _note(self, actor: Actor, action: str, receiver: Receiver) -> None:
        details = {"name": receiver.name, "kind": receiver.kind, "target": receiver.target}
        self._audit.record(actor, action, path=receiver.path, subject=receiver.id, details=details)


def told(event: Event, change: str, at: datetime) -> dict[str, Any]:
    """What is said of an event, as a CloudEvent 1.0; evidence by its digest, never itself."""
    return {
        "specversion": "1.0",
        "type": f"video.event.{change}",
        "source": f"/cameras/{event.camera_id}",
        "subject": event.id,
        "time": at,
        "datacontenttype": "application/json",
        "data": {
            "id": event.id, "kind": event.kind, "severity": event.severity, "state": event.state,
            "camera": {"id": event.camera_id, "name": event.camera}, "department": event.path,
            "rule": {"id": event.rule, "version": event.version, "name": event.rule_name},
            "began": event.began, "at": event.at, "ended_at": event.ended_at,
            "clock_offset_seconds": event.clock_offset_seconds, "score": event.score,
            "box": None if event.box is None else list(event.box), "data": dict(event.data),
            "verdict": event.verdict,
            "acknowledged": event.acknowledged is not None,
            "evidence": [
                {"sha256": e.sha256, "kind": e.kind, "size": e.size,
                 "href": f"/api/v1/events/{event.id}/evidence/{e.sha256}"}
                for e in event.evidence
            ],
        },
    }  # fmt: skip


def _after(delivery: Delivery, error: str, now: datetime) -> Delivery:
    attempts = delivery.attempts + 1
    if not error:
        return replace(delivery, state=DeliveryState.DELIVERED, attempts=attempts, error="",
                       delivered_at=now)  # fmt: skip
    pause = pause_after(attempts)
    if pause is None:
        return replace(delivery, state=DeliveryState.DEAD, attempts=attempts, error=error)
    return replace(delivery, attempts=attempts, next_at=now + pause, error=error)
