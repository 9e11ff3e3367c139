"""Classes on tracks: by a model that sees what the test says, and by the real one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np

from tests.harness.models import FOLDER, clip_or_skip, models_or_skip
from tests.harness.video_scenes import START, Mover, play, street
from workloads.video_analytics.vision.analyser import CameraAnalyser
from workloads.video_analytics.vision.model import (
    Box,
    CameraView,
    Frame,
    Phase,
    Point,
    RuleKind,
    RuleSpec,
    Tier,
)
from workloads.video_analytics.workers.analysis import Shelf, finder
from workloads.video_analytics.workers.model import first_step, look

VIEW = CameraView("camera")
LINE = (Point(0.5, 0.0), Point(0.5, 1.0))
PEOPLE = RuleSpec("people", 1, RuleKind.LINE_CROSSING, LINE, {"classes": ["person"]})
CARS = replace(PEOPLE, id="cars", parameters={"classes": ["car"]})
WALKER = Mover(20, 110, 26, 60, vx=40, grey=215, start=3)
TELEVISION = (Box(0.05, 0.05, 0.2, 0.2), "television", 0.9)


class FakeFinder:
    """Sees the walker where he is, and a television that hangs on the wall."""

    def __init__(self) -> None:
        self.asked = 0

    def find(self, frame: Frame) -> Sequence[tuple[Box, str, float]]:
        assert frame.colour is not None
        self.asked += 1
        seconds = (frame.at - START).total_seconds()
        if seconds < WALKER.start:
            return [TELEVISION]
        centre = WALKER.x + WALKER.vx * (seconds - WALKER.start)
        box = Box((centre - 14) / 320, 78 / 180, 28 / 320, 64 / 180)
        return [TELEVISION, (box, "person", 0.8)]


def coloured() -> list[Frame]:
    return [
        replace(frame, colour=np.repeat(frame.luma[:, :, None], 3, axis=2))
        for frame, _ in play(street(320, 180), [WALKER], 12, 10)
    ]


def test_a_rule_of_classes_counts_the_things_of_its_classes() -> None:
    model = FakeFinder()
    analyser = CameraAnalyser(VIEW, [PEOPLE, CARS], Tier.FULL, finder=model)
    found = [analyser.feed(frame) for frame in coloured()]
    assert {s.rule for one in found for s in one.signals if s.phase is Phase.ACTIVE} == {"people"}
    pieces = [p for one in found for p in one.tracks]
    pieces += analyser.close(START + timedelta(seconds=20)).tracks
    # What hangs on the wall is followed by nobody.
    assert {piece.kind for piece in pieces} == {"person"}
    assert found[-1].missing == ()
    assert 5 < model.asked < 40


def test_what_is_missing_is_said_as_it_is() -> None:
    frame = coloured()[0]

    def missing(tier: Tier, view: CameraView = VIEW, model: FakeFinder | None = None) -> object:
        return CameraAnalyser(view, [PEOPLE], tier, finder=model).feed(frame).missing

    assert missing(Tier.FULL) == ("no model: classes of line_crossing",)
    assert missing(Tier.LOW_RATE, model=FakeFinder()) == ("tier too low: classes of line_crossing",)
    above = replace(VIEW, overhead=True)
    assert missing(Tier.FULL, above) == ("no classes: the camera looks straight down",)


def test_colour_is_decoded_for_rules_of_classes_alone() -> None:
    plain = replace(PEOPLE, parameters={})
    assert look(Tier.FULL, first_step(Tier.FULL), [PEOPLE]).colour
    assert not look(Tier.FULL, first_step(Tier.FULL), [plain]).colour
    assert not look(Tier.LOW_RATE, first_step(Tier.LOW_RATE), [PEOPLE]).colour


def test_without_the_file_there_is_no_finder(tmp_path: Path) -> None:
    assert finder(Shelf(tmp_path), VIEW) is None
    assert finder(Shelf(None), VIEW) is None


def test_the_real_model_names_the_people_of_the_sample_clip() -> None:
    models_or_skip(RuleKind.OBJECT_CLASS)
    clip = cv2.VideoCapture(str(clip_or_skip("one-by-one-person-detection.mp4")))
    rate = clip.get(cv2.CAP_PROP_FPS)
    found = finder(Shelf(FOLDER), VIEW)
    assert found is not None
    assert finder(Shelf(FOLDER), replace(VIEW, overhead=True)) is None
    analyser = CameraAnalyser(VIEW, [PEOPLE], Tier.FULL, finder=found)
    kinds: list[tuple[str, float]] = []
    for n in range(int(28 * rate)):
        there, picture = clip.read()
        assert there
        if n % 3:
            continue
        picture = cv2.resize(picture, (640, 360))
        frame = Frame(
            START + timedelta(seconds=n / rate), cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), picture
        )
        kinds += [(piece.kind, piece.dwell_seconds) for piece in analyser.feed(frame).tracks]
    kinds += [(p.kind, p.dwell_seconds) for p in analyser.close(START).tracks]
    long = [kind for kind, seconds in kinds if seconds > 2]
    assert "person" in long, kinds
    assert set(long) <= {"person", ""}, kinds
