"""A rule of classes on a sample clip, with a simple gate: one event for each person who comes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np

from tests.harness.models import clip_or_skip, models_or_skip
from workloads.video_analytics.vision.model import (
    CameraView,
    Frame,
    Phase,
    RuleKind,
    RuleSpec,
    Signal,
)
from workloads.video_analytics.vision.models.detectors import Looker, detector
from workloads.video_analytics.vision.ports import Sight

START = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)


def _sights(name: str, step: int) -> Iterator[Sight]:
    """Every so many frames of a clip with its foreground by MOG2, without tracks."""
    clip = cv2.VideoCapture(str(clip_or_skip(name)))
    rate = clip.get(cv2.CAP_PROP_FPS)
    model = cv2.createBackgroundSubtractorMOG2(500, 16, detectShadows=True)
    number = -1
    while True:
        there, picture = clip.read()
        number += 1
        if not there:
            return
        if number % step:
            continue
        luma = cv2.cvtColor(cv2.resize(picture, (320, 180)), cv2.COLOR_BGR2GRAY)
        foreground = np.where(model.apply(luma) == 255, 255, 0).astype(np.uint8)
        moving = number > rate and np.count_nonzero(foreground) > 0.002 * foreground.size
        frame = Frame(START + timedelta(seconds=number / rate), luma, picture)
        yield Sight(frame, luma, foreground, bool(moving))


def test_six_persons_are_six_events() -> None:
    """Counted by eye: six persons come one after the other, stand at a table and go."""
    models = models_or_skip(RuleKind.OBJECT_CLASS)
    parameters = {"classes": ["person"], "clear_seconds": 2.0, "every_seconds": 0.6}
    rule = RuleSpec("rul_1", 1, RuleKind.OBJECT_CLASS, (), parameters)
    judged = detector(rule, Looker(models, CameraView("cam_1")))
    assert judged is not None
    told: list[Signal] = []
    for sight in _sights("one-by-one-person-detection.mp4", 2):
        told += judged.look(sight)
    begun = [(s.at - START).total_seconds() for s in told if s.phase is Phase.ACTIVE]
    ended = [(s.at - START).total_seconds() for s in told if s.phase is Phase.ENDED]
    came, went = (7.5, 24, 51.5, 75.5, 93.5, 124.5), (20, 45, 70, 87, 120, 137)
    np.testing.assert_allclose(begun, came, atol=2.5)
    np.testing.assert_allclose(ended, went, atol=3.5)
    assert len({signal.key for signal in told if signal.phase is not Phase.CANDIDATE}) == 6
