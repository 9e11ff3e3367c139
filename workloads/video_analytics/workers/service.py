"""What people may know of workers."""

from collections.abc import Sequence
from dataclasses import dataclass

from foundation.access import policy
from foundation.kernel.actor import Actor
from workloads.video_analytics.cameras.model import SHARDS
from workloads.video_analytics.workers.model import Held, Worker
from workloads.video_analytics.workers.ports import Leases


@dataclass(frozen=True, slots=True)
class Share:
    """A worker that lives, and how many shards it holds."""

    worker: Worker
    shards: int


@dataclass(frozen=True, slots=True)
class State:
    """How the workers do.

    Attributes:
        free: shards that nobody holds: their cameras are not watched.
    """

    shares: tuple[Share, ...]
    free: int

    @property
    def cameras(self) -> int:
        """Watched by all of them."""
        return sum(one.worker.cameras for one in self.shares)

    @property
    def carries(self) -> int:
        """About how many cameras all of them can carry; 0 while one has not measured it."""
        each = [one.worker.carries for one in self.shares]
        return sum(each) if all(each) else 0


class Workers:
    """Who watches what.

    Args:
        leases: where workers agree on it.
    """

    def __init__(self, leases: Leases) -> None:
        self._leases = leases

    def state(self, actor: Actor) -> State:
        """The workers that live, by name, and what nobody holds.

        Raises:
            Forbidden: the actor may not see it.
        """
        policy.require(actor, "shard.view", policy.ROOT)
        living = self._leases.workers()
        names = {worker.id for worker in living}
        held = [one.holder for one in self._leases.shards() if one.holder in names]
        shares = tuple(Share(worker, held.count(worker.id)) for worker in living)
        return State(shares, SHARDS - len(held))

    def figures(self, figure: str) -> dict[str, float]:
        """``load``, ``cameras``, ``degraded``, ``lag`` or ``carries`` of each that lives."""
        return {one.name: float(getattr(one, figure)) for one in self._leases.workers()}

    def shards(self, actor: Actor) -> Sequence[Held]:
        """Every shard that was ever held, with its newest token.

        Raises:
            Forbidden: the actor may not see it.
        """
        policy.require(actor, "shard.view", policy.ROOT)
        return self._leases.shards()
