"""Construction at forbidden hours: on generated sites, and its calendar."""

import os
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from tests.harness.scenes import judge, watch
from workloads.video_analytics.synthetic import sites
from workloads.video_analytics.vision.detectors.construction import Construction, Hours
from workloads.video_analytics.vision.model import CameraView, Frame, Phase, RuleKind, RuleSpec
from workloads.video_analytics.vision.parameters import with_defaults
from workloads.video_analytics.vision.ports import Sight

KIND = RuleKind.CONSTRUCTION
#: All sites with THOROUGH=1. A site takes long: it is a rehearsal, beside the shorter tests below.
CHOSEN = (
    list(sites.CLIPS) if os.environ.get("THOROUGH") == "1" else ["digging-night-1", "walkers-11"]
)


@pytest.mark.rehearsal
@pytest.mark.parametrize("name", CHOSEN)
def test_one_event_for_a_spell_of_work_and_none_for_what_only_moves(name: str) -> None:
    scene = sites.CLIPS[name]()
    signals = watch(scene, [KIND])
    verdict = judge(scene, name, KIND, signals)
    assert (verdict.stories, verdict.missed, verdict.false, verdict.again) == ([], 0, 0, 0)
    if scene.truths:
        began = (signals[0].began - scene.began).total_seconds()
        assert -5 <= began - scene.truths[0].began <= 40
        assert signals[0].data["worked_seconds"] >= 60


def hours(view: CameraView | None = None, **parameters: Any) -> Hours:
    return Hours(with_defaults(KIND, parameters), view or CameraView("c"))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_hours_of_the_clock_run_over_midnight_in_the_cameras_zone() -> None:
    night = hours(**{"from": "22:00", "until": "06:00"})
    assert not night.forbidden(at("2026-06-10T21:59:59+08:00"))
    assert night.forbidden(at("2026-06-10T22:00:00+08:00"))
    assert night.forbidden(at("2026-06-10T15:30:00+00:00"))  # half past eleven in Shanghai
    assert not night.forbidden(at("2026-06-11T06:00:00+08:00"))
    noon = hours(**{"from": "12:00", "until": "14:00"})
    assert noon.forbidden(at("2026-06-10T13:00:00+08:00"))
    assert not noon.forbidden(at("2026-06-10T23:00:00+08:00"))


def test_the_night_of_the_sun_needs_a_position_and_follows_the_seasons() -> None:
    shanghai = CameraView("c", latitude=31.23, longitude=121.47)
    night = hours(shanghai, forbidden="night")
    assert not night.forbidden(at("2026-06-21T19:20:00+08:00"))
    assert night.forbidden(at("2026-12-21T19:20:00+08:00"))
    clock = hours(CameraView("c", latitude=31.23), forbidden="night")
    assert not clock.forbidden(at("2026-12-21T19:20:00+08:00"))
    equator = hours(CameraView("c", latitude=0.0, longitude=0.0), forbidden="night")
    assert equator.forbidden(at("2026-06-21T00:00:00+00:00"))
    assert not equator.forbidden(at("2026-06-21T12:00:00+00:00"))


def test_a_permit_allows_from_its_start_until_before_its_end() -> None:
    night = hours(permits=[{"from": "2026-06-10T15:00:00Z", "until": "2026-06-11T00:00:00+08:00"}])
    assert night.forbidden(at("2026-06-10T22:59:59+08:00"))
    assert not night.forbidden(at("2026-06-10T23:00:00+08:00"))
    assert night.forbidden(at("2026-06-11T00:00:00+08:00"))


def test_a_permit_without_a_zone_is_in_the_cameras_and_a_broken_one_permits_nothing() -> None:
    night = hours(
        permits=[
            {"from": "2026-06-10T23:00:00", "until": "2026-06-10T23:30:00"},
            {"from": "soon", "until": "later"},
            {"from": "2026-06-11T01:00:00"},
        ]
    )
    assert not night.forbidden(at("2026-06-10T23:10:00+08:00"))
    assert night.forbidden(at("2026-06-11T01:10:00+08:00"))


def working(detector: Construction, start: datetime, seconds: int) -> list[tuple[Phase, float]]:
    """A block of two greys that swings to and fro, four looks a second."""
    found: list[tuple[Phase, float]] = []
    for n in range(seconds * 4):
        luma = np.full((180, 320), 90, np.uint8)
        if n > 40:  # ten seconds of an empty site
            left = 140 + round(30 * np.sin(n * 0.4))
            luma[60:85, left : left + 60] = 180
            luma[85:110, left : left + 60] = 40
        now = start + timedelta(seconds=n / 4)
        signals = detector.look(Sight(Frame(now, luma), luma, luma, moving=True))
        found += [(signal.phase, (now - start).total_seconds()) for signal in signals]
    return found


def test_work_that_goes_on_into_the_morning_ends_when_it_is_allowed() -> None:
    detector = Construction(RuleSpec("r", 1, KIND, sites.SITE), CameraView("c"))
    found = working(detector, at("2026-06-11T05:57:00+08:00"), 240)
    assert [phase for phase, _ in found] == [Phase.ACTIVE, Phase.ENDED]
    assert found[1][1] == pytest.approx(180, abs=0.5)


def test_another_worker_goes_on_with_a_spell() -> None:
    start = at("2026-06-10T23:00:00+08:00")
    first = Construction(RuleSpec("r", 1, KIND, sites.SITE), CameraView("c"))
    assert [phase for phase, _ in working(first, start, 150)] == [Phase.ACTIVE]
    second = Construction(RuleSpec("r", 1, KIND, sites.SITE), CameraView("c"))
    second.recall(first.memory())
    assert working(second, start + timedelta(seconds=160), 100) == []
    [ended] = second.close(start + timedelta(seconds=300))
    assert ended.phase is Phase.ENDED
    assert start < ended.began < start + timedelta(seconds=60)
    third = Construction(RuleSpec("r", 1, KIND), CameraView("c"))
    for wrong in ({}, {**first.memory(), "active": "x"}, {**first.memory(), "worked": None}):
        third.recall(wrong)
    assert third.close(start) == []
