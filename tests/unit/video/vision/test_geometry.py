import cv2
import numpy as np
import pytest

from workloads.video_analytics.vision import geometry
from workloads.video_analytics.vision.model import Point


def _points(*pairs: tuple[float, float]) -> tuple[Point, ...]:
    return tuple(Point(*pair) for pair in pairs)


_SQUARE = _points((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))


def test_inside_a_polygon_and_its_mask_agree() -> None:
    notch = _points((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.5, 0.4), (0.1, 0.9))
    drawn = geometry.mask(notch, (100, 100))
    for y in range(5, 100, 10):
        for x in range(5, 100, 10):
            here = geometry.inside(Point((x + 0.5) / 100, (y + 0.5) / 100), notch)
            edge = geometry.distance(Point(x / 100, y / 100), (*notch, notch[0]), 1.0) < 0.02
            assert edge or here == bool(drawn[y, x])


def test_no_polygon_is_everything() -> None:
    assert geometry.inside(Point(0.9, 0.1), ())
    assert geometry.mask((), (4, 6)).all()


def test_masked_leaves_the_original() -> None:
    picture = np.full((40, 40, 3), 200, np.uint8)
    found = geometry.masked(picture, [_SQUARE])
    assert picture.all()
    assert not found[20, 20].any()
    assert found[2, 2].all()
    assert geometry.masked(picture, []) is picture
    assert cv2.countNonZero(geometry.mask(_SQUARE, (40, 40))) == 441  # with its rim


@pytest.mark.parametrize(
    ("before", "after", "way"),
    [
        ((0.5, 0.4), (0.5, 0.6), 1),  # down over a line drawn to the right: to its right
        ((0.5, 0.6), (0.5, 0.4), -1),
        ((0.5, 0.1), (0.5, 0.4), 0),
        ((0.95, 0.4), (0.95, 0.6), 0),  # past its end
    ],
)
def test_crossing(before: tuple[float, float], after: tuple[float, float], way: int) -> None:
    line = _points((0.1, 0.5), (0.9, 0.5))
    assert geometry.crossing(Point(*before), Point(*after), line) == way


def test_there_and_back_over_a_bent_line_is_no_crossing() -> None:
    line = _points((0.2, 0.8), (0.5, 0.2), (0.8, 0.8))
    assert geometry.crossing(Point(0.1, 0.6), Point(0.9, 0.6), line) == 0
    assert geometry.crossing(Point(0.1, 0.6), Point(0.5, 0.6), line) == 1


def test_distance_is_in_heights() -> None:
    line = _points((0.5, 0.0), (0.5, 1.0))
    assert geometry.distance(Point(0.75, 0.5), line, 16 / 9) == pytest.approx(0.25 * 16 / 9)


def test_the_part_of_a_mask_that_holds_all_of_it() -> None:
    mask = np.zeros((20, 30), np.uint8)
    assert mask[geometry.around(mask, 4)].size == 0
    mask[5:7, 10:13] = 255
    assert geometry.around(mask, 0) == (slice(5, 7), slice(10, 13))
    assert geometry.around(mask, 4) == (slice(1, 11), slice(6, 17))
    mask[19, 29] = 255
    assert geometry.around(mask, 4) == (slice(1, 20), slice(6, 30))
