"""The contract of ``workers.ports.Leases``: for PostgreSQL here, for Kubernetes on the devcloud."""

import time

from workloads.video_analytics.workers.model import Worker
from workloads.video_analytics.workers.ports import Leases


def one(name: str, capacity: float = 2.0) -> Worker:
    return Worker(f"wrk_{name}", name, capacity)


class LeasesContract:
    """Subclasses give ``leases`` (two adapters on the same store) with a lease of ``SECONDS``."""

    SECONDS = 2.0

    def test_who_beats_lives_and_who_leaves_does_not(self, leases: tuple[Leases, Leases]) -> None:
        a, b = leases
        assert [w.name for w in a.beat(one("a"))] == ["a"]
        assert [w.name for w in b.beat(one("b", 4.0))] == ["a", "b"]
        assert {w.name: w.capacity for w in a.workers()} == {"a": 2.0, "b": 4.0}
        a.leave("wrk_a")
        assert [w.name for w in b.beat(one("b", 4.0))] == ["b"]

    def test_a_shard_is_held_by_one(self, leases: tuple[Leases, Leases]) -> None:
        a, b = leases
        a.beat(one("a"))
        b.beat(one("b"))
        taken = a.take("wrk_a", {1, 2, 3})
        assert taken.keys() == {1, 2, 3}
        assert all(token >= 1 for token in taken.values())
        assert b.take("wrk_b", {2, 3, 4}).keys() == {4}
        assert a.held("wrk_a") == taken
        holders = {held.shard: held.holder for held in b.shards() if held.holder}
        assert holders == {1: "wrk_a", 2: "wrk_a", 3: "wrk_a", 4: "wrk_b"}

    def test_who_does_not_live_takes_nothing(self, leases: tuple[Leases, Leases]) -> None:
        assert leases[0].take("wrk_ghost", {1}) == {}

    def test_what_is_given_back_is_free_and_has_a_greater_token(
        self, leases: tuple[Leases, Leases]
    ) -> None:
        a, b = leases
        a.beat(one("a"))
        b.beat(one("b"))
        first = a.take("wrk_a", {7})[7]
        b.give_back("wrk_b", {7})  # not his to give
        assert b.take("wrk_b", {7}) == {}
        a.give_back("wrk_a", {7})
        assert a.held("wrk_a") == {}
        assert b.take("wrk_b", {7})[7] > first

    def test_a_beat_keeps_what_is_held(self, leases: tuple[Leases, Leases]) -> None:
        a, b = leases
        a.beat(one("a"))
        token = a.take("wrk_a", {9})[9]
        for _ in range(4):
            time.sleep(self.SECONDS / 2.5)
            a.beat(one("a"))
            b.beat(one("b"))
            assert b.take("wrk_b", {9}) == {}
        assert a.held("wrk_a") == {9: token}

    def test_silence_frees_after_the_lease_and_the_silent_one_has_lost_it(
        self, leases: tuple[Leases, Leases]
    ) -> None:
        a, b = leases
        a.beat(one("a"))
        b.beat(one("b"))
        first = a.take("wrk_a", {5})[5]
        began = time.monotonic()
        taken: dict[int, int] = {}
        while not taken and time.monotonic() - began < 4 * self.SECONDS:
            b.beat(one("b"))
            taken = dict(b.take("wrk_b", {5}))
            time.sleep(0.1)
        assert taken[5] > first
        assert time.monotonic() - began > self.SECONDS * 0.8
        a.beat(one("a"))
        assert a.held("wrk_a") == {}
        assert b.held("wrk_b") == taken

    def test_leaving_frees_at_once(self, leases: tuple[Leases, Leases]) -> None:
        a, b = leases
        a.beat(one("a"))
        a.take("wrk_a", {5, 6})
        a.leave("wrk_a")
        b.beat(one("b"))
        assert b.take("wrk_b", {5, 6}).keys() == {5, 6}
