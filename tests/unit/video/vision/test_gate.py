import numpy as np

from tests.harness.video_scenes import Mover, play, street
from workloads.video_analytics.vision.gate import PIXELS, Gate, small


def _states(noise: float) -> list[bool]:
    gate = Gate()
    thing = Mover(0, 200, 30, 60, vx=120, start=6, end=10)
    frames = play(street(640, 360), [thing], 24, 5, noise=noise)
    return [gate.look(small(frame.luma, PIXELS), 0.2) for frame, _ in frames]


def test_it_opens_for_a_person_and_closes_after() -> None:
    for noise in (1.0, 8.0):
        states = _states(noise)
        assert not any(states[15:30])
        assert all(states[32:50])
        assert not any(states[100:])


def test_it_goes_on_with_another_ones_average() -> None:
    first, second = Gate(), Gate()
    frames = [small(f.luma, PIXELS) for f, _ in play(street(640, 360), [], 8, 5)]
    for frame in frames:
        first.look(frame, 0.2)
    second.recall(first.memory())
    assert not second.look(frames[-1], 0.2)
    second.recall({"average": np.zeros(3), "noise": "loud"})
    assert not second.look(frames[-1], 0.2)


def test_small_keeps_the_shape_and_never_enlarges() -> None:
    for height, width in ((4320, 7680), (360, 640), (1080, 608)):
        found = small(np.full((height, width), 9, np.uint8), 320 * 180)
        assert found.shape[0] * found.shape[1] <= 320 * 180 * 1.02
        assert abs(found.shape[1] / found.shape[0] - width / height) < 0.02
        assert (found == 9).all()
    tiny = np.zeros((48, 48), np.uint8)
    assert small(tiny, 320 * 180) is tiny
    assert small(np.zeros((1, 100_000), np.uint8), 100).shape[0] == 1
