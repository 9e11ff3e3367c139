"""The two sample clips, with what is in them counted by eye on sheets of their frames.

car-detection.mp4 (30 s): four cars. A white one comes up from below (4.4 to 8.4 s), a light one
goes down (14.5 to 18.2 s), a red one comes up (15.2 to 18.8 s), a white one goes down (25.4 to
27.8 s). one-by-one-person-detection.mp4 (139 s): six people come to a table one after the other,
stand there reading and leave to the right: in view from about 6, 23, 50, 74, 92 and 124 s.
"""

from collections.abc import Iterator
from datetime import timedelta

import av
import pytest

from tests.harness.video_scenes import START
from workloads.video_analytics import samples
from workloads.video_analytics.vision.analyser import CameraAnalyser
from workloads.video_analytics.vision.model import (
    Analysis,
    CameraView,
    Frame,
    Look,
    Phase,
    Point,
    RuleKind,
    RuleSpec,
    Tier,
)

_CARS, _PEOPLE = "car-detection.mp4", "one-by-one-person-detection.mp4"
_ACROSS = (Point(0.0, 0.5), Point(1.0, 0.5))
_TABLE = (Point(0.3, 0.3), Point(0.8, 0.3), Point(0.8, 0.98), Point(0.3, 0.98))


def _frames(name: str, rate: float) -> Iterator[Frame]:
    last = -1.0
    with av.open(str(samples.FOLDER / name)) as container:
        for decoded in container.decode(video=0):
            seconds = float(decoded.time or 0)
            if seconds - last < 1 / rate - 1e-3:
                continue
            last = seconds
            yield Frame(
                START + timedelta(seconds=seconds),
                decoded.to_ndarray(format="gray"),
                decoded.to_ndarray(format="bgr24"),
            )


def _run(name: str, rate: float, tier: Tier, *rules: RuleSpec) -> list[Analysis]:
    analyser = CameraAnalyser(CameraView("camera"), rules, tier)
    found = []
    at = START
    for frame in _frames(name, rate):
        found.append(analyser.feed(frame))
        at = frame.at
    return [*found, analyser.close(at)]


@pytest.mark.parametrize(
    ("rate", "tier"),
    [
        (12.5, Tier.LOW_RATE),
        pytest.param(6.25, Tier.LOW_RATE, marks=pytest.mark.rehearsal),
        pytest.param(12.5, Tier.FULL, marks=pytest.mark.rehearsal),
    ],
)
def test_four_cars_two_each_way(rate: float, tier: Tier) -> None:
    found = _run(
        _CARS,
        rate,
        tier,
        RuleSpec("count", 1, RuleKind.COUNTING, _ACROSS),
        RuleSpec("line", 1, RuleKind.LINE_CROSSING, _ACROSS),
        RuleSpec("look", 1, RuleKind.TAMPERING),
    )
    signals = [signal for analysis in found for signal in analysis.signals]
    (total,) = [s.data for s in signals if s.rule == "count" and s.phase is Phase.ENDED]
    assert total == {"to_left": 2, "to_right": 2, "count": 4}
    crossings = [s for s in signals if s.rule == "line" and s.phase is Phase.ACTIVE]
    ways = [s.data["direction"] for s in crossings]
    assert ways == ["to_left", "to_right", "to_left", "to_right"]
    times = [(s.at - START).total_seconds() for s in crossings]
    assert times == pytest.approx([7.5, 16.0, 18.0, 26.2], abs=0.7)
    pieces = {piece.id: piece for analysis in found for piece in analysis.tracks}
    colours = [pieces[s.track].colour for s in crossings if s.track]
    assert colours[0] == colours[3] == "white"
    assert colours[2] == "red"
    assert not [s for s in signals if s.rule == "look"]
    assert {analysis.look for analysis in found} == {Look.FINE}


def test_six_people_come_to_the_table_and_stay() -> None:
    found = _run(
        _PEOPLE,
        5,
        Tier.LOW_RATE,
        RuleSpec("entry", 1, RuleKind.FIELD_ENTRY, _TABLE, {"minimum_size_percent": 2}),
        RuleSpec("stay", 1, RuleKind.LOITERING, _TABLE, {"seconds": 6, "minimum_size_percent": 2}),
    )
    signals = [signal for analysis in found for signal in analysis.signals]
    for rule in ("entry", "stay"):
        began = [s for s in signals if s.rule == rule and s.phase is Phase.ACTIVE]
        ended = [s for s in signals if s.rule == rule and s.phase is Phase.ENDED]
        assert len(began) == len(ended) == 6
        assert len({s.track for s in began}) == 6
    entered = [
        (s.began - START).total_seconds()
        for s in signals
        if s.rule == "entry" and s.phase is Phase.ACTIVE
    ]
    assert entered == pytest.approx([7, 24, 52, 76, 94, 125], abs=2)
