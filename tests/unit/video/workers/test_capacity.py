"""What a camera costs, how many a worker can carry, and what shards are shared out by."""

from collections import Counter
from dataclasses import replace

import pytest

from workloads.video_analytics.workers.capacity import Capacity, weights
from workloads.video_analytics.workers.model import Worker, share


class Time:
    """A clock and a process that are set."""

    def __init__(self) -> None:
        self.at = self.own = 0.0


def measured(
    time: Time, capacity: Capacity, *, seconds: int, cpu: float, seen: int, own: float = 0.0
) -> None:
    """Two lanes that beat every two seconds, each with so much of a core and so many cameras."""
    for _ in range(seconds // 2):
        time.at += 2
        time.own += 2 * own
        for lane in (0, 1):
            capacity.hear(lane, {"cpu": 2 * cpu, "seen": seen})
        capacity.observe()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def capacity(time: Time) -> Capacity:
    found = Capacity(2.0, lambda: time.own, lambda: time.at)
    found.observe()
    return found


def test_nothing_is_said_before_it_was_measured_for_a_minute(
    time: Time, capacity: Capacity
) -> None:
    measured(time, capacity, seconds=58, cpu=0.2, seen=100)
    assert (capacity.cost, capacity.carries) == (0.0, 0)
    measured(time, capacity, seconds=4, cpu=0.2, seen=100)
    assert capacity.cost == pytest.approx(0.4 / 200)
    assert capacity.carries == 800  # eight tenths of two cores


def test_the_worker_itself_counts_too(time: Time, capacity: Capacity) -> None:
    measured(time, capacity, seconds=120, cpu=0.1, seen=50, own=0.2)
    assert capacity.cost == pytest.approx(0.4 / 100)


def test_it_is_said_anew_only_when_a_fifth_has_changed(time: Time, capacity: Capacity) -> None:
    measured(time, capacity, seconds=120, cpu=0.2, seen=100)
    measured(time, capacity, seconds=600, cpu=0.22, seen=100)
    assert capacity.carries == 800
    measured(time, capacity, seconds=900, cpu=0.4, seen=100)
    assert 400 <= capacity.carries <= 480


def test_cameras_that_are_seen_less_closely_do_not_make_it_look_stronger(
    time: Time, capacity: Capacity
) -> None:
    measured(time, capacity, seconds=300, cpu=0.8, seen=100)
    before = capacity.carries
    # Overload: of each hundred a half is degraded, and the processors are as busy as they can be.
    measured(time, capacity, seconds=600, cpu=0.9, seen=50)
    assert capacity.carries < before


def test_without_cameras_nothing_is_measured(time: Time, capacity: Capacity) -> None:
    measured(time, capacity, seconds=300, cpu=0.01, seen=0)
    assert (capacity.cost, capacity.carries) == (0.0, 0)


A, B, C = (Worker(f"wrk_{name}", name, 2.0) for name in "abc")


def test_shards_go_where_cameras_cost_less() -> None:
    fast, slow = replace(A, carries=1000), replace(B, carries=500)
    assert weights([fast, slow])["wrk_a"] == pytest.approx(2 * weights([fast, slow])["wrk_b"])
    count = Counter(share(weights([fast, slow]), range(512)).values())
    assert 0.57 < count["wrk_a"] / 512 < 0.77


def test_a_small_difference_and_a_new_worker_move_nothing_more() -> None:
    before = share(weights([A, B]), range(512))
    assert share(weights([replace(A, carries=1000), replace(B, carries=900)]), range(512)) == before
    one = share(weights([replace(A, carries=1000), replace(B, carries=600)]), range(512))
    both = share(weights([replace(A, carries=1000), replace(B, carries=600), C]), range(512))
    assert all(both[s] in {who, "wrk_c"} for s, who in one.items())


def test_nobody_counts_for_more_than_four_times_another() -> None:
    found = weights([replace(A, carries=100_000), replace(B, carries=1000), replace(C, carries=3)])
    assert found["wrk_a"] == pytest.approx(2 * found["wrk_b"])
    assert found["wrk_b"] == pytest.approx(2 * found["wrk_c"])
