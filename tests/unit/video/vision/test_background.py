"""Background subtraction on scenes with known masks."""

from collections.abc import Iterable

import numpy as np
import pytest

from tests.harness.video_scenes import Mover, f_measure, play, street
from workloads.video_analytics.vision.background import Background
from workloads.video_analytics.vision.model import Frame, Image

_RATE = 12.5
_CARS = [
    Mover(-20, 120, 40, 24, vx=60, grey=190, start=3, shadow=True),
    Mover(340, 60, 30, 16, vx=-45, grey=60, start=4, shadow=True),
    Mover(-20, 150, 50, 30, vx=80, grey=225, start=8, shadow=True),
    Mover(340, 90, 36, 20, vx=-70, grey=40, start=9, shadow=True),
]


def _score(frames: Iterable[tuple[Frame, Image]], background: Background, after: float) -> float:
    total = np.zeros(3)
    for number, (frame, truth) in enumerate(frames):
        found = background.look(frame.luma, 1 / _RATE)
        assert set(np.unique(found)) <= {0, 255}
        assert found.shape == truth.shape
        if number / _RATE >= after:
            total += f_measure(found, truth)
    return float(2 * total[0] / (2 * total[0] + total[1] + total[2]))


def test_cars_with_shadows_on_a_noisy_road() -> None:
    frames = play(street(320, 180), _CARS, 14, _RATE)
    assert _score(frames, Background(), after=3) >= 0.89


def test_a_shaking_camera() -> None:
    frames = play(street(320, 180), _CARS, 14, _RATE, jitter=1.5)
    assert _score(frames, Background(), after=3) >= 0.8


def test_colour_pictures() -> None:
    def coloured() -> Iterable[tuple[Frame, Image]]:
        for frame, truth in play(street(320, 180), _CARS, 12, _RATE):
            tinted = np.dstack([frame.luma, frame.luma, frame.luma])
            yield Frame(frame.at, np.ascontiguousarray(tinted)), truth

    assert _score(coloured(), Background(), after=3) >= 0.85


@pytest.mark.parametrize("gain", [0.55, 1.6])
def test_exposure_that_changes_makes_nothing_new(gain: float) -> None:
    background = Background()
    for number, (frame, _) in enumerate(play(street(320, 180), [], 10, _RATE, gain={5: gain})):
        found = background.look(frame.luma, 1 / _RATE)
        if number / _RATE > 5:
            assert (found > 0).mean() < 0.01


def test_light_that_is_switched_is_the_background_within_a_second() -> None:
    background = Background()
    dark = street(320, 180)
    bright = 235 - 0.6 * dark  # no gain makes one of the other
    for frame, _ in play(dark, [], 5, _RATE):
        background.look(frame.luma, 1 / _RATE)
    shares = [
        float((background.look(frame.luma, 1 / _RATE) > 0).mean())
        for frame, _ in play(bright, [], 3, _RATE)
    ]
    assert max(shares) < 0.05  # never one large thing
    assert max(shares[round(_RATE) :]) < 0.005


def test_what_stands_stays_visible_and_what_left_no_ghost() -> None:
    background = Background()
    ground = street(320, 180)
    person = Mover(20, 110, 26, 60, vx=40, grey=215, start=2, stops=5, end=40)
    share: dict[int, float] = {}
    for number, (frame, truth) in enumerate(play(ground, [person], 46, _RATE)):
        found = background.look(frame.luma, 1 / _RATE)
        if truth.any():
            share[number] = float((found[truth == 255] > 0).mean())
        elif number / _RATE > 44:
            assert not found.any()
    assert min(share[n] for n in share if 6 < n / _RATE < 39) > 0.85


def test_a_thing_that_was_there_at_the_start_leaves_no_ghost() -> None:
    background = Background()
    car = Mover(160, 100, 60, 30, vx=50, grey=220, start=3, end=10)
    parked = Mover(160, 100, 60, 30, grey=220, end=3)
    hole = (slice(86, 114), slice(132, 188))
    for number, (frame, _) in enumerate(play(street(320, 180), [parked, car], 20, _RATE)):
        found = background.look(frame.luma, 1 / _RATE)
        if number / _RATE > 14:
            assert (found[hole] > 0).mean() < 0.05


def test_patience_ends_for_what_stands_forever() -> None:
    background = Background(patience_seconds=8)
    thing = Mover(160, 100, 40, 40, grey=220, start=2)
    shares = []
    for frame, truth in play(street(320, 180), [thing], 20, _RATE):
        found = background.look(frame.luma, 1 / _RATE)
        shares.append(float((found[truth == 255] > 0).mean()) if truth.any() else 0.0)
    assert shares[round(6 * _RATE)] > 0.9
    assert shares[-1] < 0.1


@pytest.mark.parametrize("shape", [(8, 8), (48, 48), (31, 200), (180, 320)])
def test_any_size_and_a_change_of_size(shape: tuple[int, int]) -> None:
    background = Background()
    rng = np.random.default_rng(1)
    for size in (shape, (60, 80), shape):
        for _ in range(20):
            picture = rng.integers(90, 110, size).astype(np.uint8)
            found = background.look(picture, 0.1)
            assert found.shape == size


def test_it_goes_on_where_another_one_was() -> None:
    first, second = Background(), Background()
    ground = street(320, 180)
    for frame, _ in play(ground, [], 6, _RATE):
        first.look(frame.luma, 1 / _RATE)
    second.recall(first.memory())
    thing = Mover(100, 100, 40, 40, grey=220)
    frame, truth = next(iter(play(ground, [thing], 1, _RATE)))
    found = second.look(frame.luma, 1 / _RATE)
    tp, fp, fn = f_measure(found, truth)
    assert 2 * tp / (2 * tp + fp + fn) > 0.9


@pytest.mark.parametrize(
    "memory",
    [{}, {"mean": 3}, {"mean": np.zeros((0, 3), np.uint8)}, {"mean": np.zeros((4, 4))},
     {"mean": np.zeros((4, 4, 2), np.uint8)}],
)  # fmt: skip
def test_nonsense_is_not_recalled(memory: dict[str, object]) -> None:
    background = Background()
    background.recall(memory)
    assert background.picture is None


def test_noise_is_not_learned_larger_than_it_is() -> None:
    """Strong noise alone is asked about; were it learned from, faint things would be missed."""
    ground = street(320, 180)
    grey = float(ground[60:120, 130:260].mean()) + 12
    thing = Mover(160, 90, 60, 40, vx=25, grey=grey, start=20)
    frames = play(ground, [thing], 23, _RATE, noise=4.0)
    assert _score(frames, Background(), after=20.5) > 0.67
