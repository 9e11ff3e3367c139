import numpy as np
import pytest

from workloads.video_analytics.vision.association import assign, overlap, suppressed
from workloads.video_analytics.vision.tracker import Knobs, Tracker


def _box(x: float, y: float = 0.5, size: float = 0.1) -> list[float]:
    return [x - size / 4, y - size / 2, size / 2, size]


def _step(
    tracker: Tracker, at: float, *boxes: list[float], scores: list[float] | None = None
) -> None:
    found = np.array(boxes, float).reshape(-1, 4)
    tracker.step(at, found, np.array(scores or [0.9] * len(found)))


def test_overlap_and_assignment() -> None:
    ones = np.array([[0, 0, 2, 2], [10, 10, 2, 2]], float)
    others = np.array([[1, 0, 2, 2], [20, 20, 1, 1]], float)
    shared = overlap(ones, others)
    assert shared[0, 0] == pytest.approx(2 / 6)
    assert shared[1].tolist() == [0, 0]
    rows, columns = assign(np.array([[0.9, 0.8], [0.85, 0.1]]), 0.3)
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 1), (1, 0)]
    assert suppressed(ones, np.array([0.5, 0.9]), 0.5).tolist() == [1, 0]
    twice = np.array([[0, 0, 2, 2], [0, 0, 2, 2.1]], float)
    assert suppressed(twice, np.array([0.5, 0.9]), 0.5).tolist() == [1]


def test_it_keeps_the_number_through_an_occlusion() -> None:
    tracker = Tracker(Knobs(lost_seconds=1.5))
    for n in range(40):
        at = n / 10
        seen = [] if 18 <= n < 26 else [_box(0.1 + 0.02 * n)]
        _step(tracker, at, *seen)
    assert [t.number for t in tracker.tracks] == [1]
    assert tracker.tracks[0].hits == 32


def test_two_that_pass_each_other_keep_theirs() -> None:
    tracker = Tracker()
    for n in range(41):
        _step(tracker, n / 10, _box(0.1 + 0.02 * n, 0.5), _box(0.9 - 0.02 * n, 0.54))
    ends = {t.number: tracker.boxes[i, 0] for i, t in enumerate(tracker.tracks)}
    assert set(ends) == {1, 2}
    assert ends[1] > 0.7
    assert ends[2] < 0.3


def test_a_doubtful_detection_carries_a_track_and_starts_none() -> None:
    tracker = Tracker()
    for n in range(20):
        score = 0.9 if n < 10 else 0.3
        _step(tracker, n / 10, _box(0.2 + 0.005 * n), _box(0.8), scores=[score, 0.3])
    assert [t.number for t in tracker.tracks] == [1]
    assert tracker.tracks[0].hits == 20


def test_one_that_is_seen_once_is_never_believed() -> None:
    tracker = Tracker()
    _step(tracker, 0.0, _box(0.5))
    _step(tracker, 0.1)
    assert not tracker.tracks
    assert not tracker.gone


def test_one_that_is_gone_is_named_once() -> None:
    tracker = Tracker()
    gone = []
    for n in range(40):
        _step(tracker, n / 10, *([_box(0.2)] if n < 10 else []))
        gone += [t.number for t in tracker.gone]
    assert gone == [1]


def test_a_fast_small_thing_at_a_low_rate() -> None:
    tracker = Tracker()
    for n in range(10):
        _step(tracker, n / 5, _box(0.1 + 0.06 * n, size=0.1))  # 1.2 times its width in a step
    assert len([t for t in tracker.tracks if t.confirmed]) == 1
    assert tracker.tracks[0].hits >= 9


def test_all_are_moved_along_with_the_camera() -> None:
    def numbers(*, follow: bool) -> int:
        tracker = Tracker(Knobs(follow_camera=follow, reach=0, overlap_sure=0.3))
        places = [0.1 + 0.12 * k for k in range(8)]
        highest = 0
        for n in range(30):
            pan = 0.03 if 15 <= n < 22 and n % 2 else 0.0
            boxes = [_box(x + pan, 0.3 + 0.05 * k) for k, x in enumerate(places)]
            _step(tracker, n / 30, *boxes)
            highest = max(highest, *(t.number for t in tracker.tracks))
        return highest

    assert numbers(follow=True) == 8
    assert numbers(follow=False) > 8


def test_stillness_is_measured_from_the_last_move() -> None:
    tracker = Tracker()
    for n in range(100):
        _step(tracker, n / 10, _box(0.2 + 0.02 * min(n, 30)))
    assert 9.9 - tracker.tracks[0].anchored == pytest.approx(6.9, abs=0.6)


def test_it_goes_on_where_another_one_was() -> None:
    first, second = Tracker(), Tracker()
    for n in range(10):
        _step(first, n / 10, _box(0.1 + 0.02 * n))
    second.recall(first.memory())
    for n in range(10, 20):
        _step(second, n / 10, _box(0.1 + 0.02 * n))
    assert [(t.number, t.hits) for t in second.tracks] == [(1, 20)]
    for nonsense in ({}, {"tracks": np.zeros((2, 3))}, {**first.memory(), "mean": np.zeros(3)},
                     {**first.memory(), "next": "x"}):  # fmt: skip
        fresh = Tracker()
        fresh.recall(nonsense)
        assert not fresh.tracks
