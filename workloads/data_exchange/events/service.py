"""The use cases of topics: make one, publish, and forget what is old."""

import functools
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import jsonschema_rs

from foundation.access import policy
from foundation.kernel.actor import Actor
from foundation.kernel.errors import Collector, Conflict, Invalid, Problem, Unavailable
from foundation.kernel.paging import Page, PageRequest
from foundation.kernel.time import Clock
from workloads.data_exchange.events.cloudevents import Event, parse
from workloads.data_exchange.events.model import (
    EVENT_BYTES,
    PARTITIONS_MAX,
    RETENTION_MAX,
    Kept,
    Topic,
    schema_of,
)
from workloads.data_exchange.events.ports import Audit, Catalogue, EventStore, Work
from workloads.data_exchange.gateway.documents import dump

NOUN = "topic"
BYTES_MAX = 64 * 1024**3
_FORGOTTEN = 2_000
#: Of the faults of one record so many are named.
_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a request to publish: how many were new, and how many were known."""

    taken: int
    known: int


class Full(Unavailable):
    """A topic keeps as much as it may: whoever publishes waits until something is old."""

    code = "full"


class Topics:
    """Where events are published.

    Args:
        catalogue: what the directory has published.
    """

    def __init__(
        self, store: EventStore, db: Work, clock: Clock, audit: Audit, catalogue: Catalogue
    ) -> None:
        self._store = store
        self._db = db
        self._clock = clock
        self._audit = audit
        self._catalogue = catalogue

    def create(
        self, actor: Actor, *, dataset: str, service: str, partitions: int, retention_days: int,
        bytes_max: int,
    ) -> Topic:  # fmt: skip
        """Make a topic of a published data set and a service of it.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such data set and service, or none of the actor's business.
            Forbidden: they may not manage events of the provider.
            Conflict: it has one.
        """
        with self._db.transaction():
            offered = self._catalogue.offered(dataset, service)
            if offered is None:
                raise policy.unknown("entry")
            policy.require(actor, "event.manage", offered.provider, "entry")
            wrong = Collector()
            wrong.check(
                0 < partitions <= PARTITIONS_MAX, "partitions", f"must be 1 to {PARTITIONS_MAX}"
            )
            _bounded(wrong, retention_days, bytes_max, partitions)
            wrong.finish()
            topic = Topic(
                service, dataset, offered.provider, partitions, retention_days,
                bytes_max // partitions, self._clock.now(),
            )  # fmt: skip
            if not self._store.add_topic(topic):
                raise Conflict("the service has a topic")
            self._note(actor, "create_topic", topic)
            return topic

    def revise(self, actor: Actor, service: str, *, retention_days: int, bytes_max: int) -> Topic:
        """Change for how long, and how much, is kept.

        Raises:
            Invalid: names every wrong field.
            NotFound: no such topic, or none of the actor's business.
            Forbidden: they may not manage events of the provider.
        """
        with self._db.transaction():
            there = self._find(actor, service, "event.manage")
            wrong = Collector()
            _bounded(wrong, retention_days, bytes_max, there.partitions)
            wrong.finish()
            topic = replace(
                there, retention_days=retention_days, bytes_max=bytes_max // there.partitions
            )
            self._store.update_topic(topic)
            self._note(actor, "revise_topic", topic)
            return topic

    def topic(self, actor: Actor, service: str) -> Topic:
        """One.

        Raises:
            NotFound: no such topic, or none of the actor's business.
        """
        with self._db.transaction():
            return self._find(actor, service, "event.view")

    def topics(self, actor: Actor, page: PageRequest) -> Page[Topic]:
        """Those of the actor's agencies."""
        with self._db.transaction():
            return self._store.topics(policy.visible_paths(actor, "event.view"), page)

    def publish(
        self, actor: Actor, service: str, headers: Mapping[str, str], body: bytes
    ) -> Published:
        """Take the events of a request, all of them or none. The same again changes nothing.

        Args:
            actor: may publish for the provider.
            service: names the topic.
            headers: of HTTP, names in lower case.
            body: as it came.

        Raises:
            Invalid: names every wrong attribute, and where data is not as it is described.
            NotFound: no such topic, or none of the actor's business.
            Forbidden: they may not publish for the provider.
            Full: the topic keeps as much as it may.
            Conflict: the data set is no longer published.
        """
        # One transaction for all: what a single event costs is mostly the ways to the database.
        with self._db.transaction():
            topic = self._find(actor, service, "event.publish")
            offered = self._catalogue.offered(topic.dataset, topic.service)
            if offered is None:
                raise Conflict("the data set is no longer published")
            sized = _read(headers, body, dump(schema_of(offered.elements)))
            return self._keep(topic, _once(sized))

    def _keep(self, topic: Topic, events: list[tuple[Event, str]]) -> Published:
        if not events:
            return Published(0, 0)
        wanted = sorted({topic.partition_of(one.key) for one, _ in events})
        held = self._store.hold(topic.service, wanted)
        known = self._store.known(topic.service, [one for one, _ in events])
        now, kept = self._clock.now(), list[tuple[Kept, str]]()
        for one, text in events:
            if (one.source, one.id) in known:
                continue
            partition = topic.partition_of(one.key)
            head, size = held[partition]
            size += len(text.encode())
            if size > topic.bytes_max:
                raise Full("the topic keeps as much as it may: publish later", retry_after=30)
            held[partition] = (head + 1, size)
            kept.append((Kept(partition, head + 1, one.id, one.key, now, text), one.source))
        if kept:
            self._store.append(topic.service, kept)
        return Published(len(kept), len(events) - len(kept))

    def forget(self) -> int:
        """Forget events that are older than their topics keep them; answers how many."""
        gone, request = 0, PageRequest(limit=200)
        while True:
            with self._db.transaction():
                page = self._store.topics((policy.ROOT,), request)
            for topic in page.items:
                before = self._clock.now() - timedelta(days=topic.retention_days)
                more = _FORGOTTEN
                while more == _FORGOTTEN:
                    with self._db.transaction():
                        more = self._store.forget(topic.service, before, _FORGOTTEN)
                    gone += more
            if page.next is None:
                return gone
            request = PageRequest(page.next, 200)

    def heads(self) -> dict[str, int]:
        """How many events each topic ever got; for gateways that wait for more."""
        with self._db.transaction():
            return self._store.heads()

    def _find(self, actor: Actor, service: str, action: str) -> Topic:
        found = self._store.topic(service)
        if found is None:
            raise policy.unknown(NOUN)
        policy.require(actor, action, found.path, NOUN)
        return found

    def _note(self, actor: Actor, action: str, topic: Topic) -> None:
        self._audit.record(
            actor, f"event.{action}", subject=topic.service, path=topic.path,
            details={"dataset": topic.dataset, "partitions": topic.partitions,
                     "retention_days": topic.retention_days},
        )  # fmt: skip


