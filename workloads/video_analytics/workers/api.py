"""Who watches what, over HTTP."""

from typing import Any

from pydantic import Field

from foundation.surface.api import (
    Answer,
    ApiBlueprint,
    Instant,
    Schema,
    current_actor,
    requires,
    use,
)
from workloads.video_analytics.workers.service import Share, Workers

api = ApiBlueprint("workers", __name__, tag="Workers")


class CameraWorkerOut(Schema):
    """A worker that lives."""

    id: str
    name: str
    capacity: float = Field(description="How much it can carry, in cores")
    load: float = Field(description="Busy share of them, 0 to 1")
    shards: int
    cameras: int
    degraded: int = Field(description="Cameras that it watches less closely than it should")
    lag: float = Field(description="Seconds that nine tenths of its cameras are behind at most")
    cost_ms: float | None = Field(
        description="Milliseconds of a core that one of its cameras takes a second; null until it "
        "was measured for a minute"
    )
    carries: int | None = Field(
        description="About how many cameras like its own it can carry; null until it was measured"
    )
    started_at: Instant | None
    beat_at: Instant | None = Field(description="When it last said that it lives")


class CameraWorkersOut(Schema):
    """The workers that live, by name."""

    items: list[CameraWorkerOut]
    carries: int | None = Field(
        description="About how many cameras all of them can carry; null until each has measured it"
    )
    free_shards: int = Field(description="Shards that nobody holds: their cameras are not watched")


class ShardOut(Schema):
    """A shard and who holds it."""

    shard: int
    token: int = Field(description="Grows with every change of hands; the newest alone may write")
    holder: str = Field(description="Id of the worker; empty when nobody holds it")
    until: Instant | None


class ShardsOut(Schema):
    """Every shard that was ever held."""

    items: list[ShardOut]


@api.get("/camera-workers")
@requires("shard.view")
@api.output(CameraWorkersOut)
def list_camera_workers() -> Answer:
    """The workers that live, and how many shards each holds."""
    state = use(Workers).state(current_actor())
    return {
        "items": [_worker(one) for one in state.shares], "carries": state.carries or None,
        "free_shards": state.free,
    }  # fmt: skip


def _worker(one: Share) -> dict[str, Any]:
    worker = one.worker
    return {
        "id": worker.id, "name": worker.name, "capacity": worker.capacity, "load": worker.load,
        "shards": one.shards, "cameras": worker.cameras, "degraded": worker.degraded,
        "lag": worker.lag, "cost_ms": round(1000 * worker.cost, 3) or None,
        "carries": worker.carries or None,
        "started_at": worker.started_at, "beat_at": worker.beat_at,
    }  # fmt: skip


@api.get("/shards")
@requires("shard.view")
@api.output(ShardsOut)
def list_shards() -> Answer:
    """Every shard that was ever held, with its holder and its newest token."""
    return {"items": use(Workers).shards(current_actor())}
