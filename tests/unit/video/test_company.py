"""Who was there when something began to stand, and what is left of those who go."""

import numpy as np
import pytest

from workloads.video_analytics.synthetic.scene import NOON
from workloads.video_analytics.vision.detectors.beside import Dismissed
from workloads.video_analytics.vision.detectors.company import Company, Movers, Span
from workloads.video_analytics.vision.detectors.lingering import lingers
from workloads.video_analytics.vision.detectors.standing import Standing
from workloads.video_analytics.vision.detectors.two_speeds import Layers
from workloads.video_analytics.vision.model import Box, Point
from workloads.video_analytics.vision.ports import Tracked

_SHAPE = (180, 320)
_BAG = Span(100, 120, 116, 140)


def _layers() -> Layers:
    no, zero = np.zeros(_SHAPE, np.bool_), np.zeros(_SHAPE, np.float32)
    return Layers(no, ~no, zero, zero.copy(), [zero], [zero], zero)


def _track(name: str, span: Span) -> Tracked:
    high, wide = _SHAPE
    box = Box(span.left / wide, span.top / high, span.wide / wide, span.high / high)
    return Tracked(name, box, seen=True, began=NOON, velocity=Point(0, 0),
                   still_seconds=0)  # fmt: skip


def _movers(*moments: tuple[float, dict[str, Span]]) -> Movers:
    movers, layers = Movers(), _layers()
    for at, seen in moments:
        tracks = [_track(name, span) for name, span in seen.items()]
        movers.note(tracks, layers, layers.new, at, 10)
    return movers


def _standing(span: Span, began: float, company: Company | None = None) -> Standing:
    thing = Standing("k", span, span.grown(5, 5, 5, _SHAPE), np.zeros((0, 0), np.bool_), [], [],
                     0.0, began, began, company or Company(span.bottom))  # fmt: skip
    labels = np.zeros(_SHAPE, np.int32)
    labels[span.slices] = 1
    thing.take(_layers(), labels, 1, span)
    return thing


def test_a_thing_that_is_followed_is_not_its_own_company() -> None:
    owner = Span(88, 70, 110, 140)
    movers = _movers(
        *((at, {"owner": owner, "bag": _BAG}) for at in (8.0, 9.0, 10.0)), (11.0, {"bag": _BAG})
    )
    company = movers.company(_BAG, 10.0)
    assert company.ids == {"owner"}
    assert company.tall == pytest.approx(70, abs=1)
    assert movers.company(_BAG, 50.0).heights == []


def test_who_stood_by_it_for_a_minute_is_remembered() -> None:
    owner = Span(88, 70, 110, 140)
    movers = _movers(*((float(at), {"owner": owner}) for at in range(10, 70)))
    assert movers.company(_BAG, 12.0).ids == {"owner"}


@pytest.mark.parametrize(
    ("feet", "heights", "stood"),
    [
        ([140, 141], [70, 70], True),
        # Others pass near the camera, where they are as high as two of those at the thing.
        ([140, 141, 178, 178, 178], [60, 60, 130, 130, 130], True),
        ([90, 91], [12, 12], False),  # a head, of one whose coat is like the ground
        ([140, 175, 175], [10, 85, 85], False),  # a shoe beside one who is nearer
        ([], [], False),
    ],
)
def test_somebody_stood_at_its_foot(feet: list[float], heights: list[float], stood: bool) -> None:  # noqa: FBT001
    assert Company(140.0, heights, heights, feet, feet).stood_at(140) is stood


def test_somebody_larger_is_before_a_thing() -> None:
    passer, other = Span(95, 75, 120, 150), Span(200, 75, 230, 150)
    assert not Movers().cover(_BAG)
    assert _movers((1.0, {"a": passer})).cover(_BAG)
    assert not _movers((1.0, {"a": passer}), (2.0, {"a": other})).cover(_BAG)
    assert not _movers((1.0, {"a": _BAG})).cover(_BAG)


def test_a_stranger_who_stood_a_step_away_before_does_not_keep_a_thing() -> None:
    bag, tall = _standing(_BAG, 20.0), 70.0
    layers = _layers()
    for left, began, stays in ((190, 5.0, False), (190, 18.0, True), (120, 5.0, True)):
        waiting = Span(left, 70, left + 24, 140)
        layers.presence[:] = 0
        layers.presence[waiting.slices] = 1
        other = _standing(waiting, began)
        assert lingers(bag, [bag, other], layers, 1.5 * tall, tall) is stays


def test_a_head_and_a_shadow_of_who_has_gone_are_rests_of_them() -> None:
    person, gone = _standing(Span(90, 80, 120, 150), 10.0), 60.0
    head, shadow = Span(98, 66, 110, 78), Span(122, 144, 134, 150)
    chair = Span(150, 120, 180, 150)
    known = Dismissed()
    known.left(person, gone)
    assert known.has_part(_standing(head, 56.0))
    assert not known.has_part(_standing(shadow, 56.0))
    assert not known.has_part(_standing(head, 20.0))
    passer = Dismissed()
    passer.left(person, person.began + 5)
    assert not passer.has_part(_standing(head, person.began + 2))
    known.note(_standing(person.span, 52.0), gone)
    assert known.has_part(_standing(shadow, 56.0))
    assert not known.has_part(_standing(chair, 56.0))


def test_a_thing_is_learnt_again_when_more_of_it_is_seen() -> None:
    thing = _standing(_BAG, 1.0)
    assert not thing.differs(_BAG, _BAG.area)
    assert thing.differs(_BAG, _BAG.area * 2)
    assert thing.differs(_BAG, _BAG.area // 2)
    assert thing.differs(_BAG.grown(1, 1, 1, _SHAPE), _BAG.area)
