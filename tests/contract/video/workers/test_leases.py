import threading

import pytest

from foundation.kernel.database import Database
from tests.harness.leases import LeasesContract, one
from workloads.video_analytics.events.ports import Fence, Fenced
from workloads.video_analytics.workers.ports import Memory
from workloads.video_analytics.workers.store import PostgresMemories, PostgresShards


class TestPostgresShards(LeasesContract):
    @pytest.fixture
    def leases(self, video: Database) -> tuple[PostgresShards, PostgresShards]:
        return (
            PostgresShards(video, lease_seconds=self.SECONDS),
            PostgresShards(video, lease_seconds=self.SECONDS),
        )


def test_two_that_take_at_once_never_take_the_same(video: Database) -> None:
    shards = PostgresShards(video)
    names = [f"w{n}" for n in range(4)]
    for name in names:
        shards.beat(one(name))
    found: dict[str, dict[int, int]] = {}

    def take(name: str) -> None:
        found[name] = dict(shards.take(f"wrk_{name}", range(512)))

    threads = [threading.Thread(target=take, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = [shard for part in found.values() for shard in part]
    assert sorted(taken) == list(range(512))


def test_a_fence_holds_for_the_newest_token_alone(video: Database) -> None:
    shards = PostgresShards(video)
    shards.beat(one("a"))
    shards.beat(one("b"))
    old = shards.take("wrk_a", {3})[3]
    with video.transaction():
        shards.check(Fence(3, old))
    shards.give_back("wrk_a", {3})
    new = shards.take("wrk_b", {3})[3]
    for fence in (Fence(3, old), Fence(3, new + 1), Fence(4, 1)):
        with pytest.raises(Fenced), video.transaction():
            shards.check(fence)
    with video.transaction():
        shards.check(Fence(3, new))


def test_nobody_takes_a_shard_while_its_holder_writes(video: Database) -> None:
    shards = PostgresShards(video, lease_seconds=0.3)
    shards.beat(one("a"))
    token = shards.take("wrk_a", {3})[3]
    order: list[str] = []

    def take() -> None:
        taken: dict[int, int] = {}
        while not taken:
            shards.beat(one("b"))
            taken = dict(shards.take("wrk_b", {3}))
        order.append("taken")

    with video.transaction():
        shards.check(Fence(3, token))
        thread = threading.Thread(target=take)
        thread.start()
        thread.join(1.0)
        order.append("written")
    thread.join(5)
    assert order == ["written", "taken"]


def test_tokens_given_out_elsewhere_are_made_known(video: Database) -> None:
    shards = PostgresShards(video)
    assert shards.announce("wrk_a", {1: 5, 2: 1}) == {1: 5, 2: 1}
    assert shards.announce("wrk_b", {1: 6}) == {1: 6}
    assert shards.announce("wrk_a", {1: 5}) == {}
    with pytest.raises(Fenced), video.transaction():
        shards.check(Fence(1, 5))
    with video.transaction():
        shards.check(Fence(1, 6))


def test_a_memory_is_kept_whole(video: Database) -> None:
    memories = PostgresMemories(video)
    with video.transaction():
        assert memories.load("cam_1") == Memory()
        memories.save("cam_1", Memory(b"\0one", {"position": 1.5}))
        memories.save("cam_1", Memory(b"two", {"position": 2.5}))
        assert memories.load("cam_1") == Memory(b"two", {"position": 2.5})
        memories.forget("cam_1")
        assert memories.load("cam_1") == Memory()
