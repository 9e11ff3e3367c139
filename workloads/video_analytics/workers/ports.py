"""What workers need from outside."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from workloads.video_analytics.cameras.model import Health
from workloads.video_analytics.cameras.model import Watched as WatchedCamera
from workloads.video_analytics.events.model import EventRef, EvidenceRef, Reported
from workloads.video_analytics.events.ports import Fence
from workloads.video_analytics.timeline.model import Kept
from workloads.video_analytics.vision.model import RuleSpec, Tier
from workloads.video_analytics.vision.models.ports import Watched
from workloads.video_analytics.watchlists.model import WatchList
from workloads.video_analytics.workers.model import Held, Worker


class Leases(Protocol):
    """Who lives, and who holds which shard. Opens its own transactions.

    A lease is good for its length after the last ``beat``; then anybody may take it, with a greater
    token. Whoever held it learns of it at the next ``beat``; until then the token protects what is
    written.
    """

    def beat(self, worker: Worker) -> tuple[Worker, ...]:
        """Say that a worker lives, renew all that it holds; answers all that live, by name."""
        ...

    def held(self, worker_id: str) -> Mapping[int, int]:
        """The shards that a worker holds, with their tokens."""
        ...

    def take(self, worker_id: str, shards: Collection[int]) -> Mapping[int, int]:
        """Take those of the shards that nobody holds; answers those taken, with new tokens.

        A worker that does not live gets none.
        """
        ...

    def give_back(self, worker_id: str, shards: Collection[int]) -> None:
        """Let others have them at once; what the worker does not hold is passed over."""
        ...

    def leave(self, worker_id: str) -> None:
        """The worker ends: all that it holds is free, and it counts as dead."""
        ...

    def workers(self) -> tuple[Worker, ...]:
        """Those that live, by name."""
        ...

    def shards(self) -> Sequence[Held]:
        """Every shard that was ever held."""
        ...


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known of a camera for whoever goes on with it.

    Attributes:
        data: of its analysis.
        progress: of a file: ``position``, ``epoch``, ``ended``.
    """

    data: bytes = b""
    progress: Mapping[str, object] = field(default_factory=dict)


class Memories(Protocol):
    """What analyses know, kept between workers; inside the open transaction."""

    def save(self, camera_id: str, memory: Memory) -> None:
        """Keep it, in place of what was kept before."""
        ...

    def load(self, camera_id: str) -> Memory:
        """The last that was kept; an empty one when there is none."""
        ...

    def forget(self, camera_id: str) -> None:
        """The camera is gone."""
        ...


class Cameras(Protocol):
    """The registry (``cameras.service.Cameras``)."""

    def watched(self, shards: Collection[int]) -> Sequence[WatchedCamera]: ...

    def note_health(self, camera_id: str, health: Health) -> None: ...

    def note_healths(self, found: Mapping[str, Health]) -> None: ...


class Rules(Protocol):
    """The rules (``rules.service.Rules``)."""

    def specs(self, camera_ids: Collection[str]) -> Mapping[str, tuple[RuleSpec, ...]]: ...


class WatchLists(Protocol):
    """The watch lists (``watchlists.service.Watchlists``)."""

    def known(self, list_ids: Collection[str]) -> Mapping[str, WatchList]: ...

    def in_force(self, list_ids: Collection[str]) -> Watched: ...


class Events(Protocol):
    """Where events go (``events.service.Events``)."""

    def report(
        self, fence: Fence, camera_id: str, signals: Sequence[Reported]
    ) -> Sequence[EventRef]: ...

    def attach(self, fence: Fence, event_id: str, evidence: EvidenceRef) -> None: ...


class Tracks(Protocol):
    """Where pieces of tracks go (``timeline.service.Timeline``)."""

    def keep(self, fence: Fence, camera_id: str, pieces: Sequence[Kept]) -> None: ...


class Usage(Protocol):
    """Where hours and alarms are counted (``usage.service.Usage``)."""

    def note_hours(
        self, fence: Fence, camera_id: str, tier: Tier, start: datetime, end: datetime
    ) -> None: ...

    def note_alarm(self, event_id: str, at: datetime) -> None: ...
