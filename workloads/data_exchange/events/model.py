"""Topics, subscriptions, how far each is, and what could not be delivered."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from workloads.data_exchange.directory.elements import Element
from workloads.data_exchange.gateway.shaping import tokens

PARTITIONS_MAX = 64
RETENTION_MAX = 366
#: Of one event as it is kept.
EVENT_BYTES = 262_144
#: For so long a partition of a subscription is one gateway's, from each look on.
LEASE = timedelta(seconds=20)
#: Pauses before the next attempts; after the last one an event is a dead letter.
PAUSES = tuple(timedelta(seconds=n) for n in (1, 5, 30, 120, 600))
_SECRET = "whsec_"  # noqa: S105 - a prefix
_TOKEN = re.compile(r"([0-9]{1,9});((?:[0-9]{1,3}=[0-9]{1,18},?){1,64})", re.ASCII)


class SubscriptionKind(StrEnum):
    """How a subscription gets its events."""

    #: Its consumer asks.
    PULL = "pull"
    #: A web-hook of its consumer is told.
    PUSH = "push"


class SubscriptionState(StrEnum):
    """Whether a subscription is served."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Topic:
    """Where the events of one service of a data set are kept.

    Attributes:
        service, dataset: ids in the directory; the service names the topic.
        path: of the provider.
        partitions: events of one key lie in one of them, in their order.
        retention_days: for so long events are kept.
        bytes_max: of events that are kept in one partition; more are not taken.
    """

    service: str
    dataset: str
    path: str
    partitions: int
    retention_days: int
    bytes_max: int
    created_at: datetime

    def partition_of(self, key: str) -> int:
        """The partition of a key, the same for ever."""
        return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % self.partitions


@dataclass(frozen=True, slots=True)
class Kept:
    """An event in its place.

    Attributes:
        position: in its partition, from 1, without a gap.
        envelope: the event as JSON, as it was published.
    """

    partition: int
    position: int
    id: str
    key: str
    at: datetime
    envelope: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who gets the events of a topic, under an agreement.

    Attributes:
        path: of the consumer; ``provider``: of who publishes.
        purpose: for which deliveries are made.
        url: of the web-hook; empty for ``pull``.
        sealed: the secret that signs deliveries.
        generation: changes when somebody moves it, so that an older acknowledgement does not undo
            that.
        missed: events that went before it got them.
        lag: events that it has not got yet; ``letters``: dead ones.
    """

    id: str
    agreement: str
    topic: str
    path: str
    provider: str
    purpose: str
    kind: SubscriptionKind
    url: str
    sealed: str
    state: SubscriptionState
    generation: int
    missed: int
    created_at: datetime
    lag: int = 0
    letters: int = 0


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a subscription is in a partition.

    Attributes:
        acked: the position of the last event that it has.
        attempts: at the next one, so far.
        fence: of the gateway that serves it; a later one takes it over.
        cause: why the last attempt failed; empty when none did.
    """

    subscription: str
    partition: int
    acked: int
    attempts: int
    fence: int
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """An event that could not be delivered.

    Attributes:
        again: whether it is to be delivered again.
    """

    subscription: str
    partition: int
    position: int
    event: str
    key: str
    cause: str
    attempts: int
    at: datetime
    again: bool = False

    @property
    def id(self) -> str:
        """Its name in its subscription: ``partition-position``."""
        return f"{self.partition}-{self.position}"


def pause_after(attempts: int) -> timedelta | None:
    """How long to wait after so many attempts; None: it is a dead letter."""
    return PAUSES[attempts - 1] if attempts <= len(PAUSES) else None


def token_of(generation: int, positions: Mapping[int, int]) -> str:
    """What is acknowledged: ``generation;partition=position,…``."""
    return f"{generation};" + ",".join(f"{n}={at}" for n, at in sorted(positions.items()))


def read_token(text: str) -> tuple[int, dict[int, int]] | None:
    """The generation and the positions of a token; None where it is none."""
    found = _TOKEN.fullmatch(text)
    if found is None:
        return None
    pairs = [one.split("=") for one in found[2].rstrip(",").split(",")]
    return int(found[1]), {int(n): int(at) for n, at in pairs}


def schema_of(elements: Iterable[Element]) -> dict[str, Any]:
    """JSON Schema (2020-12) of a record of a data set: its elements, and nothing else."""
    root: dict[str, Any] = _object()
    for one in elements:
        way, here = tokens(one.pointer), root
        for token in way[:-1]:
            here = here["properties"].setdefault(token, _object())
        if way and "properties" in here:
            here["properties"][way[-1]] = one.schema
    return root


def _object() -> dict[str, Any]:
    return {"type": "object", "properties": {}, "additionalProperties": False}


# Standard Webhooks 1.0.0 (https://github.com/standard-webhooks/standard-webhooks), symmetric keys:
# docs/decisions/0173 says why.


def new_secret() -> str:
    """A secret with which deliveries are signed: 32 random bytes."""
    return _SECRET + base64.b64encode(secrets.token_bytes(32)).decode()


def signature(secret: str, message: str, at: int, body: bytes) -> str:
    """What stands in ``webhook-signature``."""
    key = base64.b64decode(secret.removeprefix(_SECRET))
    signed = b".".join((message.encode(), str(at).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
