"""``events.ports.Fences``: an old token writes nothing, and none is handed out under a writer.

An implementation adds itself to ``IMPLEMENTATIONS``: a function that makes the fences of a database
and what hands a shard to a new holder.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from foundation.kernel.database import Database
from foundation.kernel.errors import Conflict
from tests.fakes.video import FakeFences
from workloads.video_analytics.events.ports import Fence, Fenced, Fences
from workloads.video_analytics.workers.model import Worker
from workloads.video_analytics.workers.store import PostgresShards


@dataclass(frozen=True)
class Shards:
    fences: Fences
    take: Callable[[int], Fence]


def _fake(database: Database) -> Shards:
    fences = FakeFences(database)
    return Shards(fences, fences.take)


def _postgres(database: Database) -> Shards:
    shards = PostgresShards(database)

    def take(shard: int) -> Fence:
        held = [one for one in shards.shards() if one.shard == shard and one.holder]
        for one in held:
            shards.give_back(one.holder, {shard})
        shards.beat(Worker("wrk_a", "a", 1.0))
        return Fence(shard, shards.take("wrk_a", {shard})[shard])

    return Shards(shards, take)


IMPLEMENTATIONS: Mapping[str, Callable[[Database], Shards]] = {
    "fake": _fake,
    "postgres": _postgres,
}


@pytest.fixture(params=IMPLEMENTATIONS)
def shards(request: pytest.FixtureRequest, database: Database) -> Shards:
    return IMPLEMENTATIONS[request.param](database)


def _check(database: Database, shards: Shards, fence: Fence) -> None:
    with database.transaction():
        shards.fences.check(fence)


def test_the_newest_token_may_write_as_often_as_it_likes(
    database: Database, shards: Shards
) -> None:
    fence = shards.take(7)
    _check(database, shards, fence)
    _check(database, shards, fence)


def test_tokens_grow_and_an_older_one_is_refused(database: Database, shards: Shards) -> None:
    first = shards.take(7)
    second = shards.take(7)
    assert second.token > first.token
    assert (first.shard, second.shard) == (7, 7)
    with pytest.raises(Fenced) as refused:
        _check(database, shards, first)
    assert isinstance(refused.value, Conflict)
    _check(database, shards, second)


def test_a_token_that_was_never_given_is_refused(database: Database, shards: Shards) -> None:
    fence = shards.take(7)
    for wrong in (Fence(7, fence.token + 1), Fence(7, 0), Fence(8, fence.token)):
        with pytest.raises(Fenced):
            _check(database, shards, wrong)


def test_shards_change_hands_for_themselves(database: Database, shards: Shards) -> None:
    seventh, eighth = shards.take(7), shards.take(8)
    shards.take(8)
    _check(database, shards, seventh)
    with pytest.raises(Fenced):
        _check(database, shards, eighth)


def test_no_token_is_handed_out_while_a_writer_has_not_committed(
    database: Database, shards: Shards
) -> None:
    fence = shards.take(7)
    taken = threading.Event()

    def take() -> None:
        shards.take(7)
        taken.set()

    thread = threading.Thread(target=take)
    with database.transaction():
        shards.fences.check(fence)
        thread.start()
        assert not taken.wait(0.3)
        shards.fences.check(fence)
    assert taken.wait(10)
    thread.join()
    with pytest.raises(Fenced):
        _check(database, shards, fence)


def test_two_writers_of_one_token_do_not_wait_for_each_other(
    database: Database, shards: Shards
) -> None:
    fence = shards.take(7)
    through = threading.Event()

    def write() -> None:
        _check(database, shards, fence)
        through.set()

    thread = threading.Thread(target=write)
    with database.transaction():
        shards.fences.check(fence)
        thread.start()
        assert through.wait(10)
    thread.join()


def test_many_are_asked_about_at_once(database: Database, shards: Shards) -> None:
    old = shards.take(3)
    fences = {shards.take(3), shards.take(4), old, Fence(4, 99), Fence(5, 1)}
    with database.transaction():
        found = shards.fences.current(fences)
        assert found == {one for one in fences if one.shard in {3, 4}} - {old, Fence(4, 99)}
        assert shards.fences.current(()) == set()
