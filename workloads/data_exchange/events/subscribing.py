"""The use cases of subscriptions: make, pull, acknowledge, replay, and dead letters."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from foundation.access import policy
from foundation.kernel import ids
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Conflict, Forbidden, Invalid, Problem, QuotaExceeded
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock
from workloads.data_exchange.agreements.contracts.model import AgreementState
from workloads.data_exchange.events.model import (
    LEASE,
    Cursor,
    Kept,
    Letter,
    Subscription,
    SubscriptionKind,
    SubscriptionState,
    new_secret,
    pause_after,
    read_token,
    token_of,
)
from workloads.data_exchange.events.ports import (
    Audit,
    CheckUrl,
    Contracts,
    EventStore,
    Vault,
    Work,
)

NOUN = "subscription"
#: What is handed out at a time, whatever is asked for.
PULL_MAX, PULL_BYTES = 1_000, 8 * 1024 * 1024
#: Of one agreement, without those that have ended.
SUBSCRIPTIONS_MAX = 50
_CLAIMED = 16
_LETTER = "letter"


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service works with."""

    store: EventStore
    db: Work
    clock: Clock
    audit: Audit
    contracts: Contracts
    vault: Vault
    check_url: CheckUrl


@dataclass(frozen=True, slots=True)
class Made:
    """A new subscription; its secret is told once."""

    subscription: Subscription
    secret: str


@dataclass(frozen=True, slots=True)
class Pulled:
    """Events that a subscription has not got, and what is acknowledged when it has."""

    events: tuple[Kept, ...]
    token: str