def _bounded(wrong: Collector, retention_days: int, bytes_max: int, partitions: int) -> None:
    wrong.check(
        0 < retention_days <= RETENTION_MAX, "retention_days", f"must be 1 to {RETENTION_MAX}"
    )
    wrong.check(
        EVENT_BYTES * max(partitions, 1) <= bytes_max <= BYTES_MAX, "bytes_max",
        f"must be {EVENT_BYTES} for each partition to {BYTES_MAX}",
    )  # fmt: skip


def _read(headers: Mapping[str, str], body: bytes, schema: str) -> list[tuple[Event, str]]:
    """The events of a request, each with its text as it is kept.

    Raises:
        Invalid: names everything that is wrong with any of them.
    """
    wrong, valid = Collector(), _validator(schema)
    sized = list[tuple[Event, str]]()
    for placed in parse(headers, body, wrong):
        one, at = placed.event, f"{placed.at}data"
        text = dump({**one.attributes, "data": one.data})
        sized.append((one, text))
        wrong.check(len(text.encode()) <= EVENT_BYTES, at, f"must be at most {EVENT_BYTES} bytes")
        _described(wrong, valid, one, at)
    wrong.finish()
    return sized


def _once(sized: list[tuple[Event, str]]) -> list[tuple[Event, str]]:
    """Without those that stand twice in one request; the first one counts."""
    seen: dict[tuple[str, str], tuple[Event, str]] = {}
    for one, text in sized:
        seen.setdefault((one.source, one.id), (one, text))
    return list(seen.values())


@functools.lru_cache(256)
def _validator(schema: str) -> Callable[[Any], Any]:
    try:
        return jsonschema_rs.validator_for(json.loads(schema), retriever=_not_followed).iter_errors
    except (ValueError, TypeError, jsonschema_rs.ReferencingError):
        raise Invalid([Problem("data", "is described by no schema: ask the steward")]) from None


def _described(wrong: Collector, valid: Callable[[Any], Any], one: Event, at: str) -> None:
    for error in itertools.islice(valid(dict(one.data)), _FAULTS):
        way = ".".join(str(part) for part in error.instance_path)
        # The schema's words may quote the value: only where it is wrong is said.
        wrong.check(False, f"{at}.{way}" if way else at, "is not as the data set is described")


def _not_followed(uri: str) -> Any:  # noqa: ANN401 - never returns
    raise ValueError(f"{uri} is not asked for")
