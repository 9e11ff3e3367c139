"""Each detector on sights made by hand."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import cv2
import numpy as np
import pytest

from tests.harness.video_scenes import START, street
from workloads.video_analytics.vision.detectors import make
from workloads.video_analytics.vision.model import (
    Box,
    CameraView,
    Frame,
    Image,
    Phase,
    Point,
    RuleKind,
    RuleSpec,
    Signal,
)
from workloads.video_analytics.vision.ports import Detector, Sight, Tracked

_VIEW = CameraView("camera")
_LINE = (Point(0.0, 0.5), Point(1.0, 0.5))
_FIELD = (Point(0.25, 0.25), Point(0.75, 0.25), Point(0.75, 0.75), Point(0.25, 0.75))
_BLANK = np.zeros((90, 160), np.uint8)


def _detector(kind: RuleKind, points: Sequence[Point] = (), **parameters: Any) -> Detector:
    made = make(RuleSpec("rule", 3, kind, tuple(points), parameters), _VIEW)
    assert made is not None
    return made


def _track(
    key: str, foot: tuple[float, float], *, size: float = 0.1, seen: bool = True, kind: str = ""
) -> Tracked:
    box = Box(foot[0] - size / 4, foot[1] - size, size / 2, size)
    return Tracked(key, box, seen, START, Point(0, 0), 0.0, kind)


def _sight(
    seconds: float, *tracks: Tracked, luma: Image = _BLANK, foreground: Image | None = None
) -> Sight:
    frame = Frame(START + timedelta(seconds=seconds), luma)
    found = np.zeros(luma.shape, np.uint8) if foreground is None else foreground
    return Sight(frame, luma, found, moving=True, tracks=tracks)


def _phases(signals: Sequence[Signal]) -> list[str]:
    return [signal.phase.value for signal in signals]


def _walk(detector: Detector, feet: Sequence[tuple[float, float]], key: str = "a") -> list[Signal]:
    return [
        signal
        for n, foot in enumerate(feet)
        for signal in detector.look(_sight(n / 5, _track(key, foot)))
    ]


_DOWN = [(0.5, 0.3 + 0.02 * n) for n in range(20)]


@pytest.mark.parametrize(
    ("direction", "feet", "found"),
    [
        ("any", _DOWN, ["to_right"]),
        ("any", _DOWN[::-1], ["to_left"]),
        ("to_right", _DOWN, ["to_right"]),
        ("to_left", _DOWN, []),
        ("any", [*_DOWN, *_DOWN[::-1]], ["to_right", "to_left"]),
    ],
)
def test_a_line_is_crossed(
    direction: str, feet: list[tuple[float, float]], found: list[str]
) -> None:
    signals = _walk(_detector(RuleKind.LINE_CROSSING, _LINE, direction=direction), feet)
    assert [s.data["direction"] for s in signals if s.phase is Phase.ACTIVE] == found
    assert _phases(signals) == ["active", "ended"] * len(found)
    assert {(s.rule, s.version, s.track) for s in signals} <= {("rule", 3, "a")}


def test_trembling_on_a_line_is_no_crossing() -> None:
    feet = [(0.5, 0.497 if n % 2 else 0.503) for n in range(50)]
    assert not _walk(_detector(RuleKind.LINE_CROSSING, _LINE), feet)


def test_a_line_that_ends_is_passed_beside_it() -> None:
    detector = _detector(RuleKind.LINE_CROSSING, (Point(0.0, 0.5), Point(0.3, 0.5)))
    assert not _walk(detector, _DOWN)


def test_size_and_class_decide_who_counts() -> None:
    for parameters in ({"minimum_size_percent": 5.0}, {"classes": ["bus"]},
                       {"maximum_size_percent": 0.1}):  # fmt: skip
        assert not _walk(_detector(RuleKind.LINE_CROSSING, _LINE, **parameters), _DOWN)


def test_entry_needs_to_have_been_outside() -> None:
    into = [(0.1 + 0.02 * n, 0.5) for n in range(20)]
    entry = _detector(RuleKind.FIELD_ENTRY, _FIELD)
    assert _phases(_walk(entry, into)) == ["candidate", "active"]
    appears = _detector(RuleKind.FIELD_ENTRY, _FIELD)
    assert not _walk(appears, [(0.5, 0.5)] * 20)
    present = _detector(RuleKind.FIELD_PRESENCE, _FIELD)
    assert _phases(_walk(present, [(0.5, 0.5)] * 20)) == ["candidate", "active"]


def test_presence_lives_and_ends() -> None:
    detector = _detector(RuleKind.FIELD_PRESENCE, _FIELD, after_seconds=1, clear_seconds=3)
    signals = _walk(detector, [(0.5, 0.5)] * 120)
    assert _phases(signals) == ["candidate", "active", "updated", "updated"]
    assert not detector.look(_sight(26))
    (ended,) = detector.look(_sight(28))
    assert (ended.phase, ended.began, ended.key) == (Phase.ENDED, START, "a")
    assert ended.data["seconds"] == pytest.approx(23.8)


def test_who_is_away_for_a_moment_is_the_same_event() -> None:
    detector = _detector(RuleKind.FIELD_PRESENCE, _FIELD, after_seconds=1, clear_seconds=3)
    for n in range(20):
        inside = n < 8 or n > 14
        detector.look(_sight(n / 5, *([_track("a", (0.5, 0.5))] if inside else [])))
    assert _phases(detector.close(START + timedelta(seconds=9))) == ["ended"]


def test_loitering_needs_its_time_and_one_event_each() -> None:
    detector = _detector(RuleKind.LOITERING, _FIELD, seconds=10)
    active = []
    for n in range(100):
        pair = [_track("a", (0.5 + 0.1 * np.sin(n), 0.5)), _track("b", (0.4, 0.6))]
        tracks = pair if n < 80 else pair[:1]
        active += [
            (s.key, (s.at - START).total_seconds())
            for s in detector.look(_sight(n / 5, *tracks))
            if s.phase is Phase.ACTIVE
        ]
    assert active == [("a", 10.0), ("b", 10.0)]


def test_counting_over_a_line_both_ways_and_by_interval() -> None:
    detector = _detector(RuleKind.COUNTING, _LINE, interval_seconds=60)
    found: list[Signal] = []
    for n in range(400):
        at = n / 5
        down = [_track(f"d{k}", (0.2, 0.3 + 0.02 * (n - 30 * k))) for k in range(4)]
        up = [_track("u", (0.8, 0.7 - 0.02 * (n - 340)))]
        found += detector.look(_sight(at, *down, *up))
    found += detector.close(START + timedelta(seconds=90))
    ended = [s.data for s in found if s.phase is Phase.ENDED]
    assert ended == [
        {"to_right": 4, "to_left": 0, "count": 4},
        {"to_right": 0, "to_left": 1, "count": 1},
    ]
    assert len({(s.key, s.began) for s in found}) == 2
    firsts = [s.phase for s in found if s.key == found[0].key]
    assert firsts[0] is Phase.ACTIVE
    assert set(firsts[1:-1]) == {Phase.UPDATED}


def test_counting_in_and_out_of_a_field() -> None:
    detector = _detector(RuleKind.COUNTING, _FIELD, of="field")
    through = [(0.05 + 0.02 * n, 0.5) for n in range(46)]
    _walk(detector, through)
    _walk(detector, through[:25], "b")
    (ended,) = [s for s in detector.close(START + timedelta(seconds=99)) if s.phase is Phase.ENDED]
    assert ended.data == {"in": 2, "out": 1, "count": 3}


def test_a_crowd_by_number_or_by_cover() -> None:
    by_number = _detector(RuleKind.CROWD, _FIELD, count=5, after_seconds=1)
    people = [_track(str(k), (0.3 + 0.08 * k, 0.5)) for k in range(5)]
    signals = [s for n in range(20) for s in by_number.look(_sight(n / 5, *people))]
    assert _phases(signals) == ["candidate", "active"]
    assert signals[-1].data["count"] == 5
    assert not [s for n in range(20) for s in _detector(
        RuleKind.CROWD, _FIELD, count=6).look(_sight(n / 5, *people))]  # fmt: skip
    cover = np.zeros((90, 160), np.uint8)
    cover[30:60, 40:120] = 255
    by_cover = _detector(RuleKind.CROWD, _FIELD, cover_percent=50, after_seconds=1)
    signals = [s for n in range(10) for s in by_cover.look(_sight(n / 5, foreground=cover))]
    assert signals[-1].data["cover_percent"] == pytest.approx(66.7, abs=3)


def _moving(seconds: float, x: int) -> Sight:
    luma = np.full((90, 160), 100, np.uint8)
    foreground = np.zeros((90, 160), np.uint8)
    luma[40:60, x : x + 15] = np.arange(20, 35) * 7
    foreground[40:60, x : x + 15] = 255
    return _sight(seconds, luma=luma, foreground=foreground)


def test_motion_is_what_moves_and_not_what_stands() -> None:
    moving = _detector(RuleKind.MOTION)
    signals = [s for n in range(20) for s in moving.look(_moving(n / 5, 20 + 4 * n))]
    assert _phases(signals) == ["candidate", "active"]
    assert signals[-1].box is not None
    standing = _detector(RuleKind.MOTION)
    assert not [s for n in range(20) for s in standing.look(_moving(n / 5, 20))]
    elsewhere = _detector(RuleKind.MOTION, (Point(0, 0), Point(1, 0), Point(1, 0.3), Point(0, 0.3)))
    assert not [s for n in range(20) for s in elsewhere.look(_moving(n / 5, 20 + 4 * n))]


def _camera(seconds: float, what: str) -> Image:
    rng = np.random.default_rng(round(seconds * 10))
    ground = street(320, 180, seed=2 if what == "moved" else 1)
    if what == "dark":
        ground = ground * 0.05
    if what == "covered":
        ground = np.full(ground.shape, 120.0)
    if what == "blurred":
        ground = cv2.GaussianBlur(ground, (0, 0), 8)
    if what == "dimmed":
        ground = ground * 0.7
    if what == "frozen":
        rng = np.random.default_rng(0)
    return np.clip(ground + rng.normal(0, 1.5, ground.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("what", "look"),
    [("dark", "dark"), ("covered", "blurred"), ("blurred", "blurred"), ("moved", "moved"),
     ("frozen", "frozen"), ("dimmed", None), ("fine", None)],
)  # fmt: skip
def test_tampering(what: str, look: str | None) -> None:
    detector = _detector(RuleKind.TAMPERING, frozen_seconds=10, after_seconds=3)
    found: list[Signal] = []
    for n in range(160):
        now = what if 75 <= n < 145 else "fine"
        found += detector.look(_sight(n / 2.5, luma=_camera(n / 2.5, now)))
    active = [s for s in found if s.phase is Phase.ACTIVE]
    assert [s.key for s in active] == ([look] if look else [])
    if look:
        late = (active[0].at - START).total_seconds() - 30
        assert 3 <= late <= 16
        assert [s.phase for s in found][-1] is Phase.ENDED


def test_tampering_can_be_told_what_not_to_see() -> None:
    detector = _detector(RuleKind.TAMPERING, dark=False)
    assert not [s for n in range(60) for s in detector.look(_sight(n, luma=_camera(n, "dark")))]


@pytest.mark.parametrize(
    ("kind", "points"),
    [(RuleKind.FIELD_ENTRY, _FIELD), (RuleKind.LOITERING, _FIELD), (RuleKind.COUNTING, _LINE),
     (RuleKind.LINE_CROSSING, _LINE)],
)  # fmt: skip
def test_another_one_goes_on_without_a_difference(
    kind: RuleKind, points: tuple[Point, ...]
) -> None:
    parameters = {"seconds": 4} if kind is RuleKind.LOITERING else {}
    feet = [(0.1 + 0.008 * n, 0.2 + 0.008 * n) for n in range(90)]
    whole, first, second = (_detector(kind, points, **parameters) for _ in range(3))
    expected = _walk(whole, feet) + whole.close(START + timedelta(seconds=60))
    found: list[Signal] = []
    for n, foot in enumerate(feet):
        if n == 40:
            second.recall(json.loads(json.dumps(first.memory())))
        found += (first if n < 40 else second).look(_sight(n / 5, _track("a", foot)))
    found += second.close(START + timedelta(seconds=60))
    assert expected
    assert found == expected
    third = _detector(kind, points, **parameters)
    for nonsense in ({}, {"subjects": [3, {}, {"key": "a"}]}, {"places": {"a": ["x", None]}},
                     {"counts": {"in": "x"}, "began": "now"}):  # fmt: skip
        third.recall(nonsense)  # type: ignore[arg-type]
    assert third.close(START) == []