class Subscriptions:
    """Who gets which events."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store
        self._db = parts.db
        self._clock = parts.clock

    def create(
        self, actor: Actor, agreement: str, *, kind: SubscriptionKind, purpose: str, url: str = "",
        since: datetime | None = None,
    ) -> Made:  # fmt: skip
        """Subscribe the consumer of an agreement to the events of its service.

        Args:
            actor: may subscribe for the consumer.
            agreement: its id.
            kind: whether the consumer asks, or a web-hook is told.
            purpose: one of the agreement's; deliveries are made for it.
            url: of the web-hook: https.
            since: from which events on; those to come if left out.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such agreement, or none of the actor's business; its service has no topic.
            Forbidden: they may not subscribe for the consumer.
            Conflict: it is not in force.
            QuotaExceeded: it has as many subscriptions as it may.
        """
        with self._db.transaction():
            there = self._parts.contracts.agreement(actor, agreement)
            _require(actor, there.consumer)
            topic = self._store.topic(there.service)
            if topic is None or topic.path != there.provider:
                raise policy.unknown("topic")
            now = self._clock.now()
            if there.state(now) is not AgreementState.IN_FORCE:
                raise Conflict(f"the agreement is {there.state(now)}", state=there.state(now))
            terms = self._parts.contracts.terms(self._parts.contracts.version(actor, agreement))
            wrong = Collector()
            wrong.check(purpose in terms.purposes, "purpose", "is not agreed on", "not_agreed")
            self._check_url(wrong, kind, url)
            wrong.finish()
            # Each is served apart: without an end one consumer would take all the gateways' time.
            self._db.lock(f"exchange:subscriptions:{there.id}")
            if self._store.standing(there.id) >= SUBSCRIPTIONS_MAX:
                raise QuotaExceeded(
                    "the agreement has as many subscriptions as it may", limit=SUBSCRIPTIONS_MAX
                )
            secret = new_secret() if kind is SubscriptionKind.PUSH else ""
            name = ids.new("sub")
            sealed = self._parts.vault.seal(secret.encode(), _context(name)) if secret else ""
            made = Subscription(
                name, there.id, topic.service, there.consumer, there.provider, purpose, kind, url,
                sealed, SubscriptionState.ACTIVE, 1, 0, now,
            )  # fmt: skip
            self._store.add(made, self._positions(topic.service, since))
            self._note(actor, "subscribe", made, kind=kind.value)
            return Made(made, secret)

    def _check_url(self, wrong: Collector, kind: SubscriptionKind, url: str) -> None:
        if kind is SubscriptionKind.PULL:
            wrong.check(not url, "url", "is for push only")
            return
        try:
            self._parts.check_url(url, "url")
        except Invalid as error:
            wrong.include(error)

    def _positions(self, topic: str, since: datetime | None) -> dict[int, int]:
        """Where a time lies in each partition; without one, the end."""
        bounds = self._store.bounds(topic)
        if since is None:
            return {n: head for n, (_, head) in bounds.items()}
        found = self._store.at_time(topic, since)
        return {n: max(found.get(n, head), floor) for n, (floor, head) in bounds.items()}

    def subscription(self, actor: Actor, subscription_id: str) -> Subscription:
        """One, for either side.

        Raises:
            NotFound: there is none, or it is none of the actor's business.
        """
        with self._db.transaction():
            return self._find(actor, subscription_id)

    def subscriptions(
        self, actor: Actor, page: PageRequest, *, topic: str = ""
    ) -> Page[Subscription]:
        """Those of the actor's agencies, newest first."""
        with self._db.transaction():
            return self._store.list(policy.visible_paths(actor, "event.view"), topic, page)

    def cursors(self, actor: Actor, subscription_id: str) -> list[Cursor]:
        """How far it is, by partition.

        Raises:
            NotFound: there is none, or it is none of the actor's business.
        """
        with self._db.transaction():
            return list(self._store.cursors(self._find(actor, subscription_id).id))

    def change(self, actor: Actor, subscription_id: str, state: SubscriptionState) -> Subscription:
        """Pause, go on, or end for ever.

        Raises:
            NotFound: there is none, or it is none of the actor's business.
            Forbidden: they may not subscribe for the consumer.
            Conflict: it has ended.
        """
        with self._db.transaction():
            there = self._own(actor, subscription_id)
            if there.state is SubscriptionState.ENDED and state is not there.state:
                raise Conflict("the subscription has ended", state=there.state)
            changed = replace(there, state=state)
            self._store.update(changed)
            self._note(actor, "change", changed, state=state.value)
            return changed

    def seek(
        self, actor: Actor, subscription_id: str, *, since: datetime | None = None,
        positions: Mapping[int, int] | None = None,
    ) -> Subscription:  # fmt: skip
        """Put it to a time, or to positions, so that all from there on is handed out (again).

        Args:
            actor: may subscribe for the consumer.
            subscription_id: its id.
            since: the first event at or after it is next; years ago: all that is kept.
            positions: of partitions: the last event that is taken to be there.

        Raises:
            Invalid: names every wrong field.
            NotFound: there is none, or it is none of the actor's business.
            Forbidden: they may not subscribe for the consumer.
            Conflict: it has ended.
        """
        with self._db.transaction():
            there = self._own(actor, subscription_id)
            if there.state is SubscriptionState.ENDED:
                raise Conflict("the subscription has ended", state=there.state)
            if (since is None) == (positions is None):
                raise Invalid([Problem("since", "is needed, or positions, and not both")])
            if positions is None:
                chosen = self._positions(there.topic, since)
            else:
                bounds, wrong = self._store.bounds(there.topic), Collector()
                for n, at in positions.items():
                    floor, head = bounds.get(n, (0, -1))
                    wrong.check(
                        floor <= at <= head, f"positions.{n}", "is not kept, or was never there"
                    )
                wrong.finish()
                chosen = dict(positions)
            moved = replace(there, generation=there.generation + 1)
            self._store.update(moved)
            self._store.move(there.id, chosen, self._clock.now())
            self._note(actor, "seek", moved, positions={str(n): at for n, at in chosen.items()})
            return self._there(there.id)

    # --- dead letters

    def letters(self, actor: Actor, subscription_id: str, page: PageRequest) -> Page[Letter]:
        """What could not be delivered, in the order of the events.

        Raises:
            NotFound: there is no such subscription, or it is none of the actor's business.
        """
        with self._db.transaction():
            return self._store.letters(self._find(actor, subscription_id).id, page)

    def replay(self, actor: Actor, subscription_id: str, letter_id: str) -> Letter:
        """Have one delivered again.

        Raises:
            NotFound: there is none, or it is none of the actor's business.
            Forbidden: they may not subscribe for the consumer.
            Conflict: an earlier event of its key is a dead letter: that one comes first.
        """
        with self._db.transaction():
            there, letter = self._letter(actor, subscription_id, letter_id)
            for other in self._store.letters_of_key(there.id, letter.key):
                if other.position < letter.position and not other.again:
                    raise Conflict(
                        "an earlier event of this key is a dead letter: replay or drop that first",
                        letter=other.id,
                    )
            again = replace(letter, again=True)
            self._store.update_letter(again)
            self._note(actor, "replay", there, letter=letter.id)
            return again

    def drop(self, actor: Actor, subscription_id: str, letter_id: str) -> None:
        """Give one up.

        Raises:
            NotFound: there is none, or it is none of the actor's business.
            Forbidden: they may not subscribe for the consumer.
        """
        with self._db.transaction():
            there, letter = self._letter(actor, subscription_id, letter_id)
            self._store.drop_letter(letter)
            self._note(actor, "drop", there, letter=letter.id, event=letter.event)

    def _letter(self, actor: Actor, subscription_id: str, name: str) -> tuple[Subscription, Letter]:
        there = self._own(actor, subscription_id)
        partition, _, position = name.partition("-")
        plain = all(one.isdecimal() and len(one) < 19 for one in (partition, position))  # noqa: PLR2004
        found = (
            self._store.letter(there.id, int(partition), int(position))
            if plain and len(partition) < 5  # noqa: PLR2004
            else None
        )
        if found is None:
            raise policy.unknown(_LETTER)
        return there, found

    # --- for the gateway, which has let the consumer in: these authorise nobody

    def pull(self, agreement: str, subscription_id: str, limit: int) -> tuple[Subscription, Pulled]:
        """What a subscription of an agreement has not got, in the order of its partitions.

        Raises:
            NotFound: the agreement has no such subscription that is served and asks.
        """
        with self._db.transaction():
            there = self._served(agreement, subscription_id)
            found, positions, size = list[Kept](), dict[int, int](), 0
            cursors = list(self._store.cursors(there.id))
            each = max(1, min(limit, PULL_MAX) // max(1, len(cursors)))
            for cursor in cursors:
                positions[cursor.partition] = cursor.acked
                for one in self._store.read(there.topic, cursor.partition, cursor.acked, each):
                    size += len(one.envelope)
                    if found and size > PULL_BYTES:
                        break
                    found.append(one)
                    positions[one.partition] = one.position
            return there, Pulled(tuple(found), token_of(there.generation, positions))

    def acknowledge(self, agreement: str, subscription_id: str, token: str) -> int:
        """The consumer has all up to there; answers how many events it has not got.

        Raises:
            NotFound: the agreement has no such subscription that is served and asks.
            Invalid: it is no token of this subscription.
            Conflict: the subscription was moved since.
        """
        with self._db.transaction():
            there = self._served(agreement, subscription_id, lock=True)
            told = read_token(token)
            bounds = self._store.bounds(there.topic)
            if told is None or any(at > bounds.get(n, (0, -1))[1] for n, at in told[1].items()):
                raise Invalid([Problem("token", "is none that was given with events")])
            if told[0] != there.generation:
                raise Conflict("the subscription was moved: ask again", state="moved")
            self._store.acknowledge(there.id, told[1])
            return self._there(there.id).lag

    def _served(self, agreement: str, subscription_id: str, *, lock: bool = False) -> Subscription:
        found = self._store.find(subscription_id, lock=lock)
        if (
            found is None
            or found.agreement != agreement
            or found.kind is not SubscriptionKind.PULL
            or found.state is not SubscriptionState.ACTIVE
        ):
            raise policy.unknown(NOUN)
        return found

    def claim(self) -> list[tuple[Subscription, Cursor]]:
        """Partitions of web-hooks that have something to get, now this gateway's."""
        with self._db.transaction():
            now = self._clock.now()
            taken = self._store.claim(now, now + LEASE, _CLAIMED)
            return [(self._there(one.subscription), one) for one in taken]

    def next(
        self, there: Subscription, cursor: Cursor, limit: int
    ) -> tuple[list[Letter], list[Kept]]:
        """Letters to deliver again, and events to deliver, oldest first."""
        with self._db.transaction():
            again = self._store.again(there.id, cursor.partition, limit)
            more = self._store.read(there.topic, cursor.partition, cursor.acked, limit)
            return list(again), list(more)

    def event(self, there: Subscription, letter: Letter) -> Kept | None:
        """The event of a letter; None when it is no longer kept."""
        with self._db.transaction():
            return self._store.event(there.topic, letter.partition, letter.position)

    def hold(self, cursor: Cursor) -> bool:
        """Have it for longer; False: it is somebody else's now, or was moved, paused or ended."""
        with self._db.transaction():
            there = self._store.find(cursor.subscription)
            if there is None or there.state is not SubscriptionState.ACTIVE:
                return False
            return self._store.keep_on(cursor, self._clock.now() + LEASE)

    def blocked(self, cursor: Cursor, key: str) -> bool:
        """Whether an earlier event of a key is a dead letter: the later ones follow it there."""
        with self._db.transaction():
            return bool(self._store.letters_of_key(cursor.subscription, key))

    def delivered(self, cursor: Cursor, one: Kept) -> bool:
        """It has the event; False: the partition is somebody else's now."""
        with self._db.transaction():
            return self._store.advance(cursor, one.position)

    def redelivered(self, cursor: Cursor, letter: Letter, cause: str) -> bool:
        """What became of a letter that was tried again; an empty cause: it was delivered."""
        with self._db.transaction():
            if not self._store.keep_on(cursor, self._clock.now() + LEASE):
                return False
            if cause:
                self._store.update_letter(
                    replace(letter, again=False, cause=cause, attempts=letter.attempts + 1)
                )
            else:
                self._store.drop_letter(letter)
            return True

    def failed(self, cursor: Cursor, one: Kept, attempts: int, cause: str) -> bool:
        """It did not take the event; answers whether the next one may be tried at once.

        With no attempts at all it follows an earlier event of its key to the dead letters.
        """
        with self._db.transaction():
            pause = pause_after(attempts) if attempts else None
            now = self._clock.now()
            if pause is not None:
                self._store.later(cursor, attempts, now + pause, cause)
                return False
            if not self._store.advance(cursor, one.position):
                return False
            self._store.add_letter(
                Letter(cursor.subscription, one.partition, one.position, one.id, one.key, cause,
                       attempts, now)
            )  # fmt: skip
            return True

    def put_off(self, cursor: Cursor, seconds: float, cause: str) -> None:
        """Not now, and not for a fault of the web-hook."""
        with self._db.transaction():
            at = self._clock.now() + timedelta(seconds=seconds)
            self._store.put_off(cursor, at, cause)

    def release(self, cursor: Cursor) -> None:
        """Let others have it."""
        with self._db.transaction():
            self._store.release(cursor, self._clock.now())

    def secret(self, there: Subscription) -> str:
        """With what deliveries are signed."""
        return self._parts.vault.open(there.sealed, _context(there.id)).decode()

    def _there(self, subscription_id: str) -> Subscription:
        found = self._store.find(subscription_id)
        if found is None:
            raise policy.unknown(NOUN)
        return found

    def _find(self, actor: Actor, subscription_id: str, *, lock: bool = False) -> Subscription:
        found = self._store.find(subscription_id, lock=lock)
        if found is None or not any(
            policy.allows(actor, "event.view", path) for path in (found.path, found.provider)
        ):
            raise policy.unknown(NOUN)
        return found

    def _own(self, actor: Actor, subscription_id: str) -> Subscription:
        found = self._find(actor, subscription_id, lock=True)
        _require(actor, found.path)
        return found

    def _note(self, actor: Actor, action: str, there: Subscription, **details: object) -> None:
        self._parts.audit.record(
            actor, f"event.{action}", subject=there.id, path=there.path,
            details={"agreement": there.agreement, "topic": there.topic, **details},
        )  # fmt: skip


def _require(actor: Actor, path: str) -> None:
    """Who may know of it learns that they may not subscribe."""
    if not policy.allows(actor, "event.subscribe", path):
        raise Forbidden(f"this needs the permission event.subscribe on {path}",
                        action="event.subscribe", path=path)  # fmt: skip


def _context(subscription: str) -> str:
    return f"exchange_event_subscription:{subscription}"
