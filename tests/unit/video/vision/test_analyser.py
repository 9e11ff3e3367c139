"""The whole analysis of a camera on drawn scenes and on what no camera should send."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from tests.harness.video_scenes import START, Mover, play, street
from workloads.video_analytics.vision.analyser import CameraAnalyser
from workloads.video_analytics.vision.model import (
    Analysis,
    Box,
    CameraView,
    Frame,
    Look,
    Phase,
    Point,
    RuleKind,
    RuleSpec,
    Signal,
    Tier,
    TrackPiece,
)

_VIEW = CameraView("camera")
_LINE = (Point(0.5, 0.0), Point(0.5, 1.0))
_CROSSING = RuleSpec("line", 1, RuleKind.LINE_CROSSING, _LINE)
_LOITERING = RuleSpec("loiter", 1, RuleKind.LOITERING, (), {"seconds": 12})
_WALKER = Mover(20, 110, 26, 60, vx=40, grey=215, start=3)
_RATE = 10.0


def _frames(movers: Sequence[Mover], seconds: float = 14) -> list[Frame]:
    return [frame for frame, _ in play(street(320, 180), movers, seconds, _RATE)]


def _run(
    analyser: CameraAnalyser, frames: Sequence[Frame]
) -> tuple[list[Signal], list[TrackPiece]]:
    signals: list[Signal] = []
    pieces: list[TrackPiece] = []
    for frame in frames:
        found = analyser.feed(frame)
        signals += found.signals
        pieces += found.tracks
    return signals, pieces


def _events(signals: Sequence[Signal], phase: Phase = Phase.ACTIVE) -> list[tuple[str, str]]:
    return [(s.rule, str(s.data.get("direction", ""))) for s in signals if s.phase is phase]


def test_a_walker_crosses_once_and_leaves_a_piece() -> None:
    analyser = CameraAnalyser(_VIEW, [_CROSSING])
    signals, pieces = _run(analyser, _frames([_WALKER]))
    assert _events(signals) == [("line", "to_left")]  # the line is drawn downwards
    pieces += analyser.close(START + timedelta(seconds=14)).tracks
    (piece,) = [p for p in pieces if p.dwell_seconds > 2]
    assert piece.ended
    assert piece.path[0][1].x < 0.25
    assert piece.path[-1][1].x > 0.85
    times = [at for at, _ in piece.path]
    assert times == sorted(times)
    assert piece.size == pytest.approx(26 * 60 / (320 * 180), rel=0.4)
    assert isinstance(piece.box, Box)


def test_who_stands_is_followed_until_it_loiters() -> None:
    waiting = replace(_WALKER, stops=6.0, end=25.0)
    analyser = CameraAnalyser(_VIEW, [_LOITERING])
    signals, _ = _run(analyser, _frames([waiting], 34))
    assert [s.phase for s in signals if s.rule == "loiter"][:2] == [Phase.CANDIDATE, Phase.ACTIVE]
    assert len({s.key for s in signals if s.phase is Phase.ACTIVE}) == 1
    assert signals[-1].phase is Phase.ENDED


def test_the_same_frames_bring_the_same_signals() -> None:
    frames = _frames([_WALKER])
    runs = [_run(CameraAnalyser(_VIEW, [_CROSSING, _LOITERING]), frames) for _ in range(2)]
    assert runs[0] == runs[1]


def test_another_worker_goes_on_within_a_track() -> None:
    frames = _frames([_WALKER])
    first = CameraAnalyser(_VIEW, [_CROSSING])
    _run(first, frames[:50])
    second = CameraAnalyser(_VIEW)
    second.recall(first.memory())
    second.change([_CROSSING], Tier.LOW_RATE)  # what is recalled waits for its rule
    signals, _ = _run(second, frames[50:])
    assert _events(signals) == [("line", "to_left")]


@pytest.mark.parametrize("cut", [0, 200, -1])
def test_nonsense_is_not_recalled(cut: int) -> None:
    first = CameraAnalyser(_VIEW, [_CROSSING])
    _run(first, _frames([_WALKER])[:20])
    good = first.memory()
    for memory in (good[:cut], good[:cut] + b"\0" * 50):
        other = CameraAnalyser(_VIEW, [_CROSSING])
        other.recall(memory)
        assert _events(_run(other, _frames([_WALKER]))[0]) == [("line", "to_left")]
    stranger = CameraAnalyser(CameraView("another"), [_CROSSING])
    stranger.recall(good)
    before = stranger.feed(replace(_frames([])[0], at=START - timedelta(days=1)))
    assert before == Analysis(moving=True)


def test_a_frame_that_is_older_is_passed_over() -> None:
    analyser = CameraAnalyser(_VIEW, [_CROSSING])
    frames = _frames([_WALKER])
    mixed = [frame for pair in zip(frames[1:], frames[:-1], strict=True) for frame in pair]
    assert _events(_run(analyser, mixed)[0]) == [("line", "to_left")]


def test_a_clock_that_is_set_back_costs_a_few_frames() -> None:
    analyser = CameraAnalyser(_VIEW, [_CROSSING, _LOITERING])
    standing = replace(_WALKER, stops=6.0)
    early, _ = _run(analyser, _frames([standing], 20))
    assert ("loiter", "") in _events(early)
    hour = timedelta(hours=1)
    back = [replace(frame, at=frame.at - hour) for frame in _frames([_WALKER])]
    signals, pieces = _run(analyser, back)
    assert ("loiter", "") in _events(signals, Phase.ENDED)
    assert _events(signals) == [("line", "to_left")]
    assert any(piece.ended for piece in pieces)


def test_rules_change_in_place() -> None:
    analyser = CameraAnalyser(_VIEW, [_LOITERING])
    frames = _frames([replace(_WALKER, stops=6.0)], 24)
    _run(analyser, frames[:200])
    kept = analyser.change([_LOITERING, _CROSSING], Tier.LOW_RATE)
    assert not kept.signals
    changed = analyser.change([replace(_LOITERING, version=2), _CROSSING], Tier.LOW_RATE)
    assert [(s.version, s.phase) for s in changed.signals] == [(1, Phase.ENDED)]
    signals, _ = _run(analyser, frames[200:])
    assert [(s.version, s.phase) for s in signals if s.rule == "loiter"] == [(2, Phase.CANDIDATE)]


def test_tiers_and_what_is_missing() -> None:
    plate = RuleSpec("plate", 1, RuleKind.PLATE)
    cars = replace(_CROSSING, id="cars", parameters={"classes": ["car"]})
    analyser = CameraAnalyser(_VIEW, [_CROSSING, plate, cars], Tier.LOW_RATE)
    assert analyser.feed(_frames([])[0]).missing == (
        "no model: plate",
        "tier too low: classes of line_crossing",
    )
    low = analyser.change([_CROSSING, _LOITERING], Tier.KEY_FRAMES)
    assert low.missing == ("tier too low: line_crossing",)
    analyser.change([_LOITERING], Tier.LOW_RATE)
    _run(analyser, _frames([replace(_WALKER, stops=6.0)], 20)[1:])
    off = analyser.change([_LOITERING], Tier.ACCESS)
    assert [s.phase for s in off.signals] == [Phase.ENDED]
    assert off.missing == ("tier too low: loitering",)


def test_a_mask_is_never_looked_at() -> None:
    everything = ((Point(0, 0.3), Point(1, 0.3), Point(1, 1), Point(0, 1)),)
    analyser = CameraAnalyser(replace(_VIEW, masks=everything), [_CROSSING, _LOITERING])
    signals, pieces = _run(analyser, _frames([_WALKER]))
    assert not signals
    assert not pieces


@pytest.mark.parametrize("shape", [(48, 48), (8, 8), (9, 4000), (1080, 608)])
def test_any_size_of_frame(shape: tuple[int, int]) -> None:
    rules = [RuleSpec(k.value, 1, k, _LINE) for k in RuleKind]
    analyser = CameraAnalyser(_VIEW, rules, Tier.FULL)
    rng = np.random.default_rng(3)
    for n in range(30):
        luma = rng.integers(0, 255 if n % 7 else 20, shape).astype(np.uint8)
        colour = np.dstack([luma, luma, luma])
        analyser.feed(Frame(START + timedelta(seconds=n / 5), luma, colour))
    analyser.recall(analyser.memory())


def test_an_8k_frame_and_a_change_of_size_between() -> None:
    analyser = CameraAnalyser(_VIEW, [_CROSSING])
    big = np.full((4320, 7680), 90, np.uint8)
    for n in range(3):
        analyser.feed(Frame(START + timedelta(seconds=n), big))
    signals, _ = _run(
        analyser, [replace(f, at=f.at + timedelta(minutes=1)) for f in _frames([_WALKER])]
    )
    assert _events(signals) == [("line", "to_left")]


@pytest.mark.parametrize("shape", [(0, 0), (4, 100), (10, 10, 3)])
def test_what_is_no_picture_is_passed_over(shape: tuple[int, ...]) -> None:
    analyser = CameraAnalyser(_VIEW, [_CROSSING])
    assert analyser.feed(Frame(START, np.zeros(shape, np.uint8))) == Analysis()


def test_how_the_picture_is() -> None:
    analyser = CameraAnalyser(_VIEW)
    looks = []
    rng = np.random.default_rng(5)
    for n in range(120):
        ground = street(320, 180) * (0.03 if 40 <= n < 80 else 1)
        luma = np.clip(ground + rng.normal(0, 1.5, ground.shape), 0, 255).astype(np.uint8)
        looks.append(analyser.feed(Frame(START + timedelta(seconds=n / 4), luma)).look)
    assert set(looks[:50]) == {Look.FINE}
    assert set(looks[56:80]) == {Look.DARK}
    assert looks[-1] is Look.FINE


def test_other_words_of_the_same_version_go_on_with_what_is_known() -> None:
    """Permits pass: the rule is told anew, and its event neither ends nor begins again."""
    analyser = CameraAnalyser(_VIEW, [_LOITERING])
    frames = _frames([replace(_WALKER, vx=1)], 40)
    signals, _ = _run(analyser, frames[:250])
    assert _events(signals) == [("loiter", "")]
    longer = replace(_LOITERING, parameters={"seconds": 14})
    assert analyser.change([longer], Tier.LOW_RATE).signals == ()
    signals, _ = _run(analyser, frames[250:])
    assert _events(signals) == []
    assert [one.phase for one in analyser.change([], Tier.LOW_RATE).signals] == [Phase.ENDED]
