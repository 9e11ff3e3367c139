"""The two backgrounds: what stands stays new, what the light does does not."""

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from workloads.video_analytics.vision.detectors.two_speeds import Layers, TwoSpeeds, relit, spots
from workloads.video_analytics.vision.model import Image

_STEP = 0.4
_HIGH, _WIDE = 90, 160
_THING = (slice(40, 60), slice(70, 90))


def _ground() -> np.ndarray:
    random = np.random.default_rng(4)
    coarse = np.asarray(cv2.resize(random.normal(0, 8, (23, 40)), (_WIDE, _HIGH)))
    picture = 130 + coarse + random.normal(0, 4, (_HIGH, _WIDE))
    picture[::12] -= 22  # joints of a pavement: they suffer most from shaking
    return np.asarray(picture)


def _watch(
    seconds: float, draw: Callable[[np.ndarray, float], np.ndarray], speeds: TwoSpeeds
) -> Layers:
    """Feed pictures of the ground as changed by ``draw``, with noise; the last layers."""
    random, ground, layers = np.random.default_rng(5), _ground(), None
    for n in range(int(seconds / _STEP)):
        at = n * _STEP
        picture = draw(ground.copy(), at) + random.normal(0, 2, ground.shape)
        luma: Image = np.clip(picture, 0, 255).astype(np.uint8)
        layers = speeds.feed(at, [luma]) or layers
    assert layers is not None
    return layers


def _with_thing(picture: np.ndarray, at: float) -> np.ndarray:
    if at > 10:
        picture[_THING] = 195
    return picture


def test_a_thing_does_not_melt_from_its_rim_while_the_camera_shakes() -> None:
    shakes = np.random.default_rng(6)

    def draw(picture: np.ndarray, at: float) -> np.ndarray:
        across, down = shakes.normal(0, 0.6, 2)
        move = np.array([[1, 0, across], [0, 1, down]], np.float32)
        seen = cv2.warpAffine(_with_thing(picture, at), move, (_WIDE, _HIGH), borderMode=2)
        return np.asarray(seen)

    layers = _watch(120, draw, TwoSpeeds())
    assert layers.new[_THING].mean() > 0.8
    assert np.median(layers.held[_THING]) > 60
    away = layers.new.copy()
    away[36:64, 66:94] = False
    assert away.mean() < 0.01


def test_the_ground_below_a_thing_follows_the_light_around_it() -> None:
    def draw(picture: np.ndarray, at: float) -> np.ndarray:
        if at < 80:
            picture = _with_thing(picture, at)
        return np.asarray(picture * (1 - 0.4 * min(1.0, max(0.0, at - 15) / 50)))

    layers = _watch(83, draw, TwoSpeeds())
    assert layers.new.mean() < 0.01


@pytest.mark.parametrize("contrast", [16, 40])
def test_who_sways_leaves_no_ghost_and_no_ground_that_is_taken_for_old(contrast: int) -> None:
    def draw(picture: np.ndarray, at: float) -> np.ndarray:
        if 10 < at < 60:
            layer = np.zeros_like(picture)
            left = 70 + 3 * math.sin(0.45 * at) + 2 * math.sin(1.1 * at)
            cv2.ellipse(layer, (round(16 * (left + 8)), 16 * 45), (16 * 8, 16 * 18), 0, 0, 360,
                        contrast, -1, cv2.LINE_AA, 4)  # fmt: skip
            picture = picture + layer
        return picture

    speeds = TwoSpeeds()
    layers = _watch(64, draw, speeds)
    labels, stats = spots(layers.new)
    old = [
        label
        for label, (*_, area) in enumerate(stats)
        if label and area >= 12 and np.median(speeds.known_since[labels == label]) < 40
    ]
    assert old == []


def test_spots_are_those_of_the_whole_picture() -> None:
    mask = np.zeros((20, 30), np.bool_)
    assert spots(mask)[1] == [(0, 0, 30, 20, 600)]
    mask[5:8, 10:14], mask[15, 25] = True, True
    labels, stats = spots(mask)
    assert labels.shape == mask.shape
    assert {tuple(each) for each in stats[1:]} == {(10, 5, 4, 3, 12), (25, 15, 1, 1, 1)}
    for label, (left, top, wide, high, area) in enumerate(stats[1:], 1):
        assert (labels[top : top + high, left : left + wide] == label).sum() == area
        assert (labels == label).sum() == area


def test_ground_in_another_light_is_known_by_its_texture() -> None:
    ground = np.asarray(cv2.GaussianBlur(_ground(), (3, 3), 0), np.float32)
    darker = ground * np.float32(0.6)
    assert relit([darker], [ground]).mean() > 0.8
    other = np.asarray(cv2.GaussianBlur(_ground()[::-1, ::-1], (3, 3), 0), np.float32)
    assert relit([other], [ground]).mean() < 0.1
